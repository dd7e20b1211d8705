package evaluator

import (
	"context"
	"errors"
	"math"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/study"
)

// Run trains to the last epoch and measures the network on the test images, if that is asked for. It is called
// once. With an error it returns the model with what there is so far; if a file was asked for
// and the error is that of ctx, all steps made are saved in it.
//
// A loss or gradients that are not finite, or a loss above the bound, give a *study.Failure.
func (t *Training) Run(ctx context.Context) (*Model, error) {
	limited := ctx
	if !t.options.Deadline.IsZero() {
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, t.options.Deadline)
		defer cancel()
	}
	return t.run(ctx, limited)
}

// run is Run with a context for the training that also ends at the deadline.
func (t *Training) run(ctx, limited context.Context) (*Model, error) {
	if err := t.train(limited); err != nil {
		if interrupted(limited, err) {
			if saveErr := t.save(); saveErr != nil {
				return t.model, saveErr
			}
		}
		if ctx.Err() != nil || !interrupted(limited, err) || t.trainer.Steps() == 0 {
			return t.model, err
		}
		t.model.Cut = float64(t.trainer.Steps()) / float64(t.loader.Batches())
	}
	t.trainer.KeepAverages()
	return t.model, t.test(ctx)
}

// interrupted reports whether err says that ctx is cancelled.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// train makes the epochs that are not done yet.
func (t *Training) train(ctx context.Context) error {
	if t.done == t.options.Epochs {
		return t.finished(ctx)
	}
	for t.done < t.options.Epochs {
		if err := t.steps(ctx, t.done+1); err != nil {
			return err
		}
		point, err := t.measure(ctx, t.done+1)
		if err != nil {
			return err
		}
		t.done, t.lossSum = point.Epoch, 0
		t.reached(point)
		t.model.Curve = append(t.model.Curve, point)
		if t.options.Report != nil {
			if err := t.options.Report(point); err != nil {
				return err
			}
		}
		if err := t.save(); err != nil {
			return err
		}
	}
	return nil
}

// finished measures again what a training reached that was resumed after its last epoch, to the same bits, and saves it, maybe under another name.
func (t *Training) finished(ctx context.Context) error {
	point, err := t.measure(ctx, t.done)
	if err != nil {
		return err
	}
	point.TrainLoss = 0 // not kept
	t.reached(point)
	return t.save()
}

// reached notes what an epoch came to.
func (t *Training) reached(p study.Point) {
	m := &t.model.Metrics
	m.Epochs, m.TrainLoss, m.ValLoss, m.ValAccuracy = p.Epoch, p.TrainLoss, p.ValLoss, p.ValAccuracy
}

// steps makes the steps of an epoch that are not made yet.
func (t *Training) steps(ctx context.Context, epoch int) error {
	t.loader.Start(epoch)
	steps := t.loader.Batches()
	made := t.trainer.Steps() - t.done*steps
	for step := 1; ; step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		images, labels, _, ok := t.loader.Next()
		if !ok {
			return nil
		}
		if step <= made {
			continue
		}
		copy(t.trainer.Images(), images)
		copy(t.trainer.Labels(), labels)
		loss, err := t.trainer.StepContext(ctx)
		if err != nil {
			if diverged, ok := errors.AsType[*layers.DivergedError](err); ok {
				return fail("%s at epoch %d, step %d", divergence(diverged), epoch, step)
			}
			return err
		}
		if t.options.MaxLoss > 0 && loss > t.options.MaxLoss {
			return fail("loss exploded to %.4g at epoch %d, step %d", loss, epoch, step)
		}
		t.lossSum += loss
		if t.options.Progress != nil {
			t.options.Progress(study.Step{Epoch: epoch, Step: step, Steps: steps, Images: t.trainer.Steps() * t.batch, Loss: loss})
		}
	}
}

// measure says how an epoch went whose steps are made.
func (t *Training) measure(ctx context.Context, epoch int) (study.Point, error) {
	point := study.Point{Epoch: epoch, TrainLoss: t.lossSum / float64(t.loader.Batches()), LearningRate: t.trainer.Rate()}
	if t.validation == nil {
		return point, nil
	}
	var score layers.Score
	err := t.trainer.Averaged(func() (err error) {
		score, err = t.validation.score(ctx)
		return err
	})
	if err != nil {
		return point, err
	}
	point.ValLoss, point.ValAccuracy = score.Loss(), score.Accuracy()
	if math.IsNaN(point.ValLoss) || math.IsInf(point.ValLoss, 0) {
		return point, fail("validation loss is %v at epoch %d", point.ValLoss, epoch)
	}
	return point, nil
}

// test measures the trained network on the test images.
func (t *Training) test(ctx context.Context) error {
	if t.options.Test == nil {
		return nil
	}
	split, err := t.options.Test()
	if err != nil {
		return err
	}
	s, err := t.testScorer(split)
	if err != nil {
		return err
	}
	defer s.close()
	score, err := s.score(ctx)
	if err != nil {
		return err
	}
	if loss := score.Loss(); math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fail("the loss on the test images is not finite")
	}
	t.model.Test = TestResult{Accuracy: score.Accuracy(), Loss: score.Loss(), Images: score.Count}
	return nil
}

// testScorer returns what measures the test images. The training is over, and what it alone needed makes room.
func (t *Training) testScorer(split *dataset.Split) (*scorer, error) {
	o := &t.options
	t.Close()
	t.validation = nil
	room := unlimited
	if o.MaxMemory > 0 {
		room = o.MaxMemory - t.trainer.Memory().Total()
	}
	s, err := newScorer(t.model, split, o.Recipe.Batch, o.Threads, t.memory, room)
	if _, refused := errors.AsType[*autograd.MemoryError](err); refused {
		t.trainer, t.memory = nil, nil
		s, err = newScorer(t.model, split, o.Recipe.Batch, o.Threads, nil, o.MaxMemory)
	}
	if short, refused := errors.AsType[*autograd.MemoryError](err); refused {
		return nil, memoryFailure("measuring", short)
	}
	return s, err
}

// divergence says which number is not finite.
func divergence(e *layers.DivergedError) string {
	switch {
	case math.IsNaN(e.Loss):
		return "loss is NaN"
	case math.IsInf(e.Loss, 0):
		return "loss is infinite"
	case math.IsNaN(e.GradNorm):
		return "gradient norm is NaN"
	}
	return "gradient norm is infinite"
}
