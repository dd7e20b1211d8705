package tensor

import (
	"fmt"
	"slices"
)

// Full returns a contiguous tensor whose elements all equal v. It panics if a
// dimension is negative.
func Full(v float32, dims ...int) *Tensor {
	t := New(dims...)
	for i := range t.data {
		t.data[i] = v
	}
	return t
}

// At returns one element; a scalar takes no index. It panics if the number of indices
// is not the number of dimensions or an index is out of range; such panics are a [*ShapeError].
func (t *Tensor) At(index ...int) float32 { return t.data[t.offset(index)] }

// Set changes one element. It panics as [Tensor.At] does.
func (t *Tensor) Set(v float32, index ...int) { t.data[t.offset(index)] = v }

// offset returns the place of an element in the storage.
func (t *Tensor) offset(index []int) int {
	if len(index) != len(t.shape) {
		misuse("element", t.shape, "%d indices", len(index))
	}
	row, last := 0, 0
	for i, x := range index {
		if x < 0 || x >= t.shape[i] {
			misuse("element", t.shape, "index %v is out of range", slices.Clone(index))
		}
		if i == len(index)-1 {
			last = x
		} else {
			row = row*t.shape[i] + x
		}
	}
	return row*t.stride + last
}

// view returns a tensor over t's storage that begins at element offset.
func (t *Tensor) view(shape Shape, offset, stride int) *Tensor {
	span := 0
	if shape.Elements() > 0 {
		span = (shape.Rows()-1)*stride + shape.Last()
	} else {
		offset = 0
	}
	return &Tensor{shape: shape, data: t.data[offset : offset+span : offset+span], stride: stride}
}

// Slice returns the part lo <= i < hi of the leading dimension, without copying. It
// panics if t is a scalar or the bounds are out of range.
func (t *Tensor) Slice(lo, hi int) *Tensor {
	if len(t.shape) == 0 || lo < 0 || hi < lo || hi > t.shape[0] {
		misuse("slice", t.shape, "[%d:%d] is out of range", lo, hi)
	}
	if len(t.shape) == 1 {
		return t.Channels(lo, hi)
	}
	shape := t.shape.Clone()
	shape[0] = hi - lo
	return t.view(shape, lo*shape[1:].Rows()*t.stride, t.stride)
}

// Channels returns the part lo <= c < hi of the innermost dimension, without copying.
// Unless it is the whole, its rows have gaps between them: see [Tensor.RowStride]. It
// panics if t is a scalar or the bounds are out of range.
func (t *Tensor) Channels(lo, hi int) *Tensor {
	if len(t.shape) == 0 || lo < 0 || hi < lo || hi > t.shape.Last() {
		misuse("channels", t.shape, "[%d:%d] is out of range", lo, hi)
	}
	shape := t.shape.Clone()
	shape[len(shape)-1] = hi - lo
	return t.view(shape, lo, t.stride)
}

// Reshape returns the same elements, in the same order, under other dimensions,
// without copying. One dimension may be -1: it is computed from the others. It is an
// error if the number of elements differs or t is not contiguous.
func (t *Tensor) Reshape(dims ...int) (*Tensor, error) {
	shape := Shape(dims).Clone()
	open := slices.Index(shape, -1)
	if open >= 0 {
		shape[open] = 1
	}
	if err := shape.Check(); err != nil {
		return nil, fmt.Errorf("tensor: reshape of %v: %w", t.shape, err)
	}
	if n := shape.Elements(); open >= 0 && n > 0 && t.Len()%n == 0 {
		shape[open] = t.Len() / n
	}
	if shape.Elements() != t.Len() {
		return nil, fmt.Errorf("tensor: shape %v has %d elements, cannot become %v", t.shape, t.Len(), Shape(dims))
	}
	if !t.Contiguous() {
		return nil, fmt.Errorf("tensor: reshape to %v: the %v tensor is not contiguous (rows %d apart); clone it first", shape, t.shape, t.stride)
	}
	return &Tensor{shape: shape, data: t.data, stride: shape.Last()}, nil
}

// CopyFrom copies the elements of src, whose shape must be the same. Either side may
// be strided. The two must not share storage, unless they are the same view.
func (t *Tensor) CopyFrom(src *Tensor) error {
	if src == nil {
		return fmt.Errorf("tensor: copy of no tensor into shape %v", t.shape)
	}
	if !t.shape.Equal(src.shape) {
		return fmt.Errorf("tensor: copy of shape %v into shape %v", src.shape, t.shape)
	}
	if t.Contiguous() && src.Contiguous() {
		copy(t.data, src.data)
		return nil
	}
	for i := range t.rows() {
		copy(t.Row(i), src.Row(i))
	}
	return nil
}

// Clone returns a contiguous copy with storage of its own.
func (t *Tensor) Clone() *Tensor {
	c := New(t.shape...)
	for i := range t.rows() {
		copy(c.Row(i), t.Row(i))
	}
	return c
}

// rows returns the number of rows that hold elements. An empty tensor has none, however
// large its outer dimensions are.
func (t *Tensor) rows() int {
	if t.shape.Last() == 0 {
		return 0
	}
	return t.shape.Rows()
}
