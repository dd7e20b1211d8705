package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// ModelCase is a model to measure and how.
type ModelCase struct {
	Model   Model
	Mode    Mode
	Classes int
	Threads int
	Table   *kernels.Table
}

// Name returns the case's name as a benchmark.
func (c ModelCase) Name() string {
	return fmt.Sprintf("Model/%s/mode=%s/batch=%d/threads=%d/level=%v", c.Model.Name, c.Mode, c.Model.Input[0], c.Threads, c.Table.Level)
}

// Measure builds the model anew and runs it for about the given time, but at least three times, after one run that does not count. peak is the
// rate in FLOPs per second that counts as all; see [PeakFLOPS]. The figures are images and GFLOPs per second, the
// share of the peak, planned memory, and for inference the median and the 99th percentile of the time of a run.
func (c ModelCase) Measure(ctx context.Context, length time.Duration, peak float64) (Result, error) {
	threads := kernels.NewThreads(c.Threads)
	defer threads.Close()
	s, err := NewSubject(c.Model, c.Mode, c.Classes, c.Table, threads)
	if err != nil {
		return Result{}, err
	}
	if err := s.Run(); err != nil {
		return Result{}, err
	}
	var times []time.Duration
	for start := time.Now(); len(times) < 3 || time.Since(start) < length; {
		before := time.Now()
		if err := s.Run(); err != nil {
			return Result{}, fmt.Errorf("bench: %s: %w", c.Model.Name, err)
		}
		times = append(times, time.Since(before))
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
	}
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	mean := sum.Seconds() / float64(len(times))
	r := Result{Name: c.Name(), Iterations: len(times), Nanoseconds: 1e9 * mean}
	rate := float64(s.Program().Work().FLOPs) / mean
	r.Metrics = []Metric{
		{"img/s", float64(s.Batch()) / mean},
		{"GFLOP/s", rate / 1e9},
		{"%peak", 100 * rate / peak},
		{"peak-MB", float64(s.Memory().Total()) / 1e6},
	}
	if c.Mode == Infer {
		slices.Sort(times)
		at := func(share float64) float64 { return float64(times[int(share*float64(len(times)-1))].Nanoseconds()) }
		r.Metrics = append(r.Metrics, Metric{"p50-ns", at(0.5)}, Metric{"p99-ns", at(0.99)})
	}
	return r, nil
}
