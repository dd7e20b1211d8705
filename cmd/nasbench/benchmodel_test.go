package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBenchModel(t *testing.T) {
	out := succeed(t, "bench", "model", "--model", "small-cnn", "--mode", "train,infer", "--batch", "2", "--threads", "1,2", "--count", "2", "--time", "1ns").stdout
	if n := strings.Count(out, "\nBenchmarkModel/small-cnn/mode="); n != 8 {
		t.Errorf("%d results, want 2 modes x 2 numbers of threads, twice:\n%s", n, out)
	}
	out = succeed(t, "bench", "model", "--model=small-cnn", "--mode=latency,throughput", "--batch=3", "--threads=2", "--time=1ns").stdout
	for _, want := range []string{"mode=latency/batch=1/threads=2", "mode=throughput/batch=3/threads=2"} {
		if i := strings.Index(out, want); i < 0 || !strings.Contains(strings.SplitN(out[i:], "\n", 2)[0], " p99-ns") {
			t.Errorf("no %s with p99-ns in:\n%s", want, out)
		}
	}
	levels := levelNames()
	out = succeed(t, "bench", "model", "--model=small-cnn", "--batch=1", "--threads=1", "--time=1ns", "--level="+strings.Join(levels, ","), "--json").stdout
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(levels) {
		t.Fatalf("%d objects for the levels %v", len(lines), levels)
	}
	for i, text := range lines {
		var r measuredResult
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		m := r.Timing
		if !strings.HasSuffix(r.Name, "level="+levels[i]) || m.Iterations < 3 || m.Seconds <= 0 || m.Metrics["img/s"] <= 0 || m.Metrics["%peak"] <= 0 || m.Metrics["peak-MB"] <= 0 {
			t.Errorf("result %+v", r)
		}
	}
}

func TestBenchModelMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"--model|resnet9": `unknown model "resnet9", did you mean "resnet8"?`,
		"--model|":        "nothing to measure",
		"--mode|trian":    `did you mean "train"?`,
		"--threads|0":     "must be at least 1",
		"--threads|1,two": "want a whole number",
		"--threads|":      "want at least one number",
		"--level|avx":     `unknown level "avx"`,
		"--level|avx1024": `unknown level "avx1024"`,
		"--count|0":       "must be at least 1",
		"--time|-1s":      "must be more than 0s",
		"--batch|none":    "want a whole number",
		"extra":           `unexpected argument "extra"`,
	} {
		t.Run(args, func(t *testing.T) {
			r := nasbench(t, nil, append([]string{"bench", "model"}, strings.Split(args, "|")...)...)
			if r.code != exitUsage || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("exit code %d, %q; want a line with %q", r.code, r.stderr, want)
			}
		})
	}
	r := nasbench(t, nil, "bench", "modle")
	if r.code != exitUsage || !strings.Contains(r.stderr, `did you mean "model"?`) {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
}
