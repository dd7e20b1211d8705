package oneshot

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

var task = space.Task{Height: 6, Width: 5, Channels: 1, Classes: 3}

// images returns a split in which the brightest third of a picture is its class.
func images(t testing.TB, n int) *dataset.Split {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var pixels []byte
	var labels []int
	for i := range n {
		class := i % task.Classes
		labels = append(labels, class)
		for p := range task.Height * task.Width {
			v := rng.IntN(100)
			if p/task.Width/2 == class {
				v += 120
			}
			pixels = append(pixels, byte(v))
		}
	}
	s, err := dataset.NewSplit(pixels, labels, task.Height, task.Width, 1, []string{"top", "middle", "bottom"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const userCells = `
space: mine
kind: cells
operations:
  zero: {type: none}
  conv: {type: conv, kernel: [1, 3]}
  skip: {type: skip}
  sep: {type: separable}
nodes: 3
inputs: 2
output: last
channels: 4
cells: 3
reductions: 1
`

const userChain = `
space: row
kind: chain
operations:
  conv: {type: conv, kernel: [1, 3], channels: [4, 8]}
  sep: {type: separable, channels: [4, 8]}
  pool: {type: max_pool}
depth: [2, 4]
`

var sizes = map[string]space.Size{
	"seed-cell": {Channels: 4, Cells: 3}, "darts": {Channels: 2, Cells: 3}, "nb201": {Channels: 4, Cells: 3}, "macro": {Channels: 4},
}

var spaces = []string{"chain", "seed-cell", "darts", "nb201", "macro", "mine", "row"}

func openSpace(t testing.TB, name string) space.Space {
	t.Helper()
	c := space.Constraints{MaxChannels: 64, AllowWeightless: true}
	var s space.Space
	var err error
	if text, ok := map[string]string{"mine": userCells, "row": userChain}[name]; ok {
		s, err = space.Read(strings.NewReader(text), name+".yaml", task, c, space.Size{})
	} else {
		s, err = space.NewSized(name, task, c, sizes[name])
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small returns the options of a search that takes a moment.
func small(t testing.TB, name string) Options {
	o := Defaults()
	o.Space, o.Train = openSpace(t, name), images(t, 90)
	o.Epochs, o.Batch, o.Seed, o.Paths, o.Recalibration = 2, 12, 5, 8, 2
	o.Evolution.Population = 4
	return o
}

func mustSearch(t testing.TB, o Options) *Result {
	t.Helper()
	r, err := Search(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSupernet(t testing.TB, o Options) *Supernet {
	t.Helper()
	n, err := NewSupernet(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestSearchWorksInEverySpace(t *testing.T) {
	for _, name := range spaces {
		for _, sampling := range []Sampling{Uniform, Strict} {
			o := small(t, name)
			o.Sampling = sampling
			o.Epochs = 1
			var epochs []Epoch
			o.Report = func(e Epoch) { epochs = append(epochs, e) }
			r := mustSearch(t, o)
			if len(r.Best) == 0 || len(r.Best) > o.Finalists || r.Evaluated > o.Paths {
				t.Errorf("%s, %s: %+v", name, sampling, r)
			}
			for i, g := range r.Genomes {
				if err := o.Space.Check(g); err != nil || g.String() != r.Best[i].Genome {
					t.Errorf("%s, %s: %v: %v", name, sampling, g, err)
				}
				if i > 0 && (r.Best[i].Accuracy > r.Best[i-1].Accuracy || o.Space.Key(g) == o.Space.Key(r.Genomes[i-1])) {
					t.Errorf("%s, %s: not the best, or the same twice: %+v", name, sampling, r.Best)
				}
			}
			if len(epochs) != 1 || !epochs[0].Last || epochs[0].Paths < 6 || epochs[0].Params == 0 {
				t.Errorf("%s, %s: epochs %+v", name, sampling, epochs)
			}
		}
	}
}

// TestInheritedWeightsHaveLearned trains on classes that are easy to tell apart and compares with the accuracy before.
func TestInheritedWeightsHaveLearned(t *testing.T) {
	for _, name := range []string{"chain", "seed-cell", "macro"} {
		o := small(t, name)
		o.Epochs, o.Train, o.LearningRate = 25, images(t, 270), 0.1
		o.Recalibration = 8
		n := mustSupernet(t, o)
		if err := n.Train(t.Context()); err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for i := range 6 {
			g, err := n.SamplePath(stream.New(3, "test", uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := n.Evaluate(t.Context(), g)
			if err != nil {
				t.Fatal(err)
			}
			mean += p.Accuracy / 6
		}
		if mean < 0.5 { // guessing gives a third
			t.Errorf("%s: mean accuracy %.3f with inherited weights", name, mean)
		}
	}
}

// TestThreadsChangeNothing compares all weights and the result of searches.
func TestThreadsChangeNothing(t *testing.T) {
	for _, sampling := range []Sampling{Uniform, Strict} {
		var all []map[string][]float32
		var results []*Result
		for _, count := range []int{1, 3} {
			threads := kernels.NewThreads(count)
			defer threads.Close()
			o := small(t, "chain")
			o.Sampling, o.Threads = sampling, threads
			if count == 3 {
				o.CacheBytes = 1 // steps are compiled anew: the same
			}
			n := mustSupernet(t, o)
			if err := n.Train(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := n.Search(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all, results = append(all, weights(n)), append(results, r)
		}
		if !reflect.DeepEqual(all[0], all[1]) || !reflect.DeepEqual(results[0], results[1]) {
			t.Errorf("%s: three threads give other weights or another result: %+v, %+v", sampling, results[0].Best, results[1].Best)
		}
	}
}

// TestASearchGoesOnToTheSameResult interrupts the training and the search over paths, and goes on.
func TestASearchGoesOnToTheSameResult(t *testing.T) {
	o := small(t, "chain")
	want := mustSearch(t, o)
	o.Checkpoint = filepath.Join(t.TempDir(), "supernet")
	interrupt := func(change func(o *Options, stop func())) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		o := o
		change(&o, stop)
		if _, err := Search(ctx, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("the search was not interrupted: %v", err)
		}
	}
	interrupt(func(o *Options, stop func()) {
		o.Progress = func(s Step) {
			if s.Epoch == 2 && s.Step == 2 {
				stop()
			}
		}
	})
	steps := 0
	interrupt(func(o *Options, stop func()) {
		o.Progress = func(s Step) {
			if s.Epoch != 2 {
				t.Errorf("epoch %d is made again", s.Epoch)
			}
		}
		o.Path = func(Path) {
			if steps++; steps == 3 {
				stop()
			}
		}
	})
	file := o.Checkpoint + ".paths"
	text, err := os.ReadFile(file)
	if err != nil || bytes.Count(text, []byte("\n")) != 4 {
		t.Fatalf("%v: the file of paths is\n%s", err, text)
	}
	if err := os.WriteFile(file, append(text, `{"genome":"conv`...), 0o666); err != nil { // a line that was cut off
		t.Fatal(err)
	}
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("gone on with: %+v, in one go %+v", got, want)
	}
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("read again: %+v", got)
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.Seed++ }, func(o *Options) { o.LearningRate /= 2 }, func(o *Options) { o.Recalibration = 1 },
	} {
		o := o
		change(&o)
		if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), "other settings") {
			t.Errorf("other settings go on with the checkpoint: %v", err)
		}
	}
}

// TestPathsAreMeasuredIndependently evaluates paths of which some need weights that were never trained in two orders.
func TestPathsAreMeasuredIndependently(t *testing.T) {
	measure := func(order []int) map[string]Path {
		o := small(t, "chain")
		o.Epochs = 1
		n := mustSupernet(t, o)
		if err := n.Train(t.Context()); err != nil {
			t.Fatal(err)
		}
		params := n.store.Elements()
		out := map[string]Path{}
		for _, i := range order {
			g, err := n.SamplePath(stream.New(8, "test", uint64(i)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := n.Evaluate(t.Context(), g)
			if err != nil {
				t.Fatal(err)
			}
			out[p.Genome] = p
		}
		if got := n.store.Elements(); got != params {
			t.Errorf("evaluation adds to the supernet: %d parameters, then %d", params, got)
		}
		return out
	}
	if a, b := measure([]int{0, 1, 2, 3, 4, 5}), measure([]int{5, 3, 1, 0, 2, 4}); !reflect.DeepEqual(a, b) {
		t.Errorf("the order changes what paths reach: %v, %v", a, b)
	}
}

// TestForwardWithPathNormalisesByItsOwnStatistics compares logits with those of a network with copied weights and statistics that
// are computed in another way: by a batch of all images of the recalibration.
func TestForwardWithPathNormalisesByItsOwnStatistics(t *testing.T) {
	o := small(t, "chain")
	o.Recalibration = 1
	n := mustSupernet(t, o)
	g, err := o.Space.Parse("conv3x3(16), pool3x3(max), conv5x5(32)")
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(n.shape...)
	copy(x.Data(), n.calibration[0])
	got, err := n.ForwardWithPath(x, g)
	if err != nil {
		t.Fatal(err)
	}
	// On the batch of the recalibration itself, statistics of the batch give nearly the same: they have the biased variance.
	module, err := o.Space.Build(g, n.store.Root())
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.forward(&layers.Pass{Graph: autograd.NewGraph(), Training: true}, module)
	if err != nil {
		t.Fatal(err)
	}
	copy(p.images, x.Data())
	p.Run(0)
	for i, v := range p.logits.Data() {
		if d := math.Abs(float64(v - got.Data()[i])); d > 0.02*(1+math.Abs(float64(v))) {
			t.Errorf("logit %d is %g, by statistics of the batch %g", i, got.Data()[i], v)
		}
	}
	half, err := n.ForwardWithPath(x.Slice(0, 5), g)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range half.Data() {
		if v != got.Data()[i] {
			t.Fatalf("logit %d depends on the other images: %g, %g", i, v, got.Data()[i])
		}
	}
}

func TestTimeEndsTheTraining(t *testing.T) {
	o := small(t, "chain")
	o.Epochs, o.TrainTime = 1000, 1
	n := mustSupernet(t, o)
	if err := n.Train(t.Context()); err != nil || !n.Trained() || len(n.epochs) != 1 {
		t.Errorf("%v after %d epochs", err, len(n.epochs))
	}
	if first, last := n.rate(0), n.rate(0.999); !(first < o.LearningRate/10 && last < o.LearningRate/100 && n.rate(0.05) > 0.99*o.LearningRate) {
		t.Errorf("rates %g at the start, %g at the end", first, last)
	}
}

func TestImpossibleOptionsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"no space":                     func(o *Options) { o.Space = nil },
		"no images":                    func(o *Options) { o.Train = nil },
		"0 epochs":                     func(o *Options) { o.Epochs = 0 },
		"too many to count":            func(o *Options) { o.Epochs = 1 << 62 },
		"0 images of a batch":          func(o *Options) { o.Batch = 0 },
		"learning rate 0 is":           func(o *Options) { o.LearningRate = 0 },
		"momentum 1 is":                func(o *Options) { o.Momentum = 1 },
		"unknown sampling":             func(o *Options) { o.Sampling = "fair" },
		"unknown widths":               func(o *Options) { o.Widths = "wide" },
		"unknown search":               func(o *Options) { o.Search = "grid" },
		"cannot be changed":            func(o *Options) { o.Space = bare{o.Space} },
		"which choices it has":         func(o *Options) { o.Space, o.Search, o.Sampling = bare{o.Space}, "random", Strict },
		"batches ready needs":          func(o *Options) { o.MaxMemory = 1000 },
		"constraints or memory do not": func(o *Options) { o.MaxMemory = 21_000 },
	} {
		o := small(t, "chain")
		change(&o)
		if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// bare is a space with nothing but what every space has.
type bare struct{ space.Space }

func TestAUsersSpaceCanShareWeights(t *testing.T) {
	o := small(t, "chain")
	o.Space, o.Search = bare{o.Space}, "random"
	if r := mustSearch(t, o); len(r.Best) != o.Finalists {
		t.Errorf("%+v", r)
	}
}
