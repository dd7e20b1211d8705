//go:build amd64 && !purego

package kernels

// mapChunk is the largest number of floats that one call of an assembly routine
// passes over: the scheduler cannot stop a goroutine within such a call.
const mapChunk = 1 << 16

// overrideMaps puts the element-wise routines, the maps of channels and the optimisers
// into a table.
func (s *simd) overrideMaps(t *Table) {
	t.Add, t.Sub, t.Mul, t.Div = s.add, s.sub, s.mul, s.div
	t.Axpy, t.Scal, t.Lerp, t.WSum = s.axpy, s.scal, s.lerp, s.weightedSum
	t.Activate[ReLU], t.ActivateGrad[ReLU] = s.relu, s.reluGrad
	t.Activate[ReLU6], t.ActivateGrad[ReLU6] = s.relu6, s.relu6Grad
	t.Activate[HardSwish], t.ActivateGrad[HardSwish] = s.hardSwish, s.hardSwishGrad
	t.Normalize, t.ChannelCombine, t.AddRow = s.normalize, s.channelCombine, s.addRow
	t.NormalizeReLU, t.NormalizeAdd, t.NormalizeAddReLU = s.normalizeReLU, s.normalizeAdd, s.normalizeAddReLU
	t.ChannelCombineReLU = s.channelCombineReLU
	t.SGD, t.AdamW = s.sgd, s.adamW
}

func (s *simd) add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapAdd(&dst[i], &a[i], &b[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) sub(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapSub(&dst[i], &a[i], &b[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) mul(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapMul(&dst[i], &a[i], &b[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) div(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapDiv(&dst[i], &a[i], &b[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) axpy(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapAxpy(&dst[i], &x[i], alpha, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) scal(dst, x []float32, alpha float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapScal(&dst[i], &x[i], alpha, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) lerp(dst, x []float32, t float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapLerp(&dst[i], &x[i], t, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) weightedSum(dst []float32, xs [][]float32, w []float32) {
	if len(xs) == 0 {
		clear(dst)
		return
	}
	w = w[:len(xs)]
	for _, x := range xs {
		_ = x[:len(dst)]
	}
	chunk := max(mapChunk/len(xs), 64)
	for i := 0; i < len(dst); i += chunk {
		s.mapWeighted(&dst[0], &xs[0], &w[0], len(xs), i, min(chunk, len(dst)-i))
	}
}

func (s *simd) relu(dst, x []float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapRelu(&dst[i], &x[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) reluGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapReluGrad(&dst[i], &dy[i], &x[i], min(mapChunk, len(dst)-i))
	}
}

func (s *simd) relu6(dst, x []float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapClamp(&dst[i], &x[i], 6, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) relu6Grad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapClampGrad(&dst[i], &dy[i], &x[i], 6, min(mapChunk, len(dst)-i))
	}
}

// belowThree is the greatest float32 below 3.
const belowThree = 3 - 0x1p-22

func (s *simd) hardSwish(dst, x []float32) {
	x = x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapHardSwish(&dst[i], &x[i], -3, belowThree, 3, 6, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) hardSwishGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i := 0; i < len(dst); i += mapChunk {
		s.mapHardSwishGrad(&dst[i], &dy[i], &x[i], -3, belowThree, 3, 6, min(mapChunk, len(dst)-i))
	}
}

func (s *simd) sgd(w, grad, velocity []float32, p *SGDStep) {
	grad, velocity = grad[:len(w)], velocity[:len(w)]
	for i := 0; i < len(w); i += mapChunk {
		n := min(mapChunk, len(w)-i)
		if p.Nesterov {
			s.mapSgdNesterov(&w[i], &grad[i], &velocity[i], p.LR, p.Momentum, p.WeightDecay, p.GradScale, n)
		} else {
			s.mapSgd(&w[i], &grad[i], &velocity[i], p.LR, p.Momentum, p.WeightDecay, p.GradScale, n)
		}
	}
}

func (s *simd) adamW(w, grad, m, v []float32, p *AdamWStep) {
	grad, m, v = grad[:len(w)], m[:len(w)], v[:len(w)]
	for i := 0; i < len(w); i += mapChunk {
		s.mapAdamW(&w[i], &grad[i], &m[i], &v[i], p.LR, p.Beta1, 1-p.Beta1, p.Beta2, 1-p.Beta2, p.Eps,
			p.WeightDecay, p.GradScale, p.Correct1, p.Correct2, min(mapChunk, len(w)-i))
	}
}
