package tabular

import (
	"os"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// openOwn opens the table of this project, and its space.
func openOwn(t *testing.T) (*Table, space.Space) {
	t.Helper()
	f, err := os.Open("../../examples/spaces/three-edges.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := space.Read(f, "three-edges.yaml", space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, space.Constraints{MaxChannels: -1, AllowWeightless: true}, space.Size{})
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(t.Context(), "../../examples/tables/three-edges.csv", s, "")
	if err != nil {
		t.Fatal(err)
	}
	return table, s
}

// Each genome that the space allows has a row, with the costs that the space says.
func TestOwnTableHasItsWholeSpace(t *testing.T) {
	table, s := openOwn(t)
	all := s.(space.Countable)
	n, _ := all.Count()
	found := map[int]bool{}
	for i := range n {
		g, ok := all.At(i)
		if !ok || s.Check(g) != nil {
			continue
		}
		row, err := table.Row(g)
		if err != nil {
			t.Fatal(err)
		}
		found[row] = true
		cost, err := s.Cost(table.genomes[row])
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int64{"params": cost.Params, "flops": cost.FLOPs, "macs": cost.MACs, "activation_bytes": cost.ActivationBytes} {
			if got := table.metrics[row][name]; got != float64(want) {
				t.Errorf("%v: %s %v, the space says %d", table.genomes[row], name, got, want)
			}
		}
	}
	if n != 343 || len(found) != table.Rows() || table.Rows() != 201 {
		t.Errorf("%d of %d rows are of the %d genomes", len(found), table.Rows(), n)
	}
	for name, bounds := range map[string][2]float64{"val_accuracy": {0.5, 0.9}, "val_accuracy_ep1": {0.05, 0.8}, "val_accuracy_ep3": {0.1, 0.9}, "epochs": {4, 4}} {
		values, err := table.Column(name)
		if err != nil {
			t.Fatal(err)
		}
		for row, v := range values {
			if v < bounds[0] || v > bounds[1] {
				t.Errorf("%v: %s is %v", table.genomes[row], name, v)
			}
		}
	}
	info, err := os.Stat("../../examples/tables/three-edges.csv")
	if err != nil || info.Size() > 100_000 {
		t.Errorf("%v, %d bytes", err, info.Size())
	}
}

// Every strategy finds in it by the accuracy after four epochs what is best, and by that after one epoch something better than chance.
func TestStrategiesSearchTheOwnTable(t *testing.T) {
	table, s := openOwn(t)
	truth, err := table.Column("val_accuracy")
	if err != nil {
		t.Fatal(err)
	}
	best, mean := 0.0, 0.0
	for _, v := range truth {
		best = max(best, v)
		mean += v / float64(len(truth))
	}
	for _, name := range []string{"random", "grid", "evolution"} {
		o := Options{Table: table, Metric: "val_accuracy", Trials: table.Rows(), Runs: 3, Seed: 1, New: func(seed uint64) (strategy.Strategy, error) {
			return strategy.New(name, strategy.Options{Space: s, Seed: seed})
		}}
		runs, err := Compare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if n := len(r.Reported); r.Reported[n-1] != best {
				t.Errorf("%s: %v after %d evaluations of %d, the best has %v", name, r.Reported[n-1], n, table.Rows(), best)
			}
		}
		o.Metric, o.Report, o.Trials, o.Runs = "val_accuracy_ep1", "val_accuracy", 50, 100
		if runs, err = Compare(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if got := Summarize(runs, 50).Mean; got <= mean {
			t.Errorf("%s: %v after 50 evaluations, the mean of the table is %v", name, got, mean)
		}
	}
}
