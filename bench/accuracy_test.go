package bench

import (
	"errors"
	"os"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// accuracy trains a model on the train split of a data set, with a cosine schedule after a warm-up, Nesterov momentum and no augmentation, and returns its
// accuracy on the test split.
func accuracy(t *testing.T, data *dataset.Dataset, build func(layers.Scope, int) layers.Module, epochs, batch int, rate float64) float64 {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	threads := kernels.NewThreads(2)
	defer threads.Close()
	info := data.Info()
	input := tensor.Shape{batch, info.Height, info.Width, info.Channels}
	stats := dataset.Measure(data.Train())
	train, err := dataset.NewLoader(data.Train(), dataset.LoaderOptions{Batch: batch, Seed: 1, Shuffle: true, DropLast: true, Stats: stats})
	must(err)
	defer train.Close()
	store := layers.NewStore(1)
	model := build(store.Root(), len(info.Classes))
	steps := epochs * train.Batches()
	trainer, err := layers.NewTrainer(model, store, layers.TrainerOptions{
		Input: input, Classes: len(info.Classes), Threads: threads,
		Optimizer: layers.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4},
		Schedule:  layers.WarmUp(steps/10, layers.CosineRate(rate, 0)), Steps: steps,
	})
	must(err)
	for epoch := range epochs {
		train.Start(epoch)
		for images, labels, _, ok := train.Next(); ok; images, labels, _, ok = train.Next() {
			copy(trainer.Images(), images)
			copy(trainer.Labels(), labels)
			_, err := trainer.Step()
			must(err)
		}
	}
	split, err := data.Test()
	must(err)
	test, err := dataset.NewLoader(split, dataset.LoaderOptions{Batch: batch, Stats: stats})
	must(err)
	defer test.Close()
	predictor, err := layers.NewPredictor(model, store, layers.PredictorOptions{Input: input, Threads: threads})
	must(err)
	var score layers.Score
	test.Start(0)
	for images, labels, n, ok := test.Next(); ok; images, labels, n, ok = test.Next() {
		copy(predictor.Images(), images)
		part, err := predictor.Score(labels, n)
		must(err)
		score.Add(part)
	}
	return score.Accuracy()
}

// The yardstick for a search on the embedded images: a linear classifier over the pixels. Reference
// implementations of logistic regression reach 84 % on the full data set (its README, table of
// benchmarks), so that far less on this sixth of it would be a fault of the training.
func TestLinearClassifierOnEmbeddedImages(t *testing.T) {
	data, err := dataset.Open("fashion-mnist-mini", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	linear := func(s layers.Scope, classes int) layers.Module {
		return layers.Sequential{layers.Flatten{}, layers.NewLinear(s.Sub("head"), 784, classes)}
	}
	got := accuracy(t, data, linear, 10, 50, 0.01)
	t.Logf("test accuracy %.2f %%", 100*got)
	if got < 0.80 || got > 0.88 {
		t.Errorf("test accuracy %.4f, want 0.80 to 0.88", got)
	}
}

// Five epochs of the small network on all of Fashion-MNIST reach 90 %. It takes minutes, so it runs on demand only.
func TestSmallCNNOnFashionMNIST(t *testing.T) {
	if os.Getenv("NASBENCH_LONG") == "" {
		t.Skip("takes minutes: set NASBENCH_LONG=1 to run it")
	}
	data, err := dataset.Open("fashion-mnist", dataset.Options{})
	if errors.Is(err, dataset.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := accuracy(t, data, SmallCNN, 5, 64, 0.04)
	t.Logf("test accuracy %.2f %%", 100*got)
	if got < 0.90 {
		t.Errorf("test accuracy %.4f, want at least 0.90", got)
	}
}
