package darts

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
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
  pool: {type: avg_pool}
  skip: {type: skip}
  sep: {type: separable}
nodes: 3
inputs: 2
output: last
channels: 4
cells: 3
reductions: 1
`

// smoothCells has no operation whose gradient jumps, so that differences are close to derivatives.
const smoothCells = `
space: smooth
kind: cells
operations:
  conv: {type: conv}
  pool: {type: avg_pool}
  skip: {type: skip}
  zero: {type: none}
activation: silu
nodes: 2
`

func openSpace(t testing.TB, name string) space.Space {
	t.Helper()
	c := space.Constraints{MaxChannels: -1, AllowWeightless: true}
	var s space.Space
	var err error
	if text, ok := map[string]string{"mine": userCells, "smooth": smoothCells}[name]; ok {
		s, err = space.Read(strings.NewReader(text), name+".yaml", task, c, space.Size{})
	} else {
		s, err = space.New(name, task, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// small returns the options of a search that takes a moment.
func small(t testing.TB, name string) Options {
	o := Defaults()
	o.Space, o.Train = openSpace(t, name), images(t, 96)
	o.Size = space.Size{Channels: 2, Cells: 3}
	o.Epochs, o.Batch, o.Seed = 2, 8, 5
	if name == "darts" { // much slower than the others
		o.Train = images(t, 36)
		o.Size.Cells = 2
	}
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

func TestSearchWorksInEverySpaceOfCells(t *testing.T) {
	for _, name := range []string{"seed-cell", "darts", "nb201", "mine"} {
		for variant, change := range map[string]func(*Options){
			"first order":      func(*Options) {},
			"second order":     func(o *Options) { o.SecondOrder = true },
			"partial channels": func(o *Options) { o.Partial = 2 },
			"no guards":        func(o *Options) { o.MaxSkips, o.EigenvalueStop, o.AuxiliarySkip = -1, false, false },
			"temperature":      func(o *Options) { o.Temperature, o.FinalTemperature = 4, 0.5 },
		} {
			t.Run(name+", "+variant, func(t *testing.T) {
				o := small(t, name)
				change(&o)
				r := mustSearch(t, o)
				if err := o.Space.Check(r.Genome); err != nil {
					t.Errorf("%v: %v", r.Genome, err)
				}
				if want := min(pointsPerEpoch, o.Train.Len()/2/o.Batch) * o.Epochs; len(r.Trajectory) != want && r.Stopped == "" {
					t.Errorf("%d points, want %d", len(r.Trajectory), want)
				}
				first, last := r.Trajectory[0], r.Trajectory[len(r.Trajectory)-1]
				if len(r.Trajectory) > 4 && !(last.TrainLoss < first.TrainLoss) {
					t.Errorf("the loss goes from %g to %g", first.TrainLoss, last.TrainLoss)
				}
				if limit := math.Log(float64(len(r.Operations))); !(first.Entropy > 0.9*limit && first.Entropy <= limit+1e-9) {
					t.Errorf("entropy begins at %g, want nearly %g", first.Entropy, limit)
				}
				if reflect.DeepEqual(first.Alphas, last.Alphas) {
					t.Error("the alphas do not move")
				}
				if (last.Eigenvalue != 0) != o.EigenvalueStop {
					t.Errorf("eigenvalue %g", last.Eigenvalue)
				}
			})
		}
	}
}

func TestSearchIsTheSameForAnyNumberOfThreads(t *testing.T) {
	for _, name := range []string{"seed-cell", "nb201", "mine"} {
		var want *Result
		for _, n := range []int{1, 2, 3} {
			threads := kernels.NewThreads(n)
			o := small(t, name)
			o.SecondOrder, o.Threads, o.Size.Channels = true, threads, 4
			got := mustSearch(t, o)
			threads.Close()
			if want == nil {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d threads give another result than one", name, n)
			}
		}
		o := small(t, name)
		o.SecondOrder, o.Size.Channels, o.Seed = true, 4, 6
		if reflect.DeepEqual(mustSearch(t, o).Trajectory, want.Trajectory) {
			t.Errorf("%s: another seed gives the same", name)
		}
	}
}

// TestDivergingSearchesFailWithTheirReason: what is no number never reaches a checkpoint or a report.
func TestDivergingSearchesFailWithTheirReason(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"weights":             func(o *Options) { o.LearningRate, o.FinalRate, o.ClipNorm = 1e20, 1e20, 0 },
		"clipped weights":     func(o *Options) { o.LearningRate, o.FinalRate = 1e20, 1e20 },
		"weights, no guard":   func(o *Options) { o.LearningRate, o.FinalRate, o.EigenvalueStop = 1e30, 1e30, false },
		"second order":        func(o *Options) { o.LearningRate, o.FinalRate, o.SecondOrder = 1e20, 1e20, true },
		"decay of the alphas": func(o *Options) { o.AlphaDecay, o.AlphaRate = 3e38, 3e38 },
		"alphas":              func(o *Options) { o.AlphaRate, o.WarmUp, o.Temperature = 3e38, 0, 1e-30 },
	} {
		o := small(t, "nb201")
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		o.Epochs = 4
		change(&o)
		o.Report = func(p Point) {
			if err := p.check(); err != nil {
				t.Errorf("%s: %v is reported", name, err)
			}
		}
		if _, err := Search(t.Context(), o); err != nil && !strings.Contains(err.Error(), "the search diverged: ") {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && name != "alphas" && name != "decay of the alphas" {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSearchGoesOnFromACheckpoint(t *testing.T) {
	want := func() *Result {
		o := small(t, "mine")
		o.Epochs = 3
		return mustSearch(t, o)
	}()
	o := small(t, "mine")
	o.Epochs = 3
	o.Checkpoint = filepath.Join(t.TempDir(), "search.darts")
	for stop := 1; stop <= 2; stop++ { // in the middle of each epoch
		ctx, cancel := context.WithCancel(t.Context())
		o.Progress = func(s Step) {
			if s.Epoch == stop && s.Step == 3 {
				cancel()
			}
		}
		if _, err := Search(ctx, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted in epoch %d: %v", stop, err)
		}
		cancel()
	}
	o.Progress = nil
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("after interruptions\n%+v, want\n%+v", got, want)
	}
	// What is finished is not done again.
	o.Progress = func(Step) { t.Error("a step after the end") }
	points := 0
	o.Report = func(Point) { points++ }
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) || points != len(want.Trajectory) {
		t.Errorf("read again: %+v, %d points", got, points)
	}
	o.Seed++
	if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("another seed goes on with the checkpoint: %v", err)
	}
}

// loaded returns a bilevel problem with both batches in place.
func loaded(t testing.TB, o *Options) *bilevel {
	t.Helper()
	relaxable, err := Relaxable(o.Space)
	if err != nil {
		t.Fatal(err)
	}
	r, err := relaxable.Relax(o.Size)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBilevel(r, o, tensor.Shape{o.Batch, task.Height, task.Width, 1}, task.Classes, 0)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	fill := func(p *program, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range p.images {
			p.images[i] = float32(r.NormFloat64())
		}
		for i := range p.labels {
			p.labels[i] = float32(r.IntN(task.Classes))
		}
	}
	fill(b.learn, 1)
	fill(b.choose, 2)
	if b.both != nil {
		fill(b.both, 2)
	}
	for _, p := range b.arch { // away from the uniform start
		for i := range p.Value.Data() {
			p.Value.Data()[i] = float32(rng.NormFloat64())
		}
	}
	return b
}

// mustRun returns the loss of a program.
func mustRun(t testing.TB, p *program) float64 {
	t.Helper()
	loss, err := p.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// slope returns the derivative of f along a direction of the architecture, by a difference.
func slope(b *bilevel, direction [][]float64, f func() float64) float64 {
	const h = 4e-3
	move := func(by float64) {
		for i, p := range b.arch {
			for j := range p.Value.Data() {
				p.Value.Data()[j] += float32(by * direction[i][j])
			}
		}
	}
	move(h)
	up := f()
	move(-2 * h)
	down := f()
	move(h)
	return (up - down) / (2 * h)
}

func randomDirection(b *bilevel, rng *rand.Rand) (direction [][]float64) {
	for _, p := range b.arch {
		row := make([]float64, p.Value.Len())
		for j := range row {
			row[j] = rng.NormFloat64() / math.Sqrt(float64(len(row)))
		}
		direction = append(direction, row)
	}
	return direction
}

func along(b *bilevel, direction [][]float64) float64 {
	sum := 0.0
	for i, g := range b.archGrads {
		for j, v := range g.Data() {
			sum += float64(v) * direction[i][j]
		}
	}
	return sum
}

func TestFirstOrderGradientIsThatOfTheLoss(t *testing.T) {
	for _, partial := range []int{1, 2} {
		o := small(t, "smooth")
		o.Partial, o.Size.Channels = partial, 4
		b := loaded(t, &o)
		rng := rand.New(rand.NewPCG(5, 6))
		for range 4 {
			direction := randomDirection(b, rng)
			if _, err := b.archGradient(t.Context(), 0.1); err != nil {
				t.Fatal(err)
			}
			got, want := along(b, direction), slope(b, direction, func() float64 { return mustRun(t, b.choose) })
			if math.Abs(got-want) > 2e-3+0.02*math.Abs(want) {
				t.Errorf("partial %d: slope %g, by differences %g", partial, got, want)
			}
		}
	}
}

// TestSecondOrderGradientIsThatOfTheUnrolledLoss compares with differences of the loss after a real step of the weights, of
// which the first order gradient is visibly not the gradient.
func TestSecondOrderGradientIsThatOfTheUnrolledLoss(t *testing.T) {
	o := small(t, "smooth")
	o.SecondOrder, o.Size.Channels, o.WeightDecay, o.ClipNorm = true, 4, 0.01, 0
	b := loaded(t, &o)
	const rate = 0.05
	for range 2 { // so that there is momentum
		if _, err := b.teachWeights(t.Context(), rate); err != nil {
			t.Fatal(err)
		}
	}
	unrolled := func() float64 {
		var saved [][]float32
		mustRun(t, b.learn)
		for i, p := range b.weights {
			w := p.Value.Data()
			saved = append(saved, append([]float32(nil), w...))
			v, g := b.sgd.State()[i].Value.Data(), b.learn.grads[i].Data()
			for j := range w {
				d := float64(g[j])
				if p.Kind == 0 {
					d += o.WeightDecay * float64(w[j])
				}
				w[j] = float32(float64(w[j]) - rate*(o.Momentum*float64(v[j])+d))
			}
		}
		loss := mustRun(t, b.both)
		for i, p := range b.weights {
			copy(p.Value.Data(), saved[i])
		}
		return loss
	}
	rng := rand.New(rand.NewPCG(7, 8))
	var first, second float64 // sums of squared errors
	for range 6 {
		direction := randomDirection(b, rng)
		want := slope(b, direction, unrolled)
		before := append([]float32(nil), b.weights[0].Value.Data()...)
		if _, err := b.archGradient(t.Context(), rate); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before, b.weights[0].Value.Data()) {
			t.Fatal("the weights are not where they were")
		}
		got := along(b, direction)
		second += (got - want) * (got - want)
		b.choose.load(b.both.images, b.both.labels)
		mustRun(t, b.choose)
		for i, g := range b.choose.grads {
			copy(b.archGrads[i].Data(), g.Data())
		}
		plain := along(b, direction)
		first += (plain - want) * (plain - want)
		t.Logf("by differences %.5f, second order %.5f, first order %.5f", want, got, plain)
	}
	if !(second < first/10) {
		t.Errorf("squared errors: second order %g, first order %g", second, first)
	}
}

func TestStepsAllocateNothing(t *testing.T) {
	for _, second := range []bool{false, true} {
		o := small(t, "smooth")
		o.SecondOrder = second
		b := loaded(t, &o)
		if n := testing.AllocsPerRun(5, func() {
			if _, err := b.teachArch(t.Context(), 0.01); err != nil {
				t.Fatal(err)
			}
			if _, err := b.teachWeights(t.Context(), 0.01); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("second order %v: %v allocations", second, n)
		}
	}
}

func TestDiscretizeKeepsTheStrongestEdges(t *testing.T) {
	r := &space.Relaxation{
		Nodes:      []space.RelaxedNode{{Cell: "c", From: []int{0, 1}, Keep: 2}, {Cell: "c", Node: 1, From: []int{0, 1, 2}, Keep: 2}},
		Operations: []string{"none", "skip", "conv"}, None: 0, Skip: 1,
	}
	shares := [][]float64{
		{0.9, 0.06, 0.04}, // none is left out, however strong
		{0.1, 0.5, 0.4},
		{0.2, 0.4, 0.4}, // the first of equals
		{0.0, 0.1, 0.9},
		{0.7, 0.2, 0.1}, // the weakest edge of its node
	}
	for _, c := range []struct {
		limit int
		none  bool // genomes may have the operation none
		want  []int
		skips int
	}{
		{-1, false, []int{1, 1, 1, 2, -1}, 3},
		{2, false, []int{2, 1, 1, 2, -1}, 2}, // the weakest skip connection gives way
		{0, false, []int{2, 1, 2, 2, -1}, 1}, // a third of four edges
		{-1, true, []int{0, 1, -1, 2, 0}, 1},
	} {
		r.NoneKept = c.none
		got, skips := discretize(r, shares, c.limit)
		if !reflect.DeepEqual(got, c.want) || skips != c.skips {
			t.Errorf("at most %d skip connections: %v with %d, want %v with %d", c.limit, got, skips, c.want, c.skips)
		}
	}
}

func TestSpacesWithoutCellsAreRefused(t *testing.T) {
	o := small(t, "darts")
	o.Space = openSpace(t, "chain")
	if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), "space chain has no edges whose operations could be mixed") {
		t.Error(err)
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"no space":               func(o *Options) { o.Space = nil },
		"no images":              func(o *Options) { o.Train = nil },
		"0 epochs":               func(o *Options) { o.Epochs = 0 },
		"too many to count":      func(o *Options) { o.Epochs = math.MaxInt },
		"learning rate 1e+39 is": func(o *Options) { o.LearningRate = 1e39 },
		"batch of 0":             func(o *Options) { o.Batch = 0 },
		"learning rate 0 is":     func(o *Options) { o.LearningRate = 0 },
		"momentum 1 is":          func(o *Options) { o.Momentum = 1 },
		"temperature 0 is":       func(o *Options) { o.Temperature = 0 },
		"warm-up NaN is":         func(o *Options) { o.WarmUp = math.NaN() },
		"do not divide by 3":     func(o *Options) { o.Partial = 3 },
		"2000 channels":          func(o *Options) { o.Size.Channels = 2000 },
		"of memory, more than":   func(o *Options) { o.MaxMemory = 1000 },
	} {
		o := small(t, "seed-cell")
		change(&o)
		if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
