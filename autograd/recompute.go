package autograd

import (
	"slices"

	"github.com/nasbench-go/nasbench/kernels"
)

// A training step keeps what the forward pass computes until the backward pass reads it. Values that are cheap to compute from others that are kept
// anyway can be dropped and computed again right before they are read (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", section 3): an
// activation, a normalisation, the copies of a concatenation. The values are the same bits, so it is done only as far as a bound on memory asks for it.

// cheap reports whether an operation takes little time for what it writes, and gives the same whenever it runs.
func cheap(n *Node) bool {
	switch op := n.op.(type) {
	case *activation:
		return op.f == kernels.ReLU || op.f == kernels.ReLU6
	case *batchNorm, *batchNormFused, *concat, *binary:
		return true
	}
	return false
}

func forward(n *Node) bool { return !n.Backward() }

// recomputable returns the nodes of the forward pass that the backward pass may compute again, the largest first.
func recomputable(schedule, outputs []*Node) []*Node {
	r := newRewriter(schedule, outputs, new(int))
	var nodes []*Node
	for _, n := range schedule {
		if n.op == nil || n.Backward() || !cheap(n) || r.outputs[n] || !r.settled(n) || !slices.ContainsFunc(r.users[n], forward) {
			continue
		}
		if slices.ContainsFunc(r.users[n], (*Node).Backward) {
			nodes = append(nodes, n)
			continue
		}
		// What only others read that may be computed again must itself be had again.
		if slices.ContainsFunc(r.users[n], cheap) {
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return b.shape.Elements() - a.shape.Elements() })
	return nodes
}

// recompute returns a schedule that computes the chosen nodes again before the backward pass reads them, and which nodes took the place of others, as fuse does.
func recompute(schedule, outputs []*Node, ids int, chosen []*Node) ([]*Node, map[*Node]*Node, int) {
	again := make(map[*Node]bool, len(chosen))
	for _, n := range chosen {
		again[n] = true
	}
	r := newRewriter(schedule, outputs, &ids)
	position := make(map[*Node]int, len(schedule))
	for i, n := range schedule {
		position[n] = i
	}
	last := lastUses(schedule, outputs)
	copies := map[*Node][]*Node{} // new nodes that read a node, to stand before the one at their position
	for i := len(schedule) - 1; i >= 0; i-- {
		n := schedule[i]
		if !again[n] {
			continue
		}
		first := len(schedule)
		var readers []*Node
		for _, u := range r.users[n] {
			if u.Backward() && !slices.Contains(readers, u) {
				readers, first = append(readers, u), min(first, position[u])
			}
		}
		for _, c := range copies[n] {
			first = min(first, position[c])
		}
		if first == len(schedule) || !gains(n, first, last, again) {
			continue
		}
		at := schedule[first]
		c := r.insert(at, n.op, n.shape, slices.Clone(n.in)...)
		c.origin = n
		before := r.before[at] // those that read it stand behind it
		copy(before[1:], before)
		before[0] = c
		position[c] = first
		for _, in := range n.in {
			copies[in] = append(copies[in], c)
			last[in] = max(last[in], first)
		}
		for _, u := range readers {
			in := u.in
			if m := r.new[u]; m != nil {
				in = m.in
			}
			r.replace(u, u.op, exchange(in, n, c)...)
		}
		for _, u := range copies[n] {
			u.in = exchange(u.in, n, c)
		}
	}
	if len(r.new) == 0 {
		return schedule, nil, ids
	}
	schedule, to := r.rewrite()
	return schedule, to, ids
}

// gains reports whether having a node again at a position saves more than keeping its inputs until then costs. Inputs that can be had again
// themselves cost nothing.
func gains(n *Node, position int, last map[*Node]int, again map[*Node]bool) bool {
	cost := 0
	for i, in := range n.in {
		if in.kind == opNode && last[in] < position && !again[in] && !slices.Contains(n.in[:i], in) {
			cost += in.shape.Elements()
		}
	}
	return cost < n.shape.Elements()
}

// exchange returns nodes with one of them exchanged for another.
func exchange(nodes []*Node, old, new *Node) []*Node {
	nodes = slices.Clone(nodes)
	for i, n := range nodes {
		if n == old {
			nodes[i] = new
		}
	}
	return nodes
}

// fit returns the layout that recomputes least of those that are tried and need no more than the given number of bytes; if there is none, the one that
// needs least. It has no pieces if copies need less.
func (l *layout) fit(most int64) *layout {
	if !l.copies {
		if m := newLayout(l.schedule, l.outputs, l.ids, l.frozen, l.rules, l.table, true); m.need() < l.need() {
			l = m
		}
	}
	best := l
	if best.need() <= most {
		return best
	}
	nodes := recomputable(l.schedule, l.outputs)
	for k := 1; len(nodes) > 0; k = min(2*k, len(nodes)) {
		schedule, to, ids := recompute(l.schedule, l.outputs, l.ids, nodes[:k])
		m := newLayout(schedule, renamed(l.outputs, to), ids, l.frozen, l.rules, l.table, l.copies)
		m.replaced = to
		if m.need() < best.need() {
			best = m
		}
		if best.need() <= most || k == len(nodes) {
			break
		}
	}
	return best
}
