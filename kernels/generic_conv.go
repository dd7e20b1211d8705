package kernels

// convBlock is the largest number of output pixels whose source patches are gathered
// at once, and convPatch the number of floats that those patches should not exceed,
// so that they stay in the first-level cache.
const (
	convBlock = 64
	convPatch = 6144
)

// gather computes rows of a forward convolution or of its input gradient, one group
// of channels at a time: for blocks of output pixels that see the same taps it lays
// the source pixels of each side by side (or uses them where they are, when they
// already lie so) and multiplies these patches by the packed weights. Taps that
// fall outside the source are left out, not multiplied by zero.
type gather struct {
	rows, cols       axis
	srcPix, dstPix   int // floats between pixels
	srcChan, dstChan int // channels of one group
	src, dst         []float32
	bias             []float32 // nil, or dstChan floats
	residual         []float32 // nil, or pixels resPix apart that are added to those of dst
	resPix           int
	relu             bool
	weights          []float32 // packed panels
	patches          []float32 // scratch
}

// pixels is a block of output pixels: where the patch and the result of each start.
type pixels struct {
	n   int
	src [convBlock]int
	dst [convBlock]int
}

func genericConvScratch(g *Conv) int {
	if genericIsDepthwise(g) {
		return g.Wo * g.K // for a residual
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	taps := g.R * g.S
	// Trimmed patches are shorter, and then more of them are gathered.
	patch := func(channels int) int {
		return min(convBlock*taps*channels, max(convPatch, 2*taps*channels))
	}
	return max(
		taps*c*roundUp(k)+patch(c),
		taps*k*roundUp(c)+patch(k),
		convWeightsScratch(g),
	)
}

// patchBlock returns how many patches of n floats are gathered at once.
func patchBlock(n int) int { return max(2, min(convBlock, convPatch/max(n, 1))) }

func genericConvForward(g *Conv, x, w, bias, y, scratch []float32, lo, hi int) {
	genericConvForwardAdd(g, x, w, bias, nil, y, scratch, lo, hi)
}

func genericConvForwardAdd(g *Conv, x, w, bias, residual, y, scratch []float32, lo, hi int) {
	if g.forwardEmpty(bias, residual, y, lo, hi) {
		return
	}
	if genericIsDepthwise(g) {
		depthwiseForward(g, x, w, bias, residual, y, scratch, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	e := gather{
		rows:   axis{in: g.H, out: g.Ho, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH},
		cols:   axis{in: g.W, out: g.Wo, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW},
		srcPix: g.XStride, dstPix: g.YStride,
		srcChan: c, dstChan: k,
		relu: g.ReLU, resPix: g.RStride,
	}
	panel := g.R * g.S * c * panelWidth
	size := panel * (roundUp(k) / panelWidth)
	e.weights, e.patches = scratch[:size], scratch[size:]
	for group := range g.Groups {
		if g.Packed {
			e.weights = w[group*size:][:size]
		} else {
			packRows(e.weights, w[group*k:], g.R*g.S*c, k, g.K, panel)
		}
		if residual != nil {
			e.residual = residual[group*k:]
		}
		e.src, e.dst = x[group*c:], y[group*k:]
		if bias != nil {
			e.bias = bias[group*k : (group+1)*k]
		}
		e.run(lo, hi)
	}
}

func genericPackedConv(g *Conv) int {
	if genericIsDepthwise(g) {
		return 0
	}
	return g.Groups * g.R * g.S * (g.C / g.Groups) * roundUp(g.K/g.Groups)
}

func genericPackConv(g *Conv, w, packed []float32) {
	if genericPackedConv(g) == 0 {
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	size := g.R * g.S * c * roundUp(k)
	for group := range g.Groups {
		packRows(packed[group*size:][:size], w[group*k:], g.R*g.S*c, k, g.K, g.R*g.S*c*panelWidth)
	}
}

func genericConvBackwardData(g *Conv, dy, w, dx, scratch []float32, lo, hi int) {
	if g.backwardDataEmpty(dx, lo, hi) {
		return
	}
	if genericIsDepthwise(g) {
		depthwiseBackwardData(g, dy, w, dx, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	e := gather{
		rows:   axis{in: g.Ho, out: g.H, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH, backward: true},
		cols:   axis{in: g.Wo, out: g.W, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW, backward: true},
		srcPix: g.YStride, dstPix: g.XStride,
		srcChan: k, dstChan: c,
	}
	panel := g.R * g.S * k * panelWidth
	e.weights, e.patches = scratch[:panel*(roundUp(c)/panelWidth)], scratch[panel*(roundUp(c)/panelWidth):]
	for group := range g.Groups {
		for i := range g.R {
			r, rowFirst, rowTaps := e.rows.tapOrder(i)
			for j := range g.S {
				s, colFirst, colTaps := e.cols.tapOrder(j)
				at := rowFirst*g.S + rowTaps*colFirst + (i-rowFirst)*colTaps + (j - colFirst)
				packColumns(e.weights[at*k*panelWidth:], w[(r*g.S+s)*c*g.K+group*k:], k, c, g.K, panel)
			}
		}
		e.src, e.dst = dy[group*k:], dx[group*c:]
		e.run(lo, hi)
	}
}

// run computes rows lo..hi of the images' output rows.
func (e *gather) run(lo, hi int) {
	if lo >= hi || e.cols.out == 0 {
		return
	}
	firstImage, lastImage := lo/e.rows.out, (hi-1)/e.rows.out
	for i := range e.rows.groups() {
		rows := e.rows.group(i)
		for j := 0; j < rows.n; {
			vertical := rows.run(&e.rows, j)
			j += vertical.n
			if firstImage == lastImage && !vertical.meets(lo%e.rows.out, (hi-1)%e.rows.out) {
				continue
			}
			for k := range e.cols.groups() {
				cols := e.cols.group(k)
				for l := 0; l < cols.n; {
					horizontal := cols.run(&e.cols, l)
					l += horizontal.n
					e.region(&vertical, &horizontal, lo, hi)
				}
			}
		}
	}
}

// meets reports whether the run may have an output in first..last.
func (r *axisRun) meets(first, last int) bool {
	return r.out <= last && r.out+(r.n-1)*r.outStep >= first
}

// region computes the output pixels of rows lo..hi in the given vertical and
// horizontal runs; all of them see the same taps.
func (e *gather) region(v, h *axisRun, lo, hi int) {
	runLength := h.taps * e.srcChan
	patch := v.taps * runLength
	contiguous := h.taps == 1 || h.srcTap == 1 && e.srcPix == e.srcChan
	inPlace := patch == 0 || v.taps == 1 && contiguous
	size := patchBlock(patch)
	var block pixels
	for image := lo / e.rows.out; image <= (hi-1)/e.rows.out; image++ {
		for i := range v.n {
			row := image*e.rows.out + v.out + i*v.outStep
			if row < lo || row >= hi {
				continue
			}
			dst := (row*e.cols.out + h.out) * e.dstPix
			src := ((image*e.rows.in+v.src+i*v.srcStep)*e.cols.in + h.src) * e.srcPix
			for range h.n {
				block.dst[block.n] = dst
				if inPlace {
					block.src[block.n] = src
				} else {
					block.src[block.n] = block.n * patch
					e.copyPatch(e.patches[block.n*patch:][:patch], src, v, h, contiguous)
				}
				dst += h.outStep * e.dstPix
				src += h.srcStep * e.srcPix
				if block.n++; block.n == size {
					e.multiply(&block, v, h, inPlace)
					block.n = 0
				}
			}
		}
	}
	if block.n > 0 {
		e.multiply(&block, v, h, inPlace)
	}
}

// copyPatch gathers the source pixels under one output pixel, tap by tap.
func (e *gather) copyPatch(dst []float32, src int, v, h *axisRun, contiguous bool) {
	rowStep := v.srcTap * e.cols.in * e.srcPix
	count, length, step := h.taps, e.srcChan, h.srcTap*e.srcPix
	if contiguous {
		count, length = 1, h.taps*e.srcChan
	}
	for range v.taps {
		for i := range count {
			from := e.src[src+i*step:][:length]
			if length >= 16 {
				copy(dst, from)
			} else {
				to := dst[:len(from)]
				//lint:ignore S1001 for a few floats the loop is faster than the call
				for j, x := range from {
					to[j] = x
				}
			}
			dst = dst[length:]
		}
		src += rowStep
	}
}

// multiply computes a block of output pixels from its patches.
func (e *gather) multiply(block *pixels, v, h *axisRun, inPlace bool) {
	a := e.patches
	if inPlace {
		a = e.src
	}
	// The weights of a trimmed run of columns are pieces of the packed panel.
	pieces, length := v.taps, h.taps*e.srcChan
	pieceStep := h.size * e.srcChan * panelWidth
	if h.taps == h.size {
		pieces, length = 1, v.taps*length
	}
	taps := v.groupFirst*e.cols.kernel + v.size*h.groupFirst + (v.first-v.groupFirst)*h.size + (h.first - h.groupFirst)
	panel := e.rows.kernel * e.cols.kernel * e.srcChan * panelWidth
	start := taps * e.srcChan * panelWidth
	if v.taps*h.taps == 0 { // nothing but the bias
		pieces, start = 0, 0
	}
	var bias, acc [8]float32
	for j := 0; j < e.dstChan; j += panelWidth {
		b := e.weights[j/panelWidth*panel+start:]
		width := min(panelWidth, e.dstChan-j)
		if e.bias != nil {
			copy(bias[:4], e.bias[j:j+width])
			copy(bias[4:], e.bias[j:j+width])
		}
		for i := 0; i < block.n; i += 2 {
			acc = bias
			s0 := block.src[i]
			if i+1 < block.n {
				s1 := block.src[i+1]
				for p := range pieces {
					o := p * length
					tile2(&acc, a[s0+o:s0+o+length], a[s1+o:s1+o+length], b[p*pieceStep:])
				}
			} else {
				for p := range pieces {
					o := p * length
					tile1(&acc, a[s0+o:s0+o+length], b[p*pieceStep:])
				}
			}
			if e.residual != nil {
				e.addResidual(acc[:width], block.dst[i], j)
				if i+1 < block.n {
					e.addResidual(acc[panelWidth:][:width], block.dst[i+1], j)
				}
			}
			if e.relu {
				genericReLU(acc[:], acc[:])
			}
			to := e.dst[block.dst[i]+j:]
			if width == panelWidth {
				put4(to, acc[0], acc[1], acc[2], acc[3])
			} else {
				copy(to[:width], acc[:4])
			}
			if i+1 == block.n {
				break
			}
			to = e.dst[block.dst[i+1]+j:]
			if width == panelWidth {
				put4(to, acc[4], acc[5], acc[6], acc[7])
			} else {
				copy(to[:width], acc[4:])
			}
		}
	}
}

// addResidual adds to the channels from j on of the pixel at dst those of the residual.
func (e *gather) addResidual(acc []float32, dst, j int) {
	addTo(acc, e.residual[dst/e.dstPix*e.resPix+j:][:len(acc)])
}
