package autograd

import (
	"math"
	"math/bits"

	"github.com/nasbench-go/nasbench/tensor"
)

// Op is an operation: a small immutable value that holds the attributes (stride, groups, axis ...).
// Everything about it stands in its own file.
//
// An operation may also implement
//
//	View(in) int          // the output is input 0, from this element on: no copy
//	InPlace() []int       // inputs that the output may be written over
//	Workspace(in, out, parts) int // floats of memory that it needs while it runs; parts is 0, or those of its group
//	Apart(in, out) (inputs []int, output bool) // what may be a piece of a wider tensor; see pieces.go
//	RowWise(in, out) (access, ok)  // images are independent; see rowwise.go
//	Writes() []int        // inputs (variables) that it writes to; see [Graph] effects
type Op interface {
	// Name is the field's word for the operation, such as "conv2d".
	Name() string
	// Shape returns the output's shape. It panics with a *ShapeError if the inputs do not fit.
	Shape(in []tensor.Shape) tensor.Shape
	// Work returns the exact cost of one execution.
	Work(in []tensor.Shape, out tensor.Shape) Work
	// Emit adds the execution to a program.
	Emit(e *Emitter)
	// Grad adds the nodes that compute the gradients of the loss for n's inputs from dy, its
	// gradient for n. A nil entry means that the input has no gradient.
	Grad(n, dy *Node) []*Node
}

type viewer interface {
	View(in []tensor.Shape) (offset int)
}

type inPlacer interface {
	InPlace() []int
}

// surrounding is an operation that may be written over an input and whose other inputs are read at other places than that.
type surrounding interface {
	Surroundings()
}

type workspacer interface {
	Workspace(in []tensor.Shape, out tensor.Shape, parts int) int
}

type writer interface {
	Writes() []int
}

// Work is the cost of an operation. MACs are multiply-accumulate pairs of convolutions and matrix
// products, padded taps counted; each is 2 of the FLOPs. Bytes are what the operation
// reads and writes once: its inputs and its output. A number that an int64 cannot hold is math.MaxInt64.
type Work struct {
	FLOPs, MACs, Bytes int64
}

// flops returns the work of an operation that reads its inputs and writes its output
// once.
func flops(n int64, in []tensor.Shape, out tensor.Shape) Work {
	b := times(4, out.Elements())
	for _, s := range in {
		b = plus(b, times(4, s.Elements()))
	}
	return Work{FLOPs: n, Bytes: b}
}

// times returns the product of numbers from 0 up, or math.MaxInt64 if that is too large.
func times(numbers ...int) int64 {
	product := uint64(1)
	tooLarge := false
	for _, n := range numbers {
		high, low := bits.Mul64(product, uint64(n))
		if n == 0 {
			return 0
		}
		tooLarge = tooLarge || high != 0 || low > math.MaxInt64
		product = low
	}
	if tooLarge {
		return math.MaxInt64
	}
	return int64(product)
}

// plus returns the sum of numbers from 0 up, or math.MaxInt64 if that is too large.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// add adds the work of another operation.
func (w *Work) add(other Work) {
	w.FLOPs, w.MACs, w.Bytes = plus(w.FLOPs, other.FLOPs), plus(w.MACs, other.MACs), plus(w.Bytes, other.Bytes)
}

// macs is like flops for n multiply-accumulate pairs.
func macs(n int64, in []tensor.Shape, out tensor.Shape) Work {
	w := flops(plus(n, n), in, out)
	w.MACs = n
	return w
}

// Summary is the cost of a graph. A number that an int64 cannot hold is math.MaxInt64.
type Summary struct {
	FLOPs, MACs, Bytes int64
	Params             int64 // elements of the trainable variables: those that no operation keeps as running statistics
	ActivationBytes    int64 // outputs of all operations, views excluded: what training must keep without fusion
}

// Summarize adds up the work of all nodes that the outputs need.
func Summarize(outputs ...*Node) Summary {
	var s Summary
	if len(outputs) == 0 {
		return s
	}
	sameGraph("summary", outputs...)
	statistics := map[*Node]bool{}
	nodes := needed(outputs)
	for _, n := range nodes {
		if b, ok := n.op.(*batchNorm); ok && !b.training {
			statistics[n.in[3]], statistics[n.in[4]] = true, true
		}
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				statistics[n.in[i]] = true
			}
		}
	}
	for _, n := range nodes {
		switch n.kind {
		case variableNode:
			if !statistics[n] {
				s.Params = plus(s.Params, int64(n.shape.Elements()))
			}
		case opNode:
			w := n.op.Work(shapesOf(n.in), n.shape)
			s.FLOPs, s.MACs, s.Bytes = plus(s.FLOPs, w.FLOPs), plus(s.MACs, w.MACs), plus(s.Bytes, w.Bytes)
			if _, view := n.op.(viewer); !view {
				s.ActivationBytes = plus(s.ActivationBytes, times(4, n.shape.Elements()))
			}
		}
	}
	return s
}
