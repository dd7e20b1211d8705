package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// randomGraph joins some images of one shape by random operations of all kinds, branches and views included, and returns the
// loss and the variables.
func randomGraph(rng *rand.Rand, images, nodes int) (loss, x *Node, variables []*Node) {
	const side, c = 4, 3
	n := images
	g := NewGraph()
	shape := []int{n, side, side, c}
	variable := func(dims ...int) *Node {
		t := tensor.New(dims...)
		fill(t.Data(), CaseInput{}, rng)
		for i := range t.Data() {
			t.Data()[i] *= 0.5
		}
		v := g.Variable(fmt.Sprint("v", len(variables)), t)
		variables = append(variables, v)
		return v
	}
	x = g.Input("x", shape...)
	states := []*Node{x, variable(shape...)}
	pick := func() *Node { return states[rng.IntN(len(states))] }
	norm := func(x *Node) *Node {
		return BatchNorm(x, variable(c), variable(c), g.Variable("mean", tensor.New(c)), g.Variable("var", tensor.New(c)), BatchNormOptions{Training: true})
	}
	for range nodes {
		var y *Node
		switch a := pick(); rng.IntN(21) {
		case 0:
			y = Add(a, pick())
		case 1:
			y = Sub(a, pick())
		case 2:
			y = Mul(Sigmoid(a), pick())
		case 3:
			y = ReLU(a)
		case 4:
			y = SiLU(a)
		case 5:
			y = Bias(a, variable(c))
		case 6:
			y = Conv2D(a, variable(3, 3, c, c), ConvOptions{Padding: Both(1)})
		case 7:
			y = Linear(a, variable(c, c))
		case 8:
			y = norm(a)
		case 9:
			y = MaxPool2D(a, PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)})
		case 10:
			parts := Split(Concat(a, pick()), 1, c, c-1)
			y = Add(parts[1], ReLU(parts[1]))
		case 11:
			y = WeightedSum(Softmax(variable(3)), a, pick(), pick())
		case 12:
			y = Reshape(Softmax(Reshape(a, n, -1)), shape...)
		case 13:
			y = Dropout(a, 0.3, rng.Uint64())
		case 14:
			y = Slice(Pad(a, []int{0, 1, 0, 0}, []int{0, 0, 1, 0}), []int{0, 0, 1, 0}, []int{n, side, side + 1, c})
		case 15:
			y = Add(a, Mean(a, 1, 2, 3, 0))
		case 16:
			y = ReLU(norm(a))
		case 17:
			y = ReLU(Add(pick(), norm(a)))
		case 18:
			b := Conv2D(a, variable(1, 1, c, 2), ConvOptions{})
			pool := AvgPool2D(pick(), PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)})
			y = Conv2D(Concat(b, pool, Conv2D(b, variable(3, 3, 1, 2), ConvOptions{Padding: Both(1), Groups: 2})), variable(1, 1, 4+c, c), ConvOptions{})
		case 19:
			parts := Split(a, 1, c-1)
			y = Concat(Conv2D(parts[1], variable(3, 3, c-1, c-1), ConvOptions{Padding: Both(1)}), parts[0])
		case 20: // elements of a few vectors, side by side, and one image for all
			v := Concat(Mean(a, 0, 1, 2), Exp(Slice(variable(2*c), []int{c}, []int{2*c - 1})), variable(1))
			y = Add(Bias(a, Slice(v, []int{1}, []int{c + 1})), Slice(a, []int{n - 1, 0, 0, 0}, []int{n, side, side, c}))
		}
		states = append(states, y)
	}
	loss = Mean(Mul(states[len(states)-1], pick()))
	return loss, x, variables
}

// Random graphs with their gradients give the same bits whether memory is reused, in place or later, or every node keeps its own.
func TestMemoryReuseInRandomGraphs(t *testing.T) {
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
		lean := unfused(t, outputs...)
		rich := unfused(t, lean.Nodes()...)
		for _, p := range []*Program{lean, rich} {
			if in := p.Tensor(x); in != nil {
				fill(in.Data(), CaseInput{}, stream.New(seed, "images"))
			}
			p.Run(1)
		}
		for i, n := range outputs {
			a, b := lean.Tensor(n).Data(), rich.Tensor(n).Data()
			for j := range a {
				if math.Float32bits(a[j]) != math.Float32bits(b[j]) {
					t.Fatalf("seed %d: output %d (%v) element %d: %v, without reuse %v", seed, i, n, j, a[j], b[j])
				}
			}
		}
	}
}
