package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// graphMaker makes graphs with random variables.
type graphMaker struct {
	*Graph
	rng       *rand.Rand
	variables []*Node
}

func newGraphMaker(rng *rand.Rand) *graphMaker { return &graphMaker{Graph: NewGraph(), rng: rng} }

func (m *graphMaker) variable(dims ...int) *Node {
	t := tensor.New(dims...)
	fill(t.Data(), CaseInput{}, m.rng)
	for i := range t.Data() {
		t.Data()[i] *= 0.5
	}
	v := m.Variable(fmt.Sprint("v", len(m.variables)), t)
	m.variables = append(m.variables, v)
	return v
}

func (m *graphMaker) conv(x *Node, kernel, dilation, stride, out int, withBias bool) *Node {
	y := Conv2D(x, m.variable(kernel, kernel, x.shape[3], out), ConvOptions{
		Padding: Both(dilation * (kernel - 1) / 2), Dilation: Both(dilation), Stride: Both(stride)})
	if withBias {
		y = Bias(y, m.variable(out))
	}
	return y
}

// mixed is a mixed operation of the seed's search space.
func (m *graphMaker) mixed(x *Node) *Node {
	c := x.shape[3]
	return WeightedSum(Softmax(m.variable(5)), m.conv(x, 3, 1, 1, c, true), m.conv(x, 5, 1, 1, c, true),
		MaxPool2D(x, PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)}), x, m.conv(x, 1, 1, 1, c, true))
}

// values compiles and runs a loss with its gradients for the input and all variables, and returns them all.
func values(t *testing.T, loss, x *Node, variables []*Node, images []float32) ([][]float32, *Program) {
	t.Helper()
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
	p := compile(t, outputs...)
	if in := p.Tensor(x); in != nil {
		copy(in.Data(), images)
	}
	p.Run(1)
	var all [][]float32
	for i, n := range append([]*Node{nil}, grads...) {
		switch {
		case i == 0:
			all = append(all, p.Tensor(loss).Data())
		case n == nil:
			all = append(all, nil)
		default:
			all = append(all, p.Tensor(n).Data())
		}
	}
	return all, p
}

// compareSimplified wants the same loss and gradients from a graph and from its simplification, up to the rounding of sums of a few hundred
// products, each within 1e-4 of the largest element. It returns both programs.
func compareSimplified(t *testing.T, loss, x *Node, variables []*Node) (plain, simple *Program) {
	t.Helper()
	images := make([]float32, x.shape.Elements())
	fill(images, CaseInput{}, stream.New(1, "images"))
	s, err := Simplify(loss)
	if err != nil {
		t.Fatal(err)
	}
	want, plain := values(t, loss, x, variables, images)
	if s.Node(x) == nil {
		t.Fatal("the input is gone")
	}
	moved := make([]*Node, len(variables))
	for i, v := range variables {
		moved[i] = s.Graph.Variable(v.name, v.value)
	}
	got, simple := values(t, s.Node(loss), s.Node(x), moved, images)
	for i := range want {
		if (want[i] == nil) != (got[i] == nil) {
			t.Fatalf("value %d: missing on one side only", i)
		}
		scale := 1e-3
		for _, v := range want[i] {
			scale = max(scale, math.Abs(float64(v)))
		}
		for j := range want[i] {
			if d := math.Abs(float64(got[i][j] - want[i][j])); !(d <= 1e-4*scale) {
				t.Fatalf("value %d element %d: %v, want %v", i, j, got[i][j], want[i][j])
			}
		}
	}
	return plain, simple
}

func countOps(p *Program, name string) int { return opNames(p)[name] }

// convolutions counts those of the forward pass, fused or not.
func convolutions(p *Program) int {
	n := 0
	for _, node := range p.Nodes() {
		if _, fused := node.op.(*convFused); fused || node.op != nil && convOf(node) != nil {
			n++
		}
	}
	return n
}

func TestMixedOperationsBecomeOneConvolution(t *testing.T) {
	m := newGraphMaker(stream.New(1, "cell"))
	x := m.Input("x", 2, 7, 6, 4)
	states := []*Node{x}
	for range 3 {
		var sum *Node
		for _, s := range states {
			if y := m.mixed(s); sum == nil {
				sum = y
			} else {
				sum = Add(sum, y)
			}
		}
		states = append(states, sum)
	}
	y := Concat(states[1:]...)
	plain, simple := compareSimplified(t, Mean(Mul(y, y)), x, m.variables)
	if n := convolutions(plain); n != 18 {
		t.Errorf("%d convolutions before, want 18", n)
	}
	if n := convolutions(simple); n != 3 {
		t.Errorf("%d convolutions after, want one for each of 3 nodes", n)
	}
	if n := countOps(simple, "max_pool2d"); n != 3 {
		t.Errorf("%d max poolings after, want one for each of 3 states", n)
	}
	if a, b := plain.Work().MACs, simple.Work().MACs; b*14 > a*10 {
		t.Errorf("%d MACs after, %d before", b, a)
	}
}

func TestWhatIsMerged(t *testing.T) {
	pool := PoolOptions{Window: Both(3), Stride: Both(1), Padding: Both(1)}
	for _, c := range []struct {
		name         string
		build        func(m *graphMaker, x *Node) *Node
		before, left int // convolutions
	}{
		{"conv + identity", func(m *graphMaker, x *Node) *Node { return Add(m.conv(x, 3, 1, 1, 4, false), x) }, 1, 1},
		{"3x3 + 1x1", func(m *graphMaker, x *Node) *Node {
			return Add(m.conv(x, 3, 1, 1, 5, true), m.conv(x, 1, 1, 1, 5, false))
		}, 2, 1},
		{"1x7 + 7x1 would be 7x7", func(m *graphMaker, x *Node) *Node {
			return Add(Conv2D(x, m.variable(1, 7, 4, 2), ConvOptions{Padding: HW{0, 3}}), Conv2D(x, m.variable(7, 1, 4, 2), ConvOptions{Padding: HW{3, 0}}))
		}, 2, 2},
		{"dilated 3x3 inside 5x5", func(m *graphMaker, x *Node) *Node {
			return Add(m.conv(x, 5, 1, 1, 3, false), m.conv(x, 3, 2, 1, 3, true))
		}, 2, 1},
		{"dilated 3x3 with 3x3 would be 5x5", func(m *graphMaker, x *Node) *Node {
			return Add(m.conv(x, 3, 1, 1, 3, false), m.conv(x, 3, 2, 1, 3, false))
		}, 2, 2},
		{"stride 2 with unpadded average", func(m *graphMaker, x *Node) *Node {
			return WeightedSum(m.variable(3), m.conv(x, 3, 1, 2, 4, true), AvgPool2D(x, PoolOptions{Window: Both(2)}), m.conv(x, 1, 1, 2, 4, false))
		}, 2, 1},
		{"padded average stays", func(m *graphMaker, x *Node) *Node {
			return WeightedSum(m.variable(3), m.conv(x, 3, 1, 1, 4, false), AvgPool2D(x, pool), x)
		}, 1, 1},
		{"two inputs", func(m *graphMaker, x *Node) *Node {
			z := ReLU(x)
			return Add(Add(m.conv(x, 3, 1, 1, 4, true), m.conv(z, 3, 1, 1, 4, true)), z)
		}, 2, 1},
		{"weights of a weighted sum in a weighted sum", func(m *graphMaker, x *Node) *Node {
			inner := WeightedSum(m.variable(2), m.conv(x, 3, 1, 1, 4, true), x)
			return WeightedSum(Softmax(m.variable(3)), inner, Scale(m.conv(x, 1, 1, 1, 4, false), m.variable(1)), MaxPool2D(x, pool))
		}, 2, 1},
		{"a convolution with two readers stays", func(m *graphMaker, x *Node) *Node {
			y := m.conv(x, 3, 1, 1, 4, false)
			return Concat(Add(y, x), y)
		}, 1, 1},
		{"a sum with two readers is one sum", func(m *graphMaker, x *Node) *Node {
			y := Add(m.conv(x, 3, 1, 1, 4, false), m.conv(x, 1, 1, 1, 4, false))
			return Concat(Add(y, m.conv(x, 3, 1, 1, 4, false)), y)
		}, 3, 2},
		{"groups stay", func(m *graphMaker, x *Node) *Node {
			return Add(Bias(Conv2D(x, m.variable(3, 3, 2, 4), ConvOptions{Padding: Both(1), Groups: 2}), m.variable(4)), m.conv(x, 3, 1, 1, 4, false))
		}, 2, 2},
		{"scaled", func(m *graphMaker, x *Node) *Node {
			return Add(Scale(m.conv(x, 3, 1, 1, 4, true), m.variable(1)), ReLU(x))
		}, 1, 1},
		{"scaled, nothing to merge", func(m *graphMaker, x *Node) *Node { return Add(Scale(ReLU(x), m.variable(1)), x) }, 0, 0},
		{"sums of sums", func(m *graphMaker, x *Node) *Node {
			return Add(WeightedSum(m.variable(2), x, ReLU(x)), WeightedSum(m.variable(2), Sigmoid(x), SiLU(x)))
		}, 0, 0},
		{"one node twice", func(m *graphMaker, x *Node) *Node {
			return WeightedSum(m.variable(3), x, x, m.conv(x, 3, 1, 1, 4, false))
		}, 1, 1},
		{"shared kernel", func(m *graphMaker, x *Node) *Node {
			k := m.variable(3, 3, 4, 4)
			o := ConvOptions{Padding: Both(1)}
			return Add(Conv2D(x, k, o), Conv2D(ReLU(x), k, o))
		}, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newGraphMaker(stream.New(2, c.name))
			x := m.Input("x", 2, 8, 8, 4)
			y := c.build(m, x)
			plain, simple := compareSimplified(t, Mean(Mul(y, y)), x, m.variables)
			if a, b := convolutions(plain), convolutions(simple); a != c.before || b != c.left {
				t.Errorf("%d and %d convolutions, want %d and %d", a, b, c.before, c.left)
			}
			if simple.Work().MACs > plain.Work().MACs {
				t.Errorf("%d MACs, more than the %d before", simple.Work().MACs, plain.Work().MACs)
			}
		})
	}
}

// Random sums of what can and cannot be merged give the same values before and after.
func TestRandomSums(t *testing.T) {
	for seed := range uint64(150) {
		rng := stream.New(seed, "sums")
		m := newGraphMaker(rng)
		c := 1 + rng.IntN(5)
		x := m.Input("x", 1+rng.IntN(2), 6+rng.IntN(4), 6+rng.IntN(4), c)
		states := []*Node{x}
		for range 1 + rng.IntN(12) {
			a := states[rng.IntN(len(states))]
			b := states[rng.IntN(len(states))]
			var y *Node
			switch rng.IntN(9) {
			case 0, 1, 2:
				y = m.conv(a, 1+2*rng.IntN(3), 1+rng.IntN(2), 1, c, rng.IntN(2) == 0)
			case 3:
				y = Add(a, b)
			case 4:
				y = WeightedSum(m.variable(3), a, b, m.conv(b, 3, 1, 1, c, true))
			case 5:
				y = Scale(a, m.variable(1))
			case 6:
				y = m.mixed(a)
			case 7:
				y = ReLU(a)
			case 8:
				y = BatchNorm(a, m.variable(c), m.variable(c), m.Variable("mean", tensor.New(c)), m.Variable("var", tensor.New(c)), BatchNormOptions{Training: true})
			}
			states = append(states, y)
		}
		y := states[len(states)-1]
		t.Run(fmt.Sprint(seed), func(t *testing.T) { compareSimplified(t, Mean(Add(Mul(y, Sigmoid(y)), x)), x, m.variables) })
	}
}

// Running statistics are updated once, by the copy.
func TestSimplifyKeepsEffects(t *testing.T) {
	m := newGraphMaker(stream.New(1, "effects"))
	x := m.Input("x", 2, 4, 4, 2)
	mean, variance := m.Variable("mean", tensor.New(2)), m.Variable("var", tensor.New(2))
	y := BatchNorm(Add(m.conv(x, 3, 1, 1, 2, false), x), m.variable(2), m.variable(2), mean, variance, BatchNormOptions{Training: true})
	run := func(loss, x *Node) []float32 {
		clear(mean.value.Data())
		p := compile(t, loss)
		fill(p.Tensor(x).Data(), CaseInput{}, stream.New(1, "images"))
		p.Run(0)
		return append([]float32{}, mean.value.Data()...)
	}
	loss := Mean(Mul(y, y))
	want := run(loss, x)
	s, err := Simplify(loss)
	if err != nil {
		t.Fatal(err)
	}
	got := run(s.Node(loss), s.Node(x))
	for i := range want {
		if want[i] == 0 || math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Errorf("running mean %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// Convolutions over parts of images read them where they lie: nothing is copied, nor are gradients padded.
func TestConvolutionsOverPartsOfImages(t *testing.T) {
	for name, c := range map[string]struct {
		lo, hi []int
		o      ConvOptions
		r      int
		groups int
		left   int // slices
		after  int // rows and columns of zeros below and to the right
	}{
		"odd pixels, 1x1 stride 2":     {[]int{0, 1, 1, 0}, []int{2, 8, 9, 4}, ConvOptions{Stride: Both(2)}, 1, 1, 0, 0},
		"odd pixels of a padded image": {[]int{0, 1, 1, 0}, []int{2, 9, 10, 4}, ConvOptions{Stride: Both(2)}, 1, 1, 0, 1},
		"inner part, 3x3":              {[]int{0, 2, 0, 0}, []int{2, 7, 8, 4}, ConvOptions{}, 3, 1, 0, 0},
		"depthwise, dilated":           {[]int{0, 1, 2, 0}, []int{2, 8, 9, 4}, ConvOptions{Dilation: Both(2), Groups: 4}, 3, 4, 0, 0},
		"padding meets the edge":       {[]int{0, 1, 1, 0}, []int{2, 8, 9, 4}, ConvOptions{Padding: Both(1)}, 3, 1, 1, 0},
		"some channels":                {[]int{0, 1, 1, 1}, []int{2, 8, 9, 4}, ConvOptions{}, 1, 1, 1, 0},
		"some images":                  {[]int{1, 1, 1, 0}, []int{2, 8, 9, 4}, ConvOptions{}, 1, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newGraphMaker(stream.New(7, name))
			x := m.Input("x", 2, 8, 9, 4)
			whole := ReLU(Mul(x, m.variable(2, 8, 9, 4)))
			if c.after > 0 {
				whole = Pad(whole, []int{0, 0, 0, 0}, []int{0, c.after, c.after, 0})
			}
			part := Slice(whole, c.lo, c.hi)
			y := Conv2D(part, m.variable(c.r, c.r, part.Shape()[3]/c.groups, 4), c.o)
			plain, simple := compareSimplified(t, Mean(Mul(y, y)), x, m.variables)
			if countOps(plain, "slice") == 0 || countOps(simple, "slice") != c.left {
				t.Errorf("%d slices before, %d after, want some and %d", countOps(plain, "slice"), countOps(simple, "slice"), c.left)
			}
			if c.left == 0 && countOps(simple, "pad") != 0 {
				t.Errorf("the gradient is padded")
			}
		})
	}
}
