package strategy

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
)

// survivors ranks a population by fronts and crowding and returns its best n (Deb et al. 2002, section III-C).
func survivors(all []individual, n int) []individual {
	var out []individual
	for rank, front := range fronts(all) {
		members := make([]individual, len(front))
		for i, index := range front {
			members[i] = all[index]
			members[i].rank = rank
		}
		crowd(members)
		if left := n - len(out); len(members) > left {
			slices.SortStableFunc(members, func(a, b individual) int {
				return cmp.Or(cmp.Compare(b.crowding, a.crowding), cmp.Compare(a.number, b.number))
			})
			members = members[:left]
		}
		out = append(out, members...)
	}
	return out
}

// dominates reports whether a is nowhere worse than b and somewhere better.
func dominates(a, b []float64) bool {
	better := false
	for i := range a {
		if a[i] < b[i] {
			return false
		}
		better = better || a[i] > b[i]
	}
	return better
}

// fronts sorts individuals by dominance: the first front is dominated by none, the next by none but the first, and so on (section III-A). It has its result from
// ranks, in memory that grows with the individuals alone.
func fronts(all []individual) [][]int {
	var out [][]int
	for i, rank := range ranks(all) {
		for len(out) <= rank {
			out = append(out, nil)
		}
		out[rank] = append(out[rank], i)
	}
	return out
}

// ranks returns the number of the front of each individual. Whoever dominates another precedes it in the order by all values, so that fronts grow by one
// individual after the other, each of which joins the first front in which nobody dominates it; a binary search finds that, because whoever is dominated in
// one front is dominated in all before it (Zhang, Tian, Cheng and Jin, "An Efficient Approach to Nondominated Sorting for Evolutionary Multiobjective
// Optimization", IEEE Transactions on Evolutionary Computation, 2015).
//
// With two values that takes n log n steps: only the member with the largest second value, the last one, has to be looked at.
func ranks(all []individual) []int {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(slices.Compare(all[b].values, all[a].values), cmp.Compare(a, b))
	})
	rank := make([]int, len(all))
	var members [][]int // by front, in that order
	for at, i := range order {
		values := all[i].values
		if at > 0 && slices.Equal(values, all[order[at-1]].values) {
			rank[i] = rank[order[at-1]] // equals do not dominate each other, and the first of them stands for all
			continue
		}
		rank[i] = sort.Search(len(members), func(front int) bool {
			of := members[front]
			if len(values) == 2 {
				return all[of[len(of)-1]].values[1] < values[1]
			}
			for _, j := range slices.Backward(of) {
				if dominates(all[j].values, values) {
					return false
				}
			}
			return true
		})
		if rank[i] == len(members) {
			members = append(members, nil)
		}
		if of := members[rank[i]]; len(values) == 2 && len(of) > 0 {
			of[0] = i
		} else {
			members[rank[i]] = append(of, i)
		}
	}
	return rank
}

// crowd computes the crowding distances of a front: the sum over metrics of the distance between the two neighbours, in parts of the
// range; the ends are infinitely far (section III-B).
func crowd(front []individual) {
	order := make([]int, len(front))
	for i := range front {
		front[i].crowding = 0
		order[i] = i
	}
	for m := range front[0].values {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(front[a].values[m], front[b].values[m]) })
		first, last := order[0], order[len(order)-1]
		span := front[last].values[m] - front[first].values[m]
		front[first].crowding, front[last].crowding = math.Inf(1), math.Inf(1)
		if !(span > 0) || math.IsInf(span, 0) {
			continue // all alike
		}
		for i := 1; i < len(order)-1; i++ {
			front[order[i]].crowding += (front[order[i+1]].values[m] - front[order[i-1]].values[m]) / span
		}
	}
}

// aims returns the values of a result by the names of [EvolutionOptions] Pareto, each the larger the better.
func aims(r Result, pareto []string) ([]float64, error) {
	values := make([]float64, len(pareto))
	for j, name := range pareto {
		bare, smaller := strings.CutPrefix(name, "-")
		v, ok := r.Metrics[bare]
		if bare == "score" {
			v, ok = r.Score, true
		}
		if !ok {
			return nil, fmt.Errorf("pareto: trial %d has no metric %q; it has score, %s", r.Trial, bare, strings.Join(sortedNames(r.Metrics), ", "))
		}
		if smaller {
			v = -v
		}
		if math.IsNaN(v) {
			v = math.Inf(-1)
		}
		values[j] = v
	}
	return values, nil
}

// Front returns the indices of the results that no other one dominates, in order: the first front of NSGA-II over metrics named as in
// [EvolutionOptions] Pareto. Results that failed are left out. It fails if a result lacks one of the metrics.
func Front(results []Result, pareto []string) ([]int, error) {
	var all []individual
	var index []int
	for i, r := range results {
		if r.Failed {
			continue
		}
		values, err := aims(r, pareto)
		if err != nil {
			return nil, err
		}
		all = append(all, individual{values: values})
		index = append(index, i)
	}
	if len(all) == 0 {
		return nil, nil
	}
	first := fronts(all)[0]
	for i, member := range first {
		first[i] = index[member]
	}
	return first, nil
}

func sortedNames(metrics map[string]float64) []string { return slices.Sorted(maps.Keys(metrics)) }
