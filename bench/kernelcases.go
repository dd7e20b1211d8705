package bench

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Direction is what of an operation is measured.
type Direction string

// The directions: the operation itself, its gradient for the input, and that for the weights.
const (
	Forward         Direction = "fwd"
	BackwardData    Direction = "bwd-data"
	BackwardWeights Direction = "bwd-weights"
)

// Directions lists the directions.
func Directions() []string {
	return []string{string(Forward), string(BackwardData), string(BackwardWeights)}
}

// Kind is a kind of kernels to measure.
type Kind struct {
	Name       string
	Title      string // one line
	Form       string // of a shape
	Shapes     []string
	Directions []Direction // of which it has cases
	// Cases returns the cases of a shape in a direction.
	Cases func(shape string, d Direction) ([]KernelCase, error)
}

// Kinds lists the kinds of kernels.
func Kinds() []Kind {
	all := []Direction{Forward, BackwardData, BackwardWeights}
	twoWays := []Direction{Forward, BackwardData}
	return []Kind{
		{"gemm", "matrix products: fwd is A*B, bwd-data A*B', bwd-weights A'*B", "MxNxK", gemmShapes, all, gemmCases},
		{"conv", "dense and grouped convolutions, padding such that stride 1 keeps the size", "N,C,H,K,R,stride,groups,dilation", convShapes, all, convCases},
		{"depthwise", "depthwise and dilated convolutions", "N,C,H,K,R,stride,groups,dilation", depthwiseShapes, all, convCases},
		{"pool", "max and average pooling, padding of half the window", "N,C,H,window,stride", poolShapes, twoWays, poolCases},
		{"norm", "batch norm in training: statistics, normalisation, and their gradients", "N,C,H", normShapes, twoWays, normCases},
		{"elementwise", "element-wise operations, rows of softmax and updates of optimisers over that many elements", "elements", elementwiseShapes, []Direction{Forward}, elementwiseCases},
	}
}

var (
	gemmShapes = []string{
		"64x64x64", "128x128x128", "256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048",
		"16x1024x144", "16x784x400", "64x784x576", "128x196x1152", "512x49x4608", "64x3136x147", "128x10x64", "10x64x50176",
	}
	convShapes = []string{
		"64,3,32,16,3,1,1,1", "64,16,32,16,3,1,1,1", "64,16,32,16,5,1,1,1", "64,16,32,16,1,1,1,1", "64,32,16,32,3,1,1,1",
		"64,64,8,64,3,1,1,1", "64,128,8,128,3,1,1,1", "64,64,16,64,3,2,1,1", "8,64,56,64,3,1,1,1", "8,256,14,256,3,1,1,1",
		// Odd ones.
		"7,17,19,17,3,1,1,1", "7,24,33,24,3,1,1,1", "7,40,14,40,5,1,1,1", "7,48,7,48,3,1,1,1", "1,64,14,64,3,1,1,1",
		"1,32,7,32,7,1,1,1", "7,17,33,48,7,2,1,1", "1,24,19,40,1,1,1,1", "7,48,14,24,3,2,1,1", "64,1,28,16,3,1,1,1",
	}
	depthwiseShapes = []string{
		"64,16,32,16,3,1,16,1", "64,16,32,16,5,1,16,1", "64,16,32,16,3,1,16,2", "64,64,16,64,3,2,64,1", "64,64,16,64,5,1,64,2",
		"7,17,19,17,7,1,17,1", "1,48,14,48,5,2,48,1", "7,24,33,24,3,1,24,1",
	}
	poolShapes        = []string{"64,16,32,3,1", "64,16,32,2,2", "64,16,32,3,2", "64,64,8,3,1", "7,17,19,3,1"}
	normShapes        = []string{"64,16,32", "64,64,8", "8,256,14", "7,17,19"}
	elementwiseShapes = []string{"4096", "16777216"} // within the first-level cache, beyond all caches
)

// numbers reads whole numbers of at least 1, divided by sep, as many as form has names.
func numbers(shape, sep, form string) ([]int, error) {
	parts, names := strings.Split(shape, sep), strings.Split(form, sep)
	if len(parts) != len(names) {
		return nil, fmt.Errorf("bench: shape %q: want %s", shape, form)
	}
	product := int64(1)
	list := make([]int, len(parts))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 1<<30 {
			return nil, fmt.Errorf("bench: shape %q: %s is %q, want a number from 1 to 2^30", shape, names[i], p)
		}
		list[i] = n
		if product > 1<<50/int64(n) { // the product itself may be too large to count
			return nil, fmt.Errorf("bench: shape %q is too large", shape)
		}
		product *= int64(n)
	}
	return list, nil
}

// sized refuses tensors of more than 2^30 elements, each given by its dimensions, which are a slip of the keyboard.
func sized(shape string, tensors ...[]int) error {
	for _, dims := range tensors {
		n := 1
		for _, d := range dims {
			if d > 1<<30 || n*d > 1<<30 { // the product of two such numbers does not overflow
				return fmt.Errorf("bench: shape %q has a tensor of more than 2^30 elements", shape)
			}
			n *= d
		}
	}
	return nil
}

// operation is a case of a function of inputs x and possibly w, or of one of its gradients.
func operation(name string, d Direction, terms int, inputs func(g *autograd.Graph) []*autograd.Node, f func(in []*autograd.Node) *autograd.Node) KernelCase {
	return KernelCase{Name: name + "/" + string(d), terms: terms, build: func(g *autograd.Graph) (outputs, reads []*autograd.Node, err error) {
		in := inputs(g)
		y := f(in)
		if d == Forward {
			return []*autograd.Node{y}, in, nil
		}
		dy := g.Input("dy", y.Shape()...)
		wrt := in[:1]
		if d == BackwardWeights {
			wrt = in[1:2]
		}
		grads, err := autograd.VJP(y, dy, wrt)
		return grads, append(in, dy), err
	}}
}

func gemmCases(shape string, d Direction) ([]KernelCase, error) {
	n, err := numbers(shape, "x", "MxNxK")
	if err != nil {
		return nil, err
	}
	m, columns, k := n[0], n[1], n[2]
	if err := sized(shape, []int{m, columns}, []int{m, k}, []int{columns, k}); err != nil {
		return nil, err
	}
	// The product of the direction is m x columns over k.
	rows, in, out := m, k, columns
	switch d {
	case BackwardData:
		in, out = columns, k
	case BackwardWeights:
		rows, in, out = k, m, columns
	}
	inputs := func(g *autograd.Graph) []*autograd.Node {
		return []*autograd.Node{g.Input("x", rows, in), g.Input("w", in, out)}
	}
	return []KernelCase{operation("GEMM/"+shape, d, k, inputs, func(in []*autograd.Node) *autograd.Node { return autograd.Linear(in[0], in[1]) })}, nil
}

func convCases(shape string, d Direction) ([]KernelCase, error) {
	n, err := numbers(shape, ",", "N,C,H,K,R,stride,groups,dilation")
	if err != nil {
		return nil, err
	}
	batch, c, h, k, r, stride, groups, dilation := n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]
	if c%groups != 0 || k%groups != 0 {
		return nil, fmt.Errorf("bench: shape %q: %d and %d channels do not divide into %d groups", shape, c, k, groups)
	}
	if err := sized(shape, []int{batch, c, h, h}, []int{batch, k, h, h}, []int{r, r, c / groups, k}, []int{dilation, r}); err != nil {
		return nil, err
	}
	options := autograd.ConvOptions{Stride: autograd.Both(stride), Padding: autograd.Both(dilation * (r - 1) / 2), Dilation: autograd.Both(dilation), Groups: groups}
	side := (h+2*options.Padding.H-dilation*(r-1)-1)/stride + 1
	terms := map[Direction]int{Forward: r * r * c / groups, BackwardData: r * r * k / groups, BackwardWeights: batch * side * side}[d]
	inputs := func(g *autograd.Graph) []*autograd.Node {
		return []*autograd.Node{g.Input("x", batch, h, h, c), g.Input("w", r, r, c/groups, k)}
	}
	return []KernelCase{operation("Conv/"+shape, d, terms, inputs, func(in []*autograd.Node) *autograd.Node { return autograd.Conv2D(in[0], in[1], options) })}, nil
}

func poolCases(shape string, d Direction) ([]KernelCase, error) {
	n, err := numbers(shape, ",", "N,C,H,window,stride")
	if err != nil {
		return nil, err
	}
	if err := sized(shape, []int{n[0], n[1], n[2], n[2]}); err != nil {
		return nil, err
	}
	o := autograd.PoolOptions{Window: autograd.Both(n[3]), Stride: autograd.Both(n[4]), Padding: autograd.Both((n[3] - 1) / 2)}
	inputs := func(g *autograd.Graph) []*autograd.Node {
		return []*autograd.Node{g.Input("x", n[0], n[2], n[2], n[1])}
	}
	return []KernelCase{
		operation("MaxPool/"+shape, d, 0, inputs, func(in []*autograd.Node) *autograd.Node { return autograd.MaxPool2D(in[0], o) }),
		operation("AvgPool/"+shape, d, 0, inputs, func(in []*autograd.Node) *autograd.Node { return autograd.AvgPool2D(in[0], o) }),
	}, nil
}

func normCases(shape string, d Direction) ([]KernelCase, error) {
	n, err := numbers(shape, ",", "N,C,H")
	if err != nil {
		return nil, err
	}
	if err := sized(shape, []int{n[0], n[1], n[2], n[2]}); err != nil {
		return nil, err
	}
	c := n[1]
	build := func(relu bool) func(g *autograd.Graph) (outputs, reads []*autograd.Node, err error) {
		return func(g *autograd.Graph) (outputs, reads []*autograd.Node, err error) {
			x, gamma, beta := g.Input("x", n[0], n[2], n[2], c), g.Input("gamma", c), g.Input("beta", c)
			mean, variance := g.Variable("mean", tensor.New(c)), g.Variable("variance", tensor.New(c))
			y := autograd.BatchNorm(x, gamma, beta, mean, variance, autograd.BatchNormOptions{Training: true})
			if relu {
				y = autograd.ReLU(y)
			}
			if d == Forward {
				return []*autograd.Node{y}, []*autograd.Node{x, gamma, beta}, nil
			}
			dy := g.Input("dy", y.Shape()...)
			grads, err := autograd.VJP(y, dy, []*autograd.Node{x, gamma, beta})
			return grads, []*autograd.Node{x, gamma, beta, dy}, err
		}
	}
	return []KernelCase{
		{Name: "BatchNorm/" + shape + "/" + string(d), build: build(false), backward: d != Forward, kept: 8 * int64(c)},
		{Name: "BatchNormReLU/" + shape + "/" + string(d), build: build(true), backward: d != Forward, kept: 8 * int64(c)},
	}, nil
}

func elementwiseCases(shape string, d Direction) ([]KernelCase, error) {
	n, err := numbers(shape, ",", "elements")
	if err != nil {
		return nil, err
	}
	if d != Forward {
		return nil, errors.New("bench: element-wise operations have the direction fwd alone")
	}
	if err := sized(shape, []int{n[0]}); err != nil {
		return nil, err
	}
	unary := func(f func(x *autograd.Node) *autograd.Node) func(in []*autograd.Node) *autograd.Node {
		return func(in []*autograd.Node) *autograd.Node { return f(in[0]) }
	}
	one := [][]int{{n[0]}}
	var cases []KernelCase
	for _, op := range []struct {
		name   string
		inputs [][]int
		f      func(in []*autograd.Node) *autograd.Node
	}{
		{"Add", slices.Repeat(one, 2), func(in []*autograd.Node) *autograd.Node { return autograd.Add(in[0], in[1]) }},
		{"Mul", slices.Repeat(one, 2), func(in []*autograd.Node) *autograd.Node { return autograd.Mul(in[0], in[1]) }},
		{"Scale", [][]int{{n[0]}, {1}}, func(in []*autograd.Node) *autograd.Node { return autograd.Scale(in[0], in[1]) }},
		{"WeightedSum5", append([][]int{{5}}, slices.Repeat(one, 5)...), func(in []*autograd.Node) *autograd.Node { return autograd.WeightedSum(in[0], in[1:]...) }},
		{"ReLU", one, unary(autograd.ReLU)},
		{"HardSwish", one, unary(autograd.HardSwish)},
		{"Sigmoid", one, unary(autograd.Sigmoid)},
		{"SiLU", one, unary(autograd.SiLU)},
		{"Softmax16", [][]int{{kernels.Split(n[0], 16), 16}}, unary(autograd.Softmax)},
		{"LogSoftmax16", [][]int{{kernels.Split(n[0], 16), 16}}, unary(autograd.LogSoftmax)},
		{"Sum", one, unary(func(x *autograd.Node) *autograd.Node { return autograd.Sum(x) })},
	} {
		inputs := func(g *autograd.Graph) []*autograd.Node {
			var in []*autograd.Node
			for i, dims := range op.inputs {
				in = append(in, g.Input(string(rune('a'+i)), dims...))
			}
			return in
		}
		c := operation(op.name+"/"+shape, d, 0, inputs, op.f)
		c.positive = true
		cases = append(cases, c)
	}
	return append(cases, updateCases(shape, n[0])...), nil
}
