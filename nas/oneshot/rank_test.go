package oneshot

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"
)

func TestKendallTauIsThatOfGonumWithoutTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		x, y := make([]float64, 15), make([]float64, 15)
		for i := range x {
			x[i], y[i] = rng.Float64(), rng.Float64()
		}
		if got, want := KendallTau(x, y), stat.Kendall(x, y, nil); math.Abs(got-want) > 1e-12 {
			t.Errorf("%g, want %g", got, want)
		}
	}
}

func TestKendallTauOfTies(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 1},
		{[]float64{1, 2, 3}, []float64{6, 5, 4}, -1},
		// Pairs: three in the same order, none in the opposite; five are not tied in x, four not in y.
		{[]float64{1, 2, 2, 3}, []float64{1, 1, 2, 2}, 3 / math.Sqrt(5*4)},
		{[]float64{1, 1, 1}, []float64{1, 2, 3}, math.NaN()},
	} {
		if got := KendallTau(c.x, c.y); math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%v, %v: %g, want %g", c.x, c.y, got, c.want)
		}
	}
}

func TestTheIntervalHoldsTau(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float64, 40), make([]float64, 40)
	for i := range x {
		x[i] = rng.Float64()
		y[i] = x[i] + 0.3*rng.Float64()
	}
	r := NewRank(x, y, 1)
	if !(r.Low < r.Tau && r.Tau < r.High && r.High-r.Low < 0.4 && r.High < 1) || r != NewRank(x, y, 1) {
		t.Errorf("%+v", r)
	}
}
