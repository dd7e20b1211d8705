package evaluator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
	"github.com/nasbench-go/nasbench/tensor"
)

// How a latency is measured: after a run that warms up, the median of as many runs as end within latencyTime, but of latencyRuns
// at the least and mostLatencyRuns at the most.
const (
	latencyTime     = 20 * time.Millisecond
	latencyRuns     = 9
	mostLatencyRuns = 101
)

// LatencyMetric is the name of the metric, in milliseconds, in study.Metrics.Other.
const LatencyMetric = "latency"

// Latencies keeps latencies by the key of the network, in nanoseconds; a study.Measurements does.
type Latencies interface {
	All() (map[string]float64, error)
	Add(key string, nanoseconds float64) error
}

// Latency measures how long the compiled inference program of a network takes for a batch, on one thread of this machine. Each network is
// measured once. It may be used by several goroutines, of which one at a time measures; what else runs on the machine
// at the time disturbs it.
type Latency struct {
	space space.Space
	input tensor.Shape

	mu    sync.Mutex
	known map[string]float64 // nanoseconds by key
	keep  Latencies          // nil until there is one
}

// NewLatency measures genomes of a space, which must not itself be bounded by what is measured here, in batches of so many images of its task.
func NewLatency(s space.Space, task space.Task, batch int) (*Latency, error) {
	if batch < 1 {
		return nil, fmt.Errorf("evaluator: latency of a batch of %d images", batch)
	}
	input := tensor.Shape{batch, task.Height, task.Width, task.Channels}
	if err := input.Check(); err != nil {
		return nil, fmt.Errorf("evaluator: latency of a batch of %d images: %w", batch, err)
	}
	if need, limit := 4*int64(input.Elements()), machine.Plannable(); limit > 0 && need > limit {
		return nil, fmt.Errorf("evaluator: latency of a batch of %d images: %w", batch, &autograd.MemoryError{What: "the batch", Need: need, Limit: limit})
	}
	return &Latency{space: s, input: input, known: map[string]float64{}}, nil
}

// Keep takes over what is kept already, which holds from now on whatever was measured before, and keeps there all that is measured.
// A search goes on to the same results so, and on another machine too.
func (l *Latency) Keep(k Latencies) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, err := k.All()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(l.known)) {
		if _, ok := kept[key]; !ok {
			if err := k.Add(key, l.known[key]); err != nil {
				return err
			}
		}
	}
	maps.Copy(l.known, kept)
	l.keep = k
	return nil
}

// Measure returns the latency of a genome. A network that cannot be built has a latency of 0: its training says why. It fails if a batch of the network needs more
// memory than there is.
func (l *Latency) Measure(g space.Genome) (time.Duration, error) {
	return l.MeasureContext(context.Background(), g)
}

// MeasureContext is [Latency.Measure] that ctx can end, with its error, also in the middle of a run of the network.
func (l *Latency) MeasureContext(ctx context.Context, g space.Genome) (time.Duration, error) {
	key := l.space.Key(g)
	if key == "" {
		return 0, fmt.Errorf("evaluator: latency: %v is no genome of space %s", g, l.space.Name())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ns, ok := l.known[key]; ok {
		return time.Duration(ns), nil
	}
	d, err := l.run(ctx, g)
	if err != nil {
		return 0, fmt.Errorf("evaluator: latency of a batch of %d images: %w", l.input[0], err)
	}
	if l.keep != nil {
		if err := l.keep.Add(key, float64(d)); err != nil {
			return 0, err
		}
	}
	l.known[key] = float64(d)
	return d, nil
}

// run measures.
func (l *Latency) run(ctx context.Context, g space.Genome) (time.Duration, error) {
	store := layers.NewStore(1)
	var m layers.Module
	err := autograd.Build(func() (err error) {
		m, err = l.space.Build(g, store.Root())
		return err
	})
	if err != nil {
		return 0, memoryOnly(err)
	}
	p, err := layers.NewPredictor(m, store, layers.PredictorOptions{Input: l.input, Frozen: true, Throughput: true})
	if err != nil {
		return 0, memoryOnly(err)
	}
	rng := stream.New(1, "latency") // zeros could be faster than images
	for i := range p.Images() {
		p.Images()[i] = float32(rng.NormFloat64())
	}
	if err := p.RunContext(ctx); err != nil {
		return 0, err
	}
	var times []time.Duration
	for start := time.Now(); len(times) < latencyRuns || len(times) < mostLatencyRuns && time.Since(start) < latencyTime; {
		begin := time.Now()
		if err := p.RunContext(ctx); err != nil {
			return 0, err
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// memoryOnly returns err if it says that memory is short.
func memoryOnly(err error) error {
	if _, short := errors.AsType[*autograd.MemoryError](err); short {
		return err
	}
	return nil
}

// Evaluator returns an evaluator that does what the given one does and adds the latency of the genome, in milliseconds, to the
// metrics, as [LatencyMetric]. Unlike other metrics this one depends on the machine.
func (l *Latency) Evaluator(e study.Evaluator) study.Evaluator { return &latencyEvaluator{e, l} }

type latencyEvaluator struct {
	study.Evaluator
	latency *Latency
}

// Evaluate measures the latency before anything is trained.
func (e *latencyEvaluator) Evaluate(ctx context.Context, job study.Job, report func(study.Point) error) (study.Metrics, error) {
	d, err := e.latency.MeasureContext(ctx, job.Genome)
	if err != nil {
		return study.Metrics{}, err
	}
	m, err := e.Evaluator.Evaluate(ctx, job, report)
	other := maps.Clone(m.Other)
	if other == nil {
		other = map[string]float64{}
	}
	other[LatencyMetric] = float64(d) / float64(time.Millisecond)
	m.Other = other
	return m, err
}
