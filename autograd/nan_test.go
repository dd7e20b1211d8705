package autograd

import (
	"fmt"
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// specials are the values at which a gradient that multiplies where it should choose shows.
var specials = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1)), 0}

// TestGradientsAtSpecialValues holds the operations against what PyTorch documents and does where a value is not finite, or zero of either sign, at every level, fused
// and not. dy is 2 everywhere.
func TestGradientsAtSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	type values = []float32
	for _, c := range []struct {
		name  string
		build func(x *Node) *Node
		y, dx values // at NaN, +Inf, -Inf, -0 and +0
	}{
		// threshold_backward: 0 where the result is at most 0, else dy; NaN is not at most 0.
		{name: "relu", build: ReLU, y: values{nan, inf, 0, 0, 0}, dx: values{2, 2, 0, 0, 0}},
		// hardtanh_backward: 0 at the bounds and beyond.
		{name: "relu6", build: ReLU6, y: values{nan, 6, 0, 0, 0}, dx: values{2, 0, 0, 0, 0}},
		{name: "sigmoid", build: Sigmoid, y: values{nan, 1, 0, 0.5, 0.5}, dx: values{nan, 0, 0, 0.5, 0.5}},
		// x*sigmoid(x) is infinity times zero at -Inf, and so are the derivatives at both.
		{name: "silu", build: SiLU, y: values{nan, inf, nan, 0, 0}, dx: values{nan, nan, nan, 1, 1}},
		// Documented as 0 up to -3 and x from 3 on; the gradient of NaN is dy.
		{name: "hard_swish", build: HardSwish, y: values{nan, inf, 0, 0, 0}, dx: values{2, 2, 0, 1, 1}},
		{name: "exp", build: Exp, y: values{nan, inf, 0, 1, 1}, dx: values{nan, inf, 0, 2, 2}},
		{name: "times a constant", build: func(x *Node) *Node { return scaleBy(x, 3) }, y: values{nan, inf, -inf, 0, 0}, dx: values{6, 6, 6, 6, 6}},
		{name: "weighted sum", build: func(x *Node) *Node {
			w, _ := tensor.FromSlice([]float32{1, 2}, 2)
			return WeightedSum(x.Graph().Constant(w), x, x)
		}, y: values{nan, inf, -inf, 0, 0}, dx: values{6, 6, 6, 6, 6}},
		{name: "batch norm in inference", build: func(x *Node) *Node { return inferenceNorm(x) },
			y: values{nan, inf, -inf, 0, 0}, dx: values{6, 6, 6, 6, 6}},
		{name: "batch norm in inference, ReLU", build: func(x *Node) *Node { return ReLU(inferenceNorm(x)) },
			y: values{nan, inf, 0, 0, 0}, dx: values{6, 6, 0, 0, 0}},
		{name: "batch norm in inference, sum, ReLU", build: func(x *Node) *Node { return ReLU(Add(inferenceNorm(x), x)) },
			y: values{nan, inf, 0, 0, 0}, dx: values{8, 8, 0, 0, 0}},
		{name: "max pool", build: func(x *Node) *Node {
			return Reshape(MaxPool2D(Reshape(x, 1, 5, 1, 1), PoolOptions{Window: Both(1)}), 5, 1)
		}, y: values{nan, inf, -inf, 0, 0}, dx: values{2, 2, 2, 2, 2}},
		{name: "average pool", build: func(x *Node) *Node {
			return Reshape(AvgPool2D(Reshape(x, 1, 5, 1, 1), PoolOptions{Window: Both(1)}), 5, 1)
		}, y: values{nan, inf, -inf, 0, 0}, dx: values{2, 2, 2, 2, 2}},
		{name: "sum over images", build: func(x *Node) *Node { return Bias(x, Sum(x, 0)) },
			y: values{nan, nan, nan, nan, nan}, dx: values{12, 12, 12, 12, 12}},
		{name: "linear", build: func(x *Node) *Node { return Linear(x, x.Graph().Constant(tensor.Full(4, 1, 1))) },
			y: values{nan, inf, -inf, 0, 0}, dx: values{8, 8, 8, 8, 8}},
		{name: "conv2d", build: func(x *Node) *Node {
			return Reshape(Conv2D(Reshape(x, 1, 5, 1, 1), x.Graph().Constant(tensor.Full(4, 1, 1, 1, 1)), ConvOptions{}), 5, 1)
		}, y: values{nan, inf, -inf, 0, 0}, dx: values{8, 8, 8, 8, 8}},
	} {
		for _, level := range kernels.Available() {
			for _, unfused := range []bool{false, true} {
				table, err := kernels.ForLevel(level)
				if err != nil {
					t.Fatal(err)
				}
				g := NewGraph()
				x, dy := g.Input("x", len(specials), 1), g.Input("dy", len(specials), 1)
				y := c.build(x)
				dx, err := VJP(y, dy, []*Node{x})
				if err != nil {
					t.Fatal(err)
				}
				p, err := Compile(Options{Outputs: []*Node{y, dx[0]}, Table: table, Unfused: unfused})
				if err != nil {
					t.Fatal(err)
				}
				copy(p.Tensor(x).Data(), specials)
				for i := range specials {
					p.Tensor(dy).Data()[i] = 2
				}
				p.Run(0)
				what := fmt.Sprintf("%s, %v, unfused %v", c.name, level, unfused)
				sameSpecials(t, what+": y", p.Tensor(y).Data(), c.y)
				sameSpecials(t, what+": dx", p.Tensor(dx[0]).Data(), c.dx)
			}
		}
	}
}

// inferenceNorm multiplies by 3.
func inferenceNorm(x *Node) *Node {
	g, c := x.Graph(), []int{x.Shape().Last()}
	return BatchNorm(x, g.Variable("gamma", tensor.Full(3, c...)), g.Variable("beta", tensor.New(c...)), g.Variable("mean", tensor.New(c...)),
		g.Variable("variance", tensor.Full(1-1e-5, c...)), BatchNormOptions{})
}

func sameSpecials(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if v := got[i]; !(v == w || v != v && w != w) {
			t.Errorf("%s at %v is %v, want %v", what, specials[i], v, w)
		}
	}
}

// TestDroppedElementsAreZero: what a mask drops is zero whatever it was. PyTorch multiplies by the mask, which leaves a NaN.
func TestDroppedElementsAreZero(t *testing.T) {
	for name, drop := range map[string]func(x *Node) *Node{
		"dropout":   func(x *Node) *Node { return Dropout(x, 0.5, 1) },
		"drop path": func(x *Node) *Node { return DropPath(x, 0.5, 1) },
	} {
		g := NewGraph()
		x := g.Input("x", 40, 3)
		y := drop(x)
		p, err := Compile(Options{Outputs: []*Node{y}, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Tensor(x).Data() {
			p.Tensor(x).Data()[i] = float32(math.NaN())
		}
		p.Run(1)
		zeros := 0
		for _, v := range p.Tensor(y).Data() {
			if v == 0 {
				zeros++
			}
		}
		if zeros < 30 || zeros > 90 {
			t.Errorf("%s: %d of 120 elements are zero", name, zeros)
		}
	}
}
