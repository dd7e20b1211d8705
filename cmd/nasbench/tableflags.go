package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/tabular"
)

// tabularEvaluator looks candidates up in a table; trainingEvaluator trains them.
const (
	tabularEvaluator  = "tabular"
	trainingEvaluator = "training"
)

// tableFlags name a table of known results and what is to be read in it.
type tableFlags struct {
	table  string
	genome string
	metric string
	report string
	cost   string
	task   space.Task
}

// tableFlagNames are those that decide what is read.
func tableFlagNames() []string {
	return []string{"task", "table", "genome", "metric", "report", "cost"}
}

// add adds the flags; needed is what their help says of those that cannot be left out.
func (t *tableFlags) add(flags *pflag.FlagSet, needed string) {
	t.task = space.Task{Height: 32, Width: 32, Channels: 3, Classes: 10}
	flags.Var(taskValue{&t.task}, "task", "`HxWxCxN`: height, width and channels of the images and classes that the networks of the table are for")
	flags.StringVar(&t.table, "table", "", "`FILE` with the table; "+needed)
	flags.StringVar(&t.genome, "genome", "", "column of the table with the genomes (default the first that has any)")
	flags.StringVar(&t.metric, "metric", "", "column that strategies see, the larger the better; "+needed)
	flags.StringVar(&t.report, "report", "", "column that is reported (default --metric)")
	flags.StringVar(&t.cost, "cost", "", "column that is summed up over the evaluations (default none)")
}

// check finds mistakes before anything is read.
func (t *tableFlags) check() error {
	switch {
	case t.table == "":
		return usagef("--table is needed")
	case t.metric == "":
		return usagef("--metric is needed")
	}
	return nil
}

// reported is the name of the column that is reported.
func (t *tableFlags) reported() string {
	if t.report == "" {
		return t.metric
	}
	return t.report
}

// open reads the table and looks for its columns.
func (t *tableFlags) open(ctx context.Context, s space.Space) (*tabular.Table, error) {
	table, err := tabular.Open(ctx, t.table, s, t.genome)
	if err != nil {
		return nil, err
	}
	for _, c := range []struct{ flag, column string }{{"metric", t.metric}, {"report", t.report}, {"cost", t.cost}} {
		if c.column == "" || slices.Contains(table.Columns(), c.column) {
			continue
		}
		_, err := table.Column(c.column)
		hint := ""
		if errors.Is(err, tabular.ErrNoColumn) { // one that is there and has a bad value is meant
			hint = didYouMean(c.column, table.Columns())
		}
		return nil, usagef("--%s: %w%s", c.flag, err, hint)
	}
	return table, nil
}

// tableConstraints allow everything: the table decides what can be measured.
func tableConstraints() space.Constraints {
	return space.Constraints{MaxChannels: -1, AllowWeightless: true}
}

// taskValue is a task as HEIGHTxWIDTHxCHANNELSxCLASSES.
type taskValue struct{ p *space.Task }

func (taskValue) Type() string { return "task" }
func (v taskValue) String() string {
	if v.p == nil {
		return ""
	}
	return fmt.Sprintf("%dx%dx%dx%d", v.p.Height, v.p.Width, v.p.Channels, v.p.Classes)
}

func (v taskValue) Set(s string) error {
	parts := strings.Split(s, "x")
	var n [4]int
	if len(parts) != len(n) {
		return fmt.Errorf("want height, width, channels and classes, such as 32x32x3x10")
	}
	for i, part := range parts {
		var err error
		if n[i], err = strconv.Atoi(part); err != nil {
			return numberError(err, "numbers such as 32x32x3x10")
		}
	}
	t := space.Task{Height: n[0], Width: n[1], Channels: n[2], Classes: n[3]}
	if err := t.Check(); err != nil {
		return err
	}
	*v.p = t
	return nil
}
