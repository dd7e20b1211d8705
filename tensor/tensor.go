package tensor

import (
	"fmt"
	"unsafe"
)

// alignment is the byte alignment of the first element of every tensor that this
// package allocates: one cache line, which is also one AVX-512 register.
const alignment = 64

// Tensor is a view of float32 storage: a shape, and rows of the innermost dimension
// that lie RowStride elements apart. A tensor made by [New] is contiguous; one made
// by [Tensor.Channels] is not, because its rows are pieces of wider rows.
//
// Copies of a Tensor and the views taken from it share storage.
type Tensor struct {
	shape  Shape
	data   []float32
	stride int // elements between the starts of consecutive rows
}

// New returns a contiguous tensor of zeros, aligned to 64 bytes. No dimensions make
// a tensor of one element. New panics with a [*ShapeError] if a dimension is negative or there are
// too many elements.
func New(dims ...int) *Tensor {
	s := Shape(dims).Clone()
	if err := s.Check(); err != nil {
		panic(&ShapeError{Op: "tensor", Shape: s, Detail: err.Error()})
	}
	return &Tensor{shape: s, data: Alloc(s.Elements()), stride: s.Last()}
}

// FromSlice returns a contiguous tensor over data, without copying. The number of
// elements must match the dimensions exactly.
func FromSlice(data []float32, dims ...int) (*Tensor, error) {
	s := Shape(dims).Clone()
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("tensor: %w", err)
	}
	if len(data) != s.Elements() {
		return nil, fmt.Errorf("tensor: shape %v needs %d elements, the slice has %d", s, s.Elements(), len(data))
	}
	return &Tensor{shape: s, data: data, stride: s.Last()}, nil
}

// Alloc returns n zeroed floats whose first element is aligned to 64 bytes.
func Alloc(n int) []float32 {
	if n < 0 {
		misuse("memory", Shape{n}, "a negative number of floats")
	}
	const slack = alignment / 4
	raw := make([]float32, n+slack)
	skip := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % alignment); rest != 0 {
		skip = (alignment - rest) / 4
	}
	return raw[skip : skip+n : skip+n]
}

// Shape returns the dimensions, outermost first. The caller must not change them.
func (t *Tensor) Shape() Shape { return t.shape }

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.shape.Elements() }

// RowStride returns the distance, in elements, between the starts of consecutive
// rows of the innermost dimension.
func (t *Tensor) RowStride() int { return t.stride }

// Contiguous reports whether the elements lie side by side in row-major order.
func (t *Tensor) Contiguous() bool { return t.stride == t.shape.Last() || t.shape.Rows() <= 1 }

// Data returns the storage from the tensor's first element to its last. For a
// tensor that is not contiguous it includes the gaps between the rows.
func (t *Tensor) Data() []float32 { return t.data }

// Row returns row i of the innermost dimension; rows are counted through all outer
// dimensions in row-major order. It panics with a [*ShapeError] if there is no such row.
func (t *Tensor) Row(i int) []float32 {
	n := t.shape.Last()
	if i < 0 || n > 0 && i >= t.shape.Rows() {
		misuse("row", t.shape, "row %d is out of range", i)
	}
	return t.data[i*t.stride : i*t.stride+n : i*t.stride+n]
}
