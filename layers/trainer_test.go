package layers

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

const testClasses = 3

var testInput = tensor.Shape{12, 6, 6, 2}

// testNet has every kind of module: convolutions with and without groups, batch norm, pools, dropout, a
// residual with drop-path.
func testNet(store *Store) Module {
	s := store.Root()
	block := s.Sub("block")
	return Sequential{
		NewConv2D(s.Sub("stem"), 2, 8, 3, ConvOptions{Padding: 1, NoBias: true}),
		NewBatchNorm(s.Sub("norm"), 8),
		ReLU(),
		MaxPool{Window: 2},
		Residual{
			Body: Sequential{
				NewConv2D(block.Sub("depthwise"), 8, 8, 3, ConvOptions{Padding: 1, Groups: 8}),
				SiLU(),
				NewDropPath(block, 0.2),
			},
		},
		NewDropout(s, 0.1),
		NewLinear(s.Sub("mix"), 8, 12),
		HardSwish(),
		AvgPool{Window: 3, Stride: 2, Padding: 1},
		Flatten{},
		NewLinear(s.Sub("head"), 2*2*12, testClasses),
	}
}

func testOptions() TrainerOptions {
	return TrainerOptions{
		Input: testInput, Classes: testClasses, Steps: 60,
		Optimizer: SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-3},
		Schedule:  WarmUp(5, CosineRate(0.05, 0)),
		ClipNorm:  2, EMADecay: 0.9, LabelSmoothing: 0.05, Seed: 21,
	}
}

func newTrainer(t testing.TB, o TrainerOptions) (*Trainer, Module, *Store) {
	t.Helper()
	store := NewStore(4)
	model := testNet(store)
	tr, err := NewTrainer(model, store, o)
	if err != nil {
		t.Fatal(err)
	}
	return tr, model, store
}

// fillBatch makes batch b of a task that can be learnt: the class decides which third of
// the rows is bright, under noise.
func fillBatch(images, labels []float32, b int) {
	r := stream.New(8, "batch", uint64(b))
	pixels := len(images) / len(labels)
	for i := range labels {
		class := r.IntN(testClasses)
		labels[i] = float32(class)
		for j := range pixels {
			v := 0.5 * r.NormFloat64()
			if j*testClasses/pixels == class {
				v++
			}
			images[i*pixels+j] = float32(v)
		}
	}
}

func train(t testing.TB, tr *Trainer, steps int) []float64 {
	t.Helper()
	var losses []float64
	for range steps {
		fillBatch(tr.Images(), tr.Labels(), tr.Steps())
		loss, err := tr.Step()
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	return losses
}

// bits returns everything that a trainer would keep in a checkpoint.
func bits(tr *Trainer) map[string][]uint32 {
	out := map[string][]uint32{}
	for _, x := range tr.tensors() {
		for _, v := range x.Value.Data() {
			out[x.Name] = append(out[x.Name], math.Float32bits(v))
		}
	}
	return out
}

func requireSameBits(t *testing.T, got, want map[string][]uint32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for name := range want {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestTrainingLearnsAndAveragesPredict(t *testing.T) {
	tr, model, store := newTrainer(t, testOptions())
	p, err := NewPredictor(model, store, PredictorOptions{Input: tensor.Shape{50, 6, 6, 2}})
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]float32, 50)
	score := func() Score {
		fillBatch(p.Images(), labels, 1000)
		s, err := p.Score(labels, 50)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := score()
	losses := train(t, tr, 60)
	after := score()
	if before.Accuracy() > 0.7 || after.Accuracy() < 0.9 || after.Loss() > before.Loss()/2 {
		t.Errorf("accuracy %.2f and loss %.3f before, %.2f and %.3f after", before.Accuracy(), before.Loss(), after.Accuracy(), after.Loss())
	}
	if losses[59] > losses[0]/2 {
		t.Errorf("training loss %g at first, %g at last", losses[0], losses[59])
	}
	raw := bits(tr)
	err = tr.Averaged(func() error {
		averaged := score()
		if averaged == after {
			t.Error("averaged parameters give the very same score")
		}
		if averaged.Accuracy() < 0.9 {
			t.Errorf("accuracy of the averages %.2f", averaged.Accuracy())
		}
		if _, err := tr.Step(); err == nil {
			t.Error("a step while the averages are in use is not an error")
		}
		return errors.New("passed on")
	})
	if err == nil || err.Error() != "passed on" {
		t.Errorf("Averaged returns %v", err)
	}
	requireSameBits(t, bits(tr), raw)
}

func TestThreadsDoNotChangeTheTraining(t *testing.T) {
	var want map[string][]uint32
	withThreads(t, func(threads *kernels.Threads) {
		o := testOptions()
		o.Threads = threads
		tr, _, _ := newTrainer(t, o)
		train(t, tr, 4)
		if want == nil {
			want = bits(tr)
		}
		requireSameBits(t, bits(tr), want)
	})
}

func TestStepAndPredictionAllocateNothing(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	for _, rule := range []Rule{SGD{Momentum: 0.9}, AdamW{}} {
		o := testOptions()
		o.Optimizer, o.Threads = rule, threads
		tr, model, store := newTrainer(t, o)
		fillBatch(tr.Images(), tr.Labels(), 0)
		if n := testing.AllocsPerRun(5, func() {
			if _, err := tr.Step(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: a step allocates %v times", rule, n)
		}
		p, err := NewPredictor(model, store, PredictorOptions{Input: testInput, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() {
			if _, err := p.Score(tr.Labels(), 12); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("a score allocates %v times", n)
		}
	}
}

// unusedNet keeps a parameter out of the loss, and one behind a stopped gradient.
type unusedNet struct{ used, stopped, unused *Linear }

func (n unusedNet) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	x = Flatten{}.Forward(p, x)
	return autograd.Add(n.used.Forward(p, x), autograd.StopGradient(n.stopped.Forward(p, x)))
}

func TestParametersWithoutInfluenceAreLeftAlone(t *testing.T) {
	store := NewStore(1)
	s := store.Root()
	net := unusedNet{NewLinear(s.Sub("used"), 72, 3), NewLinear(s.Sub("stopped"), 72, 3), NewLinear(s.Sub("unused"), 72, 3)}
	before := map[string][]float32{}
	for _, p := range store.All() {
		before[p.Name] = slices.Clone(p.Value.Data())
	}
	tr, err := NewTrainer(net, store, testOptions()) // with weight decay, which must not apply either
	if err != nil {
		t.Fatal(err)
	}
	train(t, tr, 3)
	for _, p := range store.All() {
		if changed := !slices.Equal(p.Value.Data(), before[p.Name]); changed != strings.HasPrefix(p.Name, "used.") {
			t.Errorf("%s: changed %t", p.Name, changed)
		}
	}
}

func TestClippingLimitsTheStep(t *testing.T) {
	// Plain descent at rate 1: the change of the parameters is the clipped gradient.
	change := func(clip float64) float64 {
		o := testOptions()
		o.Optimizer, o.Schedule, o.ClipNorm = SGD{}, ConstantRate(1), clip
		tr, _, store := newTrainer(t, o)
		var before [][]float32
		for _, p := range store.Trainable() {
			before = append(before, slices.Clone(p.Value.Data()))
		}
		train(t, tr, 1)
		sum := 0.0
		for i, p := range store.Trainable() {
			for j, v := range p.Value.Data() {
				d := float64(v) - float64(before[i][j])
				sum += d * d
			}
		}
		return math.Sqrt(sum)
	}
	free := change(0)
	if clipped := change(free / 4); math.Abs(clipped/(free/4)-1) > 1e-3 {
		t.Errorf("clipped to %g, the step has norm %g", free/4, clipped)
	}
	if loose := change(2 * free); math.Abs(loose/free-1) > 1e-6 {
		t.Errorf("a limit of twice the norm %g changes the step to %g", free, loose)
	}
}

func TestDivergenceIsATypedErrorAndUpdatesNothing(t *testing.T) {
	for _, clip := range []float64{0, 1} {
		o := testOptions()
		o.ClipNorm = clip
		tr, _, store := newTrainer(t, o)
		train(t, tr, 2)
		weight := store.Lookup("head.weight").Value.Data()
		before := slices.Clone(weight)
		fillBatch(tr.Images(), tr.Labels(), 2)
		tr.Images()[0] = float32(math.NaN())
		loss, err := tr.Step()
		var diverged *DivergedError
		if !errors.As(err, &diverged) || diverged.Step != 2 || !math.IsNaN(diverged.Loss) || !math.IsNaN(loss) {
			t.Errorf("loss %g, error %v", loss, err)
		}
		if !slices.Equal(weight, before) || tr.Steps() != 2 {
			t.Errorf("the step was counted (%d) or changed the parameters", tr.Steps())
		}
	}
}

func TestLabelsThatAreNoClassAreErrors(t *testing.T) {
	tr, model, store := newTrainer(t, testOptions())
	p, err := NewPredictor(model, store, PredictorOptions{Input: testInput})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float32{-1, 3, 0.5, float32(math.NaN()), float32(math.Inf(1))} {
		fillBatch(tr.Images(), tr.Labels(), 0)
		tr.Labels()[4] = bad
		if _, err := tr.Step(); err == nil || !strings.Contains(err.Error(), "label 4") {
			t.Errorf("step with label %g: error %v", bad, err)
		}
		if _, err := p.Score(tr.Labels(), 12); err == nil || !strings.Contains(err.Error(), "label 4") {
			t.Errorf("score with label %g: error %v", bad, err)
		}
	}
	if _, err := p.Score(tr.Labels(), 13); err == nil {
		t.Error("more rows than the batch has are not an error")
	}
}

func TestBadTrainerOptionsAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(o *TrainerOptions)
		want   string
	}{
		"no batch":            {func(o *TrainerOptions) { o.Input = nil }, "batch shape"},
		"empty batch":         {func(o *TrainerOptions) { o.Input = tensor.Shape{0, 6, 6, 2} }, "not positive"},
		"no classes":          {func(o *TrainerOptions) { o.Classes = 0 }, "0 classes"},
		"other classes":       {func(o *TrainerOptions) { o.Classes = 4 }, "the model gives 12x3"},
		"other channels":      {func(o *TrainerOptions) { o.Input = tensor.Shape{12, 6, 6, 3} }, "conv2d"},
		"no optimizer":        {func(o *TrainerOptions) { o.Optimizer = nil }, "no optimizer"},
		"bad optimizer":       {func(o *TrainerOptions) { o.Optimizer = SGD{Momentum: 2} }, "momentum 2"},
		"no schedule":         {func(o *TrainerOptions) { o.Schedule = nil }, "no schedule"},
		"no steps":            {func(o *TrainerOptions) { o.Steps = 0 }, "0 steps"},
		"label smoothing":     {func(o *TrainerOptions) { o.LabelSmoothing = 1 }, "label smoothing 1"},
		"clipping norm":       {func(o *TrainerOptions) { o.ClipNorm = math.NaN() }, "clipping norm NaN"},
		"averages that stand": {func(o *TrainerOptions) { o.EMADecay = 1 }, "decay 1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			tc.change(&o)
			store := NewStore(4)
			if _, err := NewTrainer(testNet(store), store, o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestModelThatIgnoresItsImagesIsAnError(t *testing.T) {
	store := NewStore(1)
	w := store.Root().Param("w", Weight, Ones, testInput[0], testClasses)
	fixed := fixedNet{w}
	if _, err := NewTrainer(fixed, store, testOptions()); err == nil || !strings.Contains(err.Error(), "does not depend") {
		t.Errorf("trainer: %v", err)
	}
	if _, err := NewPredictor(fixed, store, PredictorOptions{Input: testInput}); err == nil || !strings.Contains(err.Error(), "do not depend") {
		t.Errorf("predictor: %v", err)
	}
}

type fixedNet struct{ w *Parameter }

func (f fixedNet) Forward(p *Pass, _ *autograd.Node) *autograd.Node {
	return autograd.ReLU(p.Param(f.w))
}

func TestParameterOfAnotherStoreIsRefused(t *testing.T) {
	if _, err := NewTrainer(testNet(NewStore(1)), NewStore(1), testOptions()); err == nil || !strings.Contains(err.Error(), `"stem.weight": the parameter belongs to another store`) {
		t.Error(err)
	}
}

func TestMemoryIsReported(t *testing.T) {
	tr, model, store := newTrainer(t, testOptions())
	m := tr.Memory()
	var params, trained int64
	for _, p := range store.All() {
		params += 4 * int64(p.Value.Len())
		if p.Kind != Buffer {
			trained += 4 * int64(p.Value.Len())
		}
	}
	if m.Parameters != params || m.State != trained+params || m.Inputs != 4*(12*72+12) {
		t.Errorf("%+v, want parameters %d, state %d, inputs %d", m, params, trained+params, 4*(12*72+12))
	}
	p, err := NewPredictor(model, store, PredictorOptions{Input: testInput})
	if err != nil {
		t.Fatal(err)
	}
	if q := p.Memory(); q.State != 0 || q.Arena <= 0 || q.Arena >= m.Arena || q.Total() != q.Arena+q.Scratch+q.Inputs+q.Parameters {
		t.Errorf("predictor %+v, trainer %+v", q, m)
	}
	if s := p.Summary(); s.Params != int64(store.Elements()) {
		t.Errorf("the graph has %d parameters, the store %d", s.Params, store.Elements())
	}
}

func TestMasksChangeWithStepAndSeed(t *testing.T) {
	// At rate 0 only the masks can change the loss of one batch.
	losses := func(seed uint64) [2]float64 {
		o := testOptions()
		o.Schedule, o.Seed = ConstantRate(0), seed
		tr, _, _ := newTrainer(t, o)
		fillBatch(tr.Images(), tr.Labels(), 0)
		var out [2]float64
		for i := range out {
			loss, err := tr.Step()
			if err != nil {
				t.Fatal(err)
			}
			out[i] = loss
		}
		return out
	}
	a, b := losses(1), losses(2)
	if a[0] == a[1] || a[0] == b[0] {
		t.Errorf("losses %v with seed 1, %v with seed 2", a, b)
	}
	if again := losses(1); again != a {
		t.Errorf("seed 1 gives %v, then %v", a, again)
	}
}
