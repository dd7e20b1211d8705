package autograd

import (
	"fmt"

	"github.com/nasbench-go/nasbench/tensor"
)

// Graph is a list of nodes in topological order. It is not safe for concurrent use. The zero value is an empty graph.
type Graph struct {
	nodes     []*Node
	variables map[*tensor.Tensor]*Node
	effects   []*Node // nodes that write to variables; no output needs them
	origin    *Node   // given to new nodes: the node that Grad is at
}

// Node is one value of a graph.
type Node struct {
	graph *Graph
	id    int // position in graph.nodes
	kind  nodeKind
	name  string // of an input or a variable
	op    Op     // of an operation
	in    []*Node
	shape tensor.Shape
	value *tensor.Tensor // of a variable or a constant

	origin *Node // the node whose gradient this one helps to compute; nil outside of gradients
}

type nodeKind uint8

const (
	inputNode nodeKind = iota
	variableNode
	constantNode
	opNode
)

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{variables: map[*tensor.Tensor]*Node{}} }

// Input adds a value that the caller fills before each run, through [Program.Tensor].
func (g *Graph) Input(name string, dims ...int) *Node {
	if g == nil {
		misuse("input "+name, nil, "no graph")
	}
	s := tensor.Shape(dims).Clone()
	if err := s.Check(); err != nil {
		misuse("input "+name, nil, "%v", err)
	}
	return g.insert(&Node{kind: inputNode, name: name, shape: s})
}

// Variable adds a value whose storage lives outside the program, such as a parameter. The
// same tensor always gives the same node. The tensor must be contiguous.
func (g *Graph) Variable(name string, t *tensor.Tensor) *Node {
	checkValue(g, "variable "+name, t)
	if n, ok := g.variables[t]; ok {
		return n
	}
	n := g.insert(&Node{kind: variableNode, name: name, shape: t.Shape(), value: t})
	if g.variables == nil {
		g.variables = map[*tensor.Tensor]*Node{}
	}
	g.variables[t] = n
	return n
}

// Constant adds a value that never changes and has no gradient.
func (g *Graph) Constant(t *tensor.Tensor) *Node {
	checkValue(g, "constant", t)
	return g.insert(&Node{kind: constantNode, shape: t.Shape(), value: t})
}

// checkValue panics unless t can be the value of a node of the graph.
func checkValue(g *Graph, what string, t *tensor.Tensor) {
	switch {
	case g == nil:
		misuse(what, nil, "no graph")
	case t == nil:
		misuse(what, nil, "no tensor")
	case !t.Contiguous():
		misuse(what, []tensor.Shape{t.Shape()}, "the tensor is not contiguous")
	case len(t.Data()) != t.Len():
		misuse(what, []tensor.Shape{t.Shape()}, "the tensor has no storage")
	}
}

// Shape returns the node's dimensions. The caller must not change them.
func (n *Node) Shape() tensor.Shape { return n.shape }

// Graph returns the graph that the node belongs to.
func (n *Node) Graph() *Graph { return n.graph }

// Op returns the node's operation; nil for an input, a variable or a constant.
func (n *Node) Op() Op { return n.op }

// Name returns the name of an input or a variable, or that of the operation.
func (n *Node) Name() string {
	if n.op != nil {
		return n.op.Name()
	}
	return n.name
}

func (n *Node) String() string { return fmt.Sprintf("%%%d %s %v", n.id, n.Name(), n.shape) }

func (g *Graph) insert(n *Node) *Node {
	n.graph, n.id, n.origin = g, len(g.nodes), g.origin
	g.nodes = append(g.nodes, n)
	return n
}

// apply adds an operation node. Its inputs must all belong to one graph.
func apply(op Op, in ...*Node) *Node {
	sameGraph(op.Name(), in...)
	shapes := shapesOf(in)
	out := op.Shape(shapes)
	if err := out.Check(); err != nil {
		misuse(op.Name(), shapes, "output: %v", err)
	}
	return in[0].graph.insert(&Node{kind: opNode, op: op, in: in, shape: out})
}

// sameGraph panics unless there are nodes and all belong to one graph.
func sameGraph(name string, nodes ...*Node) {
	present(name, nodes...)
	if len(nodes) == 0 {
		misuse(name, nil, "no inputs")
	}
	for i, n := range nodes {
		if n.graph != nodes[0].graph {
			misuse(name, shapesOf(nodes), "input %d belongs to another graph", i)
		}
	}
}

// present panics if a node is nil or was not made by a graph.
func present(name string, nodes ...*Node) {
	for i, n := range nodes {
		if n == nil || n.graph == nil {
			misuse(name, nil, "input %d is no node of a graph", i)
		}
	}
}

func shapesOf(nodes []*Node) []tensor.Shape {
	s := make([]tensor.Shape, len(nodes))
	for i, n := range nodes {
		s[i] = n.shape
	}
	return s
}
