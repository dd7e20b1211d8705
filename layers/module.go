package layers

import (
	"github.com/nasbench-go/nasbench/autograd"
)

// Pass is one building of a graph from modules.
type Pass struct {
	Graph    *autograd.Graph
	Training bool // batch statistics and random masks; false builds an inference graph

	// Momentum is the share of a new batch in the running statistics of batch norms; 0 means [BatchNormMomentum].
	Momentum float32

	store *Store // if set, parameters must belong to it
	uses  []Use  // of a shared store
}

// Param returns the graph's variable of a parameter; the same one at every call in one graph.
func (p *Pass) Param(q *Parameter) *autograd.Node {
	made(p != nil && q != nil && q.Value != nil, "parameter")
	if q.whole != nil {
		return p.view(q)
	}
	if p.store != nil && p.store.Lookup(q.Name) != q {
		misuse(q.Name, "the parameter belongs to another store than the model's")
	}
	return p.Graph.Variable(q.Name, q.Value)
}

// made panics where a module, a parameter or a pass is nil or was not made by its constructor.
func made(ok bool, what string) {
	if !ok {
		misuse("", "%s: it, or the pass, is nil or was not made by its constructor", what)
	}
}

// forward is m.Forward for what a user gives: a module that is nil, or gives no node, is misuse.
func forward(m Module, what string, p *Pass, x *autograd.Node) *autograd.Node {
	if m == nil {
		misuse("", "%s: a module is nil", what)
	}
	y := m.Forward(p, x)
	if y == nil {
		misuse("", "%s: a module of type %T returns no node", what, m)
	}
	return y
}

// Module adds operations to the graph of a pass and returns their output. Its
// parameters are made by its constructor, so Forward may be called for many graphs, and more
// than once in one graph.
type Module interface {
	Forward(p *Pass, x *autograd.Node) *autograd.Node
}

// Func makes a module of an operation without parameters, Func(autograd.ReLU) for instance.
type Func func(x *autograd.Node) *autograd.Node

// Forward applies the function.
func (f Func) Forward(_ *Pass, x *autograd.Node) *autograd.Node {
	made(f != nil, "function")
	return f(x)
}

// Sequential applies modules one after the other; without any it is the identity.
type Sequential []Module

// Forward chains the modules.
func (s Sequential) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	for _, m := range s {
		x = forward(m, "sequence", p, x)
	}
	return x
}

// Residual adds a shortcut to a body: Body(x) + Shortcut(x). A nil Shortcut is the identity.
type Residual struct {
	Body, Shortcut Module
}

// Forward adds the two branches.
func (r Residual) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	y := forward(r.Body, "body of a residual", p, x)
	if r.Shortcut != nil {
		x = forward(r.Shortcut, "shortcut of a residual", p, x)
	}
	return autograd.Add(y, x)
}

// Identity returns its input.
type Identity struct{}

// Forward returns x.
func (Identity) Forward(_ *Pass, x *autograd.Node) *autograd.Node { return x }

// MaxPool takes the maximum over square windows of an image; padding never wins. A zero
// Stride is that of the window.
type MaxPool struct{ Window, Stride, Padding int }

// Forward pools x, N x H x W x C.
func (m MaxPool) Forward(_ *Pass, x *autograd.Node) *autograd.Node {
	return autograd.MaxPool2D(x, poolOptions(m))
}

// AvgPool averages over the pixels of a square window that lie inside the image. A zero
// Stride is that of the window.
type AvgPool struct{ Window, Stride, Padding int }

// Forward pools x, N x H x W x C.
func (m AvgPool) Forward(_ *Pass, x *autograd.Node) *autograd.Node {
	return autograd.AvgPool2D(x, poolOptions(m))
}

func poolOptions(o struct{ Window, Stride, Padding int }) autograd.PoolOptions {
	return autograd.PoolOptions{
		Window: autograd.Both(o.Window), Stride: autograd.Both(o.Stride), Padding: autograd.Both(o.Padding),
	}
}

// GlobalAvgPool averages over all pixels: N x H x W x C to N x C.
type GlobalAvgPool struct{}

// Forward pools x.
func (GlobalAvgPool) Forward(_ *Pass, x *autograd.Node) *autograd.Node {
	return autograd.GlobalAvgPool(x)
}

// Flatten joins all dimensions but the first: N x H x W x C to N x H*W*C.
type Flatten struct{}

// Forward reshapes x without copying.
func (Flatten) Forward(_ *Pass, x *autograd.Node) *autograd.Node {
	made(x != nil, "image to flatten")
	s := x.Shape()
	if len(s) == 0 {
		misuse("", "flatten: a scalar has no leading dimension")
	}
	return autograd.Reshape(x, s[0], s[1:].Elements())
}

// Activations as modules.

// ReLU is max(x, 0).
func ReLU() Module { return Func(autograd.ReLU) }

// ReLU6 is min(max(x, 0), 6).
func ReLU6() Module { return Func(autograd.ReLU6) }

// Sigmoid is 1/(1+exp(-x)).
func Sigmoid() Module { return Func(autograd.Sigmoid) }

// SiLU is x*sigmoid(x).
func SiLU() Module { return Func(autograd.SiLU) }

// HardSwish is x*relu6(x+3)/6.
func HardSwish() Module { return Func(autograd.HardSwish) }

// Dropout sets elements to zero with probability p and divides the others by 1-p
// (Srivastava et al. 2014); outside of training it is the identity.
type Dropout struct {
	p   float32
	key uint64
}

// NewDropout returns a dropout whose masks are named by the scope. It panics with a [*ConstructionError] unless 0 <= p < 1.
func NewDropout(s Scope, p float64) *Dropout {
	checkProbability(s, "dropout", p)
	return &Dropout{p: float32(p), key: s.Key("dropout")}
}

// Forward masks single elements.
func (d *Dropout) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	made(d != nil && p != nil, "dropout")
	if !p.Training || d.p == 0 {
		return x
	}
	return autograd.Dropout(x, d.p, d.key)
}

// DropPath sets whole samples to zero with probability p and divides the others by
// 1-p (Huang et al. 2016, "Deep Networks with Stochastic Depth"); it is meant for the
// branches of a residual. Outside of training it is the identity.
type DropPath struct {
	p   float32
	key uint64
}

// NewDropPath returns a drop-path whose masks are named by the scope. It panics with a [*ConstructionError] unless 0 <= p < 1.
func NewDropPath(s Scope, p float64) *DropPath {
	checkProbability(s, "drop-path", p)
	return &DropPath{p: float32(p), key: s.Key("drop_path")}
}

// Forward masks samples of the leading dimension.
func (d *DropPath) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	made(d != nil && p != nil, "drop-path")
	if !p.Training || d.p == 0 {
		return x
	}
	return autograd.DropPath(x, d.p, d.key)
}

func checkProbability(s Scope, what string, p float64) {
	if !(p >= 0 && p < 1) {
		misuse(s.Path(), "%s: probability %v is not in [0, 1)", what, p)
	}
}
