package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/tabular"
)

// Defaults of a comparison: those of the published protocol.
const (
	defaultComparedTrials = 100
	defaultRuns           = 500
)

// compareOptions are the flags of a comparison.
type compareOptions struct {
	tableFlags
	strategies     string
	spaceName      string
	evaluator      string
	trials, runs   int
	seed           uint64
	workers        int
	repeats        bool
	evolution      evolutionFlags
	plot           string
	json           bool
	strategyByName []string
}

// compareSettings are the flags that decide the results of a comparison.
func compareSettings() []string {
	return append([]string{"strategies", "space", "trials", "runs", "seed", "repeats"}, slices.Concat(tableFlagNames(), evolutionFlagNames())...)
}

func (a *app) newCompare() *cobra.Command {
	o := &compareOptions{}
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare strategies by many searches in a table of known results",
		Long: `Compare strategies by many searches with different seeds, in which a candidate is not trained but looked up in a table of
known results: CSV with a column of genomes and columns of metrics, or JSON as NAS-Bench-Macro is published, packed by gzip or not.

A strategy sees the --metric, the larger the better. What is printed is the --report of the best by the --metric, after so many
evaluations: its mean, standard deviation and quartiles over the runs. With --json it is one object with the whole curve.

The results depend on the seed, the settings and the table alone, not on the workers. A genome that the table does not have ends the comparison.`,
		Example: `  nasbench compare --strategies random,evolution --space nb201 --table nb201.csv.gz --metric c10_val_12ep --report c10_test_200ep
  nasbench compare --strategies evolution --aging --population 10 --space macro --table nas-bench-macro_cifar10.json --metric mean_acc`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.compare(cmd.Context(), cmd.Flags(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.strategies, "strategies", "random,evolution", "strategies to compare, separated by commas")
	complete(cmd, "strategies", comparedNames)
	flags.StringVar(&o.spaceName, "space", defaultSpace, "search space of the genomes, or a YAML file that describes one")
	complete(cmd, "space", spaceNames)
	flags.StringVar(&o.evaluator, "evaluator", tabularEvaluator, "how candidates are measured; there is "+tabularEvaluator)
	o.tableFlags.add(flags, "needed")
	o.trials = defaultComparedTrials
	flags.Var(intValue{p: &o.trials, min: 1, max: 1e7}, "trials", "evaluations of a run")
	o.runs = defaultRuns
	flags.Var(intValue{p: &o.runs, min: 1, max: 1e6}, "runs", "searches of each strategy")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of the seeds of the runs")
	flags.Var(intValue{p: &o.workers, min: 0, max: maxThreads}, "workers", "runs at the same time (0: as many as the CPUs allow)")
	flags.BoolVar(&o.repeats, "repeats", false, "let strategies propose networks again, isomorphic cells among them, as plain implementations do")
	o.evolution.add(flags)
	flags.StringVar(&o.plot, "plot", "", "draw the curves in this `FILE.svg`")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	addConfig(flags)
	return cmd
}

// comparedNames are the strategies that propose one architecture after the other.
func comparedNames() []string {
	var names []string
	for _, i := range strategy.List() {
		names = append(names, i.Name)
	}
	return names
}

// check finds mistakes in the flags before anything is read.
func (o *compareOptions) check() error {
	if o.evaluator != tabularEvaluator {
		return usagef("--evaluator %q: strategies are compared by a table; the only evaluator is %s", o.evaluator, tabularEvaluator)
	}
	for _, name := range splitComma(o.strategies) {
		name = strings.TrimSpace(name)
		if name == dartsStrategy {
			return usagef("--strategies: %s trains a mixture of operations, which no table has", name)
		}
		if name == oneshotStrategy {
			return usagef("--strategies: %s trains shared weights, which no table has", name)
		}
		if err := known("strategy", name, comparedNames()); err != nil {
			return err
		}
		if slices.Contains(o.strategyByName, name) {
			return usagef("--strategies: %s stands twice", name)
		}
		o.strategyByName = append(o.strategyByName, name)
	}
	if len(o.strategyByName) == 0 {
		return usagef("--strategies is empty")
	}
	if err := o.tableFlags.check(); err != nil {
		return err
	}
	if err := checkThreads(o.workers, 1); err != nil {
		return err
	}
	if err := (&spaceFlags{spaceName: o.spaceName}).check(); err != nil {
		return err
	}
	return checkPlot(o.plot)
}

// compared is what came out for one strategy.
type compared struct {
	Strategy string            `json:"strategy"`
	Curve    []tabular.Summary `json:"curve"` // by evaluations, from 1
	Final    tabular.Summary   `json:"final"`
}

// comparedTable describes the table.
type comparedTable struct {
	Rows int     `json:"rows"`
	Best float64 `json:"best"` // of the reported metric
}

// comparisonReport is what --json prints. Run and Timing vary from run to run; the rest does not.
type comparisonReport struct {
	Type       string            `json:"type"`
	Settings   map[string]string `json:"settings"`
	Table      comparedTable     `json:"table"`
	Strategies []compared        `json:"strategies"`
	Run        comparisonRun     `json:"run"`
	Timing     comparisonTimes   `json:"timing"`
}

type comparisonRun struct {
	Workers int    `json:"workers"`
	Version string `json:"version"`
}

type comparisonTimes struct {
	TotalSeconds float64 `json:"total_seconds"`
}

// compare runs a comparison from its flags to its report.
func (a *app) compare(ctx context.Context, flags *pflag.FlagSet, o *compareOptions) error {
	start := time.Now()
	if err := o.check(); err != nil {
		return err
	}
	o.report = o.reported()
	s, err := (&spaceFlags{spaceName: o.spaceName}).openSpace(ctx, o.task, tableConstraints())
	if err != nil {
		return err
	}
	table, err := o.tableFlags.open(ctx, s)
	if err != nil {
		return err
	}
	r := comparisonReport{Type: "comparison", Settings: settingsOf(flags, compareSettings()), Table: comparedTable{Rows: table.Rows()}}
	reported, err := table.Column(o.report)
	if err != nil {
		return err
	}
	r.Table.Best = slices.Max(reported)
	r.Run = comparisonRun{Workers: o.workers, Version: currentBuild().Version}
	propose := func(name string, seed uint64) (strategy.Strategy, error) {
		return strategy.New(name, strategy.Options{Space: s, Seed: seed, Repeats: o.repeats, Evolution: o.evolution.options(), Interrupt: ctx.Err})
	}
	for _, name := range o.strategyByName {
		if _, err := propose(name, 0); err != nil {
			return &usageError{err} // before the time is spent on others
		}
	}
	for _, name := range o.strategyByName {
		runs, err := tabular.Compare(ctx, tabular.Options{
			Table: table, Metric: o.metric, Report: o.report, Cost: o.cost, Trials: o.trials, Runs: o.runs, Seed: o.seed, Workers: o.workers, Repeats: o.repeats,
			New: func(seed uint64) (strategy.Strategy, error) { return propose(name, seed) },
		})
		if err != nil {
			return err
		}
		c := compared{Strategy: name}
		for n := range o.trials {
			if err := ctx.Err(); err != nil {
				return err
			}
			c.Final = tabular.Summarize(runs, n+1)
			c.Curve = append(c.Curve, c.Final)
		}
		r.Strategies = append(r.Strategies, c)
	}
	if o.plot != "" {
		if err := o.writePlot(&r); err != nil {
			return err
		}
	}
	r.Timing.TotalSeconds = time.Since(start).Seconds()
	if o.json {
		return writeJSON(a.stdout, r)
	}
	return o.print(a.stdout, &r, a.columns(a.stdout))
}

// milestones are the evaluations that a table shows: 1, 2, 5, 10, 20, 50 and so on, and the last.
func milestones(trials int) []int {
	var out []int
	for ten := 1; ten < trials; ten *= 10 {
		for _, n := range []int{ten, 2 * ten, 5 * ten} {
			if n < trials {
				out = append(out, n)
			}
		}
	}
	return append(out, trials)
}

// print prints the table in so many columns of a terminal; 0 is no bound.
func (o *compareOptions) print(out io.Writer, r *comparisonReport, width int) error {
	fmt.Fprintf(out, "%s of the best by %s over %s, in a table of %s of which the best has %s\n\n",
		o.report, o.metric, plural(o.runs, "run"), plural(r.Table.Rows, "genome"), significant(r.Table.Best))
	head := []tableColumn{
		{head: "STRATEGY"}, {head: "EVALUATIONS"}, {head: "MEAN"}, {head: "SD", spare: 1}, {head: "MIN", spare: 5}, {head: "Q1", spare: 3},
		{head: "MEDIAN", spare: 2}, {head: "Q3", spare: 4}, {head: "MAX", spare: 6},
	}
	if o.cost != "" {
		head = append(head, tableColumn{head: "COST", spare: 7})
	}
	w := newTable(head...)
	for _, c := range r.Strategies {
		for _, n := range milestones(o.trials) {
			s := c.Curve[n-1]
			cells := []string{c.Strategy, formatWhole(s.Evaluations)}
			for _, v := range []float64{s.Mean, s.SD, s.Min, s.Q1, s.Median, s.Q3, s.Max} {
				cells = append(cells, significant(v))
			}
			if o.cost != "" {
				cells = append(cells, formatDigits(s.Cost, 6))
			}
			w.row(cells...)
		}
	}
	if err := w.write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", formatTime(time.Duration(r.Timing.TotalSeconds*float64(time.Second))))
	return err
}

// significant prints a metric with four decimals, or as many digits if it is small or large.
func significant(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 0.001 || a >= 1e6) {
		return strconv.FormatFloat(v, 'g', 5, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}
