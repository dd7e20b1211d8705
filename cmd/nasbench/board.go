package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/nas/study"
)

// boardColumn is a column of a leaderboard.
type boardColumn struct {
	name  string
	value func(study.Trial) string
	spare int // see tableColumn
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
	columns := []boardColumn{{scoreName(s), func(t study.Trial) string { return formatScore(t.Metrics.ValAccuracy, looked) }, 0}}
	if r := s["report"]; looked && r != "" && r != s["metric"] {
		columns = append(columns, boardColumn{r, func(t study.Trial) string { return significant(t.Metrics.Other[r]) }, 1})
	}
	columns = append(columns,
		boardColumn{"params", func(t study.Trial) string { return formatCount(t.Metrics.Params) }, 3},
		boardColumn{"flops", func(t study.Trial) string { return formatCount(t.Metrics.FLOPs) }, 4},
		boardColumn{"macs", func(t study.Trial) string { return formatCount(t.Metrics.MACs) }, 6},
	)
	if slices.ContainsFunc(trials, func(t study.Trial) bool { _, ok := latencyOf(t); return ok }) {
		columns = append(columns, boardColumn{"latency", func(t study.Trial) string {
			ms, ok := latencyOf(t)
			if !ok {
				return ""
			}
			return formatLatency(ms)
		}, 2})
	}
	if !looked {
		columns = append(columns,
			boardColumn{"epochs", func(t study.Trial) string { return fmt.Sprint(t.Metrics.Epochs) }, 6},
			boardColumn{"seconds", func(t study.Trial) string { return formatFixed(t.Timing.Seconds, 1) }, 7},
		)
	}
	return columns
}

// printBoard prints a leaderboard in so many columns of a terminal; 0 is no bound.
func printBoard(out io.Writer, board []study.Trial, columns []boardColumn, width int) error {
	if len(board) == 0 {
		_, err := fmt.Fprintln(out, "no trial is complete")
		return err
	}
	head := []tableColumn{{head: "RANK", spare: 5}, {head: "TRIAL"}}
	for _, c := range columns {
		head = append(head, tableColumn{head: strings.ToUpper(c.name), spare: c.spare})
	}
	w := newTable(append(head, architectureColumn())...)
	for i, t := range board {
		cells := []string{fmt.Sprint(i + 1), fmt.Sprint(t.Index)}
		for _, c := range columns {
			cells = append(cells, c.value(t))
		}
		w.row(append(cells, t.Genome)...)
	}
	return w.write(out, width)
}

// architectureColumn is the last column of tables of architectures, and the first one to go.
func architectureColumn() tableColumn {
	return tableColumn{head: "ARCHITECTURE", spare: 100, long: true}
}
