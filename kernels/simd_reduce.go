//go:build amd64 && !purego

package kernels

// Reductions add up in float64 and in the order of the rows, like the generic ones,
// and differ from those in nothing but speed. Those of whole slices take them as rows of
// channelChunk columns, whose sums are added at the end.

// overrideReductions puts the reductions into a table.
func (s *simd) overrideReductions(t *Table) {
	t.ChannelSum, t.ChannelDot, t.ChannelMoments = s.channelSum, s.channelDot, s.channelMoments
	t.Sum, t.Dot, t.SumSquares = s.sum, s.dot, s.sumSquares
}

// reduceRows returns the rows of c channels to pass over at once: 16 KB, which stay in
// the first-level cache while blocks of channels are summed.
func reduceRows(c int) int { return max(1, 4096/c) }

func (s *simd) channelSum(dst, x []float32, rows, c int) {
	dst, x = dst[:c], x[:rows*c]
	var sum [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		step := reduceRows(c)
		for lo := 0; lo < rows; lo += step {
			s.reduceSum(&sum, x[lo*c+first:], min(step, rows-lo), c, n)
		}
		for i, v := range sum[:n] {
			dst[first+i] = float32(v)
		}
	}
}

func (s *simd) channelDot(sum, dot, dy, x, mean []float32, rows, c int) {
	sum, dot, mean = sum[:c], dot[:c], mean[:c]
	dy, x = dy[:rows*c], x[:rows*c]
	var sums, dots, means [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sums[:])
		clear(dots[:])
		for i, v := range mean[first : first+n] {
			means[i] = float64(v)
		}
		step := reduceRows(c)
		for lo := 0; lo < rows; lo += step {
			at := lo*c + first
			s.reduceDot(&sums, &dots, &means, dy[at:], x[at:], min(step, rows-lo), c, n)
		}
		for i := range n {
			sum[first+i], dot[first+i] = float32(sums[i]), float32(dots[i])
		}
	}
}

func (s *simd) channelMoments(mean, m2, x []float32, rows, c int) {
	mean, m2, x = mean[:c], m2[:c], x[:rows*c]
	if rows == 0 {
		clear(mean)
		clear(m2)
		return
	}
	var sum, squares, shift [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		clear(squares[:])
		for i, v := range x[first : first+n] {
			shift[i] = float64(v)
		}
		step := reduceRows(c)
		for lo := 0; lo < rows; lo += step {
			s.reduceMoments(&sum, &squares, &shift, x[lo*c+first:], min(step, rows-lo), c, n)
		}
		for i := range n {
			d := sum[i] / float64(rows)
			mean[first+i] = float32(shift[i] + d)
			m2[first+i] = float32(max(0, squares[i]-sum[i]*d))
		}
	}
}

// sumRows is the number of rows of channelChunk floats in one call.
const sumRows = mapChunk / channelChunk

func (s *simd) sum(x []float32) float64 {
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
