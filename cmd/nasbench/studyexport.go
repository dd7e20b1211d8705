package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/nas/study"
)

// exportFlags say what is exported.
type exportFlags struct {
	studyFlags
	out     string
	all     bool
	curve   bool
	finals  bool
	columns string
}

func (a *app) newStudyExport() *cobra.Command {
	e := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the trials of a study as CSV or JSON",
		Long: `Write the trials of a study as CSV: a column of genomes and columns of metrics, one line for each complete trial. Such a
file is a table for 'nasbench compare' and for 'nasbench search --evaluator tabular'. Numbers are exact. Where architectures were trained
finally, columns have the test accuracy and loss of the last such training, means over its seeds.

With --json it is one JSON object per trial, as 'nasbench search --json' prints them, then one per final training.`,
		Example: `  nasbench study export fashion.db > fashion.csv
  nasbench study export grid.db --curve --out grid.csv`,
		RunE: func(_ *cobra.Command, files []string) error { return a.studyExport(files[0], e) },
	}
	e.studyFlags.add(cmd, "write JSON instead of CSV")
	flags := cmd.Flags()
	flags.StringVar(&e.out, "out", "", "write to a new `FILE` instead of standard output")
	flags.BoolVar(&e.curve, "curve", false, "a column val_accuracy_epN for every epoch N but the last of the trials")
	flags.BoolVar(&e.finals, "finals", false, "the final trainings alone, one line for each, instead of the trials")
	flags.BoolVar(&e.all, "all", false, "trials that failed, were pruned or are repetitions too, with how they ended")
	flags.StringVar(&e.columns, "columns", "", "`NAMES` of the columns to write, in this order, separated by commas (default all)")
	addConfig(flags)
	return cmd
}

func (a *app) studyExport(path string, e *exportFlags) (err error) {
	r, err := readStudy(path, e.name)
	if err != nil {
		return err
	}
	if e.finals && (e.all || e.curve) {
		return usagef("--finals writes no trials, so --all and --curve say nothing")
	}
	trials := r.trials
	if e.finals {
		trials = nil
	} else if !e.all {
		trials = slices.DeleteFunc(trials, func(t study.Trial) bool { return t.State != study.Complete || t.ReusedFrom != nil })
	}
	var rows [][]string
	if e.finals {
		rows, err = tableOf(r.finals, finalColumns(), e.columns)
	} else {
		rows, err = tableOf(trials, exportColumns(trials, r.finals, e), e.columns)
	}
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		if !e.json {
			return csv.NewWriter(w).WriteAll(rows)
		}
		for _, t := range trials {
			if err := writeJSON(w, t); err != nil {
				return err
			}
		}
		for _, f := range r.finals {
			if err := writeJSON(w, f); err != nil {
				return err
			}
		}
		return nil
	}
	if e.out == "" {
		return write(a.stdout)
	}
	return writeNewOut("--out", e.out, write)
}

// exportColumn is a column of an export; "" stands for what a row does not have.
type exportColumn[T any] struct {
	name  string
	value func(T) string
}

// tableOf returns a line of names and one for each row, with the columns of these names; with all if there are none.
func tableOf[T any](rows []T, columns []exportColumn[T], names string) ([][]string, error) {
	if names != "" {
		all := columns
		var known []string
		for _, c := range all {
			known = append(known, c.name)
		}
		columns = nil
		for _, name := range splitComma(names) {
			name = strings.TrimSpace(name)
			i := slices.Index(known, name)
			if i < 0 {
				return nil, usagef("--columns: there is no column %q%s; there is %s", name, didYouMean(name, known), join(known))
			}
			columns = append(columns, all[i])
		}
	}
	lines := make([][]string, 1+len(rows))
	for _, c := range columns {
		lines[0] = append(lines[0], c.name)
		for i, row := range rows {
			lines[i+1] = append(lines[i+1], c.value(row))
		}
	}
	return lines, nil
}

// exact writes a number so that it reads back as the same.
func exact(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// metricColumn has a metric of the trials that have some.
func metricColumn(name string, value func(m *study.Metrics) string) exportColumn[study.Trial] {
	return exportColumn[study.Trial]{name, func(t study.Trial) string {
		if t.Metrics == nil {
			return ""
		}
		return value(t.Metrics)
	}}
}

// finalColumns lists the columns of final trainings.
func finalColumns() []exportColumn[study.Final] {
	return []exportColumn[study.Final]{
		{"genome", func(f study.Final) string { return f.Genome }},
		{"trial", func(f study.Final) string { return strconv.Itoa(f.Trial) }},
		{"seed", func(f study.Final) string { return strconv.FormatUint(f.Seed, 10) }},
		{"epochs", func(f study.Final) string { return strconv.Itoa(f.Epochs) }},
		{"epochs_asked", func(f study.Final) string { return strconv.Itoa(f.EpochsAsked) }},
		{"cut_off_after", func(f study.Final) string {
			if f.CutOff == 0 {
				return ""
			}
			return exact(f.CutOff)
		}},
		{"train_images", func(f study.Final) string { return strconv.Itoa(f.TrainImages) }},
		{"test_accuracy", func(f study.Final) string { return exact(f.TestAccuracy) }},
		{"test_loss", func(f study.Final) string { return exact(f.TestLoss) }},
		{"test_images", func(f study.Final) string { return strconv.Itoa(f.TestImages) }},
		{"seconds", func(f study.Final) string { return exact(f.Timing.Seconds) }},
	}
}

// testColumns have the last final trainings of the architectures that were trained finally; none if there are none.
func testColumns(finals []study.Final) []exportColumn[study.Trial] {
	if len(finals) == 0 {
		return nil
	}
	of := map[string]*final{}
	for _, g := range groupFinals(finals) {
		of[g[0].Genome] = summarizeFinal(g)
	}
	column := func(name string, value func(*final) string) exportColumn[study.Trial] {
		return exportColumn[study.Trial]{name, func(t study.Trial) string {
			if f := of[t.Genome]; f != nil {
				return value(f)
			}
			return ""
		}}
	}
	return []exportColumn[study.Trial]{
		column("test_accuracy", func(f *final) string { return exact(f.Accuracy) }),
		column("test_loss", func(f *final) string { return exact(f.Loss) }),
		column("final_epochs", func(f *final) string { return strconv.Itoa(f.Epochs) }),
		column("final_trainings", func(f *final) string { return strconv.Itoa(max(len(f.Runs), 1)) }),
	}
}

// exportColumns lists the columns of trials, each name once.
func exportColumns(trials []study.Trial, finals []study.Final, e *exportFlags) []exportColumn[study.Trial] {
	whole := func(name string, of func(m *study.Metrics) int64) exportColumn[study.Trial] {
		return metricColumn(name, func(m *study.Metrics) string { return strconv.FormatInt(of(m), 10) })
	}
	real := func(name string, of func(m *study.Metrics) float64) exportColumn[study.Trial] {
		return metricColumn(name, func(m *study.Metrics) string { return exact(of(m)) })
	}
	columns := []exportColumn[study.Trial]{
		{"genome", func(t study.Trial) string { return t.Genome }},
		{"trial", func(t study.Trial) string { return strconv.Itoa(t.Index) }},
		real("val_accuracy", func(m *study.Metrics) float64 { return m.ValAccuracy }),
		real("val_loss", func(m *study.Metrics) float64 { return m.ValLoss }),
		real("train_loss", func(m *study.Metrics) float64 { return m.TrainLoss }),
		whole("params", func(m *study.Metrics) int64 { return m.Params }),
		whole("flops", func(m *study.Metrics) int64 { return m.FLOPs }),
		whole("macs", func(m *study.Metrics) int64 { return m.MACs }),
		whole("activation_bytes", func(m *study.Metrics) int64 { return m.ActivationBytes }),
		whole("epochs", func(m *study.Metrics) int64 { return int64(m.Epochs) }),
		{"seconds", func(t study.Trial) string { return exact(t.Timing.Seconds) }},
		{"seed", func(t study.Trial) string { return strconv.FormatUint(t.Seed, 10) }},
	}
	epochs, others := 0, map[string]bool{}
	for _, t := range trials {
		epochs = max(epochs, len(t.Curve))
		if t.Metrics != nil {
			for name := range t.Metrics.Other {
				others[name] = true
			}
		}
	}
	if e.curve {
		for n := 1; n < epochs; n++ {
			columns = append(columns, exportColumn[study.Trial]{fmt.Sprintf("val_accuracy_ep%d", n), func(t study.Trial) string {
				if len(t.Curve) < n {
					return ""
				}
				return exact(t.Curve[n-1].ValAccuracy)
			}})
		}
	}
	if e.all {
		columns = append(columns,
			exportColumn[study.Trial]{"state", func(t study.Trial) string { return string(t.State) }},
			exportColumn[study.Trial]{"reason", func(t study.Trial) string { return t.Reason }},
			exportColumn[study.Trial]{"reused_from", func(t study.Trial) string {
				if t.ReusedFrom == nil {
					return ""
				}
				return strconv.Itoa(*t.ReusedFrom)
			}})
	}
	columns = append(columns, testColumns(finals)...)
	// What an evaluator calls like one of these is the better known: the column of a table, say.
	columns = slices.DeleteFunc(columns, func(c exportColumn[study.Trial]) bool { return c.name != "genome" && others[c.name] })
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if name == "genome" {
			continue
		}
		columns = append(columns, metricColumn(name, func(m *study.Metrics) string {
			v, ok := m.Other[name]
			if !ok {
				return ""
			}
			return exact(v)
		}))
	}
	return columns
}
