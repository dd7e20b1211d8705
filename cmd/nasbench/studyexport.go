package main

import (
	"encoding/csv"
	"errors"
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
	columns string
}

func (a *app) newStudyExport() *cobra.Command {
	e := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the trials of a study as CSV or JSON",
		Long: `Write the trials of a study as CSV: a column of genomes and columns of metrics, one line for each complete trial. Such a
file is a table for 'nasbench compare' and for 'nasbench search --evaluator tabular'. Numbers are exact.

With --json it is one JSON object per trial, as 'nasbench search --json' prints them.`,
		Example: `  nasbench study export fashion.db > fashion.csv
  nasbench study export grid.db --curve --out grid.csv`,
		RunE: func(_ *cobra.Command, files []string) error { return a.studyExport(files[0], e) },
	}
	e.studyFlags.add(cmd, "write JSON instead of CSV")
	flags := cmd.Flags()
	flags.StringVar(&e.out, "out", "", "write to a new `FILE` instead of standard output")
	flags.BoolVar(&e.curve, "curve", false, "a column val_accuracy_epN for every epoch N but the last of the trials")
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
	trials := r.trials
	if !e.all {
		trials = slices.DeleteFunc(trials, func(t study.Trial) bool { return t.State != study.Complete || t.ReusedFrom != nil })
	}
	columns, err := chooseColumns(exportColumns(trials, e), e.columns)
	if err != nil {
		return err
	}
	out := a.stdout
	if e.out != "" {
		f, err := create(e.out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	if e.json {
		for _, t := range trials {
			if err := writeJSON(out, t); err != nil {
				return err
			}
		}
		return nil
	}
	return writeTrials(out, trials, columns)
}

// chooseColumns returns the columns of these names; all if there are none.
func chooseColumns(all []exportColumn, names string) ([]exportColumn, error) {
	if names == "" {
		return all, nil
	}
	var known []string
	for _, c := range all {
		known = append(known, c.name)
	}
	var out []exportColumn
	for _, name := range splitComma(names) {
		name = strings.TrimSpace(name)
		i := slices.Index(known, name)
		if i < 0 {
			return nil, usagef("--columns: there is no column %q%s; there is %s", name, didYouMean(name, known), join(known))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// exportColumn is a column of an export; "" stands for what a trial does not have.
type exportColumn struct {
	name  string
	value func(study.Trial) string
}

// exact writes a number so that it reads back as the same.
func exact(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// metricColumn has a metric of the trials that have some.
func metricColumn(name string, value func(m *study.Metrics) string) exportColumn {
	return exportColumn{name, func(t study.Trial) string {
		if t.Metrics == nil {
			return ""
		}
		return value(t.Metrics)
	}}
}

// exportColumns lists the columns, each name once.
func exportColumns(trials []study.Trial, e *exportFlags) []exportColumn {
	whole := func(name string, of func(m *study.Metrics) int64) exportColumn {
		return metricColumn(name, func(m *study.Metrics) string { return strconv.FormatInt(of(m), 10) })
	}
	real := func(name string, of func(m *study.Metrics) float64) exportColumn {
		return metricColumn(name, func(m *study.Metrics) string { return exact(of(m)) })
	}
	columns := []exportColumn{
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
			columns = append(columns, exportColumn{fmt.Sprintf("val_accuracy_ep%d", n), func(t study.Trial) string {
				if len(t.Curve) < n {
					return ""
				}
				return exact(t.Curve[n-1].ValAccuracy)
			}})
		}
	}
	if e.all {
		columns = append(columns,
			exportColumn{"state", func(t study.Trial) string { return string(t.State) }},
			exportColumn{"reason", func(t study.Trial) string { return t.Reason }},
			exportColumn{"reused_from", func(t study.Trial) string {
				if t.ReusedFrom == nil {
					return ""
				}
				return strconv.Itoa(*t.ReusedFrom)
			}})
	}
	// What an evaluator calls like one of these is the better known: the column of a table, say.
	columns = slices.DeleteFunc(columns, func(c exportColumn) bool { return c.name != "genome" && others[c.name] })
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

// writeTrials writes CSV.
func writeTrials(out io.Writer, trials []study.Trial, columns []exportColumn) error {
	w := csv.NewWriter(out)
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.name
	}
	if err := w.Write(record); err != nil {
		return err
	}
	for _, t := range trials {
		for i, c := range columns {
			record[i] = c.value(t)
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
