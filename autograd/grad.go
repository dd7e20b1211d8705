package autograd

import (
	"github.com/nasbench-go/nasbench/tensor"
)

// Grad adds the nodes that compute the gradients of a loss of one element with respect to
// the given nodes, and returns one node for each; nil where the loss does not
// depend on it.
func Grad(loss *Node, wrt []*Node) ([]*Node, error) {
	var seed *Node
	err := Build(func() error {
		present("grad", loss)
		if loss.shape.Elements() != 1 {
			misuse("grad", []tensor.Shape{loss.shape}, "the loss must have one element")
		}
		one := tensor.New(loss.shape...)
		one.Data()[0] = 1
		seed = loss.graph.Constant(one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return VJP(loss, seed, wrt)
}

// VJP adds the nodes that compute the vector-Jacobian products of y: given dy, the gradient of some loss for y, the gradients of that loss
// with respect to the given nodes, one node for each; nil where y does not depend on it.
//
// It is reverse-mode differentiation: nodes are visited from the last to the first, and by then
// all gradients that flow into one have met.
func VJP(y, dy *Node, wrt []*Node) ([]*Node, error) {
	grads := make([]*Node, len(wrt))
	err := Build(func() error {
		present("grad", y, dy)
		for i, n := range append([]*Node{dy}, wrt...) {
			if n == nil || n.graph != y.graph {
				misuse("grad", []tensor.Shape{y.shape}, "node %d belongs to another graph than the loss, or to none", i-1)
			}
		}
		if !dy.shape.Equal(y.shape) {
			misuse("grad", []tensor.Shape{y.shape, dy.shape}, "the gradient differs in shape from what it is the gradient for")
		}
		g := y.graph
		defer func() { g.origin = nil }()
		depends := dependents(g.nodes[:y.id+1], wrt)
		at := map[*Node]*Node{y: dy}
		for i := y.id; i >= 0; i-- {
			n := g.nodes[i]
			dy := at[n]
			if dy == nil || n.op == nil || !depends[n.id] {
				continue
			}
			g.origin = n
			for j, dx := range n.op.Grad(n, dy) {
				in := n.in[j]
				if dx == nil || !depends[in.id] {
					continue
				}
				if !dx.shape.Equal(in.shape) {
					misuse("grad of "+n.op.Name(), []tensor.Shape{dx.shape}, "input %d has shape %v", j, in.shape)
				}
				if sum := at[in]; sum != nil {
					dx = Add(sum, dx)
				}
				at[in] = dx
			}
		}
		for i, n := range wrt {
			grads[i] = at[n]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return grads, nil
}

// dependents returns, by id, which of the nodes depend on one of the sources.
func dependents(nodes, sources []*Node) []bool {
	d := make([]bool, len(nodes))
	for _, n := range sources {
		if n.id < len(d) {
			d[n.id] = true
		}
	}
	for _, n := range nodes {
		for _, in := range n.in {
			d[n.id] = d[n.id] || d[in.id]
		}
	}
	return d
}

// noGrad is embedded by operations that appear in gradients only; asking for a second derivative through
// them is an error.
type noGrad struct{}

func (noGrad) Grad(n, _ *Node) []*Node {
	misuse(n.op.Name(), shapesOf(n.in), "the operation has no derivative")
	return nil
}
