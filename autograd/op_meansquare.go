package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// MeanSquaredError returns the mean of (a-b)^2 over all elements: a scalar.
func MeanSquaredError(a, b *Node) *Node {
	sameGraph("mean_squared_error", a, b)
	if !a.shape.Equal(b.shape) {
		misuse("mean_squared_error", []tensor.Shape{a.shape, b.shape}, "the shapes differ")
	}
	return apply(&meanSquare{}, Sub(a, b))
}

// meanSquare is the mean of the squares of all elements.
type meanSquare struct{}

func (*meanSquare) Name() string { return "mean_square" }

func (m *meanSquare) Shape(in []tensor.Shape) tensor.Shape {
	if in[0].Elements() == 0 {
		misuse(m.Name(), in, "the mean of no elements")
	}
	return tensor.Shape{}
}

func (*meanSquare) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(2, in[0].Elements()), in, out)
}
func (*meanSquare) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	return chunks(in[0].Elements())
}

func (*meanSquare) Emit(e *Emitter) {
	x, out, ws, squares, sum := e.In(0), e.Out(), e.workspace, e.Table.SumSquares, e.Table.Sum
	parts := chunks(len(x))
	e.Step(parts, func(part int, _ []float32) {
		lo, hi := kernels.Range(part, parts, len(x))
		ws[part] = float32(squares(x[lo:hi]))
	})
	e.Small(func() { out[0] = float32(sum(ws) / float64(len(x))) })
}

func (*meanSquare) Grad(n, dy *Node) []*Node {
	x := n.in[0]
	return []*Node{Scale(scaleBy(x, 2/float32(x.shape.Elements())), dy)}
}

func (*meanSquare) Cases() []Case {
	s := tensor.Shape{3, 4}
	return []Case{{Name: "mean squared error", Inputs: []CaseInput{{Shape: s}, {Shape: s}},
		Build: func(in []*Node) *Node { return MeanSquaredError(in[0], in[1]) }}}
}
