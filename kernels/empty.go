package kernels

// Dimensions may be zero. What such a convolution or pooling leaves is done here for all levels, so that the routines may divide by dimensions and take the address
// of a first element.

// forwardEmpty computes rows lo..hi of y and reports true if no product enters them: y is then bias and residual.
func (g *Conv) forwardEmpty(bias, residual, y []float32, lo, hi int) bool {
	if lo >= hi || g.Wo == 0 || g.K == 0 {
		return true
	}
	if g.H != 0 && g.W != 0 && g.C != 0 {
		return false
	}
	for pixel := lo * g.Wo; pixel < hi*g.Wo; pixel++ {
		to := y[pixel*g.YStride:][:g.K]
		if residual == nil {
			clear(to)
		} else {
			copy(to, residual[pixel*g.RStride:][:g.K])
		}
		if bias != nil {
			genericAdd(to, to, bias)
		}
		if g.ReLU {
			genericReLU(to, to)
		}
	}
	return true
}

// backwardDataEmpty clears rows lo..hi of dx and reports true if no output reads them.
func (g *Conv) backwardDataEmpty(dx []float32, lo, hi int) bool {
	if lo >= hi || g.W == 0 || g.C == 0 {
		return true
	}
	if g.Ho != 0 && g.Wo != 0 && g.K != 0 {
		return false
	}
	clearPixels(dx[lo*g.W*g.XStride:], (hi-lo)*g.W, g.C, g.XStride)
	return true
}

// backwardWeightsEmpty reports whether rows lo..hi of dy add nothing to any weight.
func (g *Conv) backwardWeightsEmpty(lo, hi int) bool {
	return lo >= hi || g.Wo == 0 || g.K == 0 || g.H == 0 || g.W == 0 || g.C == 0
}

// forwardEmpty clears rows lo..hi of y and reports true if their windows have no pixels.
func (p *Pool) forwardEmpty(y []float32, lo, hi int) bool {
	if lo >= hi || p.Wo == 0 || p.C == 0 {
		return true
	}
	if p.H != 0 && p.W != 0 {
		return false
	}
	clearPixels(y[lo*p.Wo*p.YStride:], (hi-lo)*p.Wo, p.C, p.YStride)
	return true
}

// backwardEmpty clears images lo..hi of dx and reports true if no window reads them.
func (p *Pool) backwardEmpty(dx []float32, lo, hi int) bool {
	size := p.H * p.W
	if lo >= hi || size == 0 || p.C == 0 {
		return true
	}
	if p.Ho != 0 && p.Wo != 0 {
		return false
	}
	clearPixels(dx[lo*size*p.XStride:], (hi-lo)*size, p.C, p.XStride)
	return true
}
