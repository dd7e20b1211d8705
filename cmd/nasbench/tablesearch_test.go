package main

import (
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lookingUp is a search in a table.
func lookingUp(table string, more ...string) []string {
	return append([]string{"search", "--evaluator", "tabular", "--space", "macro", "--table", table, "--metric", "seen", "--report", "truth", "--cost", "hours", "--trials", "30"}, more...)
}

func TestSearchInATable(t *testing.T) {
	table, dir := writeTable(t), t.TempDir()
	r := succeed(t, lookingUp(table, "--study", filepath.Join(dir, "a.db"), "--strategy", "grid", "--top", "2", "--workers", "1")...)
	for _, want := range []string{
		"30 trials: 30 complete, 0 failed in ", "RANK  TRIAL  SEEN    TRUTH    PARAMS", "\n1     20     6.0000  12.0000", "ARCHITECTURE\n",
		"\ntruth 12.0000; the best of 6,561 genomes in the table has 32.0000\nseen 6.0000; the best in the table has 16.0000\nhours of all evaluations 15\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "EPOCHS") || strings.Contains(r.stdout, "test accuracy") || strings.Contains(r.stdout, "nasbench train") {
		t.Errorf("something was trained:\n%s", r.stdout)
	}
	if !strings.Contains(r.stderr, "strategy grid, seen of "+table+" (6,561 genomes), 30 trials in all") || !strings.Contains(r.stderr, "trial 0 (1 of 30): seen 0.0000, ") {
		t.Error(r.stderr)
	}
}

// A search in a table is a study: it goes on where it was, for any number of workers, with the table that it was made with.
func TestSearchInATableIsResumed(t *testing.T) {
	table, dir := writeTable(t), t.TempDir()
	for _, strategy := range [][]string{{"--strategy", "random"}, {"--strategy", "evolution", "--aging", "--population", "5"}, {"--strategy", "evolution", "--pareto", "score,-hours,truth", "--population", "8"}} {
		args := func(study string, more ...string) []string {
			return append(lookingUp(table, "--json", "--quiet", "--study", filepath.Join(dir, strings.Join(strategy, "")+study)), append(strategy, more...)...)
		}
		want := lasting(t, succeed(t, args("whole.db", "--workers", "1")...).stdout)
		succeed(t, args("parts.db", "--trials", "11", "--workers", "3")...)
		// Neither evaluator nor table nor metric need be said again.
		got := lasting(t, succeed(t, "search", "--study", filepath.Join(dir, strings.Join(strategy, "")+"parts.db"), "--trials", "30", "--json", "--quiet").stdout)
		if got != want {
			t.Errorf("%v: in two parts\n%s\nat once\n%s", strategy, got, want)
		}
	}
	lines := objects(t, succeed(t, lookingUp(table, "--json", "--quiet")...).stdout)
	s := lines[len(lines)-1]
	for _, path := range []string{"table file", "table rows", "table digest", "table metric", "table report", "table seen", "table reported", "table best_seen", "table best_reported", "table cost", "best genome", "settings table-digest"} {
		if inside(s, strings.Fields(path)...) == nil {
			t.Errorf("the summary has no %s: %v", path, s)
		}
	}
	if inside(s, "settings", "epochs") != nil || inside(s, "settings", "level") != nil || s["final"] != nil || inside(s, "run", "train") != nil {
		t.Errorf("the summary speaks of a training: %v", s)
	}
	if reported, seen := inside(s, "table", "reported").(float64), inside(s, "table", "seen").(float64); reported != 2*seen || seen != inside(s, "best", "metrics", "val_accuracy") {
		t.Errorf("reported %v, seen %v: %v", reported, seen, s)
	}
	if lines[0]["metrics"].(map[string]any)["other"].(map[string]any)["hours"] != 0.5 {
		t.Errorf("trial %v", lines[0])
	}
}

func TestStudyIsNotGoneOnWithInAnotherTable(t *testing.T) {
	table, dir := writeTable(t), t.TempDir()
	study := filepath.Join(dir, "s.db")
	succeed(t, lookingUp(table, "--study", study, "--quiet")...)
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	// Moved and packed it is the same table.
	packed := filepath.Join(dir, "packed.csv.gz")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	succeed(t, "search", "--study", study, "--table", packed, "--trials", "31", "--quiet")
	other := filepath.Join(dir, "other.csv")
	if err := os.WriteFile(other, []byte(strings.Replace(string(text), ",0,0,", ",0,1,", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	r := nasbench(t, nil, "search", "--study", study, "--table", other, "--trials", "31")
	wantOneLine(t, r, exitUsage, "was made with another table: "+packed+" (digest ")
	wantOneLine(t, r, exitUsage, ", now "+other+" (digest ")
	wantOneLine(t, nasbench(t, nil, "search", "--study", study, "--metric", "truth"), exitUsage, "metric was seen, now truth")
	wantOneLine(t, nasbench(t, nil, "search", "--study", study, "--evaluator", "training"), exitUsage, "evaluator was tabular, now not set")
}

func TestSearchInATableRefusesWhatMakesNoSense(t *testing.T) {
	table, dir := writeTable(t), t.TempDir()
	study := filepath.Join(dir, "s.db")
	for want, args := range map[string][]string{
		`unknown evaluator "guess"`:              {"--evaluator", "guess"},
		"--table is needed":                      {"--table", ""},
		"--metric is needed":                     {"--metric", ""},
		`there is no column "sen"`:               {"--metric", "sen"},
		"--strategy darts trains":                {"--strategy", "darts"},
		"--table is of use with --evaluator tab": {"--evaluator", "training"},
	} {
		wantOneLine(t, nasbench(t, nil, lookingUp(table, append(args, "--study", study)...)...), exitUsage, want)
		if _, err := os.Stat(study); err == nil {
			t.Fatalf("%q: a study file was made", args)
		}
	}
	// A genome that the table does not have ends the search, which keeps what it has found.
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, "part.csv")
	if err := os.WriteFile(part, []byte(strings.Join(strings.SplitAfter(string(text), "\n")[:6], "")), 0o666); err != nil {
		t.Fatal(err)
	}
	r := nasbench(t, nil, lookingUp(part, "--study", study, "--strategy", "grid", "--quiet")...)
	if r.code != exitFailure || !strings.Contains(r.stderr, "table part.csv: there is no row for the genome ") || !strings.Contains(r.stdout, "stopped by an error") {
		t.Errorf("code %d: %s\n%s", r.code, r.stderr, r.stdout)
	}
}

func TestSearchBySeveralAimsPrintsItsFront(t *testing.T) {
	table := writeTable(t)
	args := []string{"--strategy", "evolution", "--pareto", "score,-params", "--population", "10", "--trials", "60", "--quiet"}
	lines := objects(t, succeed(t, lookingUp(table, append(args, "--json")...)...).stdout)
	s := lines[len(lines)-1]
	front, ok := s["front"].([]any)
	if !ok || len(front) < 2 {
		t.Fatalf("front %v", s["front"])
	}
	// None of the trials dominates any of the front, and each that is in none other's shadow is in it.
	value := func(i int) (score, params float64) {
		return inside(lines[i], "metrics", "val_accuracy").(float64), inside(lines[i], "metrics", "params").(float64)
	}
	in := map[int]bool{}
	last := math.Inf(1)
	for _, f := range front {
		f := f.(map[string]any)
		i := int(f["index"].(float64))
		score, params := value(i)
		if inside(f, "values", "score") != score || inside(f, "values", "params") != params || f["genome"] != lines[i]["genome"] || score > last {
			t.Errorf("%v of trial %v", f, lines[i])
		}
		last, in[i] = score, true
	}
	for i := range 60 {
		score, params := value(i)
		dominated := false
		for j := range 60 {
			otherScore, otherParams := value(j)
			dominated = dominated || otherScore >= score && otherParams <= params && (otherScore > score || otherParams < params)
		}
		if in[i] == dominated {
			t.Errorf("trial %d, dominated: %v, in the front: %v", i, dominated, in[i])
		}
	}
	text := succeed(t, lookingUp(table, args...)...).stdout
	if !strings.Contains(text, fmt.Sprintf("\nPareto front of score, -params: %d of 60 trials\n\nTRIAL  SCORE  PARAMS   ARCHITECTURE\n", len(front))) {
		t.Errorf("no front in\n%s", text)
	}
	r := nasbench(t, nil, lookingUp(table, "--strategy", "evolution", "--pareto", "score,-weight", "--trials", "3", "--quiet")...)
	if r.code != exitFailure || !strings.Contains(r.stderr, `trial 0 has no metric "weight"`) || !strings.Contains(r.stdout, "RANK") {
		t.Errorf("code %d: %s\n%s", r.code, r.stderr, r.stdout)
	}
}

func TestSearchInATableByTime(t *testing.T) {
	args := lookingUp(writeTable(t), "--json", "--quiet", "--time", "300ms")
	lines := objects(t, succeed(t, append(args, "--trials", "1000000")...).stdout)
	if s := lines[len(lines)-1]; s["stop"] != "time" || s["best"] == nil {
		t.Errorf("%v", s)
	}
}

// Bounds hold in a table as they do elsewhere, but there are none by default.
func TestSearchInATableUnderBounds(t *testing.T) {
	table := writeTable(t)
	params := func(args ...string) (most float64) {
		lines := objects(t, succeed(t, lookingUp(table, append(args, "--json", "--quiet")...)...).stdout)
		for _, trial := range lines[:len(lines)-1] {
			most = max(most, inside(trial, "metrics", "params").(float64))
		}
		return most
	}
	if n := params("--max-params", "900k"); n > 900_000 || n == 0 {
		t.Errorf("%v parameters", n)
	}
	if n := params(); n <= 900_000 {
		t.Errorf("%v parameters", n)
	}
}

// The commands of the README run from a clone.
func TestTheOwnTable(t *testing.T) {
	own := []string{"--space", "../../examples/spaces/three-edges.yaml", "--task", "28x28x1x10", "--table", "../../examples/tables/three-edges.csv", "--metric", "val_accuracy_ep1", "--report", "val_accuracy", "--cost", "flops"}
	r := succeed(t, append([]string{"compare", "--evaluator", "tabular", "--strategies", "random,evolution", "--aging", "--population", "10", "--trials", "50", "--runs", "20"}, own...)...)
	if !strings.Contains(r.stdout, "in a table of 201 genomes") || !strings.Contains(r.stdout, "\nevolution  50 ") {
		t.Error(r.stdout)
	}
	r = succeed(t, append([]string{"search", "--evaluator", "tabular", "--strategy", "evolution", "--pareto", "score,-params", "--trials", "50", "--quiet"}, own...)...)
	if !strings.Contains(r.stdout, "Pareto front of score, -params: ") || !strings.Contains(r.stdout, "\nval_accuracy 0.") {
		t.Error(r.stdout)
	}
}
