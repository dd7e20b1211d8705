package autograd

import "slices"

// fusions are the passes that Compile runs over a schedule, in this order. Each replaces groups of nodes by single ones
// that compute the same, bit for bit unless they say otherwise, in fewer passes over memory.
var fusions = [...]func(r *rewriter){
	foldBatchNorm,
	fuseBatchNorm,
	fuseConvolution,
}

// fuse runs passes over a schedule. It returns the new one and, for each node of the old one that
// another took the place of, that other node. Nodes that were merged into others have none. All ids are below the number that it returns.
func fuse(schedule, outputs []*Node, passes []func(*rewriter)) ([]*Node, map[*Node]*Node, int) {
	replaced := map[*Node]*Node{}
	ids := 0
	if len(schedule) > 0 {
		ids = len(schedule[0].graph.nodes)
	}
	for _, pass := range passes {
		r := newRewriter(schedule, outputs, &ids)
		pass(r)
		if len(r.new) == 0 {
			continue
		}
		var to map[*Node]*Node
		schedule, to = r.rewrite()
		for from, n := range replaced {
			if m := to[n]; m != nil {
				replaced[from] = m
			}
		}
		for from, n := range to {
			replaced[from] = n
		}
		outputs = renamed(outputs, to)
	}
	return schedule, replaced, ids
}

// renamed returns nodes with those that have a replacement replaced.
func renamed(nodes []*Node, to map[*Node]*Node) []*Node {
	if !slices.ContainsFunc(nodes, func(n *Node) bool { return to[n] != nil }) {
		return nodes
	}
	nodes = slices.Clone(nodes)
	for i, n := range nodes {
		if m := to[n]; m != nil {
			nodes[i] = m
		}
	}
	return nodes
}

// rewriter is a schedule with what a pass wants changed. Nodes of the graph are never modified: those that change
// are copied.
type rewriter struct {
	nodes   []*Node
	outputs map[*Node]bool
	users   map[*Node][]*Node // once for each use
	written map[*Node]bool    // variables that an operation of the schedule writes to
	new     map[*Node]*Node
	merged  map[*Node]bool
	before  map[*Node][]*Node // new nodes that a node needs
	ids     *int              // of the next new node
}

func newRewriter(schedule, outputs []*Node, ids *int) *rewriter {
	r := &rewriter{
		nodes: schedule, outputs: make(map[*Node]bool, len(outputs)), users: make(map[*Node][]*Node, len(schedule)),
		written: map[*Node]bool{}, new: map[*Node]*Node{}, merged: map[*Node]bool{}, ids: ids,
	}
	for _, n := range outputs {
		r.outputs[n] = true
	}
	for _, n := range schedule {
		for _, in := range n.in {
			r.users[in] = append(r.users[in], n)
		}
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				r.written[n.in[i]] = true
			}
		}
	}
	return r
}

// free reports whether the pass has not changed the node yet.
func (r *rewriter) free(n *Node) bool { return r.new[n] == nil && !r.merged[n] }

// only reports whether user alone reads n, and once.
func (r *rewriter) only(n, user *Node) bool {
	return len(r.users[n]) == 1 && r.users[n][0] == user && !r.outputs[n] && r.free(n)
}

// settled reports whether a node may be computed later than where it stands: nothing that it reads is written to.
func (r *rewriter) settled(n *Node) bool {
	return !slices.ContainsFunc(n.in, func(in *Node) bool { return r.written[in] })
}

// replace puts another operation, with inputs of the old schedule, in the place of a node.
func (r *rewriter) replace(n *Node, op Op, in ...*Node) {
	r.new[n] = &Node{graph: n.graph, id: n.id, kind: opNode, op: op, in: in, shape: n.shape, origin: n.origin}
}

// insert puts a new operation, with inputs of the old schedule, right before a node.
func (r *rewriter) insert(n *Node, op Op, shape []int, in ...*Node) *Node {
	m := &Node{graph: n.graph, id: *r.ids, kind: opNode, op: op, in: in, shape: shape, origin: n.origin}
	*r.ids++
	if r.before == nil {
		r.before = map[*Node][]*Node{}
	}
	r.before[n] = append(r.before[n], m)
	return m
}

// merge leaves out nodes that nothing reads any more.
func (r *rewriter) merge(nodes ...*Node) {
	for _, n := range nodes {
		r.merged[n] = true
	}
}

// rewrite returns the schedule with all changes, and what became of the nodes that changed.
func (r *rewriter) rewrite() ([]*Node, map[*Node]*Node) {
	to := map[*Node]*Node{}
	var schedule []*Node
	for _, n := range r.nodes {
		if r.merged[n] {
			continue
		}
		for _, m := range r.before[n] {
			m.in = renamed(m.in, to)
			schedule = append(schedule, m)
		}
		m := n
		if f := r.new[n]; f != nil {
			m = f
		}
		if in := renamed(m.in, to); len(in) > 0 && &in[0] != &m.in[0] {
			if m == n {
				c := *n
				m = &c
			}
			m.in = in
		}
		if m != n {
			to[n] = m
		}
		schedule = append(schedule, m)
	}
	return schedule, to
}
