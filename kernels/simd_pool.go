//go:build amd64 && !purego

package kernels

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
// width, or a single one. It ends at output r.wo + r.outputs.
func (p *Pool) run(ho, wo int) poolRun {
	r := poolRun{p.window(ho, wo), wo, 1}
	if r.w1-r.w0 == p.S {
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

func (s *simd) maxPoolForward(p *Pool, x, y []float32, lo, hi int) {
	if lo >= hi {
		return
	}
	p.check(x, (hi-1)/p.Ho+1, y, hi)
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
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
	if lo >= hi {
		return
	}
	p.check(x, (hi-1)/p.Ho+1, y, hi)
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
		for wo := 0; wo < p.Wo; {
			r := p.run(ho, wo)
			wo += r.outputs
			at := (row*p.Wo + r.wo) * p.YStride
			if r.empty() {
				clear(y[at : at+p.C])
				continue
			}
			from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
			rows, cols := r.h1-r.h0, r.w1-r.w0
			for c := 0; c < p.C; c += s.lanes {
				s.poolMean(&x[from+c], &y[at+c], float32(rows*cols), r.outputs, min(s.lanes, p.C-c), rows, cols,
					4*p.W*p.XStride, 4*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
			}
		}
	}
}

func (s *simd) maxPoolBackward(p *Pool, x, dy, dx []float32, lo, hi int) {
	if lo >= hi {
		return
	}
	p.check(x, hi, dy, hi*p.Ho)
	checkPixels(dx, hi*p.H*p.W, p.C, p.XStride)
	for image := lo; image < hi; image++ {
		clearPixels(dx[image*p.H*p.W*p.XStride:], p.H*p.W, p.C, p.XStride)
		for ho := range p.Ho {
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
	}
}

func (s *simd) avgPoolBackward(p *Pool, dy, dx []float32, lo, hi int) {
	if lo >= hi {
		return
	}
	p.check(dx, hi, dy, hi*p.Ho)
	for image := lo; image < hi; image++ {
		clearPixels(dx[image*p.H*p.W*p.XStride:], p.H*p.W, p.C, p.XStride)
		for ho := range p.Ho {
			for wo := 0; wo < p.Wo; {
				r := p.run(ho, wo)
				wo += r.outputs
				if r.empty() {
					continue
				}
				at := ((image*p.Ho+ho)*p.Wo + r.wo) * p.YStride
				from := ((image*p.H+r.h0)*p.W + r.w0) * p.XStride
				rows, cols := r.h1-r.h0, r.w1-r.w0
				for c := 0; c < p.C; c += s.lanes {
					s.poolMeanGrad(&dx[from+c], &dy[at+c], float32(rows*cols), r.outputs, min(s.lanes, p.C-c), rows, cols,
						4*p.W*p.XStride, 4*p.XStride, 4*p.StrideW*p.XStride, 4*p.YStride)
				}
			}
		}
	}
}
