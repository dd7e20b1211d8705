package autograd

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/nasbench-go/nasbench/tensor"
)

// goldenTensor and goldenCase are the layout of testdata/golden/golden.json, which make_golden.py
// beside it writes with PyTorch.
type goldenTensor struct {
	Shape []int
	Data  []float64
}

type goldenCase struct {
	Name            string
	Inputs, Grads   []goldenTensor
	Weights, Output goldenTensor
	Labels          *goldenTensor
	Running         []goldenTensor // mean and variance after the run
}

func (g goldenTensor) tensor(t *testing.T) *tensor.Tensor {
	t.Helper()
	data := make([]float32, len(g.Data))
	for i, v := range g.Data {
		data[i] = float32(v)
	}
	x, err := tensor.FromSlice(data, g.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// goldenBuild says how each golden case is written here. in holds the inputs and, last, the labels if there are
// any; running the running statistics.
func goldenBuild(in, running []*Node) map[string]func() *Node {
	conv := func(o ConvOptions) func() *Node { return func() *Node { return Conv2D(in[0], in[1], o) } }
	norm := func(training bool) func() *Node {
		return func() *Node {
			return BatchNorm(in[0], in[1], in[2], running[0], running[1], BatchNormOptions{Training: training})
		}
	}
	one := func(f func(*Node) *Node) func() *Node { return func() *Node { return f(in[0]) } }
	pool := PoolOptions{Window: Both(3), Stride: Both(2), Padding: Both(1)}
	return map[string]func() *Node{
		"conv2d 3x3 padding 1":            conv(ConvOptions{Padding: Both(1)}),
		"conv2d 5x5 stride 2 padding 2":   conv(ConvOptions{Padding: Both(2), Stride: Both(2)}),
		"conv2d 3x3 dilation 2 padding 2": conv(ConvOptions{Padding: Both(2), Dilation: Both(2)}),
		"conv2d 1x1 stride 2":             conv(ConvOptions{Stride: Both(2)}),
		"conv2d groups 2":                 conv(ConvOptions{Padding: Both(1), Groups: 2}),
		"conv2d depthwise 5x5 stride 2":   conv(ConvOptions{Padding: Both(2), Stride: Both(2), Groups: 3}),
		"linear":                          func() *Node { return Bias(Linear(in[0], in[1]), in[2]) },
		"batch_norm training":             norm(true),
		"batch_norm inference":            norm(false),
		"max_pool2d 3x3 stride 2":         func() *Node { return MaxPool2D(in[0], pool) },
		"avg_pool2d 3x3 stride 2":         func() *Node { return AvgPool2D(in[0], pool) },
		"global_avg_pool":                 one(GlobalAvgPool),
		"relu":                            one(ReLU),
		"relu6":                           one(ReLU6),
		"sigmoid":                         one(Sigmoid),
		"silu":                            one(SiLU),
		"hard_swish":                      one(HardSwish),
		"softmax":                         one(Softmax),
		"log_softmax":                     one(LogSoftmax),
		"cross_entropy smoothing 0":       func() *Node { return CrossEntropy(in[0], in[1], 0) },
		"cross_entropy smoothing 0.1":     func() *Node { return CrossEntropy(in[0], in[1], 0.1) },
		"mean_squared_error":              func() *Node { return MeanSquaredError(in[0], in[1]) },
		"weighted_sum":                    func() *Node { return WeightedSum(in[0], in[1:]...) },
		"network": func() *Node {
			y := Conv2D(in[0], in[1], ConvOptions{Padding: Both(1)})
			y = ReLU(BatchNorm(y, in[2], in[3], running[0], running[1], BatchNormOptions{Training: true}))
			y = MaxPool2D(y, PoolOptions{Window: Both(2)})
			return Linear(Reshape(y, 3, -1), in[4])
		},
	}
}

// Outputs and gradients are those of PyTorch, up to single precision: 1e-5 of the largest element of a tensor, some
// forty roundings for sums of up to a few hundred terms.
func TestAgreesWithPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/golden/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if want := len(goldenBuild(make([]*Node, 1), nil)); len(cases) != want {
		t.Errorf("%d cases in the file, %d here", len(cases), want)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { checkGolden(t, c) })
	}
}

func checkGolden(t *testing.T, c goldenCase) {
	g := NewGraph()
	var in []*Node
	for _, x := range c.Inputs {
		in = append(in, g.Variable("input", x.tensor(t)))
	}
	wrt := in
	if c.Labels != nil {
		in = append(in[:len(in):len(in)], g.Variable("labels", c.Labels.tensor(t)))
	}
	stats := []*tensor.Tensor{tensor.Full(0.25, 4), tensor.Full(1.5, 4)}
	running := []*Node{g.Variable("mean", stats[0]), g.Variable("var", stats[1])}
	build := goldenBuild(in, running)[c.Name]
	if build == nil {
		t.Fatal("the case is not known here")
	}
	y := build()
	grads, err := Grad(Sum(Mul(y, g.Variable("weights", c.Weights.tensor(t)))), wrt)
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, append([]*Node{y}, grads...)...)
	p.Run(0)
	compareGolden(t, "output", p.Tensor(y), c.Output)
	for i, dx := range grads {
		compareGolden(t, "gradient "+string(rune('0'+i)), p.Tensor(dx), c.Grads[i])
	}
	for i, s := range c.Running {
		compareGolden(t, "running statistic", stats[i], s)
	}
}

func compareGolden(t *testing.T, what string, got *tensor.Tensor, want goldenTensor) {
	t.Helper()
	if !got.Shape().Equal(want.Shape) {
		t.Fatalf("%s has shape %v, want %v", what, got.Shape(), tensor.Shape(want.Shape))
	}
	largest := 0.0
	for _, v := range want.Data {
		largest = math.Max(largest, math.Abs(v))
	}
	for i, v := range want.Data {
		if diff := math.Abs(float64(got.Data()[i]) - v); !(diff <= 1e-5*largest) {
			t.Fatalf("%s element %d is %v, PyTorch has %v", what, i, got.Data()[i], v)
		}
	}
}
