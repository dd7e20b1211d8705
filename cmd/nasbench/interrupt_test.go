package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What would go on for minutes or hours ends when it is interrupted, wherever it is. The bound on the time is no measurement: it is far above what
// any machine takes to end, and far below what the work would take.
func TestInterruptionEndsLongWork(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "t.csv")
	var rows strings.Builder
	rows.WriteString("genome,acc\n")
	ops := []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
	for i := range 5 * 5 * 5 * 5 * 5 * 5 {
		at := func(power int) string { return ops[i/power%5] }
		fmt.Fprintf(&rows, "\"|%s~0|+|%s~0|%s~1|+|%s~0|%s~1|%s~2|\",%d\n", at(1), at(5), at(25), at(125), at(625), at(3125), i%97)
	}
	if err := os.WriteFile(table, []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	ofTable := []string{"--space", "nb201", "--task", "8x8x1x2", "--table", table, "--metric", "acc"}
	for name, args := range map[string][]string{
		"a large population":        {"search", "--strategy", "evolution", "--population", "1000000", "--trials", "1000000", "--train-samples", "200", "--max-flops", "300k"},
		"a million architectures":   {"rank", "--architectures", "1000000"},
		"latencies that are long":   {"search", "--max-latency", "1ns", "--trials", "3", "--train-samples", "200"},
		"a comparison":              append([]string{"compare", "--strategies", "random", "--repeats", "--trials", "20000", "--runs", "1000"}, ofTable...),
		"a Pareto front of a table": append([]string{"search", "--evaluator", "tabular", "--strategy", "evolution", "--pareto", "score,-params", "--population", "1000", "--trials", "1000000"}, ofTable...),
		"a mixture":                 {"search", "--strategy", "darts", "--space", "darts", "--darts-epochs", "1000"},
		"a supernet":                {"search", "--strategy", "oneshot", "--space", "darts", "--oneshot-epochs", "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			if args[0] != "compare" {
				args = append(args, "--study", filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".db"))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			interrupted, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			context.AfterFunc(ctx, interrupt)
			var stdout, stderr bytes.Buffer
			start := time.Now()
			code := run(interrupted, args, nil, &stdout, &stderr, func(string) string { return "" })
			if took := time.Since(start); code != exitInterrupted || took > time.Minute {
				t.Errorf("exit code %d after %v: %s", code, took, stderr.String())
			}
		})
	}
}
