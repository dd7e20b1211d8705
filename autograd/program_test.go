package autograd

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

func compile(t *testing.T, outputs ...*Node) *Program {
	t.Helper()
	p, err := Compile(Options{Outputs: outputs})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever the plan reuses, the values are those of a program in which every node is an output, and so keeps
// its own memory.
func TestMemoryReuseDoesNotChangeValues(t *testing.T) {
	eachCase(t, func(t *testing.T, c Case) {
		in := newInstance(t, c, Options{Unfused: true})
		all, err := Compile(Options{Outputs: in.both.Nodes(), Seed: 5, Unfused: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range append(in.inputs, in.weights) {
			if v := in.both.Tensor(n); v != nil {
				all.Tensor(n).CopyFrom(v)
			}
		}
		in.both.Run(3)
		all.Run(3)
		if in.both.ArenaBytes() > all.ArenaBytes() {
			t.Errorf("planning takes %d bytes, keeping everything %d", in.both.ArenaBytes(), all.ArenaBytes())
		}
		for _, n := range append([]*Node{in.out, in.loss}, in.grads...) {
			a, b := in.both.Tensor(n).Data(), all.Tensor(n).Data()
			for i := range a {
				if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
					t.Fatalf("%v element %d: %v, without reuse %v", n, i, a[i], b[i])
				}
			}
		}
	})
}

func TestBatchNormMovesRunningStatistics(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 4, 2)
	mean, variance := tensor.New(2), tensor.Full(1, 2)
	one, zero := g.Variable("gamma", tensor.Full(1, 2)), g.Variable("beta", tensor.New(2))
	y := BatchNorm(x, one, zero, g.Variable("mean", mean), g.Variable("var", variance), BatchNormOptions{Training: true, Momentum: 0.5})
	p := compile(t, y)
	copy(p.Tensor(x).Data(), []float32{1, 10, 2, 10, 3, 10, 6, 10})
	p.Run(0)
	// Channel 0: mean 3, unbiased variance 14/3; channel 1: mean 10, variance 0.
	want := []float32{1.5, 5, 0.5 + 7.0/3, 0.5}
	for i, got := range append(append([]float32(nil), mean.Data()...), variance.Data()...) {
		if math.Abs(float64(got-want[i])) > 1e-6 {
			t.Errorf("statistic %d is %v, want %v", i, got, want[i])
		}
	}
	if y := p.Tensor(y).At(0, 1); y != 0 {
		t.Errorf("a channel without variance gives %v, want 0", y)
	}
}

func TestInferenceLeavesRunningStatisticsAlone(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 2, 1)
	mean := g.Variable("mean", tensor.Full(3, 1))
	v := g.Variable("var", tensor.Full(4, 1))
	p := compile(t, BatchNorm(x, v, mean, mean, v, BatchNormOptions{}))
	copy(p.Tensor(x).Data(), []float32{1, 2})
	p.Run(0)
	if mean.value.At(0) != 3 || v.value.At(0) != 4 {
		t.Error("the statistics moved")
	}
}

func TestUnneededEffectsDoNotRun(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 4, 2)
	mean := g.Variable("mean", tensor.New(2))
	BatchNorm(x, mean, mean, mean, g.Variable("var", tensor.New(2)), BatchNormOptions{Training: true})
	p := compile(t, ReLU(x))
	if n := len(p.Nodes()); n != 2 {
		t.Errorf("%d nodes run, want the input and its ReLU", n)
	}
}

func TestDropoutIsAFunctionOfSeedKeyAndStep(t *testing.T) {
	const n = 10000
	run := func(seed, key, step uint64, p float32) []float32 {
		g := NewGraph()
		x := g.Input("x", n)
		y := Dropout(x, p, key)
		prog, err := Compile(Options{Outputs: []*Node{y}, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for i := range prog.Tensor(x).Data() {
			prog.Tensor(x).Data()[i] = 1
		}
		prog.Run(step)
		return append([]float32(nil), prog.Tensor(y).Data()...)
	}
	differ := func(a, b []float32) (d int) {
		for i := range a {
			if a[i] != b[i] {
				d++
			}
		}
		return d
	}
	base := run(1, 1, 1, 0.25)
	kept := 0
	for _, v := range base {
		switch v {
		case 0:
		case float32(1) / 0.75:
			kept++
		default:
			t.Fatalf("value %v", v)
		}
	}
	// Five standard deviations of a binomial count.
	if dev := math.Abs(float64(kept) - 0.75*n); dev > 5*math.Sqrt(n*0.75*0.25) {
		t.Errorf("%d of %d kept with probability 0.75", kept, n)
	}
	if differ(base, run(1, 1, 1, 0.25)) != 0 {
		t.Error("the same seed, key and step give another mask")
	}
	for name, other := range map[string][]float32{"seed": run(2, 1, 1, 0.25), "key": run(1, 2, 1, 0.25), "step": run(1, 1, 2, 0.25)} {
		if d := differ(base, other); d < n/4 {
			t.Errorf("another %s changes only %d of %d", name, d, n)
		}
	}
}

func TestDropPathDropsWholeImages(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 64, 3, 5)
	y := DropPath(x, 0.5, 1)
	p := compile(t, y)
	for i := range p.Tensor(x).Data() {
		p.Tensor(x).Data()[i] = 1
	}
	p.Run(1)
	kept := 0
	for i := range 64 {
		image := p.Tensor(y).Slice(i, i+1).Data()
		for _, v := range image {
			if v != image[0] {
				t.Fatalf("image %d is dropped in part", i)
			}
		}
		if image[0] == 2 {
			kept++
		}
	}
	if kept < 12 || kept > 52 {
		t.Errorf("%d of 64 images kept with probability 0.5", kept)
	}
}

func TestSameVariableIsOneNode(t *testing.T) {
	g := NewGraph()
	w := tensor.New(2)
	first := g.Variable("w", w)
	if second := g.Variable("w", w); second != first {
		t.Error("two nodes for one tensor")
	}
}

func TestGradientsAddUpWhereAValueIsUsedTwice(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 3)
	y := Sum(Add(Mul(x, x), Mul(x, x)))
	grads, err := Grad(y, []*Node{x})
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, grads[0])
	copy(p.Tensor(x).Data(), []float32{1, -2, 3})
	p.Run(0)
	for i, want := range []float32{4, -8, 12} {
		if got := p.Tensor(grads[0]).At(i); got != want {
			t.Errorf("element %d: %v, want %v", i, got, want)
		}
	}
}

func TestGradOfIndependentNodesIsNil(t *testing.T) {
	g := NewGraph()
	x, y := g.Input("x", 3), g.Input("y", 3)
	grads, err := Grad(Sum(Add(x, StopGradient(y))), []*Node{x, y, g.Input("z", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if grads[0] == nil || grads[1] != nil || grads[2] != nil {
		t.Errorf("%v", grads)
	}
}

func TestSecondDerivativeOfConvolutionLoss(t *testing.T) {
	// loss = |x*w|^2 for a 1x1 convolution of one channel: the second derivative for w is 2*sum(x^2).
	g := NewGraph()
	x, w := g.Input("x", 1, 2, 2, 1), g.Input("w", 1, 1, 1, 1)
	y := Conv2D(x, w, ConvOptions{})
	first, err := Grad(Sum(Mul(y, y)), []*Node{w})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Grad(Sum(first[0]), []*Node{w})
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, second[0])
	copy(p.Tensor(x).Data(), []float32{1, 2, 3, 4})
	p.Run(0)
	if got := p.Tensor(second[0]).Data()[0]; got != 60 {
		t.Errorf("second derivative %v, want 60", got)
	}
}

func TestMisuseIsAShapeErrorThatNamesTheOperation(t *testing.T) {
	g := NewGraph()
	image, matrix, vector := g.Input("image", 2, 8, 8, 3), g.Input("matrix", 4, 5), g.Input("vector", 7)
	w := g.Input("w", 3, 3, 4, 8)
	for name, build := range map[string]func() *Node{
		"conv2d":             func() *Node { return Conv2D(image, w, ConvOptions{}) },
		"conv2d far":         func() *Node { return Conv2D(image, image, ConvOptions{Dilation: Both(math.MaxInt)}) },
		"linear":             func() *Node { return Linear(matrix, matrix) },
		"bias":               func() *Node { return Bias(matrix, vector) },
		"max_pool2d":         func() *Node { return MaxPool2D(image, PoolOptions{Window: Both(3), Padding: Both(3)}) },
		"avg_pool2d":         func() *Node { return AvgPool2D(image, PoolOptions{Window: Both(20)}) },
		"add":                func() *Node { return Add(matrix, vector) },
		"concat":             func() *Node { return Concat(matrix, vector) },
		"split":              func() *Node { return Split(matrix, 1, 1)[0] },
		"slice":              func() *Node { return Slice(vector, []int{3}, []int{9}) },
		"pad":                func() *Node { return Pad(vector, []int{-1}, []int{0}) },
		"reshape":            func() *Node { return Reshape(matrix, 3, -1) },
		"sum":                func() *Node { return Sum(matrix, 2) },
		"mean":               func() *Node { return Mean(matrix, 1, 1) },
		"cross_entropy":      func() *Node { return CrossEntropy(matrix, vector, 0) },
		"mean_squared_error": func() *Node { return MeanSquaredError(matrix, vector) },
		"dropout":            func() *Node { return Dropout(matrix, 1, 0) },
		"drop_path":          func() *Node { return DropPath(vector, 0.5, 0) },
		"weighted_sum":       func() *Node { return WeightedSum(vector, matrix) },
		"scale":              func() *Node { return Scale(matrix, vector) },
		"batch_norm":         func() *Node { return BatchNorm(matrix, vector, vector, vector, vector, BatchNormOptions{}) },
		"input":              func() *Node { return g.Input("", -1) },
		"global_avg_pool":    func() *Node { return GlobalAvgPool(matrix) },
	} {
		t.Run(name, func(t *testing.T) {
			err := Build(func() error { build(); return nil })
			var shape *ShapeError
			if !errors.As(err, &shape) || !strings.HasPrefix(shape.Op, strings.Fields(name)[0]) {
				t.Fatalf("got %v, want a ShapeError of %s", err, name)
			}
		})
	}
}

func TestCompileRefusesWhatItCannotRun(t *testing.T) {
	a, b := NewGraph().Input("a", 1), NewGraph().Input("b", 1)
	for name, outputs := range map[string][]*Node{"no outputs": nil, "nil": {nil}, "two graphs": {a, b}} {
		if _, err := Compile(Options{Outputs: outputs}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPlansBeyondTheMemoryLimitAreRefusedBeforeTheyAreMade(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 1<<20, 1<<10, 1<<8) // 2^40 bytes
	_, err := Compile(Options{Outputs: []*Node{ReLU(x)}, MaxBytes: 1 << 30})
	var memory *MemoryError
	if !errors.As(err, &memory) || memory.Need != 2<<40 || memory.Limit != 1<<30 {
		t.Fatalf("got %v", err)
	}
	y := g.Input("y", 16)
	if _, err := Compile(Options{Outputs: []*Node{ReLU(y)}, MaxBytes: 128}); err != nil {
		t.Errorf("a plan of just the limit: %v", err)
	}
}

// Without a limit that of the machine holds, also where sums of sizes would overflow.
func TestPlansBeyondTheMachineAreRefused(t *testing.T) {
	for _, dims := range [][]int{{1 << 20, 1 << 10, 1 << 12}, {1 << 60}} {
		g := NewGraph()
		x := g.Input("x", dims...)
		y := Add(Add(x, x), Mul(x, x))
		_, err := Compile(Options{Outputs: []*Node{y}})
		var memory *MemoryError
		if !errors.As(err, &memory) || memory.Need < 4<<42 || memory.Limit <= 0 {
			t.Errorf("%v: got %v", dims, err)
		}
	}
}

// The scratch memory of every thread is a part of what is planned.
func TestScratchMemoryCountsForEveryThread(t *testing.T) {
	threads := kernels.NewThreads(8)
	defer threads.Close()
	g := NewGraph()
	y := Conv2D(g.Input("x", 1, 8, 8, 64), g.Variable("w", tensor.New(3, 3, 64, 64)), ConvOptions{Padding: Both(1)})
	o := Options{Outputs: []*Node{y}, Threads: threads}
	p := compileWith(t, o)
	need := p.ArenaBytes() + inputBytes(p.Nodes()) + p.ScratchBytes()
	if one := compile(t, y).ScratchBytes(); one == 0 || p.ScratchBytes() != 8*one {
		t.Fatalf("%d bytes of scratch memory for 8 threads, %d for one", p.ScratchBytes(), one)
	}
	o.MaxBytes = need
	compileWith(t, o)
	o.MaxBytes = need - 1
	_, err := Compile(o)
	var memory *MemoryError
	if !errors.As(err, &memory) || memory.Need != need || memory.Limit != need-1 {
		t.Errorf("of %d bytes: %v", need, err)
	}
}

// A deep chain needs memory for two values, not for all of them.
func TestArenaOfAChainDoesNotGrowWithDepth(t *testing.T) {
	size := func(depth int) int64 {
		g := NewGraph()
		x := g.Input("x", 1, 8, 8, 4)
		w := g.Input("w", 3, 3, 4, 4)
		for range depth {
			x = ReLU(Conv2D(x, w, ConvOptions{Padding: Both(1)}))
		}
		return compile(t, x).ArenaBytes()
	}
	if a, b := size(2), size(50); a != b {
		t.Errorf("2 layers take %d bytes, 50 take %d", a, b)
	}
}

func TestSummaryOfASmallNetwork(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 1, 8, 8, 3)
	y := Conv2D(x, g.Variable("w", tensor.New(3, 3, 3, 4)), ConvOptions{Padding: Both(1)})
	one := g.Variable("gamma", tensor.New(4))
	y = ReLU(BatchNorm(y, one, g.Variable("beta", tensor.New(4)), g.Variable("mean", tensor.New(4)), g.Variable("var", tensor.New(4)), BatchNormOptions{}))
	y = MaxPool2D(y, PoolOptions{Window: Both(2)})
	y = Bias(Linear(Reshape(y, 1, -1), g.Variable("head", tensor.New(64, 10))), g.Variable("b", tensor.New(10)))
	s := Summarize(y)
	macs := int64(64*27*4 + 640)
	want := Summary{
		MACs: macs, FLOPs: 2*macs + 2*256 + 256 + 3*64 + 10,
		Params: 108 + 8 + 640 + 10, ActivationBytes: 4 * (3*256 + 64 + 10 + 10), Bytes: s.Bytes,
	}
	if s != want {
		t.Errorf("\n got %+v\nwant %+v", s, want)
	}
	// Inputs and outputs of each operation once.
	if bytes := int64(4 * ((192 + 108 + 256) + (256 + 16 + 256) + (256 + 256) + (256 + 64) + (64 + 640 + 10) + 30)); s.Bytes != bytes {
		t.Errorf("%d bytes, want %d", s.Bytes, bytes)
	}
}

func BenchmarkCompile(b *testing.B) {
	g := NewGraph()
	x := g.Input("x", 8, 8, 8, 4)
	w := g.Variable("w", tensor.New(3, 3, 4, 4))
	for range 20 {
		x = ReLU(Conv2D(x, w, ConvOptions{Padding: Both(1)}))
	}
	grads, err := Grad(Sum(x), []*Node{w})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := Compile(Options{Outputs: grads})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(p.Nodes())), "nodes")
	}
}

func BenchmarkTrainingStep(b *testing.B) {
	const n = 64
	g := NewGraph()
	rng := stream.New(1, "bench")
	x, labels := g.Input("x", n, 28, 28, 1), g.Input("labels", n)
	var params []*Node
	variable := func(dims ...int) *Node {
		t := tensor.New(dims...)
		fill(t.Data(), CaseInput{}, rng)
		v := g.Variable("w", t)
		params = append(params, v)
		return v
	}
	y := MaxPool2D(ReLU(Conv2D(x, variable(3, 3, 1, 16), ConvOptions{Padding: Both(1)})), PoolOptions{Window: Both(2)})
	y = MaxPool2D(ReLU(Conv2D(y, variable(3, 3, 16, 32), ConvOptions{Padding: Both(1)})), PoolOptions{Window: Both(2)})
	loss := CrossEntropy(Linear(Reshape(y, n, -1), variable(1568, 10)), labels, 0)
	grads, err := Grad(loss, params)
	if err != nil {
		b.Fatal(err)
	}
	p, err := Compile(Options{Outputs: append(grads, loss)})
	if err != nil {
		b.Fatal(err)
	}
	fill(p.Tensor(x).Data(), CaseInput{}, rng)
	b.ReportAllocs()
	for b.Loop() {
		p.Run(0)
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(n/seconds, "img/s")
	b.ReportMetric(float64(p.Work().FLOPs)/seconds/1e9, "GFLOP/s")
}
