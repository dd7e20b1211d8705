package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// ReLU returns max(x, 0).
func ReLU(x *Node) *Node { return Activate(x, kernels.ReLU) }

// ReLU6 returns min(max(x, 0), 6).
func ReLU6(x *Node) *Node { return Activate(x, kernels.ReLU6) }

// Sigmoid returns 1/(1+exp(-x)).
func Sigmoid(x *Node) *Node { return Activate(x, kernels.Sigmoid) }

// SiLU returns x*sigmoid(x).
func SiLU(x *Node) *Node { return Activate(x, kernels.SiLU) }

// HardSwish returns x*relu6(x+3)/6.
func HardSwish(x *Node) *Node { return Activate(x, kernels.HardSwish) }

// Exp returns e to the x.
func Exp(x *Node) *Node { return Activate(x, kernels.Exp) }

// Activate applies an activation to every element.
func Activate(x *Node, f kernels.Activation) *Node {
	if f < 0 || f >= kernels.NumActivations {
		misuse("activation", nil, "there is no activation %d", int(f))
	}
	return apply(&activation{f}, x)
}

type activation struct{ f kernels.Activation }

// activationFLOPs counts comparisons, sums, products, quotients and exponentials as one each.
var activationFLOPs = [kernels.NumActivations]int{
	kernels.ReLU: 1, kernels.ReLU6: 2, kernels.Sigmoid: 4, kernels.SiLU: 5, kernels.HardSwish: 5, kernels.Exp: 1,
}

var activationNames = [kernels.NumActivations]string{
	kernels.ReLU: "relu", kernels.ReLU6: "relu6", kernels.Sigmoid: "sigmoid", kernels.SiLU: "silu", kernels.HardSwish: "hard_swish", kernels.Exp: "exp",
}

func (a *activation) Name() string { return activationNames[a.f] }

// Same makes one of two equal activations of a tensor enough.
func (a *activation) Same(other Op) bool {
	b, ok := other.(*activation)
	return ok && *a == *b
}

func (a *activation) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (a *activation) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(activationFLOPs[a.f], out.Elements()), in, out)
}
func (*activation) InPlace() []int { return []int{0} }

func (*activation) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (a *activation) Emit(e *Emitter) {
	x, y, f := e.In(0), e.Out(), e.Table.Activate[a.f]
	e.Chunks(len(y), func(lo, hi int) { f(y[lo:hi], x[lo:hi]) })
}

func (a *activation) Grad(n, dy *Node) []*Node {
	x := n.in[0]
	if a.f == kernels.ReLU {
		// The output tells as much as the input, and need not be kept beside it.
		x = n
	}
	return []*Node{apply(&activationGrad{a: *a}, dy, x)}
}

// activationGrad is dy*f'(x).
type activationGrad struct {
	noGrad
	a activation
}

func (g *activationGrad) Name() string                         { return g.a.Name() + "_grad" }
func (g *activationGrad) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (g *activationGrad) InPlace() []int                       { return []int{0} }
func (g *activationGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(activationFLOPs[g.a.f]+1, out.Elements()), in, out)
}

func (*activationGrad) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01}, true
}

func (g *activationGrad) Emit(e *Emitter) {
	dy, x, dx, f := e.In(0), e.In(1), e.Out(), e.Table.ActivateGrad[g.a.f]
	e.Chunks(len(dx), func(lo, hi int) { f(dx[lo:hi], dy[lo:hi], x[lo:hi]) })
}

func (*activation) Cases() []Case {
	var cases []Case
	for f := range kernels.NumActivations {
		cases = append(cases, Case{Name: activationNames[f], Inputs: []CaseInput{{Shape: tensor.Shape{3, 40}, Kind: Spaced}},
			Build: func(in []*Node) *Node { return Activate(in[0], f) }})
	}
	return cases
}
