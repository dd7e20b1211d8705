package evaluator

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
	"github.com/nasbench-go/nasbench/tensor"
)

// stripes returns noisy images of three classes: vertical, horizontal and diagonal stripes. Their
// phase is random, so that no single pixel tells the class.
func stripes(t *testing.T, n int, seed uint64) *dataset.Split {
	t.Helper()
	const side = 8
	classes := []string{"vertical", "horizontal", "diagonal"}
	images, labels := make([]byte, n*side*side), make([]int, n)
	for i := range n {
		rng := stream.New(seed, "stripes", uint64(i))
		labels[i] = i % len(classes)
		phase := rng.IntN(4)
		for p := range side * side {
			y, x := p/side, p%side
			at := [...]int{x, y, x + y}[labels[i]] + phase
			images[i*side*side+p] = byte(180*(at/2%2) + rng.IntN(60))
		}
	}
	s, err := dataset.NewSplit(images, labels, side, side, 1, classes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options returns a small task; opened counts how often the test images are asked for.
func options(t *testing.T) (o Options, opened *int) {
	t.Helper()
	all := stripes(t, 300, 1)
	train, validation, err := dataset.SplitStratified(all, 0.2, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := space.New("chain", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 3}, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	opened = new(int)
	o = Options{Space: s, Recipe: DefaultRecipe(), Data: Data{
		Train: train, Validation: validation, All: all,
		Test: func() (*dataset.Split, error) { *opened++; return stripes(t, 90, 2), nil },
	}}
	return o, opened
}

func mustNew(t *testing.T, o Options) *Evaluator {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func genome(t *testing.T, o Options, json string) space.Genome {
	t.Helper()
	g, err := o.Space.Parse(json)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// small has convolutions, a pool and a projection.
const small = `conv3x3(16), pool3x3(max), conv3x3(16):add`

func job(g space.Genome, epochs int) study.Job {
	return study.Job{Genome: g, Seed: 5, Epochs: epochs, Progress: func(study.Step) {}}
}

func TestTrainingLearns(t *testing.T) {
	o, opened := options(t)
	e := mustNew(t, o)
	g := genome(t, o, small)
	var curve []study.Point
	var last study.Step
	j := job(g, 4)
	j.Progress = func(s study.Step) { last = s }
	m, err := e.Evaluate(t.Context(), j, func(p study.Point) error { curve = append(curve, p); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if m.ValAccuracy < 0.9 || m.TrainLoss > 0.5 || m.ValLoss > 0.5 {
		t.Errorf("metrics %+v", m)
	}
	if len(curve) != 4 || curve[3].ValAccuracy != m.ValAccuracy || curve[3].Epoch != 4 || m.Epochs != 4 {
		t.Errorf("curve %+v", curve)
	}
	if curve[0].LearningRate <= curve[2].LearningRate || curve[3].LearningRate > 1e-9 {
		t.Errorf("learning rates %v, %v, %v", curve[0].LearningRate, curve[2].LearningRate, curve[3].LearningRate)
	}
	if want := (study.Step{Epoch: 4, Step: 7, Steps: 7, Images: 4 * 7 * 32, Loss: last.Loss}); last != want {
		t.Errorf("the last step was %+v, want %+v", last, want)
	}
	cost, err := o.Space.Cost(g)
	if err != nil {
		t.Fatal(err)
	}
	if m.Params != cost.Params || m.FLOPs != cost.FLOPs || m.MACs != cost.MACs || m.ActivationBytes != cost.ActivationBytes {
		t.Errorf("metrics %+v, cost %+v", m, cost)
	}
	if *opened != 0 {
		t.Error("a trial opened the test images")
	}
}

func TestSeedsDecideTheResult(t *testing.T) {
	o, _ := options(t)
	e := mustNew(t, o)
	evaluate := func(seed uint64) study.Metrics {
		j := job(genome(t, o, small), 1)
		j.Seed = seed
		m, err := e.Evaluate(t.Context(), j, func(study.Point) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := evaluate(1)
	if again := evaluate(1); !reflect.DeepEqual(again, first) {
		t.Errorf("the same seed gave %+v and %+v", first, again)
	}
	if other := evaluate(2); other.TrainLoss == first.TrainLoss {
		t.Error("two seeds gave the same loss")
	}
}

// A whole search gives the same bits for any number of workers and threads.
func TestWorkersAndThreadsChangeNothing(t *testing.T) {
	var want []study.Trial
	for _, c := range []struct{ workers, threads int }{{1, 1}, {1, 2}, {3, 1}, {2, 3}} {
		o, _ := options(t)
		o.Workers, o.Threads = c.workers, c.threads
		o.Recipe.Augment = dataset.Augment{Pad: 1, Flip: true}
		limited, err := space.New("chain", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 3}, space.Constraints{MaxFLOPs: 3_000_000})
		if err != nil {
			t.Fatal(err)
		}
		o.Space = limited
		out, err := study.Run(t.Context(), study.Options{
			Strategy: strategy.NewRandom(strategy.Options{Space: limited, Seed: 3}), Space: limited,
			Evaluator: mustNew(t, o), Store: &study.Memory{}, Epochs: 1, Trials: 4, Workers: c.workers,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range out.Trials {
			out.Trials[i].Timing = study.Timing{}
		}
		if want == nil {
			want = out.Trials
		}
		if !reflect.DeepEqual(out.Trials, want) {
			t.Errorf("%d workers of %d threads gave other trials:\n%+v\n%+v", c.workers, c.threads, out.Trials, want)
		}
	}
}

func TestNetworksThatCannotBeTrainedFail(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Options)
	}{
		{"diverging", "at epoch 1, step ", func(o *Options) { o.Recipe.LearningRate, o.Recipe.WarmUp, o.Recipe.ClipNorm = 1e30, 0, 0 }},
		{"diverging, clipped", "at epoch 1, step ", func(o *Options) { o.Recipe.LearningRate, o.Recipe.WarmUp = 1e30, 0 }},
		{"memory", "MB of memory, more than the 1.0 kB allowed", func(o *Options) { o.MaxMemory = 1000 }},
	} {
		o, _ := options(t)
		c.change(&o)
		// No normalisation: the logits grow with the weights.
		g := genome(t, o, `fc(64), fc(64):add, fc(64)`)
		_, err := mustNew(t, o).Evaluate(t.Context(), job(g, 1), func(study.Point) error { return nil })
		var failure *study.Failure
		if !errors.As(err, &failure) || !strings.Contains(failure.Reason, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// broken is a space of a user's own with a mistake in it.
type broken struct{ space.Space }

func (broken) Build(_ space.Genome, s layers.Scope) (layers.Module, error) {
	return layers.NewConv2D(s.Sub("conv"), 3, 4, 3, layers.ConvOptions{Groups: 2}), nil
}

func TestNetworksThatCannotBeMadeFail(t *testing.T) {
	o, _ := options(t)
	o.Space = broken{o.Space}
	e := mustNew(t, o)
	_, err := e.Evaluate(t.Context(), job(genome(t, o, `fc(64), fc(64), fc(64)`), 1), func(study.Point) error { return nil })
	if failure, ok := errors.AsType[*study.Failure](err); !ok || !strings.Contains(failure.Reason, `cannot be built: layers: "conv": convolution: 3 and 4 channels do not divide into 2 groups`) {
		t.Errorf("%v", err)
	}
}

func TestDivergenceIsNamed(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		e    layers.DivergedError
		want string
	}{
		{layers.DivergedError{Loss: nan}, "loss is NaN"},
		{layers.DivergedError{Loss: inf, GradNorm: nan}, "loss is infinite"},
		{layers.DivergedError{Loss: 1, GradNorm: nan}, "gradient norm is NaN"},
		{layers.DivergedError{Loss: 1, GradNorm: inf}, "gradient norm is infinite"},
	} {
		if got := divergence(&c.e); got != c.want {
			t.Errorf("%+v: %s, want %s", c.e, got, c.want)
		}
	}
}

func TestCancellationEndsTheTrainingBetweenSteps(t *testing.T) {
	o, _ := options(t)
	e := mustNew(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := 0
	j := job(genome(t, o, small), 3)
	j.Progress = func(study.Step) {
		if steps++; steps == 9 {
			cancel()
		}
	}
	_, err := e.Evaluate(ctx, j, func(study.Point) error { return nil })
	if !errors.Is(err, context.Canceled) || steps != 9 {
		t.Errorf("%v after %d steps", err, steps)
	}
}

func TestReportCanStopTheTraining(t *testing.T) {
	o, _ := options(t)
	m, err := mustNew(t, o).Evaluate(t.Context(), job(genome(t, o, small), 3), func(p study.Point) error {
		if p.Epoch == 2 {
			return study.ErrPruned
		}
		return nil
	})
	if !errors.Is(err, study.ErrPruned) || m.Epochs != 2 || m.ValLoss == 0 {
		t.Errorf("%v, %+v", err, m)
	}
}

func TestValidateTrainsAndOpensTheTestImagesOnce(t *testing.T) {
	for _, all := range []bool{false, true} {
		o, opened := options(t)
		o.Workers = 2
		e := mustNew(t, o)
		images := 0
		m, err := e.Validate(t.Context(), ValidateOptions{
			Genome: genome(t, o, small), Seed: 9, Epochs: 4, All: all,
			Progress: func(s study.Step) { images = s.Images },
		})
		if err != nil {
			t.Fatal(err)
		}
		if *opened != 1 || m.Test.Images != 90 || m.Test.Accuracy < 0.9 {
			t.Errorf("all %v: opened %d times, %+v", all, *opened, m.Test)
		}
		want := 4 * 7 * 32
		if all {
			want = 4 * 9 * 32
		}
		if images != want || (m.Metrics.ValAccuracy == 0) != all || len(m.Curve) != 4 {
			t.Errorf("all %v: trained on %d images, want %d; %+v", all, images, want, m.Metrics)
		}

		// The model that comes back is the one that was measured.
		test := stripes(t, 90, 2)
		p, err := layers.NewPredictor(m.Module, m.Store, layers.PredictorOptions{Input: tensor.Shape{90, 8, 8, 1}})
		if err != nil {
			t.Fatal(err)
		}
		labels := make([]float32, 90)
		for i := range labels {
			labels[i] = float32(test.Label(i))
			for k, v := range test.Image(i) {
				p.Images()[i*64+k] = (float32(v)/255 - m.Stats.Mean[0]) / m.Stats.Std[0]
			}
		}
		score, err := p.Score(labels, 90)
		if err != nil || score.Accuracy() != m.Test.Accuracy {
			t.Errorf("%v: accuracy %v, reported %v", err, score.Accuracy(), m.Test.Accuracy)
		}
	}
}

func TestValidateChecksItsOptions(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options, *ValidateOptions)
	}{
		{"no genome", func(_ *Options, v *ValidateOptions) { v.Genome = nil }},
		{"epochs", func(_ *Options, v *ValidateOptions) { v.Epochs = 0 }},
		{"together", func(o *Options, v *ValidateOptions) { o.Data.All, v.All = nil, true }},
		{"no test images", func(o *Options, _ *ValidateOptions) { o.Data.Test = nil }},
		{"test file is gone", func(o *Options, _ *ValidateOptions) {
			o.Data.Test = func() (*dataset.Split, error) { return nil, errors.New("test file is gone") }
		}},
	} {
		o, _ := options(t)
		v := ValidateOptions{Genome: genome(t, o, small), Epochs: 1}
		c.change(&o, &v)
		if _, err := mustNew(t, o).Validate(t.Context(), v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"no space", func(o *Options) { o.Space = nil }},
		{"both needed", func(o *Options) { o.Data.Validation = nil }},
		{"-1 workers", func(o *Options) { o.Workers = -1 }},
		{"-2 threads", func(o *Options) { o.Threads = -2 }},
		{"a batch of 0", func(o *Options) { o.Recipe.Batch = 0 }},
		{"learning rate 0", func(o *Options) { o.Recipe.LearningRate = 0 }},
		{"learning rate NaN", func(o *Options) { o.Recipe.LearningRate = math.NaN() }},
		{"momentum 1", func(o *Options) { o.Recipe.Momentum = 1 }},
		{"label smoothing 1", func(o *Options) { o.Recipe.LabelSmoothing = 1 }},
		{"weight decay -1", func(o *Options) { o.Recipe.WeightDecay = -1 }},
		{`unknown optimizer "adam"`, func(o *Options) { o.Recipe.Optimizer = "adam" }},
		{`unknown schedule ""`, func(o *Options) { o.Recipe.Schedule = "" }},
		{"decay of averages 1", func(o *Options) { o.Recipe.EMADecay = 1 }},
		{"clipping norm +Inf", func(o *Options) { o.Recipe.ClipNorm = math.Inf(1) }},
	} {
		o, _ := options(t)
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	o, _ := options(t)
	e := mustNew(t, o)
	j := job(genome(t, o, small), 1)
	j.Worker = 1
	if _, err := e.Evaluate(t.Context(), j, func(study.Point) error { return nil }); err == nil {
		t.Error("worker 1 of 1 was accepted")
	}
}

func TestSettingsNameEveryValueOfTheRecipe(t *testing.T) {
	base := DefaultRecipe().Settings()
	for name, change := range map[string]func(*Recipe){
		"batch":           func(r *Recipe) { r.Batch++ },
		"learning_rate":   func(r *Recipe) { r.LearningRate /= 3 },
		"warm_up":         func(r *Recipe) { r.WarmUp++ },
		"momentum":        func(r *Recipe) { r.Momentum = 0 },
		"weight_decay":    func(r *Recipe) { r.WeightDecay = 0 },
		"label_smoothing": func(r *Recipe) { r.LabelSmoothing = 0.2 },
		"optimizer":       func(r *Recipe) { r.Optimizer = AdamW },
		"schedule":        func(r *Recipe) { r.Schedule = Constant },
		"ema_decay":       func(r *Recipe) { r.EMADecay = 0.9 },
		"clip_norm":       func(r *Recipe) { r.ClipNorm = 1 },
		"augment":         func(r *Recipe) { r.Augment.Cutout = 3 },
	} {
		r := DefaultRecipe()
		change(&r)
		if d := study.Settings(base).Compare(r.Settings()); len(d) != 1 || d[0].Name != name {
			t.Errorf("%s: %v", name, d)
		}
	}
	if n := reflect.TypeFor[Recipe]().NumField(); n != len(base) {
		t.Errorf("%d values, %d settings", n, len(base))
	}
}
