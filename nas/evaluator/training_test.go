package evaluator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/nas/study"
)

// trainingOptions returns a training of two epochs of seven steps, with all that has a state.
func trainingOptions(t *testing.T) TrainingOptions {
	t.Helper()
	o, _ := options(t)
	o.Recipe.Augment = dataset.Augment{Pad: 1, Flip: true}
	o.Recipe.EMADecay = 0.9
	return TrainingOptions{
		Space: o.Space, Genome: genome(t, o, small), Recipe: o.Recipe, Epochs: 2, Seed: 3,
		Train: o.Data.Train, Validation: o.Data.Validation, Test: o.Data.Test,
	}
}

func newTraining(t *testing.T, o TrainingOptions) *Training {
	t.Helper()
	work, err := NewTraining(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(work.Close)
	return work
}

func mustRun(t *testing.T, o TrainingOptions) *Model {
	t.Helper()
	m, err := newTraining(t, o).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A training may stop after any step, the last of an epoch included, and loses none of them.
func TestTrainingGoesOnFromAnyStep(t *testing.T) {
	whole := trainingOptions(t)
	whole.Out = filepath.Join(t.TempDir(), "whole.safetensors")
	want := mustRun(t, whole)
	wantFile := readFile(t, whole.Out)
	for _, at := range []study.Step{{Epoch: 1, Step: 1}, {Epoch: 1, Step: 5}, {Epoch: 1, Step: 7}, {Epoch: 2, Step: 3}, {Epoch: 2, Step: 7}} {
		ctx, cancel := context.WithCancel(t.Context())
		part := trainingOptions(t)
		part.Out = filepath.Join(t.TempDir(), "part.safetensors")
		part.Progress = func(s study.Step) {
			if s.Epoch == at.Epoch && s.Step == at.Step {
				cancel()
			}
		}
		first := newTraining(t, part)
		got, err := first.Run(ctx)
		if !errors.Is(err, context.Canceled) || first.Epoch() != at.Epoch {
			t.Fatalf("epoch %d, step %d: %v in epoch %d", at.Epoch, at.Step, err, first.Epoch())
		}
		part.Resume, part.Progress = part.Out, nil
		rest := mustRun(t, part)
		if curve := append(got.Curve, rest.Curve...); !slices.Equal(curve, want.Curve) {
			t.Errorf("epoch %d, step %d: got %+v, want %+v", at.Epoch, at.Step, curve, want.Curve)
		}
		if rest.Test != want.Test || !reflect.DeepEqual(rest.Metrics, want.Metrics) {
			t.Errorf("epoch %d, step %d: got %+v, %+v, want %+v, %+v", at.Epoch, at.Step, rest.Test, rest.Metrics, want.Test, want.Metrics)
		}
		if !slices.Equal(readFile(t, part.Out), wantFile) {
			t.Errorf("epoch %d, step %d: the files differ", at.Epoch, at.Step)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The file that a training leaves is the model that it measured, averages and all.
func TestModelFilesHoldTheWeightsThatWereMeasured(t *testing.T) {
	accuracy := map[float64]study.Metrics{}
	for _, decay := range []float64{0, 0.9} {
		o := trainingOptions(t)
		o.Recipe.EMADecay, o.Out, o.Notes = decay, filepath.Join(t.TempDir(), "model.safetensors"), map[string]string{"arch": small}
		m := mustRun(t, o)
		accuracy[decay] = m.Metrics

		store := layers.NewStore(99)
		module, err := o.Space.Build(o.Genome, store.Root())
		if err != nil {
			t.Fatal(err)
		}
		notes, err := layers.LoadWeights(o.Out, store)
		if err != nil {
			t.Fatal(err)
		}
		if notes["note.arch"] != small {
			t.Errorf("metadata %v", notes)
		}
		for i, p := range store.All() {
			if !slices.Equal(p.Value.Data(), m.Store.All()[i].Value.Data()) {
				t.Errorf("decay %g: %s of the file is not that of the model", decay, p.Name)
			}
		}
		test, err := o.Test()
		if err != nil {
			t.Fatal(err)
		}
		s, err := newScorer(&Model{Module: module, Store: store, Stats: m.Stats}, test, o.Recipe.Batch, nil, nil, unlimited)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		score, err := s.score(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if score.Accuracy() != m.Test.Accuracy || score.Loss() != m.Test.Loss || score.Count != m.Test.Images {
			t.Errorf("decay %g: the file gives %+v, the training %+v", decay, score, m.Test)
		}
	}
	if a, b := accuracy[0], accuracy[0.9]; a.TrainLoss != b.TrainLoss || a.ValLoss == b.ValLoss {
		t.Errorf("averages must change what is measured and nothing else: %+v, %+v", a, b)
	}
}

func TestResumedTrainingThatIsOverIsSavedUnderItsNewName(t *testing.T) {
	o := trainingOptions(t)
	o.Out = filepath.Join(t.TempDir(), "a.safetensors")
	want := mustRun(t, o)
	o.Resume, o.Out = o.Out, filepath.Join(t.TempDir(), "b.safetensors")
	m := mustRun(t, o)
	if m.Test != want.Test || len(m.Curve) != 0 || !slices.Equal(readFile(t, o.Out), readFile(t, o.Resume)) {
		t.Errorf("%+v, want %+v", m, want)
	}
}

func TestCheckpointsWithoutAPlaceToGoOnFromAreRefused(t *testing.T) {
	o := trainingOptions(t)
	o.Out = filepath.Join(t.TempDir(), "model.safetensors")
	mustRun(t, o)
	for _, c := range []struct{ note, value string }{
		{"epochs-done", ""}, {"epochs-done", "-1"}, {"epochs-done", "3"}, {"epochs-done", "0"}, {"epochs-done", "9223372036854775807"}, {"epoch-loss", "much"},
	} {
		f, err := safetensors.ReadFile(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		f.Metadata["note."+c.note] = c.value
		o.Resume = filepath.Join(t.TempDir(), "bad.safetensors")
		if err := safetensors.WriteFile(o.Resume, f.Tensors, f.Metadata); err != nil {
			t.Fatal(err)
		}
		if _, err := NewTraining(o); err == nil || !strings.Contains(err.Error(), o.Resume+": note "+c.note) {
			t.Errorf("%s %q: %v", c.note, c.value, err)
		}
	}
}

func TestSchedulesAndOptimizersDiffer(t *testing.T) {
	rates := map[Schedule][]float64{Cosine: {0.5, 0}, Step: {0.1, 0.01}, Constant: {1, 1}} // after each of two epochs
	losses := map[float64]string{}
	for _, optimizer := range Optimizers() {
		for _, schedule := range Schedules() {
			o := trainingOptions(t)
			o.Test, o.Recipe.WarmUp, o.Recipe.LearningRate = nil, 0, 0.01
			o.Recipe.Optimizer, o.Recipe.Schedule = Optimizer(optimizer), Schedule(schedule)
			m := mustRun(t, o)
			for i, p := range m.Curve {
				if got, want := p.LearningRate/0.01, rates[Schedule(schedule)][i]; got < want-1e-9 || got > want+1e-9 {
					t.Errorf("%s: %g of the learning rate after epoch %d, want %g", schedule, got, p.Epoch, want)
				}
			}
			if other, ok := losses[m.Metrics.TrainLoss]; ok {
				t.Errorf("%s, %s has the loss of %s", optimizer, schedule, other)
			}
			losses[m.Metrics.TrainLoss] = optimizer + ", " + schedule
			if m.Test.Images != 0 {
				t.Error("measured on test images that were not asked for")
			}
		}
	}
}

func TestTrainingsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*TrainingOptions)
	}{
		{"space and genome", func(o *TrainingOptions) { o.Space = nil }},
		{"space and genome", func(o *TrainingOptions) { o.Genome = nil }},
		{"no images to train on", func(o *TrainingOptions) { o.Train = nil }},
		{"0 epochs", func(o *TrainingOptions) { o.Epochs = 0 }},
		{"too many to count", func(o *TrainingOptions) { o.Epochs = 1 << 62 }},
		{"learning rate 1e+39", func(o *TrainingOptions) { o.Recipe.LearningRate = 1e39 }},
		{"a batch of 0", func(o *TrainingOptions) { o.Recipe.Batch = 0 }},
		{"none.safetensors", func(o *TrainingOptions) { o.Resume = "none.safetensors" }},
	} {
		o := trainingOptions(t)
		c.change(&o)
		if _, err := NewTraining(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestLossesAboveTheBoundFail(t *testing.T) {
	o := trainingOptions(t)
	o.MaxLoss = 0.01
	_, err := newTraining(t, o).Run(t.Context())
	failure, ok := errors.AsType[*study.Failure](err)
	if !ok || !strings.Contains(failure.Reason, "loss exploded to ") || !strings.Contains(failure.Reason, "at epoch 1, step 1") {
		t.Error(err)
	}
}
