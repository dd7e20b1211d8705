package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Concat joins tensors that agree in all but the innermost dimension along it, such as
// images along their channels.
func Concat(xs ...*Node) *Node {
	present("concat", xs...)
	if len(xs) == 1 {
		return xs[0]
	}
	return apply(&concat{}, xs...)
}

type concat struct{}

func (*concat) Name() string { return "concat" }

// Same makes one of two equal concatenations enough.
func (*concat) Same(other Op) bool {
	_, ok := other.(*concat)
	return ok
}

func (c *concat) Shape(in []tensor.Shape) tensor.Shape {
	out := in[0].Clone()
	if len(out) == 0 {
		misuse(c.Name(), in, "scalars have no dimension to join along")
	}
	last := len(out) - 1
	for _, s := range in[1:] {
		if len(s) != len(out) || !s[:last].Equal(out[:last]) {
			misuse(c.Name(), in, "the outer dimensions differ")
		}
		out[last] += s[last]
	}
	return out
}

func (*concat) Work(in []tensor.Shape, out tensor.Shape) Work { return flops(0, in, out) }

func (*concat) RowWise(in []tensor.Shape, out tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: upTo(0, len(in))}, len(out) > 1
}

func (*concat) Emit(e *Emitter) {
	y, width, copyRows := e.Out(), e.OutShape().Last(), e.Table.CopyRows
	type part struct {
		x             []float32
		stride, c, at int
	}
	var parts []part // what is not there yet
	at, copied := 0, 0
	for i, x := range e.node.in {
		c := x.shape.Last()
		if !e.piece(x, e.node) {
			parts = append(parts, part{e.In(i), e.Stride(i), c, at})
			copied += c
		}
		at += c
	}
	if len(parts) == 0 {
		return
	}
	e.Rows(e.OutShape().Rows(), copied, func(lo, hi int) {
		for i := range parts {
			p := &parts[i]
			copyRows(y[lo*width+p.at:], width, p.x[lo*p.stride:], p.stride, hi-lo, p.c)
		}
	})
}

// Apart says that the inputs may be pieces of something else; the result, which has pieces itself, is none.
func (*concat) Apart(in []tensor.Shape, _ tensor.Shape) ([]int, bool) { return upTo(0, len(in)), false }

func (*concat) Grad(n, dy *Node) []*Node {
	sizes := make([]int, len(n.in))
	for i, x := range n.in {
		sizes[i] = x.shape.Last()
	}
	return Split(dy, sizes...)
}

func (*concat) Cases() []Case {
	return []Case{
		{Name: "channels", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 2, 3}}, {Shape: tensor.Shape{2, 3, 2, 1}}, {Shape: tensor.Shape{2, 3, 2, 4}}},
			Build: func(in []*Node) *Node { return Concat(in...) }},
		{Name: "vectors", Inputs: []CaseInput{{Shape: tensor.Shape{2}}, {Shape: tensor.Shape{3}}},
			Build: func(in []*Node) *Node { return Concat(in...) }},
		{Name: "one input twice", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3}}},
			Build: func(in []*Node) *Node { return Concat(in[0], in[0]) }},
	}
}
