package autograd

import "slices"

// Simplified is a graph that computes the same as another with less work.
type Simplified struct {
	Graph *Graph
	to    map[*Node]*Node
	uses  map[*Node]int  // consumers in the original graph, outputs included
	inner map[*Node]bool // sums of the original graph that are nothing but a term of another sum
}

// Simplify copies what the outputs need into a new graph in which
//
//   - an operation that stands twice on the same inputs is computed once, where the operation allows it;
//   - sums of sums, weighted or not, are one sum;
//   - convolutions in such a sum are merged: see mergeSum;
//   - a convolution over a part of images reads it where it lies.
//
// Results are equal up to rounding. Gradients belong into the new graph: call [Grad] after it.
func Simplify(outputs ...*Node) (*Simplified, error) {
	s := &Simplified{Graph: NewGraph(), to: map[*Node]*Node{}, uses: map[*Node]int{}}
	return s, Build(func() error {
		sameGraph("simplify", outputs...)
		nodes := needed(outputs)
		for _, n := range nodes {
			for _, in := range n.in {
				s.uses[in]++
			}
		}
		for _, n := range outputs {
			s.uses[n]++
		}
		s.inner = s.innerSums(nodes)
		for _, n := range nodes {
			if s.inner[n] {
				continue
			}
			if n.op == nil {
				s.to[n] = s.leaf(n)
			} else if sum := s.mergeSum(n); sum != nil {
				s.to[n] = sum
			} else {
				s.to[n] = s.copy(n)
			}
		}
		if len(nodes) > 0 {
			for _, n := range nodes[0].graph.effects {
				if c := s.to[n]; c != nil {
					s.Graph.effects = append(s.Graph.effects, c)
				}
			}
		}
		return nil
	})
}

// Node returns the node that computes what a node of the original graph did, or nil if that was not needed or was merged
// into another. Inputs and outputs that are needed always have one.
func (s *Simplified) Node(n *Node) *Node { return s.to[n] }

func (s *Simplified) leaf(n *Node) *Node {
	switch n.kind {
	case inputNode:
		return s.Graph.Input(n.name, n.shape...)
	case variableNode:
		return s.Graph.Variable(n.name, n.value)
	}
	return s.Graph.Constant(n.value)
}

// sharer is an operation that may be computed once where it stands twice on the same inputs.
type sharer interface {
	// Same reports whether another operation does the same.
	Same(other Op) bool
}

// copy gives the operation of n its inputs in the new graph, or returns the one that has them already.
func (s *Simplified) copy(n *Node) *Node {
	in := make([]*Node, len(n.in))
	for i, old := range n.in {
		in[i] = s.to[old]
	}
	if x, op := cropped(n); x != nil {
		in[0] = s.to[x]
		return apply(op, in...)
	}
	return s.share(n.op, in...)
}

// cropped returns, for a convolution without padding over a part of images, the whole images and the same convolution over them, which
// begins where the part does: padding may be negative. Otherwise it returns nil.
func cropped(n *Node) (*Node, Op) {
	c, ok := n.op.(*conv2D)
	if !ok || c.Padding != (HW{}) {
		return nil, nil
	}
	part, ok := n.in[0].op.(*slice)
	if !ok || part.lo[0] != 0 || part.lo[3] != 0 {
		return nil, nil
	}
	x := n.in[0].in[0]
	if x.shape[0] != n.in[0].shape[0] || x.shape[3] != n.in[0].shape[3] {
		return nil, nil
	}
	if p, ok := x.op.(*pad); ok && slices.Max(p.before) == 0 && p.after[0] == 0 && p.after[3] == 0 {
		x = x.in[0] // what lies below and to the right of images counts as zeros
	}
	o := c.ConvOptions
	o.Padding = HW{-part.lo[1], -part.lo[2]}
	return x, &sizedConv{&conv2D{o}, n.shape}
}

func (s *Simplified) share(op Op, in ...*Node) *Node {
	if o, ok := op.(sharer); ok {
		for _, n := range s.Graph.nodes[in[0].id+1:] {
			if n.op != nil && slices.Equal(n.in, in) && o.Same(n.op) {
				return n
			}
		}
	}
	return apply(op, in...)
}

// factor is the number that a term of a sum is multiplied by: an element of a vector of the new graph, or 1 without one.
type factor struct {
	vector  *Node
	element int
}

// term is one summand of a flattened sum; the node is of the original graph.
type term struct {
	node   *Node
	factor factor
}

func isSum(n *Node) bool {
	switch op := n.op.(type) {
	case *binary:
		return op.kind == addKind
	case *weightedSum, *scale:
		return true
	}
	return false
}

func (s *Simplified) innerSums(nodes []*Node) map[*Node]bool {
	inner := map[*Node]bool{}
	for _, n := range nodes {
		if isSum(n) {
			for _, in := range summands(n) {
				inner[in] = inner[in] || isSum(in) && s.uses[in] == 1
			}
		}
	}
	return inner
}

// summands returns the inputs that a sum adds up.
func summands(n *Node) []*Node {
	switch n.op.(type) {
	case *weightedSum:
		return n.in[1:]
	case *scale:
		return n.in[:1]
	}
	return n.in
}

// flatten appends the terms of the sum n times f.
func (s *Simplified) flatten(terms []term, n *Node, f factor, root bool) []term {
	if !isSum(n) || !root && s.uses[n] > 1 {
		return append(terms, term{n, f})
	}
	for i, in := range summands(n) {
		g := f
		switch n.op.(type) {
		case *weightedSum:
			g = f.times(s.to[n.in[0]], i)
		case *scale:
			g = f.times(Reshape(s.to[n.in[1]], 1), 0)
		}
		terms = s.flatten(terms, in, g, false)
	}
	return terms
}

// times returns the product of a factor and an element of a vector.
func (f factor) times(vector *Node, element int) factor {
	if f.vector == nil {
		return factor{vector, element}
	}
	return factor{Mul(f.node(), factor{vector, element}.node()), 0}
}

// node returns the factor as a vector of one element.
func (f factor) node() *Node { return Slice(f.vector, []int{f.element}, []int{f.element + 1}) }

// add returns the sum of terms whose nodes are of the new graph, in one pass if any has a factor.
func add(terms []term) *Node {
	weighted := 0
	for _, t := range terms {
		if t.factor.vector != nil {
			weighted++
		}
	}
	// Terms without a factor come last: they are added to the weighted sum of the others.
	slices.SortStableFunc(terms, func(a, b term) int {
		switch {
		case a.factor.vector != nil && b.factor.vector == nil:
			return -1
		case a.factor.vector == nil && b.factor.vector != nil:
			return 1
		}
		return 0
	})
	var sum *Node
	switch {
	case weighted == 1:
		sum = Scale(terms[0].node, terms[0].factor.node())
	case weighted > 1:
		sum = WeightedSum(gather(terms[:weighted]), nodesOf(terms[:weighted])...)
	}
	for _, t := range terms[weighted:] {
		if sum == nil {
			sum = t.node
		} else {
			sum = Add(sum, t.node)
		}
	}
	return sum
}

func nodesOf(terms []term) []*Node {
	nodes := make([]*Node, len(terms))
	for i, t := range terms {
		nodes[i] = t.node
	}
	return nodes
}

// gather returns the factors of terms as one vector.
func gather(terms []term) *Node {
	var pieces []*Node
	for i := 0; i < len(terms); {
		f, j := terms[i].factor, i+1
		for j < len(terms) && terms[j].factor == (factor{f.vector, f.element + j - i}) {
			j++
		}
		pieces = append(pieces, Slice(f.vector, []int{f.element}, []int{f.element + j - i}))
		i = j
	}
	return Concat(pieces...)
}
