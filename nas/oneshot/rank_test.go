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
	if i := r.Interval; r.P != nil || i == nil || !(i.Low < r.Tau && r.Tau < i.High && i.High-i.Low < 0.4 && i.High < 1) || *i != *NewRank(x, y, 1).Interval {
		t.Errorf("%+v", r)
	}
}

// Few things have no interval but the share of all orders that agree as well.
func TestFewThingsHaveAPValue(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		p    float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 2.0 / 6},
		{[]float64{1, 2, 3}, []float64{6, 5, 4}, 2.0 / 6},
		{[]float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, 2.0 / 24},
		{[]float64{1, 2, 3, 4}, []float64{2, 1, 3, 4}, 8.0 / 24}, // one and five exchanges have three orders each, none and six one
		{[]float64{1, 2, 3, 4}, []float64{2, 2, 3, 4}, 4.0 / 24}, // every order twice
		{[]float64{1, 2}, []float64{1, 2}, 1},
		{[]float64{1, 2, 3, 4, 5, 6, 7}, []float64{1, 2, 3, 4, 5, 6, 7}, 2.0 / 5040},
	} {
		r := NewRank(c.x, c.y, 1)
		if r.Interval != nil || r.P == nil || math.Abs(*r.P-c.p) > 1e-12 {
			t.Errorf("%v, %v: %+v, want p %g", c.x, c.y, r, c.p)
		}
	}
	for n := 2; n <= IntervalLeast; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		if r := NewRank(x, x, 1); (r.Interval != nil) != (n == IntervalLeast) || (r.P != nil) == (n == IntervalLeast) {
			t.Errorf("%d things: %+v", n, r)
		}
	}
	if r := NewRank([]float64{1, 1, 1}, []float64{1, 2, 3}, 1); r.Interval != nil || r.P != nil || !math.IsNaN(r.Tau) {
		t.Errorf("without two different values: %+v", r)
	}
}
