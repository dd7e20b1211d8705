package autograd

import (
	"slices"

	"github.com/nasbench-go/nasbench/tensor"
)

// Sum adds up x over the given dimensions, which vanish; over all of them if none is given.
func Sum(x *Node, axes ...int) *Node { return reduceOver(x, axes, false) }

// Mean averages x over the given dimensions, which vanish; over all of them if none is given.
func Mean(x *Node, axes ...int) *Node { return reduceOver(x, axes, true) }

// sumRows adds up the rows of the innermost dimension.
func sumRows(x *Node) *Node {
	axes := make([]int, len(x.shape)-1)
	for i := range axes {
		axes[i] = i
	}
	if len(axes) == 0 {
		return x
	}
	return Sum(x, axes...)
}

// reduceOver reduces one run of neighbouring dimensions after the other, the last first.
func reduceOver(x *Node, axes []int, mean bool) *Node {
	name := reduceName(mean)
	present(name, x)
	axes = slices.Sorted(slices.Values(axes))
	if len(axes) == 0 {
		for d := range x.shape {
			axes = append(axes, d)
		}
	}
	for i, d := range axes {
		if d < 0 || d >= len(x.shape) || i > 0 && d == axes[i-1] {
			misuse(name, []tensor.Shape{x.shape}, "bad dimensions %v", axes)
		}
	}
	for len(axes) > 0 {
		end := len(axes)
		start := end - 1
		for start > 0 && axes[start-1] == axes[start]-1 {
			start--
		}
		x = apply(&reduce{mean: mean, first: axes[start], last: axes[end-1]}, x)
		axes = axes[:start]
	}
	return x
}

func reduceName(mean bool) string {
	if mean {
		return "mean"
	}
	return "sum"
}

// reduce adds up or averages over the dimensions first to last.
type reduce struct {
	mean        bool
	first, last int
}

func (r *reduce) Name() string { return reduceName(r.mean) }

func (r *reduce) Shape(in []tensor.Shape) tensor.Shape {
	if r.mean && in[0].Elements() == 0 {
		misuse(r.Name(), in, "the mean of no elements")
	}
	return append(in[0][:r.first].Clone(), in[0][r.last+1:]...)
}

// Work counts an addition for every element; the first sum to zero stands for the mean's division.
func (*reduce) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(in[0].Elements()), in, out)
}

// split returns the shape as outer x reduced x inner.
func (r *reduce) split(x tensor.Shape) (outer, n, inner int) {
	return x[:r.first].Elements(), x[r.first : r.last+1].Elements(), x[r.last+1:].Elements()
}

func (r *reduce) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0, reduces: r.first == 0}, true
}

func (r *reduce) Workspace(in []tensor.Shape, _ tensor.Shape, parts int) int {
	outer, n, inner := r.split(in[0])
	if r.first > 0 && (outer != 1 || parts > 0) {
		return 0
	}
	if parts == 0 {
		parts = reduceParts(n, n*inner, grain)
	}
	return parts * inner
}

func (r *reduce) Emit(e *Emitter) {
	outer, n, inner := r.split(e.InShape(0))
	x, y, ws := e.In(0), e.Out(), e.workspace
	channelSum, sum, scal := e.Table.ChannelSum, e.Table.Sum, e.Table.Scal
	factor := float32(1)
	if r.mean {
		factor = float32(1 / float64(n))
	}
	one := func(dst, x []float32, rows int) {
		if inner == 1 {
			dst[0] = float32(sum(x))
		} else {
			channelSum(dst, x, rows, inner)
		}
	}
	if r.first > 0 && (outer != 1 || e.group != nil) {
		e.Rows(outer, n*inner, func(lo, hi int) {
			for o := lo; o < hi; o++ {
				one(y[o*inner:(o+1)*inner], x[o*n*inner:(o+1)*n*inner], n)
			}
			if r.mean {
				scal(y[lo*inner:hi*inner], y[lo*inner:hi*inner], factor)
			}
		})
		return
	}
	own := reduceParts(n, n*inner, grain)
	parts, add := e.parts(own), e.Table.Add
	e.Scratch(inner)
	e.Partials(n, own, func(s share, scratch []float32) {
		dst := ws[s.part*inner : (s.part+1)*inner]
		if s.done == 0 {
			one(dst, x[s.lo*inner:s.hi*inner], s.hi-s.lo)
			return
		}
		one(scratch[:inner], x[s.lo*inner:s.hi*inner], s.hi-s.lo)
		add(dst, dst, scratch[:inner])
	})
	e.Small(func() {
		one(y, ws[:parts*inner], parts)
		if r.mean {
			scal(y, y, factor)
		}
	})
}

func (r *reduce) Grad(n, dy *Node) []*Node {
	x := n.in[0].shape
	if r.mean {
		_, count, _ := r.split(x)
		dy = scaleBy(dy, float32(1/float64(count)))
	}
	kept := x.Clone()
	for d := r.first; d <= r.last; d++ {
		kept[d] = 1
	}
	return []*Node{Broadcast(Reshape(dy, kept...), x...)}
}

func (*reduce) Cases() []Case {
	var cases []Case
	for _, axes := range [][]int{{}, {0}, {1}, {3}, {1, 2}, {0, 1, 2}, {0, 2}, {0, 3}, {1, 2, 3}} {
		for _, op := range []func(*Node, ...int) *Node{Sum, Mean} {
			cases = append(cases, Case{Name: "over " + tensor.Shape(axes).String(), Inputs: []CaseInput{{Shape: tensor.Shape{2, 3, 4, 5}}},
				Build: func(in []*Node) *Node { return op(in[0], axes...) }})
		}
	}
	return append(cases, Case{Name: "scalar", Inputs: []CaseInput{{Shape: tensor.Shape{}}},
		Build: func(in []*Node) *Node { return Mean(in[0]) }})
}
