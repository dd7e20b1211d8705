package evaluator

import (
	"context"
	"errors"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
)

// Pace is how long a training takes on this machine, as it was measured.
type Pace struct {
	Start time.Duration // until its first step
	Epoch time.Duration // of one epoch
	Test  time.Duration // of the measurement on the test images
}

// Steps of which a pace is measured at the least, after some that are slower because memory is touched for the first time.
const (
	paceSteps  = 3
	paceBefore = 2
)

// Pace measures the training that [Evaluator.Validate] would make, by a few of its steps at the real batch and threads and by a part of the
// test images. Nothing of them is kept. It takes about the time that is given, and what a few steps take at the least.
func (e *Evaluator) Pace(ctx context.Context, o ValidateOptions, most time.Duration) (Pace, error) {
	if err := e.checkValidate(&o); err != nil {
		return Pace{}, err
	}
	threads := kernels.NewThreads(e.options.Workers * e.options.Threads)
	defer threads.Close()
	begun := time.Now()
	t, err := NewTraining(e.validation(&o, threads))
	if err != nil {
		return Pace{}, err
	}
	defer t.Close()
	p := Pace{Start: time.Since(begun)}
	if p.Epoch, err = t.pace(ctx, most*3/4); err != nil {
		return Pace{}, err
	}
	p.Test, err = t.testPace(ctx, most/4)
	return p, err
}

// pace measures steps and returns the time of an epoch of them.
func (t *Training) pace(ctx context.Context, most time.Duration) (time.Duration, error) {
	t.loader.Start(1)
	var begun time.Time
	made := -paceBefore
	for ; made < paceSteps || time.Since(begun) < most; made++ {
		if made == 0 {
			begun = time.Now()
		}
		images, labels, _, ok := t.loader.Next()
		if !ok { // a short epoch begins again
			t.loader.Start(1)
			made--
			continue
		}
		copy(t.trainer.Images(), images)
		copy(t.trainer.Labels(), labels)
		if _, err := t.trainer.StepContext(ctx); err != nil {
			if _, diverged := errors.AsType[*layers.DivergedError](err); !diverged { // which takes as long
				return 0, err
			}
		}
	}
	return epochTime(time.Since(begun), made, t.loader.Batches()), nil
}

// epochTime is what an epoch takes of which so many steps took so long.
func epochTime(took time.Duration, made, steps int) time.Duration {
	return time.Duration(float64(took) / float64(made) * float64(steps))
}

// testPace measures some of the test images and returns the time of them all.
func (t *Training) testPace(ctx context.Context, most time.Duration) (time.Duration, error) {
	if t.options.Test == nil {
		return 0, nil
	}
	begun := time.Now()
	split, err := t.options.Test()
	if err != nil {
		return 0, err
	}
	s, err := t.testScorer(split)
	if err != nil {
		return 0, err
	}
	defer s.close()
	s.predictor.Refresh()
	s.loader.Start(0)
	batches := s.loader.Batches()
	var rest time.Time // after the first batch, which prepares what is prepared once
	start := time.Duration(0)
	for made := 0; ; made++ {
		images, labels, n, ok := s.loader.Next()
		if !ok {
			return time.Since(begun), nil
		}
		copy(s.predictor.Images(), images)
		if _, err := s.predictor.ScoreContext(ctx, labels, n); err != nil {
			return 0, err
		}
		if made == 0 {
			rest, start = time.Now(), time.Since(begun)
			continue
		}
		if took := time.Since(rest); took > most {
			return start + epochTime(took, made, batches-1), nil
		}
	}
}
