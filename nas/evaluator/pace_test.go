package evaluator

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/nas/study"
)

// The pace of a training is measured, and the training that follows is the same as without.
func TestPaceIsMeasuredAndLeavesNothingBehind(t *testing.T) {
	results := map[bool]*Model{}
	for _, measured := range []bool{false, true} {
		o, _ := options(t)
		o.Data.All = o.Data.Train
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		v := ValidateOptions{Genome: genome(t, o, small), Seed: 5, Epochs: 2, All: true}
		if measured {
			p, err := e.Pace(t.Context(), v, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if p.Start <= 0 || p.Epoch <= 0 || p.Test <= 0 {
				t.Errorf("%+v", p)
			}
		}
		if results[measured], err = e.Validate(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := results[false], results[true]; a.Test != b.Test || !reflect.DeepEqual(a.Metrics, b.Metrics) || !slices.Equal(a.Curve, b.Curve) {
		t.Errorf("%+v, %+v", a.Test, b.Test)
	}
	if got := epochTime(3*time.Second, 6, 20); got != 10*time.Second {
		t.Errorf("an epoch takes %v", got)
	}
}

// ending is a context whose deadline comes when it is told so.
type ending struct {
	context.Context
	over atomic.Bool
}

func (e *ending) Err() error {
	if e.over.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// A training that its deadline cuts off is measured as it is, and goes on from its checkpoint to the bits that it would have had.
func TestADeadlineCutsATrainingOff(t *testing.T) {
	whole := trainingOptions(t)
	whole.Out = filepath.Join(t.TempDir(), "whole.safetensors")
	want := mustRun(t, whole)
	part := trainingOptions(t)
	part.Out = filepath.Join(t.TempDir(), "part.safetensors")
	limited := &ending{Context: t.Context()}
	part.Progress = func(s study.Step) { limited.over.Store(s.Step >= 3) }
	m, err := newTraining(t, part).run(t.Context(), limited)
	if err != nil || m.Cut <= 0 || m.Cut >= 1 || m.Test.Images == 0 {
		t.Fatalf("%v, cut off after %g epochs, %+v", err, m.Cut, m.Test)
	}
	part.Resume, part.Progress = part.Out, nil
	rest := mustRun(t, part)
	if rest.Cut != 0 || rest.Test != want.Test || !slices.Equal(readFile(t, part.Out), readFile(t, whole.Out)) {
		t.Errorf("%+v, want %+v", rest.Test, want.Test)
	}
	part.Resume, part.Out, part.Deadline = "", "", time.Now().Add(-time.Second)
	if _, err := newTraining(t, part).Run(t.Context()); err == nil {
		t.Error("a training of no step was measured")
	}
}
