package tabular

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// openPublished opens a published table in the folder that NASBENCH_TABLES names. The tables are no part of this project.
func openPublished(t *testing.T, name string, s space.Space) *Table {
	t.Helper()
	dir := os.Getenv("NASBENCH_TABLES")
	if dir == "" {
		t.Skip("NASBENCH_TABLES does not name a folder with the published tables")
	}
	table, err := Open(t.Context(), filepath.Join(dir, name), s, "")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// On NAS-Bench-201, with repeats allowed as in a plain implementation of the strategies, means of 500 runs agree with those of one
// within two standard errors of the difference of two such means, and 0.005 by which the latter are rounded. Without repeats they are not below.
func TestStrategiesOnNB201AgreeWithAPlainImplementation(t *testing.T) {
	const runs = 500
	s := openSpace(t, "nb201")
	table := openPublished(t, "nb201.csv.gz", s)
	for _, c := range []struct {
		strategy string
		want     map[int][2]float64 // mean and standard deviation by evaluations
	}{
		{"random", map[int][2]float64{50: {93.49, 0.56}, 100: {93.72, 0.37}, 300: {93.95, 0.23}}},
		{"evolution", map[int][2]float64{50: {93.60, 0.62}, 100: {93.95, 0.42}, 300: {94.21, 0.23}}},
	} {
		for _, repeats := range []bool{false, true} {
			got, err := Compare(t.Context(), Options{Table: table, Metric: "c10_val_12ep", Report: "c10_test_200ep", Trials: 300, Runs: runs, Seed: 1,
				New: func(seed uint64) (strategy.Strategy, error) {
					return strategy.New(c.strategy, strategy.Options{Space: s, Seed: seed, Repeats: repeats,
						Evolution: strategy.EvolutionOptions{Population: 10, Tournament: 3, Aging: true}})
				}})
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range c.want {
				sum := Summarize(got, n)
				margin := 2*math.Sqrt((sum.SD*sum.SD+want[1]*want[1])/runs) + 0.005
				t.Logf("%s, repeats %v, %d evaluations: %.3f ± %.3f; want %.2f ± %.2f, difference %+.3f, margin %.3f",
					c.strategy, repeats, n, sum.Mean, sum.SD, want[0], want[1], sum.Mean-want[0], margin)
				if sum.Mean < want[0]-margin || repeats && sum.Mean > want[0]+margin {
					t.Errorf("%s, repeats %v: %.3f after %d evaluations, want %.2f within %.3f", c.strategy, repeats, sum.Mean, n, want[0], margin)
				}
			}
		}
	}
}

// The facts that the tables are published with.
func TestPublishedTablesHaveTheirBest(t *testing.T) {
	for _, c := range []struct {
		file, space, column, worst string
		rows                       int
		best, low                  float64
	}{
		{"nb201.csv.gz", "nb201", "c10_test_200ep", "", 15625, 94.3733, 0},
		{"nas-bench-macro_cifar10.json", "macro", "mean_acc", "00000000", 6561, 93.127, 45.36},
	} {
		s := openSpace(t, c.space)
		table := openPublished(t, c.file, s)
		values, err := table.Column(c.column)
		if err != nil {
			t.Fatal(err)
		}
		best := values[0]
		for _, v := range values {
			best = max(best, v)
		}
		if table.Rows() != c.rows || math.Abs(best-c.best) > 0.005 {
			t.Errorf("%s: %d rows, best %v", c.file, table.Rows(), best)
		}
		if c.worst == "" {
			continue
		}
		g, err := s.Parse(c.worst)
		if err != nil {
			t.Fatal(err)
		}
		if row, err := table.Row(g); err != nil || math.Abs(values[row]-c.low) > 0.005 {
			t.Errorf("%s: %v of %s, %v", c.file, values[row], c.worst, err)
		}
	}
}

// plainRun searches the digits of NAS-Bench-Macro as the papers have it, without anything of this module but the table: at random, or
// by regularized evolution. It returns the reported value of the best by what is seen after each evaluation.
func plainRun(rng *rand.Rand, evolve bool, trials int, seen, report map[string]float64) []float64 {
	const layers, operations, population, sample = 8, 3, 10, 3
	var queue []string
	var out []float64
	best := ""
	for range trials {
		text := make([]byte, layers)
		for i := range text {
			text[i] = '0' + byte(rng.IntN(operations))
		}
		if evolve && len(queue) == population {
			parent := ""
			for _, i := range rng.Perm(population)[:sample] {
				if parent == "" || seen[queue[i]] > seen[parent] {
					parent = queue[i]
				}
			}
			text = []byte(parent)
			i := rng.IntN(layers)
			text[i] = '0' + (text[i]-'0'+1+byte(rng.IntN(operations-1)))%operations
			queue = queue[1:]
		}
		queue = append(queue, string(text))
		if best == "" || seen[string(text)] > seen[best] {
			best = string(text)
		}
		out = append(out, report[best])
	}
	return out
}

// On NAS-Bench-Macro, where the strategy sees the first of three trainings and the mean of all is reported.
func TestStrategiesOnMacroAgreeWithAPlainImplementation(t *testing.T) {
	const runs, trials = 500, 300
	s := openSpace(t, "macro")
	table := openPublished(t, "nas-bench-macro_cifar10.json", s)
	const metric, reported = "test_acc.0", "mean_acc"
	seen, report := map[string]float64{}, map[string]float64{}
	for text, row := range table.byText {
		seen[text], report[text] = table.told(row)[metric], table.told(row)[reported]
	}
	for _, name := range []string{"random", "evolution"} {
		var plain []Run
		for i := range runs {
			values := plainRun(rand.New(rand.NewPCG(uint64(i), 1)), name == "evolution", trials, seen, report)
			plain = append(plain, Run{Reported: values, Seen: values})
		}
		for _, repeats := range []bool{false, true} {
			got, err := Compare(t.Context(), Options{Table: table, Metric: metric, Report: reported, Trials: trials, Runs: runs, Seed: 1,
				New: func(seed uint64) (strategy.Strategy, error) {
					return strategy.New(name, strategy.Options{Space: s, Seed: seed, Repeats: repeats,
						Evolution: strategy.EvolutionOptions{Population: 10, Tournament: 3, Aging: true}})
				}})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{50, 100, 300} {
				have, want := Summarize(got, n), Summarize(plain, n)
				margin := 2 * math.Sqrt((have.SD*have.SD+want.SD*want.SD)/runs)
				t.Logf("%s, repeats %v, %d evaluations: %.3f ± %.3f; plain %.3f ± %.3f, difference %+.4f, margin %.4f",
					name, repeats, n, have.Mean, have.SD, want.Mean, want.SD, have.Mean-want.Mean, margin)
				if have.Mean < want.Mean-margin || repeats && have.Mean > want.Mean+margin {
					t.Errorf("%s, repeats %v: %.3f after %d evaluations, plain %.3f within %.4f", name, repeats, have.Mean, n, want.Mean, margin)
				}
			}
		}
	}
}
