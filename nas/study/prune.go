package study

import (
	"fmt"
	"math"
	"slices"
)

// Pruner decides whether a trial should end early. It is a pure function: past holds
// the curves of the trials of completed rounds in order of index, failed ones
// excluded, and current the curve of this one, up to the epoch just ended. Workers call
// it at the same time. The text says why it prunes.
type Pruner func(past [][]Point, current []Point) (prune bool, why string)

// MedianPruner returns the median stopping rule (Golovin et al., "Google Vizier", KDD
// 2017, section 3.2.2): a trial ends at an epoch if its best validation accuracy so far
// is below the median of the other trials' mean validation accuracies up to that epoch.
// It lets every trial run for the first warmup epochs, and decides nothing before
// minTrials others have reached the epoch.
func MedianPruner(warmup, minTrials int) Pruner {
	return func(past [][]Point, current []Point) (bool, string) {
		n := len(current)
		if n == 0 || n <= warmup {
			return false, ""
		}
		var means []float64
		for _, curve := range past {
			if len(curve) >= n {
				sum := 0.0
				for _, p := range curve[:n] {
					sum += p.ValAccuracy
				}
				means = append(means, sum/float64(n))
			}
		}
		if len(means) < max(minTrials, 1) {
			return false, ""
		}
		slices.Sort(means)
		half := len(means) / 2
		median := means[half]
		if len(means)%2 == 0 {
			median = (means[half-1] + means[half]) / 2
		}
		best := math.Inf(-1)
		for _, p := range current {
			best = max(best, p.ValAccuracy)
		}
		if best >= median {
			return false, ""
		}
		return true, fmt.Sprintf("best validation accuracy %.4f after %d epochs is below the median %.4f of %d trials",
			best, n, median, len(means))
	}
}
