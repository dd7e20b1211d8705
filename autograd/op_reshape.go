package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Reshape returns the elements of x in another shape, without copying. One dimension
// may be -1: what is left.
func Reshape(x *Node, dims ...int) *Node {
	present("reshape", x)
	s := tensor.Shape(dims).Clone()
	known, open := 1, -1
	for d, n := range s {
		switch {
		case n >= 0:
			known *= n
		case n == -1 && open < 0:
			open = d
		default:
			misuse("reshape", []tensor.Shape{x.shape}, "bad dimensions %v", dims)
		}
	}
	if open >= 0 && known > 0 {
		s[open] = x.shape.Elements() / known
	}
	if open >= 0 && known == 0 || s.Elements() != x.shape.Elements() {
		misuse("reshape", []tensor.Shape{x.shape}, "the elements do not fit %v", dims)
	}
	if s.Equal(x.shape) {
		return x
	}
	return apply(&view{name: "reshape", out: s}, x)
}

// StopGradient returns x, through which no gradient flows.
func StopGradient(x *Node) *Node {
	present("stop_gradient", x)
	return apply(&view{name: "stop_gradient", out: x.shape, stop: true}, x)
}

// row returns row i of a matrix, as a vector, without copying.
func row(x *Node, i int) *Node {
	c := x.shape[1]
	return apply(&view{name: "row", offset: i * c, out: tensor.Shape{c}}, x)
}

// view is a contiguous piece of its input under another shape.
type view struct {
	name   string
	offset int
	out    tensor.Shape
	stop   bool // no gradient
}

func (v *view) Name() string                         { return v.name }
func (v *view) Shape([]tensor.Shape) tensor.Shape    { return v.out }
func (*view) Work([]tensor.Shape, tensor.Shape) Work { return Work{} }
func (v *view) View([]tensor.Shape) int              { return v.offset }
func (*view) Emit(*Emitter)                          {}

func (v *view) Grad(n, dy *Node) []*Node {
	x := n.in[0].shape
	switch {
	case v.stop:
		return []*Node{nil}
	case v.out.Elements() == x.Elements():
		return []*Node{Reshape(dy, x...)}
	}
	after := x.Elements() - v.offset - v.out.Elements()
	flat := Pad(Reshape(dy, -1), []int{v.offset}, []int{after})
	return []*Node{Reshape(flat, x...)}
}

func (*view) Cases() []Case {
	return []Case{
		{Name: "reshape", Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 4}}},
			Build: func(in []*Node) *Node { return Mul(Reshape(in[0], 4, -1), Reshape(in[0], 4, 6)) }},
		{Name: "row", Inputs: []CaseInput{{Shape: tensor.Shape{3, 4}}},
			Build: func(in []*Node) *Node { return Mul(row(in[0], 1), row(in[0], 2)) }},
		{Name: "stop gradient", Inputs: []CaseInput{{Shape: tensor.Shape{3}}, {Shape: tensor.Shape{3}, Fixed: true}},
			Build: func(in []*Node) *Node { return Mul(in[0], StopGradient(in[1])) }},
	}
}
