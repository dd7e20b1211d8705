//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// mapChunk is the largest number of floats that one call of an assembly routine
// passes over: the scheduler cannot stop a goroutine within such a call.
const mapChunk = 1 << 16

// cacheFloats returns the size of the last cache.
func cacheFloats() int { return max(cpuid.CPU.Cache.L3, cpuid.CPU.Cache.L2, 1<<20) / 4 }

// start says how a map begins: at i = 0 with n elements, and whether it stores past the caches. It does when the
// arrays do not fit the last cache together, where a store would first fetch what it overwrites;
// but not over an input, which was fetched anyway. The first n elements then end where a cache line does, as such stores must
// begin there.
func (s *simd) start(dst []float32, inputs ...[]float32) (i, n, past int) {
	if len(dst)*(1+len(inputs)) <= s.lastCache {
		return 0, min(mapChunk, len(dst)), 0
	}
	for _, x := range inputs {
		if &x[0] == &dst[0] {
			return 0, min(mapChunk, len(dst)), 0
		}
	}
	if n := int(-uintptr(unsafe.Pointer(&dst[0])) / 4 % 16); n > 0 {
		return 0, min(n, len(dst)), 1
	}
	return 0, min(mapChunk, len(dst)), 1
}

// overrideMaps puts the element-wise routines, the maps of channels and the optimisers
// into a table.
func (s *simd) overrideMaps(t *Table) {
	t.Add, t.Sub, t.Mul, t.Div = s.add, s.sub, s.mul, s.div
	t.Axpy, t.Scal, t.Lerp, t.WSum = s.axpy, s.scal, s.lerp, s.weightedSum
	t.Activate[ReLU], t.ActivateGrad[ReLU] = s.relu, s.reluGrad
	t.Activate[ReLU6], t.ActivateGrad[ReLU6] = s.relu6, s.relu6Grad
	t.Activate[HardSwish], t.ActivateGrad[HardSwish] = s.hardSwish, s.hardSwishGrad
	t.Activate[Exp], t.ActivateGrad[Exp] = s.exp, s.expGrad
	t.Activate[Sigmoid], t.ActivateGrad[Sigmoid] = s.sigmoid, s.sigmoidGrad
	t.Activate[SiLU], t.ActivateGrad[SiLU] = s.silu, s.siluGrad
	t.Normalize, t.ChannelCombine, t.AddRow = s.normalize, s.channelCombine, s.addRow
	t.NormalizeReLU, t.NormalizeAdd, t.NormalizeAddReLU = s.normalizeReLU, s.normalizeAdd, s.normalizeAddReLU
	t.ChannelCombineReLU, t.NormalizeRows = s.channelCombineReLU, s.normalizeRows
	t.Mask, t.Bytes = s.mask, s.bytes
	t.SGD, t.AdamW = s.sgd, s.adamW
}

func (s *simd) add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, n, past := s.start(dst, a, b); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapAdd(&dst[i], &a[i], &b[i], past, n)
	}
}

func (s *simd) sub(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, n, past := s.start(dst, a, b); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapSub(&dst[i], &a[i], &b[i], past, n)
	}
}

func (s *simd) mul(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, n, past := s.start(dst, a, b); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapMul(&dst[i], &a[i], &b[i], past, n)
	}
}

func (s *simd) div(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, n, past := s.start(dst, a, b); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapDiv(&dst[i], &a[i], &b[i], past, n)
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
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapScal(&dst[i], &x[i], alpha, past, n)
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
	chunk := max(mapChunk/len(xs)&^15, 64)
	for i, n, past := s.start(dst, xs...); i < len(dst); i, n = i+n, min(chunk, len(dst)-i-n) {
		n = min(chunk, n)
		s.mapWeighted(&dst[0], &xs[0], &w[0], len(xs), i, past, n)
	}
}

func (s *simd) relu(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapRelu(&dst[i], &x[i], past, n)
	}
}

func (s *simd) reluGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapReluGrad(&dst[i], &dy[i], &x[i], past, n)
	}
}

func (s *simd) relu6(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapClamp(&dst[i], &x[i], 6, past, n)
	}
}

func (s *simd) relu6Grad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapClampGrad(&dst[i], &dy[i], &x[i], 6, past, n)
	}
}

// belowThree is the greatest float32 below 3.
const belowThree = 3 - 0x1p-22

func (s *simd) hardSwish(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapHardSwish(&dst[i], &x[i], -3, belowThree, 3, 6, past, n)
	}
}

func (s *simd) hardSwishGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapHardSwishGrad(&dst[i], &dy[i], &x[i], -3, belowThree, 3, 6, past, n)
	}
}

func (s *simd) exp(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapExp(&dst[i], &x[i], past, n)
	}
}

func (s *simd) expGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapExpGrad(&dst[i], &dy[i], &x[i], past, n)
	}
}

func (s *simd) sigmoid(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapSigmoid(&dst[i], &x[i], past, n)
	}
}

func (s *simd) sigmoidGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapSigmoidGrad(&dst[i], &dy[i], &x[i], past, n)
	}
}

func (s *simd) silu(dst, x []float32) {
	x = x[:len(dst)]
	for i, n, past := s.start(dst, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapSilu(&dst[i], &x[i], past, n)
	}
}

func (s *simd) siluGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, n, past := s.start(dst, dy, x); i < len(dst); i, n = i+n, min(mapChunk, len(dst)-i-n) {
		s.mapSiluGrad(&dst[i], &dy[i], &x[i], past, n)
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
