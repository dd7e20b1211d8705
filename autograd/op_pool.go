package autograd

import (
	"math"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// PoolOptions are the attributes of a pooling. The stride's zero value means the
// window's sides.
type PoolOptions struct {
	Window, Stride, Padding HW // padding is the same on opposite sides and never counted
}

// MaxPool2D returns the maximum of every window over images x (N, H, W, C): N, Ho, Wo, C with
// Ho = (H + 2*padding - window)/stride + 1, rounded down.
func MaxPool2D(x *Node, o PoolOptions) *Node { return apply(newPool(o, true), x) }

// AvgPool2D returns the mean of the pixels of every window that lie inside the image.
func AvgPool2D(x *Node, o PoolOptions) *Node { return apply(newPool(o, false), x) }

type pool2D struct {
	PoolOptions
	max bool
}

func newPool(o PoolOptions, max bool) *pool2D {
	if o.Stride == (HW{}) {
		o.Stride = o.Window
	}
	return &pool2D{o, max}
}

func (p *pool2D) Name() string {
	if p.max {
		return "max_pool2d"
	}
	return "avg_pool2d"
}

// Same makes one of two equal poolings of an image enough.
func (p *pool2D) Same(other Op) bool {
	q, ok := other.(*pool2D)
	return ok && *p == *q
}

func (p *pool2D) Shape(in []tensor.Shape) tensor.Shape {
	if len(in[0]) != 4 {
		misuse(p.Name(), in, "needs images N x H x W x C")
	}
	o := p.PoolOptions
	if !within(1, o.Window) || !within(1, o.Stride) || !within(0, o.Padding) {
		misuse(p.Name(), in, "bad options %+v", o)
	}
	if o.Padding.H >= o.Window.H || o.Padding.W >= o.Window.W {
		misuse(p.Name(), in, "padding %d x %d leaves windows without a pixel", o.Padding.H, o.Padding.W)
	}
	x := in[0]
	if x[1] > maxExtent || x[2] > maxExtent {
		misuse(p.Name(), in, "images of more than %d rows or columns", maxExtent)
	}
	ho := convSide(x[1], o.Window.H, o.Stride.H, o.Padding.H, 1)
	wo := convSide(x[2], o.Window.W, o.Stride.W, o.Padding.W, 1)
	if ho < 1 || wo < 1 || x[1] < 1 || x[2] < 1 {
		misuse(p.Name(), in, "the window does not fit the padded image")
	}
	return tensor.Shape{x[0], ho, wo, x[3]}
}

// taps counts the pixels inside the image over all windows of one axis.
func taps(n, out, window, stride, padding int) int {
	sum := 0
	for o := range out {
		start := o*stride - padding
		sum += max(0, min(start+window, n)-max(start, 0))
	}
	return sum
}

// Work counts, for each output, a comparison or an addition for every tap but the first, and the
// average's division.
func (p *pool2D) Work(in []tensor.Shape, out tensor.Shape) Work {
	x := in[0]
	rows, columns := taps(x[1], out[1], p.Window.H, p.Stride.H, p.Padding.H), taps(x[2], out[2], p.Window.W, p.Stride.W, p.Padding.W)
	n := times(out[0], out[3], rows, columns)
	if p.max && n != math.MaxInt64 {
		n -= int64(out.Elements())
	}
	return flops(n, in, out)
}

func (p *pool2D) geometry(x, y tensor.Shape) *kernels.Pool {
	return &kernels.Pool{
		N: x[0], H: x[1], W: x[2], C: x[3], R: p.Window.H, S: p.Window.W,
		StrideH: p.Stride.H, StrideW: p.Stride.W, PadTop: p.Padding.H, PadLeft: p.Padding.W,
		Ho: y[1], Wo: y[2], XStride: x[3], YStride: x[3],
	}
}

func (*pool2D) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

// Apart says that images and results may be pieces.
func (*pool2D) Apart([]tensor.Shape, tensor.Shape) ([]int, bool) { return input0, true }

func (p *pool2D) Emit(e *Emitter) {
	g := p.geometry(e.InShape(0), e.OutShape())
	g.XStride, g.YStride = e.Stride(0), e.OutStride()
	x, y, forward := e.In(0), e.Out(), e.Table.AvgPoolForward
	if p.max {
		forward = e.Table.MaxPoolForward
	}
	e.Rows(g.N*g.Ho, g.Wo*g.C*g.R*g.S, func(lo, hi int) { forward(g, x, y, lo, hi) })
}

func (p *pool2D) Grad(n, dy *Node) []*Node {
	x := n.in[0]
	if p.max {
		return []*Node{apply(&poolGrad{p: p, x: x.shape}, dy, x)}
	}
	return []*Node{apply(&poolGrad{p: p, x: x.shape}, dy)}
}

// poolGrad spreads the gradient of every window over its pixels, or hands it to the first maximum.
type poolGrad struct {
	noGrad
	p *pool2D
	x tensor.Shape
}

func (g *poolGrad) Name() string                      { return g.p.Name() + "_grad" }
func (g *poolGrad) Shape([]tensor.Shape) tensor.Shape { return g.x }
func (g *poolGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	w := g.p.Work([]tensor.Shape{g.x}, in[0])
	return flops(plus(w.FLOPs, int64(in[0].Elements())), in, out)
}

func (g *poolGrad) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	if g.p.max {
		return rowAccess{inputs: input01}, true
	}
	return rowAccess{inputs: input0}, true
}

// Apart says that the gradient for the results may be a piece, and that for the images too if the routine does not take their own stride for its.
func (g *poolGrad) Apart([]tensor.Shape, tensor.Shape) ([]int, bool) { return input0, !g.p.max }

func (g *poolGrad) Emit(e *Emitter) {
	geo := g.p.geometry(g.x, e.InShape(0))
	geo.XStride, geo.YStride = e.OutStride(), e.Stride(0)
	dy, dx, table := e.In(0), e.Out(), e.Table
	perImage := geo.Ho * geo.Wo * geo.C * geo.R * geo.S
	if g.p.max {
		x := e.In(1)
		e.Rows(geo.N, perImage, func(lo, hi int) { table.MaxPoolBackward(geo, x, dy, dx, lo, hi) })
		return
	}
	e.Rows(geo.N, perImage, func(lo, hi int) { table.AvgPoolBackward(geo, dy, dx, lo, hi) })
}

// GlobalAvgPool returns the mean over the positions of images x (N, H, W, C): N, C.
func GlobalAvgPool(x *Node) *Node {
	present("global_avg_pool", x)
	if len(x.shape) != 4 {
		misuse("global_avg_pool", []tensor.Shape{x.shape}, "needs images N x H x W x C")
	}
	return Mean(x, 1, 2)
}

func (*pool2D) Cases() []Case {
	var cases []Case
	add := func(name string, x tensor.Shape, o PoolOptions) {
		for _, kind := range []struct {
			name string
			of   func(*Node, PoolOptions) *Node
		}{{"max ", MaxPool2D}, {"average ", AvgPool2D}} {
			cases = append(cases, Case{Name: kind.name + name, Inputs: []CaseInput{{Shape: x, Kind: Spaced}},
				Build: func(in []*Node) *Node { return kind.of(in[0], o) }})
		}
	}
	add("3x3 stride 1", tensor.Shape{2, 5, 4, 3}, PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)})
	add("3x3 stride 2", tensor.Shape{2, 7, 8, 2}, PoolOptions{Window: Both(3), Stride: Both(2), Padding: Both(1)})
	add("2x2", tensor.Shape{1, 6, 4, 3}, PoolOptions{Window: Both(2)})
	add("2x2 that leaves a row", tensor.Shape{1, 5, 7, 2}, PoolOptions{Window: Both(2)})
	add("uneven", tensor.Shape{1, 6, 7, 2}, PoolOptions{Window: HW{4, 2}, Stride: HW{1, 3}, Padding: HW{2, 1}})
	add("window over the whole image", tensor.Shape{2, 3, 3, 2}, PoolOptions{Window: Both(3)})
	cases = append(cases, Case{Name: "global average", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 4, 5}}},
		Build: func(in []*Node) *Node { return GlobalAvgPool(in[0]) }})
	return cases
}
