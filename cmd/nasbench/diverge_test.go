package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestDivergenceIsAFailureWithItsReason gives every training a rate at which nothing is a number any more. What is printed is JSON all the same.
func TestDivergenceIsAFailureWithItsReason(t *testing.T) {
	dir := t.TempDir()
	small := []string{"--train-samples", "200", "--json", "--quiet"}
	search := func(name string, more ...string) []string {
		return append(append([]string{"search", "--final-epochs", "0", "--study", filepath.Join(dir, name+".db")}, more...), small...)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append([]string{"train", "--arch", "conv3x3(16), skip, skip", "--epochs", "1", "--lr", "1e20"}, small...), "loss is NaN at epoch 1"},
		{append([]string{"train", "--arch", "conv3x3(16), skip, skip", "--epochs", "1", "--lr", "1e20", "--optimizer", "adamw", "--validation", "0", "--test"}, small...), "loss is "},
		{search("trials", "--trials", "2", "--epochs", "2", "--lr", "1e20"), "no trial is complete; trial 0 failed: loss is "},
		{search("first", "--strategy", "darts", "--space", "nb201", "--channels", "4", "--darts-epochs", "2", "--darts-lr", "1e20"), "darts: the search diverged: "},
		{search("second", "--strategy", "darts", "--space", "nb201", "--channels", "4", "--darts-epochs", "2", "--darts-lr", "1e20", "--darts-order", "2"), "darts: the search diverged: "},
		{search("oneshot", "--strategy", "oneshot", "--oneshot-epochs", "3", "--oneshot-lr", "1e30"), "oneshot: the training diverged: "},
	} {
		r := nasbench(t, nil, c.args...)
		if r.code != exitFailure || !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "json:") {
			t.Errorf("%q: exit code %d, standard error %q, want %q", c.args, r.code, r.stderr, c.want)
		}
		for line := range strings.Lines(r.stdout) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q prints %q", c.args, line)
			}
		}
	}
}
