package study

import (
	"context"
	"errors"

	"github.com/nasbench-go/nasbench/nas/space"
)

// Evaluator measures architectures. Several workers call it at the same time.
type Evaluator interface {
	// Evaluate measures one architecture. After every epoch it calls report, from one
	// goroutine at a time, and returns at once with report's error if there is one.
	//
	// It returns a *[Failure] if this architecture cannot be measured: the trial fails and
	// the search goes on. It returns the error of ctx soon after ctx is cancelled.
	// With an error that wraps [ErrPruned] it returns the metrics reached so far. Any other
	// error ends the search.
	//
	// The metrics must depend on the genome, the seed and the epochs of the job alone.
	Evaluate(ctx context.Context, job Job, report func(Point) error) (Metrics, error)
}

// Job is one evaluation.
type Job struct {
	Index  int // of the trial
	Genome space.Genome
	Seed   uint64 // of the trial; all its randomness derives from it
	Epochs int

	// Worker counts from 0 to one less than the number of workers. No two jobs that run
	// at the same time share it, so it may choose memory or threads, never results.
	Worker int

	// Progress, never nil, tells the observer how far the evaluation is. It is cheap
	// enough to be called after every training step.
	Progress func(Step)
}

// Step says how far an evaluation is.
type Step struct {
	Epoch  int     `json:"epoch"`  // counted from 1
	Step   int     `json:"step"`   // within the epoch, counted from 1
	Steps  int     `json:"steps"`  // of one epoch
	Images int     `json:"images"` // trained on since the start of the trial
	Loss   float64 `json:"loss"`   // of this step's batch; may be NaN
}

// Failure is the error of an evaluation that fails its trial but not the search.
type Failure struct {
	Reason string
}

func (f *Failure) Error() string { return f.Reason }

// ErrPruned is what report returns when the pruner ends a trial.
var ErrPruned = errors.New("pruned")
