package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/study"
	"github.com/nasbench-go/nasbench/nas/tabular"
)

// evaluatorFlags say how the candidates of a search are measured.
type evaluatorFlags struct {
	tableFlags
	evaluator string
}

func (e *evaluatorFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&e.evaluator, "evaluator", trainingEvaluator, "how candidates are measured: "+trainingEvaluator+", or "+tabularEvaluator+" to look them up in --table instead")
	e.tableFlags.add(flags, "needed with --evaluator "+tabularEvaluator)
}

// tabular reports whether candidates are looked up instead of being trained.
func (e *evaluatorFlags) tabular() bool { return e.evaluator == tabularEvaluator }

// digestSetting is the name under which a study records what its table holds, which no flag sets.
const digestSetting = "table-digest"

// tabularSettings are the flags that decide the results of a search in a table.
func tabularSettings() []string {
	return slices.Concat([]string{"evaluator"}, tableFlagNames())
}

// checkEvaluator finds mistakes in the flags of the evaluator.
func (s *session) checkEvaluator() error {
	if err := known("evaluator", s.evaluator, []string{trainingEvaluator, tabularEvaluator}); err != nil {
		return err
	}
	switch {
	case !s.tabular() && s.table != "" && s.recorded["table"] == "":
		return usagef("--table is of use with --evaluator %s alone", tabularEvaluator)
	case !s.tabular():
		return nil
	case !slices.Contains(comparedNames(), s.strategyName):
		return usagef("--strategy %s trains all candidates at once, which no table has", s.strategyName)
	}
	return s.tableFlags.check()
}

// suitTable leaves open whatever bound the user does not give: the table decides what can be measured.
func (b *boundFlags) suitTable(flags *pflag.FlagSet) {
	for name, bound := range map[string]*int64{"max-flops": &b.flops, "max-activation": &b.activation, "min-params": &b.minParams} {
		if !flags.Changed(name) {
			*bound = 0
		}
	}
}

// openTable reads the table and makes the space of its genomes.
func (s *session) openTable(ctx context.Context) (err error) {
	c := s.constraints()
	open := tableConstraints()
	c.AllowWeightless = open.AllowWeightless
	if !s.channelsBounded() {
		c.MaxChannels = open.MaxChannels
	}
	if s.space, err = s.timedSpace(ctx, s.task, c); err != nil {
		return err
	}
	s.known, err = s.tableFlags.open(ctx, s.space)
	return err
}

// channelsBounded reports whether the user has bounded the channels, now or when the study was begun.
func (s *session) channelsBounded() bool {
	return s.flags.Changed("max-channels") || s.recorded["max-channels"] != ""
}

// tableSettings removes from the settings what is of training alone, and adds what the table holds.
func (s *session) tableSettings(settings study.Settings) {
	of := slices.Concat([]string{"dataset", "data-dir", "train-samples", "validation", "epochs"}, dataFlagNames(), recipeFlagNames())
	maps.DeleteFunc(settings, func(name, _ string) bool { return slices.Contains(of, name) })
	delete(settings, levelSetting)
	if !s.channelsBounded() {
		delete(settings, "max-channels")
	}
	maps.Copy(settings, settingsOf(s.flags, tabularSettings()))
	settings[digestSetting] = s.known.Digest()
}

// tableResult is what a search in a table comes to.
type tableResult struct {
	File       string   `json:"file"`
	Rows       int      `json:"rows"`
	Digest     string   `json:"digest"`
	Metric     string   `json:"metric"`
	Report     string   `json:"report"`
	Seen       float64  `json:"seen"`     // metric of the best
	Reported   float64  `json:"reported"` // report of the best
	BestSeen   float64  `json:"best_seen"`
	BestReport float64  `json:"best_reported"` // of the whole table
	Cost       *float64 `json:"cost,omitempty"`
}

// tableResult looks the best up; nil if nothing was looked up.
func (s *session) tableResult(o *study.Outcome) (*tableResult, error) {
	if s.known == nil || o.Best == nil {
		return nil, nil
	}
	r := &tableResult{File: s.table, Rows: s.known.Rows(), Digest: s.known.Digest(), Metric: s.metric, Report: s.reported(), Seen: o.Best.Metrics.ValAccuracy}
	r.Reported = o.Best.Metrics.Other[r.Report]
	for _, c := range []struct {
		column string
		best   *float64
	}{{r.Metric, &r.BestSeen}, {r.Report, &r.BestReport}} {
		values, err := s.known.Column(c.column)
		if err != nil {
			return nil, err
		}
		*c.best = slices.Max(values)
	}
	if s.cost != "" {
		sum := 0.0
		for _, t := range o.Trials {
			if t.Metrics != nil && t.ReusedFrom == nil {
				sum += t.Metrics.Other[s.cost]
			}
		}
		r.Cost = &sum
	}
	return r, nil
}

// text says in words what --json has as an object.
func (r *tableResult) text(cost string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s; the best of %s in the table has %s\n", r.Report, significant(r.Reported), plural(r.Rows, "genome"), significant(r.BestReport))
	if r.Report != r.Metric {
		fmt.Fprintf(&b, "%s %s; the best in the table has %s\n", r.Metric, significant(r.Seen), significant(r.BestSeen))
	}
	if r.Cost != nil {
		fmt.Fprintf(&b, "%s of all evaluations %s\n", cost, formatDigits(*r.Cost, 6))
	}
	return b.String()
}

// lookUp returns the evaluator of the table.
func (s *session) lookUp() (study.Evaluator, error) { return tabular.NewEvaluator(s.known, s.metric) }
