package dataset

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestNewSplitHoldsItsInvariants(t *testing.T) {
	two := []string{"a", "b"}
	for _, c := range []struct {
		name    string
		images  int
		labels  []int
		h, w, c int
		classes []string
		ok      bool
	}{
		{"good", 12, []int{0, 1}, 2, 3, 1, two, true},
		{"empty", 0, nil, 2, 3, 1, two, true},
		{"too few bytes", 11, []int{0, 1}, 2, 3, 1, two, false},
		{"too many bytes", 13, []int{0, 1}, 2, 3, 1, two, false},
		{"label too high", 12, []int{0, 2}, 2, 3, 1, two, false},
		{"negative label", 12, []int{-1, 1}, 2, 3, 1, two, false},
		{"no height", 0, nil, 0, 3, 1, two, false},
		{"no classes", 0, nil, 2, 3, 1, nil, false},
	} {
		_, err := NewSplit(make([]byte, c.images), c.labels, c.h, c.w, c.c, c.classes)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSubsetOfSubset(t *testing.T) {
	s := testSplit(t, 10, 1, 2, 1, 5)
	a, err := s.Subset([]int{9, 4, 4, 0})
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Subset([]int{3, 0})
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() != 2 || !bytes.Equal(b.Image(0), s.Image(0)) || !bytes.Equal(b.Image(1), s.Image(9)) || b.Label(1) != 4 {
		t.Error("wrong samples")
	}
	for _, places := range [][]int{{4}, {-1}} {
		if _, err := a.Subset(places); err == nil {
			t.Errorf("places %v of 4 samples were accepted", places)
		}
	}
	if none, err := s.Subset(nil); err != nil || none.Len() != 0 {
		t.Errorf("the empty subset: %v", err)
	}
}

func TestStratifiedSplitKeepsProportionsAndLosesNothing(t *testing.T) {
	counts := []int{100, 50, 7, 2, 31}
	var labels []int
	for l, n := range counts {
		for range n {
			labels = append(labels, l)
		}
	}
	images := make([]byte, 2*len(labels))
	for i := range labels {
		images[2*i], images[2*i+1] = byte(i), byte(i>>8)
	}
	s, err := NewSplit(images, labels, 1, 2, 1, []string{"a", "b", "c", "d", "e"})
	if err != nil {
		t.Fatal(err)
	}
	for _, fraction := range []float64{0.001, 0.1, 0.25, 0.5, 0.9, 0.999} {
		rest, part, err := SplitStratified(s, fraction, 7)
		if err != nil {
			t.Fatal(err)
		}
		if rest.Len()+part.Len() != s.Len() {
			t.Errorf("%v: %d + %d samples of %d", fraction, rest.Len(), part.Len(), s.Len())
		}
		seen := map[int]bool{}
		for _, p := range []*Split{rest, part} {
			last := -1
			for i := range p.Len() {
				id := int(p.Image(i)[0]) + int(p.Image(i)[1])<<8
				if seen[id] || id <= last || labels[id] != p.Label(i) {
					t.Fatalf("%v: sample %d is twice there, out of order or has another label", fraction, id)
				}
				seen[id], last = true, id
			}
		}
		for l, n := range part.Counts() {
			want := min(max(int(math.Round(fraction*float64(counts[l]))), 1), counts[l]-1)
			if n != want {
				t.Errorf("%v: %d samples of class %d, want %d", fraction, n, l, want)
			}
		}
	}
}

func TestStratifiedSplitFollowsItsSeed(t *testing.T) {
	s := testSplit(t, 200, 1, 1, 1, 4)
	index := func(seed uint64) []int {
		_, part, err := SplitStratified(s, 0.3, seed)
		if err != nil {
			t.Fatal(err)
		}
		return part.index
	}
	if !slices.Equal(index(1), index(1)) {
		t.Error("the same seed gives different splits")
	}
	if slices.Equal(index(1), index(2)) {
		t.Error("different seeds give the same split")
	}
}

func TestStratifiedSplitErrors(t *testing.T) {
	s := testSplit(t, 20, 1, 1, 1, 4)
	for _, f := range []float64{0, 1, -0.5, 2, math.NaN(), math.Inf(1)} {
		if _, _, err := SplitStratified(s, f, 1); err == nil {
			t.Errorf("fraction %v was accepted", f)
		}
	}
	few, err := s.Subset([]int{0, 1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := SplitStratified(few, 0.5, 1); err == nil {
		t.Error("a class with one sample was split")
	}
}

func TestMeasureIsTheMeanAndDeviationOfEachChannel(t *testing.T) {
	// Two images of 1x2 pixels and 3 channels; the last channel is constant.
	s, err := NewSplit([]byte{0, 10, 5, 255, 20, 5, 0, 30, 5, 255, 40, 5}, []int{0, 0}, 1, 2, 3, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	st := Measure(s)
	for c, want := range []struct{ mean, std float64 }{{0.5, 0.5}, {25. / 255, math.Sqrt(125) / 255}, {5. / 255, 1}} {
		if math.Abs(float64(st.Mean[c])-want.mean) > 1e-6 || math.Abs(float64(st.Std[c])-want.std) > 1e-6 {
			t.Errorf("channel %d: mean %v, deviation %v, want %+v", c, st.Mean[c], st.Std[c], want)
		}
	}
}
