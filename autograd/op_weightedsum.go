package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// WeightedSum returns the sum of w[i]*xs[i] for a vector w of len(xs) and inputs of one
// shape, in one pass over memory.
func WeightedSum(w *Node, xs ...*Node) *Node {
	return apply(&weightedSum{}, append([]*Node{w}, xs...)...)
}

type weightedSum struct{}

func (*weightedSum) Name() string { return "weighted_sum" }

func (o *weightedSum) Shape(in []tensor.Shape) tensor.Shape {
	if len(in) < 2 || !in[0].Equal(tensor.Shape{len(in) - 1}) {
		misuse(o.Name(), in, "needs one weight for each input")
	}
	for _, s := range in[2:] {
		if !s.Equal(in[1]) {
			misuse(o.Name(), in, "the inputs differ in shape")
		}
	}
	return in[1]
}

func (*weightedSum) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops((2*len(in)-3)*out.Elements(), in, out)
}

func (*weightedSum) Emit(e *Emitter) {
	w, y, sum := e.In(0), e.Out(), e.Table.WSum
	n := len(w)
	parts := chunks(len(y))
	// Every part has the slices of its inputs ready, so that a run allocates nothing.
	xs := make([][]float32, parts*n)
	for part := range parts {
		lo, hi := kernels.Range(part, parts, len(y))
		for i := range n {
			xs[part*n+i] = e.In(i + 1)[lo:hi]
		}
	}
	e.Step(parts, func(part int, _ []float32) {
		lo, hi := kernels.Range(part, parts, len(y))
		sum(y[lo:hi], xs[part*n:(part+1)*n], w)
	})
}

func (*weightedSum) Grad(n, dy *Node) []*Node {
	w, xs := n.in[0], n.in[1:]
	grads := []*Node{apply(&dots{}, append([]*Node{dy}, xs...)...)}
	for i := range xs {
		grads = append(grads, Scale(dy, Slice(w, []int{i}, []int{i + 1})))
	}
	return grads
}

func (*weightedSum) Cases() []Case {
	s := tensor.Shape{2, 3, 4}
	return []Case{
		{Name: "one input", Inputs: []CaseInput{{Shape: tensor.Shape{1}}, {Shape: s}},
			Build: func(in []*Node) *Node { return WeightedSum(in[0], in[1]) }},
		{Name: "five inputs", Inputs: []CaseInput{{Shape: tensor.Shape{5}}, {Shape: s}, {Shape: s}, {Shape: s}, {Shape: s}, {Shape: s}},
			Build: func(in []*Node) *Node { return WeightedSum(in[0], in[1:]...) }},
		{Name: "one input twice", Inputs: []CaseInput{{Shape: tensor.Shape{2}}, {Shape: s}},
			Build: func(in []*Node) *Node { return WeightedSum(in[0], in[1], in[1]) }},
	}
}

// dots returns the dot product of input 0 with each of the others, as a vector.
type dots struct{ noGrad }

func (*dots) Name() string                         { return "dots" }
func (*dots) Shape(in []tensor.Shape) tensor.Shape { return tensor.Shape{len(in) - 1} }
func (*dots) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(2*in[0].Elements()*out[0], in, out)
}
func (*dots) Workspace(in []tensor.Shape, out tensor.Shape) int {
	return chunks(in[0].Elements()) * out[0]
}

func (*dots) Emit(e *Emitter) {
	dy, out, ws, dot := e.In(0), e.Out(), e.workspace, e.Table.Dot
	n, parts := len(out), chunks(len(dy))
	xs := make([][]float32, n)
	for i := range xs {
		xs[i] = e.In(i + 1)
	}
	e.Step(parts, func(part int, _ []float32) {
		lo, hi := kernels.Range(part, parts, len(dy))
		for i, x := range xs {
			ws[part*n+i] = float32(dot(dy[lo:hi], x[lo:hi]))
		}
	})
	e.Step(1, func(int, []float32) {
		for i := range out {
			var sum float64
			for part := range parts {
				sum += float64(ws[part*n+i])
			}
			out[i] = float32(sum)
		}
	})
}
