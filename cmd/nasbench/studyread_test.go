package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

func TestAStudyIsReadWhileASearchHoldsIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	small := []string{"search", "--trials", "2", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--quiet"}
	succeed(t, append(small, "--study", path)...)
	f, err := study.OpenFile(path, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r := succeed(t, "study", "list", path); !strings.Contains(r.stdout, "  search  ") {
		t.Errorf("list: %s", r.stdout)
	}
	if r := succeed(t, "study", "show", path); !strings.Contains(r.stdout, ": 2 trials, 2 complete") {
		t.Errorf("show: %s", r.stdout)
	}
	if r := succeed(t, "study", "export", path); strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("export: %s", r.stdout)
	}
	succeed(t, append(small, "--study", filepath.Join(dir, "warm.db"), "--warm-start", path, "--strategy", "evolution")...)
	wantOneLine(t, nasbench(t, nil, append(small, "--study", path)...), exitFailure, "is in use by another process")
}

// A file of the first version is read as it is, and has the present form once it was gone on with, with the same trials.
func TestAStudyOfTheFirstVersionIsReadAndGoneOnWith(t *testing.T) {
	t.Setenv("NASBENCH_LEVEL", "generic") // at which it was recorded
	data, err := os.ReadFile(filepath.Join("testdata", "v1", "study.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s.db")
	if err := os.WriteFile(path, data, 0o444); err != nil {
		t.Fatal(err)
	}
	if r := succeed(t, "study", "list", path); strings.Count(r.stdout, "\n") != 5 {
		t.Errorf("list: %s", r.stdout)
	}
	if r := succeed(t, "study", "show", path, "--name", "evo"); !strings.Contains(r.stdout, "NASBENCH_LEVEL=generic") || !strings.Contains(r.stdout, " --name evo --trials 12\n") {
		t.Errorf("show: %s", r.stdout)
	}
	before := succeed(t, "study", "export", path, "--name", "search", "--json").stdout
	if after, err := os.ReadFile(path); err != nil || string(after) != string(data) {
		t.Errorf("%v: reading has changed the file", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	succeed(t, "search", "--study", path, "--trials", "7", "--final-epochs", "1", "--quiet")
	after := succeed(t, "study", "export", path, "--name", "search", "--json").stdout
	if !strings.HasPrefix(after, before) || strings.Count(after, "\n") != strings.Count(before, "\n")+2 {
		t.Errorf("gone on with, it has\n%s\nbefore\n%s", after, before)
	}
	for _, name := range []string{"evo", "one", "da"} {
		if r := succeed(t, "study", "show", path, "--name", name); strings.Contains(r.stdout, "0 complete") {
			t.Errorf("%s: %s", name, r.stdout)
		}
	}
}

func TestAStudyOfARankingGoesOnWithTheRanking(t *testing.T) {
	r := recording{Info: study.Info{Name: "mine.2", Settings: study.Settings{"space": "chain", "oneshot-epochs": "1"}}, trials: []study.Trial{{Index: 4}}}
	if text := r.goOnText("/r.db"); !strings.HasSuffix(text, " rank --study /r.db --architectures 10 --name mine") {
		t.Errorf("%s", text)
	}
	r = recording{Info: study.Info{Name: "search.warm-start", Settings: study.Settings{"copy-of": "x.db", "space": "chain", "strategy": "random"}}}
	if text := r.goOnText("/r.db"); strings.Contains(text, "--study") {
		t.Errorf("%s", text)
	}
}
