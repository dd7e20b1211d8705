package autograd

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// emptyUse is an operation over inputs of which some dimension is zero.
type emptyUse struct {
	name   string
	inputs []tensor.Shape
	build  func(in []*Node) *Node
}

// emptyUses are operations of which nothing reaches the sum of the output's elements, so that all gradients are zero.
func emptyUses() []emptyUse {
	var uses []emptyUse
	add := func(name string, build func(in []*Node) *Node, shapes ...tensor.Shape) {
		uses = append(uses, emptyUse{fmt.Sprintf("%s %v", name, shapes), shapes, build})
	}
	conv := func(o ConvOptions, x, w tensor.Shape) {
		add("conv2d", func(in []*Node) *Node { return Conv2D(in[0], in[1], o) }, x, w)
	}
	conv(ConvOptions{}, tensor.Shape{0, 4, 4, 3}, tensor.Shape{3, 3, 3, 2})
	conv(ConvOptions{Padding: Both(1)}, tensor.Shape{0, 28, 28, 16}, tensor.Shape{3, 3, 16, 40})
	conv(ConvOptions{}, tensor.Shape{0, 4, 4, 64}, tensor.Shape{1, 1, 64, 64})
	conv(ConvOptions{Padding: Both(1), Groups: 8}, tensor.Shape{0, 4, 4, 8}, tensor.Shape{3, 3, 1, 8})
	conv(ConvOptions{Padding: Both(1), Groups: 8}, tensor.Shape{0, 4, 4, 8}, tensor.Shape{3, 3, 1, 16})
	conv(ConvOptions{Padding: Both(1), Groups: 2}, tensor.Shape{0, 4, 4, 8}, tensor.Shape{3, 3, 4, 6})
	conv(ConvOptions{}, tensor.Shape{2, 4, 4, 0}, tensor.Shape{3, 3, 0, 2})
	conv(ConvOptions{}, tensor.Shape{2, 4, 4, 3}, tensor.Shape{3, 3, 3, 0})
	conv(ConvOptions{}, tensor.Shape{2, 4, 4, 0}, tensor.Shape{3, 3, 0, 0})
	conv(ConvOptions{Padding: HW{3, 0}}, tensor.Shape{2, 0, 4, 3}, tensor.Shape{3, 3, 3, 2})
	conv(ConvOptions{Padding: HW{0, 3}}, tensor.Shape{2, 4, 0, 3}, tensor.Shape{3, 3, 3, 2})
	for _, s := range [][3]int{{0, 5, 3}, {4, 0, 3}, {4, 5, 0}, {0, 0, 0}, {0, 300, 200}} {
		add("linear", func(in []*Node) *Node { return Linear(in[0], in[1]) }, tensor.Shape{s[0], s[1]}, tensor.Shape{s[1], s[2]})
	}
	add("linear of images", func(in []*Node) *Node { return Linear(in[0], in[1]) }, tensor.Shape{0, 2, 2, 5}, tensor.Shape{5, 3})
	image := tensor.Shape{0, 4, 4, 6}
	add("bias", func(in []*Node) *Node { return Bias(in[0], in[1]) }, image, tensor.Shape{6})
	add("bias of no channels", func(in []*Node) *Node { return Bias(in[0], in[1]) }, tensor.Shape{2, 3, 0}, tensor.Shape{0})
	for f := range kernels.NumActivations {
		add(activationNames[f], func(in []*Node) *Node { return Activate(in[0], f) }, image)
	}
	for _, relu := range []bool{false, true} {
		add("batch norm in inference", func(in []*Node) *Node {
			g := in[0].Graph()
			y := BatchNorm(in[0], in[1], in[2], g.Variable("mean", tensor.New(6)), g.Variable("variance", tensor.Full(1, 6)), BatchNormOptions{})
			if relu {
				y = ReLU(y)
			}
			return y
		}, image, tensor.Shape{6}, tensor.Shape{6})
	}
	for _, x := range []tensor.Shape{image, {2, 4, 4, 0}} {
		pool := PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)}
		add("max pool", func(in []*Node) *Node { return MaxPool2D(in[0], pool) }, x)
		add("average pool", func(in []*Node) *Node { return AvgPool2D(in[0], pool) }, x)
		add("sum over pixels", func(in []*Node) *Node { return Sum(in[0], 1, 2) }, x)
		add("sum over images", func(in []*Node) *Node { return Sum(in[0], 0) }, x)
		add("sum", func(in []*Node) *Node { return Sum(in[0]) }, x)
		add("concat", func(in []*Node) *Node { return Concat(in[0], in[1], in[0]) }, x, x)
		add("scale", func(in []*Node) *Node { return Scale(in[0], in[1]) }, x, tensor.Shape{1})
		add("dropout", func(in []*Node) *Node { return Dropout(in[0], 0.5, 1) }, x)
		add("drop path", func(in []*Node) *Node { return DropPath(in[0], 0.5, 1) }, x)
		add("weighted sum", func(in []*Node) *Node { return WeightedSum(in[0], in[1], in[2]) }, tensor.Shape{2}, x, x)
		add("arithmetic", func(in []*Node) *Node { return Div(Mul(Add(in[0], in[1]), in[2]), Sub(in[0], in[2])) }, x, x, x)
		add("row of all", func(in []*Node) *Node { return Mul(in[0], in[1]) }, x, tensor.Shape{x[3]})
		add("slice", func(in []*Node) *Node { return Slice(in[0], []int{0, 1, 0, 0}, []int{x[0], 3, 4, x[3] / 2}) }, x)
		add("reshape", func(in []*Node) *Node { return Reshape(in[0], x[0], x[1:].Elements()) }, x)
	}
	add("softmax", func(in []*Node) *Node { return Softmax(in[0]) }, tensor.Shape{0, 10})
	add("log-softmax", func(in []*Node) *Node { return LogSoftmax(in[0]) }, tensor.Shape{0, 10})
	add("broadcast", func(in []*Node) *Node { return Broadcast(in[0], 0, 3, 4) }, tensor.Shape{1, 3, 4})
	add("empty block", func(in []*Node) *Node { return Slice(in[0], []int{1, 0}, []int{1, 4}) }, tensor.Shape{3, 4})
	add("pad of nothing with nothing", func(in []*Node) *Node { return Pad(in[0], []int{0, 1}, []int{0, 2}) }, tensor.Shape{0, 4})
	add("pad of nothing", func(in []*Node) *Node { return Pad(in[0], []int{2, 1}, []int{1, 2}) }, tensor.Shape{0, 4})
	add("network", func(in []*Node) *Node {
		y := ReLU(Bias(Conv2D(in[0], in[1], ConvOptions{Padding: Both(1)}), in[2]))
		y = Concat(MaxPool2D(y, PoolOptions{Window: Both(2)}), AvgPool2D(y, PoolOptions{Window: Both(2)}))
		return Bias(Linear(Reshape(y, 0, 2*2*16), in[3]), in[4])
	}, tensor.Shape{0, 4, 4, 3}, tensor.Shape{3, 3, 3, 8}, tensor.Shape{8}, tensor.Shape{64, 10}, tensor.Shape{10})
	return uses
}

// TestOperationsOnNothing runs operations and their gradients over dimensions of zero at every level, fused and not, alone and with threads: the
// sum of the outputs is zero, and so is every gradient.
func TestOperationsOnNothing(t *testing.T) {
	threads := kernels.NewThreads(3)
	defer threads.Close()
	for _, level := range kernels.Available() {
		table, err := kernels.ForLevel(level)
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range emptyUses() {
			for _, o := range []Options{{}, {Unfused: true}, {Threads: threads}} {
				g := NewGraph()
				var in []*Node
				for _, s := range use.inputs {
					in = append(in, g.Input("x", s...))
				}
				var loss *Node
				if err := Build(func() error { loss = Sum(use.build(in)); return nil }); err != nil {
					t.Fatalf("%s: %v", use.name, err)
				}
				grads, err := Grad(loss, in)
				if err != nil {
					t.Fatalf("%s: %v", use.name, err)
				}
				o.Table, o.Outputs = table, append([]*Node{loss}, grads...)
				p, err := Compile(o)
				if err != nil {
					t.Fatalf("%s: %v", use.name, err)
				}
				for _, n := range in {
					for i, x := 0, p.Tensor(n).Data(); i < len(x); i++ {
						x[i] = 1 + float32(i)
					}
				}
				for range 2 {
					p.Run(1)
				}
				for i, n := range o.Outputs {
					for _, v := range p.Tensor(n).Data() {
						if v != 0 {
							t.Fatalf("%v: %s: output %d is %v", level, use.name, i, v)
						}
					}
				}
				p.Work()
			}
		}
	}
}

// TestMeansOfNothingAreRefused: PyTorch returns NaN for the loss of no images, with a warning at most; here a graph that would compute it is refused.
func TestMeansOfNothingAreRefused(t *testing.T) {
	g := NewGraph()
	images, labels := g.Input("images", 0, 4, 4, 3), g.Input("labels", 0)
	logits := g.Input("logits", 0, 10)
	for name, build := range map[string]func(){
		"mean":               func() { Mean(images) },
		"mean over images":   func() { Mean(images, 0) },
		"mean squared error": func() { MeanSquaredError(logits, logits) },
		"cross entropy":      func() { CrossEntropy(logits, labels, 0) },
		"no classes":         func() { CrossEntropy(g.Input("x", 4, 0), g.Input("y", 4), 0) },
		"softmax of nothing": func() { Softmax(g.Input("x", 4, 0)) },
		"global average":     func() { GlobalAvgPool(g.Input("x", 2, 0, 4, 3)) },
		"max pool":           func() { MaxPool2D(g.Input("x", 2, 0, 4, 3), PoolOptions{Window: Both(2)}) },
		"batch statistics": func() {
			c := g.Variable("c", tensor.New(3))
			BatchNorm(images, c, c, g.Variable("mean", tensor.New(3)), g.Variable("variance", tensor.New(3)), BatchNormOptions{Training: true})
		},
	} {
		var shape *ShapeError
		if err := Build(func() error { build(); return nil }); !errors.As(err, &shape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
