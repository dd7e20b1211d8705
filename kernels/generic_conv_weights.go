package kernels

// weightsPixels is about how many output pixels are reduced at once in the gradient
// of the weights: long enough to hide the loading and storing of the accumulators,
// short enough for the transposed inputs to stay in cache.
const weightsPixels = 256

// weightsRows returns how many output rows of one image are reduced at once.
func weightsRows(g *Conv) int { return max(1, min(weightsPixels/max(g.Wo, 1), g.Ho)) }

// weightsSlots returns how many transposed input rows one block of output rows may
// touch: for each phase of the stride a run of rows.
func weightsSlots(g *Conv) (perPhase, total int) {
	perPhase = weightsRows(g) + (g.R-1)*g.DilationH/g.StrideH
	return perPhase, perPhase * min(g.StrideH, (g.R-1)*g.DilationH+1)
}

func convWeightsScratch(g *Conv) int {
	_, slots := weightsSlots(g)
	return g.Wo * (roundUp(g.K/g.Groups)*weightsRows(g) + g.C/g.Groups*slots)
}

// genericConvBackwardWeights works on blocks of output rows of one image. For each
// column of the kernel it packs the output gradients of the pixels for which that
// column falls inside the image, and lays the input pixels that it reads out by channel, so
// that pixels become the reduction index of the tile. The rows of the kernel share both.
func genericConvBackwardWeights(g *Conv, x, dy, dw, scratch []float32, lo, hi int) {
	if g.backwardWeightsEmpty(lo, hi) {
		return
	}
	if genericIsDepthwise(g) {
		depthwiseBackwardWeights(g, x, dy, dw, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	for lo < hi {
		image, first := lo/g.Ho, lo%g.Ho
		last := min(first+weightsRows(g), g.Ho, first+hi-lo)
		in := x[image*g.H*g.W*g.XStride:]
		out := dy[(image*g.Ho+first)*g.Wo*g.YStride:]
		for group := range g.Groups {
			for s := range g.S {
				weightsBlock(g, in[group*c:], out[group*k:], dw[group*k:], scratch, first, last, s)
			}
		}
		lo += last - first
	}
}

// weightsBlock adds to column s of dw the products of output rows first..last of one image.
func weightsBlock(g *Conv, x, dy, dw, scratch []float32, first, last, s int) {
	c, k := g.C/g.Groups, g.K/g.Groups
	lo, hi := insideRange(g.W, g.Wo, g.StrideW, s*g.DilationW-g.PadLeft)
	width := hi - lo
	if width <= 0 {
		return
	}
	rows := last - first
	panel := rows * width * panelWidth
	for i := range rows {
		packRows(scratch[i*width*panelWidth:], dy[(i*g.Wo+lo)*g.YStride:], width, k, g.YStride, panel)
	}
	used := panel * (roundUp(k) / panelWidth)
	b, at := scratch[:used], scratch[used:]

	// Input row base + i*StrideH + r*DilationH, for output row i of the block, is
	// row i + r*DilationH/StrideH of the phase r*DilationH mod StrideH.
	base := first*g.StrideH - g.PadTop
	perPhase, slots := weightsSlots(g)
	left := lo*g.StrideW - g.PadLeft + s*g.DilationW
	for phase := range min(g.StrideH, (g.R-1)*g.DilationH+1) {
		deepest := -1
		for r := range g.R {
			if r*g.DilationH%g.StrideH == phase {
				deepest = r * g.DilationH / g.StrideH
			}
		}
		if deepest < 0 {
			continue
		}
		for i := range rows + deepest {
			h := base + phase + i*g.StrideH
			if h < 0 || h >= g.H {
				continue
			}
			to := at[(phase*perPhase+i)*width:]
			transposeRow(to, x[(h*g.W+left)*g.XStride:], width, c, g.StrideW*g.XStride, slots*width)
		}
	}

	var acc [8]float32
	for r := range g.R {
		rowLo, rowHi := insideRange(g.H, g.Ho, g.StrideH, r*g.DilationH-g.PadTop)
		rowLo, rowHi = max(rowLo, first), min(rowHi, last)
		if rowLo >= rowHi {
			continue
		}
		slot := r*g.DilationH%g.StrideH*perPhase + r*g.DilationH/g.StrideH + rowLo - first
		n := (rowHi - rowLo) * width
		skip := (rowLo - first) * width * panelWidth
		for i := 0; i < c; i += 2 {
			a0 := at[(i*slots+slot)*width:][:n]
			d0 := dw[((r*g.S+s)*c+i)*g.K:]
			if i+1 == c {
				for j := 0; j < k; j += panelWidth {
					acc = [8]float32{}
					tile1(&acc, a0, b[j/panelWidth*panel+skip:])
					addTo(d0[j:min(j+panelWidth, k)], acc[:4])
				}
				break
			}
			a1 := at[((i+1)*slots+slot)*width:][:n]
			d1 := d0[g.K:]
			for j := 0; j < k; j += panelWidth {
				end := min(j+panelWidth, k)
				acc = [8]float32{}
				tile2(&acc, a0, a1, b[j/panelWidth*panel+skip:])
				addTo(d0[j:end], acc[:4])
				addTo(d1[j:end], acc[4:])
			}
		}
	}
}

// insideRange returns the outputs lo..hi of an axis for which out*stride + offset
// lies in 0..in.
func insideRange(in, out, stride, offset int) (lo, hi int) {
	if offset < 0 {
		lo = (-offset + stride - 1) / stride
	}
	if room := in - 1 - offset; room >= 0 {
		hi = min(out, room/stride+1)
	}
	return lo, hi
}

// transposeRow copies n pixels of c channels, step floats apart, into one run per
// channel; the runs are dstStep apart.
func transposeRow(dst, x []float32, n, c, step, dstStep int) {
	for i := range c {
		to := dst[i*dstStep:][:n]
		o := i
		for j := range to {
			to[j] = x[o]
			o += step
		}
	}
}

func addTo(dst, acc []float32) {
	acc = acc[:len(dst)]
	for i, v := range acc {
		dst[i] += v
	}
}
