package tabular

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

func openSpace(t testing.TB, name string) space.Space {
	t.Helper()
	s, err := space.New(name, space.Task{Height: 32, Width: 32, Channels: 3, Classes: 10},
		space.Constraints{MaxChannels: -1, AllowWeightless: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// macroCSV is a table of all genomes of the space macro: the score is the sum of the digits, the report its square.
func macroCSV(t testing.TB) string {
	t.Helper()
	s := openSpace(t, "macro").(space.Countable)
	n, _ := s.Count()
	var b strings.Builder
	b.WriteString("row,arch,score,report,cost,remark\n")
	for i := range n {
		g, _ := s.At(i)
		sum := 0
		for _, c := range g.String() {
			sum += int(c - '0')
		}
		fmt.Fprintf(&b, "%d,%s,%d,%d,2.5,fine\n", i, g, sum, sum*sum)
	}
	return b.String()
}

func read(t testing.TB, text, spaceName, genome string) *Table {
	t.Helper()
	table, err := Read(strings.NewReader(text), "t", openSpace(t, spaceName), genome)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFormsOfOneTableAreRead(t *testing.T) {
	const text = "id,cell,acc,time\n" +
		"7,|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|,91.5,2\n" +
		"8,|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|,10,1e-3\n"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"plain.csv": text, "packed.csv.gz": packed.String(), "windows.csv": "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n"),
		"table.json": `{"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|": {"id": 7, "acc": 91.5, "time": 2},
			"|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|": {"time": 1e-3, "acc": 10, "id": 8}}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		s := openSpace(t, "nb201")
		table, err := Open(t.Context(), path, s, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Columns(); !slices.Equal(got, []string{"id", "acc", "time"}) || table.Rows() != 2 {
			t.Errorf("%s: %d rows, columns %v", name, table.Rows(), got)
		}
		for column, want := range map[string][]float64{"id": {7, 8}, "acc": {91.5, 10}, "time": {2, 0.001}} {
			if got, err := table.Column(column); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: column %s: %v, %v", name, column, got, err)
			}
		}
		// The second cell is zero, as this other one is.
		for cell, want := range map[string]int{
			"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|": 0,
			"|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|skip_connect~2|":                         1,
		} {
			g, err := s.Parse(cell)
			if err != nil {
				t.Fatal(err)
			}
			if row, err := table.Row(g); err != nil || row != want {
				t.Errorf("%s: %s is row %d, %v; want %d", name, cell, row, err, want)
			}
		}
		other, err := s.Parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Row(other); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), other.String()) {
			t.Errorf("%s: the error of a genome that is not there: %v", name, err)
		}
	}
}

func TestArraysOfJSONAreColumns(t *testing.T) {
	table := read(t, `{"22212202": {"test_acc": [93.5, 93, 92.5], "mean_acc": 93}, "00000000": {"test_acc": [45, 46, 47], "mean_acc": 46}}`, "macro", "")
	if got := table.Columns(); !slices.Equal(got, []string{"test_acc.0", "test_acc.1", "test_acc.2", "mean_acc"}) {
		t.Errorf("columns %v", got)
	}
	if got, err := table.Column("test_acc.2"); err != nil || !slices.Equal(got, []float64{92.5, 47}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMalformedTablesAreRefusedWithThePlace(t *testing.T) {
	for _, c := range []struct{ text, genome, want string }{
		{"", "", "table t: the file is empty"},
		{"arch,acc\n", "", "table t: there are no rows"},
		{"arch,acc\n22212202,1\n2221220,1\n", "", "table t: line 3, column 1: space macro: 7 digits"},
		{"arch,acc\n22212202,1\n22212202,1\n", "", "table t: line 3, column 1: the genome 22212202 stands in line 2 too"},
		{"arch,acc\n22212202,1,2\n", "", "table t: line 2, column 12: 3 fields; the first line has 2"},
		{"arch,acc\n22212202,1\n\"00000000,1\n", "", "table t: line 3, column "},
		{"arch,acc\n22212202,x\n", "", "table t: line 2, column 10: column acc: \"x\" is not a finite number"},
		{"arch,acc\n22212202,NaN\n", "", "\"NaN\" is not a finite number"},
		{"arch,acc\n22212202,-Inf\n", "", "line 2, column 10: column acc: \"-Inf\" is not a finite number"},
		{"arch,acc\n22212202,1e999\n", "", "line 2, column 10: column acc: \"1e999\" is not a finite number"},
		{"arch,acc\n22212202,\n", "", "line 2, column 10: column acc: \"\" is not a finite number"},
		{"\x00\x00\x00\x00", "", "table t: a zero byte at offset 0; want CSV or JSON"},
		{"a\x00r\x00c\x00h\x00", "", "table t: the text is UTF-16; save it as UTF-8"},
		{"arch,acc\n22212202,\n", "", "line 2, column 10: column acc: \"\" is not"},
		{"arch,acc,acc\n22212202,1,1\n", "", "table t: line 1, column 10: column \"acc\" stands twice"},
		{"arch,\n22212202,1\n", "", "table t: line 1, column 6: a column has no name"},
		{"arch\n22212202\n", "", "no column besides the genomes"},
		{"arch,acc\n22212202,1\n", "cell", "table t: there is no column \"cell\""},
		{"id,acc\n1,1\n", "", "table t: line 2, column 1: no field is a genome of space macro"},
		{"\x1f\x8bnonsense", "", "table t: "},
		{"{", "", "table t: line 1, column 2: the file ends within the table"},
		{"{}", "", "there are no rows"},
		{"{\"22212202\":\n {\"acc\": 1}} {}", "", "table t: line 2, column 15: the table ends before this"},
		{"{\"22212202\": 3}", "", "the value of a genome is no object"},
		{"{\"22212202\": {\"acc\": {}}}", "", "\"acc\" is neither a number nor"},
		{"{\"22212202\": {\"acc\": [[1]]}}", "", "\"acc.0\" is neither a number nor"},
		{"{\"22212202\": {\"acc\": 1, \"acc\": 1}}", "", "\"acc\" stands twice"},
		{"{\"22212202\": {\"acc\": 1},\n\"00000000\": {}}", "", "line 2, column 11: the genome has no \"acc\""},
		{"{\"22212202\": {\"acc\": 1},\n\"00000000\": {\"acc\": 1, \"b\": 1}}", "", "line 2, column 30: \"b\" is no metric of the genome in line 1"},
		{"{\"22212202\": {\"acc\": 1},\n\"22212202\": {\"acc\": 1}}", "", "stands in line 1 too"},
		{"{\"2221220\": {\"acc\": 1}}", "", "table t: line 1, column 11: space macro: 7 digits"},
		{"{\"22212202\": {\"acc\": null}}", "", "is not a finite number"},
		{"{\"22212202\": {\"acc\": 1 2}}", "", "table t: line 1, column "},
	} {
		_, err := Read(strings.NewReader(c.text), "t", openSpace(t, "macro"), c.genome)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %s", c.text, err, c.want)
		}
	}
	table := read(t, macroCSV(t), "macro", "arch")
	if _, err := table.Column("remark"); err == nil || !strings.Contains(err.Error(), `line 2, column 20: column remark: "fine"`) {
		t.Errorf("a column of words: %v", err)
	}
	if _, err := table.Column("acc"); err == nil || !strings.Contains(err.Error(), "row, score, report, cost") {
		t.Errorf("a column that is not there: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "no.csv"), openSpace(t, "macro"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("id,arch,acc\n1,22212202,93.1\n2,00000000,4e1\n"))
	f.Add([]byte(`{"22212202": {"test_acc": [93.5, 93], "mean_acc": 93}, "00000000": {"mean_acc": 46, "test_acc": [45, 46]}}`))
	f.Add([]byte("\xef\xbb\xbf\"arch\",\"a\"\r\n 22212202 , 1 \r\n"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
	f.Add([]byte("{\"22212202\": {\"acc\": {}}}"))
	s := openSpace(f, "macro")
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := Read(bytes.NewReader(data), "t", s, "")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "table t: ") {
				t.Errorf("the error does not begin with the table: %v", err)
			}
			return
		}
		if table.Rows() < 1 || len(table.Columns()) < 1 || len(table.byText) != table.Rows() {
			t.Fatalf("%d rows, columns %v", table.Rows(), table.Columns())
		}
		for _, name := range table.Columns() {
			values, err := table.Column(name)
			if err != nil || len(values) != table.Rows() {
				t.Fatalf("column %q: %d values, %v", name, len(values), err)
			}
			for _, v := range values {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("column %q has %v", name, v)
				}
			}
		}
		for text, row := range table.byText {
			g, err := s.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if found, err := table.Row(g); err != nil || found != row {
				t.Fatalf("%s is row %d, %v; want %d", text, found, err, row)
			}
		}
	})
}

func options(t testing.TB, name string) Options {
	s := openSpace(t, "macro")
	table := read(t, macroCSV(t), "macro", "")
	return Options{Table: table, Metric: "score", Report: "report", Cost: "cost", Trials: 60, Runs: 20, Seed: 3,
		New: func(seed uint64) (strategy.Strategy, error) {
			return strategy.New(name, strategy.Options{Space: s, Seed: seed})
		}}
}

func TestCompareIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	for _, name := range []string{"random", "evolution", "grid"} {
		o := options(t, name)
		var want []Run
		for _, workers := range []int{1, 2, 7, 0} {
			o.Workers = workers
			runs, err := Compare(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = runs
			}
			if got, want := fmt.Sprint(runs), fmt.Sprint(want); got != want {
				t.Errorf("%s, %d workers: got %s, want %s", name, workers, got, want)
			}
		}
		for _, r := range want {
			if len(r.Reported) != 60 || len(r.Seen) != 60 || len(r.Cost) != 60 || !slices.IsSorted(r.Seen) {
				t.Fatalf("%s: a run of %d evaluations, seen %v", name, len(r.Reported), r.Seen)
			}
			for i := range r.Reported {
				if r.Reported[i] != r.Seen[i]*r.Seen[i] || r.Cost[i] != 2.5*float64(i+1) {
					t.Fatalf("%s: evaluation %d: seen %v, reported %v, cost %v", name, i, r.Seen[i], r.Reported[i], r.Cost[i])
				}
			}
			sum := 0.0
			for _, c := range r.Genome {
				sum += float64(c - '0')
			}
			if sum != r.Seen[59] {
				t.Errorf("%s: the best is %s, and %v was seen", name, r.Genome, r.Seen[59])
			}
		}
		if name != "grid" && want[0].Genome == want[1].Genome && slices.Equal(want[0].Seen, want[1].Seen) {
			t.Errorf("%s: two seeds give one run", name)
		}
	}
}

func TestEvolutionBeatsRandomSearchWhereDigitsAdd(t *testing.T) {
	mean := map[string]float64{}
	for _, name := range []string{"random", "evolution"} {
		o := options(t, name)
		o.Trials = 200
		runs, err := Compare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		mean[name] = Summarize(runs, 200).Seen
	}
	if mean["evolution"] < mean["random"]+0.5 {
		t.Errorf("means %v", mean)
	}
}

func TestStrategiesAreToldColumnsAndCosts(t *testing.T) {
	s := openSpace(t, "macro")
	table := read(t, "arch,acc,flops\n22212202,1,7\n00000000,2,8\n", "macro", "")
	for row, text := range []string{"22212202", "00000000"} {
		g, err := s.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]float64{"acc": float64(row + 1), "flops": float64(row + 7), "params": float64(cost.Params),
			"macs": float64(cost.MACs), "activation_bytes": float64(cost.ActivationBytes)}
		if got := table.told(row); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if got := table.Columns(); !slices.Equal(got, []string{"acc", "flops"}) {
		t.Errorf("columns %v", got)
	}
}

func TestAnExhaustedStrategyEndsItsRun(t *testing.T) {
	o := options(t, "grid")
	o.Trials, o.Runs = 10_000, 1
	runs, err := Compare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(runs[0].Reported); n != len(o.Table.byKey) {
		t.Errorf("%d evaluations of %d networks", n, len(o.Table.byKey))
	}
	if s := Summarize(runs, 10_000); s.Mean != 256 || s.SD != 0 || s.Max != 256 {
		t.Errorf("%+v", s)
	}
}

func TestCompareSaysWhatIsWrong(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	small := read(t, "arch,score,report\n00000000,1,1\n00000001,1,1\n", "macro", "")
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Table = nil }, "both needed"},
		{func(o *Options) { o.New = nil }, "both needed"},
		{func(o *Options) { o.Trials = 0 }, "must be positive"},
		{func(o *Options) { o.Runs = -1 }, "must be positive"},
		{func(o *Options) { o.Workers = -1 }, "-1 workers"},
		{func(o *Options) { o.Runs = 1 << 60 }, "of memory, more than"},
		{func(o *Options) { o.Trials, o.Runs, o.Repeats = 1<<50, 1000, true }, "of memory, more than"},
		{func(o *Options) { o.Metric = "acc" }, `no column "acc"`},
		{func(o *Options) { o.Report = "remark" }, "column remark"},
		{func(o *Options) { o.Cost = "time" }, `no column "time"`},
		{func(o *Options) { o.Table, o.Cost = small, "" }, "run 0: table t: there is no row for the genome "},
		{func(o *Options) {
			o.New = func(uint64) (strategy.Strategy, error) { return nil, errors.New("no strategy") }
		}, "run 0: no strategy"},
	} {
		o := options(t, "random")
		c.change(&o)
		if runs, err := Compare(t.Context(), o); err == nil || runs != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	if _, err := Compare(cancelled, options(t, "random")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSummaryOfKnownValues(t *testing.T) {
	var runs []Run
	for _, v := range []float64{4, 1, 3, 2, 10} {
		runs = append(runs, Run{Reported: []float64{0, v}, Seen: []float64{1, 2 * v}, Cost: []float64{1, 3}})
	}
	want := Summary{Evaluations: 2, Mean: 4, SD: math.Sqrt(12.5), Min: 1, Q1: 2, Median: 3, Q3: 4, Max: 10, Seen: 8, Cost: 3}
	if got := Summarize(runs, 2); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s := Summarize(runs[:1], 2); s.SD != 0 || s.Q1 != 4 || s.Q3 != 4 {
		t.Errorf("of one run: %+v", s)
	}
	if s := Summarize([]Run{{Reported: []float64{1}, Seen: []float64{1}}, {Reported: []float64{2}, Seen: []float64{1}}}, 1); s.Median != 1.5 || s.Q1 != 1.25 {
		t.Errorf("of two runs: %+v", s)
	}
}

// A search by a study finds what a run of Compare finds with the same seed, whatever the strategy.
func TestAStudyFindsWhatCompareFinds(t *testing.T) {
	for _, name := range []string{"random", "evolution", "grid"} {
		o := options(t, name)
		o.Runs = 1
		runs, err := Compare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.New(runs[0].Seed)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEvaluator(o.Table, o.Metric)
		if err != nil {
			t.Fatal(err)
		}
		out, err := study.Run(t.Context(), study.Options{Strategy: s, Space: openSpace(t, "macro"), Evaluator: e, Store: &study.Memory{}, Epochs: 1, Seed: 9, Trials: o.Trials, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		seen := math.Inf(-1)
		for i, trial := range out.Trials {
			seen = max(seen, trial.Metrics.ValAccuracy)
			if seen != runs[0].Seen[i] || trial.Metrics.Other["report"] != trial.Metrics.ValAccuracy*trial.Metrics.ValAccuracy || trial.Metrics.Other["cost"] != 2.5 || trial.Metrics.Params == 0 {
				t.Fatalf("%s: trial %d: %+v; the best has %v, in Compare %v", name, i, trial.Metrics, seen, runs[0].Seen[i])
			}
		}
		if len(out.Trials) != o.Trials {
			t.Errorf("%s: %d trials", name, len(out.Trials))
		}
	}
	if _, err := NewEvaluator(options(t, "random").Table, "remark"); err == nil {
		t.Error("a column of words is a metric")
	}
}

// A digest is of what a table holds.
func TestDigestsTellTablesApart(t *testing.T) {
	text := macroCSV(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	plain := read(t, text, "macro", "").Digest()
	if same := read(t, packed.String(), "macro", "arch").Digest(); same != plain || plain == "" {
		t.Errorf("packed %q, plain %q", same, plain)
	}
	if other := read(t, strings.Replace(text, ",0,0,", ",1,0,", 1), "macro", "").Digest(); other == plain {
		t.Errorf("two tables have the digest %q", other)
	}
}
