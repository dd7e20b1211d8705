package bench

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/tensor"
)

func TestRealImages(t *testing.T) {
	const n = 20
	small, labels, from, err := RealImages(tensor.Shape{1, 28, 28, 1}, n)
	if err != nil || !strings.HasPrefix(from, "fashion-mnist") {
		t.Fatal(from, err)
	}
	large, again, _, err := RealImages(tensor.Shape{64, 32, 30, 3}, n)
	if err != nil || len(small) != n*28*28 || len(large) != n*32*30*3 || !slices.Equal(labels, again) {
		t.Fatalf("%d and %d numbers, labels %v and %v, %v", len(small), len(large), labels, again, err)
	}
	black := slices.Min(small)
	sum := 0.0
	for i := range n {
		for y := range 32 {
			for x := range 30 {
				want := black
				if y >= 2 && y < 30 && x >= 1 && x < 29 {
					want = small[(i*28+y-2)*28+x-1]
					sum += float64(want)
				}
				for c := range 3 {
					if got := large[((i*32+y)*30+x)*3+c]; math.Abs(float64(got-want)) > 1e-6 {
						t.Fatalf("image %d, row %d, column %d, channel %d is %g, want %g", i, y, x, c, got, want)
					}
				}
			}
		}
	}
	if mean := sum / float64(len(small)); math.Abs(mean) > 0.3 {
		t.Errorf("the mean is %g, which is not normalised", mean)
	}
	for _, bad := range []tensor.Shape{{1, 27, 28, 1}, {1, 28, 28}} {
		if _, _, _, err := RealImages(bad, n); err == nil {
			t.Errorf("images of %v", bad)
		}
	}
	for _, count := range []int{0, 1e6} {
		if _, _, _, err := RealImages(tensor.Shape{1, 28, 28, 1}, count); err == nil {
			t.Errorf("%d images", count)
		}
	}
}
