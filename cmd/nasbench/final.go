package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// minFinalEpochs are the epochs that the final training gets even if little time is left, as long as they take no more
// than half of it all.
const minFinalEpochs = 4

// maxFinalSeeds is far more than anyone trains, and keeps seeds from wrapping around.
const maxFinalSeeds = 1000

// final is the result of the final training. Of several trainings that differ in their seeds it has the means.
type final struct {
	Epochs int `json:"epochs"`
	Images int `json:"train_images"`
	evaluator.TestResult
	// Deviation is the sample standard deviation of the test accuracy; nil for one training.
	Deviation *float64   `json:"test_accuracy_deviation,omitempty"`
	Runs      []finalRun `json:"runs,omitempty"`      // of several
	OnRecord  bool       `json:"on_record,omitempty"` // nothing was trained for it now
	seconds   float64    // of training now
}

// finalRun is one of several final trainings.
type finalRun struct {
	Seed uint64 `json:"seed"`
	evaluator.TestResult
}

// summarizeFinal returns the means of some trainings with the same number of epochs, at least one.
func summarizeFinal(recorded []study.Final) *final {
	runs := make([]finalRun, len(recorded))
	accuracies, losses := make([]float64, len(runs)), make([]float64, len(runs))
	for i, r := range recorded {
		runs[i] = finalRun{r.Seed, evaluator.TestResult{Accuracy: r.TestAccuracy, Loss: r.TestLoss, Images: r.TestImages}}
		accuracies[i], losses[i] = r.TestAccuracy, r.TestLoss
	}
	f := &final{Epochs: recorded[0].Epochs, Images: recorded[0].TrainImages, TestResult: runs[0].TestResult}
	if len(runs) > 1 {
		mean, deviation := stat.MeanStdDev(accuracies, nil)
		f.Accuracy, f.Loss, f.Deviation, f.Runs = mean, stat.Mean(losses, nil), &deviation, runs
	}
	return f
}

func (f *final) print(w io.Writer) {
	spread := ""
	if f.Deviation != nil {
		spread = fmt.Sprintf(" ± %.4f", *f.Deviation)
	}
	took := formatTime(time.Duration(f.seconds * float64(time.Second)))
	if f.OnRecord {
		took = "on record"
	}
	fmt.Fprintf(w, "\ntest accuracy %.4f%s, loss %.4f on %s, after %s on all %s training images (%s)\n",
		f.Accuracy, spread, f.Loss, plural(f.TestResult.Images, "image"), plural(f.Epochs, "epoch"), formatWhole(f.Images), took)
	if f.Deviation == nil {
		return
	}
	fmt.Fprintf(w, "mean and standard deviation of %d trainings:", len(f.Runs))
	for i, r := range f.Runs {
		fmt.Fprintf(w, "%s seed %d %.4f", map[bool]string{true: ","}[i > 0], r.Seed, r.Accuracy)
	}
	fmt.Fprintln(w)
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
	return min(time.Duration(s.finalEpochs)*s.finalEpoch(best), s.time/2)
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

// validate trains the best architecture anew on all training images and measures it on the
// test images, once for each seed. It trains less where the time is short. What is on record is not trained again.
func (s *session) validate(ctx context.Context, e *evaluator.Evaluator, best *study.Trial) (*final, error) {
	finals, err := s.store.Finals()
	if err != nil {
		return nil, err
	}
	plan, err := s.planFinal(best, finals)
	if err != nil {
		return nil, err
	}
	missing := 0
	for i := range s.finalSeeds {
		if plan.recorded(finals, s.seed+uint64(i)) == nil {
			missing++
		}
	}
	what := fmt.Sprintf("final training of trial %d: %s on %s", best.Index, plural(plan.epochs, "epoch"), plural(s.data.All.Len(), "image"))
	switch {
	case missing == 0:
		s.display.line("%s: on record, not trained again", what)
	case s.finalSeeds > 1:
		s.display.line("%s, %d times; %d on record", what, s.finalSeeds, s.finalSeeds-missing)
	default:
		s.display.line("%s", what)
	}
	start := time.Now()
	var runs []study.Final
	for i := range s.finalSeeds {
		seed := s.seed + uint64(i)
		if r := plan.recorded(finals, seed); r != nil {
			runs = append(runs, *r)
			continue
		}
		r, err := s.trainFinal(ctx, e, plan, seed)
		if err != nil {
			return nil, err
		}
		if s.finalSeeds > 1 {
			s.display.line("final training %d of %d: test accuracy %.4f", i+1, s.finalSeeds, r.TestAccuracy)
		}
		runs = append(runs, *r)
	}
	f := summarizeFinal(runs)
	if missing > 0 {
		f.seconds = time.Since(start).Seconds()
	}
	f.OnRecord = missing == 0
	return f, nil
}

// decideFinal returns how many epochs of the final training the time allows.
func (s *session) decideFinal(best *study.Trial) int {
	epochs := s.finalEpochs
	if s.time > 0 {
		if each := s.finalEpoch(best); each > 0 {
			left := s.time - time.Since(s.start)
			// On a slow machine the final training still gets what it takes to be of use.
			least := min(minFinalEpochs, int(s.time/2/each))
			epochs = min(epochs, max(int(left/each), least, 1))
		}
	}
	return epochs
}
