//go:build amd64 && !purego

package kernels

// Reductions add up in float64, with products fused into the sums. Sums of channels are kept side by side for
// up to channelChunk columns; few channels fill the vectors because some rows are taken as one
// wide row, whose sums are added at the end. Sums of whole slices take them as rows of
// channelChunk columns in the same way.

// overrideReductions puts the reductions into a table.
func (s *simd) overrideReductions(t *Table) {
	t.ChannelSum, t.ChannelDot, t.ChannelMoments = s.channelSum, s.channelDot, s.channelMoments
	t.ChannelDotReLU = s.channelDotReLU
	t.Sum, t.Dot, t.SumSquares = s.sum, s.dot, s.sumSquares
}

// reduceRows returns the rows of c channels to pass over at once: few enough that they stay in the
// first-level cache while blocks of channels are summed, and that the blocks together read memory about in order.
func (s *simd) reduceRows(c int) int { return max(1, 32*s.wideReduction/c) }

// fold returns how many rows of c channels are summed side by side, as one row of fold*c columns:
// as many as fit the widest block of registers. It depends on c alone.
func (s *simd) fold(c int) int { return max(1, s.wideReduction/c) }

// reduce calls f for blocks of rows that together hold columns first to first+n of all rows of c floats in a slice of the
// given length: n columns from element at on. To fill the last registers, f may get more columns than n, whose sums mean nothing,
// where that stays within the slice.
func (s *simd) reduce(rows, c, first, n, length int, f func(at, rows, n int)) {
	padded, whole := n, rows // rows that can be read at the padded width
	if rest := n % s.wideReduction; rest > s.wideReduction-s.lanes {
		padded = n - rest + s.wideReduction
		whole = min(rows, max(0, (length-first-padded+c)/c))
	}
	step := s.reduceRows(c)
	for lo := 0; lo < whole; lo += step {
		f(lo*c+first, min(step, whole-lo), padded)
	}
	for lo := whole; lo < rows; lo += step {
		f(lo*c+first, min(step, rows-lo), n)
	}
}

// reduceFolded is reduce for all of c channels, taking fold rows as one, whose sums it adds up in order; f gets the
// floats from row to row too. The rows that are left come last.
func (s *simd) reduceFolded(rows, c, fold int, f func(at, rows, step, n int), sums ...*[channelChunk]float64) {
	wide := fold * c
	s.reduce(rows/fold, wide, 0, wide, rows*c, func(at, rows, n int) { f(at, rows, wide, n) })
	for _, sum := range sums {
		for i := range c {
			for j := 1; j < fold; j++ {
				sum[i] += sum[j*c+i]
			}
		}
	}
	if rest := rows % fold; rest > 0 {
		f((rows-rest)*c, rest, c, c)
	}
}

// widen copies the numbers of n channels to doubles, fold times.
func widen(dst *[channelChunk]float64, x []float32, fold int) {
	for j := range fold {
		for i, v := range x {
			dst[j*len(x)+i] = float64(v)
		}
	}
}

func (s *simd) channelSum(dst, x []float32, rows, c int) {
	dst, x = dst[:c], x[:rows*c]
	if rows == 0 || c == 0 {
		clear(dst)
		return
	}
	var sum [channelChunk]float64
	block := func(at, rows, step, n int) { s.reduceSum(&sum, x[at:], rows, step, n) }
	if fold := s.fold(c); fold > 1 {
		s.reduceFolded(rows, c, fold, block, &sum)
		narrow(dst, &sum)
		return
	}
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		s.reduce(rows, c, first, n, len(x), func(at, rows, n int) { block(at, rows, c, n) })
		narrow(dst[first:first+n], &sum)
	}
}

// narrow rounds sums to float32.
func narrow(dst []float32, sum *[channelChunk]float64) {
	for i, v := range sum[:len(dst)] {
		dst[i] = float32(v)
	}
}

func (s *simd) channelDot(sum, dot, dy, x, mean []float32, rows, c int) {
	sum, dot, mean = sum[:c], dot[:c], mean[:c]
	dy, x = dy[:rows*c], x[:rows*c]
	if rows == 0 || c == 0 {
		clear(sum)
		clear(dot)
		return
	}
	var sums, dots, means [channelChunk]float64
	block := func(at, rows, step, n int) { s.reduceDot(&sums, &dots, &means, dy[at:], x[at:], rows, step, n) }
	if fold := s.fold(c); fold > 1 {
		widen(&means, mean, fold)
		s.reduceFolded(rows, c, fold, block, &sums, &dots)
		narrow(sum, &sums)
		narrow(dot, &dots)
		return
	}
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sums[:])
		clear(dots[:])
		widen(&means, mean[first:first+n], 1)
		s.reduce(rows, c, first, n, len(x), func(at, rows, n int) { block(at, rows, c, n) })
		narrow(sum[first:first+n], &sums)
		narrow(dot[first:first+n], &dots)
	}
}

func (s *simd) channelDotReLU(sum, dot, dy, x, mean, scale, shift []float32, rows, c int) {
	sum, dot = sum[:c], dot[:c]
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	dy, x = dy[:rows*c], x[:rows*c]
	if rows == 0 || c == 0 {
		clear(sum)
		clear(dot)
		return
	}
	var sums, dots, means [channelChunk]float64
	var mean32, scale32, shift32 [channelChunk]float32
	params := func(first, n, fold int) {
		widen(&means, mean[first:first+n], fold)
		for j := range fold {
			copy(mean32[j*n:], mean[first:first+n])
			copy(scale32[j*n:], scale[first:first+n])
			copy(shift32[j*n:], shift[first:first+n])
		}
	}
	block := func(at, rows, step, n int) {
		s.reduceDotRelu(&sums, &dots, &means, &mean32, &scale32, &shift32, dy[at:], x[at:], rows, step, n)
	}
	if fold := s.fold(c); fold > 1 {
		params(0, c, fold)
		s.reduceFolded(rows, c, fold, block, &sums, &dots)
		narrow(sum, &sums)
		narrow(dot, &dots)
		return
	}
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sums[:])
		clear(dots[:])
		params(first, n, 1)
		s.reduce(rows, c, first, n, len(x), func(at, rows, n int) { block(at, rows, c, n) })
		narrow(sum[first:first+n], &sums)
		narrow(dot[first:first+n], &dots)
	}
}

func (s *simd) channelMoments(mean, m2, x []float32, rows, c int) {
	mean, m2, x = mean[:c], m2[:c], x[:rows*c]
	if rows == 0 || c == 0 {
		clear(mean)
		clear(m2)
		return
	}
	var sum, squares, shift [channelChunk]float64
	block := func(at, rows, step, n int) { s.reduceMoments(&sum, &squares, &shift, x[at:], rows, step, n) }
	if fold := s.fold(c); fold > 1 {
		widen(&shift, x[:c], fold)
		s.reduceFolded(rows, c, fold, block, &sum, &squares)
		moments(mean, m2, &sum, &squares, &shift, rows)
		return
	}
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		clear(squares[:])
		widen(&shift, x[first:first+n], 1)
		s.reduce(rows, c, first, n, len(x), func(at, rows, n int) { block(at, rows, c, n) })
		moments(mean[first:first+n], m2[first:first+n], &sum, &squares, &shift, rows)
	}
}

// moments finishes the moments of len(mean) channels from the sums of deviations from a shift.
func moments(mean, m2 []float32, sum, squares, shift *[channelChunk]float64, rows int) {
	for i := range mean {
		d := sum[i] / float64(rows)
		mean[i] = float32(shift[i] + d)
		m2[i] = float32(max(0, squares[i]-sum[i]*d))
	}
}

// sumRows is the number of rows of channelChunk floats in one call: they stay in the first-level cache while blocks of columns are
// summed, and calls together read memory about in order.
const sumRows = 32

func (s *simd) sum(x []float32) float64 {
	if len(x) < channelChunk {
		return genericSum(x)
	}
	var sum [channelChunk]float64
	for len(x) >= channelChunk {
		rows := min(len(x)/channelChunk, sumRows)
		s.reduceSum(&sum, x, rows, channelChunk, channelChunk)
		x = x[rows*channelChunk:]
	}
	return total(&sum) + genericSum(x)
}

func (s *simd) dot(x, y []float32) float64 {
	y = y[:len(x)]
	var sum, dot, zero [channelChunk]float64
	for len(x) >= channelChunk {
		rows := min(len(x)/channelChunk, sumRows)
		s.reduceDot(&sum, &dot, &zero, x, y, rows, channelChunk, channelChunk)
		x, y = x[rows*channelChunk:], y[rows*channelChunk:]
	}
	return total(&dot) + genericDot(x, y)
}

func (s *simd) sumSquares(x []float32) float64 {
	var sum, squares, zero [channelChunk]float64
	for len(x) >= channelChunk {
		rows := min(len(x)/channelChunk, sumRows)
		s.reduceMoments(&sum, &squares, &zero, x, rows, channelChunk, channelChunk)
		x = x[rows*channelChunk:]
	}
	return total(&squares) + genericSumSquares(x)
}

// total adds pairs, then pairs of pairs.
func total(sum *[channelChunk]float64) float64 {
	for n := channelChunk / 2; n > 0; n /= 2 {
		for i := range n {
			sum[i] += sum[i+n]
		}
	}
	return sum[0]
}
