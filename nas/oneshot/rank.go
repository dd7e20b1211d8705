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

// Rank is a rank correlation with its uncertainty.
type Rank struct {
	Tau float64 `json:"tau"`
	// Low and High bound the middle 95% of what samples of the same things, drawn with replacement, give (the percentile interval
	// of the bootstrap; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). Copies of a thing are tied in both,
	// so that tau-b leaves them out.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resamples is the number of samples of the bootstrap.
const resamples = 2000

// NewRank returns the rank correlation of two measurements. The interval depends on the seed.
func NewRank(x, y []float64, seed uint64) Rank {
	r := Rank{Tau: KendallTau(x, y), Low: math.NaN(), High: math.NaN()}
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
	if len(taus) > 0 {
		slices.Sort(taus)
		at := func(q float64) float64 { return taus[int(math.Round(q*float64(len(taus)-1)))] }
		r.Low, r.High = at(0.025), at(0.975)
	}
	return r
}
