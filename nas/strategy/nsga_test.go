package strategy

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// peel is the fast non-dominated sort as it is published (Deb et al. 2002, section III-A), in quadratic time and memory.
func peel(all []individual) [][]int {
	dominated, count := make([][]int, len(all)), make([]int, len(all))
	var out [][]int
	var front []int
	for i := range all {
		for j := range all {
			if dominates(all[i].values, all[j].values) {
				dominated[i] = append(dominated[i], j)
			} else if dominates(all[j].values, all[i].values) {
				count[i]++
			}
		}
		if count[i] == 0 {
			front = append(front, i)
		}
	}
	for len(front) > 0 {
		out = append(out, front)
		var next []int
		for _, i := range front {
			for _, j := range dominated[i] {
				if count[j]--; count[j] == 0 {
					next = append(next, j)
				}
			}
		}
		slices.Sort(next)
		front = next
	}
	return out
}

// crowdOf returns random individuals, with equals among them and infinities as failures have.
func crowdOf(n, metrics, levels int, seed uint64) []individual {
	rng := stream.New(seed, "nsga test")
	all := make([]individual, n)
	for i := range all {
		all[i] = individual{values: make([]float64, metrics), number: i}
		failed := rng.IntN(10) == 0
		for m := range metrics {
			all[i].values[m] = float64(rng.IntN(levels)) - float64(levels/2)
			if failed || rng.IntN(50) == 0 {
				all[i].values[m] = math.Inf(-1)
			}
			if all[i].values[m] == 0 && rng.IntN(2) == 0 {
				all[i].values[m] = math.Copysign(0, -1)
			}
		}
	}
	return all
}

// The sort in linear memory gives the fronts of the published one: the same members in the same order.
func TestFrontsAreThoseOfThePublishedSort(t *testing.T) {
	for seed := range uint64(300) {
		for _, metrics := range []int{1, 2, 3, 4} {
			for _, levels := range []int{2, 5, 1000} {
				all := crowdOf(int(seed%60), metrics, levels, seed)
				got, want := fronts(all), peel(all)
				if !slices.EqualFunc(got, want, slices.Equal) {
					t.Fatalf("seed %d, %d metrics of %d levels: %v, want %v", seed, metrics, levels, got, want)
				}
			}
		}
	}
}

// Twenty thousand results on one line dominate each other in all pairs; sorting them takes the memory of some lists, not of all pairs.
func TestFrontsTakeMemoryInProportionToResults(t *testing.T) {
	for name, value := range map[string]func(i, m int) float64{
		"one front":    func(i, m int) float64 { return float64(i * (1 - 2*(m%2))) },
		"a front each": func(i, _ int) float64 { return float64(-i) },
	} {
		for _, metrics := range []int{2, 3} {
			all := make([]individual, 20_000)
			for i := range all {
				for m := range metrics {
					all[i].values = append(all[i].values, value(i, m))
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := fronts(all)
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 10_000_000 {
				t.Errorf("%s, %d metrics: %d fronts took %d bytes", name, metrics, len(got), made)
			}
		}
	}
}

// Whoever takes part in a tournament is drawn once, also where everybody does.
func TestTournamentsOfEverybodyFindTheBest(t *testing.T) {
	e := &Evolution{o: EvolutionOptions{Population: 5000, Tournament: 5000}}
	for i := range 5000 {
		e.population = append(e.population, individual{fitness: float64(i % 4999), number: i})
	}
	if p := e.parent(stream.New(1, "tournament")); p.fitness != 4998 {
		t.Errorf("the best of all has %g", p.fitness)
	}
}

func BenchmarkFronts(b *testing.B) {
	all := crowdOf(20_000, 2, 1_000_000, 1)
	for b.Loop() {
		fronts(all)
	}
}
