package autograd

import (
	"errors"
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// builders has a call of every function that adds a node, on the given node.
func builders(x *Node) map[string]func() {
	pool := PoolOptions{Window: Both(1)}
	return map[string]func(){
		"Activate": func() { ReLU(x) }, "Sigmoid": func() { Sigmoid(x) }, "Add": func() { Add(x, x) }, "Sub": func() { Sub(x, x) }, "Mul": func() { Mul(x, x) },
		"Div": func() { Div(x, x) }, "Bias": func() { Bias(x, x) }, "Broadcast": func() { Broadcast(x, 2) }, "Concat": func() { Concat(x) }, "Concat2": func() { Concat(x, x) },
		"Conv2D": func() { Conv2D(x, x, ConvOptions{}) }, "CrossEntropy": func() { CrossEntropy(x, x, 0) }, "Dropout": func() { Dropout(x, 0, 1) },
		"DropPath": func() { DropPath(x, 0.5, 1) }, "GlobalAvgPool": func() { GlobalAvgPool(x) }, "Linear": func() { Linear(x, x) }, "LogSoftmax": func() { LogSoftmax(x) },
		"MaxPool2D": func() { MaxPool2D(x, pool) }, "AvgPool2D": func() { AvgPool2D(x, pool) }, "Mean": func() { Mean(x) }, "MeanSquaredError": func() { MeanSquaredError(x, x) },
		"Pad": func() { Pad(x, nil, nil) }, "Reshape": func() { Reshape(x, 1) }, "Scale": func() { Scale(x, x) }, "Slice": func() { Slice(x, nil, nil) }, "Softmax": func() { Softmax(x) },
		"Split": func() { Split(x, 1) }, "StopGradient": func() { StopGradient(x) }, "Sum": func() { Sum(x, 0) }, "WeightedSum": func() { WeightedSum(x, x) },
		"BatchNorm":           func() { BatchNorm(x, x, x, x, x, BatchNormOptions{}) },
		"BatchNorm, training": func() { BatchNorm(x, x, x, x, x, BatchNormOptions{Training: true}) },
		"Summarize":           func() { Summarize(x) },
	}
}

// isMisuse fails unless building panics with a ShapeError, which Build returns.
func isMisuse(t *testing.T, what string, build func()) {
	t.Helper()
	var shape *ShapeError
	if err := Build(func() error { build(); return nil }); !errors.As(err, &shape) {
		t.Errorf("%s: %v, want a ShapeError", what, err)
	}
}

// TestNodesOfNoGraphAreMisuse: nil and the zero node.
func TestNodesOfNoGraphAreMisuse(t *testing.T) {
	for name, x := range map[string]*Node{"nil": nil, "the zero node": {}} {
		for f, build := range builders(x) {
			isMisuse(t, f+" of "+name, build)
		}
		var shape *ShapeError
		g := NewGraph()
		one := g.Input("x", 1)
		for what, call := range map[string]func() error{
			"Grad":              func() error { _, err := Grad(x, nil); return err },
			"Grad with respect": func() error { _, err := Grad(one, []*Node{x}); return err },
			"VJP":               func() error { _, err := VJP(x, one, nil); return err },
			"VJP of":            func() error { _, err := VJP(one, x, nil); return err },
			"Compile":           func() error { _, err := Compile(Options{Outputs: []*Node{one, x}}); return err },
			"Simplify":          func() error { _, err := Simplify(x); return err },
		} {
			if err := call(); !errors.As(err, &shape) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	isMisuse(t, "input of no graph", func() { (*Graph)(nil).Input("x", 1) })
	isMisuse(t, "variable of no graph", func() { (*Graph)(nil).Variable("x", tensor.New(1)) })
	isMisuse(t, "constant of no graph", func() { (*Graph)(nil).Constant(tensor.New(1)) })
	isMisuse(t, "variable of no tensor", func() { NewGraph().Variable("x", nil) })
	isMisuse(t, "constant of no tensor", func() { NewGraph().Constant(nil) })
	isMisuse(t, "variable of the zero tensor", func() { NewGraph().Variable("x", &tensor.Tensor{}) })
	if n := new(Graph).Variable("x", tensor.New(2)); !n.Shape().Equal(tensor.Shape{2}) {
		t.Errorf("the zero graph gives %v", n)
	}
	if _, err := Compile(Options{}); err == nil {
		t.Error("no outputs compile")
	}
	if s := Summarize(); s != (Summary{}) {
		t.Errorf("no outputs have the cost %+v", s)
	}
}

// TestNodesOfTwoGraphsAreMisuse gives every function with several inputs nodes of two graphs.
func TestNodesOfTwoGraphsAreMisuse(t *testing.T) {
	a, b := NewGraph().Input("a", 4, 4), NewGraph().Input("b", 4, 4)
	image, kernel := NewGraph().Input("image", 1, 4, 4, 4), NewGraph().Input("kernel", 1, 1, 4, 4)
	row, one := NewGraph().Input("row", 4), NewGraph().Input("one", 1)
	for what, build := range map[string]func(){
		"Add": func() { Add(a, b) }, "Mul, stretched": func() { Mul(a, row) }, "Bias": func() { Bias(a, row) }, "Concat": func() { Concat(a, b) },
		"Conv2D": func() { Conv2D(image, kernel, ConvOptions{}) }, "CrossEntropy": func() { CrossEntropy(a, row, 0) }, "Linear": func() { Linear(a, b) },
		"MeanSquaredError": func() { MeanSquaredError(a, b) }, "Scale": func() { Scale(a, one) }, "WeightedSum": func() { WeightedSum(one, a) },
		"BatchNorm": func() { BatchNorm(a, row, row, row, row, BatchNormOptions{}) }, "Summarize": func() { Summarize(a, b) },
	} {
		isMisuse(t, what, build)
	}
	var shape *ShapeError
	for what, call := range map[string]func() error{
		"Grad":     func() error { _, err := Grad(one, []*Node{a}); return err },
		"VJP":      func() error { _, err := VJP(a, b, []*Node{a}); return err },
		"Compile":  func() error { _, err := Compile(Options{Outputs: []*Node{a, b}}); return err },
		"Simplify": func() error { _, err := Simplify(a, b); return err },
	} {
		if err := call(); !errors.As(err, &shape) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAttributesOutOfRangeAreMisuse tries numbers that no operation can have: negative, huge, not a number.
func TestAttributesOutOfRangeAreMisuse(t *testing.T) {
	g := NewGraph()
	x, v := g.Input("x", 2, 4, 4, 3), g.Input("v", 3)
	w := g.Input("w", 3, 3, 3, 2)
	variable := func() *Node { return g.Variable("c", tensor.New(3)) }
	nan, inf := nan32(), inf32()
	norm := func(o BatchNormOptions) func() {
		return func() { BatchNorm(x, v, v, variable(), variable(), o) }
	}
	cases := map[string]func(){
		"momentum and epsilon": norm(BatchNormOptions{Momentum: 7, Epsilon: -3}),
		"momentum":             norm(BatchNormOptions{Momentum: -0.1}), "momentum NaN": norm(BatchNormOptions{Training: true, Momentum: nan}),
		"epsilon": norm(BatchNormOptions{Epsilon: -1e-9}), "epsilon NaN": norm(BatchNormOptions{Epsilon: nan}), "epsilon Inf": norm(BatchNormOptions{Epsilon: inf}),
		"statistics that are inputs":              func() { BatchNorm(x, v, v, v, v, BatchNormOptions{}) },
		"statistics that are inputs, training":    func() { BatchNorm(x, v, v, v, v, BatchNormOptions{Training: true}) },
		"statistics that are constants, training": func() { c := g.Constant(tensor.New(3)); BatchNorm(x, v, v, c, c, BatchNormOptions{Training: true}) },
		"statistics that are computed":            func() { c := Exp(v); BatchNorm(x, v, v, c, c, BatchNormOptions{}) },
		"activation -1":                           func() { Activate(x, -1) }, "activation 99": func() { Activate(x, kernels.NumActivations) },
		"negative input":     func() { g.Input("x", 2, -1) },
		"overflowing input":  func() { g.Input("x", 1<<31, 1<<31, 4) },
		"smoothing NaN":      func() { CrossEntropy(g.Input("x", 2, 3), g.Input("l", 2), nan) },
		"smoothing 1":        func() { CrossEntropy(g.Input("x", 2, 3), g.Input("l", 2), 1) },
		"dropout NaN":        func() { Dropout(x, nan, 1) },
		"drop path of 1":     func() { DropPath(x, 1, 1) },
		"reduce over axis 9": func() { Sum(x, 9) }, "reduce over axis -1": func() { Mean(x, -1) }, "reduce twice": func() { Sum(x, 1, 1) },
		"reshape to negative": func() { Reshape(x, -2, -48) }, "reshape with two open": func() { Reshape(x, -1, -1) }, "reshape, overflowing": func() { Reshape(x, 1<<32, 1<<32) },
		"pad negative": func() { Pad(v, []int{-1}, []int{0}) }, "pad, overflowing": func() { Pad(v, []int{math.MaxInt - 1}, []int{5}) },
		"slice outside": func() { Slice(v, []int{2}, []int{9}) }, "slice backwards": func() { Slice(v, []int{2}, []int{1}) },
		"split negative": func() { Split(v, 5, -2) }, "broadcast negative": func() { Broadcast(g.Input("x", 1), -4) },
		"broadcast, overflowing": func() { Broadcast(g.Input("x", 1), 1<<40, 1<<40) },
	}
	for _, bad := range []int{-1, math.MinInt, math.MaxInt, 1 << 40} {
		for what, o := range map[string]ConvOptions{"stride": {Stride: Both(bad)}, "padding": {Padding: Both(bad)}, "dilation": {Dilation: HW{1, bad}}, "groups": {Groups: bad}} {
			cases[what+" of a convolution"] = func() { Conv2D(x, w, o) }
		}
		for what, o := range map[string]PoolOptions{"window": {Window: Both(bad)}, "stride": {Window: Both(2), Stride: HW{bad, 1}}, "padding": {Window: Both(2), Padding: Both(bad)}} {
			cases[what+" of a pooling"] = func() { MaxPool2D(x, o) }
		}
		for what, build := range cases {
			isMisuse(t, what, build)
		}
	}
	isMisuse(t, "a kernel beyond all images", func() {
		Conv2D(g.Input("x", 1, 4, 4, 1), g.Input("w", 1<<44, 1, 1, 1), ConvOptions{Dilation: Both(1 << 20)})
	})
}

// TestClosedThreadsLeaveTheWorkToTheCaller: a program may run on after its threads were closed.
func TestClosedThreadsLeaveTheWorkToTheCaller(t *testing.T) {
	threads := kernels.NewThreads(3)
	g := NewGraph()
	x := g.Input("x", 300000)
	y := Sum(ReLU(x))
	p, err := Compile(Options{Outputs: []*Node{y}, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Tensor(x).Data() {
		p.Tensor(x).Data()[i] = 1
	}
	threads.Close()
	p.Run(0)
	if got := p.Tensor(y).Data()[0]; got != 300000 {
		t.Errorf("the sum is %v", got)
	}
}
