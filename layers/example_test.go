package layers_test

import (
	"fmt"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// A small network that learns which half of an image is brighter.
func Example() {
	store := layers.NewStore(1)
	s := store.Root()
	model := layers.Sequential{
		layers.NewConv2D(s.Sub("conv"), 1, 8, 3, layers.ConvOptions{Padding: 1, NoBias: true}),
		layers.NewBatchNorm(s.Sub("norm"), 8),
		layers.ReLU(),
		layers.MaxPool{Window: 2},
		layers.Flatten{},
		layers.NewLinear(s.Sub("head"), 4*4*8, 2),
	}

	trainer, err := layers.NewTrainer(model, store, layers.TrainerOptions{
		Input:     tensor.Shape{32, 8, 8, 1}, // N x H x W x C
		Classes:   2,
		Steps:     40,
		Optimizer: layers.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:  layers.WarmUp(5, layers.CosineRate(0.05, 0)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for step := range 40 {
		brighterHalf(trainer.Images(), trainer.Labels(), uint64(step))
		if _, err := trainer.Step(); err != nil {
			fmt.Println(err)
			return
		}
	}

	predictor, err := layers.NewPredictor(model, store, layers.PredictorOptions{Input: tensor.Shape{100, 8, 8, 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	labels := make([]float32, 100)
	brighterHalf(predictor.Images(), labels, 1000)
	score, err := predictor.Score(labels, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("parameters:", store.Elements())
	fmt.Println("accuracy above 95%:", score.Accuracy() > 0.95)
	// Output:
	// parameters: 346
	// accuracy above 95%: true
}

func brighterHalf(images, labels []float32, batch uint64) {
	r := stream.New(1, "example", batch)
	for i := range labels {
		half := r.IntN(2)
		labels[i] = float32(half)
		for j := range 64 {
			v := r.NormFloat64()
			if j/32 == half {
				v++
			}
			images[i*64+j] = float32(v)
		}
	}
}

func ExampleScope() {
	store := layers.NewStore(7)
	block := store.Root().Sub("block1")
	layers.NewConv2D(block.Sub("conv"), 3, 16, 3, layers.ConvOptions{NoBias: true})
	layers.NewBatchNorm(block.Sub("norm"), 16)
	for _, p := range store.All() {
		fmt.Println(p.Name, p.Kind, p.Value.Shape())
	}
	// Output:
	// block1.conv.weight weight 3x3x3x16
	// block1.norm.weight norm 16
	// block1.norm.bias norm 16
	// block1.norm.running_mean buffer 16
	// block1.norm.running_var buffer 16
}
