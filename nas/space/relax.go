package space

import (
	"fmt"
	"strings"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// Relaxable is a space of cells whose genomes choose one of a few operations for every edge. The choice can be relaxed to a
// mixture of all of them, which gradients can improve (Liu, Simonyan and Yang, "DARTS", ICLR 2019, section 2.2).
type Relaxable interface {
	Space
	// Relax returns the relaxation as a network of this size, whose zero values stand for one that is small enough to be searched.
	// It fails if the size is out of its range.
	Relax(s Size) (*Relaxation, error)
}

// Relaxation is the network of all genomes of a space at once. It is immutable.
type Relaxation struct {
	// Nodes of the cells, which are the same for all cells of a kind. The edges are numbered through all nodes in
	// their order.
	Nodes []RelaxedNode
	// Operations that every edge chooses from. At None, if that is not negative, stands the one that gives zero; the
	// index of the identity is Skip, or negative if there is none.
	Operations []string
	None, Skip int
	// NoneKept says that a genome may have the operation that gives zero. Otherwise it exists in the mixture alone.
	NoneKept bool
	// Size of the network.
	Size Size

	build  func(s layers.Scope, m Mixer) layers.Module
	genome func(choices []int) (Genome, error)
}

// RelaxedNode is a node of a cell.
type RelaxedNode struct {
	Cell string // kind of cell, such as "normal"
	Node int    // within the cell, from 0
	From []int  // the state of each edge
	Keep int    // how many of the edges a genome has
}

// Edges returns the number of edges of all nodes.
func (r *Relaxation) Edges() int {
	n := 0
	for _, node := range r.Nodes {
		n += len(node.From)
	}
	return n
}

// Build registers the parameters of all operations in the scope and returns the module that maps images to logits, with the
// mixer's mixtures in the place of single operations.
func (r *Relaxation) Build(s layers.Scope, m Mixer) layers.Module { return r.build(s, m) }

// Genome returns the genome that has the operation of this index on each edge; a negative one leaves an edge out. It fails if
// a node does not keep as many edges as it has to.
func (r *Relaxation) Genome(choices []int) (Genome, error) {
	if len(choices) != r.Edges() {
		return nil, fmt.Errorf("space: %d choices for %d edges", len(choices), r.Edges())
	}
	edge := 0
	for _, n := range r.Nodes {
		kept := 0
		for range n.From {
			if c := choices[edge]; c >= len(r.Operations) {
				return nil, fmt.Errorf("space: edge %d: there is no operation %d", edge, c)
			} else if c >= 0 {
				kept++
			}
			edge++
		}
		if kept != n.Keep {
			return nil, fmt.Errorf("space: %s node %d keeps %d edges, not %d", n.Cell, n.Node, kept, n.Keep)
		}
	}
	return r.genome(choices)
}

// Mixer says how operations are mixed. The same edge is mixed once in every cell of its kind.
type Mixer interface {
	// Share is the share of the channels that operations are built for, 1/Share of those of a cell; 1 for all.
	Share() int
	// Edge returns the mixture of the operations, in the order of [Relaxation.Operations], of a state. The one that
	// gives zero is nil. Stride 2 halves the state; the operations do so by themselves.
	Edge(p *layers.Pass, edge int, x *autograd.Node, operations []layers.Module, stride int) *autograd.Node
	// Node adds up the mixtures of a node's edges, the first of which has the given number.
	Node(p *layers.Pass, firstEdge int, terms []*autograd.Node) *autograd.Node
}

// mixture is a mixed operation of a network.
type mixture struct {
	edge, stride int
	names        []string
	operations   []*network // of a share of the channels; nil for the one that gives zero
}

// mix adds the mixture of an edge. Each operation is written into a network of its own.
func (n *network) mix(x ref, edge, stride int, names []string, write func(op int, n *network) ref) ref {
	in := n.at(x)
	m := &mixture{edge: edge, stride: stride, names: names}
	part := in
	part.c /= n.mixer.Share()
	for op := range names {
		sub := &network{naming: true, relaxed: true, nodes: []operation{{kind: imageOp, out: part}}}
		out := write(op, sub)
		if out < 0 {
			m.operations = append(m.operations, nil)
			continue
		}
		sub.last = out
		m.operations = append(m.operations, sub)
	}
	out := in
	if stride > 1 {
		out.h, out.w = (in.h+1)/2, (in.w+1)/2
	}
	return n.push(operation{kind: mixOp, path: n.path("mixed"), in: [2]ref{x}, out: out, mixture: m})
}

// join adds the sum of a node's mixtures.
func (n *network) join(firstEdge int, terms []ref) ref {
	return n.push(operation{kind: joinOp, all: terms, out: n.at(terms[0]), mixture: &mixture{edge: firstEdge}})
}

// build makes the modules of the operations.
func (m *mixture) build(s layers.Scope) []layers.Module {
	out := make([]layers.Module, len(m.operations))
	for i, sub := range m.operations {
		if sub != nil {
			out[i] = sub.build(s.Sub(scopeName(m.names[i])))
		}
	}
	return out
}

// scopeName makes the name of an operation part of a path.
func scopeName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .,=()/@", r) {
			return '_'
		}
		return r
	}, name)
}

// fixedNorm is a batch norm without scale and shift: where operations compete, each could otherwise make itself as
// large as it likes (Liu, Simonyan and Yang 2019, appendix A.1).
type fixedNorm struct {
	one, zero      *tensor.Tensor
	mean, variance *layers.Parameter
}

func newFixedNorm(s layers.Scope, channels int) *fixedNorm {
	n := &fixedNorm{
		one: tensor.New(channels), zero: tensor.New(channels),
		mean:     s.Param("running_mean", layers.Buffer, layers.Zeros, channels),
		variance: s.Param("running_var", layers.Buffer, layers.Ones, channels),
	}
	for i := range n.one.Data() {
		n.one.Data()[i] = 1
	}
	return n
}

// Forward normalises x over all but its innermost dimension.
func (n *fixedNorm) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	return autograd.BatchNorm(x, p.Graph.Constant(n.one), p.Graph.Constant(n.zero), p.Param(n.mean), p.Param(n.variance),
		autograd.BatchNormOptions{Training: p.Training, Momentum: layers.BatchNormMomentum, Epsilon: layers.BatchNormEpsilon})
}

// checkShare refuses a size whose channels cannot be divided.
func checkShare(space string, s Size, m Mixer) {
	if share := m.Share(); share < 1 || s.Channels%share != 0 {
		panic(fmt.Sprintf("space %s: %d channels do not divide by %d", space, s.Channels, share))
	}
}

// The size of a relaxed network of darts: small, because it computes all operations of all edges.
var relaxedDartsSize = Size{Channels: 8, Cells: 5}

// Relax implements [Relaxable]: the cells of the paper, in which batch norms are without scale and shift, and stand behind pools too.
func (d *darts) Relax(s Size) (*Relaxation, error) {
	s, err := s.or("darts", relaxedDartsSize, false)
	if err != nil {
		return nil, err
	}
	small := &darts{task: d.task, constraints: d.constraints, size: s}
	r := &Relaxation{Operations: dartsOpNames[:], None: int(dartsNone), Skip: int(dartsSkip), Size: s}
	for _, cell := range []string{"normal", "reduce"} {
		for node := range dartsNodes {
			n := RelaxedNode{Cell: cell, Node: node, Keep: 2}
			for from := range node + dartsInputs {
				n.From = append(n.From, from)
			}
			r.Nodes = append(r.Nodes, n)
		}
	}
	r.build = func(s layers.Scope, m Mixer) layers.Module {
		checkShare("darts", small.size, m)
		n := newNetwork(small.task, true)
		n.mixer = m
		return small.write(n, nil).build(s)
	}
	r.genome = func(choices []int) (Genome, error) {
		var cells [2][]DartsEdge
		edge := 0
		for _, n := range r.Nodes {
			to := &cells[0]
			if n.Cell == "reduce" {
				to = &cells[1]
			}
			for _, from := range n.From {
				if c := choices[edge]; c >= 0 {
					*to = append(*to, DartsEdge{dartsOpNames[c], from})
				}
				edge++
			}
		}
		g, err := NewDartsGenome(cells[0], cells[1])
		if err != nil {
			return nil, fmt.Errorf("space darts: %w", err)
		}
		return g, nil
	}
	return r, nil
}

// relaxedDartsNode adds the sum of the mixtures of all states before a node. The edges of the reduction cell come after
// all of the normal one.
func (n *network) relaxedDartsNode(node int, states []ref, stride int) ref {
	first := 0
	for before := range node {
		first += before + dartsInputs
	}
	if stride > 1 {
		for all := range dartsNodes {
			first += all + dartsInputs
		}
	}
	var terms []ref
	for from := range node + dartsInputs {
		s := 1
		if from < dartsInputs {
			s = stride
		}
		n.within(edgeNames[from], func() {
			terms = append(terms, n.mix(states[from], first+from, s, dartsOpNames[:], func(op int, sub *network) ref {
				if dartsOp(op) == dartsNone {
					return -1
				}
				return sub.dartsOp(dartsOp(op), 0, s)
			}))
		})
	}
	return n.join(first, terms)
}

// Relax implements [Relaxable]. An operation with several choices of parameters is as many operations.
func (s *described) Relax(size Size) (*Relaxation, error) {
	if s.kind == chainKind {
		return nil, fmt.Errorf("space %s: a chain has no cells whose operations could be mixed", s.name)
	}
	defaults := Size{Channels: 8, Cells: 3, Reductions: 2}
	if size.Cells > 0 {
		defaults.Reductions = min(defaults.Reductions, size.Cells-1)
	}
	size, err := size.or(s.name, defaults, true)
	if err != nil {
		return nil, err
	}
	if size.Reductions >= size.Cells {
		return nil, fmt.Errorf("space %s: %d reductions need more than %d cells", s.name, size.Reductions, size.Cells)
	}
	small := &described{description: s.description, task: s.task, constraints: s.constraints, size: size}
	r := &Relaxation{None: -1, Skip: -1, Size: size}
	candidates := s.candidates()
	for i := range candidates {
		b := &s.operations[candidates[i].op]
		name := b.name
		for j, p := range b.params[:b.free] {
			name += fmt.Sprintf("_%s%d", p.name, candidates[i].values[j])
		}
		r.Operations = append(r.Operations, name)
		switch {
		case b.kind == noneBlock && r.None < 0:
			r.None = i
		case b.kind == noneBlock:
			return nil, fmt.Errorf("space %s: %s and %s both give zero; a mixture has use for one", s.name, r.Operations[r.None], name)
		case b.kind == skipBlock && r.Skip < 0:
			r.Skip = i
		}
	}
	for node := range s.nodes {
		n := RelaxedNode{Cell: "cell", Node: node, Keep: s.taken(node)}
		for from := range node + 1 {
			n.From = append(n.From, from)
		}
		r.Nodes = append(r.Nodes, n)
	}
	r.build = func(scope layers.Scope, m Mixer) layers.Module {
		checkShare(s.name, small.size, m)
		n := newNetwork(small.task, true)
		n.mixer = m
		n.candidates, n.operationNames = candidates, r.Operations
		return small.write(n, nil).build(scope)
	}
	r.genome = func(choices []int) (Genome, error) {
		var units []unit
		edge := 0
		for _, n := range r.Nodes {
			for _, from := range n.From {
				if c := choices[edge]; c >= 0 {
					u := candidates[c]
					u.node, u.from = n.Node, from
					units = append(units, u)
				}
				edge++
			}
		}
		if err := s.check(units); err != nil {
			return nil, fmt.Errorf("space %s: %w", s.name, err)
		}
		return s.genome(units), nil
	}
	return r, nil
}

// candidates lists the operations with all choices of their parameters.
func (d *description) candidates() []unit {
	var out []unit
	for op := range d.operations {
		list := []unit{{op: op}}
		b := &d.operations[op]
		for i, p := range b.params[:b.free] {
			var longer []unit
			for _, u := range list {
				for _, v := range p.choices {
					u.values[i] = int32(v)
					longer = append(longer, u)
				}
			}
			list = longer
		}
		out = append(out, list...)
	}
	return out
}

// relaxedNode adds the sum of the mixtures of all states before a node.
func (s *described) relaxedNode(n *network, node int, states []ref) ref {
	first := node * (node + 1) / 2
	var terms []ref
	for from := range node + 1 {
		n.within(edgeNames[from], func() {
			terms = append(terms, n.mix(states[from], first+from, 1, n.operationNames, func(op int, sub *network) ref {
				u := &n.candidates[op]
				if s.operations[u.op].kind == noneBlock {
					return -1
				}
				return s.apply(sub, u, 0)
			}))
		})
	}
	return n.join(first, terms)
}
