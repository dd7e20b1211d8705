package autograd_test

import (
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/tensor"
)

// The gradient of the sum of x^2 is 2x.
func Example() {
	g := autograd.NewGraph()
	x := g.Input("x", 3)
	loss := autograd.Sum(autograd.Mul(x, x))
	grads, err := autograd.Grad(loss, []*autograd.Node{x})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := autograd.Compile(autograd.Options{Outputs: []*autograd.Node{loss, grads[0]}})
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(p.Tensor(x).Data(), []float32{1, 2, 3})
	p.Run(0)
	fmt.Println(p.Tensor(loss).Data(), p.Tensor(grads[0]).Data())
	// Output: [14] [2 4 6]
}

// Shapes that do not fit are an error that names the operation.
func ExampleBuild() {
	g := autograd.NewGraph()
	err := autograd.Build(func() error {
		autograd.Conv2D(g.Input("images", 8, 28, 28, 3), g.Input("kernels", 3, 3, 1, 16), autograd.ConvOptions{})
		return nil
	})
	fmt.Println(err)
	// Output: autograd: conv2d(8x28x28x3, 3x3x1x16): 3 channels in 1 groups do not fit the kernels
}

// The exact work of a graph, before anything runs.
func ExampleSummarize() {
	g := autograd.NewGraph()
	x := g.Input("image", 1, 28, 28, 1)
	y := autograd.ReLU(autograd.Conv2D(x, g.Variable("weight", tensor.New(3, 3, 1, 16)), autograd.ConvOptions{Padding: autograd.Both(1)}))
	s := autograd.Summarize(y)
	fmt.Println(s.MACs, "MACs,", s.FLOPs, "FLOPs,", s.Params, "parameters,", s.ActivationBytes, "bytes of activations")
	// Output: 112896 MACs, 238336 FLOPs, 144 parameters, 100352 bytes of activations
}
