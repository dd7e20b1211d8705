package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// latencyFlags bound what is measured on this machine.
type latencyFlags struct {
	maxLatency   time.Duration
	latencyBatch int
}

func (l *latencyFlags) add(flags *pflag.FlagSet) {
	flags.Var(durationValue{&l.maxLatency}, "max-latency", "longest inference of an architecture, such as 5ms: the median of several runs of its compiled program on one thread of this machine (default no bound)")
	flags.Var(intValue{p: &l.latencyBatch, min: 0}, "latency-batch", "images of such a run (0: 1)")
}

// timed reports whether a search measures latencies: for a bound, or for an aim of NSGA-II.
func (o *searchOptions) timed() bool {
	return o.maxLatency > 0 || slices.ContainsFunc(o.evolution.options().Pareto, func(name string) bool {
		return strings.TrimPrefix(name, "-") == evaluator.LatencyMetric
	})
}

// timedSpace is openSpace, with a bound on latency if there is one.
func (s *session) timedSpace(ctx context.Context, task space.Task, c space.Constraints) (space.Space, error) {
	c.Interrupt = s.interrupted
	if !s.timed() {
		return s.openSpace(ctx, task, c)
	}
	plain, err := s.openSpace(ctx, task, c)
	if err != nil {
		return nil, err
	}
	if s.latency, err = evaluator.NewLatency(plain, task, max(s.latencyBatch, 1)); err != nil {
		return nil, err
	}
	c.MaxLatency = s.maxLatency
	c.Latency = func(g space.Genome) (time.Duration, error) { return s.latency.MeasureContext(s.limit, g) }
	return s.openSpace(ctx, task, c)
}

// keepLatencies records what is measured with the study, and takes over what is recorded there.
func (s *session) keepLatencies() error {
	if s.latency == nil {
		return nil
	}
	kept, err := s.file.Measurements(s.studyName, evaluator.LatencyMetric)
	if err != nil {
		return err
	}
	return s.latency.Keep(kept)
}

// latencyOf returns the latency of a trial in milliseconds, if it was measured.
func latencyOf(t study.Trial) (ms float64, ok bool) {
	if t.Metrics == nil {
		return 0, false
	}
	ms, ok = t.Metrics.Other[evaluator.LatencyMetric]
	return ms, ok
}

// formatLatency prints milliseconds.
func formatLatency(ms float64) string { return fmt.Sprintf("%.3gms", ms) }
