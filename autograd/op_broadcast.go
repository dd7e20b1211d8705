package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Broadcast stretches x to a shape, aligned at the innermost dimension: where x has 1 or nothing its
// elements are repeated.
func Broadcast(x *Node, dims ...int) *Node {
	present("broadcast", x)
	out := tensor.Shape(dims).Clone()
	if s, ok := broadcastShape(x.shape, out); !ok || !s.Equal(out) {
		misuse("broadcast", []tensor.Shape{x.shape}, "cannot stretch to %v", out)
	}
	aligned := make(tensor.Shape, len(out))
	for d := range aligned {
		aligned[d] = 1
		if from := d - len(out) + len(x.shape); from >= 0 {
			aligned[d] = x.shape[from]
		}
	}
	x = Reshape(x, aligned...)
	// One run of neighbouring stretched dimensions after the other.
	for d := 0; d < len(out); d++ {
		if x.shape[d] == out[d] {
			continue
		}
		last := d
		for last+1 < len(out) && x.shape[last+1] == 1 {
			last++
		}
		to := x.shape.Clone()
		copy(to[d:last+1], out[d:last+1])
		x = apply(&broadcast{d, last, to}, x)
		d = last
	}
	return x
}

func broadcastShape(a, b tensor.Shape) (tensor.Shape, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := a.Clone()
	for i, n := range b {
		d := len(a) - len(b) + i
		switch {
		case out[d] == n || n == 1:
		case out[d] == 1:
			out[d] = n
		default:
			return nil, false
		}
	}
	return out, true
}

// broadcast repeats blocks over the dimensions first to last, which are 1 in the input.
type broadcast struct {
	first, last int
	out         tensor.Shape
}

func (*broadcast) Name() string                                  { return "broadcast" }
func (b *broadcast) Shape([]tensor.Shape) tensor.Shape           { return b.out }
func (*broadcast) Work(in []tensor.Shape, out tensor.Shape) Work { return flops(0, in, out) }

func (b *broadcast) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	if b.first == 0 {
		return rowAccess{}, true
	}
	return rowAccess{inputs: input0}, true
}

func (b *broadcast) Emit(e *Emitter) {
	x, y := e.In(0), e.Out()
	times, inner := b.out[b.first:b.last+1].Elements(), b.out[b.last+1:].Elements()
	outer := b.out[:b.first].Elements()
	e.Rows(outer*times, inner, func(lo, hi int) {
		if inner == 1 {
			for i := lo; i < hi; i++ {
				y[i] = x[i/times]
			}
			return
		}
		for i := lo; i < hi; i++ {
			from := i / times
			copy(y[i*inner:(i+1)*inner], x[from*inner:(from+1)*inner])
		}
	})
}

func (b *broadcast) Grad(n, dy *Node) []*Node {
	sum := apply(&reduce{first: b.first, last: b.last}, dy)
	return []*Node{Reshape(sum, n.in[0].shape...)}
}

func (*broadcast) Cases() []Case {
	stretch := func(name string, x, out tensor.Shape) Case {
		return Case{Name: name, Inputs: []CaseInput{{Shape: x}}, Build: func(in []*Node) *Node { return Broadcast(in[0], out...) }}
	}
	return []Case{
		stretch("scalar", tensor.Shape{}, tensor.Shape{2, 3}),
		stretch("rows", tensor.Shape{4}, tensor.Shape{3, 4}),
		stretch("columns", tensor.Shape{3, 1}, tensor.Shape{3, 5}),
		stretch("two runs", tensor.Shape{1, 3, 1, 2}, tensor.Shape{4, 3, 5, 2}),
		stretch("a dimension of 1 that stays", tensor.Shape{1, 1, 3}, tensor.Shape{2, 1, 3}),
	}
}
