package layers

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/tensor"
)

// constructions are misuses of constructors and modules; each of them panics with what autograd.Build returns.
func constructions() map[string]func() {
	root := func() Scope { return NewStore(1).Root() }
	pass := func() (*Pass, *autograd.Node) {
		p := &Pass{Graph: autograd.NewGraph(), Training: true}
		return p, p.Graph.Input("x", 2, 4, 4, 3)
	}
	forwards := func(m Module) func() { return func() { p, x := pass(); m.Forward(p, x) } }
	noNode := Func(func(*autograd.Node) *autograd.Node { return nil })
	cases := map[string]func(){
		"parameter in the zero scope":   func() { Scope{}.Param("w", Weight, Zeros, 3) },
		"key in the zero scope":         func() { Scope{}.Key("k") },
		"scope below the zero scope":    func() { Scope{}.Sub("a") },
		"choice in the zero scope":      func() { Scope{}.Choice("a", "b") },
		"width in the zero scope":       func() { Scope{}.Width(3) },
		"convolution in the zero scope": func() { NewConv2D(Scope{}, 3, 4, 3, ConvOptions{}) },
		"batch norm in the zero scope":  func() { NewBatchNorm(Scope{}, 3) },
		"linear in the zero scope":      func() { NewLinear(Scope{}, 3, 4) },
		"dropout in the zero scope":     func() { NewDropout(Scope{}, 0.5) },
		"no kind":                       func() { root().Param("w", Kind(9), Zeros, 3) },
		"gain NaN":                      func() { root().Param("w", Weight, KaimingNormal(FanIn, math.NaN()), 3, 3) },
		"gain Inf":                      func() { root().Param("w", Weight, XavierUniform(math.Inf(1)), 3, 3) },
		"parameter without init":        func() { root().Param("w", Weight, nil, 3) },
		"overflowing convolution":       func() { NewConv2D(root(), 1<<30, 1<<30, 3, ConvOptions{}) },
		"overflowing linear":            func() { NewLinear(root(), math.MaxInt, math.MaxInt) },
		"negative channels":             func() { NewConv2D(root(), -3, 4, 3, ConvOptions{}) },
		"no channels":                   func() { NewBatchNorm(root(), 0) },
		"negative kernel":               func() { NewConv2D(root(), 3, 4, -1, ConvOptions{}) },
		"negative stride":               func() { NewConv2D(root(), 3, 4, 3, ConvOptions{Stride: -1}) },
		"negative groups":               func() { NewConv2D(root(), 3, 4, 3, ConvOptions{Groups: -2}) },
		"groups that do not divide":     func() { NewConv2D(root(), 3, 4, 3, ConvOptions{Groups: 2}) },
		"dropout NaN":                   func() { NewDropout(root(), math.NaN()) },
		"drop-path of 1":                func() { NewDropPath(root(), 1) },
		"nil convolution":               forwards((*Conv2D)(nil)),
		"zero convolution":              forwards(&Conv2D{}),
		"nil linear":                    forwards((*Linear)(nil)),
		"zero linear":                   forwards(&Linear{}),
		"nil batch norm":                forwards((*BatchNorm)(nil)),
		"zero batch norm":               forwards(&BatchNorm{}),
		"nil dropout":                   forwards((*Dropout)(nil)),
		"nil drop-path":                 forwards((*DropPath)(nil)),
		"nil function":                  forwards(Func(nil)),
		"nil in a sequence":             forwards(Sequential{Identity{}, nil}),
		"no node in a sequence":         forwards(Sequential{noNode}),
		"residual without body":         forwards(Residual{}),
		"residual of no node":           forwards(Residual{Body: noNode}),
		"shortcut of no node":           forwards(Residual{Body: Identity{}, Shortcut: noNode}),
		"pooling without window":        forwards(MaxPool{}),
		"negative window":               forwards(AvgPool{Window: -2}),
		"nil node":                      func() { ReLU().Forward(&Pass{}, nil) },
		"flatten of nil":                func() { Flatten{}.Forward(&Pass{}, nil) },
		"flatten of a scalar":           func() { p, _ := pass(); Flatten{}.Forward(p, p.Graph.Input("s")) },
		"global pool of nil":            func() { GlobalAvgPool{}.Forward(&Pass{}, nil) },
		"nil parameter":                 func() { p, _ := pass(); p.Param(nil) },
		"zero parameter":                func() { p, _ := pass(); p.Param(&Parameter{}) },
		"nil pass":                      func() { NewBatchNorm(root(), 3).Forward(nil, nil) },
		"pass without a graph":          func() { (&Pass{}).Param(root().Param("w", Weight, Zeros, 3)) },
		"momentum 7": func() {
			p, x := pass()
			p.Momentum = 7
			NewBatchNorm(root(), 3).Forward(p, x)
		},
		"adopting nothing":      func() { NewSharedStore(1).Adopt("w", Weight, nil) },
		"block beyond a tensor": func() { CopyBlock(tensor.New(2, 2), tensor.New(2, 2), tensor.Shape{3, 1}) },
		"block of other rank":   func() { BlockRows(tensor.Shape{2, 2}, tensor.Shape{2}) },
		"nil gradient":          func() { NewGradNorm([]*tensor.Tensor{nil}, nil, nil) },
	}
	return cases
}

func TestMisuseOfModulesIsATypedError(t *testing.T) {
	for what, f := range constructions() {
		err := autograd.Build(func() error { f(); return nil })
		var misuse autograd.Misuse
		if !errors.As(err, &misuse) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestMisuseReachesTrainersAndPredictorsAsAnError: whatever a model does wrong, making a trainer or a predictor of it is an error.
func TestMisuseReachesTrainersAndPredictorsAsAnError(t *testing.T) {
	store := NewStore(1)
	other := NewLinear(NewStore(2).Root(), 3, 3)
	for what, m := range map[string]Module{
		"nil":            nil,
		"nil module":     Sequential{nil},
		"no node":        Func(func(*autograd.Node) *autograd.Node { return nil }),
		"zero linear":    Sequential{GlobalAvgPool{}, &Linear{}},
		"another graph":  Func(func(*autograd.Node) *autograd.Node { return autograd.NewGraph().Input("x", 4, 3) }),
		"another store":  Sequential{GlobalAvgPool{}, other},
		"too large":      moduleOf(func() Module { return NewLinear(store.Root(), 1<<40, 1<<40) }),
		"scalar":         Func(func(x *autograd.Node) *autograd.Node { return autograd.Sum(x) }),
		"negative slice": Func(func(x *autograd.Node) *autograd.Node { return autograd.Slice(x, []int{-1}, []int{0}) }),
	} {
		o := testOptions()
		if _, err := NewTrainer(m, store, o); err == nil {
			t.Errorf("trainer of %s: no error", what)
		}
		if _, err := NewPredictor(m, store, PredictorOptions{Input: testInput}); err == nil {
			t.Errorf("predictor of %s: no error", what)
		}
	}
	if _, err := NewTrainer(testNet(NewStore(4)), nil, testOptions()); err == nil {
		t.Error("a trainer of no store is no error")
	}
	if _, err := NewPredictor(testNet(NewStore(4)), nil, PredictorOptions{Input: testInput}); err == nil {
		t.Error("a predictor of no store is no error")
	}
}

// moduleOf makes a module in its forward pass.
type moduleOf func() Module

func (f moduleOf) Forward(p *Pass, x *autograd.Node) *autograd.Node { return f().Forward(p, x) }

// badNumbers are no share, rate or number of anything.
var badNumbers = []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -1e-300, 1e39}

// TestNumbersOutOfRangeAreOptionErrors: settings of optimisers, schedules, averages and trainers.
func TestNumbersOutOfRangeAreOptionErrors(t *testing.T) {
	params := []*Parameter{NewStore(1).Root().Param("w", Weight, Zeros, 4)}
	isOption := func(what string, err error) {
		t.Helper()
		var option *OptionError
		var construction *ConstructionError
		if !errors.As(err, &option) && !errors.As(err, &construction) {
			t.Errorf("%s: %v", what, err)
		}
	}
	trains := func(change func(o *TrainerOptions)) error {
		o := testOptions()
		change(&o)
		store := NewStore(4)
		_, err := NewTrainer(testNet(store), store, o)
		return err
	}
	for _, bad := range badNumbers {
		for what, rule := range map[string]Rule{
			"momentum": SGD{Momentum: bad}, "decay of sgd": SGD{WeightDecay: bad}, "beta1": AdamW{Beta1: bad}, "beta2": AdamW{Beta2: bad}, "epsilon": AdamW{Epsilon: bad},
			"decay of adamw": AdamW{WeightDecay: bad},
		} {
			_, err := rule.New(params, nil, nil)
			isOption(what, err)
			isOption(what, trains(func(o *TrainerOptions) { o.Optimizer = rule }))
		}
		for what, schedule := range map[string]Schedule{
			"constant": ConstantRate(bad), "cosine from": CosineRate(bad, 0), "cosine to": CosineRate(0.1, bad), "step": StepRate(bad, 0.1, 0.5), "factor": StepRate(0.1, bad, 0.5),
			"place": StepRate(0.1, 0.1, bad), "warmed up": WarmUp(3, ConstantRate(bad)), "own": func(int, int) float64 { return bad },
		} {
			isOption(what, trains(func(o *TrainerOptions) { o.Schedule = schedule }))
		}
		_, err := NewEMA(params, bad, nil, nil)
		isOption("average", err)
		isOption("average", trains(func(o *TrainerOptions) { o.EMADecay = bad }))
		isOption("clipping", trains(func(o *TrainerOptions) { o.ClipNorm = bad }))
		isOption("smoothing", trains(func(o *TrainerOptions) { o.LabelSmoothing = bad }))
	}
	isOption("warm-up of -5 steps", trains(func(o *TrainerOptions) { o.Schedule = WarmUp(-5, ConstantRate(0.1)) }))
	isOption("warm-up to nothing", trains(func(o *TrainerOptions) { o.Schedule = WarmUp(5, nil) }))
	isOption("beta that rounds to 1", trains(func(o *TrainerOptions) { o.Optimizer = AdamW{Beta2: 1 - 1e-12} }))
	isOption("epsilon that rounds to 0", trains(func(o *TrainerOptions) { o.Optimizer = AdamW{Epsilon: 1e-60} }))
	isOption("negative memory", trains(func(o *TrainerOptions) { o.MaxMemory = -1 }))
	for _, input := range []tensor.Shape{nil, {0, 6, 6, 2}, {12, 0, 6, 2}, {12, 6, 6, 0}, {-1, 6, 6, 2}, {1 << 31, 1 << 31, 1 << 31}} {
		isOption("batch "+input.String(), trains(func(o *TrainerOptions) { o.Input = input }))
		_, err := NewPredictor(testNet(NewStore(4)), NewStore(4), PredictorOptions{Input: input})
		isOption("batch "+input.String(), err)
	}
	for what, rule := range map[string]Rule{"sgd": SGD{}, "adamw": AdamW{}} {
		_, err := rule.New([]*Parameter{nil}, nil, nil)
		isOption(what+" of a nil parameter", err)
		optimizer, err := rule.New(params, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, grads := range map[string][]*tensor.Tensor{"none": nil, "nil": {nil}, "two": {tensor.New(4), tensor.New(4)}} {
			isOption(what+", gradients: "+name, autograd.Build(func() error { optimizer.Step(0.1, 1, grads); return nil }))
		}
	}
	path := filepath.Join(t.TempDir(), "weights")
	isOption("weights of no store", SaveWeights(path, nil, nil))
	_, err := LoadWeights(path, nil)
	isOption("weights for no store", err)
	if err := safetensors.WriteFile(path, []safetensors.Tensor{{Name: "nil"}}, nil); err == nil {
		t.Error("a tensor without a value is written")
	}
	_, err = NewEMA([]*Parameter{{}}, 0.9, nil, nil)
	isOption("average of the zero parameter", err)
}

// TestRatesThatTurnBadEndTheTraining: a schedule of the user's own is asked at every step, before anything is updated.
func TestRatesThatTurnBadEndTheTraining(t *testing.T) {
	o := testOptions()
	o.Schedule = func(step, _ int) float64 {
		if step == 2 {
			return math.NaN()
		}
		return 0.01
	}
	store := NewStore(4)
	tr, err := NewTrainer(testNet(store), store, o)
	if err != nil {
		t.Fatal(err)
	}
	fillBatch(tr.Images(), tr.Labels(), 1)
	for step := range 2 {
		if _, err := tr.Step(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
	}
	var option *OptionError
	if _, err := tr.Step(); !errors.As(err, &option) || tr.Steps() != 2 {
		t.Errorf("%v after %d steps", err, tr.Steps())
	}
	for _, p := range store.All() {
		for _, v := range p.Value.Data() {
			if v != v {
				t.Fatalf("%s holds NaN", p.Name)
			}
		}
	}
}

// TestLabelsThatAreNoClassesNameTheSample: a label between two classes is neither.
func TestLabelsThatAreNoClassesNameTheSample(t *testing.T) {
	store := NewStore(4)
	net := testNet(store)
	tr, err := NewTrainer(net, store, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPredictor(net, store, PredictorOptions{Input: testInput})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bad := range []float32{1.5, -1, testClasses, float32(math.NaN()), float32(math.Inf(1))} {
		fillBatch(tr.Images(), tr.Labels(), 1)
		at := rng.IntN(len(tr.Labels()))
		tr.Labels()[at] = bad
		var label *autograd.LabelError
		if _, err := tr.Step(); !errors.As(err, &label) || label.Sample != at {
			t.Errorf("step with label %g at %d: %v", bad, at, err)
		}
		if _, err := p.Score(tr.Labels(), len(tr.Labels())); !errors.As(err, &label) || label.Sample != at {
			t.Errorf("score with label %g at %d: %v", bad, at, err)
		}
	}
}

// TestTablesDefaultToTheActiveOne for whatever takes one.
func TestTablesDefaultToTheActiveOne(t *testing.T) {
	p := NewStore(1).Root().Param("w", Weight, Ones, 4)
	for _, rule := range []Rule{SGD{}, AdamW{}} {
		optimizer, err := rule.New([]*Parameter{p}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		optimizer.Step(0.5, 1, []*tensor.Tensor{tensor.Full(1, 4)})
	}
	if got := NewGradNorm([]*tensor.Tensor{tensor.Full(2, 4)}, nil, nil).Compute(); got != 4 {
		t.Errorf("the norm is %g", got)
	}
	threads := kernels.NewThreads(2)
	threads.Close()
	e, err := NewEMA([]*Parameter{p}, 0.5, nil, threads)
	if err != nil {
		t.Fatal(err)
	}
	e.Update()
}
