package strategy

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
)

func nb201Space(t *testing.T) space.Space {
	t.Helper()
	s, err := space.New("nb201", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 2}, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// evolve runs a search that scores convolutions of side 3, and returns the genomes in order.
func evolve(t *testing.T, o Options, trials int) []space.Genome {
	t.Helper()
	e, err := New("evolution", o)
	if err != nil {
		t.Fatal(err)
	}
	var out []space.Genome
	for len(out) < trials {
		got, err := e.Ask(e.Round())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			cost, err := o.Space.Cost(g)
			if err != nil {
				t.Fatal(err)
			}
			e.Tell(Result{Trial: len(out), Genome: g, Score: score(g),
				Metrics: map[string]float64{"params": float64(cost.Params)}})
			out = append(out, g)
		}
	}
	return out
}

func score(g space.Genome) float64 { return float64(strings.Count(g.String(), "nor_conv_3x3")) }

// TestEvolutionFindsTheBest lets every kind of evolution look for the one best cell among 15,625, with far fewer trials than chance needs.
func TestEvolutionFindsTheBest(t *testing.T) {
	s := nb201Space(t)
	for name, o := range map[string]EvolutionOptions{
		"generations": {},
		"aging":       {Aging: true, Population: 10},
		"pareto":      {Pareto: []string{"score", "-params"}},
	} {
		for seed := range uint64(5) {
			found, keys := false, map[string]bool{}
			for _, g := range evolve(t, Options{Space: s, Seed: seed, Evolution: o}, 600) {
				found = found || score(g) == 6
				if key := s.Key(g); keys[key] {
					t.Fatalf("%s: %v is proposed twice", name, g)
				} else {
					keys[key] = true
				}
			}
			if !found {
				t.Errorf("%s, seed %d: the best was not found", name, seed)
			}
		}
	}
}

// TestNonDominatedSort compares fronts and crowding with values worked out by hand.
func TestNonDominatedSort(t *testing.T) {
	points := [][]float64{{0, 4}, {1, 3}, {3, 1}, {4, 0}, {0, 3}, {1, 1}, {0, 0}}
	all := make([]individual, len(points))
	for i, v := range points {
		all[i] = individual{values: v, number: i}
	}
	want := [][]int{{0, 1, 2, 3}, {4, 5}, {6}}
	got := fronts(all)
	if len(got) != len(want) {
		t.Fatalf("fronts %v, want %v", got, want)
	}
	for i := range want {
		for j := range want[i] {
			if len(got[i]) != len(want[i]) || got[i][j] != want[i][j] {
				t.Fatalf("fronts %v, want %v", got, want)
			}
		}
	}
	first := append([]individual(nil), all[:4]...)
	crowd(first)
	for i, want := range []float64{math.Inf(1), 1.5, 1.5, math.Inf(1)} {
		if first[i].crowding != want {
			t.Errorf("crowding of %v is %g, want %g", first[i].values, first[i].crowding, want)
		}
	}
	kept := survivors(all, 5)
	if len(kept) != 5 || kept[4].rank != 1 {
		t.Errorf("five survivors: %+v", kept)
	}
}

// TestFrontIsWhatNoneDominates leaves out failures, and keeps equals.
func TestFrontIsWhatNoneDominates(t *testing.T) {
	of := func(score, params float64) Result {
		return Result{Score: score, Metrics: map[string]float64{"params": params}}
	}
	results := []Result{of(0.9, 50), of(0.8, 60), {Failed: true}, of(0.7, 10), of(0.9, 50), of(0.95, 90), of(0.6, 10), of(math.NaN(), 1)}
	got, err := Front(results, []string{"score", "-params"})
	if want := []int{0, 3, 4, 5, 7}; err != nil || !slices.Equal(got, want) {
		t.Errorf("front %v, %v; want %v", got, err, want)
	}
	if got, err := Front(results[2:3], []string{"score", "-params"}); err != nil || got != nil {
		t.Errorf("front of failures: %v, %v", got, err)
	}
	if _, err := Front(results, []string{"score", "-flops"}); err == nil || !strings.Contains(err.Error(), `trial 0 has no metric "flops"; it has score, params`) {
		t.Errorf("front of an unknown metric: %v", err)
	}
}

// TestAgingForgetsTheOldest keeps the population at its size and drops whoever came first, good or bad.
func TestAgingForgetsTheOldest(t *testing.T) {
	e, err := NewEvolution(Options{Space: nb201Space(t), Seed: 1, Evolution: EvolutionOptions{Aging: true, Population: 5}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		got, err := e.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		e.Tell(Result{Trial: i, Genome: got[0], Score: float64(-i)})
	}
	if _, err := e.Ask(1); err != nil {
		t.Fatal(err)
	}
	for i, p := range e.population {
		if p.fitness != float64(-25-i) {
			t.Errorf("place %d has fitness %g, want %d", i, p.fitness, -25-i)
		}
	}
}

// TestEvolutionRefuses names what is wrong with options and spaces.
func TestEvolutionRefuses(t *testing.T) {
	s := nb201Space(t)
	for want, o := range map[string]Options{
		"cannot be mutated and crossed":                {Space: tiny{2, 2, nil}},
		"aging and pareto are different kinds":         {Space: s, Evolution: EvolutionOptions{Aging: true, Pareto: []string{"score", "-params"}}},
		"needs two metrics or more, not score alone":   {Space: s, Evolution: EvolutionOptions{Pareto: []string{"score"}}},
		"metric params stands twice":                   {Space: s, Evolution: EvolutionOptions{Pareto: []string{"params", "-params"}}},
		"a tournament of 30 does not fit a population": {Space: s, Evolution: EvolutionOptions{Tournament: 30}},
		"a population of 1 is less than 2":             {Space: s, Evolution: EvolutionOptions{Population: 1}},
	} {
		if _, err := New("evolution", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := New("grid", Options{Space: tiny{2, 2, nil}}); err == nil || !strings.Contains(err.Error(), "are not numbered") {
		t.Errorf("a grid over an uncountable space: %v", err)
	}
}

// TestGridGoesThroughAll proposes every class of cells once.
func TestGridGoesThroughAll(t *testing.T) {
	g, err := New("grid", Options{Space: nb201Space(t)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := g.Ask(20000)
	if err != nil || len(all) != 6466 {
		t.Errorf("%d cells, %v; want 6466", len(all), err)
	}
	if _, err := g.Ask(1); err != ErrExhausted {
		t.Errorf("after the last: %v", err)
	}
}
