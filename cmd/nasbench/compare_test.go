package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
)

// writeTable writes a table of all genomes of the space macro, in which digits add up.
func writeTable(t *testing.T) string {
	t.Helper()
	s, err := space.New("macro", space.Task{Height: 32, Width: 32, Channels: 3, Classes: 10}, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	all := s.(space.Countable)
	n, _ := all.Count()
	var b strings.Builder
	b.WriteString("arch,seen,truth,hours,remark\n")
	for i := range n {
		g, _ := all.At(i)
		sum := 0
		for _, c := range g.String() {
			sum += int(c - '0')
		}
		fmt.Fprintf(&b, "%s,%d,%d,0.5,none\n", g, sum, 2*sum)
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func comparing(table string, more ...string) []string {
	return append([]string{"compare", "--space", "macro", "--table", table, "--metric", "seen", "--report", "truth", "--trials", "40", "--runs", "8"}, more...)
}

func TestComparePrintsATableAndItsCost(t *testing.T) {
	r := succeed(t, comparing(writeTable(t), "--cost", "hours", "--strategies", "grid, random")...)
	for _, want := range []string{
		"truth of the best by seen over 8 runs, in a table of 6,561 genomes of which the best has 32.0000\n",
		"STRATEGY  EVALUATIONS  MEAN     SD      MIN      Q1       MEDIAN   Q3       MAX      COST\n",
		"grid      1            0.0000   0.0000  0.0000   0.0000   0.0000   0.0000   0.0000   0.5\n",
		"\ngrid      40 ", "\nrandom    40 ", " 20\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
}

func TestCompareIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	table := writeTable(t)
	want := ""
	for _, workers := range []string{"1", "3", "0"} {
		got := lasting(t, succeed(t, comparing(table, "--json", "--aging", "--population", "5", "--workers", workers)...).stdout)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s workers: got\n%s\nwant\n%s", workers, got, want)
		}
	}
	repeats := lasting(t, succeed(t, comparing(table, "--json", "--aging", "--population", "5", "--repeats")...).stdout)
	if repeats == want {
		t.Error("--repeats changes nothing")
	}
}

// The names are an interface: other programs read them.
func TestComparisonHasStableNames(t *testing.T) {
	lines := objects(t, succeed(t, comparing(writeTable(t), "--json", "--cost", "hours")...).stdout)
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, path := range []string{"type", "settings strategies", "settings metric", "settings task", "settings population", "table rows", "table best", "run workers", "timing total_seconds"} {
		if inside(lines[0], strings.Fields(path)...) == nil {
			t.Errorf("there is no %s: %v", path, lines[0])
		}
	}
	strategies, _ := lines[0]["strategies"].([]any)
	if len(strategies) != 2 {
		t.Fatalf("%d strategies", len(strategies))
	}
	for i, name := range []string{"random", "evolution"} {
		s := strategies[i].(map[string]any)
		curve := s["curve"].([]any)
		if s["strategy"] != name || len(curve) != 40 {
			t.Errorf("strategy %v with a curve of %d", s["strategy"], len(curve))
		}
		last := curve[39].(map[string]any)
		for _, field := range []string{"evaluations", "mean", "sd", "min", "q1", "median", "q3", "max", "seen", "cost"} {
			if last[field] == nil || inside(s, "final", field) != last[field] {
				t.Errorf("%s: %s is %v in the end of the curve and %v in final", name, field, last[field], inside(s, "final", field))
			}
		}
		if last["evaluations"] != 40.0 || last["cost"] != 20.0 || last["mean"] != 2*last["seen"].(float64) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestMistakesOfCompareGiveOneLine(t *testing.T) {
	table := writeTable(t)
	broken := filepath.Join(t.TempDir(), "broken.csv")
	if err := os.WriteFile(broken, []byte("arch,seen,truth\n22212202,1,1\n2221220,1,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "small.csv")
	if err := os.WriteFile(small, []byte("arch,seen,truth\n22212202,1,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"compare", "--metric", "acc"}, exitUsage, "--table is needed"},
		{[]string{"compare", "--table", table}, exitUsage, "--metric is needed"},
		{comparing(table, "--strategies", "randon"), exitUsage, `unknown strategy "randon", did you mean "random"?`},
		{comparing(table, "--strategies", "random,random"), exitUsage, "random stands twice"},
		{comparing(table, "--strategies", ""), exitUsage, "--strategies is empty"},
		{comparing(table, "--strategies", "darts"), exitUsage, "darts trains a mixture of operations"},
		{comparing(table, "--strategies", "oneshot"), exitUsage, "oneshot trains shared weights"},
		{comparing(table, "--space", "marco"), exitUsage, `did you mean "macro"?`},
		{comparing(table, "--evaluator", "train"), exitUsage, "the only evaluator is tabular"},
		{comparing(table, "--metric", "sen"), exitUsage, `--metric: table table.csv: there is no column "sen"; there is seen, truth, hours, did you mean "seen"?`},
		{comparing(table, "--report", "remark"), exitUsage, `--report: table table.csv: line 2, column 18: column remark: "none" is not a finite number`},
		{comparing(table, "--cost", "dollars"), exitUsage, "--cost: "},
		{comparing(table, "--task", "32x32"), exitUsage, "such as 32x32x3x10"},
		{comparing(table, "--task", "0x32x3x10"), exitUsage, "height 0"},
		{comparing(table, "--plot", "curve.png"), exitUsage, "must end in .svg"},
		{comparing(table, "--plot", filepath.Join(t.TempDir(), "no", "curve.svg")), exitFailure, "--plot: "},
		{comparing(table, "--runs", "0"), exitUsage, "must be at least 1"},
		{comparing(table, "--tournament", "30"), exitUsage, "a tournament of 30 does not fit"},
		{comparing(table, "--pareto", "score,-params,-watts"), exitFailure, `no metric "watts"`},
		{comparing(table, "--genome", "cell"), exitFailure, `there is no column "cell"`},
		{comparing(filepath.Join(t.TempDir(), "no.csv")), exitFailure, "no.csv"},
		{comparing(broken), exitFailure, "table broken.csv: line 3, column 1: space macro: 7 digits"},
		{comparing(small), exitFailure, "table small.csv: there is no row for the genome "},
	} {
		wantOneLine(t, nasbench(t, nil, c.args...), c.code, c.want)
	}
}

func TestComparisonIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.svg")
	for _, more := range [][]string{{}, {"--trials", "1"}, {"--strategies", "grid", "--runs", "1", "--trials", "2"}} {
		succeed(t, comparing(writeTable(t), append(more, "--plot", path)...)...)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(text))
		paths := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
				paths++
			}
		}
		if paths < 4 || !bytes.Contains(text, []byte("truth of the best by seen")) || bytes.Contains(text, []byte("NaN")) {
			t.Errorf("%v: %d paths in %s", more, paths, text)
		}
	}
}

func TestInterruptedComparisonEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, comparing(writeTable(t)), strings.NewReader(""), &stdout, &stderr, env{}.get)
	wantOneLine(t, ran{code, stdout.String(), stderr.String()}, exitInterrupted, "interrupted")
}
