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

// Convolutions take in what follows them: output and every gradient are the same up to rounding, at every level, for one image and for a batch.
func TestFusedConvolution(t *testing.T) {
	conv := func(g *normGraph, x *Node, k, groups int) *Node {
		return Conv2D(x, g.variable(3, 3, x.Shape().Last()/groups, k), ConvOptions{Padding: Both(1), Groups: groups})
	}
	cases := []struct {
		name  string
		build func(g *normGraph) *Node
		has   map[string]int // of the program without gradients
	}{
		{"bias", func(g *normGraph) *Node { return Bias(conv(g, g.residual(), 12, 1), g.variable(12)) }, map[string]int{"conv2d_bias": 1}},
		{"ReLU", func(g *normGraph) *Node { return ReLU(conv(g, g.residual(), 20, 1)) }, map[string]int{"conv2d_relu": 1}},
		{"bias and ReLU", func(g *normGraph) *Node { return ReLU(Bias(conv(g, g.residual(), 40, 1), g.variable(40))) }, map[string]int{"conv2d_bias_relu": 1}},
		{"bias, sum and ReLU", func(g *normGraph) *Node {
			return ReLU(Add(g.residual(), Bias(conv(g, g.residual(), 12, 1), g.variable(12))))
		}, map[string]int{"conv2d_bias_add_relu": 1, "add": 0}},
		{"sum with its input", func(g *normGraph) *Node { x := g.residual(); return Add(conv(g, x, 12, 1), x) }, map[string]int{"conv2d_add": 1}},
		{"sum of two", func(g *normGraph) *Node { x := g.residual(); return ReLU(Add(conv(g, x, 12, 1), conv(g, x, 12, 1))) },
			map[string]int{"conv2d_add_relu": 1, "conv2d": 1}},
		{"sum with itself", func(g *normGraph) *Node { y := conv(g, g.residual(), 12, 1); return Add(y, y) }, map[string]int{"conv2d": 1, "add": 1}},
		{"depthwise", func(g *normGraph) *Node {
			return ReLU(Add(Bias(conv(g, g.residual(), 12, 12), g.variable(12)), g.residual()))
		}, map[string]int{"conv2d_bias_add_relu": 1}},
		{"groups", func(g *normGraph) *Node { return ReLU(Bias(conv(g, g.residual(), 24, 4), g.variable(24))) }, map[string]int{"conv2d_bias_relu": 1}},
		{"two biases", func(g *normGraph) *Node {
			return ReLU(Bias(Bias(conv(g, g.residual(), 12, 1), g.variable(12)), g.variable(12)))
		}, map[string]int{"conv2d_bias": 1, "bias": 1, "relu": 1}},
		{"bias read twice", func(g *normGraph) *Node {
			y := Bias(conv(g, g.residual(), 12, 1), g.variable(12))
			return Mul(ReLU(y), y)
		},
			map[string]int{"conv2d_bias": 1, "relu": 1}},
		{"another activation", func(g *normGraph) *Node { return SiLU(Bias(conv(g, g.residual(), 12, 1), g.variable(12))) },
			map[string]int{"conv2d_bias": 1, "silu": 1}},
		{"convolution is an output", func(g *normGraph) *Node {
			y := conv(g, g.residual(), 12, 1)
			g.outputs = append(g.outputs, y)
			return ReLU(y)
		}, map[string]int{"conv2d": 1, "relu": 1}},
		{"chain", func(g *normGraph) *Node {
			x := g.residual()
			for range 3 {
				x = ReLU(Add(Bias(conv(g, x, 12, 1), g.variable(12)), x))
			}
			return x
		}, map[string]int{"conv2d_bias_add_relu": 3, "relu": 0, "add": 0, "bias": 0}},
	}
	for _, c := range cases {
		for _, level := range kernels.Available() {
			for _, images := range []int{1, 17} {
				t.Run(fmt.Sprintf("%s/%v/%d", c.name, level, images), func(t *testing.T) {
					table, err := kernels.ForLevel(level)
					if err != nil {
						t.Fatal(err)
					}
					run := func(o Options, backward bool) (*Program, [][]float32) {
						g := newNormGraph(images, 9, 11, 12)
						y := c.build(g)
						o.Outputs, o.Table = append(g.outputs, y), table
						if backward {
							loss := Mean(Mul(Mul(y, y), g.variable(y.Shape()...)))
							grads, err := Grad(loss, g.variables)
							if err != nil {
								t.Fatal(err)
							}
							o.Outputs = append(o.Outputs, grads...)
						}
						p, err := Compile(o)
						if err != nil {
							t.Fatal(err)
						}
						p.Run(0)
						var values [][]float32
						for _, n := range o.Outputs {
							values = append(values, p.Tensor(n).Data())
						}
						return p, values
					}
					for _, backward := range []bool{false, true} {
						_, want := run(Options{Unfused: true}, backward)
						p, got := run(Options{}, backward)
						nearlyEqual(t, fmt.Sprintf("fused (backward %t)", backward), got, want)
						if backward {
							continue
						}
						for name, n := range c.has {
							if have := opNames(p)[name]; have != n {
								t.Errorf("the program has %d x %s, want %d: %v", have, name, n, opNames(p))
							}
						}
					}
				})
			}
		}
	}
}

// nearlyEqual compares tensors: elements differ by no more than rounding leaves after some hundred operations on numbers as large as the largest of
// the tensor. A bias may be added to a convolution before or after its products.
func nearlyEqual(t *testing.T, what string, got, want [][]float32) {
	t.Helper()
	for i := range want {
		largest := 0.0
		for _, v := range want[i] {
			largest = max(largest, math.Abs(float64(v)))
		}
		for j, v := range want[i] {
			if d := math.Abs(float64(got[i][j]) - float64(v)); !(d <= 200*0x1p-24*largest) {
				t.Fatalf("%s: value %d element %d: %v, want %v; the largest is %v", what, i, j, got[i][j], v, largest)
			}
		}
	}
}

// foldGraph is a network for inference with normalisations that fold and some that do not.
func foldGraph(images int) (g *Graph, x, y *Node, variables []*tensor.Tensor) {
	g = NewGraph()
	rng := stream.New(3, "fold")
	x = g.Input("x", images, 10, 9, 3)
	variable := func(positive bool, dims ...int) *Node {
		v := tensor.New(dims...)
		fill(v.Data(), CaseInput{}, rng)
		for i, f := range v.Data() {
			v.Data()[i] = 0.3 * f
			if positive {
				v.Data()[i] = float32(math.Abs(float64(f))) + 0.2
			}
		}
		variables = append(variables, v)
		return g.Variable(fmt.Sprint("v", len(variables)), v)
	}
	norm := func(x *Node) *Node {
		c := x.Shape().Last()
		return BatchNorm(x, variable(true, c), variable(false, c), variable(false, c), variable(true, c), BatchNormOptions{})
	}
	conv := func(x *Node, k, groups int) *Node {
		return Conv2D(x, variable(false, 3, 3, x.Shape().Last()/groups, k), ConvOptions{Padding: Both(1), Groups: groups})
	}
	a := ReLU(norm(Bias(conv(x, 20, 1), variable(false, 20))))
	b := norm(conv(ReLU(conv(a, 20, 20)), 20, 1))
	c := ReLU(Add(a, b))
	d := conv(c, 8, 1)
	e := Concat(norm(d), d) // d is read twice
	y = Bias(Linear(GlobalAvgPool(norm(e)), variable(false, 16, 5)), variable(false, 5))
	return g, x, y, variables
}

// Folding batch normalisations into convolutions changes results by rounding alone, and a frozen program sees new variables after
// Refresh, not before.
func TestFoldedBatchNorm(t *testing.T) {
	for _, images := range []int{1, 19} {
		run := func(o Options, steps func(p *Program, x *Node, variables []*tensor.Tensor)) (*Program, []float32) {
			_, x, y, variables := foldGraph(images)
			o.Outputs = []*Node{y}
			p, err := Compile(o)
			if err != nil {
				t.Fatal(err)
			}
			fill(p.Tensor(x).Data(), CaseInput{}, stream.New(4, "x"))
			p.Run(0)
			if steps != nil {
				steps(p, x, variables)
			}
			return p, slices.Clone(p.Tensor(y).Data())
		}
		same := func(what string, got, want []float32) {
			t.Helper()
			nearlyEqual(t, fmt.Sprintf("%d images: %s", images, what), [][]float32{got}, [][]float32{want})
		}
		_, want := run(Options{Unfused: true}, nil)
		folded, got := run(Options{}, nil)
		same("folded", got, want)
		names := opNames(folded)
		for name, n := range map[string]int{"conv2d_bias_relu": 1, "conv2d_relu": 1, "conv2d_bias_add_relu": 1, "conv2d": 1, "batch_norm": 2} {
			if names[name] != n {
				t.Errorf("the program has %d x %s, want %d: %v", names[name], name, n, names)
			}
		}
		double := func(p *Program, x *Node, variables []*tensor.Tensor) {
			for _, v := range variables {
				for i := range v.Data() {
					v.Data()[i] *= 1.25
				}
			}
			p.Run(0)
		}
		_, changed := run(Options{Unfused: true}, double)
		if slices.Equal(changed, want) {
			t.Fatal("the change of the variables makes no difference")
		}
		frozen, got := run(Options{Frozen: true}, nil)
		same("frozen", got, want)
		_, again := run(Options{Frozen: true}, func(p *Program, x *Node, variables []*tensor.Tensor) { p.Run(0); p.Run(0) })
		if !slices.Equal(again, got) {
			t.Error("a frozen program gives other results in later runs")
		}
		_, got = run(Options{Frozen: true}, func(p *Program, x *Node, variables []*tensor.Tensor) {
			double(p, x, variables)
			p.Refresh()
			p.Run(0)
		})
		same("frozen, refreshed", got, changed)
		if a, b := len(frozen.steps), len(folded.steps); a >= b {
			t.Errorf("%d steps in a frozen program, %d otherwise", a, b)
		}
		if n := testing.AllocsPerRun(3, func() { frozen.Run(0) }); n != 0 {
			t.Errorf("a run allocates %v times", n)
		}
	}
}

func TestProgramsThatWriteToVariablesCannotBeFrozen(t *testing.T) {
	g := NewGraph()
	v := func(f float32) *Node { return g.Variable("v", tensor.Full(f, 3)) }
	y := BatchNorm(g.Input("x", 8, 3), v(1), v(0), v(0), v(1), BatchNormOptions{Training: true})
	if _, err := Compile(Options{Outputs: []*Node{y}, Frozen: true}); err == nil {
		t.Error("no error")
	}
}
