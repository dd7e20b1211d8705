package layers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// passThrough takes its input for logits.
var passThrough = Func(func(x *autograd.Node) *autograd.Node { return autograd.Add(x, x) })

func TestScoreByHandOverValidRowsOnly(t *testing.T) {
	p, err := NewPredictor(passThrough, NewStore(1), PredictorOptions{Input: tensor.Shape{4, 3}})
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	copy(p.Images(), []float32{
		1, 0, 0, // predicts 0
		0, 0.5, 0.5, // a tie: the first, 1
		0, 0, 2, // predicts 2
		nan, nan, nan, // not valid
	})
	labels := []float32{0, 1, 1, -7}
	got, err := p.Score(labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	e := math.E
	want := (math.Log(e*e+2) - 2) + (math.Log(2*e+1) - 1) + math.Log(2+math.Exp(4)) // logits are doubled
	if got.Count != 3 || got.Correct != 2 || math.Abs(got.LossSum-want) > 1e-5 {
		t.Errorf("score %+v, want 3, 2, %g", got, want)
	}
	none, err := p.Score(nil, 0)
	if err != nil || none != (Score{}) || none.Accuracy() != 0 || none.Loss() != 0 {
		t.Errorf("score of no rows: %+v, %v", none, err)
	}
	got.Add(Score{Count: 1, Correct: 1, LossSum: 0.5})
	if got.Accuracy() != 0.75 || math.Abs(got.Loss()-(want+0.5)/4) > 1e-5 {
		t.Errorf("sum of scores %+v", got)
	}
}

func TestRowsThatAreNoNumbersPredictNothing(t *testing.T) {
	p, err := NewPredictor(passThrough, NewStore(1), PredictorOptions{Input: tensor.Shape{1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for class := range 3 {
		copy(p.Images(), []float32{float32(math.NaN()), 1, 2})
		s, err := p.Score([]float32{float32(class)}, 1)
		if err != nil || s.Correct != 0 || !math.IsNaN(s.LossSum) {
			t.Errorf("class %d: %+v, %v", class, s, err)
		}
	}
}

func TestShapesThatDoNotFitAPredictorAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		model Module
		input tensor.Shape
		want  string
	}{
		"one dimension": {passThrough, tensor.Shape{3}, "batch shape 3, want"},
		"empty batch":   {passThrough, tensor.Shape{0, 3}, "not positive"},
		"no logits":     {passThrough, tensor.Shape{2, 4, 4, 1}, "want 2 rows of logits"},
		"misuse":        {GlobalAvgPool{}, tensor.Shape{2, 4}, "global_avg_pool"},
	} {
		if _, err := NewPredictor(tc.model, NewStore(1), PredictorOptions{Input: tc.input}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want it to contain %q", name, err, tc.want)
		}
	}
}

func TestLogitsOfAStepAreThoseBeforeItsUpdate(t *testing.T) {
	store := NewStore(1)
	model := Sequential{Flatten{}, NewLinear(store.Root(), 72, testClasses)}
	tr, err := NewTrainer(model, store, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPredictor(model, store, PredictorOptions{Input: testInput})
	if err != nil {
		t.Fatal(err)
	}
	fillBatch(tr.Images(), tr.Labels(), 0)
	copy(p.Images(), tr.Images())
	want := append([]float32{}, p.Run().Data()...)
	train(t, tr, 1)
	for i, v := range tr.Logits().Data() {
		if math.Abs(float64(v-want[i])) > 1e-5 {
			t.Fatalf("logit %d is %g, want %g", i, v, want[i])
		}
	}
	if p.Run().Data()[0] == want[0] {
		t.Error("the predictor does not see the update")
	}
}

func TestDivergenceTellsStepLossAndNorm(t *testing.T) {
	a := (&DivergedError{Step: 7, Loss: math.Inf(1)}).Error()
	b := (&DivergedError{Step: 7, Loss: 3, GradNorm: math.Inf(1)}).Error()
	if !strings.HasSuffix(a, "step 7: loss +Inf") || !strings.HasSuffix(b, "step 7: loss 3, gradient norm +Inf") {
		t.Errorf("%q, %q", a, b)
	}
}

func TestLossOfAStepIsTheSmoothedCrossEntropyOfItsLogits(t *testing.T) {
	for _, smoothing := range []float64{0, 0.3} {
		o := testOptions()
		o.LabelSmoothing = smoothing
		tr, _, _ := newTrainer(t, o)
		loss := train(t, tr, 1)[0]
		want := 0.0
		for i, l := range tr.Labels() {
			row := tr.Logits().Row(i)
			sum := 0.0
			for _, v := range row {
				sum += math.Exp(float64(v))
			}
			for c, v := range row {
				target := smoothing / testClasses
				if c == int(l) {
					target += 1 - smoothing
				}
				want += target * (math.Log(sum) - float64(v)) / float64(len(tr.Labels()))
			}
		}
		if math.Abs(loss-want) > 1e-5 {
			t.Errorf("smoothing %g: loss %g, want %g", smoothing, loss, want)
		}
	}
}

// A frozen predictor gives the logits of one that is not, up to rounding, and sees new parameters after Refresh alone.
func TestFrozenPredictor(t *testing.T) {
	store := NewStore(5)
	norm := NewBatchNorm(store.Root().Sub("norm"), 24)
	model := Sequential{
		NewConv2D(store.Root().Sub("conv"), 3, 24, 3, ConvOptions{Padding: 1}), norm, ReLU(),
		GlobalAvgPool{}, NewLinear(store.Root().Sub("head"), 24, 4),
	}
	input := tensor.Shape{5, 6, 6, 3}
	build := func(frozen bool) *Predictor {
		p, err := NewPredictor(model, store, PredictorOptions{Input: input, Frozen: frozen})
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Images() {
			p.Images()[i] = float32(i%13)/6 - 1
		}
		return p
	}
	plain, frozen := build(false), build(true)
	near := func(what string) {
		t.Helper()
		want := plain.Run().Data()
		for i, v := range frozen.Run().Data() {
			if d := math.Abs(float64(v - want[i])); !(d <= 1e-5) {
				t.Errorf("%s: logit %d is %v, want %v", what, i, v, want[i])
			}
		}
	}
	near("at first")
	before := append([]float32(nil), frozen.Run().Data()...)
	for _, p := range []*Parameter{norm.weight, norm.mean, norm.variance} {
		for i := range p.Value.Data() {
			p.Value.Data()[i] += 0.5
		}
	}
	for i, v := range frozen.Run().Data() {
		if v != before[i] {
			t.Errorf("without Refresh logit %d moves from %v to %v", i, before[i], v)
		}
	}
	frozen.Refresh()
	near("after Refresh")
	if n := testing.AllocsPerRun(3, func() { frozen.Run() }); n != 0 {
		t.Errorf("a run allocates %v times", n)
	}
	if plain.Memory().Arena <= 0 || frozen.Memory().Arena < plain.Memory().Arena {
		t.Errorf("a frozen predictor takes %d bytes, another %d: folded weights are kept", frozen.Memory().Arena, plain.Memory().Arena)
	}
}

// Throughput mode gives the usual logits whatever the batch and the number of threads, and the same bits for any number of them.
func TestThroughput(t *testing.T) {
	store := NewStore(6)
	model := Sequential{
		NewConv2D(store.Root().Sub("conv"), 3, 24, 3, ConvOptions{Padding: 1}), NewBatchNorm(store.Root().Sub("norm"), 24), ReLU(),
		GlobalAvgPool{}, NewLinear(store.Root().Sub("head"), 24, 4),
	}
	threads := kernels.NewThreads(3)
	defer threads.Close()
	for _, side := range []int{4, 24, 90} { // several images of a stream, one
		for _, n := range []int{1, 2, 7, 37} {
			input := tensor.Shape{n, side, side, 3}
			build := func(o PredictorOptions) *Predictor {
				o.Input = input
				p, err := NewPredictor(model, store, o)
				if err != nil {
					t.Fatal(err)
				}
				rng := stream.New(1, "throughput")
				for i := range p.Images() {
					p.Images()[i] = float32(rng.NormFloat64())
				}
				return p
			}
			want := build(PredictorOptions{}).Run().Data()
			one, many := build(PredictorOptions{Throughput: true, Frozen: true}), build(PredictorOptions{Throughput: true, Frozen: true, Threads: threads})
			got := slices.Clone(one.Run().Data())
			for i, v := range got {
				if d := math.Abs(float64(v - want[i])); !(d <= 1e-5) {
					t.Fatalf("%v: logit %d is %v, want %v", input, i, v, want[i])
				}
			}
			for range 3 {
				if !slices.Equal(many.Run().Data(), got) {
					t.Fatalf("%v: three threads give other bits", input)
				}
			}
			if a := testing.AllocsPerRun(3, func() { many.Run() }); a != 0 {
				t.Errorf("%v: a run allocates %v times", input, a)
			}
			if a, b := many.Memory().Total(), one.Memory().Total(); n == 37 && a <= b {
				t.Errorf("%v: %d bytes on three threads, %d on one: each has its own", input, a, b)
			}
			if a, b := one.Work().MACs, one.Summary().MACs; a < b {
				t.Errorf("%v: %d MACs are run, the model has %d", input, a, b)
			}
		}
	}
}

// A batch is divided if it has some images and the network computes little for what it moves.
func TestWhatThroughputDivides(t *testing.T) {
	for _, c := range []struct {
		name             string
		images, channels int
		divided          bool
	}{{"depthwise", 64, 0, true}, {"depthwise, few images", 4, 0, false}, {"many channels", 64, 48, false}} {
		store := NewStore(6)
		s := store.Root()
		groups := ConvOptions{Padding: 1, Groups: 3, NoBias: true}
		model := Sequential{NewConv2D(s.Sub("depthwise"), 3, 3, 3, groups), GlobalAvgPool{}, NewLinear(s.Sub("classifier"), 3, 4)}
		if n := c.channels; n > 0 {
			same := ConvOptions{Padding: 1, NoBias: true}
			model = Sequential{NewConv2D(s.Sub("a"), 3, n, 3, same), NewConv2D(s.Sub("b"), n, n, 3, same), GlobalAvgPool{}, NewLinear(s.Sub("head"), n, 4)}
		}
		p, err := NewPredictor(model, store, PredictorOptions{Input: tensor.Shape{c.images, 8, 8, 3}, Frozen: true, Throughput: true})
		if err != nil {
			t.Fatal(err)
		}
		if divided := p.each > 0; divided != c.divided {
			t.Errorf("%s: divided %t", c.name, divided)
		}
	}
}

// Where there are fewer parts than threads, any of the threads may take a part.
func TestThroughputOfFewPartsOnManyThreads(t *testing.T) {
	threads := kernels.NewThreads(8)
	defer threads.Close()
	store := NewStore(6)
	s := store.Root()
	model := Sequential{NewConv2D(s.Sub("depthwise"), 3, 3, 3, ConvOptions{Padding: 1, Groups: 3, NoBias: true}), GlobalAvgPool{}, NewLinear(s.Sub("classifier"), 3, 4)}
	p, err := NewPredictor(model, store, PredictorOptions{Input: tensor.Shape{20, 8, 8, 3}, Frozen: true, Throughput: true, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	if parts := (20 + p.each - 1) / p.each; p.each == 0 || parts >= threads.Count() {
		t.Fatalf("%d images at a time: the test needs a few parts", p.each)
	}
	for range 3000 {
		p.Run()
	}
}
