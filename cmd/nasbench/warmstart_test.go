package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWarmStart(t *testing.T) {
	table, dir := writeTable(t), t.TempDir()
	earlier, study := filepath.Join(dir, "earlier.db"), filepath.Join(dir, "s.db")
	evolution := []string{"--strategy", "evolution", "--aging", "--population", "10", "--json", "--quiet"}
	args := func(study string, more ...string) []string {
		return append(lookingUp(table, "--study", study), append(evolution, more...)...)
	}
	before := objects(t, succeed(t, args(earlier, "--trials", "60", "--seed", "3")...).stdout)
	want := lasting(t, succeed(t, args(study, "--warm-start", earlier)...).stdout)
	warm := objects(t, want)
	known := map[any]bool{}
	best := 0.0
	for _, trial := range before[:60] {
		known[trial["key"]] = true
		best = max(best, inside(trial, "metrics", "val_accuracy").(float64))
	}
	sum, cold := 0.0, 0.0
	for _, trial := range warm[:10] {
		if known[trial["key"]] {
			t.Errorf("trial %v is of a network that the earlier search has tried", trial["index"])
		}
		sum += inside(trial, "metrics", "val_accuracy").(float64)
	}
	for _, trial := range before[:10] {
		cold += inside(trial, "metrics", "val_accuracy").(float64)
	}
	if sum <= cold {
		t.Errorf("the first ten have a sum of %v with a warm start, %v without", sum, cold)
	}
	// The study goes on to the same result whatever becomes of the other file.
	parts := filepath.Join(dir, "parts.db")
	succeed(t, args(parts, "--warm-start", earlier, "--trials", "13")...)
	if err := os.Rename(earlier, earlier+".away"); err != nil {
		t.Fatal(err)
	}
	if got := lasting(t, succeed(t, "search", "--study", parts, "--trials", "30", "--json", "--quiet").stdout); got != want {
		t.Errorf("in two parts\n%s\nat once\n%s", got, want)
	}
	wantOneLine(t, nasbench(t, nil, "search", "--study", parts, "--warm-start", "another.db"), exitUsage, "warm-start was "+earlier+", now "+absolute("another.db"))
	if list := succeed(t, "study", "list", parts).stdout; !strings.Contains(list, "search.warm-start") || !strings.Contains(list, "  60      ") {
		t.Errorf("the copy is not on the list:\n%s", list)
	}
	succeed(t, "study", "show", parts) // the copy is no second study to choose from

	// Scores of other kinds are pointed out.
	r := succeed(t, append(lookingUp(table, "--study", filepath.Join(dir, "u.db")), "--metric", "truth", "--warm-start", study)...)
	for _, want := range []string{"warm start: the strategy knows 30 earlier trials of " + study, "warm start: metric was seen and is truth: the scores"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %s", want, r.stderr)
		}
	}
	// From a study in the same file, whose strategy may be another.
	succeed(t, append(lookingUp(table, "--study", parts), "--name", "next", "--strategy", "random", "--warm-start", parts, "--warm-start-name", "search")...)
	for want, args := range map[string][]string{
		"none.db":                                  args(filepath.Join(dir, "x.db"), "--warm-start", filepath.Join(dir, "none.db")),
		"--warm-start-name is of use with":         args(filepath.Join(dir, "y.db"), "--warm-start-name", "a"),
		`there is no study "a"`:                    args(filepath.Join(dir, "z.db"), "--warm-start", study, "--warm-start-name", "a"),
		"--warm-start: trial 0 of " + study + ", ": {"search", "--study", filepath.Join(dir, "v.db"), "--space", "nb201", "--trials", "1", "--warm-start", study},
		"strategy darts learns from no trials":     {"search", "--study", filepath.Join(dir, "w.db"), "--space", "seed-cell", "--strategy", "darts", "--warm-start", study},
	} {
		r := nasbench(t, nil, args...)
		if r.code == exitOK || !strings.Contains(r.stderr, want) {
			t.Errorf("code %d: %s; want %q", r.code, r.stderr, want)
		}
	}
}

func TestPrunedTrialsAreSaidAndRecorded(t *testing.T) {
	study := filepath.Join(t.TempDir(), "s.db")
	args := tiny("--trials", "14", "--epochs", "3", "--train-samples", "300", "--max-flops", "400k", "--final-epochs", "0", "--prune", "--json", "--quiet")
	want := lasting(t, succeed(t, append(args, "--study", study, "--workers", "2")...).stdout)
	lines := objects(t, want)
	s := lines[len(lines)-1]
	if s["pruned"] == 0.0 || inside(s, "settings", "prune") != "true" {
		t.Errorf("nothing was pruned: %v", s)
	}
	for _, trial := range lines[:14] {
		if n := len(trial["curve"].([]any)); (trial["state"] == "pruned") != (n < 3) || n < 2 {
			t.Errorf("a trial that is %v has %d epochs", trial["state"], n)
		}
	}
	if got := lasting(t, succeed(t, append(args, "--workers", "1")...).stdout); got != want {
		t.Errorf("with one worker\n%s\nwith two\n%s", got, want)
	}
	wantOneLine(t, nasbench(t, nil, tiny("--prune")...), exitUsage, "--prune is of use with --epochs 3 or more")
}
