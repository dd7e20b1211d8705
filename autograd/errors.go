package autograd

import (
	"fmt"
	"strings"

	"github.com/nasbench-go/nasbench/tensor"
)

// ShapeError says that an operation was given shapes or attributes that do not fit.
type ShapeError struct {
	Op     string         // operation, such as "conv2d"
	Shapes []tensor.Shape // of its inputs
	Detail string         // what does not fit
}

func (e *ShapeError) Error() string {
	in := make([]string, len(e.Shapes))
	for i, s := range e.Shapes {
		in[i] = s.String()
	}
	return fmt.Sprintf("autograd: %s(%s): %s", e.Op, strings.Join(in, ", "), e.Detail)
}

// Misuse implements [Misuse].
func (*ShapeError) Misuse() {}

// LabelError says that a label is no class index: not a whole number from 0 to Classes-1. A program that computes a cross-entropy or its gradient panics
// with it in Run; RunContext, or [Build] around Run, returns it.
type LabelError struct {
	Sample  int     // position in the batch
	Value   float32 // of the label
	Classes int
}

func (e *LabelError) Error() string {
	return fmt.Sprintf("label %d of the batch is %g, want a class from 0 to %d", e.Sample, e.Value, e.Classes-1)
}

// Misuse implements [Misuse].
func (*LabelError) Misuse() {}

// CheckLabels returns a [*LabelError] for the first label that is no class index.
func CheckLabels(labels []float32, classes int) error {
	if i := badLabel(labels, classes); i >= 0 {
		return &LabelError{Sample: i, Value: labels[i], Classes: classes}
	}
	return nil
}

// badLabel returns where the first label is that is no class index, or -1.
func badLabel(labels []float32, classes int) int {
	for i, l := range labels {
		if !(l >= 0 && l < float32(classes)) || l != float32(int(l)) {
			return i
		}
	}
	return -1
}

// Misuse is an error of whoever builds a graph or a model, or fills its labels, with which code that builds or runs one panics.
type Misuse interface {
	error
	Misuse()
}

// misuse panics with a ShapeError. It is how shape rules refuse their inputs.
func misuse(op string, in []tensor.Shape, format string, args ...any) {
	panic(&ShapeError{Op: op, Shapes: in, Detail: fmt.Sprintf(format, args...)})
}

// Build runs code that builds a graph or a model and returns the [Misuse] with which it
// panicked, if it did: a ShapeError, a LabelError, or a layers.ConstructionError. Other panics pass through.
func Build(build func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Misuse:
			err = r
		default:
			panic(r)
		}
	}()
	return build()
}
