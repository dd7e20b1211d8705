package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// maxFinalEpochs are the most that the final training takes because there is time for them.
const maxFinalEpochs = 100

// errLate says that the time ended before a final training made a step.
var errLate = errors.New("no time is left for the final training")

// openEnded reports whether the final training takes as many epochs as there is time for: in a search that is bounded by time alone, unless the
// user says how many.
func (s *session) openEnded() bool {
	return s.time > 0 && s.trials == 0 && s.finalEpochs > 0 && !s.flags.Changed("final-epochs")
}

// askedEpochs are the most epochs of the final training.
func (s *session) askedEpochs() int {
	if s.openEnded() {
		return maxFinalEpochs
	}
	return s.finalEpochs
}

// reserve is the time to keep back for the final training. It takes the speed of the best
// trial; as long as there is none, a quarter of all time.
func (s *session) reserve(best *study.Trial) time.Duration {
	if s.finalEpochs == 0 || s.known != nil {
		return 0
	}
	if best == nil {
		return s.time / 4
	}
	return reserveFor(s.time, s.finalEpoch(best), s.finalEpochs)
}

// reserveFor is the time for so many epochs that each take so long, or as many whole ones as half of the limit has room for. A last one may
// take more, if there is room for it at all.
func reserveFor(limit, each time.Duration, want int) time.Duration {
	if each <= 0 {
		return 0
	}
	epochs := min(want, int(limit/2/each))
	if epochs == 0 && each < limit*3/4 {
		epochs = 1
	}
	// A twentieth is for what is not steps: compiling, and measuring on the test images.
	return min(time.Duration(epochs)*each*21/20, limit)
}

// finalEpoch estimates the time of one epoch of the final training, which has all images and all
// threads, for all seeds. Twice the threads are taken to be half again as fast.
func (s *session) finalEpoch(best *study.Trial) time.Duration {
	seconds := best.Timing.Seconds / float64(max(best.Metrics.Epochs, 1))
	seconds *= float64(s.data.All.Len()) / float64(s.data.Train.Len()) * float64(s.finalSeeds)
	if s.workers > 1 {
		seconds /= 1.5
	}
	return time.Duration(seconds * float64(time.Second))
}

// allowance is by how much a limit of time may be missed.
func allowance(limit time.Duration) time.Duration { return max(2*time.Second, limit/20) }

// fitEpochs returns how many epochs, of want at the most, so many trainings of a pace can have in the time that is left of a limit. A quarter of what
// the limit may be missed by is used, so that an epoch that nearly fits is not given up. One training of a single epoch is begun even if only half of that fits:
// it is cut off then, which is more than no final training.
func fitEpochs(limit, left time.Duration, pace evaluator.Pace, trainings, want int) int {
	each := (left+allowance(limit)/4)/time.Duration(trainings) - pace.Start - pace.Test
	if each <= 0 {
		return 0
	}
	if pace.Epoch <= 0 {
		return want
	}
	epochs := int(min(int64(want), int64(each/pace.Epoch)))
	if epochs == 0 && trainings == 1 && each >= pace.Epoch/2 {
		epochs = min(1, want)
	}
	return epochs
}

// cutOff is when a final training is cut off that is slower than was measured, so that what there is can be measured within what the limit may be
// missed by.
func cutOff(start time.Time, limit time.Duration, pace evaluator.Pace) time.Time {
	return start.Add(limit + allowance(limit)*3/5 - pace.Test)
}

// measuring is how long the pace of the final training is measured.
func measuring(limit time.Duration) time.Duration {
	return min(max(limit/50, 100*time.Millisecond), 3*time.Second)
}

// decideFinal returns how many epochs of the final training the time allows: 0 if not even one. The steps of the real training are timed for
// that before it begins, because the learning rate of each depends on how many there will be.
func (s *session) decideFinal(ctx context.Context, e *evaluator.Evaluator, best *study.Trial) (epochs int, err error) {
	want := s.askedEpochs()
	if s.time == 0 {
		return want, nil
	}
	genome, err := s.space.Parse(best.Genome)
	if err != nil {
		return 0, err
	}
	if s.left() <= 0 {
		s.noFinal = errLate.Error()
		return 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, s.left())
	defer cancel()
	o := evaluator.ValidateOptions{Genome: genome, Seed: s.seed, Epochs: want, All: true}
	s.pace, err = e.Pace(limited, o, measuring(s.time))
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		s.noFinal = "the time that is left is too short for the final training"
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("final training: %w", err)
	}
	if epochs = fitEpochs(s.time, s.left(), s.pace, s.finalSeeds, want); epochs == 0 {
		one := time.Duration(s.finalSeeds) * (s.pace.Start + s.pace.Epoch + s.pace.Test)
		s.noFinal = fmt.Sprintf("the time that is left, %s, is too short for a final training of one epoch: it takes about %s", formatSpan(max(s.left(), 0)), formatSpan(one))
	}
	return epochs, nil
}
