package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// maxFinalSeeds is far more than anyone trains, and keeps seeds from wrapping around.
const maxFinalSeeds = 1000

// final is the result of the final training. Of several trainings that differ in their seeds it has the means.
type final struct {
	Epochs int `json:"epochs"`
	Images int `json:"train_images"`
	evaluator.TestResult
	// Deviation is the sample standard deviation of the test accuracy; nil for one training.
	Deviation *float64   `json:"test_accuracy_deviation,omitempty"`
	Runs      []finalRun `json:"runs,omitempty"`          // of several
	OnRecord  bool       `json:"-"`                       // nothing was trained for it now
	CutOff    float64    `json:"cut_off_after,omitempty"` // epochs that were made, with a part of the last, where the time ended before all were
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
	f := &final{Epochs: recorded[0].Epochs, Images: recorded[0].TrainImages, TestResult: runs[0].TestResult, CutOff: recorded[0].CutOff}
	if len(runs) > 1 {
		mean, deviation := stat.MeanStdDev(accuracies, nil)
		f.Accuracy, f.Loss, f.Deviation, f.Runs = mean, stat.Mean(losses, nil), &deviation, runs
	}
	return f
}

func (f *final) print(w io.Writer) {
	spread := ""
	if f.Deviation != nil {
		spread = fmt.Sprintf(" ± %.4f over the seeds", *f.Deviation)
	}
	took := formatTime(time.Duration(f.seconds * float64(time.Second)))
	if f.OnRecord {
		took = "on record"
	}
	epochs := plural(f.Epochs, "epoch")
	if f.CutOff > 0 {
		epochs = fmt.Sprintf("%.1f of %s, when the time was up,", f.CutOff, epochs)
	}
	low, high := evaluator.AccuracyInterval(f.Accuracy, f.TestResult.Images)
	fmt.Fprintf(w, "\ntest accuracy %.4f%s (95%%: %.4f to %.4f), loss %.4f on %s, after %s on all %s training images (%s)\n",
		f.Accuracy, spread, low, high, f.Loss, plural(f.TestResult.Images, "image"), epochs, formatWhole(f.Images), took)
	if f.Deviation == nil {
		return
	}
	fmt.Fprintf(w, "mean and standard deviation of %d trainings:", len(f.Runs))
	for i, r := range f.Runs {
		fmt.Fprintf(w, "%s seed %d %.4f", map[bool]string{true: ","}[i > 0], r.Seed, r.Accuracy)
	}
	fmt.Fprintln(w)
}

// validate trains the best architecture anew on all training images and measures it on the
// test images, once for each seed. It trains less where the time is short. What is on record is not trained again.
func (s *session) validate(ctx context.Context, e *evaluator.Evaluator, best *study.Trial) (*final, error) {
	finals, err := s.store.Finals()
	if err != nil {
		return nil, err
	}
	plan, err := s.planFinal(ctx, e, best, finals)
	if err != nil {
		return nil, err
	}
	if plan.epochs == 0 {
		s.display.line("%s", s.noFinal)
		return nil, nil
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
		r, cut, err := s.trainFinal(ctx, e, plan, seed)
		late := errors.Is(err, errLate)
		if err != nil && !late {
			return nil, err
		}
		if late && len(runs) == 0 {
			s.noFinal = errLate.Error()
			s.display.line("%s", s.noFinal)
			return nil, nil
		}
		if (cut > 0 || late) && len(runs) > 0 {
			s.display.line("the time is up: final training %d of %d is cut off and does not count", i+1, s.finalSeeds)
			break
		}
		if cut > 0 {
			f := summarizeFinal([]study.Final{*r})
			f.CutOff, f.seconds = cut, time.Since(start).Seconds()
			return f, nil
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
