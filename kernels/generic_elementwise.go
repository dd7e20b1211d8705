package kernels

import "github.com/nasbench-go/nasbench/internal/stream"

func genericAdd(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

func genericSub(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] = v - b[i]
	}
}

func genericMul(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

func genericDiv(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i, v := range a {
		dst[i] = v / b[i]
	}
}

func genericAxpy(dst, x []float32, alpha float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += alpha * v
	}
}

func genericScal(dst, x []float32, alpha float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = alpha * v
	}
}

func genericLerp(dst, x []float32, t float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += t * (v - dst[i])
	}
}

// genericWSum sums in pieces on the stack, so that dst may be any of the inputs.
func genericWSum(dst []float32, xs [][]float32, w []float32) {
	var piece [256]float32
	w = w[:len(xs)]
	for lo := 0; lo < len(dst); lo += len(piece) {
		out := dst[lo:min(lo+len(piece), len(dst))]
		acc := piece[:len(out)]
		clear(acc)
		for j, x := range xs {
			weight := w[j]
			for i, v := range x[lo:][:len(acc)] {
				acc[i] += weight * v
			}
		}
		copy(out, acc)
	}
}

// golden is the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// maskLimit returns the number that the upper 24 bits of kept elements are below.
func maskLimit(keep float32) uint64 { return uint64(max(0, min(float64(keep), 1)) * (1 << 24)) }

// genericMask draws 24 bits per element from SplitMix64 in counter mode: the state
// after i steps from a mixed key, finished by Mix.
func genericMask(dst, x []float32, key uint64, first int, keep float32) {
	state := stream.Mix(key) + uint64(first)*golden
	limit := maskLimit(keep)
	for i, v := range x[:len(dst)] {
		if stream.Mix(state)>>40 < limit {
			dst[i] = v / keep
		} else {
			dst[i] = 0
		}
		state += golden
	}
}

// genericBytes rounds the product and the sum, so that all levels give the same bits.
func genericBytes(dst []float32, src []byte, scale, shift []float32, c int) {
	scale, shift = scale[:c], shift[:c]
	src = src[:len(dst)]
	for lo := 0; lo < len(src); lo += c {
		hi := min(lo+c, len(src))
		out := dst[lo:hi]
		for i, b := range src[lo:hi] {
			out[i] = float32(float32(b)*scale[i]) + shift[i]
		}
	}
}

func genericCopyRows(dst []float32, to int, src []float32, from, rows, c int) {
	for r := range rows {
		copy(dst[r*to:][:c], src[r*from:][:c])
	}
}
