package tensor

import "fmt"

// ShapeError says that dimensions, an index or bounds do not fit. What returns no error panics with it; autograd.Build returns it.
type ShapeError struct {
	Op     string // operation, such as "slice"
	Shape  Shape  // what it was asked of
	Detail string // what does not fit
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("tensor: %s of shape %v: %s", e.Op, e.Shape, e.Detail)
}

// Misuse implements autograd.Misuse.
func (*ShapeError) Misuse() {}

// misuse panics with a ShapeError.
func misuse(op string, shape Shape, format string, args ...any) {
	panic(&ShapeError{Op: op, Shape: shape.Clone(), Detail: fmt.Sprintf(format, args...)})
}
