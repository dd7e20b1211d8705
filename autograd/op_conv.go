package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// HW holds a number for each axis of an image: rows and columns.
type HW struct{ H, W int }

// Both returns the same number for rows and columns.
func Both(n int) HW { return HW{n, n} }

// maxExtent bounds strides, paddings, dilations and windows, far beyond any use, so that their products fit.
const maxExtent = 1 << 20

// within reports whether both numbers are from lowest to maxExtent.
func within(lowest int, p HW) bool {
	return p.H >= lowest && p.W >= lowest && p.H <= maxExtent && p.W <= maxExtent
}

func (p HW) or(n int) HW {
	if p == (HW{}) {
		return Both(n)
	}
	return p
}

// ConvOptions are the attributes of a convolution. Zero values mean stride 1, no
// padding, dilation 1 and one group.
type ConvOptions struct {
	Stride, Padding, Dilation HW // padding is the same on opposite sides
	Groups                    int
}

func (o ConvOptions) defaults() ConvOptions {
	o.Stride, o.Dilation = o.Stride.or(1), o.Dilation.or(1)
	if o.Groups == 0 {
		o.Groups = 1
	}
	return o
}

// Conv2D returns the cross-correlation of images x (N, H, W, C) with kernels w (R, S, C/groups, K):
// N, Ho, Wo, K with Ho = (H + 2*padding - dilation*(R-1) - 1)/stride + 1, rounded down.
func Conv2D(x, w *Node, o ConvOptions) *Node { return apply(&conv2D{o.defaults()}, x, w) }

type conv2D struct{ ConvOptions }

func (*conv2D) Name() string { return "conv2d" }

func (c *conv2D) Shape(in []tensor.Shape) tensor.Shape {
	if len(in) != 2 || len(in[0]) != 4 || len(in[1]) != 4 {
		misuse(c.Name(), in, "needs images N x H x W x C and kernels R x S x C/groups x K")
	}
	o := c.ConvOptions
	if !within(1, o.Stride) || !within(1, o.Dilation) || !within(0, o.Padding) || o.Groups < 1 {
		misuse(c.Name(), in, "bad options %+v", o)
	}
	x, w := in[0], in[1]
	if w[0] > maxExtent || w[1] > maxExtent {
		misuse(c.Name(), in, "kernels of more than %d rows or columns", maxExtent)
	}
	if x[3] != w[2]*o.Groups || w[3]%o.Groups != 0 {
		misuse(c.Name(), in, "%d channels in %d groups do not fit the kernels", x[3], o.Groups)
	}
	ho := convSide(x[1], w[0], o.Stride.H, o.Padding.H, o.Dilation.H)
	wo := convSide(x[2], w[1], o.Stride.W, o.Padding.W, o.Dilation.W)
	if ho < 1 || wo < 1 || w[0] < 1 || w[1] < 1 {
		misuse(c.Name(), in, "the kernel does not fit the padded image")
	}
	return tensor.Shape{x[0], ho, wo, w[3]}
}

// convSide returns the output side of a window that slides over n pixels; not positive if
// it does not fit.
func convSide(n, window, stride, padding, dilation int) int {
	room := n + 2*padding - dilation*(window-1) - 1
	if room < 0 {
		return 0
	}
	return room/stride + 1
}

func (c *conv2D) Work(in []tensor.Shape, out tensor.Shape) Work {
	return convWork(in[1], out, in, out)
}

// convWork counts the nominal multiply-accumulates of kernels w that give an output y; the three
// directions have the same number.
func convWork(w, y tensor.Shape, in []tensor.Shape, out tensor.Shape) Work {
	return macs(times(y.Elements(), w[0], w[1], w[2]), in, out)
}

func (c *conv2D) geometry(x, w, y tensor.Shape) *kernels.Conv {
	return &kernels.Conv{
		N: x[0], H: x[1], W: x[2], C: x[3], K: w[3], R: w[0], S: w[1],
		StrideH: c.Stride.H, StrideW: c.Stride.W, PadTop: c.Padding.H, PadLeft: c.Padding.W,
		DilationH: c.Dilation.H, DilationW: c.Dilation.W, Groups: c.Groups,
		Ho: y[1], Wo: y[2], XStride: x[3], YStride: y[3],
	}
}

// Apart says that results may be pieces, and images where that is no slower.
func (c *conv2D) Apart(in []tensor.Shape, _ tensor.Shape) ([]int, bool) {
	if c.runs(in[1]) {
		return nil, true
	}
	return input0, true
}

// runs reports whether routines read all taps in a row of kernels w as one run of floats, if the pixels lie side by side.
func (c *conv2D) runs(w tensor.Shape) bool { return c.Groups == 1 && w[1] > 1 && c.Dilation.W == 1 }

// A kernel packs its weights once for each part, which costs about as much as some tens of pixels. Parts have as many pixels
// as leave that small, but where there are few in all, enough parts matter more. Of kernels that are packed already, in a frozen program, even a small image
// is worth a second part, though reading the kernels twice costs a single thread some percent.
const (
	convPixels      = 1024
	convPixelsMin   = 128
	convPixelsFixed = 24
	convShare       = 16 // a part may always be as small as this part of all
)

// convParts returns into how many parts n rows of pixels of a convolution are divided; y is what it computes, or what it is the
// gradient for; fixed says that its kernels are packed already.
func convParts(n, width int, w, y tensor.Shape, fixed bool) int {
	pixels, flops := n*width, 2*y.Elements()*w[0]*w[1]*w[2]
	least := max(convPixelsMin, min(convPixels, pixels/convShare))
	parts := flopParts(min(n, pixels/least), flops)
	if parts == 1 && fixed {
		return flopParts(min(n, 2, pixels/convPixelsFixed), flops)
	}
	return parts
}

func (*conv2D) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

// Pixels is for [groupRules]: kernels other than those of one channel each are packed.
func (c *conv2D) Pixels(in []tensor.Shape, out tensor.Shape) int {
	if in[1][2] == 1 {
		return 0
	}
	return out[:3].Elements()
}

func (c *conv2D) Emit(e *Emitter) {
	g := c.geometry(e.InShape(0), e.InShape(1), e.OutShape())
	g.XStride, g.YStride = e.Stride(0), e.OutStride()
	emitConv(e, g, nil, nil)
}

// packedFloats returns the size of the packed kernels that a convolution keeps: none if they are read as they are stored, or if packing them as they are needed costs no more.
func packedFloats(t *kernels.Table, g *kernels.Conv, parts int, grouped, fixed bool) int {
	if !grouped && parts == 1 && !fixed {
		return 0
	}
	return t.PackedConv(g)
}

// keeps returns how many floats the execution of a node keeps outside of the arena.
func keeps(n *Node, t *kernels.Table, grouped bool, frozen map[*Node]bool) int {
	var c *conv2D
	switch op := n.op.(type) {
	case *conv2D:
		c = op
	case *convFused:
		c = op.conv
	default:
		return 0
	}
	w := n.in[1]
	g := c.geometry(n.in[0].shape, w.shape, n.shape)
	return packedFloats(t, g, convParts(g.N*g.Ho, g.Wo, w.shape, n.shape, frozen[w]), grouped, frozen[w])
}

// emitConv adds the execution of a convolution of input 0 with the kernels of input 1. Kernels that are read in another order than they are stored in are brought into it
// once, before any part of the images.
func emitConv(e *Emitter, g *kernels.Conv, bias, residual []float32) {
	x, w, y := e.In(0), e.In(1), e.Out()
	rows := g.N * g.Ho
	parts := convParts(rows, g.Wo, e.InShape(1), e.OutShape(), e.fixed(1))
	if n := packedFloats(e.Table, g, parts, e.group != nil, e.fixed(1)); n > 0 {
		unpacked, packed, pack := w, e.Keep(n), e.Table.PackConv
		packing := *g
		g.Packed, w = true, packed
		e.Once(1, func() { pack(&packing, unpacked, packed) })
	}
	e.Scratch(e.Table.ConvScratch(g))
	if residual != nil {
		forward := e.Table.ConvForwardAdd
		e.Spread(rows, parts, func(_, lo, hi int, scratch []float32) {
			forward(g, x, w, bias, residual, y, scratch, lo, hi)
		})
		return
	}
	forward := e.Table.ConvForward
	e.Spread(rows, parts, func(_, lo, hi int, scratch []float32) {
		forward(g, x, w, bias, y, scratch, lo, hi)
	})
}

func (c *conv2D) Grad(n, dy *Node) []*Node {
	x, w := n.in[0], n.in[1]
	return []*Node{
		apply(&convBackwardData{c, x.shape}, dy, w),
		apply(&convBackwardWeights{c, w.shape}, x, dy),
	}
}

// convBackwardData is the gradient of a convolution for its images: linear in dy and w.
type convBackwardData struct {
	*conv2D
	x tensor.Shape
}

func (*convBackwardData) Name() string                        { return "conv2d_backward_data" }
func (c *convBackwardData) Shape([]tensor.Shape) tensor.Shape { return c.x }
func (c *convBackwardData) Work(in []tensor.Shape, out tensor.Shape) Work {
	return convWork(in[1], in[0], in, out)
}

// Pixels is for [groupRules].
func (c *convBackwardData) Pixels(in []tensor.Shape, _ tensor.Shape) int {
	return c.conv2D.Pixels(in, in[0])
}

func (c *convBackwardData) Emit(e *Emitter) {
	g := c.geometry(c.x, e.InShape(1), e.InShape(0))
	g.XStride, g.YStride = e.OutStride(), e.Stride(0)
	dy, w, dx, backward := e.In(0), e.In(1), e.Out(), e.Table.ConvBackwardData
	e.Scratch(e.Table.ConvScratch(g))
	rows := g.N * g.H
	parts := convParts(rows, g.W, e.InShape(1), e.InShape(0), false)
	e.Spread(rows, parts, func(_, lo, hi int, scratch []float32) {
		backward(g, dy, w, dx, scratch, lo, hi)
	})
}

func (c *convBackwardData) Grad(n, ddx *Node) []*Node {
	dy, w := n.in[0], n.in[1]
	return []*Node{Conv2D(ddx, w, c.ConvOptions), apply(&convBackwardWeights{c.conv2D, w.shape}, ddx, dy)}
}

// convBackwardWeights is the gradient of a convolution for its kernels: linear in x and dy.
type convBackwardWeights struct {
	*conv2D
	w tensor.Shape
}

func (*convBackwardWeights) Name() string                        { return "conv2d_backward_weights" }
func (c *convBackwardWeights) Shape([]tensor.Shape) tensor.Shape { return c.w }
func (c *convBackwardWeights) Work(in []tensor.Shape, out tensor.Shape) Work {
	return convWork(c.w, in[1], in, out)
}

// Apart says that the gradient for the results may be a piece, and images where that is no slower.
func (c *convBackwardWeights) Apart([]tensor.Shape, tensor.Shape) ([]int, bool) {
	if c.runs(c.w) {
		return []int{1}, false
	}
	return input01, false
}

func (c *convBackwardWeights) parts(y tensor.Shape) int {
	return reduceParts(y[0]*y[1], 2*y.Elements()*c.w[0]*c.w[1]*c.w[2], 4*flopGrain)
}

func (*convBackwardWeights) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01, reduces: true}, true
}

// Partial is for [groupRules].
func (*convBackwardWeights) Partial(in []tensor.Shape, out tensor.Shape) (size, most int) {
	return out.Elements(), (in[0].Elements() + in[1].Elements()) / 4
}

func (c *convBackwardWeights) Workspace(in []tensor.Shape, out tensor.Shape, parts int) int {
	if parts == 0 {
		parts = c.parts(in[1])
	}
	return (parts - 1) * out.Elements()
}

func (c *convBackwardWeights) Emit(e *Emitter) {
	g := c.geometry(e.InShape(0), c.w, e.InShape(1))
	g.XStride, g.YStride = e.Stride(0), e.Stride(1)
	x, dy, backward := e.In(0), e.In(1), e.Table.ConvBackwardWeights
	e.Scratch(e.Table.ConvScratch(g))
	e.Reduce(g.N*g.Ho, c.parts(e.InShape(1)), func(s share, dw, scratch []float32) {
		if s.done == 0 {
			clear(dw)
		}
		backward(g, x, dy, dw, scratch, s.lo, s.hi)
	})
}

func (c *convBackwardWeights) Grad(n, ddw *Node) []*Node {
	x, dy := n.in[0], n.in[1]
	return []*Node{apply(&convBackwardData{c.conv2D, x.shape}, dy, ddw), Conv2D(x, ddw, c.ConvOptions)}
}

func (*conv2D) Cases() []Case {
	conv := func(name string, x, w tensor.Shape, o ConvOptions) Case {
		return Case{Name: name, Inputs: []CaseInput{{Shape: x}, {Shape: w}},
			Build: func(in []*Node) *Node { return Conv2D(in[0], in[1], o) }}
	}
	return []Case{
		conv("3x3 same", tensor.Shape{2, 5, 6, 3}, tensor.Shape{3, 3, 3, 4}, ConvOptions{Padding: Both(1)}),
		conv("5x5 same", tensor.Shape{1, 6, 5, 2}, tensor.Shape{5, 5, 2, 3}, ConvOptions{Padding: Both(2)}),
		conv("1x1", tensor.Shape{2, 3, 4, 5}, tensor.Shape{1, 1, 5, 6}, ConvOptions{}),
		conv("1x1 stride 4", tensor.Shape{1, 7, 9, 3}, tensor.Shape{1, 1, 3, 2}, ConvOptions{Stride: Both(4)}),
		conv("one channel", tensor.Shape{2, 6, 6, 1}, tensor.Shape{3, 3, 1, 4}, ConvOptions{Padding: Both(1)}),
		conv("no padding, stride 2", tensor.Shape{2, 7, 8, 2}, tensor.Shape{3, 3, 2, 3}, ConvOptions{Stride: Both(2)}),
		conv("dilation 2", tensor.Shape{1, 7, 7, 2}, tensor.Shape{3, 3, 2, 2}, ConvOptions{Padding: Both(2), Dilation: Both(2)}),
		conv("1x7, uneven options", tensor.Shape{1, 5, 9, 2}, tensor.Shape{1, 7, 2, 3}, ConvOptions{Stride: HW{2, 1}, Padding: HW{0, 3}}),
		conv("groups 2", tensor.Shape{1, 4, 5, 4}, tensor.Shape{3, 3, 2, 6}, ConvOptions{Padding: Both(1), Groups: 2}),
		conv("depthwise", tensor.Shape{2, 5, 5, 4}, tensor.Shape{3, 3, 1, 4}, ConvOptions{Padding: Both(1), Groups: 4}),
		conv("depthwise stride 2 dilation 2", tensor.Shape{1, 9, 8, 3}, tensor.Shape{3, 3, 1, 3}, ConvOptions{Stride: Both(2), Padding: Both(2), Dilation: Both(2), Groups: 3}),
		conv("depthwise multiplier 2", tensor.Shape{1, 4, 4, 3}, tensor.Shape{3, 3, 1, 6}, ConvOptions{Padding: Both(1), Groups: 3}),
		conv("padding wider than the kernel", tensor.Shape{1, 2, 2, 1}, tensor.Shape{2, 2, 1, 2}, ConvOptions{Padding: Both(3)}),
	}
}
