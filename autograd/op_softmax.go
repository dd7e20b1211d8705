package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Softmax returns exp(x)/sum(exp(x)) over the innermost dimension.
func Softmax(x *Node) *Node { return apply(&softmax{}, x) }

// LogSoftmax returns x - log(sum(exp(x))) over the innermost dimension.
func LogSoftmax(x *Node) *Node { return apply(&softmax{log: true}, x) }

type softmax struct{ log bool }

func (s *softmax) Name() string {
	if s.log {
		return "log_softmax"
	}
	return "softmax"
}

func (s *softmax) Shape(in []tensor.Shape) tensor.Shape {
	if in[0].Last() == 0 {
		misuse(s.Name(), in, "rows of no elements")
	}
	return in[0]
}

// Work counts, for each element, a comparison, a difference, an exponential, a sum and a quotient or difference.
func (*softmax) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(5, out.Elements()), in, out)
}
func (*softmax) InPlace() []int { return []int{0} }

func (*softmax) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (s *softmax) Emit(e *Emitter) {
	x, y, c, f := e.In(0), e.Out(), e.OutShape().Last(), e.Table.Softmax
	if s.log {
		f = e.Table.LogSoftmax
	}
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) { f(y[lo*c:hi*c], x[lo*c:hi*c], hi-lo, c) })
}

func (s *softmax) Grad(n, dy *Node) []*Node {
	return []*Node{apply(&softmaxGrad{log: s.log}, dy, n)}
}

// softmaxGrad computes the gradient from dy and the output.
type softmaxGrad struct {
	noGrad
	log bool
}

func (g *softmaxGrad) Name() string                       { return (&softmax{g.log}).Name() + "_grad" }
func (*softmaxGrad) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*softmaxGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(4, out.Elements()), in, out)
}

func (*softmaxGrad) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01}, true
}

func (g *softmaxGrad) Emit(e *Emitter) {
	dy, y, dx, c, f := e.In(0), e.In(1), e.Out(), e.OutShape().Last(), e.Table.SoftmaxGrad
	if g.log {
		f = e.Table.LogSoftmaxGrad
	}
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) { f(dx[lo*c:hi*c], dy[lo*c:hi*c], y[lo*c:hi*c], hi-lo, c) })
}

func (*softmax) Cases() []Case {
	var cases []Case
	for _, x := range []tensor.Shape{{5}, {3, 4}, {2, 2, 3}, {4, 1}} {
		cases = append(cases,
			Case{Name: "softmax " + x.String(), Inputs: []CaseInput{{Shape: x}}, Build: func(in []*Node) *Node { return Softmax(in[0]) }},
			Case{Name: "log-softmax " + x.String(), Inputs: []CaseInput{{Shape: x}}, Build: func(in []*Node) *Node { return LogSoftmax(in[0]) }})
	}
	return cases
}
