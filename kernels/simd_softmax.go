//go:build amd64 && !purego

package kernels

import "math"

// rowBlock is the number of rows whose maxima and sums are kept on the stack.
const rowBlock = 64

// overrideRows puts the softmax family into a table.
func (s *simd) overrideRows(t *Table) {
	t.Softmax, t.SoftmaxGrad = s.softmax, s.softmaxGrad
	t.LogSoftmax, t.LogSoftmaxGrad = s.logSoftmax, s.logSoftmaxGrad
	t.CrossEntropy, t.CrossEntropyGrad = s.crossEntropy, s.crossEntropyGrad
}

// splitRow splits a row into whole vectors and the elements of the last one.
func (s *simd) splitRow(c int) (whole, tail int) { return c / s.lanes, c % s.lanes }

// rowsAtOnce returns the rows of c floats to take at once: not longer than the scheduler should wait.
func rowsAtOnce(c int) int { return max(1, mapChunk/16/c) }

// rowsOfBlock are as many of those as have room on the stack; they stay in the first-level cache between two passes.
func rowsOfBlock(c int) int { return min(rowBlock, max(1, 4096/c)) }

// groupColumns is the most columns of rows that are taken in groups: those of a group stay in the first-level cache.
const groupColumns = 512

// expRows is rowsExp, which takes rows in groups where that gives the same bits.
func (s *simd) expRows(y, x []float32, maximum []float32, sum []float64, rows, c int) {
	whole, tail := s.splitRow(c)
	for r := 0; r < rows; {
		n := rows - r
		if groups := n / groupRows; groups > 0 && c <= groupColumns {
			if done := groups - s.rowsExpGroups(&y[r*c], &x[r*c], &maximum[r], &sum[r], groups, whole, tail); done > 0 {
				r += done * groupRows
				continue
			}
			n = groupRows
		}
		s.rowsExp(&y[r*c], &x[r*c], &maximum[r], &sum[r], n, whole, tail)
		r += n
	}
}

// groupFloats is how many exponentials are kept whose sums alone are wanted.
const groupFloats = 1024

// expSums is expRows for rows whose exponentials are not wanted.
func (s *simd) expSums(x []float32, maximum []float32, sum []float64, rows, c int) {
	step := groupFloats / c
	if step < groupRows || rows < groupRows {
		whole, tail := s.splitRow(c)
		s.rowsExpSum(&x[0], &maximum[0], &sum[0], rows, whole, tail)
		return
	}
	var y [groupFloats]float32
	for lo := 0; lo < rows; lo += step {
		s.expRows(y[:], x[lo*c:], maximum[lo:], sum[lo:], min(step, rows-lo), c)
	}
}

func (s *simd) softmax(y, x []float32, rows, c int) {
	y, x = y[:rows*c], x[:rows*c]
	if len(y) == 0 {
		return
	}
	whole, tail := s.splitRow(c)
	var maximum [rowBlock]float32
	var sum [rowBlock]float64
	for r := 0; r < rows; {
		n := min(rows-r, rowsAtOnce(c))
		if groups := min(n, rowBlock) / groupRows; groups > 0 && c <= groupColumns {
			if done := groups - s.rowsSoftmaxGroups(&y[r*c], &x[r*c], &maximum[0], &sum[0], groups, whole, tail); done > 0 {
				r += done * groupRows
				continue
			}
			n = groupRows
		}
		s.rowsSoftmax(&y[r*c], &x[r*c], n, whole, tail)
		r += n
	}
}

func (s *simd) softmaxGrad(dx, dy, y []float32, rows, c int) {
	dx, dy, y = dx[:rows*c], dy[:rows*c], y[:rows*c]
	whole, tail := s.splitRow(c)
	for at, step := 0, c*rowsAtOnce(max(c, 1)); at < len(y); at += step {
		s.rowsSoftmaxGrad(&dx[at], &dy[at], &y[at], min(step, len(y)-at)/c, whole, tail)
	}
}

func (s *simd) logSoftmaxGrad(dx, dy, y []float32, rows, c int) {
	dx, dy, y = dx[:rows*c], dy[:rows*c], y[:rows*c]
	whole, tail := s.splitRow(c)
	for at, step := 0, c*rowsAtOnce(max(c, 1)); at < len(y); at += step {
		s.rowsLogSoftmaxGrad(&dx[at], &dy[at], &y[at], min(step, len(y)-at)/c, whole, tail)
	}
}

func (s *simd) logSoftmax(y, x []float32, rows, c int) {
	y, x = y[:rows*c], x[:rows*c]
	if len(y) == 0 {
		return
	}
	whole, tail := s.splitRow(c)
	var maximum, log [rowBlock]float32
	var sum [rowBlock]float64
	step := rowsOfBlock(c)
	for lo := 0; lo < rows; lo += step {
		n, at := min(step, rows-lo), lo*c
		s.expSums(x[at:], maximum[:], sum[:], n, c)
		for r, v := range sum[:n] {
			log[r] = float32(math.Log(v))
		}
		s.rowsShift(&y[at], &x[at], &maximum[0], &log[0], n, whole, tail)
	}
}

// crossEntropy has the mean of a row from its sum in float64, so that nothing is lost to cancellation with the maximum.
func (s *simd) crossEntropy(loss, logits, labels []float32, smoothing float32, rows, c int) {
	loss, labels, logits = loss[:rows], labels[:rows], logits[:rows*c]
	if len(logits) == 0 {
		return
	}
	var maximum [rowBlock]float32
	var sum [rowBlock]float64
	step := rowsOfBlock(c)
	for lo := 0; lo < rows; lo += step {
		n := min(step, rows-lo)
		s.expSums(logits[lo*c:], maximum[:], sum[:], n, c)
		for r := range n {
			x := logits[(lo+r)*c : (lo+r+1)*c]
			m, weight := float64(maximum[r]), float64(smoothing)
			l := math.Log(sum[r]) - (1-weight)*(float64(x[int(labels[lo+r])])-m)
			if weight != 0 {
				l -= weight * (s.sum(x)/float64(c) - m)
			}
			loss[lo+r] = float32(l)
		}
	}
}

// crossEntropyGrad computes the element of the label, where numbers of about the same size are subtracted, in float64.
func (s *simd) crossEntropyGrad(dx, logits, labels []float32, smoothing, scale float32, rows, c int) {
	labels, dx, logits = labels[:rows], dx[:rows*c], logits[:rows*c]
	if len(dx) == 0 {
		return
	}
	whole, tail := s.splitRow(c)
	var maximum, factor, base, label [rowBlock]float32
	var sum [rowBlock]float64
	every := float64(smoothing) / float64(c)
	step := rowsOfBlock(c)
	for lo := 0; lo < rows; lo += step {
		n := min(step, rows-lo)
		block := dx[lo*c : (lo+n)*c]
		s.expRows(block, logits[lo*c:], maximum[:], sum[:], n, c)
		for r := range n {
			p := float64(block[r*c : (r+1)*c][int(labels[lo+r])]) / sum[r]
			label[r] = float32(float64(scale) * (p - every - (1 - float64(smoothing))))
			factor[r] = float32(float64(scale) / sum[r])
			base[r] = float32(float64(scale) * every)
		}
		s.rowsScale(&block[0], &block[0], &factor[0], &base[0], n, whole, tail)
		for r := range n {
			block[r*c+int(labels[lo+r])] = label[r]
		}
	}
}
