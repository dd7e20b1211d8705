package main

import (
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
