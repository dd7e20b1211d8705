package dataset

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// epochOf returns all images and labels of an epoch, batch after batch.
func epochOf(t *testing.T, l *Loader, epoch int) (images, labels []float32, sizes []int) {
	t.Helper()
	l.Start(epoch)
	for {
		x, y, n, ok := l.Next()
		if !ok {
			return images, labels, sizes
		}
		if len(y) != n || len(x) != n*l.split.Height*l.split.Width*l.split.Channels {
			t.Fatalf("a batch of %d with %d labels and %d values", n, len(y), len(x))
		}
		images, labels, sizes = append(images, x...), append(labels, y...), append(sizes, n)
	}
}

func newLoader(t testing.TB, s *Split, o LoaderOptions) *Loader {
	t.Helper()
	l, err := NewLoader(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestLoaderWithoutShuffleGivesTheSplitNormalised(t *testing.T) {
	s := testSplit(t, 10, 3, 2, 3, 5)
	st := Measure(s)
	images, labels, sizes := epochOf(t, newLoader(t, s, LoaderOptions{Batch: 4, Stats: st}), 0)
	if !slices.Equal(sizes, []int{4, 4, 2}) {
		t.Errorf("batches of %v", sizes)
	}
	for i := range s.Len() {
		if labels[i] != float32(s.Label(i)) {
			t.Errorf("label %d is %v, want %d", i, labels[i], s.Label(i))
		}
		for p, v := range s.Image(i) {
			want := (float32(v)/255 - st.Mean[p%3]) / st.Std[p%3]
			if got := images[i*18+p]; math.Abs(float64(got-want)) > 1e-6 {
				t.Fatalf("image %d value %d is %v, want %v", i, p, got, want)
			}
		}
	}
	var sum, squares float64
	for _, v := range images {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	if n := float64(len(images)); math.Abs(sum/n) > 1e-5 || math.Abs(squares/n-1) > 1e-5 {
		t.Errorf("normalised images have mean %v and square %v", sum/n, squares/n)
	}
}

func TestLoaderBatchSizes(t *testing.T) {
	for _, c := range []struct {
		n, batch int
		drop     bool
		want     []int
	}{
		{10, 4, false, []int{4, 4, 2}},
		{10, 4, true, []int{4, 4}},
		{8, 4, false, []int{4, 4}},
		{8, 4, true, []int{4, 4}},
		{3, 4, false, []int{3}},
		{1, 1, true, []int{1}},
		{50, 1, false, slices.Repeat([]int{1}, 50)},
	} {
		for _, ahead := range []int{0, 1, 100} {
			l := newLoader(t, testSplit(t, c.n, 2, 2, 1, 1), LoaderOptions{Batch: c.batch, DropLast: c.drop, Ahead: ahead})
			for epoch := range 3 {
				_, labels, sizes := epochOf(t, l, epoch)
				if !slices.Equal(sizes, c.want) || len(labels) != l.Samples() || len(sizes) != l.Batches() {
					t.Errorf("%d samples in batches of %d, drop %v: %v, want %v", c.n, c.batch, c.drop, sizes, c.want)
				}
			}
		}
	}
}

func TestLoaderEpochsFollowFromSeedAndEpochAlone(t *testing.T) {
	s := testSplit(t, 50, 6, 6, 1, 50)
	o := LoaderOptions{Batch: 8, Seed: 3, Shuffle: true, Augment: Augment{Pad: 2, Flip: true, Cutout: 3}}
	l := newLoader(t, s, o)
	images0, labels0, _ := epochOf(t, l, 0)
	_, labels1, _ := epochOf(t, l, 1)
	if slices.Equal(labels0, labels1) {
		t.Error("two epochs have the same order")
	}
	sorted := slices.Clone(labels1)
	slices.Sort(sorted)
	for i, v := range sorted {
		if v != float32(i) {
			t.Fatalf("sample %d is missing from the epoch, or twice there", i)
		}
	}
	// Another loader, other buffers, another order of epochs, an epoch given up.
	o.Ahead = 1
	m := newLoader(t, s, o)
	epochOf(t, m, 5)
	m.Start(0)
	m.Next()
	m.Start(1)
	m.Next()
	again, labels, _ := epochOf(t, m, 0)
	if !slices.Equal(again, images0) || !slices.Equal(labels, labels0) {
		t.Error("epoch 0 differs")
	}
	o.Seed++
	if _, labels, _ := epochOf(t, newLoader(t, s, o), 0); slices.Equal(labels, labels0) {
		t.Error("another seed gives the same order")
	}
}

func TestLoaderAugmentationBelongsToTheSampleNotItsPlace(t *testing.T) {
	s := testSplit(t, 20, 6, 6, 1, 20)
	o := LoaderOptions{Batch: 20, Seed: 3, Augment: Augment{Pad: 2, Flip: true, Cutout: 3}}
	plain, _, _ := epochOf(t, newLoader(t, s, o), 4)
	o.Shuffle, o.Batch = true, 7
	shuffled, labels, _ := epochOf(t, newLoader(t, s, o), 4)
	for i, label := range labels {
		sample := int(label)
		if !slices.Equal(shuffled[36*i:36*(i+1)], plain[36*sample:36*(sample+1)]) {
			t.Fatalf("sample %d is varied differently when shuffled", sample)
		}
	}
	other, _, _ := epochOf(t, newLoader(t, s, LoaderOptions{Batch: 20, Seed: 3, Augment: o.Augment}), 5)
	if slices.Equal(other, plain) {
		t.Error("two epochs have the same variations")
	}
}

func TestLoaderAllocatesNothingPerBatch(t *testing.T) {
	s := testSplit(t, 4000, 8, 8, 3, 10)
	l := newLoader(t, s, LoaderOptions{Batch: 4, Seed: 1, Shuffle: true, Augment: Augment{Pad: 1, Flip: true, Cutout: 2}, Stats: Measure(s)})
	l.Start(0)
	for range 10 {
		l.Next()
	}
	if n := testing.AllocsPerRun(500, func() {
		if _, _, _, ok := l.Next(); !ok {
			t.Fatal("the epoch is too short for this test")
		}
	}); n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
}

func TestLoaderCanBeClosedAtAnyPoint(t *testing.T) {
	s := testSplit(t, 100, 4, 4, 1, 2)
	for taken := range 30 {
		l, err := NewLoader(s, LoaderOptions{Batch: 5, Shuffle: true})
		if err != nil {
			t.Fatal(err)
		}
		if taken > 0 {
			l.Start(0)
		}
		for range taken {
			l.Next()
		}
		l.Close()
		l.Close()
		l.Start(1)
		if _, _, _, ok := l.Next(); ok {
			t.Errorf("a batch after Close (%d taken)", taken)
		}
	}
}

func TestLoaderNextBeforeStartAndAfterTheEnd(t *testing.T) {
	l := newLoader(t, testSplit(t, 4, 2, 2, 1, 2), LoaderOptions{Batch: 2})
	for range 2 {
		if _, _, _, ok := l.Next(); ok {
			t.Error("a batch before Start")
		}
	}
	epochOf(t, l, 0)
	for range 2 {
		if _, _, _, ok := l.Next(); ok {
			t.Error("a batch after the end of the epoch")
		}
	}
}

func TestLoaderRefusesBadOptions(t *testing.T) {
	s := testSplit(t, 10, 4, 4, 1, 2)
	for _, o := range []LoaderOptions{
		{}, {Batch: -1}, {Batch: 11, DropLast: true}, {Batch: 2, Ahead: -1},
		{Batch: 2, Stats: Stats{Mean: []float32{1, 2}, Std: []float32{1, 2}}},
		{Batch: 2, Stats: Stats{Mean: []float32{1}}},
		{Batch: 2, Augment: Augment{Pad: -1}}, {Batch: 2, Augment: Augment{Pad: 5}},
		{Batch: 2, Augment: Augment{Cutout: -1}}, {Batch: 2, Augment: Augment{Cutout: 9}},
	} {
		if _, err := NewLoader(s, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	none, err := s.Subset(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewLoader(none, LoaderOptions{Batch: 1}); err == nil {
		t.Error("a loader of no samples was accepted")
	}
}

func BenchmarkLoader(b *testing.B) {
	for _, c := range []struct {
		side, channels int
		a              Augment
	}{{28, 1, Augment{}}, {28, 1, Augment{Pad: 2, Flip: true}}, {32, 3, Augment{Pad: 4, Flip: true, Cutout: 16}}} {
		b.Run(fmt.Sprintf("%dx%dx%d %+v", c.side, c.side, c.channels, c.a), func(b *testing.B) {
			s := testSplit(b, 4096, c.side, c.side, c.channels, 10)
			l := newLoader(b, s, LoaderOptions{Batch: 64, Shuffle: true, Augment: c.a, Stats: Measure(s)})
			images := 0
			epoch := 0
			for b.Loop() {
				_, _, n, ok := l.Next()
				if !ok {
					l.Start(epoch)
					epoch++
				}
				images += n
			}
			b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
