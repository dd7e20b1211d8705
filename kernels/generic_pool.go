package kernels

import "math"

// poolChunk is how many channels a pooling routine keeps on the stack.
const poolChunk = 64

// window is the part of a pooling window that lies inside the image.
type window struct{ h0, h1, w0, w1 int }

func (p *Pool) window(ho, wo int) window {
	h, w := ho*p.StrideH-p.PadTop, wo*p.StrideW-p.PadLeft
	return window{max(h, 0), min(h+p.R, p.H), max(w, 0), min(w+p.S, p.W)}
}

func (w window) empty() bool { return w.h0 >= w.h1 || w.w0 >= w.w1 }

// share is the weight of a pixel in the window's mean.
func (w window) share() float32 { return 1 / float32((w.h1-w.h0)*(w.w1-w.w0)) }

// rank returns an integer that orders a pixel's value as the maximum does: by value,
// NaN above all, both zeros alike, and of equal values the earlier pixel first.
// Comparing integers takes no branch.
func rank(v float32, pixel int) int64 {
	k := int32(math.Float32bits(v + 0)) // -0 + 0 is 0
	k ^= k >> 31 & math.MaxInt32
	if v != v {
		k = math.MaxInt32
	}
	return int64(k)<<32 | int64(^uint32(pixel))
}

func genericMaxPoolForward(p *Pool, x, y []float32, lo, hi int) {
	if p.forwardEmpty(y, lo, hi) {
		return
	}
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
		for wo := range p.Wo {
			win := p.window(ho, wo)
			out := y[(row*p.Wo+wo)*p.YStride:][:p.C]
			if win.empty() {
				clear(out)
				continue
			}
			first := ((image*p.H+win.h0)*p.W + win.w0) * p.XStride
			copy(out, x[first:first+p.C])
			for h := win.h0; h < win.h1; h++ {
				for w := win.w0; w < win.w1; w++ {
					in := x[((image*p.H+h)*p.W+w)*p.XStride:][:len(out)]
					for i, v := range in {
						out[i] = max(out[i], v) // NaN if either is
					}
				}
			}
		}
	}
}

func genericMaxPoolBackward(p *Pool, x, dy, dx []float32, lo, hi int) {
	if p.backwardEmpty(dx, lo, hi) {
		return
	}
	var best [poolChunk]int64
	for image := lo; image < hi; image++ {
		clearPixels(dx[image*p.H*p.W*p.XStride:], p.H*p.W, p.C, p.XStride)
		for ho := range p.Ho {
			for wo := range p.Wo {
				win := p.window(ho, wo)
				if win.empty() {
					continue
				}
				grad := dy[((image*p.Ho+ho)*p.Wo+wo)*p.YStride:][:p.C]
				for c := 0; c < p.C; c += poolChunk {
					base := image*p.H*p.W*p.XStride + c
					top := best[:min(poolChunk, p.C-c)]
					for i := range top {
						top[i] = math.MinInt64
					}
					for h := win.h0; h < win.h1; h++ {
						for w := win.w0; w < win.w1; w++ {
							pixel := h*p.W + w
							for i, v := range x[base+pixel*p.XStride:][:len(top)] {
								top[i] = max(top[i], rank(v, pixel))
							}
						}
					}
					for i, g := range grad[c : c+len(top)] {
						dx[base+int(^uint32(top[i]))*p.XStride+i] += g
					}
				}
			}
		}
	}
}

// genericAvgPoolForward adds up each column of a window, and then the columns.
func genericAvgPoolForward(p *Pool, x, y []float32, lo, hi int) {
	if p.forwardEmpty(y, lo, hi) {
		return
	}
	var column [poolChunk]float32
	for row := lo; row < hi; row++ {
		image, ho := row/p.Ho, row%p.Ho
		for wo := range p.Wo {
			win := p.window(ho, wo)
			out := y[(row*p.Wo+wo)*p.YStride:][:p.C]
			clear(out)
			if win.empty() {
				continue
			}
			scale := win.share()
			for c := 0; c < p.C; c += poolChunk {
				sum := out[c:min(c+poolChunk, p.C)]
				for w := win.w0; w < win.w1; w++ {
					clear(column[:len(sum)])
					for h := win.h0; h < win.h1; h++ {
						for i, v := range x[((image*p.H+h)*p.W+w)*p.XStride+c:][:len(sum)] {
							column[i&(poolChunk-1)] += v
						}
					}
					for i := range sum {
						sum[i] += column[i&(poolChunk-1)]
					}
				}
				for i := range sum {
					sum[i] *= scale
				}
			}
		}
	}
}

func genericAvgPoolBackward(p *Pool, dy, dx []float32, lo, hi int) {
	if p.backwardEmpty(dx, lo, hi) {
		return
	}
	var share [poolChunk]float32
	for image := lo; image < hi; image++ {
		clearPixels(dx[image*p.H*p.W*p.XStride:], p.H*p.W, p.C, p.XStride)
		for ho := range p.Ho {
			for wo := range p.Wo {
				win := p.window(ho, wo)
				if win.empty() {
					continue
				}
				grad := dy[((image*p.Ho+ho)*p.Wo+wo)*p.YStride:][:p.C]
				scale := win.share()
				for c := 0; c < p.C; c += poolChunk {
					n := min(poolChunk, p.C-c)
					for i, g := range grad[c : c+n] {
						share[i] = g * scale
					}
					for h := win.h0; h < win.h1; h++ {
						for w := win.w0; w < win.w1; w++ {
							to := dx[((image*p.H+h)*p.W+w)*p.XStride+c:][:n]
							for i := range to {
								to[i] += share[i&(poolChunk-1)]
							}
						}
					}
				}
			}
		}
	}
}

// clearPixels zeroes the c channels of n pixels.
func clearPixels(x []float32, n, c, stride int) {
	if n == 0 {
		return
	}
	if c == stride {
		clear(x[:n*c])
		return
	}
	for i := range n {
		clear(x[i*stride:][:c])
	}
}
