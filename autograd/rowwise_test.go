package autograd

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// smallRules make groups of small graphs, with several blocks in a part and several shares in a block.
func smallRules(alone bool) *groupRules {
	return &groupRules{images: 4, elements: 8, parts: 3, pixels: 1, block: 500, reduce: 200, room: 1 << 30, alone: alone}
}

// lossAndGradients returns the loss of a random graph and the gradients for everything that it depends on.
func lossAndGradients(t *testing.T, seed uint64, images int) (outputs []*Node, x *Node) {
	t.Helper()
	rng := stream.New(seed, "random graph")
	loss, x, variables := randomGraph(rng, images, 3+rng.IntN(20))
	grads, err := Grad(loss, append([]*Node{x}, variables...))
	if err != nil {
		t.Fatal(err)
	}
	outputs = []*Node{loss}
	for _, g := range grads {
		if g != nil {
			outputs = append(outputs, g)
		}
	}
	return outputs, x
}

// runRandom compiles and runs a random graph; it returns the program and all outputs and running statistics.
func runRandom(t *testing.T, o Options, seed uint64, images int) (*Program, [][]float32) {
	t.Helper()
	return runRandomBy(t, (*Program).Run, o, seed, images)
}

// runRandomBy is like runRandom with another way to run a program.
func runRandomBy(t *testing.T, run func(p *Program, clock uint64), o Options, seed uint64, images int) (*Program, [][]float32) {
	t.Helper()
	outputs, x := lossAndGradients(t, seed, images)
	o.Outputs = outputs
	p, err := Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	if in := p.Tensor(x); in != nil {
		fill(in.Data(), CaseInput{}, stream.New(seed, "images"))
	}
	var values [][]float32
	for step := range uint64(2) {
		run(p, step)
		for _, n := range outputs {
			values = append(values, slices.Clone(p.Tensor(n).Data()))
		}
	}
	for _, n := range p.Nodes() {
		if n.kind == variableNode && (n.name == "mean" || n.name == "var") {
			values = append(values, slices.Clone(n.value.Data()))
		}
	}
	return p, values
}

// Random graphs with their gradients give the same bits whether operations are grouped or not, whether concatenations and slices copy or not, and on any number of
// threads, and the same values up to rounding with any of the passes.
func TestGroupsInRandomGraphs(t *testing.T) {
	threads := kernels.NewThreads(3)
	defer threads.Close()
	grouped, members, pieces, apart := 0, 0, 0, 0
	for seed := range uint64(150) {
		images := 4 + int(seed%9)
		_, plain := runRandom(t, Options{rules: smallRules(true), Unfused: true}, seed, images)
		for passes := range 1 << len(fusions) {
			if passes != 0 && passes != 1<<len(fusions)-1 && seed >= 30 {
				continue
			}
			some := []func(*rewriter){}
			for i, f := range fusions {
				if passes>>i&1 == 1 {
					some = append(some, f)
				}
			}
			what := fmt.Sprintf("seed %d, %d images, passes %b", seed, images, passes)
			_, want := runRandom(t, Options{rules: smallRules(true), fusions: some}, seed, images)
			p, got := runRandom(t, Options{rules: smallRules(false), fusions: some}, seed, images)
			_, many := runRandom(t, Options{rules: smallRules(false), fusions: some, Threads: threads}, seed, images)
			_, copied := runRandom(t, Options{rules: smallRules(seed%2 == 0), fusions: some, copies: true}, seed, images)
			nearlyEqual(t, what, want, plain)
			for i := range want {
				if !slices.Equal(got[i], want[i]) || !slices.Equal(many[i], want[i]) {
					t.Errorf("%s: value %d differs between groups, groups on 3 threads, and single operations", what, i)
				}
				if !slices.Equal(got[i], copied[i]) {
					t.Errorf("%s: value %d differs between pieces and copies", what, i)
				}
			}
			for _, piece := range p.plan.pieces {
				pieces++
				if !piece.dense {
					apart++
				}
			}
			for _, s := range p.steps {
				if s.group != nil {
					grouped++
					members += len(s.group.members)
				}
			}
		}
	}
	if members < 3*grouped {
		t.Errorf("%d groups have %d operations: the test sees too little of them", grouped, members)
	}
	if apart < 500 || pieces < 2*apart {
		t.Errorf("%d pieces, of which %d lie apart: the test sees too little of them", pieces, apart)
	}
}

// Groups of a batch are as good as single operations at the usual bounds, and hardly take more memory.
func TestGroupsOfAConvolutionalNetwork(t *testing.T) {
	run := func(o Options) (*Program, []float32) {
		const n = 21
		rng := stream.New(1, "network")
		g := NewGraph()
		var params []*Node
		variable := func(dims ...int) *Node {
			v := tensor.New(dims...)
			fill(v.Data(), CaseInput{}, rng)
			params = append(params, g.Variable(fmt.Sprint("w", len(params)), v))
			return params[len(params)-1]
		}
		norm := func(x *Node, c int) *Node {
			return BatchNorm(x, variable(c), variable(c), g.Variable("mean", tensor.New(c)), g.Variable("var", tensor.New(c)), BatchNormOptions{Training: true})
		}
		images := tensor.New(n, 18, 18, 3)
		fill(images.Data(), CaseInput{}, rng)
		x := Conv2D(g.Constant(images), variable(3, 3, 3, 16), ConvOptions{Padding: Both(1)})
		x = ReLU(norm(x, 16))
		for range 3 {
			y := Conv2D(ReLU(x), variable(3, 3, 1, 16), ConvOptions{Padding: Both(1), Groups: 16})
			y = norm(Conv2D(y, variable(1, 1, 16, 16), ConvOptions{}), 16)
			x = Concat(Split(Add(x, y), 4, 12)...)
		}
		loss := Mean(Linear(GlobalAvgPool(MaxPool2D(x, PoolOptions{Window: Both(2)})), variable(16, 5)))
		grads, err := Grad(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		o.Outputs = append(grads, loss)
		p, err := Compile(o)
		if err != nil {
			t.Fatal(err)
		}
		p.Run(0)
		var values []float32
		for _, n := range o.Outputs {
			values = append(values, p.Tensor(n).Data()...)
		}
		if allocs := testing.AllocsPerRun(2, func() { p.Run(0) }); allocs != 0 {
			t.Errorf("a run allocates %v times", allocs)
		}
		return p, values
	}
	alone := defaultGroupRules()
	alone.alone = true
	one, want := run(Options{rules: &alone})
	all, got := run(Options{})
	if !slices.Equal(got, want) {
		t.Error("groups change the values")
	}
	if a, b := len(all.steps), len(one.steps); a >= b {
		t.Errorf("%d steps with groups, %d without", a, b)
	}
	if a, b := all.ArenaBytes(), one.ArenaBytes(); float64(a) > 1.5*float64(b) {
		t.Errorf("%d bytes with groups, %d without", a, b)
	}
}
