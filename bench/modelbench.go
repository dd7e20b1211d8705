package bench

import (
	"context"
	"fmt"
	"math"
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
	batch := c.Model.Input[0]
	if c.Mode == Latency {
		batch = 1
	}
	return fmt.Sprintf("Model/%s/mode=%s/batch=%d/threads=%d/level=%v", c.Model.Name, c.Mode, batch, c.Threads, c.Table.Level)
}

// Measure builds the model anew and runs it for about the given time, but at least three times, after one run that does not count. peak is the highest
// rate in FLOPs per second that is known of the level on so many threads, which counts as all; [PeakFLOPS] is measured before and after the runs, and
// what is higher replaces it. The figures are images and GFLOPs per second, the
// share of the peak, planned memory, and for inference the median and the 99th percentile of the time of a run.
func (c ModelCase) Measure(ctx context.Context, length time.Duration, peak *float64) (Result, error) {
	threads := kernels.NewThreads(c.Threads)
	defer threads.Close()
	*peak = max(*peak, PeakFLOPS(c.Table, threads))
	mode := c.Mode
	if mode == Latency {
		c.Model.Input = c.Model.Input.Clone()
		mode, c.Model.Input[0] = Infer, 1
	}
	s, err := NewSubject(c.Model, mode, c.Classes, c.Table, threads)
	if err != nil {
		return Result{}, err
	}
	if err := s.Run(); err != nil {
		return Result{}, fmt.Errorf("bench: %s: %w", c.Model.Name, err)
	}
	times, spent, err := runFor(ctx, s, length)
	if err != nil {
		return Result{}, err
	}
	*peak = max(*peak, PeakFLOPS(c.Table, threads))
	mean := spent.Seconds() / float64(len(times))
	r := Result{Name: c.Name(), Iterations: len(times), Nanoseconds: 1e9 * mean}
	rate := float64(s.Work().FLOPs) / mean
	r.Metrics = []Metric{
		{"img/s", float64(c.Model.Input[0]) / mean},
		{"GFLOP/s", rate / 1e9},
		{"%peak", 100 * rate / *peak},
		{"peak-MB", float64(s.Memory().Total()) / 1e6},
	}
	if mode != Train {
		r.Metrics = append(r.Metrics, Metric{"p50-ns", Quantile(times, 0.5)}, Metric{"p99-ns", Quantile(times, 0.99)})
	}
	return r, nil
}

// runFor runs a subject over and over until the time is over and it has run three times. It returns how long each run took, and all of
// them together.
func runFor(ctx context.Context, s *Subject, length time.Duration) (times []time.Duration, spent time.Duration, err error) {
	const most = 1 << 24 // each has a place in memory
	start := time.Now()
	for len(times) < 3 || time.Since(start) < length && len(times) < most {
		before := time.Now()
		if err := s.Run(); err != nil {
			return nil, 0, fmt.Errorf("bench: %s: %w", s.Model.Name, err)
		}
		times = append(times, time.Since(before))
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
	}
	return times, time.Since(start), nil
}

// Quantile returns the time in nanoseconds within which this share of the runs was done. There must be one.
func Quantile(times []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[int(math.Ceil(share*float64(len(sorted)-1)))].Nanoseconds())
}
