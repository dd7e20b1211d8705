package tensor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Shape holds the dimensions of a tensor, outermost first. Images are N, H, W, C
// (channels last); matrices are rows, columns. An empty shape is a scalar.
type Shape []int

// Check returns an error if a dimension is negative or the number of elements does
// not fit in an int.
func (s Shape) Check() error {
	n := 1
	for _, d := range s {
		if d < 0 {
			return fmt.Errorf("shape %v has a negative dimension", s)
		}
		if d > 0 && n > math.MaxInt/4/d {
			return fmt.Errorf("shape %v has too many elements", s)
		}
		n *= d
	}
	return nil
}

// Elements returns the product of the dimensions; 1 for a scalar.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Last returns the innermost dimension; 1 for a scalar.
func (s Shape) Last() int {
	if len(s) == 0 {
		return 1
	}
	return s[len(s)-1]
}

// Rows returns the product of all dimensions but the innermost.
func (s Shape) Rows() int {
	if len(s) == 0 {
		return 1
	}
	return s[:len(s)-1].Elements()
}

// Equal reports whether both shapes have the same dimensions.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Clone returns a copy.
func (s Shape) Clone() Shape { return append(Shape{}, s...) }

// String formats the shape as "64x28x28x1"; a scalar is "scalar".
func (s Shape) String() string {
	if len(s) == 0 {
		return "scalar"
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 {
			b.WriteByte('x')
		}
		b.WriteString(strconv.Itoa(d))
	}
	return b.String()
}
