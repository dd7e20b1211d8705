package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/nasbench-go/nasbench/nas/oneshot"
)

// rankSummary is the last JSON object.
type rankSummary struct {
	Type          string            `json:"type"`
	Settings      map[string]string `json:"settings"`
	Architectures int               `json:"architectures"` // in the correlations
	LeftOut       int               `json:"left_out"`
	Seeds         int               `json:"seeds"`
	Inherited     *oneshot.Rank     `json:"inherited"`
	Params        *oneshot.Rank     `json:"params"`
	FLOPs         *oneshot.Rank     `json:"flops"`
	// InheritedSeed is the mean over the seeds of the tau of inherited accuracies with one of them: what compares with Between where there are two seeds.
	InheritedSeed *float64      `json:"inherited_with_one_seed"`
	Between       *oneshot.Rank `json:"between_seeds"` // the first seed with the mean of the others; null for one seed
	Images        int           `json:"validation_images"`
	Level         string        `json:"level"`
	Run           rankRun       `json:"run"`
}

// rankRun says where and how it was run.
type rankRun struct {
	Study   string `json:"study"`
	Name    string `json:"name"`
	Workers int    `json:"workers"`
	Threads int    `json:"threads"`
	Version string `json:"version"`
}

// report prints everything.
func (r *ranking) report(list []rankedArchitecture, settings map[string]string) error {
	s := rankSummary{Type: "rank", Settings: settings, Seeds: r.seeds, Images: r.data.Validation.Len(), Level: r.level.String()}
	s.Run = rankRun{Study: r.file.Path(), Name: r.studyName, Workers: r.workers, Threads: r.threads, Version: currentBuild().Version}
	var inherited, params, flops, mean, first, others []float64
	for i := range list {
		a := &list[i]
		if r.json {
			if err := writeJSON(r.app.stdout, a); err != nil {
				return err
			}
		}
		if a.Reason != "" || len(a.Alone) < r.seeds {
			s.LeftOut++
			continue
		}
		inherited, params, flops = append(inherited, a.Inherited), append(params, float64(a.Params)), append(flops, float64(a.FLOPs))
		mean, first, others = append(mean, a.mean(-1)), append(first, a.Alone[0]), append(others, a.mean(0))
	}
	s.Architectures = len(mean)
	s.Inherited, s.Params, s.FLOPs = r.correlate(inherited, mean), r.correlate(params, mean), r.correlate(flops, mean)
	if r.seeds > 1 {
		s.Between = r.correlate(first, others)
	}
	sum, n := 0.0, 0
	for seed := range r.seeds {
		var one []float64
		for i := range list {
			if a := &list[i]; a.Reason == "" && len(a.Alone) == r.seeds {
				one = append(one, a.Alone[seed])
			}
		}
		if c := r.correlate(inherited, one); c != nil {
			sum, n = sum+c.Tau, n+1
		}
	}
	if n > 0 {
		sum /= float64(n)
		s.InheritedSeed = &sum
	}
	if r.json {
		return writeJSON(r.app.stdout, s)
	}
	return r.print(list, &s)
}

// uncertainty says how well a correlation is known.
func uncertainty(c *oneshot.Rank) string {
	if c.Interval != nil {
		return fmt.Sprintf("95%%: %.3f to %.3f", c.Interval.Low, c.Interval.High)
	}
	if c.P == nil {
		return "no interval"
	}
	return "p = " + formatDigits(*c.P, 2)
}

// correlate returns the correlation of two measurements, or nil if one of them does not differ.
func (r *ranking) correlate(x, y []float64) *oneshot.Rank {
	c := oneshot.NewRank(x, y, r.seed)
	if math.IsNaN(c.Tau) {
		return nil
	}
	return &c
}

func (r *ranking) print(list []rankedArchitecture, s *rankSummary) error {
	order := make([]*rankedArchitecture, len(list))
	for i := range list {
		order[i] = &list[i]
	}
	slices.SortStableFunc(order, func(a, b *rankedArchitecture) int {
		if x, y := a.mean(-1), b.mean(-1); x != y {
			if x > y {
				return -1
			}
			return 1
		}
		return 0
	})
	t := newTable(tableColumn{head: "INHERITED"}, tableColumn{head: "ALONE"}, tableColumn{head: "PARAMETERS", spare: 1}, tableColumn{head: "FLOPS", spare: 2}, tableColumn{head: "MACS", spare: 3}, architectureColumn())
	for _, a := range order {
		if a.Reason != "" {
			t.row("-", "-", formatCount(a.Params), formatCount(a.FLOPs), formatCount(a.MACs), fmt.Sprintf("%s (left out: %s)", a.Genome, a.Reason))
			continue
		}
		t.row(fmt.Sprintf("%.4f", a.Inherited), fmt.Sprintf("%.4f", a.mean(-1)), formatCount(a.Params), formatCount(a.FLOPs), formatCount(a.MACs), a.Genome)
	}
	if err := t.write(r.app.stdout, r.app.columns(r.app.stdout)); err != nil {
		return err
	}
	fmt.Fprintf(r.app.stdout, "\nKendall's tau with the mean accuracy of %s alone, over %s:\n", plural(s.Seeds, "training"), plural(s.Architectures, "architecture"))
	line := func(what string, c *oneshot.Rank) {
		if c == nil {
			fmt.Fprintf(r.app.stdout, "  %-26s  not defined: all are equal\n", what)
			return
		}
		fmt.Fprintf(r.app.stdout, "  %-26s  %6.3f  (%s)\n", what, c.Tau, uncertainty(c))
	}
	if s.Architectures < oneshot.IntervalLeast {
		fmt.Fprintf(r.app.stdout, "  %s are too few for an interval, which takes %d; p is the share of all orders that agree or disagree as much\n",
			plural(s.Architectures, "architecture"), oneshot.IntervalLeast)
	}
	line("inherited accuracy", s.Inherited)
	line("number of parameters", s.Params)
	line("FLOPs", s.FLOPs)
	if s.Seeds > 1 {
		line("first seed with the others", s.Between)
		if s.InheritedSeed != nil {
			fmt.Fprintf(r.app.stdout, "  %-26s  %6.3f\n", "inherited with one seed", *s.InheritedSeed)
		}
	}
	return nil
}
