package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
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

// Measure builds the model anew and runs it for about the given time, but at least three times, after one run that does not count. peak is the
// rate in FLOPs per second that counts as all; see [PeakFLOPS]. The figures are images and GFLOPs per second, the
// share of the peak, planned memory, and for inference the median and the 99th percentile of the time of a run.
func (c ModelCase) Measure(ctx context.Context, length time.Duration, peak float64) (Result, error) {
	threads := kernels.NewThreads(c.Threads)
	defer threads.Close()
	mode, sideBySide := c.Mode, 1
	switch c.Mode {
	case Latency:
		c.Model.Input = c.Model.Input.Clone()
		mode, c.Model.Input[0] = Infer, 1
	case Throughput:
		mode, sideBySide = Infer, c.Threads
	}
	var subjects []*Subject
	memory := int64(0)
	for range sideBySide {
		on := threads
		if c.Mode == Throughput {
			on = nil
		}
		s, err := NewSubject(c.Model, mode, c.Classes, c.Table, on)
		if err != nil {
			return Result{}, err
		}
		if err := s.Run(); err != nil {
			return Result{}, fmt.Errorf("bench: %s: %w", c.Model.Name, err)
		}
		subjects = append(subjects, s)
		memory += s.Memory().Total()
	}
	times, spent, err := runAll(ctx, subjects, length)
	if err != nil {
		return Result{}, err
	}
	mean := spent.Seconds() / float64(len(times))
	r := Result{Name: c.Name(), Iterations: len(times), Nanoseconds: 1e9 * mean}
	rate := float64(subjects[0].Program().Work().FLOPs) / mean
	r.Metrics = []Metric{
		{"img/s", float64(c.Model.Input[0]) / mean},
		{"GFLOP/s", rate / 1e9},
		{"%peak", 100 * rate / peak},
		{"peak-MB", float64(memory) / 1e6},
	}
	if mode == Infer {
		r.Metrics = append(r.Metrics, Metric{"p50-ns", Quantile(times, 0.5)}, Metric{"p99-ns", Quantile(times, 0.99)})
	}
	return r, nil
}

// runAll runs every subject over and over, all at the same time, until the time is over and each has run three times. It returns how
// long each run took, and all of them together.
func runAll(ctx context.Context, subjects []*Subject, length time.Duration) (times []time.Duration, spent time.Duration, err error) {
	each, errs := make([][]time.Duration, len(subjects)), make([]error, len(subjects))
	start := time.Now()
	run := func(i int) {
		for len(each[i]) < 3 || time.Since(start) < length {
			before := time.Now()
			if err := subjects[i].Run(); err != nil {
				errs[i] = fmt.Errorf("bench: %s: %w", subjects[i].Model.Name, err)
				return
			}
			each[i] = append(each[i], time.Since(before))
			if errs[i] = ctx.Err(); errs[i] != nil {
				return
			}
		}
	}
	var others sync.WaitGroup
	for i := 1; i < len(subjects); i++ {
		others.Go(func() { run(i) })
	}
	run(0)
	others.Wait()
	return slices.Concat(each...), time.Since(start), errors.Join(errs...)
}

// Quantile returns the time in nanoseconds within which this share of the runs was done. There must be one.
func Quantile(times []time.Duration, share float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[int(math.Ceil(share*float64(len(sorted)-1)))].Nanoseconds())
}
