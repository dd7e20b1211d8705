package autograd

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// pieceGraph builds graphs around concatenations and slices for TestPieces.
type pieceGraph struct {
	*Graph
	x       *Node
	params  []*Node
	outputs []*Node // besides the loss and the gradients
}

func (g *pieceGraph) variable(dims ...int) *Node {
	t := tensor.New(dims...)
	fill(t.Data(), CaseInput{}, stream.New(uint64(len(g.params)), "variable"))
	g.params = append(g.params, g.Variable(fmt.Sprint("v", len(g.params)), t))
	return g.params[len(g.params)-1]
}

// conv is a 1x1 convolution to so many channels.
func (g *pieceGraph) conv(x *Node, channels int) *Node {
	return Conv2D(x, g.variable(1, 1, x.shape[3], channels), ConvOptions{})
}

// Concatenations and slices have steps where they must, and no others; nothing changes the bits of a result.
func TestPieces(t *testing.T) {
	const n, side, c = 32, 16, 6
	maxPool := PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)}
	last := func(x *Node, from int) *Node { // channels from there on
		return Slice(x, []int{0, 0, 0, from}, x.shape)
	}
	cases := []struct {
		name            string
		build           func(g *pieceGraph) *Node
		concats, slices int // copies of the program with gradients
	}{
		// The gradients of a concatenation are slices that the gradients of convolutions read where they are.
		{"cell", func(g *pieceGraph) *Node {
			a := g.conv(g.x, 5)
			b := Conv2D(a, g.variable(3, 3, 1, 5), ConvOptions{Padding: Both(1), Groups: 5})
			return g.conv(Concat(a, b, g.conv(b, 3), AvgPool2D(g.conv(g.x, 2), maxPool)), 4)
		}, 0, 2}, // a and b are read by more than the concatenation, so their gradients are sums
		{"halves of an image", func(g *pieceGraph) *Node {
			y := Concat(g.conv(g.x, 4), g.conv(g.x, 4))
			return BatchNorm(y, g.variable(8), g.variable(8), g.Variable("mean", tensor.New(8)), g.Variable("var", tensor.New(8)), BatchNormOptions{Training: true})
		}, 0, 0},
		{"large values in a group", func(g *pieceGraph) *Node {
			y := Broadcast(Reshape(g.x, n, side, side, 1, c), n, side, side, 3, c) // more than a cache holds
			y = Reshape(y, n, side*3, side, c)
			y = Concat(g.conv(y, 12), g.conv(y, 12))
			return g.conv(y, 1)
		}, 0, 0},
		{"large values of two groups", func(g *pieceGraph) *Node {
			y := Reshape(Broadcast(Reshape(g.x, n, side, side, 1, c), n, side, side, 3, c), n, side*3, side, c)
			a := g.conv(y, 12)
			y = Add(y, Sum(a)) // needs all images of a
			return g.conv(Concat(a, g.conv(y, 12)), 1)
		}, 1, 1},
		{"an input of the graph", func(g *pieceGraph) *Node { return g.conv(Concat(g.x, g.conv(g.x, 3)), 2) }, 1, 0},
		{"an input of the program", func(g *pieceGraph) *Node {
			y := g.conv(g.x, 3)
			g.outputs = append(g.outputs, y)
			return g.conv(Concat(g.conv(g.x, 2), y), 2)
		}, 1, 0},
		{"an output", func(g *pieceGraph) *Node {
			y := Concat(g.conv(g.x, 2), g.conv(g.x, 3))
			g.outputs = append(g.outputs, y, last(y, 4))
			return y
		}, 0, 1},
		{"a value twice", func(g *pieceGraph) *Node {
			y := g.conv(g.x, 3)
			return g.conv(Concat(y, g.conv(g.x, 2), y), 2)
		}, 1, 2},
		{"a value in two", func(g *pieceGraph) *Node {
			y := g.conv(g.x, 3)
			return Add(g.conv(Concat(y, g.conv(g.x, 2)), 2), g.conv(Concat(g.conv(g.x, 1), y), 2))
		}, 2, 2},
		{"an operation that writes elsewhere", func(g *pieceGraph) *Node {
			return g.conv(Concat(Sigmoid(g.conv(g.x, 3)), g.conv(g.x, 2)), 2)
		}, 1, 1},
		{"an operation that reads elsewhere", func(g *pieceGraph) *Node {
			y := g.conv(g.x, 3)
			return g.conv(Concat(y, g.conv(Sigmoid(y), 2)), 2)
		}, 1, 1},
		{"a maximum", func(g *pieceGraph) *Node { // whose gradient reads its input
			return g.conv(Concat(MaxPool2D(g.conv(g.x, 3), maxPool), g.conv(g.x, 2)), 2)
		}, 0, 0},
		{"a view", func(g *pieceGraph) *Node { // whose gradient is one too, and ends a group
			return g.conv(Concat(g.conv(g.x, 3), Reshape(Reshape(g.conv(g.x, 2), -1), n, side, side, 2)), 2)
		}, 1, 2},
		{"shuffled channels", func(g *pieceGraph) *Node { // one copy of each, and of each gradient
			p := Split(g.conv(g.x, 6), 2, 3, 1)
			return g.conv(Concat(p[2], p[0], p[1]), 2)
		}, 1, 3},
		{"a concatenation in another", func(g *pieceGraph) *Node {
			return g.conv(Concat(Concat(g.conv(g.x, 2), g.conv(g.x, 3)), g.conv(g.x, 1)), 2)
		}, 1, 0},
		{"a residual", func(g *pieceGraph) *Node { // fused with a convolution
			p := Split(g.conv(g.x, 7), 4, 3)
			return Add(Add(g.conv(g.x, 4), p[0]), g.conv(p[1], 4))
		}, 0, 0},
		{"a residual of a depthwise convolution", func(g *pieceGraph) *Node {
			p := Split(g.conv(g.x, 7), c, 1)
			return Mul(Add(Conv2D(g.x, g.variable(3, 3, 1, c), ConvOptions{Padding: Both(1), Groups: c}), p[0]), g.conv(p[1], c))
		}, 0, 1},
		{"vectors", func(g *pieceGraph) *Node { // of any operation
			v := Concat(Exp(g.variable(4)), Sigmoid(g.variable(c)), g.variable(1))
			return Bias(g.x, Slice(v, []int{3}, []int{3 + c}))
		}, 1, 1}, // of the variable, and of its gradient, which is an output
		{"images", func(g *pieceGraph) *Node {
			y := Sigmoid(g.x)
			return Add(Slice(y, []int{n / 2, 0, 0, 0}, y.shape), Slice(y, []int{0, 0, 0, 0}, []int{n / 2, side, side, c}))
		}, 0, 0},
		{"a part of the rows", func(g *pieceGraph) *Node { return Sigmoid(Slice(g.x, []int{0, 1, 0, 0}, g.x.shape)) }, 0, 1},
		{"a variable that the program moves", func(g *pieceGraph) *Node {
			mean := g.Variable("mean", tensor.New(c))
			before := Slice(mean, []int{0}, []int{c - 1})
			y := BatchNorm(g.x, g.variable(c), g.variable(c), mean, g.Variable("var", tensor.Full(1, c)), BatchNormOptions{Training: true})
			return Bias(last(y, 1), before)
		}, 0, 2},
	}
	threads := kernels.NewThreads(3)
	defer threads.Close()
	for _, k := range cases {
		for _, level := range kernels.Available() {
			t.Run(fmt.Sprintf("%s/%v", k.name, level), func(t *testing.T) {
				table, err := kernels.ForLevel(level)
				if err != nil {
					t.Fatal(err)
				}
				run := func(o Options) (*Program, [][]float32) {
					g := &pieceGraph{Graph: NewGraph()}
					g.x = g.Input("x", n, side, side, c)
					y := k.build(g)
					g.outputs = append(g.outputs, Mean(Mul(y, y)))
					grads, err := Grad(g.outputs[len(g.outputs)-1], g.params)
					if err != nil {
						t.Fatal(err)
					}
					o.Table, o.Outputs = table, g.outputs
					for _, d := range grads {
						if d != nil {
							o.Outputs = append(o.Outputs, d)
						}
					}
					p, err := Compile(o)
					if err != nil {
						t.Fatal(err)
					}
					fill(p.Tensor(g.x).Data(), CaseInput{}, stream.New(1, "images"))
					var values [][]float32
					for step := range uint64(2) { // the second finds in memory what the first left
						p.Run(step)
						for _, n := range o.Outputs {
							values = append(values, slices.Clone(p.Tensor(n).Data()))
						}
					}
					if allocs := testing.AllocsPerRun(1, func() { p.Run(2) }); allocs != 0 && o.Threads == nil {
						t.Errorf("a run allocates %v times", allocs)
					}
					return p, values
				}
				plain, want := run(Options{copies: true})
				p, got := run(Options{})
				_, many := run(Options{Threads: threads})
				count := map[string]int{}
				for _, n := range p.Steps() {
					count[n.Name()]++
				}
				if count["concat"] != k.concats || count["slice"] != k.slices {
					t.Errorf("%d concatenations and %d slices are copied, want %d and %d", count["concat"], count["slice"], k.concats, k.slices)
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) || !slices.Equal(many[i], want[i]) {
						t.Errorf("value %d differs between pieces, pieces on three threads, and copies", i)
					}
				}
				if a, b := p.ArenaBytes(), plain.ArenaBytes(); float64(a) > 1.06*float64(b) {
					t.Errorf("pieces take %d bytes of memory, copies %d", a, b)
				}
				if a, b := p.Work(), plain.Work(); a.FLOPs != b.FLOPs || a.Bytes > b.Bytes || a.Bytes == b.Bytes != (len(p.plan.pieces) == 0) {
					t.Errorf("the work is %+v, with copies %+v", a, b)
				}
			})
		}
	}
}
