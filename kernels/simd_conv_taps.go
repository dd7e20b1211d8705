//go:build amd64 && !purego

package kernels

// Outputs at the borders of an image see fewer taps than those within, so an image is divided into regions of outputs with the same taps.
// In maps about as small as the kernel such regions are a few pixels each, too few for a tile. Then it pays to go
// over the taps one by one instead: over all outputs that have the tap.

// convPart says what the work on a region does at its ends: the forward pass or the input gradient may go over the same
// outputs several times, with some of the taps each.
type convPart struct{ first, bias, relu bool }

const (
	// visitSteps is about how many steps of the reduction a tile could make in the time of one call of it, with the loading and
	// storing of its accumulators.
	visitSteps = 8
	// gradientBytes is how much of the images the gradient of the weights works on at once.
	gradientBytes = 192 << 10
)

// imageBytes is the size of an image with its outputs.
func (e *conv) imageBytes() int {
	return 4 * (e.rows.in*e.cols.in*e.srcChan + e.rows.out*e.cols.out*e.dstChan)
}

// vectors returns how many vectors of output channels a tile has.
func (e *conv) vectors() int { return min(2, (e.dstChan+e.lanes-1)/e.lanes) }

// planGradient decides whether the gradient of the weights goes over the rows of taps one by one. It then works on some images at a
// time, which stay in the second-level cache while all taps pass over them.
func (e *conv) planGradient() {
	runs := e.gradientCost()
	if e.imageBytes() > gradientBytes {
		return
	}
	all := e.batch
	e.byTaps, e.batch = true, max(1, min(all, gradientBytes/max(1, e.imageBytes())))
	if taps := (all + e.batch - 1) / e.batch * e.gradientCost(); 16*taps > 15*runs {
		e.byTaps, e.batch = false, all
	}
}

// gradientCost is about the cycles of the gradient of the weights from the images worked on at once.
func (e *conv) gradientCost() (sum int) {
	rows, cols := e.rows.group(0), e.cols.group(0)
	for i := 0; i < rows.end(e.byTaps); {
		v := rows.part(&e.rows, i, e.byTaps)
		i += rows.step(&v, e.byTaps)
		if v.n > 0 {
			byRuns, byTaps, _ := e.columnCosts(&v, &cols)
			sum += min(byRuns, byTaps)
		}
	}
	return sum
}

// columns works on all columns of a group, for rows in one vertical run.
func (e *conv) columns(v *axisRun, cols *axisGroup, lo, hi int) {
	if e.wholeRows(cols) {
		h := cols.whole()
		e.images(v, &h, lo, hi, true)
		return
	}
	byTaps := e.columnsByTaps(v, cols)
	if !byTaps || e.gradient != nil {
		for i := 0; i < cols.end(byTaps); {
			h := cols.part(&e.cols, i, byTaps)
			i += cols.step(&h, byTaps)
			e.images(v, &h, lo, hi, false)
		}
		return
	}
	// The outputs begin as the bias, perhaps with a tap that all of them have, and end with the ReLU.
	part := e.part
	begin, common := cols.whole(), -1
	begin.taps = 0
	for i := range cols.taps {
		if h := cols.part(&e.cols, i, true); h.n == cols.n {
			begin, common = h, i
			break
		}
	}
	e.part.relu = false
	e.images(v, &begin, lo, hi, false)
	e.part = convPart{}
	for i := range cols.taps {
		if h := cols.part(&e.cols, i, true); i != common {
			e.images(v, &h, lo, hi, false)
		}
	}
	if part.relu {
		end := cols.whole()
		end.taps = 0
		e.part.relu = true
		e.images(v, &end, lo, hi, false)
	}
	e.part = part
}

// columnsByTaps reports whether to go over the columns of taps one by one. It depends on the shape alone, not on the rows that are wanted.
func (e *conv) columnsByTaps(v *axisRun, cols *axisGroup) bool {
	if e.depthwise || cols.taps < 2 || v.taps == 0 || v.n <= 0 {
		return false
	}
	byRuns, byTaps, runs := e.columnCosts(v, cols)
	return runs > 1 && 5*byTaps < 4*byRuns
}

// columnCosts returns about the cycles of the work on the rows of a vertical run, and how many runs their columns are divided into.
func (e *conv) columnCosts(v *axisRun, cols *axisGroup) (byRuns, byTaps, runs int) {
	for i := 0; i < cols.n; runs++ {
		h := cols.run(&e.cols, i)
		i += h.n
		byRuns += e.cost(v, &h)
	}
	for i := range cols.taps {
		if h := cols.tap(&e.cols, i); h.n > 0 {
			byTaps += e.cost(v, &h)
		}
	}
	return byRuns, byTaps, runs
}

// cost is about the cycles of the work on a region of the images worked on at once.
func (e *conv) cost(v, h *axisRun) int {
	if e.gradient != nil {
		if h.taps*e.srcChan == 0 {
			return 0
		}
		strips, channels := h.taps, e.srcChan
		if e.contiguous(h) {
			strips, channels = 1, h.taps*e.srcChan
		}
		pixels := v.n * h.n * e.batch
		return v.taps * strips * e.stripCost(channels, e.vectors()) * (pixels + visitSteps*((pixels+weightsSteps-1)/weightsSteps))
	}
	sides := [3]int{h.n, v.n, e.batch}
	best := 0
	for i, n := range sides {
		if c := h.n * v.n * e.batch / n * e.stripCost(n, e.vectors()); i == 0 || c < best {
			best = c
		}
	}
	return best * (v.taps*h.taps*e.srcChan + visitSteps)
}
