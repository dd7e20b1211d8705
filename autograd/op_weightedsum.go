package autograd

import "github.com/nasbench-go/nasbench/tensor"

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
	return flops(times(2*len(in)-3, out.Elements()), in, out)
}

func (*weightedSum) RowWise(in []tensor.Shape, _ tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: upTo(1, len(in))}, true
}

func (*weightedSum) Emit(e *Emitter) {
	w, y, sum := e.In(0), e.Out(), e.Table.WSum
	n := len(w)
	all := make([][]float32, n)
	for i := range all {
		all[i] = e.In(i + 1)
	}
	// Every part has room for the slices of its inputs, so that a run allocates nothing.
	room := make([][]float32, e.parts(chunks(len(y)))*n)
	e.Spread(len(y), chunks(len(y)), func(part, lo, hi int, _ []float32) {
		xs := room[part*n : (part+1)*n]
		for i, x := range all {
			xs[i] = x[lo:hi]
		}
		sum(y[lo:hi], xs, w)
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
	return flops(times(2, in[0].Elements(), out[0]), in, out)
}
func (*dots) RowWise(in []tensor.Shape, _ tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: upTo(0, len(in)), reduces: true}, true
}

func (*dots) Workspace(in []tensor.Shape, out tensor.Shape, parts int) int {
	if parts == 0 {
		parts = chunks(in[0].Elements())
	}
	return parts * out[0]
}

func (*dots) Emit(e *Emitter) {
	dy, out, ws, dot := e.In(0), e.Out(), e.workspace, e.Table.Dot
	n, own := len(out), chunks(len(dy))
	parts := e.parts(own)
	xs := make([][]float32, n)
	for i := range xs {
		xs[i] = e.In(i + 1)
	}
	e.Partials(len(dy), own, func(s share, _ []float32) {
		sums := ws[s.part*n : (s.part+1)*n]
		if s.done == 0 {
			clear(sums)
		}
		for i, x := range xs {
			sums[i] += float32(dot(dy[s.lo:s.hi], x[s.lo:s.hi]))
		}
	})
	e.Small(func() {
		for i := range out {
			var sum float64
			for part := range parts {
				sum += float64(ws[part*n+i])
			}
			out[i] = float32(sum)
		}
	})
}
