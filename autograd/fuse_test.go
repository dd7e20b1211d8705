package autograd

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

func unfused(t *testing.T, outputs ...*Node) *Program {
	t.Helper()
	p, err := Compile(Options{Outputs: outputs, Unfused: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// opNames returns how often each operation stands in a program.
func opNames(p *Program) map[string]int {
	names := map[string]int{}
	for _, n := range p.Nodes() {
		if n.Op() != nil {
			names[n.Name()]++
		}
	}
	return names
}

// normGraph builds graphs around batch normalisation for TestFusedBatchNorm.
type normGraph struct {
	*Graph
	x         *Node
	shape     []int
	variables []*Node
	outputs   []*Node // besides the loss and the gradients
}

func newNormGraph(shape ...int) *normGraph {
	g := NewGraph()
	return &normGraph{Graph: g, x: g.Input("x", shape...), shape: shape}
}

func (g *normGraph) variable(dims ...int) *Node {
	t := tensor.New(dims...)
	fill(t.Data(), CaseInput{}, stream.New(uint64(len(g.variables)), "variable"))
	g.variables = append(g.variables, g.Variable(fmt.Sprint("v", len(g.variables)), t))
	return g.variables[len(g.variables)-1]
}

func (g *normGraph) norm(x *Node, training bool) *Node {
	c := x.Shape().Last()
	mean, variance := tensor.New(c), tensor.Full(1.5, c)
	return BatchNorm(x, g.variable(c), g.variable(c), g.Variable("mean", mean), g.Variable("var", variance), BatchNormOptions{Training: training})
}

func (g *normGraph) residual() *Node { return g.variable(g.shape...) }

// Fused programs hold the operations that they should, and give the same bits as unfused ones: outputs, every gradient, and
// running statistics, at every level, on one thread and on three.
func TestFusedBatchNorm(t *testing.T) {
	cases := []struct {
		name  string
		build func(g *normGraph) *Node
		has   map[string]int // operations of the fused program; the gradient of the loss adds once
	}{
		{"ReLU", func(g *normGraph) *Node { return ReLU(g.norm(g.residual(), true)) },
			map[string]int{"batch_norm_relu": 1, "batch_norm_relu_reduce": 1, "batch_norm_relu_grad": 1, "batch_norm": 0, "relu": 0, "relu_grad": 0}},
		{"ReLU of inference", func(g *normGraph) *Node { return ReLU(g.norm(g.residual(), false)) },
			map[string]int{"batch_norm_relu": 1, "relu_grad": 1, "batch_norm_scale": 1, "batch_norm": 0, "relu": 0}},
		{"sum", func(g *normGraph) *Node { return Add(g.norm(g.residual(), true), g.residual()) },
			map[string]int{"batch_norm_add": 1, "batch_norm": 0, "add": 1}},
		{"sum and ReLU", func(g *normGraph) *Node { return ReLU(Add(g.residual(), g.norm(g.residual(), true))) },
			map[string]int{"batch_norm_add_relu": 1, "batch_norm": 0, "add": 1, "relu": 0, "relu_grad": 1}},
		{"sum of two", func(g *normGraph) *Node { return ReLU(Add(g.norm(g.residual(), true), g.norm(g.residual(), true))) },
			map[string]int{"batch_norm_add_relu": 1, "batch_norm": 1, "add": 1}},
		{"sum with its input", func(g *normGraph) *Node { x := g.residual(); return ReLU(Add(g.norm(x, true), x)) },
			map[string]int{"batch_norm_add_relu": 1, "batch_norm": 0}},
		{"sum with itself", func(g *normGraph) *Node { y := g.norm(g.residual(), true); return ReLU(Add(y, y)) },
			map[string]int{"batch_norm": 1, "relu": 1}},
		{"chain", func(g *normGraph) *Node {
			y := g.residual()
			for range 3 {
				y = ReLU(g.norm(y, true))
			}
			return y
		}, map[string]int{"batch_norm_relu": 3, "batch_norm_relu_reduce": 3, "batch_norm_relu_grad": 3, "batch_norm": 0, "relu_grad": 0}},
		{"block", func(g *normGraph) *Node {
			x := ReLU(g.norm(g.residual(), true))
			return ReLU(Add(g.norm(ReLU(g.norm(x, true)), true), x))
		}, map[string]int{"batch_norm_relu": 2, "batch_norm_add_relu": 1, "relu": 0}},
		{"ReLU read twice", func(g *normGraph) *Node { y := ReLU(g.norm(g.residual(), true)); return Mul(y, Sigmoid(y)) },
			map[string]int{"batch_norm_relu": 1, "batch_norm_relu_grad": 1, "relu_grad": 0}},
		{"normalisation read twice", func(g *normGraph) *Node { y := g.norm(g.residual(), true); return Mul(ReLU(y), y) },
			map[string]int{"batch_norm": 1, "relu": 1, "batch_norm_relu": 0, "relu_grad": 1}},
		{"normalisation is an output", func(g *normGraph) *Node {
			y := g.norm(g.residual(), true)
			g.outputs = append(g.outputs, y)
			return ReLU(y)
		}, map[string]int{"batch_norm": 1, "relu": 1, "relu_grad": 1}},
		{"ReLU is an output", func(g *normGraph) *Node {
			y := ReLU(g.norm(g.residual(), true))
			g.outputs = append(g.outputs, y)
			return y
		}, map[string]int{"batch_norm_relu": 1, "batch_norm_relu_grad": 1}},
		{"sum is an output", func(g *normGraph) *Node {
			y := Add(g.norm(g.residual(), true), g.residual())
			g.outputs = append(g.outputs, y)
			return ReLU(y)
		}, map[string]int{"batch_norm_add": 1, "relu": 1}},
		{"another activation", func(g *normGraph) *Node { return ReLU6(g.norm(g.residual(), true)) },
			map[string]int{"batch_norm": 1, "relu6": 1}},
		{"statistics that the program moves", func(g *normGraph) *Node {
			x, mean, variance := g.residual(), g.Variable("mean", tensor.New(g.shape[3])), g.Variable("var", tensor.Full(1, g.shape[3]))
			y := BatchNorm(x, g.variable(g.shape[3]), g.variable(g.shape[3]), mean, variance, BatchNormOptions{})
			z := BatchNorm(x, g.variable(g.shape[3]), g.variable(g.shape[3]), mean, variance, BatchNormOptions{Training: true})
			return Mul(ReLU(y), ReLU(z))
		}, map[string]int{"batch_norm": 1, "relu": 1, "batch_norm_relu": 1}},
	}
	threads := kernels.NewThreads(3)
	defer threads.Close()
	for _, c := range cases {
		for _, level := range kernels.Available() {
			t.Run(fmt.Sprintf("%s/%v", c.name, level), func(t *testing.T) {
				table, err := kernels.ForLevel(level)
				if err != nil {
					t.Fatal(err)
				}
				run := func(o Options) (*Program, [][]float32) {
					g := newNormGraph(7, 19, 19, 13) // more than one part
					y := c.build(g)
					g.outputs = append(g.outputs, Mean(Mul(Mul(y, y), g.residual())))
					grads, err := Grad(g.outputs[len(g.outputs)-1], g.variables)
					if err != nil {
						t.Fatal(err)
					}
					o.Outputs, o.Table = append(g.outputs, grads...), table
					p, err := Compile(o)
					if err != nil {
						t.Fatal(err)
					}
					var values [][]float32
					for step := range uint64(2) { // the second sees the statistics that the first moved
						p.Run(step)
						for _, n := range o.Outputs {
							values = append(values, slices.Clone(p.Tensor(n).Data()))
						}
					}
					return p, values
				}
				plain, want := run(Options{Unfused: true})
				fused, got := run(Options{waves: &waveRules{alone: true}})
				for name, n := range c.has {
					if have := opNames(fused)[name]; have != n {
						t.Errorf("the program has %d x %s, want %d: %v", have, name, n, opNames(fused))
					}
				}
				for name := range opNames(plain) {
					if name == "batch_norm_relu" || name == "batch_norm_add" || name == "batch_norm_add_relu" {
						t.Errorf("the unfused program has %s", name)
					}
				}
				if fused.ArenaBytes() > plain.ArenaBytes() {
					t.Errorf("fusion takes %d bytes of memory, without it are %d", fused.ArenaBytes(), plain.ArenaBytes())
				}
				_, many := run(Options{Threads: threads})
				for i := range want {
					for j, v := range want[i] {
						for what, u := range map[string]float32{"fused": got[i][j], "fused on three threads": many[i][j]} {
							if math.Float32bits(u) != math.Float32bits(v) {
								t.Fatalf("value %d element %d: %s %v, unfused %v", i, j, what, u, v)
							}
						}
					}
				}
			})
		}
	}
}

// Fusion finds something to do in random graphs, and changes values by rounding alone.
func TestFusionInRandomGraphs(t *testing.T) {
	fused := 0
	for seed := range uint64(300) {
		rng := stream.New(seed, "random graph")
		loss, x, variables := randomGraph(rng, 2, 3+rng.IntN(20))
		grads, err := Grad(loss, append([]*Node{x}, variables...))
		if err != nil {
			t.Fatal(err)
		}
		outputs := []*Node{loss}
		for _, g := range grads {
			if g != nil {
				outputs = append(outputs, g)
			}
		}
		one, other := compile(t, outputs...), unfused(t, outputs...)
		fused += len(other.Nodes()) - len(one.Nodes())
		for _, p := range []*Program{one, other} {
			if in := p.Tensor(x); in != nil {
				fill(in.Data(), CaseInput{}, stream.New(seed, "images"))
			}
			p.Run(1)
		}
		for i, n := range outputs {
			nearlyEqual(t, fmt.Sprintf("seed %d: output %d (%v)", seed, i, n), [][]float32{one.Tensor(n).Data()}, [][]float32{other.Tensor(n).Data()})
		}
	}
	if fused < 100 {
		t.Errorf("fusion saved %d nodes in all graphs: the test sees too little of it", fused)
	}
}
