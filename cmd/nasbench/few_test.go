package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Where there are few images or architectures the program says so, and how far chance goes.
func TestSmallSamplesAreSaidToBeSmall(t *testing.T) {
	const note = "note: 20 validation images: one of them is 5 points of accuracy, and chance moves an accuracy by up to 22 points either way (95%)"
	interval := regexp.MustCompile(`test accuracy 0\.\d{4} \(95%: 0\.\d{4} to 0\.\d{4}\), loss \S+ on 2,000 images`)
	file := filepath.Join(t.TempDir(), "s.db")
	few := strings.Fields("--train-samples 100 --batch 20 --epochs 1")
	r := succeed(t, append([]string{"search", "--study", file, "--trials", "1", "--final-epochs", "1"}, few...)...)
	if !strings.Contains(r.stderr, note) || !interval.MatchString(r.stdout) {
		t.Errorf("search: %s%s", r.stderr, r.stdout)
	}
	r = succeed(t, append([]string{"train", "--arch", "skip, skip, fc(64)", "--test"}, few...)...)
	if !strings.Contains(r.stderr, note) || !interval.MatchString(r.stdout) {
		t.Errorf("train: %s%s", r.stderr, r.stdout)
	}
	r = succeed(t, append([]string{"rank", "--study", file, "--architectures", "4", "--seeds", "1", "--oneshot-epochs", "1"}, few...)...)
	for _, want := range []string{"4 architectures are too few for an interval, which takes 10", "number of parameters"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("rank: no %q in %s", want, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, note) || strings.Contains(r.stdout, "95%") || !strings.Contains(r.stdout, "(p = ") && !strings.Contains(r.stdout, "not defined") {
		t.Errorf("rank: %s%s", r.stderr, r.stdout)
	}
	table := filepath.Join(t.TempDir(), "few.csv")
	var b strings.Builder
	b.WriteString("label,a,b,c,d\n")
	for i := range 50 {
		fmt.Fprintf(&b, "%d,%d,%d,9,200\n", i%2, 10+i, 50+20*(i%2))
	}
	if err := os.WriteFile(table, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	r = succeed(t, "data", "info", "digits:"+table)
	if !strings.Contains(r.stdout, "validation images: one of them is ") || !strings.Contains(r.stdout, " test images: one of them is ") {
		t.Errorf("data info: %s", r.stdout)
	}
	for _, args := range [][]string{{"data", "info", "fashion-mnist-mini"}, {"train", "--arch", "skip, skip, skip, fc(64)", "--train-samples", "2000", "--epochs", "1"}} {
		if r := succeed(t, args...); strings.Contains(r.stdout+r.stderr, "one of them is") {
			t.Errorf("%v: %s%s", args, r.stdout, r.stderr)
		}
	}
}
