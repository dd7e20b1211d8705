package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// minFinalEpochs are the epochs that the final training gets even if little time is left, as long as they take no more
// than half of it all.
const minFinalEpochs = 4

// reserve is the time to keep back for the final training. It takes the speed of the best
// trial; as long as there is none, a quarter of all time.
func (s *session) reserve(best *study.Trial) time.Duration {
	if s.finalEpochs == 0 || s.known != nil {
		return 0
	}
	if best == nil {
		return s.time / 4
	}
	return min(time.Duration(s.finalEpochs)*s.finalEpoch(best), s.time/2)
}

// finalEpoch estimates the time of one epoch of the final training, which has all images and all
// threads. Twice the threads are taken to be half again as fast.
func (s *session) finalEpoch(best *study.Trial) time.Duration {
	seconds := best.Timing.Seconds / float64(max(best.Metrics.Epochs, 1))
	seconds *= float64(s.data.All.Len()) / float64(s.data.Train.Len())
	if s.workers > 1 {
		seconds /= 1.5
	}
	return time.Duration(seconds * float64(time.Second))
}

// final is the result of the final training.
type final struct {
	Epochs int `json:"epochs"`
	Images int `json:"train_images"`
	evaluator.TestResult
	seconds float64
}

// validate trains the best architecture anew on all training images and measures it on the
// test images. It trains less where the time is short.
func (s *session) validate(ctx context.Context, e *evaluator.Evaluator, best *study.Trial) (*final, error) {
	genome, err := s.space.Parse(best.Genome)
	if err != nil {
		return nil, err
	}
	epochs := s.finalEpochs
	if s.time > 0 {
		if each := s.finalEpoch(best); each > 0 {
			left := s.time - time.Since(s.start)
			// On a slow machine the final training still gets what it takes to be of use.
			least := min(minFinalEpochs, int(s.time/2/each))
			epochs = min(epochs, max(int(left/each), least, 1))
		}
	}
	s.display.line("final training of trial %d: %s on %d images", best.Index, plural(epochs, "epoch"), s.data.All.Len())
	start := time.Now()
	w := &trainWatch{display: s.display, epochs: epochs, start: start, what: "final training"}
	model, err := e.Validate(ctx, evaluator.ValidateOptions{
		Genome: genome, Seed: s.seed, Epochs: epochs, All: true, Progress: w.step,
	})
	s.display.clear()
	if err != nil {
		return nil, fmt.Errorf("final training: %w", err)
	}
	return &final{Epochs: epochs, Images: s.data.All.Len(), TestResult: model.Test, seconds: time.Since(start).Seconds()}, nil
}
