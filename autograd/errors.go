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

// Misuse is an error of whoever builds a graph or a model, with which code that builds one panics.
type Misuse interface {
	error
	Misuse()
}

// misuse panics with a ShapeError. It is how shape rules refuse their inputs.
func misuse(op string, in []tensor.Shape, format string, args ...any) {
	panic(&ShapeError{Op: op, Shapes: in, Detail: fmt.Sprintf(format, args...)})
}

// Build runs code that builds a graph or a model and returns the [Misuse] with which it
// panicked, if it did: a ShapeError, or a layers.ConstructionError. Other panics pass through.
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
