//go:build amd64 && !purego

package kernels

// tileSteps is about how many steps of the reduction one call of the micro-kernel
// makes at most; the longest tile then takes some ten thousand cycles.
const tileSteps = 16384

// The forward pass and the gradient of the input work on about convBytes of images at once, which stay in the second-level cache, unless
// all are no more than convWhole, which stay in the third.
const (
	convBytes = 256 << 10
	convWhole = 6 << 20
)

// conv computes rows of a forward convolution, or of its input gradient, or the
// gradient of the weights, one group of channels at a time. It walks over the regions whose
// output pixels see the same taps (see axis), so that a region is a box of pixels
// with one step between neighbours in each direction, and no tap falls outside (of whole
// rows of a depthwise convolution some do at the ends; its routines leave them out). The
// micro-kernel reads the source pixels where they are: nothing is gathered.
type conv struct {
	*simd
	rows, cols       axis
	batch            int  // images worked on at once, as far as they are wanted
	byTaps           bool // see planGradient
	srcPix, dstPix   int  // floats between pixels
	srcChan, dstChan int  // channels of one group
	src, dst         []float32
	firstRow         int // with which dst begins
	part             convPart
	depthwise        bool // each channel has one filter, and all are one group

	// Of the forward pass and the input gradient.
	bias       []float32 // nil, or dstChan floats
	residual   []float32 // nil, or what dst begins as, pixels resPix apart
	resPix     int
	relu       bool
	weights    []float32 // dstChan columns, one row per source channel and tap
	weightsRow int       // floats between rows of weights, or 0 for packed panels

	// Of the gradient of the weights, R x S x srcChan x dstChan: the floats between rows.
	gradient    []float32 // nil in the other two
	gradientRow int
}

// box is a set of pixels: source and destination of the first, and in three
// directions their number and the steps, in floats.
type box struct {
	src0, dst0  int
	n, src, dst [3]int
}

// turn makes direction i the innermost, which is the last.
func (b *box) turn(i int) {
	b.n[i], b.n[2] = b.n[2], b.n[i]
	b.src[i], b.src[2] = b.src[2], b.src[i]
	b.dst[i], b.dst[2] = b.dst[2], b.dst[i]
}

// merge joins directions in which pixels follow each other in one step.
func (b *box) merge() {
	for i := 1; i >= 0; i-- {
		if b.src[i] == b.n[2]*b.src[2] && b.dst[i] == b.n[2]*b.dst[2] {
			b.n[2] *= b.n[i]
			b.n[i] = 1
		}
	}
}

// forwardAxes returns the axes of a forward pass.
func forwardAxes(g *Conv) (rows, cols axis) {
	return axis{in: g.H, out: g.Ho, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH},
		axis{in: g.W, out: g.Wo, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW}
}

// backwardAxes returns the axes of the gradient of the input.
func backwardAxes(g *Conv) (rows, cols axis) {
	return axis{in: g.Ho, out: g.H, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH, backward: true},
		axis{in: g.Wo, out: g.W, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW, backward: true}
}

func (s *simd) convScratch(g *Conv) int {
	if simdIsDepthwise(g) {
		return depthwiseRows(g) * g.Wo * g.K // for a residual
	}
	if genericIsDepthwise(g) {
		return genericConvScratch(g)
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	n := g.R * g.S * k * s.roundUp(c)
	if s.packsForward(g) && !g.Packed {
		n = max(n, g.R*g.S*c*s.roundUp(k))
	}
	return n
}

// packsForward reports whether the forward pass packs its weights: not if one panel
// holds all columns, because then they lie as they are read.
func (s *simd) packsForward(g *Conv) bool { return g.K/g.Groups > s.width() }

func (s *simd) packedConv(g *Conv) int {
	if genericIsDepthwise(g) || !s.packsForward(g) {
		return 0
	}
	return g.Groups * g.R * g.S * (g.C / g.Groups) * s.roundUp(g.K/g.Groups)
}

func (s *simd) packConv(g *Conv, w, packed []float32) {
	if s.packedConv(g) == 0 {
		return
	}
	rows, k := g.R*g.S*(g.C/g.Groups), g.K/g.Groups
	size := rows * s.roundUp(k)
	for group := range g.Groups {
		s.packPanels(packed[group*size:][:size], w[group*k:], rows, k, g.K)
	}
}

func (s *simd) convForward(g *Conv, x, w, bias, y, scratch []float32, lo, hi int) {
	s.convForwardAdd(g, x, w, bias, nil, y, scratch, lo, hi)
}

func (s *simd) convForwardAdd(g *Conv, x, w, bias, residual, y, scratch []float32, lo, hi int) {
	if g.forwardEmpty(bias, residual, y, lo, hi) {
		return
	}
	if simdIsDepthwise(g) {
		if residual == nil {
			s.depthwiseForward(g, x, w, bias, y, lo, hi)
		} else {
			s.depthwiseForwardAdd(g, x, w, bias, residual, y, scratch, lo, hi)
		}
		return
	}
	if genericIsDepthwise(g) {
		genericConvForwardAdd(g, x, w, bias, residual, y, scratch, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.XStride, dstPix: g.YStride, srcChan: c, dstChan: k,
		relu: g.ReLU, weightsRow: g.K, resPix: g.RStride,
	}
	e.rows, e.cols = forwardAxes(g)
	e.planBlocks()
	packs, size := s.packsForward(g), g.R*g.S*c*s.roundUp(k)
	if g.Packed && packs {
		w = w[:g.Groups*size]
	} else {
		w = w[:g.R*g.S*c*g.K]
	}
	for group := range g.Groups {
		switch {
		case packs && g.Packed:
			e.weights, e.weightsRow = w[group*size:][:size], 0
		case packs:
			e.weights, e.weightsRow = scratch[:size], 0
			s.packPanels(e.weights, w[group*k:], g.R*g.S*c, k, g.K)
		default:
			e.weights = w[group*k:]
		}
		if residual != nil {
			e.residual = residual[group*k:]
		}
		e.src, e.dst = x[group*c:], y[group*k:]
		if bias != nil {
			e.bias = bias[group*k : (group+1)*k]
		}
		e.runBlocks(lo, hi)
	}
}

func (s *simd) convBackwardData(g *Conv, dy, w, dx, scratch []float32, lo, hi int) {
	if g.backwardDataEmpty(dx, lo, hi) {
		return
	}
	if simdIsDepthwise(g) {
		s.depthwiseBackwardData(g, dy, w, dx, lo, hi)
		return
	}
	if genericIsDepthwise(g) {
		genericConvBackwardData(g, dy, w, dx, scratch, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.YStride, dstPix: g.XStride, srcChan: k, dstChan: c,
	}
	e.rows, e.cols = backwardAxes(g)
	e.planBlocks()
	rows := g.R * g.S * k
	e.weights = scratch[:rows*s.roundUp(c)]
	for group := range g.Groups {
		for i := range g.R {
			r, rowFirst, rowTaps := e.rows.tapOrder(i)
			for j := range g.S {
				q, colFirst, colTaps := e.cols.tapOrder(j)
				at := rowFirst*g.S + rowTaps*colFirst + (i-rowFirst)*colTaps + (j - colFirst)
				s.packTransposed(e.weights, w[(r*g.S+q)*c*g.K+group*k:], at*k, k, rows, c, g.K)
			}
		}
		e.src, e.dst = dy[group*k:], dx[group*c:]
		e.runBlocks(lo, hi)
	}
}

func (s *simd) convBackwardWeights(g *Conv, x, dy, dw, scratch []float32, lo, hi int) {
	if g.backwardWeightsEmpty(lo, hi) {
		return
	}
	if simdIsDepthwise(g) {
		s.depthwiseBackwardWeights(g, x, dy, dw, lo, hi)
		return
	}
	if genericIsDepthwise(g) {
		genericConvBackwardWeights(g, x, dy, dw, scratch, lo, hi)
		return
	}
	c, k := g.C/g.Groups, g.K/g.Groups
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.XStride, dstPix: g.YStride, srcChan: c, dstChan: k,
		gradientRow: g.K,
	}
	e.rows, e.cols = forwardAxes(g)
	dw = dw[:g.R*g.S*c*g.K]
	e.gradient = dw
	e.planGradient()
	for group := range g.Groups {
		e.gradient = dw[group*k:]
		e.src, e.dst = x[group*c:], dy[group*k:]
		block := hi
		if e.byTaps {
			block = e.rows.out * e.batch
		}
		for first := lo; first < hi; {
			next := min(hi, (first/block+1)*block)
			e.run(first, next)
			first = next
		}
	}
}

// runBlocks works on rows lo..hi, some images at a time: the regions of them, and the panels of weights, pass over the same memory.
func (e *conv) runBlocks(lo, hi int) {
	if lo >= hi {
		return
	}
	first, last := lo/e.rows.out, (hi-1)/e.rows.out
	n := last + 1 - first
	blocks := max(1, (n+e.batch/2)/e.batch)
	for i := range blocks {
		_, end := Range(i, blocks, n)
		next := min(hi, (first+end)*e.rows.out)
		e.run(lo, next)
		lo = next
	}
}

// planBlocks sets how many images are worked on at once: all where they are small, or where all regions and panels are one or two.
func (e *conv) planBlocks() {
	image := 4 * (e.rows.in*e.cols.in*e.srcPix + e.rows.out*e.cols.out*e.dstPix)
	if image*e.batch <= convWhole || e.rows.kernel*e.cols.kernel == 1 && e.dstChan <= 2*e.width() {
		return
	}
	images := max(1, convBytes/image)
	if rows := e.simd.rows[e.vectors()]; 2*images > rows { // whole tiles, if they go from image to image
		images = (images + rows - 1) / rows * rows
	}
	e.batch = min(e.batch, images)
}

// run works on rows lo..hi of the images' output rows.
func (e *conv) run(lo, hi int) {
	if lo >= hi || e.cols.out == 0 || e.srcChan == 0 || e.dstChan == 0 {
		return
	}
	last := (hi - 1) / e.rows.out
	e.part = convPart{first: true, bias: e.bias != nil, relu: e.relu}
	if e.cols.in > 0 && e.rows.in > 0 {
		_ = e.src[((last+1)*e.rows.in*e.cols.in-1)*e.srcPix+e.srcChan-1]
	}
	_ = e.dst[((hi-e.firstRow)*e.cols.out-1)*e.dstPix+e.dstChan-1]
	if e.residual != nil {
		_ = e.residual[(hi*e.cols.out-1)*e.resPix+e.dstChan-1]
	}
	for i := range e.rows.groups() {
		rows := e.rows.group(i)
		for j := 0; j < rows.end(e.byTaps); {
			v := rows.part(&e.rows, j, e.byTaps)
			j += rows.step(&v, e.byTaps)
			if v.taps == 0 && !e.depthwise && e.gradient == nil { // no tap in any column either
				e.images(&v, &axisRun{outStep: 1, n: e.cols.out}, lo, hi, false)
				continue
			}
			for k := range e.cols.groups() {
				cols := e.cols.group(k)
				e.columns(&v, &cols, lo, hi)
			}
		}
	}
}

// images works on the pixels of rows lo..hi that lie in a vertical and a horizontal run.
func (e *conv) images(v, h *axisRun, lo, hi int, whole bool) {
	if v.n <= 0 || h.n <= 0 {
		return
	}
	for image := lo / e.rows.out; image <= (hi-1)/e.rows.out; {
		top := max(lo-image*e.rows.out, 0)
		bottom := min(hi-image*e.rows.out, e.rows.out)
		n := 1
		if top == 0 && bottom == e.rows.out { // images of which all rows are wanted form one box
			n = hi/e.rows.out - image
		}
		e.region(v, h, image, n, top, bottom, whole)
		image += n
	}
}

// region works on the output pixels of n images in the given runs, of which only the rows
// top..bottom are wanted. The horizontal run may be whole rows; see [conv.wholeRows].
func (e *conv) region(v, h *axisRun, image, n, top, bottom int, whole bool) {
	skip := max(0, (top-v.out+v.outStep-1)/v.outStep)
	rows := min(v.n, (bottom-v.out+v.outStep-1)/v.outStep) - skip
	if rows <= 0 {
		return
	}
	b := box{
		src0: ((image*e.rows.in+v.src+skip*v.srcStep)*e.cols.in + h.src) * e.srcPix,
		dst0: ((image*e.rows.out+v.out+skip*v.outStep-e.firstRow)*e.cols.out + h.out) * e.dstPix,
		n:    [3]int{n, rows, h.n},
		src:  [3]int{e.rows.in * e.cols.in * e.srcPix, v.srcStep * e.cols.in * e.srcPix, h.srcStep * e.srcPix},
		dst:  [3]int{e.rows.out * e.cols.out * e.dstPix, v.outStep * e.cols.out * e.dstPix, h.outStep * e.dstPix},
	}
	switch {
	case e.depthwise && e.gradient != nil:
		e.addFilterGradient(v, h, &b, whole)
	case e.depthwise:
		e.filter(v, h, &b, whole)
	case e.gradient != nil:
		e.addGradient(v, h, &b)
	default:
		e.multiply(v, h, &b)
	}
}

// contiguous reports whether the taps of a kernel row read consecutive floats.
func (e *conv) contiguous(h *axisRun) bool {
	return h.taps == 1 || h.srcTap == 1 && e.srcPix == e.srcChan
}
