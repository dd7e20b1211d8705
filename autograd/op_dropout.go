package autograd

import (
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// Dropout zeroes every element with probability p and divides the others by 1-p (Srivastava et al. 2014, in its inverted
// form). Which ones follows from the program's seed, the key, the run's step number and the element's position alone; give every
// dropout of a graph its own key. Leave it out of graphs for inference.
func Dropout(x *Node, p float32, key uint64) *Node { return dropOp(x, p, key, false) }

// DropPath zeroes all of an image, one of the leading dimension, with probability p and divides the others by
// 1-p (Larsson et al. 2017; Huang et al. 2016).
func DropPath(x *Node, p float32, key uint64) *Node { return dropOp(x, p, key, true) }

func dropOp(x *Node, p float32, key uint64, path bool) *Node {
	d := &dropout{p, key, path}
	present(d.Name(), x)
	if !(p >= 0 && p < 1) {
		misuse(d.Name(), []tensor.Shape{x.shape}, "probability %v is not in [0, 1)", p)
	}
	if p == 0 {
		return x
	}
	return apply(d, x)
}

// dropout is linear: its gradient is the same mask over dy.
type dropout struct {
	p    float32
	key  uint64
	path bool
}

func (d *dropout) Name() string {
	if d.path {
		return "drop_path"
	}
	return "dropout"
}

func (d *dropout) Shape(in []tensor.Shape) tensor.Shape {
	if d.path && len(in[0]) < 2 {
		misuse(d.Name(), in, "needs a leading dimension of images")
	}
	return in[0]
}

func (*dropout) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*dropout) InPlace() []int { return []int{0} }

func (*dropout) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (d *dropout) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	if d.path {
		return in[0][0]
	}
	return 0
}

func (d *dropout) Emit(e *Emitter) {
	x, y, mask, scal, clock := e.In(0), e.Out(), e.Table.Mask, e.Table.Scal, e.Clock()
	seed, keep := stream.Seed(e.Seed, d.Name(), d.key), 1-d.p
	if !d.path {
		e.Chunks(len(y), func(lo, hi int) { mask(y[lo:hi], x[lo:hi], stream.Mix(seed^*clock), lo, keep) })
		return
	}
	factors, images := e.workspace, e.InShape(0)[0]
	size := len(y) / max(images, 1)
	e.Small(func() {
		for i := range factors {
			factors[i] = 1
		}
		mask(factors, factors, stream.Mix(seed^*clock), 0, keep)
	})
	e.Rows(images, size, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			if to := y[i*size : (i+1)*size]; factors[i] == 0 { // even where x is not finite
				clear(to)
			} else {
				scal(to, x[i*size:(i+1)*size], factors[i])
			}
		}
	})
}

func (d *dropout) Grad(_, dy *Node) []*Node { return []*Node{apply(d, dy)} }

func (*dropout) Cases() []Case {
	return []Case{
		{Name: "elements", Inputs: []CaseInput{{Shape: tensor.Shape{4, 5}}},
			Build: func(in []*Node) *Node { return Dropout(in[0], 0.4, 1) }},
		{Name: "paths", Inputs: []CaseInput{{Shape: tensor.Shape{6, 2, 2, 3}}},
			Build: func(in []*Node) *Node { return DropPath(in[0], 0.5, 2) }},
	}
}
