package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Add returns a + b. Shapes that differ are broadcast as in numpy: aligned at the innermost dimension, where
// 1 or nothing stretches to the other's length. The same holds for Sub, Mul and Div.
func Add(a, b *Node) *Node { return binaryOp(addKind, a, b) }

// Sub returns a - b.
func Sub(a, b *Node) *Node { return binaryOp(subKind, a, b) }

// Mul returns a * b.
func Mul(a, b *Node) *Node { return binaryOp(mulKind, a, b) }

// Div returns a / b.
func Div(a, b *Node) *Node { return binaryOp(divKind, a, b) }

type binaryKind int

const (
	addKind binaryKind = iota
	subKind
	mulKind
	divKind
)

var binaryNames = [...]string{addKind: "add", subKind: "sub", mulKind: "mul", divKind: "div"}

func binaryOp(kind binaryKind, a, b *Node) *Node {
	sameGraph(binaryNames[kind], a, b)
	if !a.shape.Equal(b.shape) {
		s, ok := broadcastShape(a.shape, b.shape)
		if !ok {
			misuse(binaryNames[kind], []tensor.Shape{a.shape, b.shape}, "the shapes do not fit together")
		}
		a, b = Broadcast(a, s...), Broadcast(b, s...)
	}
	return apply(&binary{kind}, a, b)
}

type binary struct{ kind binaryKind }

func (b *binary) Name() string { return binaryNames[b.kind] }

func (b *binary) Shape(in []tensor.Shape) tensor.Shape { return in[0] }

func (*binary) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*binary) InPlace() []int { return []int{0, 1} }

func (*binary) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01}, true
}

func (b *binary) Emit(e *Emitter) {
	f := [...]func(dst, a, b []float32){addKind: e.Table.Add, subKind: e.Table.Sub, mulKind: e.Table.Mul, divKind: e.Table.Div}[b.kind]
	x, y, out := e.In(0), e.In(1), e.Out()
	e.Chunks(len(out), func(lo, hi int) { f(out[lo:hi], x[lo:hi], y[lo:hi]) })
}

func (b *binary) Grad(n, dy *Node) []*Node {
	switch b.kind {
	case addKind:
		return []*Node{dy, dy}
	case subKind:
		return []*Node{dy, scaleBy(dy, -1)}
	case divKind:
		da := Div(dy, n.in[1])
		return []*Node{da, scaleBy(Mul(da, n), -1)} // d(a/b)/db = -(a/b)/b
	}
	return []*Node{Mul(dy, n.in[1]), Mul(dy, n.in[0])}
}

// divPositive keeps the divisors of cases away from zero.
func divPositive(a, b *Node) *Node { return Div(a, Exp(b)) }

func (*binary) Cases() []Case {
	var cases []Case
	for _, op := range []struct {
		name string
		of   func(a, b *Node) *Node
	}{{"add", Add}, {"sub", Sub}, {"mul", Mul}, {"div", divPositive}} {
		for _, s := range []struct {
			name string
			a, b tensor.Shape
		}{
			{"same shape", tensor.Shape{2, 3, 4}, tensor.Shape{2, 3, 4}},
			{"scalar", tensor.Shape{2, 3}, tensor.Shape{}},
			{"row", tensor.Shape{3, 4}, tensor.Shape{4}},
			{"both stretch", tensor.Shape{3, 1, 4}, tensor.Shape{2, 1}},
		} {
			cases = append(cases, Case{Name: op.name + ", " + s.name, Inputs: []CaseInput{{Shape: s.a}, {Shape: s.b}},
				Build: func(in []*Node) *Node { return op.of(in[0], in[1]) }})
		}
		cases = append(cases, Case{Name: op.name + ", with itself", Inputs: []CaseInput{{Shape: tensor.Shape{5}}},
			Build: func(in []*Node) *Node { return op.of(in[0], in[0]) }})
	}
	return cases
}
