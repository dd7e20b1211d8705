package darts

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestEigenvalueIsThatOfTheHessian compares with the Rayleigh quotients of many directions, none of which may be larger, and puts
// the alphas back where they were.
func TestEigenvalueIsThatOfTheHessian(t *testing.T) {
	o := small(t, "smooth")
	o.Size.Channels = 4
	b := loaded(t, &o)
	before := append([]float32(nil), b.mixer.alphas.Value.Data()...)
	lambda, err := b.eigenvalue(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, b.mixer.alphas.Value.Data()) {
		t.Fatal("the alphas are not where they were")
	}
	rng := rand.New(rand.NewPCG(9, 10))
	largest := 0.0
	for range 30 {
		direction := randomDirection(b, rng)
		norm := 0.0
		for _, row := range direction {
			for _, v := range row {
				norm += v * v
			}
		}
		curvature := slope(b, direction, func() float64 {
			if _, err := b.archGradient(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			return along(b, direction)
		}) / norm
		largest = max(largest, math.Abs(curvature))
	}
	if !(math.Abs(lambda) > largest) || lambda == 0 {
		t.Errorf("eigenvalue %g, but there is a curvature of %g", lambda, largest)
	}
}

func TestCollapseIsARiseOfTheEigenvalue(t *testing.T) {
	// pointsFrom are epochs of pairs of points whose means are the values.
	pointsFrom := func(epoch int, values ...float64) (out []Point) {
		for i, v := range values {
			out = append(out, Point{Epoch: epoch + i, Eigenvalue: v / 2}, Point{Epoch: epoch + i, Eigenvalue: v * 3 / 2})
		}
		return out
	}
	// The third of points is the first epoch that may be gone back to.
	points := func(values ...float64) []Point { return pointsFrom(eigenvalueStart-2, values...) }
	for _, c := range []struct {
		name  string
		first int
		of    []Point
		stop  bool
	}{
		{"no points", 0, nil, false},
		{"too few epochs", 0, points(1, 1, 1, 9, 9, 9), false},
		{"level", 0, points(1, 1, 1, 1, 1, 1, 1), false},
		{"falling", 0, points(9, 9, 9, 9, 1, 1, 1), false},
		{"a rise of a quarter", 0, points(1, 1, 1, 1, 1.25, 1.25, 1.25), false},
		{"a rise by half", 0, points(1, 1, 1, 1, 1.5, 1.5, 1.5), true},
		{"a rise by half, later", 3, points(3, 3, 1, 1, 1, 1, 1.5, 1.5, 1.5), true},
		{"too early", 0, pointsFrom(eigenvalueStart-3, 1, 1, 1, 1, 1.5, 1.5, 1.5), false},
		{"before the alphas move", 1, points(1, 1, 1, 1, 1.5, 1.5, 1.5), false},
		{"negative eigenvalues", 0, points(-1, -1, -1, -1, -3, -3, -3), false},
	} {
		back, stop := collapsing(c.of, c.first)
		if want := len(c.of) - 1 - 2*eigenvalueBack; stop != c.stop || stop && back != want {
			t.Errorf("%s: stop %v at point %d, want %v at %d", c.name, stop, back, c.stop, want)
		}
	}
}

// TestSearchGoesBackWhenTheEigenvalueRises puts other eigenvalues into the trajectory of a real search.
func TestSearchGoesBackWhenTheEigenvalueRises(t *testing.T) {
	for _, on := range []bool{true, false} {
		o := small(t, "mine")
		o.EigenvalueStop = on
		s, err := newSearch(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		warm := s.warm()
		for epoch := 1; epoch <= 14; epoch++ {
			if err := s.point(t.Context(), epoch, warm+epoch-1); err != nil {
				t.Fatal(err)
			}
			if s.trajectory[epoch-1].Eigenvalue = 0.1; epoch > 11 {
				s.trajectory[epoch-1].Eigenvalue = 0.2
			}
			if s.guard(); (s.stopped != "") != (on && epoch == 14) {
				t.Fatalf("guard %v: epoch %d: stopped: %q", on, epoch, s.stopped)
			}
		}
		r, err := s.result(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: eigenvalueStart - 1, false: 13}[on]; r.Point != want || r.Stopped != s.stopped || r.Genome.String() != r.Trajectory[want].Genome {
			t.Errorf("guard %v: point %d with %v, %q; want point %d", on, r.Point, r.Genome, r.Stopped, want)
		}
	}
}
