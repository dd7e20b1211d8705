package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// count returns a tensor of 0, 1, 2, ... in row-major order.
func count(dims ...int) *Tensor {
	t := New(dims...)
	for i := range t.data {
		t.data[i] = float32(i)
	}
	return t
}

// elements returns the elements in row-major order, gathered through At.
func elements(t *Tensor) []float32 {
	out := []float32{}
	index := make([]int, len(t.Shape()))
	var walk func(d int)
	walk = func(d int) {
		if d == len(index) {
			out = append(out, t.At(index...))
			return
		}
		for i := range t.Shape()[d] {
			index[d] = i
			walk(d + 1)
		}
	}
	walk(0)
	return out
}

func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", name)
		}
	}()
	f()
}

func TestNewIsZeroContiguousAndAligned(t *testing.T) {
	for _, dims := range [][]int{{}, {0}, {1}, {7}, {2, 3}, {4, 5, 6, 7}, {3, 0, 2}} {
		x := New(dims...)
		if x.Len() != len(x.Data()) || !x.Contiguous() || x.Len() != Shape(dims).Elements() {
			t.Errorf("%v: %d elements in %d, contiguous %v", dims, x.Len(), len(x.Data()), x.Contiguous())
		}
		if x.Len() > 0 && uintptr(unsafe.Pointer(&x.Data()[0]))%64 != 0 {
			t.Errorf("%v: not aligned to 64 bytes", dims)
		}
		if slices.ContainsFunc(x.Data(), func(v float32) bool { return v != 0 }) {
			t.Errorf("%v: not zero", dims)
		}
	}
	mustPanic(t, "New with a negative dimension", func() { New(2, -1) })
}

func TestFromSliceNeedsTheRightLength(t *testing.T) {
	for _, c := range []struct {
		n    int
		dims []int
		ok   bool
	}{{6, []int{2, 3}, true}, {5, []int{2, 3}, false}, {1, nil, true}, {0, nil, false}, {0, []int{0, 4}, true}, {4, []int{-2, -2}, false}} {
		_, err := FromSlice(make([]float32, c.n), c.dims...)
		if (err == nil) != c.ok {
			t.Errorf("%d elements as %v: %v", c.n, c.dims, err)
		}
	}
}

func TestShapeCheckRefusesOverflow(t *testing.T) {
	for _, s := range []Shape{{-1}, {math.MaxInt / 2, 2}, {math.MaxInt / 1000, 3, 1000}} {
		if s.Check() == nil {
			t.Errorf("%v was accepted", s)
		}
	}
}

func TestFullAtSet(t *testing.T) {
	x := Full(2.5, 2, 3, 4)
	x.Set(7, 1, 2, 3)
	x.Set(8, 0, 0, 0)
	for i, v := range x.Data() {
		want := float32(2.5)
		switch i {
		case 0:
			want = 8
		case 23:
			want = 7
		}
		if v != want {
			t.Errorf("element %d is %v, want %v", i, v, want)
		}
	}
	if s := Full(3); s.At() != 3 {
		t.Errorf("scalar is %v", s.At())
	}
	mustPanic(t, "too few indices", func() { x.At(1, 2) })
	mustPanic(t, "index past the end", func() { x.At(1, 3, 0) })
	mustPanic(t, "negative index", func() { x.Set(0, 0, -1, 0) })
}

func TestViewsSelectTheRightElements(t *testing.T) {
	x := count(3, 2, 4)
	for _, c := range []struct {
		name string
		view *Tensor
		dims Shape
		want []float32
	}{
		{"middle slice", x.Slice(1, 2), Shape{1, 2, 4}, []float32{8, 9, 10, 11, 12, 13, 14, 15}},
		{"empty slice at the end", x.Slice(3, 3), Shape{0, 2, 4}, []float32{}},
		{"channels", x.Channels(1, 3), Shape{3, 2, 2}, []float32{1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22}},
		{"no channels", x.Channels(4, 4), Shape{3, 2, 0}, []float32{}},
		{"channels of a slice", x.Slice(1, 3).Channels(3, 4), Shape{2, 2, 1}, []float32{11, 15, 19, 23}},
		{"slice of channels", x.Channels(3, 4).Slice(1, 3), Shape{2, 2, 1}, []float32{11, 15, 19, 23}},
		{"channels of channels", x.Channels(1, 4).Channels(1, 2), Shape{3, 2, 1}, []float32{2, 6, 10, 14, 18, 22}},
		{"slice of a vector", count(5).Slice(2, 4), Shape{2}, []float32{2, 3}},
		{"channels of a vector", count(5).Channels(4, 5), Shape{1}, []float32{4}},
	} {
		if !c.view.Shape().Equal(c.dims) {
			t.Errorf("%s: shape %v, want %v", c.name, c.view.Shape(), c.dims)
		}
		if got := elements(c.view); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := elements(c.view.Clone()); !slices.Equal(got, c.want) {
			t.Errorf("%s: clone is %v, want %v", c.name, got, c.want)
		}
		if !c.view.Clone().Contiguous() {
			t.Errorf("%s: the clone is not contiguous", c.name)
		}
	}
	mustPanic(t, "Slice past the end", func() { x.Slice(2, 4) })
	mustPanic(t, "Slice backwards", func() { x.Slice(2, 1) })
	mustPanic(t, "Channels past the end", func() { x.Channels(0, 5) })
	mustPanic(t, "Slice of a scalar", func() { New().Slice(0, 1) })
	mustPanic(t, "Channels of a scalar", func() { New().Channels(0, 1) })
}

func TestViewsShareStorage(t *testing.T) {
	x := New(3, 2, 4)
	x.Slice(1, 2).Channels(2, 4).Set(5, 0, 1, 1)
	flat, err := x.Reshape(-1)
	if err != nil {
		t.Fatal(err)
	}
	if x.At(1, 1, 3) != 5 || flat.At(15) != 5 {
		t.Errorf("a write through a view is not seen: %v", x)
	}
}

func TestAViewCannotGrowIntoItsNeighbour(t *testing.T) {
	x := count(2, 3)
	_ = append(x.Slice(0, 1).Data(), 100)
	_ = append(x.Row(0), 100)
	if x.At(1, 0) != 3 {
		t.Error("appending to a view wrote into the next row")
	}
}

func TestReshape(t *testing.T) {
	x := count(2, 3, 4)
	for _, c := range []struct {
		name string
		from *Tensor
		dims []int
		want Shape // nil for an error
	}{
		{"merge", x, []int{6, 4}, Shape{6, 4}},
		{"flatten", x, []int{24}, Shape{24}},
		{"computed", x, []int{4, -1}, Shape{4, 6}},
		{"to a scalar", count(1, 1), nil, Shape{}},
		{"leading slice", x.Slice(1, 2), []int{12}, Shape{12}},
		{"whole channel slice", x.Channels(0, 4), []int{24}, Shape{24}},
		{"empty", New(0, 3), []int{3, 0}, Shape{3, 0}},
		{"wrong count", x, []int{5, 5}, nil},
		{"not divisible", x, []int{5, -1}, nil},
		{"two computed", x, []int{-1, -1}, nil},
		{"negative", x, []int{-2, -12}, nil},
		{"computed beside zero", x, []int{0, -1}, nil},
		{"channel slice", x.Channels(0, 2), []int{12}, nil},
		{"overflow", x, []int{math.MaxInt / 2, 4}, nil},
	} {
		got, err := c.from.Reshape(c.dims...)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s: got %v, want an error", c.name, got.Shape())
			}
			continue
		}
		if err != nil || !got.Shape().Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if !slices.Equal(elements(got), elements(c.from)) {
			t.Errorf("%s: elements changed", c.name)
		}
	}
}

func TestCopyFromBetweenStridedViews(t *testing.T) {
	src := count(2, 2, 5)
	for _, c := range []struct {
		name     string
		dst, src *Tensor
	}{
		{"whole", New(2, 2, 5), src},
		{"from channels", New(2, 2, 3), src.Channels(1, 4)},
		{"into channels", New(2, 2, 9).Channels(2, 7), src},
		{"both", New(2, 2, 9).Channels(5, 7), src.Channels(3, 5)},
		{"empty", New(0, 2), New(0, 2)},
		{"scalar", New(), Full(3)},
	} {
		if err := c.dst.CopyFrom(c.src); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, want := elements(c.dst), elements(c.src); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
	wide := New(2, 4)
	if err := wide.Channels(1, 3).CopyFrom(Full(1, 2, 2)); err != nil {
		t.Fatal(err)
	}
	if got, want := wide.Data(), []float32{0, 1, 1, 0, 0, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("copy into channels gave %v, want %v", got, want)
	}
	if err := New(2, 3).CopyFrom(New(3, 2)); err == nil {
		t.Error("a copy between different shapes was accepted")
	}
}

func TestStringOfLargeTensorsIsElided(t *testing.T) {
	s := count(100, 2, 50).String()
	if lines := strings.Count(s, "\n"); lines > 25 {
		t.Errorf("%d lines", lines)
	}
	for _, want := range []string{"100x2x50\n[[[", "…", "9997 9998 9999]]]"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing in\n%s", want, s)
		}
	}
	if s := count(1000).String(); strings.Contains(s, "…") {
		t.Error("a tensor of 1,000 elements is elided")
	}
	if s := New(1<<28, 0).String(); s != "268435456x0\n[]" {
		t.Errorf("empty: %q", s)
	}
	if s := Full(1.5).String(); s != "scalar\n1.5" {
		t.Errorf("scalar: %q", s)
	}
}

func ExampleTensor_String() {
	x, _ := FromSlice([]float32{1, 2.5, 3, 4, 5, -6, 0, 1e-3, 1, 10, 11, 12}, 2, 2, 3)
	fmt.Println(x)
	// Output:
	// 2x2x3
	// [[[    1   2.5     3]
	//   [    4     5    -6]]
	//
	//  [[    0 0.001     1]
	//   [   10    11    12]]]
}

func ExampleTensor_Channels() {
	x := New(2, 4)
	right := x.Channels(2, 4)
	_ = right.CopyFrom(Full(1, 2, 2))
	fmt.Println(x)
	fmt.Println(right.RowStride(), right.Contiguous())
	// Output:
	// 2x4
	// [[0 0 1 1]
	//  [0 0 1 1]]
	// 4 false
}
