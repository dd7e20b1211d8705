package autograd

import (
	"slices"

	"github.com/nasbench-go/nasbench/tensor"
)

// Pad surrounds x with zeros: before and after hold their number for every dimension.
func Pad(x *Node, before, after []int) *Node {
	present("pad", x)
	if len(before) != len(x.shape) || len(after) != len(x.shape) {
		misuse("pad", []tensor.Shape{x.shape}, "needs %d numbers on both sides", len(x.shape))
	}
	for d := range before {
		if before[d] < 0 || after[d] < 0 {
			misuse("pad", []tensor.Shape{x.shape}, "dimension %d: negative padding", d)
		}
	}
	return apply(&pad{slices.Clone(before), slices.Clone(after)}, x)
}

type pad struct{ before, after []int }

func (*pad) Name() string { return "pad" }

func (p *pad) Shape(in []tensor.Shape) tensor.Shape {
	out := in[0].Clone()
	for d := range out {
		out[d] += p.before[d] + p.after[d]
	}
	return out
}

func (*pad) Work(in []tensor.Shape, out tensor.Shape) Work { return flops(0, in, out) }

func (p *pad) RowWise(in []tensor.Shape, out tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, len(out) > 1 && in[0][0] == out[0]
}

func (p *pad) Emit(e *Emitter) {
	x, y := e.In(0), e.Out()
	rows := blockRows(e.OutShape(), p.before, e.InShape(0))
	c := e.InShape(0).Last()
	e.Chunks(len(y), func(lo, hi int) { clear(y[lo:hi]) })
	e.Rows(len(rows), c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(y[rows[i]:rows[i]+c], x[i*c:])
		}
	})
}

func (p *pad) Grad(n, dy *Node) []*Node {
	hi := make([]int, len(p.before))
	for d := range hi {
		hi[d] = p.before[d] + n.in[0].shape[d]
	}
	return []*Node{Slice(dy, p.before, hi)}
}

func (*pad) Cases() []Case {
	return []Case{
		{Name: "image", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 4, 2}}},
			Build: func(in []*Node) *Node { return Pad(in[0], []int{0, 1, 2, 0}, []int{0, 2, 0, 0}) }},
		{Name: "channels", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3}}},
			Build: func(in []*Node) *Node { return Pad(in[0], []int{0, 1}, []int{0, 2}) }},
	}
}
