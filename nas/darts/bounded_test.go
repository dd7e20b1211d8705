package darts

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

// bounds returns a space with constraints, and its relaxation.
func boundedSpace(t *testing.T, name string, c space.Constraints) (space.Space, *space.Relaxation) {
	t.Helper()
	c.AllowWeightless = true
	s, err := space.New(name, task, c)
	if err != nil {
		t.Fatal(err)
	}
	relaxable, err := Relaxable(s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := relaxable.Relax(space.Size{})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func randomShares(r *space.Relaxation, rng *rand.Rand) [][]float64 {
	out := make([][]float64, r.Edges())
	for e := range out {
		for range r.Operations {
			out[e] = append(out[e], math.Exp(2*rng.NormFloat64()))
		}
	}
	return out
}

func weightOf(shares [][]float64, choices []int) float64 {
	sum := 0.0
	for e, c := range choices {
		if c >= 0 {
			sum += math.Log(shares[e][c])
		}
	}
	return sum
}

// costOf returns the largest cost of random genomes, to set bounds by.
func costOf(t *testing.T, s space.Space) space.Cost {
	t.Helper()
	var most space.Cost
	for i := range uint64(50) {
		g, err := s.Random(stream.New(i, "cost"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		most.FLOPs, most.Params = max(most.FLOPs, c.FLOPs), max(most.Params, c.Params)
		most.ActivationBytes = max(most.ActivationBytes, c.ActivationBytes)
	}
	return most
}

// In a small space the choices are the heaviest of all that are allowed.
func TestChoicesWithinBoundsAreTheHeaviest(t *testing.T) {
	plain, _ := boundedSpace(t, "nb201", space.Constraints{})
	most := costOf(t, plain)
	for _, c := range []space.Constraints{
		{},
		{MaxFLOPs: most.FLOPs / 2},
		{MaxParams: most.Params / 3, MaxActivationBytes: most.ActivationBytes / 2},
		{MinParams: most.Params * 9 / 10},
		{MaxFLOPs: most.FLOPs * 3 / 4, MinParams: most.Params / 2},
	} {
		s, r := boundedSpace(t, "nb201", c)
		for _, maxSkips := range []int{-1, 0, 1} {
			o := Options{Space: s, MaxSkips: maxSkips}
			shares := randomShares(r, stream.New(uint64(c.MaxFLOPs+c.MaxParams+c.MinParams), "shares"))
			best, heaviest := math.Inf(-1), []int(nil)
			choices := make([]int, r.Edges())
			for n := range 5 * 5 * 5 * 5 * 5 * 5 {
				for e := range choices {
					choices[e], n = n%5, n/5
				}
				g, err := r.Genome(choices)
				if err != nil {
					t.Fatal(err)
				}
				if w := weightOf(shares, choices); w > best && !skipsOver(r, choices, maxSkips) && s.Check(g) == nil {
					best, heaviest = w, append(heaviest[:0], choices...)
				}
			}
			got, err := allowed(t.Context(), r, &o, shares, nil)
			if err != nil || !reflect.DeepEqual(got, heaviest) {
				t.Errorf("%+v, at most %d skip connections: %v, %v; want %v", c, maxSkips, got, err, heaviest)
			}
		}
	}
}

// In a large space with tight bounds they are allowed, and heavier than anything that is drawn at random.
func TestChoicesOfALargeSpaceAreWithinBounds(t *testing.T) {
	plain, _ := boundedSpace(t, "darts", space.Constraints{})
	most := costOf(t, plain)
	for _, c := range []space.Constraints{
		{MaxFLOPs: most.FLOPs / 2},
		{MaxParams: most.Params / 2, MaxFLOPs: most.FLOPs * 2 / 5},
		{MinParams: most.Params},
	} {
		s, r := boundedSpace(t, "darts", c)
		for seed := range uint64(2) {
			o := Options{Space: s, MaxSkips: -1}
			shares := randomShares(r, stream.New(seed, "shares"))
			known, err := anyAllowed(t.Context(), r, &o)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			got, err := allowed(t.Context(), r, &o, shares, known)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			g, err := r.Genome(got)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Check(g); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			weight := weightOf(shares, got)
			if weight < weightOf(shares, known) {
				t.Errorf("%+v: lighter than choices that were known", c)
			}
			b := &bounded{ctx: t.Context(), r: r, space: s, maxSkips: -1, seen: map[string]float64{}}
			b.changes(got, func(changed []int) {
				if weightOf(shares, changed) > weight+1e-9 && b.excess(changed) == 0 {
					t.Errorf("%+v: %v is heavier than %v and allowed", c, changed, got)
				}
			})
		}
	}
}

// Without constraints that matter the choices are those of the rule of the paper.
func TestChoicesWithoutBoundsAreTheStrongest(t *testing.T) {
	for _, name := range []string{"darts", "nb201", "seed-cell"} {
		s, r := boundedSpace(t, name, space.Constraints{MaxChannels: -1})
		o := Options{Space: s, MaxSkips: -1}
		for seed := range uint64(20) {
			shares := randomShares(r, stream.New(seed, "shares"))
			want, _ := discretize(r, shares, -1)
			if got, err := allowed(t.Context(), r, &o, shares, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, %v; want %v", name, got, err, want)
			}
		}
	}
}

// What no genome can meet is said before anything is learned.
func TestBoundsThatNothingMeetsAreRefused(t *testing.T) {
	for _, name := range []string{"nb201", "darts", "seed-cell"} {
		for what, c := range map[string]space.Constraints{
			"FLOPs": {MaxFLOPs: 100}, "MACs": {MaxMACs: 50}, "parameters": {MaxParams: 10}, "activation": {MaxActivationBytes: 8},
			"channels": {MaxChannels: 1}, "fewest": {MinParams: 1 << 40},
			"latency": {MaxLatency: time.Millisecond, Latency: func(space.Genome) (time.Duration, error) { return time.Second, nil }},
		} {
			if name != "nb201" && what != "FLOPs" {
				continue // which takes a while in a large space
			}
			o := small(t, name)
			o.Space, _ = boundedSpace(t, name, c)
			o.Progress = func(Step) { t.Error("a step was made") }
			_, err := Search(t.Context(), o)
			checked := []error{err}
			if name == "nb201" {
				checked = append(checked, o.CheckBounds(t.Context()))
			}
			for _, err := range checked {
				bounds, ok := errors.AsType[*BoundsError](err)
				if !ok {
					t.Fatalf("%s, %s: %v", name, what, err)
				}
				if _, ok := errors.AsType[*space.Violation](err); !ok || bounds.Nearest == nil {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
		}
	}
}

// A search under tight bounds ends with a genome within them, and so do all points of its trajectory.
func TestSearchStaysWithinBounds(t *testing.T) {
	plain, _ := boundedSpace(t, "nb201", space.Constraints{})
	o := small(t, "nb201")
	s, _ := boundedSpace(t, "nb201", space.Constraints{MaxFLOPs: costOf(t, plain).FLOPs / 3})
	o.Space = s
	r := mustSearch(t, o)
	for _, p := range r.Trajectory {
		g, err := s.Parse(p.Genome)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(g); err != nil {
			t.Errorf("step %d: %v", p.Step, err)
		}
	}
	if r.Genome.String() != r.Trajectory[len(r.Trajectory)-1].Genome {
		t.Errorf("%v is not the genome of the last point", r.Genome)
	}
}

func TestLookingForChoicesCanBeInterrupted(t *testing.T) {
	o := small(t, "darts")
	o.Space, _ = boundedSpace(t, "darts", space.Constraints{MaxParams: 10})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.CheckBounds(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The deadline takes what is there, unless nothing was learned.
func TestTheDeadlineEndsTheSearch(t *testing.T) {
	o := small(t, "nb201")
	s, err := newSearch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.begun = time.Now().Add(-time.Second)
	tooShort, ok := errors.AsType[*TimeError](s.late(t.Context(), 1, 1))
	if !ok || s.stopped != "" || tooShort.Need < time.Second {
		t.Errorf("%v, %q", tooShort, s.stopped)
	}
	s.teach.Start(1)
	s.judge.Start(1)
	for i := range s.warm() + 2 {
		if err := s.step(t.Context(), 1, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.late(t.Context(), 1, s.warm()+2); err != nil {
		t.Fatal(err)
	}
	r, err := s.result(t.Context())
	if err != nil || r.Stopped == "" || len(r.Trajectory) != 1 || r.Trajectory[0].TrainLoss == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	o.Deadline = time.Now().Add(-time.Second)
	if _, err := Search(t.Context(), o); !errors.As(err, &tooShort) || tooShort.Need != 0 {
		t.Error(err)
	}
}
