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

	"gonum.org/v1/gonum/stat"

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

// weights returns copies of all parameters and velocities.
func weights(n *Supernet) map[string][]float32 {
	out := map[string][]float32{}
	for _, p := range n.store.All() {
		out[p.Name] = append([]float32(nil), p.Value.Data()...)
		out[velocityPrefix+p.Name] = append([]float32(nil), n.update.of(p).velocity.Data()...)
	}
	return out
}

// TestAStepChangesWhatItsPathUses trains one path, then another beside it, and looks at every number of the store.
func TestAStepChangesWhatItsPathUses(t *testing.T) {
	o := small(t, "chain")
	o.WeightDecay = 0.1 // would show in what is not used
	n := mustSupernet(t, o)
	parse := func(text string) space.Genome {
		g, err := o.Space.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	// The second layer of wide has 48 inputs, that of narrow 16.
	wide := parse("conv3x3(32), skip:concat, conv3x3(16), fc(64)")
	narrow := parse("conv3x3(16), skip, conv3x3(16), fc(64):add")
	batch, labels := make([]float32, n.shape.Elements()), make([]float32, n.shape[0])
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range batch {
		batch[i] = float32(rng.NormFloat64())
	}
	learn := func(g space.Genome) {
		if _, err := n.learn(g, 0, batch, labels); err != nil {
			t.Fatal(err)
		}
		n.update.apply(0.1)
	}
	for range 2 {
		learn(wide)
		learn(narrow)
	}
	before := weights(n)
	learn(narrow)
	after := weights(n)
	used := map[string]bool{}
	for name, old := range before {
		now := after[name]
		shape := n.store.Lookup(strings.TrimPrefix(name, velocityPrefix)).Value.Shape()
		// How many input and output channels narrow uses.
		in, out := shape[max(len(shape)-2, 0)], shape[len(shape)-1]
		switch plain := strings.TrimPrefix(name, velocityPrefix); {
		case strings.HasPrefix(plain, "layers.0.conv3x3"):
			out = 16
		case plain == "layers.2.conv3x3.conv.weight":
			in = 16
			if want := (tensor.Shape{3, 3, 64, 16}); !shape.Equal(want) {
				t.Fatalf("%s is %v, want %v: 32 channels twice", plain, shape, want)
			}
		case strings.HasPrefix(plain, "layers.4"):
			in = 0
		}
		for i := range now {
			inside := i%shape[len(shape)-1] < out
			if len(shape) > 1 {
				inside = inside && i/shape[len(shape)-1]%shape[len(shape)-2] < in
			}
			if !inside && now[i] != old[i] {
				t.Fatalf("%s: element %d changes from %g to %g", name, i, old[i], now[i])
			}
			if inside && len(shape) == 4 && now[i] == old[i] {
				t.Fatalf("%s: element %d stays %g", name, i, now[i])
			}
			used[name] = used[name] || now[i] != old[i]
		}
	}
	for _, name := range []string{"layers.0.conv3x3.conv.weight", "layers.3.fc.fc.weight", "head.weight", velocityPrefix + "head.weight"} {
		if !used[name] {
			t.Errorf("%s does not change; there are %d parameters", name, len(before))
		}
	}
}

// TestGradientsOfAPathAreThoseOfItsNetwork compares the loss and all gradients of a path with those of the network of the same
// genome with copied weights.
func TestGradientsOfAPathAreThoseOfItsNetwork(t *testing.T) {
	for _, name := range spaces {
		o := small(t, name)
		n := mustSupernet(t, o)
		var g space.Genome
		var p *program
		for i := range 3 { // so that parameters are blocks of larger ones
			var err error
			if g, err = n.SamplePath(stream.New(4, "test", uint64(i))); err != nil {
				t.Fatal(err)
			}
			if p, err = n.teach(g); err != nil {
				t.Fatal(err)
			}
		}
		rng := rand.New(rand.NewPCG(5, 6))
		for i := range p.images {
			p.images[i] = float32(rng.NormFloat64())
		}
		p.Run(0)
		norm := p.norm.Compute()

		store := layers.NewStore(1)
		module, err := o.Space.Build(g, store.Root())
		if err != nil {
			t.Fatal(err)
		}
		trainable := store.Trainable()
		if len(trainable) != len(p.weights) {
			t.Fatalf("%s: %v: %d parameters, its network has %d", name, g, len(p.weights), len(trainable))
		}
		byShape := append([]weight(nil), p.weights...)
		for _, q := range trainable { // both are built in one order, but asked for in another
			found := false
			for i, w := range byShape {
				if strings.HasSuffix(w.parameter.Name, lastNames(q.Name)) && w.gradient.Shape().Equal(q.Value.Shape()) && samePlace(w.parameter.Name, q.Name) {
					layers.CopyBlock(q.Value, w.value, q.Value.Shape())
					byShape = append(byShape[:i], byShape[i+1:]...)
					found = true
					break
				}
			}
			if !found {
				t.Fatalf("%s: %v: no weight of the path is %s", name, g, q.Name)
			}
		}
		trainer, err := layers.NewTrainer(module, store, layers.TrainerOptions{
			Input: n.shape, Classes: task.Classes, Optimizer: layers.SGD{}, Schedule: layers.ConstantRate(0), Steps: 1, ClipNorm: 1e9,
		})
		if err != nil {
			t.Fatal(err)
		}
		copy(trainer.Images(), p.images)
		copy(trainer.Labels(), p.labels)
		loss, err := trainer.Step()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss-float64(p.loss[0])) > 1e-5*math.Abs(loss) || norm == 0 {
			t.Errorf("%s: %v: loss %g and norm %g, alone %g", name, g, p.loss[0], norm, loss)
		}
	}
}

// lastNames returns the last two names of a path, which say what a parameter is.
func lastNames(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts[max(len(parts)-2, 0):], ".")
}

// samePlace reports whether the names of one path stand, in their order, in that of a choice.
func samePlace(choice, plain string) bool {
	rest := strings.Split(choice, ".")
	for _, part := range strings.Split(plain, ".") {
		if strings.HasPrefix(part, "edge") && strings.Contains(choice, "from") {
			continue // darts: the state instead of the edge
		}
		for len(rest) > 0 && rest[0] != part {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return false
		}
		rest = rest[1:]
	}
	return true
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

// TestStrictGroupsAreFair counts how often each weight is trained.
func TestStrictGroupsAreFair(t *testing.T) {
	for _, name := range []string{"macro", "nb201"} {
		o := small(t, name)
		o.Sampling = Strict
		n := mustSupernet(t, o)
		paths, drawn, err := n.SampleGroup(stream.New(1, "test"))
		if err != nil || len(paths) != drawn {
			t.Fatalf("%s: %d of %d paths, %v", name, len(paths), drawn, err)
		}
		uses := map[string]int{}
		for _, g := range paths {
			p, err := n.teach(g)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range p.weights {
				uses[w.parameter.Name]++
			}
		}
		chosen := 0
		for name, count := range uses {
			want := drawn
			for _, op := range []string{"nor_conv", "block", "identity"} {
				if strings.Contains(name, op) {
					want = 1
					chosen++
				}
			}
			if count != want {
				t.Errorf("%s is trained %d times in a step, want %d", name, count, want)
			}
		}
		if chosen < 12 {
			t.Errorf("%s: %d weights of choices", name, chosen)
		}
	}
}

func TestCacheFindsPathsAgainUntilTheyMove(t *testing.T) {
	o := small(t, "chain")
	n := mustSupernet(t, o)
	teach := func(text string) *program {
		g, err := o.Space.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := n.teach(g)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	teach("conv3x3(64), conv5x5(64), conv5x5(64), conv5x5(64)") // the arena is large enough from here on
	narrow := teach("skip, conv3x3(16), skip")
	if teach("skip, conv3x3(16), skip") != narrow {
		t.Error("the same path is compiled again")
	}
	wide := teach("conv3x3(32), conv3x3(16), skip") // its second layer has the weight of narrow with more inputs
	if again := teach("skip, conv3x3(16), skip"); again == narrow {
		t.Error("a path is used after its weight has moved")
	}
	if teach("conv3x3(32), conv3x3(16), skip") != wide {
		t.Error("a path that did not move is compiled again")
	}
	n.cache.limit = n.cache.bytes - 1
	teach("fc(64), fc(64), fc(64)")
	if n.cache.bytes > n.cache.limit || n.cache.order.Len() != len(n.cache.at) || n.cache.at["fc(64), fc(64), fc(64)"] == nil {
		t.Errorf("the cache has %d bytes of %d in %d steps", n.cache.bytes, n.cache.limit, len(n.cache.at))
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
		"0 images of a batch":          func(o *Options) { o.Batch = 0 },
		"learning rate 0 is":           func(o *Options) { o.LearningRate = 0 },
		"momentum 1 is":                func(o *Options) { o.Momentum = 1 },
		"unknown sampling":             func(o *Options) { o.Sampling = "fair" },
		"unknown search":               func(o *Options) { o.Search = "grid" },
		"cannot be changed":            func(o *Options) { o.Space = bare{o.Space} },
		"which choices it has":         func(o *Options) { o.Space, o.Search, o.Sampling = bare{o.Space}, "random", Strict },
		"constraints or memory do not": func(o *Options) { o.MaxMemory = 1000 },
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

func TestKendallTauIsThatOfGonumWithoutTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		x, y := make([]float64, 15), make([]float64, 15)
		for i := range x {
			x[i], y[i] = rng.Float64(), rng.Float64()
		}
		if got, want := KendallTau(x, y), stat.Kendall(x, y, nil); math.Abs(got-want) > 1e-12 {
			t.Errorf("%g, want %g", got, want)
		}
	}
}

func TestKendallTauOfTies(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 1},
		{[]float64{1, 2, 3}, []float64{6, 5, 4}, -1},
		// Pairs: three in the same order, none in the opposite; five are not tied in x, four not in y.
		{[]float64{1, 2, 2, 3}, []float64{1, 1, 2, 2}, 3 / math.Sqrt(5*4)},
		{[]float64{1, 1, 1}, []float64{1, 2, 3}, math.NaN()},
	} {
		if got := KendallTau(c.x, c.y); math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%v, %v: %g, want %g", c.x, c.y, got, c.want)
		}
	}
}

func TestTheIntervalHoldsTau(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float64, 40), make([]float64, 40)
	for i := range x {
		x[i] = rng.Float64()
		y[i] = x[i] + 0.3*rng.Float64()
	}
	r := NewRank(x, y, 1)
	if !(r.Low < r.Tau && r.Tau < r.High && r.High-r.Low < 0.4 && r.High < 1) || r != NewRank(x, y, 1) {
		t.Errorf("%+v", r)
	}
}

// TestAStepOverSeveralPathsCountsEachElementOnce updates blocks that overlap, none of which holds the other.
func TestAStepOverSeveralPathsCountsEachElementOnce(t *testing.T) {
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	p := &layers.Parameter{Name: "w", Kind: layers.Weight, Value: tensor.Full(1, 5, 4)}
	u := newUpdater(table, 0.5, 0.1)
	u.add(p, tensor.Full(2, 4, 2), 1) // rows x columns
	u.add(p, tensor.Full(3, 2, 3), 1)
	u.add(p, tensor.Full(4, 1, 1), 0.5)
	u.apply(0.1)
	for i, w := range p.Value.Data() {
		row, column := i/4, i%4
		g, used := 0.1, false // decay
		if row < 4 && column < 2 {
			g, used = g+2, true
		}
		if row < 2 && column < 3 {
			g, used = g+3, true
		}
		if row < 1 && column < 1 {
			g += 2
		}
		want, velocity := 1.0, 0.0
		if used {
			want, velocity = 1-0.1*1.5*g, g // Nesterov: g + momentum * velocity
		}
		if v := u.of(p).velocity.Data()[i]; math.Abs(float64(w)-want) > 1e-6 || math.Abs(float64(v)-velocity) > 1e-6 {
			t.Errorf("element %d, %d is %g with velocity %g, want %g and %g", row, column, w, v, want, velocity)
		}
	}
}
