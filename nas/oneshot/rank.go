package oneshot

import (
	"fmt"
	"math"
	"slices"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// KendallTau returns Kendall's rank correlation of two measurements of the same things: the pairs in the same order less those in the
// opposite one, over the geometric mean of the pairs that are not tied in x and those that are not tied in y (tau-b; Kendall, "The Treatment
// of Ties in Ranking Problems", Biometrika 1945). It is in -1..1, and NaN if one of the two has no two different values. It panics if the
// lengths differ.
func KendallTau(x, y []float64) float64 {
	if len(x) != len(y) {
		panic(fmt.Sprintf("oneshot: %d and %d measurements", len(x), len(y)))
	}
	same, untiedX, untiedY := 0, 0, 0
	for i := range x {
		for j := range i {
			a, b := order(x[i], x[j]), order(y[i], y[j])
			same += a * b
			untiedX += a * a
			untiedY += b * b
		}
	}
	if untiedX == 0 || untiedY == 0 {
		return math.NaN()
	}
	return float64(same) / math.Sqrt(float64(untiedX)*float64(untiedY))
}

func order(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// IntervalLeast is the least number of things of which a rank correlation gets an interval. Of fewer, the samples of the bootstrap repeat each other: of three
// things a fourth of them have no tau or that of a single pair, and what comes out, such as 1.000 to 1.000, says nothing. They get the exact p-value instead.
const IntervalLeast = 10

// Rank is a rank correlation with its uncertainty: an interval, or of fewer things than [IntervalLeast] a p-value.
type Rank struct {
	Tau float64 `json:"tau"`
	// Interval is nil if there are too few things.
	Interval *RankInterval `json:"interval"`
	// P is the share of all orders of the second measurement, as if it had nothing to do with the first, whose tau is as far from zero or farther (the exact
	// permutation test; Kendall, "Rank Correlation Methods", 1948, chapter 4). It is nil if there is an interval. Of three things it is 1/3 at least, of four 1/12.
	P *float64 `json:"p"`
}

// RankInterval bounds the middle 95% of what samples of the same things, drawn with replacement, give (the percentile interval of the bootstrap; Efron and
// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). Copies of a thing are tied in both, so that tau-b leaves them out.
type RankInterval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resamples is the number of samples of the bootstrap.
const resamples = 2000

// NewRank returns the rank correlation of two measurements. An interval depends on the seed.
func NewRank(x, y []float64, seed uint64) Rank {
	r := Rank{Tau: KendallTau(x, y)}
	switch {
	case math.IsNaN(r.Tau):
	case len(x) < IntervalLeast:
		p := permutations(x, y, r.Tau)
		r.P = &p
	default:
		r.Interval = bootstrap(x, y, seed)
	}
	return r
}

func bootstrap(x, y []float64, seed uint64) *RankInterval {
	rng := stream.New(seed, "oneshot bootstrap")
	n := len(x)
	var taus []float64
	a, b := make([]float64, 0, n), make([]float64, 0, n)
	times := make([]int, n)
	for range resamples {
		clear(times)
		for range n {
			times[rng.IntN(n)]++
		}
		a, b = a[:0], b[:0]
		for i, k := range times {
			for range k {
				a, b = append(a, x[i]), append(b, y[i])
			}
		}
		if tau := KendallTau(a, b); !math.IsNaN(tau) {
			taus = append(taus, tau)
		}
	}
	if len(taus) == 0 {
		return nil
	}
	slices.Sort(taus)
	at := func(q float64) float64 { return taus[int(math.Round(q*float64(len(taus)-1)))] }
	return &RankInterval{at(0.025), at(0.975)}
}

// permutations returns the share of the orders of y with which x has a tau as far from zero as this one, or farther.
func permutations(x, y []float64, tau float64) float64 {
	y = slices.Clone(y)
	all, far := 0, 0
	const slack = 1e-12 // for sums of the same terms in another order
	var place func(n int)
	place = func(n int) {
		if n <= 1 {
			all++
			if math.Abs(KendallTau(x, y)) >= math.Abs(tau)-slack {
				far++
			}
			return
		}
		// Each of the first n stands at place n-1 once, with all orders of the others before it.
		for i := range n {
			y[i], y[n-1] = y[n-1], y[i]
			place(n - 1)
			y[i], y[n-1] = y[n-1], y[i]
		}
	}
	place(len(y))
	return float64(far) / float64(all)
}
