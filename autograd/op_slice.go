package autograd

import (
	"slices"

	"github.com/nasbench-go/nasbench/tensor"
)

// Slice returns the block of x from lo (inclusive) to hi (exclusive) in every dimension.
func Slice(x *Node, lo, hi []int) *Node {
	present("slice", x)
	if len(lo) != len(x.shape) || len(hi) != len(x.shape) {
		misuse("slice", []tensor.Shape{x.shape}, "needs %d bounds on both sides", len(x.shape))
	}
	for d, n := range x.shape {
		if lo[d] < 0 || lo[d] > hi[d] || hi[d] > n {
			misuse("slice", []tensor.Shape{x.shape}, "%d:%d is not within dimension %d", lo[d], hi[d], d)
		}
	}
	if slices.Equal(lo, make([]int, len(lo))) && slices.Equal(hi, x.shape) {
		return x
	}
	return apply(&slice{slices.Clone(lo), slices.Clone(hi)}, x)
}

// Split divides x along its innermost dimension, such as the channels, into pieces of the given sizes.
func Split(x *Node, sizes ...int) []*Node {
	present("split", x)
	total := 0
	for _, n := range sizes {
		total += n
	}
	if total != x.shape.Last() || len(x.shape) == 0 {
		misuse("split", []tensor.Shape{x.shape}, "sizes %v do not add up to the innermost dimension", sizes)
	}
	lo, hi := make([]int, len(x.shape)), slices.Clone([]int(x.shape))
	last := len(x.shape) - 1
	pieces := make([]*Node, len(sizes))
	for i, n := range sizes {
		hi[last] = lo[last] + n
		pieces[i] = Slice(x, lo, hi)
		lo[last] = hi[last]
	}
	return pieces
}

type slice struct{ lo, hi []int }

func (*slice) Name() string { return "slice" }

// Same makes one of two equal slices of a tensor enough.
func (s *slice) Same(other Op) bool {
	o, ok := other.(*slice)
	return ok && slices.Equal(s.lo, o.lo) && slices.Equal(s.hi, o.hi)
}

func (s *slice) Shape(in []tensor.Shape) tensor.Shape {
	out := in[0].Clone()
	for d := range out {
		out[d] = s.hi[d] - s.lo[d]
	}
	return out
}

func (*slice) Work(_ []tensor.Shape, out tensor.Shape) Work {
	return Work{Bytes: 8 * int64(out.Elements())}
}

func (s *slice) RowWise(in []tensor.Shape, out tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, len(out) > 1 && in[0][0] == out[0]
}

// columns reports whether a block of the shape out is some columns of all rows of a tensor of the shape in, and returns the first of them.
func (s *slice) columns(in, out tensor.Shape) (first int, ok bool) {
	last := len(in) - 1
	if last < 0 || !in[:last].Equal(out[:last]) {
		return 0, false
	}
	return s.lo[last], true
}

// run reports whether the elements of a block lie side by side, and returns the first of them.
func (s *slice) run(in, out tensor.Shape) (first int, ok bool) {
	whole := len(in) // the dimensions from here on are whole
	for whole > 0 && in[whole-1] == out[whole-1] {
		whole--
	}
	if whole > 0 && out[:whole-1].Elements() != 1 {
		return 0, false
	}
	for d, n := range in {
		first = first*n + s.lo[d]
	}
	return first, true
}

// Apart says that the result may be a piece, and the input if the slice is some columns of it.
func (s *slice) Apart(in []tensor.Shape, out tensor.Shape) ([]int, bool) {
	if _, ok := s.columns(in[0], out); ok {
		return input0, true
	}
	return nil, true
}

func (s *slice) Emit(e *Emitter) {
	if e.piece(e.node, e.node.in[0]) {
		return
	}
	x, y := e.In(0), e.Out()
	c, to := e.OutShape().Last(), e.OutStride()
	if at, ok := s.columns(e.InShape(0), e.OutShape()); ok {
		from, copyRows := e.Stride(0), e.Table.CopyRows
		e.Rows(e.InShape(0).Rows(), c, func(lo, hi int) { copyRows(y[lo*to:], to, x[lo*from+at:], from, hi-lo, c) })
		return
	}
	rows := blockRows(e.InShape(0), s.lo, e.OutShape())
	e.Rows(len(rows), c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(y[i*to:i*to+c], x[rows[i]:])
		}
	})
}

// blockRows returns where the rows of a block of the given shape start in a tensor of the outer
// shape, when the block's first element is at the given position.
func blockRows(outer tensor.Shape, at []int, block tensor.Shape) []int {
	rows := make([]int, 0, block.Rows())
	if block.Elements() == 0 {
		return rows
	}
	index := make([]int, len(block))
	for range block.Rows() {
		offset := 0
		for d, n := range outer {
			offset = offset*n + at[d] + index[d]
		}
		rows = append(rows, offset)
		for d := len(block) - 2; d >= 0; d-- {
			if index[d]++; index[d] < block[d] {
				break
			}
			index[d] = 0
		}
	}
	return rows
}

func (s *slice) Grad(n, dy *Node) []*Node {
	x := n.in[0]
	after := make([]int, len(x.shape))
	for d := range after {
		after[d] = x.shape[d] - s.hi[d]
	}
	return []*Node{Pad(dy, s.lo, after)}
}

func (*slice) Cases() []Case {
	return []Case{
		{Name: "inner block", Inputs: []CaseInput{{Shape: tensor.Shape{3, 4, 5}}},
			Build: func(in []*Node) *Node { return Slice(in[0], []int{1, 0, 2}, []int{3, 3, 4}) }},
		{Name: "of a vector", Inputs: []CaseInput{{Shape: tensor.Shape{5}}},
			Build: func(in []*Node) *Node { return Slice(in[0], []int{2}, []int{3}) }},
		{Name: "split channels", Inputs: []CaseInput{{Shape: tensor.Shape{2, 2, 3, 7}}},
			Build: func(in []*Node) *Node {
				p := Split(in[0], 2, 4, 1)
				return Concat(p[1], p[2], p[0])
			}},
	}
}
