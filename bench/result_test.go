package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// line is what benchstat reads: a name, a count, and pairs of a number and a unit.
var line = regexp.MustCompile(`^Benchmark[A-Z][^\s]*\s+[1-9][0-9]*(\s+-?[0-9][0-9.e+-]* [^\s]+)+$`)

func TestResultsAreInGoBenchmarkFormat(t *testing.T) {
	for _, x := range []float64{0, 0.001234, 1.5, 99.99, 999.9, 1000, 123456789, 1e15} {
		r := Result{Name: "Some/thing=1", Iterations: 12, Nanoseconds: 3456, Metrics: []Metric{{"GFLOP/s", x}, {"%peak", x}}}
		if !line.MatchString(r.String()) {
			t.Errorf("not a benchmark line: %q", r.String())
		}
	}
	got := Result{Name: "GEMM/64x64x64", Iterations: 7, Nanoseconds: 1500, Metrics: []Metric{{"GFLOP/s", 349.5}}}.String()
	if fields := strings.Fields(got); strings.Join(fields, " ") != "BenchmarkGEMM/64x64x64 7 1500 ns/op 349.5 GFLOP/s" {
		t.Errorf("printed %q", got)
	}
	var b strings.Builder
	if err := WriteHeader(&b, "Some CPU"); err != nil || !strings.Contains(b.String(), "\ncpu: Some CPU\n") || !strings.HasPrefix(b.String(), "goos: ") {
		t.Errorf("header %q, %v", b.String(), err)
	}
}

func TestMeasureModel(t *testing.T) {
	m := Models()[0]
	m.Input[0] = 2
	for _, level := range kernels.Available() {
		table, err := kernels.ForLevel(level)
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range ModelModes() {
			c := ModelCase{Model: m, Mode: Mode(mode), Classes: classes, Threads: 2, Table: table}
			peak := 1e9
			r, err := c.Measure(t.Context(), time.Nanosecond, &peak)
			if err != nil {
				t.Fatal(err)
			}
			if peak < 1e9 {
				t.Errorf("the peak has fallen to %g", peak)
			}
			batch := 2
			if c.Mode == Latency {
				batch = 1
			}
			if !line.MatchString(r.String()) || !strings.Contains(r.Name, "level="+level.String()) || r.Iterations != 3 || r.Nanoseconds <= 0 {
				t.Errorf("result %q", r)
			}
			if want := fmt.Sprintf("/mode=%s/batch=%d/", mode, batch); !strings.Contains(r.Name, want) {
				t.Errorf("%s, want %s", r.Name, want)
			}
			if got, want := r.Metrics[0].Value*r.Nanoseconds/1e9, float64(batch); math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: %g images in one run", r.Name, got)
			}
			for _, x := range r.Metrics {
				if x.Value <= 0 {
					t.Errorf("%s: %s is %v", r.Name, x.Unit, x.Value)
				}
			}
			if infer := r.Metrics[len(r.Metrics)-1].Unit == "p99-ns"; infer != (c.Mode != Train) {
				t.Errorf("%s has %v", r.Name, r.Metrics)
			}
		}
	}
	if m.Input[0] != 2 {
		t.Error("measuring latency changes the model")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (ModelCase{Model: m, Mode: Train, Classes: classes, Threads: 1, Table: table}).Measure(ctx, time.Hour, new(float64)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled measurement gives %v", err)
	}
}

func TestQuantile(t *testing.T) {
	times := []time.Duration{5, 1, 4, 2, 3}
	for share, want := range map[float64]float64{0: 1, 0.5: 3, 0.6: 4, 0.99: 5, 1: 5} {
		if got := Quantile(times, share); got != want {
			t.Errorf("quantile %g is %g, want %g", share, got, want)
		}
	}
	if times[0] != 5 {
		t.Error("the times are sorted in place")
	}
}

func TestFindModel(t *testing.T) {
	for _, want := range Models() {
		if got, err := FindModel(want.Name); err != nil || got.Name != want.Name || !got.Input.Equal(want.Input) {
			t.Errorf("%s: %v, %v", want.Name, got, err)
		}
	}
	if _, err := FindModel("resnet9"); err == nil || !strings.Contains(err.Error(), `"resnet9"`) {
		t.Errorf("resnet9: %v", err)
	}
}
