package evaluator

import (
	"math"
	"testing"
)

func TestAccuracyIntervalIsWilsons(t *testing.T) {
	for _, c := range []struct {
		accuracy  float64
		images    int
		low, high float64
	}{
		{0.9015, 2000, 0.88767, 0.91381},
		{1, 2, 0.34238, 1},
		{0, 2, 0, 0.65762},
		{0.5, 10, 0.23659, 0.76341},
		{1, 10000, 0.99962, 1},
		{0.5, 0, 0, 1},
	} {
		low, high := AccuracyInterval(c.accuracy, c.images)
		if math.Abs(low-c.low) > 2e-5 || math.Abs(high-c.high) > 2e-5 || low > c.accuracy || high < c.accuracy {
			t.Errorf("%g on %d images: %.5f to %.5f, want %.5f to %.5f", c.accuracy, c.images, low, high, c.low, c.high)
		}
	}
	if few, enough := AccuracyError(FewImages-1), AccuracyError(FewImages); !(few > 0.05 && enough <= 0.05) {
		t.Errorf("%g on one image less than %d, %g on so many", few, FewImages, enough)
	}
}
