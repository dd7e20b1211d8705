package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

// frontTrial is a trial that no other one dominates.
type frontTrial struct {
	Index  int                `json:"index"`
	Genome string             `json:"genome"`
	Values map[string]float64 `json:"values"` // of the aims, without their signs
}

// aims are the metrics of NSGA-II; none for other searches.
func (o *searchOptions) aims() []string {
	if o.strategyName != evolutionStrategy {
		return nil
	}
	return o.evolution.options().Pareto
}

// complete fills in what is found out from the outcome.
func (r *report) complete() (err error) {
	if r.looked, err = r.tableResult(r.outcome); err != nil {
		return err
	}
	r.front, err = front(r.outcome.Trials, r.aims())
	return err
}

// front returns the trials that no other one dominates, the best by the first aim first.
func front(trials []study.Trial, aims []string) ([]frontTrial, error) {
	if len(aims) == 0 {
		return nil, nil
	}
	var results []strategy.Result
	var of []study.Trial
	for _, t := range trials {
		if t.State == study.Complete && t.ReusedFrom == nil {
			results = append(results, strategy.Result{Trial: t.Index, Score: t.Metrics.ValAccuracy, Metrics: t.Metrics.Map()})
			of = append(of, t)
		}
	}
	members, err := strategy.Front(results, aims)
	if err != nil {
		return nil, err
	}
	var out []frontTrial
	for _, i := range members {
		f := frontTrial{of[i].Index, of[i].Genome, map[string]float64{}}
		for _, name := range aims {
			bare := strings.TrimPrefix(name, "-")
			f.Values[bare] = results[i].Metrics[bare]
			if bare == "score" {
				f.Values[bare] = results[i].Score
			}
		}
		out = append(out, f)
	}
	first, smaller := strings.CutPrefix(aims[0], "-")
	slices.SortStableFunc(out, func(a, b frontTrial) int {
		order := cmp.Compare(b.Values[first], a.Values[first])
		if smaller {
			order = -order
		}
		return order
	})
	return out, nil
}

// printFront prints a front, unless it is empty, in so many columns of a terminal; 0 is no bound.
func printFront(out io.Writer, front []frontTrial, aims []string, trials, width int) error {
	if len(front) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nPareto front of %s: %d of %s\n\n", join(aims), len(front), plural(trials, "trial"))
	head := []tableColumn{{head: "TRIAL"}}
	for i, name := range aims {
		head = append(head, tableColumn{head: strings.ToUpper(strings.TrimPrefix(name, "-")), spare: i})
	}
	w := newTable(append(head, architectureColumn())...)
	for _, f := range front {
		cells := []string{fmt.Sprint(f.Index)}
		for _, name := range aims {
			cells = append(cells, shortNumber(f.Values[strings.TrimPrefix(name, "-")]))
		}
		w.row(append(cells, f.Genome)...)
	}
	return w.write(out, width)
}

// shortNumber prints whole numbers exactly and others with six digits.
func shortNumber(v float64) string {
	if text := exact(v); !strings.ContainsAny(text, ".e") {
		return text
	}
	return formatDigits(v, 6)
}
