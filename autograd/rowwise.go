package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// An operation on a batch mostly treats each image, an index of the leading dimension, on its own. Operations that say so
// (rowWise) are run in groups: one operation after the other for a few images, then all of them for the next few. What one writes, the next
// finds in a cache near the core, however large the batch is. This is what fusing them by special routines would save, for any
// sequence of operations, and the values are the same bits.
type rowWise interface {
	// RowWise returns how the operation reads its inputs; ok is false if images are not independent for these shapes.
	RowWise(in []tensor.Shape, out tensor.Shape) (a rowAccess, ok bool)
}

// rowAccess says what an operation needs to go on for some images.
type rowAccess struct {
	inputs  []int // read for the same images alone; all other inputs must be complete before it starts
	reduces bool  // the output is a sum over images, and complete only after all of them; otherwise it holds the same images
}

// The usual sets of inputs.
var (
	input0  = []int{0}
	input01 = []int{0, 1}
)

// groupRules are the bounds of groups. All of them are numbers, so that what runs how follows from shapes alone.
type groupRules struct {
	images   int  // fewer are left to the parts that an operation divides itself into
	elements int  // an operation that touches fewer is not worth being handed out
	parts    int  // most parts of a group
	pixels   int  // of a convolution in one part at least: it packs its kernels once for each block of images
	block    int  // floats that one operation touches for a block of images, about
	reduce   int  // floats that are reduced at once; see reduceBlock
	room     int  // floats of new values in a group, about: all of them are kept at once
	alone    bool // every operation is a group of its own
}

func defaultGroupRules() groupRules {
	return groupRules{images: 16, elements: 1 << 14, parts: 32, pixels: 192, block: 1 << 16, reduce: 1 << 14, room: 1 << 22}
}

// rowGroup is a run of operations that are computed together, a block of images after the other.
type rowGroup struct {
	images, parts int
	block         int // images; every block but the last of a part has as many
	first, last   int // positions in the schedule
	nodes         []*Node
	access        []rowAccess // of the nodes; nothing for a view
}

// rows says how the operation of a node can be part of a group: of how many images. It is false if it cannot.
func (r *groupRules) rows(n *Node) (a rowAccess, images int, ok bool) {
	op, ok := n.op.(rowWise)
	if !ok {
		return a, 0, false
	}
	shapes := shapesOf(n.in)
	if a, ok = op.RowWise(shapes, n.shape); !ok {
		return a, 0, false
	}
	whole := n.shape
	if a.reduces {
		whole = shapes[a.inputs[0]]
	}
	if len(whole) < 2 || whole[0] < r.images {
		return a, 0, false
	}
	images = whole[0]
	size := whole.Elements()
	for _, i := range a.inputs {
		if len(shapes[i]) == 0 || shapes[i][0] != images {
			return a, 0, false
		}
		size = max(size, shapes[i].Elements())
	}
	if size < r.elements {
		return a, 0, false
	}
	parts := r.partsOf(images)
	switch op := n.op.(type) {
	case partialReducer:
		if part, all := op.Partial(shapes, n.shape); part*parts > all {
			return a, 0, false
		}
	case packer:
		if pixels := op.Pixels(shapes, n.shape); pixels > 0 && pixels/parts < r.pixels {
			return a, 0, false
		}
	}
	return a, images, true
}

// partsOf returns into how many parts a group of that many images is divided.
func (r *groupRules) partsOf(images int) int { return min(images, r.parts) }

// partialReducer is a reduction whose partial results are large: it is in groups only if those of all parts have no more than
// the given number of floats.
type partialReducer interface {
	Partial(in []tensor.Shape, out tensor.Shape) (size, most int)
}

// packer is an operation that begins with work that does not depend on the number of images. It returns how many pixels share it; 0 if
// there is no such work.
type packer interface {
	Pixels(in []tensor.Shape, out tensor.Shape) int
}

// state says where the value of a node is, seen from the group that is being collected.
type state uint8

const (
	ready   state = iota // complete before the group
	byRows               // the group computes it: images can be read by its other operations
	whole                // the group computes it: it can be read after the group
	delayed              // computed after the group
)

// grouper collects groups.
type grouper struct {
	rules   *groupRules
	frozen  map[*Node]bool
	states  []state // by id
	touched []*Node // those whose state is not ready
	written map[*Node]bool
	order   []*Node
	groups  []*rowGroup
	open    *rowGroup
	after   []*Node
	fresh   int // floats of new values in the open group
	room    int
}

// fraction bounds what groups cost in memory: the new values of one may be this part of all values of the schedule.
const fraction = 16

// group returns a schedule with the operations of each group side by side, and the groups. Operations stay behind those that they depend on;
// others that a group computes nothing for may come before it.
func group(schedule []*Node, ids int, frozen map[*Node]bool, rules *groupRules) ([]*Node, []*rowGroup) {
	if len(schedule) == 0 {
		return schedule, nil
	}
	g := &grouper{rules: rules, frozen: frozen, states: make([]state, ids), order: make([]*Node, 0, len(schedule))}
	all := 0
	for _, n := range schedule {
		if n.op != nil {
			all += n.shape.Elements()
		}
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				if g.written == nil {
					g.written = map[*Node]bool{}
				}
				g.written[n.in[i]] = true
			}
		}
	}
	g.room = max(rules.room, all/fraction)
	for _, n := range schedule {
		g.put(n)
	}
	g.close()
	return g.order, g.groups
}

func (g *grouper) put(n *Node) {
	if n.op == nil || g.frozen[n] {
		g.order = append(g.order, n)
		return
	}
	if v, ok := n.op.(viewer); ok {
		g.putView(n, v)
		return
	}
	access, images, ok := g.rules.rows(n)
	late := g.needsWhole(n, access, ok && g.open != nil && g.open.images == images)
	if !ok {
		if late {
			g.after = append(g.after, n)
			g.set(n, delayed)
		} else {
			g.order = append(g.order, n)
		}
		g.touch(n, delayed, late)
		return
	}
	fresh := g.newFloats(n, access)
	if g.open != nil && (late || g.open.images != images || g.fresh+fresh > g.room || g.rules.alone) {
		g.close()
		fresh = g.newFloats(n, access)
	}
	g.fresh += fresh
	if g.open == nil {
		g.open = &rowGroup{images: images, parts: g.rules.partsOf(images)}
	}
	g.open.nodes = append(g.open.nodes, n)
	g.open.access = append(g.open.access, access)
	if access.reduces {
		g.set(n, whole)
	} else {
		g.set(n, byRows)
	}
	g.touch(n, whole, true)
}

// newFloats returns how many floats a node adds to what the open group keeps: none if it can write over a value of the group.
func (g *grouper) newFloats(n *Node, a rowAccess) int {
	if a.reduces {
		return 0
	}
	if op, ok := n.op.(inPlacer); ok {
		for _, i := range op.InPlace() {
			if g.states[n.in[i].id] == byRows {
				return 0
			}
		}
	}
	return n.shape.Elements()
}

// needsWhole reports whether a node needs a value that is complete only after the open group.
func (g *grouper) needsWhole(n *Node, a rowAccess, joins bool) bool {
	for i, in := range n.in {
		switch g.states[in.id] {
		case whole, delayed:
			return true
		case byRows:
			if !joins || !contains(a.inputs, i) {
				return true
			}
		}
	}
	return false
}

func contains(list []int, i int) bool {
	for _, j := range list {
		if i == j {
			return true
		}
	}
	return false
}

// touch keeps the order of operations that share a variable which one of them writes to.
func (g *grouper) touch(n *Node, s state, late bool) {
	if g.written == nil || !late {
		return
	}
	for _, in := range n.in {
		if g.written[in] {
			g.set(in, s)
		}
	}
}

func (g *grouper) putView(n *Node, v viewer) {
	s := g.states[n.in[0].id]
	if s == byRows && !g.aligned(n, v) {
		s = whole
	}
	switch s {
	case ready:
		g.order = append(g.order, n)
		return
	case delayed:
		g.after = append(g.after, n)
	default:
		g.open.nodes = append(g.open.nodes, n)
		g.open.access = append(g.open.access, rowAccess{})
	}
	g.set(n, s)
}

// aligned reports whether a view has the images of its input.
func (g *grouper) aligned(n *Node, v viewer) bool {
	return len(n.shape) > 0 && n.shape[0] == g.open.images && n.shape.Elements() == n.in[0].shape.Elements() && v.View(shapesOf(n.in)) == 0
}

func (g *grouper) set(n *Node, s state) {
	if g.states[n.id] == ready {
		g.touched = append(g.touched, n)
	}
	g.states[n.id] = s
}

// close ends the open group: what it computes is ready, and what waited for it follows.
func (g *grouper) close() {
	if r := g.open; r != nil {
		r.first = len(g.order)
		g.order = append(g.order, r.nodes...)
		r.last = len(g.order) - 1
		g.groups = append(g.groups, r)
	}
	g.order = append(g.order, g.after...)
	for _, n := range g.touched {
		g.states[n.id] = ready
	}
	g.open, g.after, g.touched, g.fresh = nil, g.after[:0], g.touched[:0], 0
}

// setBlock chooses how many images are computed at a time: as many as fit a cache with one operation, and whole blocks of every reduction.
func (g *rowGroup) setBlock(rules *groupRules) {
	most, unit := 1, 1
	for i, n := range g.nodes {
		if _, view := n.op.(viewer); view {
			continue
		}
		a := g.access[i]
		size := 0
		for _, j := range a.inputs {
			size += n.in[j].shape.Elements()
		}
		if a.reduces {
			unit = max(unit, rules.reduceBlock(size/g.images))
		} else {
			size += n.shape.Elements()
		}
		most = max(most, size/g.images)
	}
	block := max(1, rules.block/most)
	g.block = (block + unit - 1) / unit * unit
}

// reduceBlock returns how many images a reduction that reads size floats of each adds up at once. It depends on the reduction
// alone, so that its bits do not depend on the group; it is a power of two, so that blocks of several fit together.
func (r *groupRules) reduceBlock(size int) int {
	n := 1
	for 2*n*size <= r.reduce && n < 64 {
		n *= 2
	}
	return n
}

// member is one pass of an operation of a group over images lo to hi, which belong to the given part.
type member struct {
	node *Node
	run  func(part, lo, hi int, scratch []float32)
}

// groupRun is a group as it is executed.
type groupRun struct {
	*rowGroup
	members []member
}

func (g *groupRun) part(part int, scratch []float32) {
	lo, end := kernels.Range(part, g.parts, g.images)
	for lo < end {
		hi := min(lo+g.block, end)
		for i := range g.members {
			g.members[i].run(part, lo, hi, scratch)
		}
		lo = hi
	}
}

// upTo returns the numbers from lo to hi.
func upTo(lo, hi int) []int {
	list := make([]int, hi-lo)
	for i := range list {
		list[i] = lo + i
	}
	return list
}
