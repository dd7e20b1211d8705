package study

import (
	"cmp"
	"slices"
)

// Leaderboard returns the n best trials, best first; all of them if n <= 0. They are
// ordered by validation accuracy, then by fewer parameters, then by index. Trials that
// failed or were pruned are left out, and so are repetitions of an earlier trial.
func Leaderboard(trials []Trial, n int) []Trial {
	var board []Trial
	for _, t := range trials {
		if eligible(t) {
			board = append(board, t)
		}
	}
	slices.SortFunc(board, compare)
	if n > 0 && n < len(board) {
		board = board[:n]
	}
	return board
}

func eligible(t Trial) bool {
	return t.State == Complete && t.Metrics != nil && t.ReusedFrom == nil
}

// compare orders eligible trials, better ones first.
func compare(a, b Trial) int {
	return cmp.Or(
		cmp.Compare(b.Metrics.ValAccuracy, a.Metrics.ValAccuracy),
		cmp.Compare(a.Metrics.Params, b.Metrics.Params),
		cmp.Compare(a.Index, b.Index),
	)
}
