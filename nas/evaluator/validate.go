package evaluator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// Model is a trained network. Its Module maps images normalised by Stats to logits.
type Model struct {
	Genome space.Genome
	Module layers.Module
	Store  *layers.Store // the trained weights
	Stats  dataset.Stats // of the images that it was trained on

	// Metrics and Curve are those of the training. Their validation values are 0 if
	// the validation images were trained on.
	Metrics study.Metrics
	Curve   []study.Point
	Test    TestResult

	// Cut is how many epochs were made, with the part of the last one, of a training that its deadline cut off; 0 if none did. What
	// was measured is the network as it was then.
	Cut float64
}

// TestResult is how a model does on the test images.
type TestResult struct {
	Accuracy float64 `json:"test_accuracy"` // fraction of the images, 0 to 1
	Loss     float64 `json:"test_loss"`
	Images   int     `json:"test_images"`
}

// ValidateOptions says what [Evaluator.Validate] trains.
type ValidateOptions struct {
	Genome space.Genome
	Seed   uint64
	Epochs int
	All    bool // train on training and validation images together

	// Out, Notes and Resume are those of [TrainingOptions]: with them a training that was interrupted goes on, to the same bits.
	Out    string
	Notes  map[string]string
	Resume string

	Deadline time.Time // cuts the training off, unless zero; see Model.Cut

	Progress func(study.Step)        // called after every step, unless nil
	Report   func(study.Point) error // called after every epoch, unless nil; an error ends the training
}

// Validate trains one network from its start, or from a checkpoint, with the threads of all workers, then measures it on the
// test images. It must not run at the same time as Evaluate. A network that cannot be trained
// gives a *study.Failure.
func (e *Evaluator) Validate(ctx context.Context, o ValidateOptions) (*Model, error) {
	if err := e.checkValidate(&o); err != nil {
		return nil, err
	}
	threads := kernels.NewThreads(e.options.Workers * e.options.Threads)
	defer threads.Close()
	m, err := run(ctx, e.validation(&o, threads))
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (e *Evaluator) checkValidate(o *ValidateOptions) error {
	data := e.options.Data
	switch {
	case o.Genome == nil:
		return errors.New("evaluator: validate: no genome")
	case o.Epochs < 1:
		return fmt.Errorf("evaluator: validate: epochs must be positive, not %d", o.Epochs)
	case o.All && data.All == nil:
		return errors.New("evaluator: validate: no images of training and validation together")
	case data.Test == nil:
		return errors.New("evaluator: validate: no test images")
	}
	return nil
}

// validation returns the training of Validate.
func (e *Evaluator) validation(o *ValidateOptions, threads *kernels.Threads) TrainingOptions {
	t := e.training(o.Genome, o.Seed, o.Epochs, threads)
	t.Test, t.Progress, t.Report, t.Deadline = e.options.Data.Test, o.Progress, o.Report, o.Deadline
	t.Out, t.Notes, t.Resume = o.Out, o.Notes, o.Resume
	if o.All {
		t.Train, t.Validation, t.Stats = e.options.Data.All, nil, dataset.Stats{}
	}
	return t
}
