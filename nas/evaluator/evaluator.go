package evaluator

import (
	"context"
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// explodedLoss is the loss of a batch above which a trial counts as hopeless. Guessing
// costs ln(classes), 2.3 for ten.
const explodedLoss = 1000

// Options says what an [Evaluator] works with.
type Options struct {
	Space  space.Space
	Data   Data
	Recipe Recipe

	Workers int // evaluations that run at the same time; 0 means 1
	Threads int // of each evaluation; 0 means 1

	// MaxMemory bounds the bytes that the training of one network may plan; 0 means no bound.
	MaxMemory int64
	// Labels names layers and operations in CPU profiles; see autograd.Program.Label.
	Labels bool
}

// Evaluator trains networks. It implements study.Evaluator.
type Evaluator struct {
	options Options
	stats   dataset.Stats      // of the training images
	threads []*kernels.Threads // by worker
}

var _ study.Evaluator = (*Evaluator)(nil)

// New returns an evaluator. It fails if an option is out of its range or the CPU level that
// was asked for cannot be had. Close it after use.
func New(o Options) (*Evaluator, error) {
	if o.Space == nil {
		return nil, errors.New("evaluator: no space")
	}
	if err := o.Data.check(); err != nil {
		return nil, err
	}
	if err := o.Recipe.Check(); err != nil {
		return nil, err
	}
	if o.Workers < 0 || o.Threads < 0 || o.MaxMemory < 0 {
		return nil, fmt.Errorf("evaluator: %d workers, %d threads, %d bytes of memory", o.Workers, o.Threads, o.MaxMemory)
	}
	if _, err := kernels.Active(); err != nil {
		return nil, err
	}
	o.Workers, o.Threads = max(o.Workers, 1), max(o.Threads, 1)
	e := &Evaluator{options: o, stats: dataset.Measure(o.Data.Train)}
	for range o.Workers {
		e.threads = append(e.threads, kernels.NewThreads(o.Threads))
	}
	return e, nil
}

// Close ends the threads. No evaluation may be running.
func (e *Evaluator) Close() {
	for _, t := range e.threads {
		t.Close()
	}
}

// Evaluate trains the network of a job on the training images and measures it on the validation
// images after every epoch. See study.Evaluator for the rules.
func (e *Evaluator) Evaluate(ctx context.Context, job study.Job, report func(study.Point) error) (study.Metrics, error) {
	if job.Worker < 0 || job.Worker >= len(e.threads) {
		return study.Metrics{}, fmt.Errorf("evaluator: worker %d of %d", job.Worker, len(e.threads))
	}
	t := e.training(job.Genome, job.Seed, job.Epochs, e.threads[job.Worker])
	t.Progress, t.Report = job.Progress, report
	m, err := run(ctx, t)
	if m == nil {
		return study.Metrics{}, err
	}
	return m.Metrics, err
}

// training returns the training of one network on the training images.
func (e *Evaluator) training(g space.Genome, seed uint64, epochs int, threads *kernels.Threads) TrainingOptions {
	o := &e.options
	return TrainingOptions{
		Space: o.Space, Genome: g, Recipe: o.Recipe, Epochs: epochs, Seed: seed,
		Train: o.Data.Train, Validation: o.Data.Validation, Stats: e.stats,
		Threads: threads, MaxMemory: o.MaxMemory, MaxLoss: explodedLoss, Labels: o.Labels,
	}
}

// run trains from start to end.
func run(ctx context.Context, o TrainingOptions) (*Model, error) {
	t, err := NewTraining(o)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Run(ctx)
}
