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
	return macs(times(out.Elements(), in[1][0]), in, out)
}

// parts returns into how many partial sums over the inputs a product is divided: one unless its result is too small to be divided itself.
func (*linear) parts(x, w tensor.Shape) int {
	if rows, columns := gemmGrid(x.Rows(), w[1], w[0]); rows*columns > 1 {
		return 1
	}
	return reduceParts(w[0], 2*x.Rows()*w.Elements(), 4*flopGrain)
}

func (l *linear) Workspace(in []tensor.Shape, out tensor.Shape, _ int) int {
	return (l.parts(in[0], in[1]) - 1) * out.Elements()
}

func (l *linear) Emit(e *Emitter) {
	w, parts := e.InShape(1), l.parts(e.InShape(0), e.InShape(1))
	whole := kernels.GEMM{M: e.InShape(0).Rows(), N: w[1], K: w[0], Alpha: 1, LDA: w[0], LDB: w[1], LDC: w[1]}
	if parts == 1 {
		emitGEMM(e, whole)
		return
	}
	x, weights, gemm := e.In(0), e.In(1), e.Table.GEMM
	plans := make([]kernels.GEMM, parts)
	for i := range plans {
		lo, hi := kernels.Range(i, parts, w[0])
		plans[i] = whole
		plans[i].K = hi - lo
		e.Scratch(e.Table.GEMMScratch(&plans[i]))
	}
	e.Reduce(w[0], parts, func(s share, y, scratch []float32) {
		gemm(&plans[s.part], x[s.lo:], weights[s.lo*w[1]:], y, nil, scratch)
	})
}

// A part of a product has whole panels of columns, whose widths are multiples of gemmPanel, and a good number of rows: it packs its columns
// of the right side once, which costs about as much as a few rows.
const (
	gemmPanel      = 16
	gemmColumns    = 128
	gemmRows       = 128
	gemmParts      = 64 // at most
	gemmFew        = 4  // parts that are worth smaller ones
	gemmColumnsFew = 48
	gemmRowsFew    = 64
)

// gemmGrid returns into how many parts the rows and the columns of an m x n product over k are divided. Columns come first,
// because no two parts then pack the same ones.
func gemmGrid(m, n, k int) (rows, columns int) {
	wanted := flopParts(gemmParts, 2*m*n*k)
	columns = max(1, min(wanted, n/gemmColumns))
	rows = max(1, min(kernels.Split(wanted, columns), m/gemmRows))
	if few := min(wanted, gemmFew); rows*columns < few {
		columns = max(1, min(few, n/gemmColumnsFew))
		rows = max(rows, min(kernels.Split(few, columns), m/gemmRowsFew))
	}
	return rows, columns
}

// emitGEMM adds a step that multiplies input 0 by input 1 in parts of rows and columns.
func emitGEMM(e *Emitter, proto kernels.GEMM) {
	rows, columns := gemmGrid(proto.M, proto.N, proto.K)
	panels := kernels.Split(proto.N, gemmPanel)
	type block struct {
		kernels.GEMM
		a, b, c int // where its operands start
	}
	blocks := make([]block, rows*columns)
	for i := range blocks {
		lo, hi := kernels.Range(i/columns, rows, proto.M)
		left, right := kernels.Range(i%columns, columns, panels)
		left, right = left*gemmPanel, min(right*gemmPanel, proto.N)
		b := &blocks[i]
		*b = block{GEMM: proto, a: lo * proto.LDA, b: left, c: lo*proto.LDC + left}
		b.M, b.N = hi-lo, right-left
		if proto.TransA {
			b.a = lo
		}
		if proto.TransB {
			b.b = left * proto.LDB
		}
		e.Scratch(e.Table.GEMMScratch(&b.GEMM))
	}
	x, w, y, gemm := e.In(0), e.In(1), e.Out(), e.Table.GEMM
	e.Step(len(blocks), func(part int, scratch []float32) {
		b := &blocks[part]
		gemm(&b.GEMM, x[b.a:], w[b.b:], y[b.c:], nil, scratch)
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
	return macs(times(in[0].Elements(), l.x.Last()), in, out)
}

func (l *linearBackwardData) Emit(e *Emitter) {
	w := e.InShape(1)
	emitGEMM(e, kernels.GEMM{M: e.InShape(0).Rows(), N: w[0], K: w[1], TransB: true, Alpha: 1, LDA: w[1], LDB: w[1], LDC: w[0]})
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
	return macs(times(in[0].Rows(), l.w.Elements()), in, out)
}

// parts returns into how many partial sums over the rows the gradient is divided: one if it has
// enough elements to be divided itself.
func (l *linearBackwardWeights) parts(x tensor.Shape) int {
	if rows, columns := gemmGrid(l.w[0], l.w[1], x.Rows()); rows*columns >= maxPartials {
		return 1
	}
	return reduceParts(x.Rows(), 2*x.Rows()*l.w.Elements(), 4*flopGrain)
}

func (l *linearBackwardWeights) Workspace(in []tensor.Shape, out tensor.Shape, _ int) int {
	return (l.parts(in[0]) - 1) * out.Elements()
}

func (l *linearBackwardWeights) Emit(e *Emitter) {
	rows, parts := e.InShape(0).Rows(), l.parts(e.InShape(0))
	in, out := l.w[0], l.w[1]
	whole := kernels.GEMM{M: in, N: out, K: rows, TransA: true, Alpha: 1, LDA: in, LDB: out, LDC: out}
	if parts == 1 {
		emitGEMM(e, whole)
		return
	}
	x, dy, gemm := e.In(0), e.In(1), e.Table.GEMM
	plans := make([]kernels.GEMM, parts)
	for i := range plans {
		lo, hi := kernels.Range(i, parts, rows)
		plans[i] = whole
		plans[i].K = hi - lo
		e.Scratch(e.Table.GEMMScratch(&plans[i]))
	}
	e.Reduce(rows, parts, func(s share, dw, scratch []float32) {
		gemm(&plans[s.part], x[s.lo*in:], dy[s.lo*out:], dw, nil, scratch)
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
