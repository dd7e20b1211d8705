//go:build amd64 && !purego

package kernels

import "math"

// overridePools puts the pooling routines into a table.
func (s *simd) overridePools(t *Table) {
	t.MaxPoolForward, t.MaxPoolBackward = s.maxPoolForward, s.maxPoolBackward
	t.AvgPoolForward, t.AvgPoolBackward = s.avgPoolForward, s.avgPoolBackward
}

// poolRun is some outputs of a row whose windows all have the form of the first.
type poolRun struct {
	window
	wo, outputs int
}

// run returns the run that starts at output wo of row ho: all windows that are whole in
// width and have pixels, or a single one. It ends at output r.wo + r.outputs.
func (p *Pool) run(ho, wo int) poolRun {
	r := poolRun{p.window(ho, wo), wo, 1}
	if r.w1-r.w0 == p.S && !r.empty() {
		r.outputs = min((p.W-p.S+p.PadLeft)/p.StrideW+1, p.Wo) - wo
	}
	return r
}

// checkPixels panics unless x holds c channels of n pixels, stride apart.
func checkPixels(x []float32, n, c, stride int) {
	if n > 0 && c > 0 {
		_ = x[(n-1)*stride+c-1]
	}
}

// check panics where x is too short for so many images, or y for so many rows.
func (p *Pool) check(x []float32, images int, y []float32, rows int) {
	checkPixels(x, images*p.H*p.W, p.C, p.XStride)
	checkPixels(y, rows*p.Wo, p.C, p.YStride)
}

// row returns the call of a row pooling for row ho of the outputs, without pointers, the index of its form, and its first row;
// ok says whether there are routines for it.
func (p *Pool) row(ho int) (call poolRow, form, first int, ok bool) {
	win := p.window(ho, 0)
	f := windowForm{win.h1 - win.h0, p.S, p.StrideW}
	after := max(0, (p.Wo-1)*p.StrideW-p.PadLeft+p.S-p.W)
	rows, cols := float32(win.h1-win.h0), float32(p.S)
	call = poolRow{
		outputs: p.Wo - p.PadLeft - after, before: p.PadLeft, after: after,
		start: -4 * p.PadLeft * p.XStride, rowStep: 4 * p.W * p.XStride, colStep: 4 * p.XStride,
		nextX: 4 * p.StrideW * p.XStride, nextY: 4 * p.YStride,
		scale: 1 / (rows * cols), edge: 1 / (rows * (cols - 1)),
	}
	borders := max(p.PadLeft, after)
	if form = f.index(); p.R != p.S || p.StrideH != p.StrideW {
		form = -1
	}
	ok = form >= 0 && call.outputs >= 0 && (borders == 0 || borders == 1 && f.cols > f.stride)
	return call, form, win.h0, ok
}

// vectors returns the level whose vectors c channels fill best.
func (s *simd) vectors(c int) *simd {
	if c == simdAVX2.lanes {
		return &simdAVX2
	}
	return s
}

// forwardRow runs a row pooling over all channels; at and from are the elements of the first output and of the first
// pixel. The last vector overlaps the one before rather than being cut short.
func (s *simd) forwardRow(kind, form int, call *poolRow, x, y []float32, from, at, channels int) {
	s = s.vectors(channels)
	call.tail = min(s.lanes, channels)
	for c := 0; c < channels; c += s.lanes {
		start := min(c, channels-call.tail)
		call.x, call.y = &x[from+start], &y[at+start]
		s.poolRow(kind, form, call)
	}
}

// backwardRow is forwardRow for a gradient; its vectors must not overlap.
func (s *simd) backwardRow(kind, form int, call *poolRow, x, dx, y []float32, from, at, channels int) {
	s = s.vectors(channels)
	for c := 0; c < channels; c += s.lanes {
		call.tail = min(s.lanes, channels-c)
		call.x, call.dx, call.y = &x[from+c], &dx[from+c], &y[at+c]
		s.poolRow(kind, form, call)
	}
}

// nanRows finds NaN in the rows of images, each row once if asked in ascending order. Row
// poolings of maxima work on numbers alone.
type nanRows struct {
	next int // the first row that was not looked at
	last int // the last row that has NaN
}

// in reports whether there is NaN in rows lo to hi of all N*H.
func (n *nanRows) in(s *simd, p *Pool, x []float32, lo, hi int) bool {
	for n.next = max(n.next, lo); n.next < hi; n.next++ {
		if s.rowHasNaN(p, x[n.next*p.W*p.XStride:]) {
			n.last = n.next
		}
	}
	return n.last >= lo
}

func (s *simd) rowHasNaN(p *Pool, x []float32) bool {
	if p.XStride == p.C {
		return s.findNaN(&x[0], p.W*p.C) != 0
	}
	for w := range p.W {
		if s.findNaN(&x[w*p.XStride], p.C) != 0 {
			return true
		}
	}
	return false
}

func (s *simd) findNaN(x *float32, n int) int {
	if s.level == AVX512 {
		return findNaNAVX512(x, n)
	}
	return findNaNAVX2(x, n)
}

func (s *simd) maxPoolForward(p *Pool, x, y []float32, lo, hi int) {
	if p.forwardEmpty(y, lo, hi) {
		return
	}
	p.check(x, (hi-1)/p.Ho+1, y, hi)
	nan := nanRows{last: -1}
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
		call, form, first, ok := p.row(ho)
		if top := image*p.H + first; ok && !nan.in(s, p, x, top, image*p.H+p.window(ho, 0).h1) {
			call.none = float32(math.Inf(-1))
			s.forwardRow(poolRowMax, form, &call, x, y, (image*p.H+first)*p.W*p.XStride, row*p.Wo*p.YStride, p.C)
			continue
		}
		for wo := 0; wo < p.Wo; {
			r := p.run(ho, wo)
			wo += r.outputs
			at := (row*p.Wo + r.wo) * p.YStride
			if r.empty() {
				clear(y[at : at+p.C])
				continue
			}
			from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
			for c := 0; c < p.C; c += s.lanes {
				s.poolMax(&x[from+c], &y[at+c], r.outputs, min(s.lanes, p.C-c), r.h1-r.h0, r.w1-r.w0,
					4*p.W*p.XStride, 4*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
			}
		}
	}
}

func (s *simd) avgPoolForward(p *Pool, x, y []float32, lo, hi int) {
	if p.forwardEmpty(y, lo, hi) {
		return
	}
	p.check(x, (hi-1)/p.Ho+1, y, hi)
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
		if call, form, first, ok := p.row(ho); ok {
			s.forwardRow(poolRowMean, form, &call, x, y, (image*p.H+first)*p.W*p.XStride, row*p.Wo*p.YStride, p.C)
			continue
		}
		for wo := 0; wo < p.Wo; {
			r := p.run(ho, wo)
			wo += r.outputs
			at := (row*p.Wo + r.wo) * p.YStride
			if r.empty() {
				clear(y[at : at+p.C])
				continue
			}
			from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
			for c := 0; c < p.C; c += s.lanes {
				// The routine adds up its rows first, so they are the columns here.
				s.poolMean(&x[from+c], &y[at+c], r.share(), r.outputs, min(s.lanes, p.C-c), r.w1-r.w0, r.h1-r.h0,
					4*p.XStride, 4*p.W*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
			}
		}
	}
}

// clearRows zeroes rows from to to of an image of gradients.
func (p *Pool) clearRows(dx []float32, from, to int) {
	if from < to {
		clearPixels(dx[from*p.W*p.XStride:], (to-from)*p.W, p.C, p.XStride)
	}
}

// prepareRow zeroes what output row ho adds to in an image of gradients and what is not covered: rows from cleared on,
// but those that a routine overwrites. It returns the first row that is not prepared.
func (p *Pool) prepareRow(dx []float32, ho, cleared, fresh int) int {
	bottom := p.window(ho, 0).h1
	p.clearRows(dx, cleared, bottom-fresh)
	covered := (p.Wo-1)*p.StrideW - p.PadLeft + p.S
	for h := max(cleared, bottom-fresh); h < bottom && covered < p.W; h++ {
		clearPixels(dx[(h*p.W+covered)*p.XStride:], p.W-covered, p.C, p.XStride)
	}
	return max(cleared, bottom)
}

func (s *simd) maxPoolBackward(p *Pool, x, dy, dx []float32, lo, hi int) {
	if p.backwardEmpty(dx, lo, hi) {
		return
	}
	p.check(x, hi, dy, hi*p.Ho)
	checkPixels(dx, hi*p.H*p.W, p.C, p.XStride)
	nan := nanRows{last: -1}
	for image := lo; image < hi; image++ {
		pixels, cleared := image*p.H*p.W*p.XStride, 0
		for ho := range p.Ho {
			call, form, first, ok := p.row(ho)
			if top := image*p.H + first; ok && !nan.in(s, p, x, top, image*p.H+p.window(ho, 0).h1) {
				cleared = p.prepareRow(dx[pixels:], ho, cleared, freshRows[form])
				s.backwardRow(poolRowMaxGrad, form, &call, x, dx, dy, pixels+first*p.W*p.XStride, (image*p.Ho+ho)*p.Wo*p.YStride, p.C)
				continue
			}
			cleared = p.prepareRow(dx[pixels:], ho, cleared, 0)
			for wo := 0; wo < p.Wo; {
				r := p.run(ho, wo)
				wo += r.outputs
				if r.empty() {
					continue
				}
				at := ((image*p.Ho+ho)*p.Wo + r.wo) * p.YStride
				from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
				for c := 0; c < p.C; c += s.lanes {
					s.poolMaxGrad(&x[from+c], &dx[from+c], &dy[at+c], r.outputs, min(s.lanes, p.C-c), r.h1-r.h0, r.w1-r.w0,
						4*p.W*p.XStride, 4*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
				}
			}
		}
		p.clearRows(dx[pixels:], cleared, p.H)
	}
}

func (s *simd) avgPoolBackward(p *Pool, dy, dx []float32, lo, hi int) {
	if p.backwardEmpty(dx, lo, hi) {
		return
	}
	p.check(dx, hi, dy, hi*p.Ho)
	for image := lo; image < hi; image++ {
		pixels, cleared := image*p.H*p.W*p.XStride, 0
		for ho := range p.Ho {
			if call, form, first, ok := p.row(ho); ok {
				cleared = p.prepareRow(dx[pixels:], ho, cleared, freshRows[form])
				s.backwardRow(poolRowMeanGrad, form, &call, dx, dx, dy, pixels+first*p.W*p.XStride, (image*p.Ho+ho)*p.Wo*p.YStride, p.C)
				continue
			}
			cleared = p.prepareRow(dx[pixels:], ho, cleared, 0)
			for wo := 0; wo < p.Wo; {
				r := p.run(ho, wo)
				wo += r.outputs
				if r.empty() {
					continue
				}
				at := ((image*p.Ho+ho)*p.Wo + r.wo) * p.YStride
				from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
				for c := 0; c < p.C; c += s.lanes {
					s.poolMeanGrad(&dx[from+c], &dy[at+c], r.share(), r.outputs, min(s.lanes, p.C-c), r.h1-r.h0, r.w1-r.w0,
						4*p.W*p.XStride, 4*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
				}
			}
		}
		p.clearRows(dx[pixels:], cleared, p.H)
	}
}
