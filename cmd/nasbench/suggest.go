package main

import "fmt"

// didYouMean returns ", did you mean …?" for the option nearest to word, or nothing
// when none is near.
func didYouMean(word string, options []string) string {
	best, at := len(word)/4+1, ""
	for _, o := range options {
		if d := editDistance(word, o); d <= best && d < max(len(word), len(o)) {
			if at == "" || d < best {
				best, at = d, o
			}
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", at)
}

// editDistance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours cost one each.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
