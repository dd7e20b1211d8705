package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nasbench-go/nasbench/nas/study"
)

// boardColumn is a column of a leaderboard.
type boardColumn struct {
	name  string
	value func(study.Trial) string
}

// scoreName is what the trials of a study are ranked by: a column of its table, or the accuracy.
func scoreName(s study.Settings) string {
	if s["evaluator"] == tabularEvaluator {
		return s["metric"]
	}
	return "accuracy"
}

// formatScore prints a score: an accuracy of a training, or whatever a table has.
func formatScore(v float64, tabular bool) string {
	if tabular {
		return significant(v)
	}
	return fmt.Sprintf("%.4f", v)
}

// boardColumns are the columns between the trial and its architecture, for a study of these settings.
func boardColumns(s study.Settings, trials []study.Trial) []boardColumn {
	looked := s["evaluator"] == tabularEvaluator
	columns := []boardColumn{{scoreName(s), func(t study.Trial) string { return formatScore(t.Metrics.ValAccuracy, looked) }}}
	if r := s["report"]; looked && r != "" && r != s["metric"] {
		columns = append(columns, boardColumn{r, func(t study.Trial) string { return significant(t.Metrics.Other[r]) }})
	}
	columns = append(columns,
		boardColumn{"params", func(t study.Trial) string { return formatCount(t.Metrics.Params) }},
		boardColumn{"flops", func(t study.Trial) string { return formatCount(t.Metrics.FLOPs) }},
	)
	if slices.ContainsFunc(trials, func(t study.Trial) bool { _, ok := latencyOf(t); return ok }) {
		columns = append(columns, boardColumn{"latency", func(t study.Trial) string {
			ms, ok := latencyOf(t)
			if !ok {
				return ""
			}
			return formatLatency(ms)
		}})
	}
	if !looked {
		columns = append(columns,
			boardColumn{"epochs", func(t study.Trial) string { return fmt.Sprint(t.Metrics.Epochs) }},
			boardColumn{"seconds", func(t study.Trial) string { return fmt.Sprintf("%.1f", t.Timing.Seconds) }},
		)
	}
	return columns
}

// printBoard prints a leaderboard.
func printBoard(out io.Writer, board []study.Trial, columns []boardColumn) error {
	if len(board) == 0 {
		_, err := fmt.Fprintln(out, "no trial is complete")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "RANK\tTRIAL")
	for _, c := range columns {
		fmt.Fprintf(w, "\t%s", strings.ToUpper(c.name))
	}
	fmt.Fprintln(w, "\tARCHITECTURE")
	for i, t := range board {
		fmt.Fprintf(w, "%d\t%d", i+1, t.Index)
		for _, c := range columns {
			fmt.Fprintf(w, "\t%s", c.value(t))
		}
		fmt.Fprintf(w, "\t%s\n", t.Genome)
	}
	return w.Flush()
}
