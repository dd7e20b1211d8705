package dataset

import (
	"math"
	"testing"
)

// TestBadLoadersAndSplitsAreErrors tries what a program may hand over by mistake: nothing, negative and huge numbers, what is not a number.
func TestBadLoadersAndSplitsAreErrors(t *testing.T) {
	s, err := NewSplit(make([]byte, 4*6), []int{0, 1, 0, 1}, 3, 2, 1, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	stats := func(mean, std float32) LoaderOptions {
		return LoaderOptions{Batch: 2, Stats: Stats{Mean: []float32{mean}, Std: []float32{std}}}
	}
	for what, o := range map[string]LoaderOptions{
		"no batch": {}, "negative batch": {Batch: -1}, "negative ahead": {Batch: 1, Ahead: -1}, "a batch that is never full": {Batch: 5, DropLast: true},
		"padding": {Batch: 1, Augment: Augment{Pad: -1}}, "much padding": {Batch: 1, Augment: Augment{Pad: math.MaxInt}}, "cutout": {Batch: 1, Augment: Augment{Cutout: -1}},
		"a mean for no deviation": {Batch: 1, Stats: Stats{Mean: []float32{1}}}, "two channels": {Batch: 1, Stats: Stats{Mean: []float32{1, 1}, Std: []float32{1, 1}}},
		"deviation 0": stats(0, 0), "negative deviation": stats(0, -1), "deviation NaN": stats(0, nan), "deviation Inf": stats(0, inf), "mean NaN": stats(nan, 1), "mean Inf": stats(-inf, 1),
	} {
		if _, err := NewLoader(s, o); err == nil {
			t.Errorf("loader, %s: no error", what)
		}
	}
	if _, err := NewLoader(nil, LoaderOptions{Batch: 1}); err == nil {
		t.Error("loader of no split: no error")
	}
	l, err := NewLoader(s, LoaderOptions{Batch: math.MaxInt, Ahead: math.MaxInt})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Start(-3)
	if _, _, n, ok := l.Next(); n != 4 || !ok || l.Batches() != 1 {
		t.Errorf("the only batch has %d samples of %d batches", n, l.Batches())
	}

	for what, sides := range map[string][3]int{"negative": {-1, 2, 1}, "none": {0, 2, 1}, "overflowing to 0": {1 << 32, 1 << 32, 1}, "overflowing": {math.MaxInt, 3, 1}} {
		if _, err := NewSplit(make([]byte, 6), []int{0}, sides[0], sides[1], sides[2], []string{"a"}); err == nil {
			t.Errorf("images of %s sides: no error", what)
		}
	}
	for _, fraction := range []float64{0, 1, -1, math.NaN(), math.Inf(1)} {
		if _, _, err := SplitStratified(s, fraction, 1); err == nil {
			t.Errorf("a fraction of %g: no error", fraction)
		}
	}
	if _, _, err := SplitStratified(nil, 0.5, 1); err == nil {
		t.Error("no split is cut in two")
	}
	for _, place := range []int{-1, 4, math.MaxInt} {
		if _, err := s.Subset([]int{place}); err == nil {
			t.Errorf("place %d: no error", place)
		}
	}
}
