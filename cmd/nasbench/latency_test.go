package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// latencies returns what is on record in a study file.
func latencies(t *testing.T, path string) (*study.File, *study.Measurements, map[string]float64) {
	t.Helper()
	f, err := study.OpenFile(path, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Measurements("search", "latency")
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.All()
	if err != nil {
		t.Fatal(err)
	}
	return f, m, all
}

func TestLatencyIsBoundedShownAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	args := []string{"--study", path, "--final-epochs", "0", "--max-latency", "10s"}
	first := succeed(t, tiny(args...)...)
	if !strings.Contains(first.stdout, "LATENCY") || !strings.Contains(first.stderr, ", latency ") {
		t.Errorf("no latency in\n%s%s", first.stdout, first.stderr)
	}
	f, m, all := latencies(t, path)
	if len(all) < 3 {
		t.Errorf("%d latencies are kept: %v", len(all), all)
	}
	// What the record says of the next proposals decides, not this machine.
	lines := objects(t, succeed(t, tiny("--trials", "8", "--final-epochs", "0", "--max-latency", "10s", "--json", "--quiet")...).stdout)
	slow := lines[5]["key"].(string)
	if _, ok := all[slow]; !ok {
		if err := m.Add(slow, 11e9); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := objects(t, succeed(t, "search", "--study", path, "--trials", "8", "--final-epochs", "0", "--json", "--quiet").stdout)
	for i, trial := range again[:8] {
		if trial["key"] == slow {
			t.Errorf("trial %d is of a network that the record calls too slow", i)
		}
		if i < 5 && trial["genome"] != lines[i]["genome"] {
			t.Errorf("trial %d is %v, without the bound %v", i, trial["genome"], lines[i]["genome"])
		}
		if ms, ok := inside(trial, "metrics", "other", "latency").(float64); !ok || ms <= 0 || ms > 1e4 {
			t.Errorf("trial %d: latency %v", i, inside(trial, "metrics", "other"))
		} else if kept := all[trial["key"].(string)]; kept > 0 && ms != kept/1e6 {
			t.Errorf("trial %d: latency %v, on record %v ns", i, ms, kept)
		}
	}
	wantOneLine(t, nasbench(t, nil, "search", "--study", path, "--max-latency", "9s", "--trials", "8"), exitUsage, "max-latency was 10s, now 9s")
	wantOneLine(t, nasbench(t, nil, tiny("--max-latency", "1ns", "--max-flops", "100k")...), exitFailure, "meet all others and are too slow, for example: a latency of ")
}

func TestLatencyIsAnAim(t *testing.T) {
	r := succeed(t, tiny("--strategy", "evolution", "--population", "3", "--pareto", "score,-latency", "--trials", "6", "--final-epochs", "0", "--json", "--quiet")...)
	for _, trial := range objects(t, r.stdout)[:6] {
		if trial["state"] == "complete" && inside(trial, "metrics", "other", "latency") == nil {
			t.Errorf("no latency: %v", trial)
		}
	}
}
