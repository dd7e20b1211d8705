package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Scale multiplies x by s, a value of one element such as a learned factor.
func Scale(x, s *Node) *Node { return apply(&scale{}, x, s) }

// scaleBy multiplies x by a number.
func scaleBy(x *Node, factor float32) *Node { return apply(&scaleConst{factor}, x) }

type scale struct{}

func (*scale) Name() string { return "scale" }

func (o *scale) Shape(in []tensor.Shape) tensor.Shape {
	if in[1].Elements() != 1 {
		misuse(o.Name(), in, "the factor must have one element")
	}
	return in[0]
}

func (*scale) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*scale) InPlace() []int { return []int{0} }

func (*scale) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (*scale) Emit(e *Emitter) {
	x, s, y, scal := e.In(0), e.In(1), e.Out(), e.Table.Scal
	e.Chunks(len(y), func(lo, hi int) { scal(y[lo:hi], x[lo:hi], s[0]) })
}

func (*scale) Grad(n, dy *Node) []*Node {
	x, s := n.in[0], n.in[1]
	return []*Node{Scale(dy, s), Reshape(Sum(Mul(dy, x)), s.shape...)}
}

func (*scale) Cases() []Case {
	return []Case{
		{Name: "vector of one", Inputs: []CaseInput{{Shape: tensor.Shape{3, 4}}, {Shape: tensor.Shape{1}}},
			Build: func(in []*Node) *Node { return Scale(in[0], in[1]) }},
		{Name: "scalar", Inputs: []CaseInput{{Shape: tensor.Shape{3}}, {Shape: tensor.Shape{}}},
			Build: func(in []*Node) *Node { return Scale(in[0], in[1]) }},
		{Name: "constant", Inputs: []CaseInput{{Shape: tensor.Shape{3}}},
			Build: func(in []*Node) *Node { return scaleBy(in[0], -2.5) }},
	}
}

type scaleConst struct{ factor float32 }

func (*scaleConst) Name() string                         { return "scale_constant" }
func (*scaleConst) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*scaleConst) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*scaleConst) InPlace() []int             { return []int{0} }
func (o *scaleConst) Grad(_, dy *Node) []*Node { return []*Node{scaleBy(dy, o.factor)} }

func (*scaleConst) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (o *scaleConst) Emit(e *Emitter) {
	x, y, scal := e.In(0), e.Out(), e.Table.Scal
	e.Chunks(len(y), func(lo, hi int) { scal(y[lo:hi], x[lo:hi], o.factor) })
}
