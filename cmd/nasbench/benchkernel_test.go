package main

import (
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/bench"
)

// tinyShapes is a quick shape of every kind.
var tinyShapes = map[string]string{
	"gemm": "8x9x10", "conv": "1,3,5,4,3,1,1,1", "depthwise": "1,4,5,4,3,1,4,2", "pool": "1,4,5,3,2", "norm": "2,3,4", "elementwise": "100",
}

func TestBenchKernels(t *testing.T) {
	for _, k := range bench.Kinds() {
		out := succeed(t, "bench", k.Name, "--shape", tinyShapes[k.Name], "--time", "1us", "--threads", "1,2", "--level", strings.Join(levelNames(), ",")).stdout
		if !strings.HasPrefix(out, "goos: ") || !strings.Contains(out, "\ncpu: ") {
			t.Errorf("%s: no header:\n%s", k.Name, out)
		}
		for _, d := range k.Directions {
			for _, l := range levelNames() {
				for _, threads := range []string{"1", "2"} {
					if want := tinyShapes[k.Name] + "/" + string(d) + "/threads=" + threads + "/level=" + l + "\t"; !strings.Contains(out, want) {
						t.Errorf("%s: no %q in\n%s", k.Name, want, out)
					}
				}
			}
		}
		for _, unit := range []string{" ns/op", " GFLOP/s", " GB/s", " %peak", " %copy"} {
			if !strings.Contains(out, unit) {
				t.Errorf("%s: no%s", k.Name, unit)
			}
		}
	}
	out := succeed(t, "bench", "gemm", "--shape", "4x4x4", "--shape", "5x5x5", "--direction", "fwd", "--time", "1us", "--count", "2", "--json").stdout
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[2], `{"name":"GEMM/4x4x4/fwd/threads=1`) {
		t.Errorf("two shapes, twice, in turns:\n%s", out)
	}
}

func TestBenchKernelMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"gemm|--shape|64x64":              `shape "64x64": want MxNxK`,
		"gemm|--shape|64x0x64":            `shape "64x0x64": N is "0"`,
		"gemm|--direction|sideways":       `unknown direction "sideways"`,
		"pool|--direction|bwd-weights":    "unknown direction",
		"elementwise|--direction|fwd":     "unknown flag --direction",
		"conv|--shape|1,3,8,4,3,1,2,1":    "do not divide into 2 groups",
		"conv|--level|avx2048":            "unknown level",
		"conv|--threads|-1":               "must be at least 1",
		"norm|--count|0":                  "must be at least 1",
		"depthwise|--time|0":              "must be more than 0s",
		"gemm|--shape|2x2x2|--direction|": "nothing to measure",
	} {
		t.Run(args, func(t *testing.T) {
			r := nasbench(t, nil, append([]string{"bench"}, strings.Split(args, "|")...)...)
			if r.code != exitUsage || r.stdout != "" || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("exit code %d, %q, %q; want a line with %q", r.code, r.stdout, r.stderr, want)
			}
		})
	}
}
