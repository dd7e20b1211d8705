package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Bias adds the vector b (C) to every row of x (..., C).
func Bias(x, b *Node) *Node { return apply(&bias{}, x, b) }

type bias struct{}

func (*bias) Name() string { return "bias" }

func (o *bias) Shape(in []tensor.Shape) tensor.Shape {
	if len(in) != 2 || len(in[0]) < 1 || len(in[1]) != 1 || in[0].Last() != in[1][0] {
		misuse(o.Name(), in, "needs x (..., C) and a vector of C")
	}
	return in[0]
}

func (*bias) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*bias) InPlace() []int { return []int{0} }

func (*bias) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (*bias) Emit(e *Emitter) {
	x, b, y, add := e.In(0), e.In(1), e.Out(), e.Table.AddRow
	c := e.OutShape().Last()
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) { add(y[lo*c:hi*c], x[lo*c:hi*c], b, hi-lo, c) })
}

func (*bias) Grad(_, dy *Node) []*Node { return []*Node{dy, sumRows(dy)} }

func (*bias) Cases() []Case {
	return []Case{
		{Name: "rows", Inputs: []CaseInput{{Shape: tensor.Shape{3, 5}}, {Shape: tensor.Shape{5}}},
			Build: func(in []*Node) *Node { return Bias(in[0], in[1]) }},
		{Name: "image", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 4, 6}}, {Shape: tensor.Shape{6}}},
			Build: func(in []*Node) *Node { return Bias(in[0], in[1]) }},
	}
}
