package autograd

import (
	"fmt"
	"testing"

	"github.com/nasbench-go/nasbench/tensor"
)

// cellNetwork builds a network of cells with separable convolutions, pooling, sums and concatenations, and returns the loss.
func cellNetwork(cells, images int) (loss *Node, params []*tensor.Tensor) {
	g := NewGraph()
	variable := func(dims ...int) *Node {
		v := tensor.New(dims...)
		params = append(params, v)
		return g.Variable(fmt.Sprint("w", len(params)), v)
	}
	norm := func(x *Node) *Node {
		c := x.Shape().Last()
		return BatchNorm(x, variable(c), variable(c), g.Variable("mean", tensor.New(c)), g.Variable("var", tensor.New(c)), BatchNormOptions{Training: true})
	}
	conv := func(x *Node, k, size, groups int) *Node {
		return Conv2D(x, variable(size, size, x.Shape().Last()/groups, k), ConvOptions{Padding: Both(size / 2), Groups: groups})
	}
	separable := func(x *Node) *Node { return norm(conv(conv(ReLU(x), 16, 3, 16), 16, 1, 1)) }
	x := norm(conv(g.Input("x", images, 8, 8, 3), 16, 3, 1))
	for range cells {
		a := norm(conv(ReLU(x), 16, 1, 1))
		b := Add(separable(a), separable(a))
		c := Add(separable(b), MaxPool2D(a, PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)}))
		x = Concat(b, c)
	}
	return CrossEntropy(Linear(GlobalAvgPool(x), variable(x.Shape().Last(), 10)), g.Input("labels", images), 0), params
}

// BenchmarkBuildAndCompile measures everything from the first node to a program for a training step: what a search that builds
// another network every step pays for each that it has not seen.
func BenchmarkBuildAndCompile(b *testing.B) {
	for _, cells := range []int{1, 2, 4, 8} {
		nodes := 0
		b.Run(fmt.Sprintf("cells=%d", cells), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				loss, params := cellNetwork(cells, 16)
				simple, err := Simplify(loss)
				if err != nil {
					b.Fatal(err)
				}
				loss = simple.Node(loss)
				variables := make([]*Node, len(params))
				for i, v := range params {
					variables[i] = simple.Graph.Variable("", v)
				}
				grads, err := Grad(loss, variables)
				if err != nil {
					b.Fatal(err)
				}
				p, err := Compile(Options{Outputs: append(grads, loss)})
				if err != nil {
					b.Fatal(err)
				}
				nodes = len(p.Nodes())
			}
			b.ReportMetric(float64(nodes), "nodes")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(nodes)*100, "µs/100nodes")
		})
	}
}
