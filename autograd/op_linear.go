package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Linear multiplies the innermost dimension of x (..., in) by w (in, out): ..., out.
func Linear(x, w *Node) *Node { return apply(&linear{}, x, w) }

type linear struct{}

func (*linear) Name() string { return "linear" }

func (l *linear) Shape(in []tensor.Shape) tensor.Shape {
	if len(in) != 2 || len(in[0]) < 1 || len(in[1]) != 2 {
		misuse(l.Name(), in, "needs x (..., in) and weights (in, out)")
	}
	if in[0].Last() != in[1][0] {
		misuse(l.Name(), in, "%d columns meet %d rows of weights", in[0].Last(), in[1][0])
	}
	out := in[0].Clone()
	out[len(out)-1] = in[1][1]
	return out
}

func (*linear) Work(in []tensor.Shape, out tensor.Shape) Work {
	return macs(out.Elements()*in[1][0], in, out)
}

func (*linear) Emit(e *Emitter) {
	w := e.InShape(1)
	emitRowGEMM(e, kernels.GEMM{N: w[1], K: w[0], Alpha: 1, LDA: w[0], LDB: w[1], LDC: w[1]})
}

// emitRowGEMM adds a step that multiplies the rows of input 0 by input 1, in parts of
// rows. M is the number of rows.
func emitRowGEMM(e *Emitter, proto kernels.GEMM) {
	rows := e.InShape(0).Rows()
	parts := flopParts(rows/32, 2*rows*proto.N*proto.K) // a GEMM packs its right side once
	plans := make([]kernels.GEMM, parts)
	for i := range plans {
		lo, hi := kernels.Range(i, parts, rows)
		plans[i] = proto
		plans[i].M = hi - lo
		e.Scratch(e.Table.GEMMScratch(&plans[i]))
	}
	a, b, c, gemm := e.In(0), e.In(1), e.Out(), e.Table.GEMM
	e.Step(parts, func(part int, scratch []float32) {
		lo, _ := kernels.Range(part, parts, rows)
		gemm(&plans[part], a[lo*proto.LDA:], b, c[lo*proto.LDC:], nil, scratch)
	})
}

func (*linear) Grad(n, dy *Node) []*Node {
	x, w := n.in[0], n.in[1]
	return []*Node{apply(&linearBackwardData{x.shape}, dy, w), apply(&linearBackwardWeights{w.shape}, x, dy)}
}

// linearBackwardData is dy times the transpose of w.
type linearBackwardData struct{ x tensor.Shape }

func (*linearBackwardData) Name() string                        { return "linear_backward_data" }
func (l *linearBackwardData) Shape([]tensor.Shape) tensor.Shape { return l.x }
func (l *linearBackwardData) Work(in []tensor.Shape, out tensor.Shape) Work {
	return macs(in[0].Elements()*l.x.Last(), in, out)
}

func (l *linearBackwardData) Emit(e *Emitter) {
	w := e.InShape(1)
	emitRowGEMM(e, kernels.GEMM{N: w[0], K: w[1], TransB: true, Alpha: 1, LDA: w[1], LDB: w[1], LDC: w[0]})
}

func (l *linearBackwardData) Grad(n, ddx *Node) []*Node {
	dy, w := n.in[0], n.in[1]
	return []*Node{Linear(ddx, w), apply(&linearBackwardWeights{w.shape}, ddx, dy)}
}

// linearBackwardWeights is the transpose of x times dy, summed over all rows.
type linearBackwardWeights struct{ w tensor.Shape }

func (*linearBackwardWeights) Name() string                        { return "linear_backward_weights" }
func (l *linearBackwardWeights) Shape([]tensor.Shape) tensor.Shape { return l.w }
func (l *linearBackwardWeights) Work(in []tensor.Shape, out tensor.Shape) Work {
	return macs(in[0].Rows()*l.w.Elements(), in, out)
}

func (l *linearBackwardWeights) parts(x tensor.Shape) int {
	return reduceParts(x.Rows(), 2*x.Rows()*l.w.Elements(), 4*flopGrain)
}

func (l *linearBackwardWeights) Workspace(in []tensor.Shape, out tensor.Shape) int {
	return (l.parts(in[0]) - 1) * out.Elements()
}

func (l *linearBackwardWeights) Emit(e *Emitter) {
	rows, parts := e.InShape(0).Rows(), l.parts(e.InShape(0))
	in, out := l.w[0], l.w[1]
	x, dy, gemm := e.In(0), e.In(1), e.Table.GEMM
	plans := make([]kernels.GEMM, parts)
	for i := range plans {
		lo, hi := kernels.Range(i, parts, rows)
		plans[i] = kernels.GEMM{M: in, N: out, K: hi - lo, TransA: true, Alpha: 1, LDA: in, LDB: out, LDC: out}
		e.Scratch(e.Table.GEMMScratch(&plans[i]))
	}
	e.Reduce(rows, parts, func(part, lo, _ int, dw, scratch []float32) {
		gemm(&plans[part], x[lo*in:], dy[lo*out:], dw, nil, scratch)
	})
}

func (l *linearBackwardWeights) Grad(n, ddw *Node) []*Node {
	x, dy := n.in[0], n.in[1]
	return []*Node{apply(&linearBackwardData{x.shape}, dy, ddw), Linear(x, ddw)}
}

func (*linear) Cases() []Case {
	mul := func(name string, x, w tensor.Shape) Case {
		return Case{Name: name, Inputs: []CaseInput{{Shape: x}, {Shape: w}},
			Build: func(in []*Node) *Node { return Linear(in[0], in[1]) }}
	}
	return []Case{
		mul("matrix", tensor.Shape{4, 5}, tensor.Shape{5, 3}),
		mul("one row", tensor.Shape{1, 7}, tensor.Shape{7, 2}),
		mul("vector", tensor.Shape{6}, tensor.Shape{6, 4}),
		mul("every position of an image", tensor.Shape{2, 3, 3, 4}, tensor.Shape{4, 5}),
	}
}
