package autograd

import (
	"github.com/nasbench-go/nasbench/tensor"
)

// needed returns the nodes that the outputs depend on, in topological order, and the
// effects whose inputs are computed anyway.
func needed(outputs []*Node) []*Node {
	if len(outputs) == 0 {
		return nil
	}
	g := outputs[0].graph
	use := make([]bool, len(g.nodes))
	for _, n := range outputs {
		use[n.id] = true
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if use[i] {
			for _, in := range g.nodes[i].in {
				use[in.id] = true
			}
		}
	}
	for _, e := range g.effects {
		runs := true
		for _, in := range e.in {
			runs = runs && (use[in.id] || in.kind == variableNode)
		}
		if runs {
			use[e.id] = true
			for _, in := range e.in {
				use[in.id] = true
			}
		}
	}
	var nodes []*Node
	for _, n := range g.nodes {
		if use[n.id] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// place says where the value of a node lies: offset elements into a buffer of the
// plan, or into the storage of a leaf node.
type place struct {
	buffer int   // index into plan.buffers; -1 if leaf is set
	leaf   *Node // input, variable or constant
	offset int

	// Of a piece whose pixels lie apart: the floats between them, which are the channels of the whole, and the first channel. offset is that of the whole.
	stride, channel int
}

// plan is where every value and workspace of a program lies. It is computed from shapes
// and order alone.
type plan struct {
	places    map[*Node]place
	workspace map[*Node]int // index into buffers
	buffers   []tensor.Buffer
	offsets   []int
	total     int // elements of the arena
	fixed     int // of those, elements of frozen nodes
	pieces    map[*Node]piece

	groups []*rowGroup // by position in the schedule; nil for nodes in none
	used   []int       // by buffer: position at which it is read for the last time
	mixed  []*rowGroup // by buffer: the last group in which an operation reads other images of it than it computes
	spare  []int       // buffers that the group at hand has read for the last time

	moments []moment  // by position; nil if positions follow each other
	seen    []reading // by buffer: the last
}

// reading says at which moment, by its first position, a buffer was read and by what: the first position of a group or that of an operation, or shared if
// by several.
type reading struct{ moment, by int }

const shared = -1

// arenaAlign is the alignment of every buffer in elements: one cache line.
const arenaAlign = 16

// planMemory assigns buffers to the nodes of a schedule. Outputs stay alive to the end. The buffers that a group touches live from its first
// node to its last, and so do those that a moment touches; those of frozen nodes are never used again. That of a concatenation lives from the first of its
// pieces on.
func planMemory(schedule, outputs []*Node, groups []*rowGroup, frozen map[*Node]bool, moments []moment, pieces map[*Node]piece) *plan {
	p := &plan{
		places: make(map[*Node]place, len(schedule)), workspace: map[*Node]int{}, groups: make([]*rowGroup, len(schedule)), moments: moments, pieces: pieces,
	}
	joined := map[*Node]int{} // buffers of concatenations whose pieces come before them
	for _, g := range groups {
		for i := g.first; i <= g.last; i++ {
			p.groups[i] = g
		}
	}
	last := lastUses(schedule, outputs)
	for n := range frozen {
		last[n] = len(schedule)
	}
	for i, n := range schedule {
		g := p.groups[i]
		if g != nil && i == g.first {
			p.spare = p.spare[:0]
		}
		if n.kind != opNode {
			p.places[n] = place{buffer: -1, leaf: n}
			continue
		}
		if v, ok := n.op.(viewer); ok {
			at := p.places[n.in[0]]
			at.offset += v.View(shapesOf(n.in))
			p.places[n] = at
		} else if in, ok := pieces[n]; ok && in.sliced(n) {
			p.places[n] = in.place(p.places[in.whole])
		} else if ok {
			b, ok := joined[in.whole]
			if !ok {
				b = p.add(in.whole.shape.Elements(), i)
				joined[in.whole] = b
			}
			p.places[n] = in.place(place{buffer: b})
		} else if b, ok := joined[n]; ok {
			p.places[n] = place{buffer: b}
		} else if b, ok := p.reusable(n, i); ok {
			p.places[n] = place{buffer: b}
		} else {
			p.places[n] = place{buffer: p.add(n.shape.Elements(), i)}
		}
		p.see(n, i)
		if b := p.places[n].buffer; b >= 0 {
			if frozen[n] {
				p.buffers[b].First = 0
			}
			p.used[b] = max(p.used[b], last[n])
			p.buffers[b].Last = max(p.buffers[b].Last, p.end(p.used[b]))
		}
		if w, ok := n.op.(workspacer); ok {
			parts := 0
			if g != nil {
				parts = g.parts
			}
			if size := w.Workspace(shapesOf(n.in), n.shape, parts); size > 0 {
				p.workspace[n] = p.add(size, i)
				if b := p.workspace[n]; frozen[n] {
					p.buffers[b].First, p.buffers[b].Last, p.used[b] = 0, len(schedule), len(schedule)
				}
			}
		}
		if g != nil {
			p.release(n, i)
		}
	}
	for _, b := range p.buffers {
		if b.First == 0 && b.Last == len(schedule) && frozen != nil {
			p.fixed += b.Size
		}
	}
	p.offsets, p.total = tensor.PlanArena(p.buffers, arenaAlign)
	return p
}

func (p *plan) add(size, step int) int {
	p.buffers = append(p.buffers, tensor.Buffer{Size: size, First: p.begin(step), Last: p.end(step)})
	p.used = append(p.used, step)
	p.mixed = append(p.mixed, nil)
	p.seen = append(p.seen, reading{moment: -1})
	return len(p.buffers) - 1
}

// begin returns the first position of what runs together with the given one.
func (p *plan) begin(step int) int {
	if p.moments != nil {
		return p.moments[step].first
	}
	if g := p.groups[step]; g != nil {
		return g.first
	}
	return step
}

// end returns the last position of what runs together with the given one.
func (p *plan) end(step int) int {
	if step < len(p.moments) {
		return p.moments[step].last
	}
	if step < len(p.groups) && p.groups[step] != nil {
		return p.groups[step].last
	}
	return step
}

// see notes which buffers a node reads at the given position.
func (p *plan) see(n *Node, step int) {
	if _, view := n.op.(viewer); view {
		return
	}
	at := reading{p.begin(step), p.unit(step)}
	for _, in := range n.in {
		b := p.places[in].buffer
		if b < 0 {
			continue
		}
		if old := p.seen[b]; old.moment == at.moment && old.by != at.by {
			p.seen[b].by = shared
		} else {
			p.seen[b] = at
		}
	}
}

// unit returns the first position of what runs by turns with the given one.
func (p *plan) unit(step int) int {
	if g := p.groups[step]; g != nil {
		return g.first
	}
	return step
}

// elsewhere reports whether something else that runs together with the given position reads a buffer before it.
func (p *plan) elsewhere(b, step int) bool {
	r := p.seen[b]
	return r.moment == p.begin(step) && r.by != p.unit(step)
}

// release notes which buffers a node of a group, at the given position, is the last to read. Later nodes of the group may take over those that were only
// read for the images at hand: their own values for these images then lie in the same place, whatever block the group is at.
func (p *plan) release(n *Node, step int) {
	g := p.groups[step]
	a := g.access[step-g.first]
	if _, view := n.op.(viewer); view {
		return
	}
	for i, in := range n.in {
		at := p.places[in]
		b := at.buffer
		if b < 0 {
			continue
		}
		span := in.shape.Elements()
		if at.stride > 0 {
			span = in.shape.Rows() * at.stride
		}
		if !contains(a.inputs, i) || span != p.buffers[b].Size { // its images are not those of the buffer
			p.mixed[b] = g
		} else if p.used[b] == step && !contains(p.spare, b) {
			p.spare = append(p.spare, b)
		}
	}
}

// reusable returns the buffer of an input that node n, run at the given step, may write its output over:
// one that the operation allows, of the same size, and that nobody reads later. A
// buffer's Last already covers every view of it that came before.
func (p *plan) reusable(n *Node, step int) (int, bool) {
	g := p.groups[step]
	if g != nil && !g.access[step-g.first].reduces {
		for i, b := range p.spare {
			if p.buffers[b].Size == n.shape.Elements() && p.mixed[b] != g && !p.elsewhere(b, step) {
				p.spare = append(p.spare[:i], p.spare[i+1:]...)
				return b, true
			}
		}
	}
	op, ok := n.op.(inPlacer)
	if !ok {
		return 0, false
	}
	for _, i := range op.InPlace() {
		in := n.in[i]
		at := p.places[in]
		if at.buffer < 0 || at.offset != 0 {
			continue
		}
		b := p.buffers[at.buffer]
		if b.Size == n.shape.Elements() && p.used[at.buffer] == step && !p.elsewhere(at.buffer, step) && !aliased(p, n, i) && (g == nil || p.mixed[at.buffer] != g) {
			return at.buffer, true
		}
	}
	return 0, false
}

// aliased reports whether another input of n lies in the same buffer as input i, at another place or read around an element as well as at it, where writing over input i would change it before it is read.
func aliased(p *plan, n *Node, i int) bool {
	_, around := n.op.(surrounding)
	for j, in := range n.in {
		if j != i && (around || in != n.in[i]) && p.places[in].buffer == p.places[n.in[i]].buffer {
			return true
		}
	}
	return false
}

// lastUses returns, for each node, the last step at which it is read directly or through a
// view. Outputs are read after the last step.
func lastUses(schedule, outputs []*Node) map[*Node]int {
	last := make(map[*Node]int, len(schedule))
	for i, n := range schedule {
		last[n] = i
	}
	for _, n := range outputs {
		last[n] = len(schedule)
	}
	for i := len(schedule) - 1; i >= 0; i-- {
		n := schedule[i]
		at := i
		if n.op != nil {
			if _, view := n.op.(viewer); view {
				at = last[n]
			}
		}
		for _, in := range n.in {
			last[in] = max(last[in], at)
		}
	}
	return last
}
