package autograd

import (
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// Products that are divided into blocks of rows and columns, or into partial sums, are the products.
func TestLinearInParts(t *testing.T) {
	for _, c := range []struct{ rows, in, out int }{
		{300, 70, 400}, {1000, 40, 33}, {257, 300, 65}, {64, 200, 1000}, {3000, 10, 64}, {140, 130, 1300}, {10, 50000, 64}, {128, 1152, 196}, {3, 9000, 100},
	} {
		rng := stream.New(1, "linear")
		random := func(dims ...int) *tensor.Tensor {
			x := tensor.New(dims...)
			fill(x.Data(), CaseInput{}, rng)
			return x
		}
		x, w, dy := random(c.rows, c.in), random(c.in, c.out), random(c.rows, c.out)
		g := NewGraph()
		a, b := g.Variable("x", x), g.Variable("w", w)
		y := Linear(a, b)
		grads, err := VJP(y, g.Variable("dy", dy), []*Node{a, b})
		if err != nil {
			t.Fatal(err)
		}
		p := compile(t, y, grads[0], grads[1])
		p.Run(0)
		check := func(name string, n *Node, terms int, term func(row, column, i int) float64) {
			columns := n.shape[1]
			got := p.Tensor(n).Data()
			for i := range got {
				sum, scale := 0.0, 0.0
				for k := range terms {
					v := term(i/columns, i%columns, k)
					sum += v
					scale += math.Abs(v)
				}
				// Each of the additions and products rounds by half a unit in the last place at most.
				if d := math.Abs(float64(got[i]) - sum); !(d <= float64(terms+1)*0x1p-24*scale) {
					t.Fatalf("%+v: %s element %d: %v, want %v", c, name, i, got[i], sum)
				}
			}
		}
		at := func(m *tensor.Tensor, i, j int) float64 { return float64(m.Data()[i*m.Shape()[1]+j]) }
		check("y", y, c.in, func(i, j, k int) float64 { return at(x, i, k) * at(w, k, j) })
		check("dx", grads[0], c.out, func(i, j, k int) float64 { return at(dy, i, k) * at(w, j, k) })
		check("dw", grads[1], c.rows, func(i, j, k int) float64 { return at(x, k, i) * at(dy, k, j) })
	}
}

func TestVJPErrors(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 2, 3)
	y := ReLU(x)
	if _, err := VJP(y, g.Input("dy", 3, 2), []*Node{x}); err == nil {
		t.Error("a gradient of another shape is accepted")
	}
	if _, err := VJP(y, NewGraph().Input("dy", 2, 3), []*Node{x}); err == nil {
		t.Error("a gradient of another graph is accepted")
	}
}
