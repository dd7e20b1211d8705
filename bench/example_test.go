package bench_test

import (
	"fmt"
	"log"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// A small convolutional network is built, trained for three epochs on the embedded images, and used.
func Example() {
	data, err := dataset.Open("fashion-mnist-mini", dataset.Options{})
	check(err)
	stats := dataset.Measure(data.Train())
	batches, err := dataset.NewLoader(data.Train(), dataset.LoaderOptions{Batch: 50, Seed: 1, Shuffle: true, Stats: stats})
	check(err)
	defer batches.Close()

	store := layers.NewStore(1) // parameters by name, drawn from seed 1
	s := store.Root()
	model := layers.Sequential{
		layers.NewConv2D(s.Sub("conv"), 1, 8, 3, layers.ConvOptions{Padding: 1}), layers.ReLU(),
		layers.MaxPool{Window: 2}, layers.Flatten{},
		layers.NewLinear(s.Sub("head"), 14*14*8, 10),
	}
	threads := kernels.NewThreads(2)
	defer threads.Close()
	trainer, err := layers.NewTrainer(model, store, layers.TrainerOptions{
		Input: tensor.Shape{50, 28, 28, 1}, Classes: 10, Threads: threads,
		Optimizer: layers.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:  layers.CosineRate(0.02, 0), Steps: 3 * batches.Batches(),
	})
	check(err)
	for epoch := range 3 {
		batches.Start(epoch)
		for images, labels, _, ok := batches.Next(); ok; images, labels, _, ok = batches.Next() {
			copy(trainer.Images(), images)
			copy(trainer.Labels(), labels)
			_, err := trainer.Step()
			check(err)
		}
	}

	test, err := data.Test()
	check(err)
	predictor, err := layers.NewPredictor(model, store, layers.PredictorOptions{Input: tensor.Shape{100, 28, 28, 1}, Threads: threads})
	check(err)
	batches, err = dataset.NewLoader(test, dataset.LoaderOptions{Batch: 100, Stats: stats})
	check(err)
	defer batches.Close()
	var score layers.Score
	batches.Start(0)
	for images, labels, n, ok := batches.Next(); ok; images, labels, n, ok = batches.Next() {
		copy(predictor.Images(), images)
		part, err := predictor.Score(labels, n)
		check(err)
		score.Add(part)
	}
	fmt.Println(score.Count, "test images, more than 84 % right:", score.Accuracy() > 0.84)
	// Output: 2000 test images, more than 84 % right: true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
