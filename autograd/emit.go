package autograd

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Emitter adds the execution of one node to a program. The slices that it hands out stay
// valid for the life of the program.
type Emitter struct {
	Table *kernels.Table
	Seed  uint64

	program   *Program
	node      *Node
	workspace []float32
	scratch   int

	// Of a node in a group: what is added to it, and the steps that follow it. Steps that a node adds before its
	// members precede the group.
	rules  *groupRules
	group  *groupRun
	access rowAccess
	after  []step
	spread bool // the node has members
}

// begin turns to a node, at the given position of the schedule and in the given group, if any.
func (e *Emitter) begin(n *Node, g *rowGroup, position int) {
	e.node, e.spread = n, false
	if g == nil {
		e.group = nil
		return
	}
	if position == g.first {
		g.setBlock(e.rules)
		e.group, e.after = &groupRun{rowGroup: g, members: make([]member, 0, len(g.nodes))}, nil
	}
	e.access = g.access[position-g.first]
}

// finish adds a group's step after its last node.
func (e *Emitter) finish(position int) {
	g := e.group
	if g == nil || position < g.last {
		return
	}
	p := e.program
	if len(g.members) > 0 {
		p.steps = append(p.steps, step{node: g.members[0].node, parts: g.parts, run: g.part, group: g, work: g.parts * grain})
	}
	p.steps = append(p.steps, e.after...)
}

// In returns the elements of input i.
func (e *Emitter) In(i int) []float32 { return e.program.tensors[e.node.in[i]].Data() }

// Out returns the elements of the output.
func (e *Emitter) Out() []float32 { return e.program.tensors[e.node].Data() }

// Stride returns how many floats the pixels of input i lie apart: more than its channels if it is a piece, which only operations that are an aparter see.
func (e *Emitter) Stride(i int) int { return e.program.tensors[e.node.in[i]].RowStride() }

// OutStride returns how many floats the pixels of the output lie apart.
func (e *Emitter) OutStride() int { return e.program.tensors[e.node].RowStride() }

// piece reports whether a node is computed or read inside of another.
func (e *Emitter) piece(n, whole *Node) bool { return e.program.plan.pieces[n].whole == whole }

// InShape returns the shape of input i.
func (e *Emitter) InShape(i int) tensor.Shape { return e.node.in[i].shape }

// OutShape returns the shape of the output.
func (e *Emitter) OutShape() tensor.Shape { return e.node.shape }

// Clock returns where the number of the current run stands while a step runs.
func (e *Emitter) Clock() *uint64 { return &e.program.clock }

// Scratch makes sure that every step of the program is handed at least n floats.
func (e *Emitter) Scratch(n int) { e.scratch = max(e.scratch, n) }

// Keep returns n floats that belong to the node for the life of the program.
func (e *Emitter) Keep(n int) []float32 {
	p, kept := e.program, tensor.Alloc(n)
	p.kept += n
	p.keeps[e.node] = append(p.keeps[e.node], kept)
	return kept
}

// fixed reports whether input i is the same in every run; see [Options] Frozen.
func (e *Emitter) fixed(i int) bool { return e.program.frozen[e.node.in[i]] }

// Once adds a step that computes what the node keeps from input i alone: in every run, or only once if the input is fixed.
func (e *Emitter) Once(i int, run func()) {
	s := step{node: e.node, parts: 1, run: func(int, []float32) { run() }, once: e.node.in[i], work: 2 * e.InShape(i).Elements()}
	if e.fixed(i) {
		e.program.prologue = append(e.program.prologue, s)
		return
	}
	e.program.steps = append(e.program.steps, s)
}

// Step adds a step of parts that may run at the same time, after all earlier steps of the node. The number of
// parts must follow from the shapes alone. Scratch memory belongs to the worker and holds nothing between two parts.
func (e *Emitter) Step(parts int, run func(part int, scratch []float32)) {
	if parts > 0 {
		e.add(step{node: e.node, parts: parts, run: run, work: likelyWork(e.node)})
	}
}

// Small adds a step of one part that takes next to no time, such as one that computes a number for every channel.
func (e *Emitter) Small(run func()) {
	e.add(step{node: e.node, parts: 1, run: func(int, []float32) { run() }})
}

func (e *Emitter) add(s step) {
	if e.program.frozen[e.node] {
		e.program.prologue = append(e.program.prologue, s)
	} else if e.spread {
		e.after = append(e.after, s)
	} else {
		e.program.steps = append(e.program.steps, s)
	}
}

// Spread adds a step over items of equal work, in the given number of parts, or, if the node is in a group, over the items of some images after
// the other: their number must then be a multiple of that of the images. Calls for different parts may run at the same time; run gets the
// part and the items from lo to hi.
func (e *Emitter) Spread(items, parts int, run func(part, lo, hi int, scratch []float32)) {
	if e.group == nil {
		e.Step(parts, func(part int, scratch []float32) {
			lo, hi := kernels.Range(part, parts, items)
			run(part, lo, hi, scratch)
		})
		return
	}
	each := items / e.group.images
	e.spread = true
	e.group.members = append(e.group.members, member{e.node, func(part, lo, hi int, scratch []float32) {
		run(part, lo*each, hi*each, scratch)
	}})
}

// parts returns into how many parts the node's items are divided: as many as given, or as the group has.
func (e *Emitter) parts(own int) int {
	if e.group != nil {
		return e.group.parts
	}
	return own
}

// partRange returns the items of a part.
func (e *Emitter) partRange(part, parts, items int) (lo, hi int) {
	if e.group == nil {
		return kernels.Range(part, parts, items)
	}
	lo, hi = kernels.Range(part, e.group.parts, e.group.images)
	each := items / e.group.images
	return lo * each, hi * each
}

// grain is the work, in elements touched or a few of them computed, that one part of a
// memory-bound step should have: large against the cost of handing it out.
const grain = 1 << 15

// flopGrain is the same for steps that multiply and add.
const flopGrain = 1 << 20

// flopParts returns into how many parts, most at the most, a number of FLOPs is divided.
func flopParts(most, flops int) int {
	return max(1, min(most, 128, kernels.Split(flops, flopGrain)))
}

// Chunks spreads n elements, in parts of about grain elements.
func (e *Emitter) Chunks(n int, run func(lo, hi int)) {
	e.Spread(n, chunks(n), func(_, lo, hi int, _ []float32) { run(lo, hi) })
}

// chunks returns into how many parts Chunks divides n elements.
func chunks(n int) int { return kernels.Split(n, grain) }

// Rows spreads rows of c elements each.
func (e *Emitter) Rows(rows, c int, run func(lo, hi int)) {
	parts := min(kernels.Split(rows*c, grain), rows)
	e.Spread(rows, parts, func(_, lo, hi int, _ []float32) { run(lo, hi) })
}

// maxPartials bounds the partial results of one reduction outside of groups, and with them its memory.
const maxPartials = 8

// reduceParts returns into how many partial results a reduction over items is divided when the work
// of all of them is work, in units of which a part should have about unit.
func reduceParts(items, work, unit int) int {
	return max(1, min(items, maxPartials, kernels.Split(work, unit)))
}

// share is some items of a reduction, all of one part. Before them, done others of the part were reduced into the same partial result; with
// none, its contents do not matter.
type share struct{ part, lo, hi, done int }

// Partials adds a step in which each part reduces its items into a result of its own; own is the number of parts outside of a group. In a group an operation
// is handed the same shares whatever else is there.
func (e *Emitter) Partials(items, own int, run func(s share, scratch []float32)) {
	if e.group == nil {
		e.Spread(items, own, func(part, lo, hi int, scratch []float32) { run(share{part, lo, hi, 0}, scratch) })
		return
	}
	size := 0
	for _, i := range e.access.inputs {
		size += e.InShape(i).Elements()
	}
	g := e.group.rowGroup
	each, block := items/g.images, e.rules.reduceBlock(size/g.images)*(items/g.images)
	e.Spread(items, own, func(part, lo, hi int, scratch []float32) {
		start := part * g.images / g.parts * each
		for lo < hi {
			next := min(lo+block, hi)
			run(share{part, lo, next, lo - start}, scratch)
			lo = next
		}
	})
}

// Reduce reduces items into partial results of the output's size and then adds those up in order. It needs a
// workspace of (parts-1)*len(out) floats.
func (e *Emitter) Reduce(items, own int, run func(s share, dst, scratch []float32)) {
	out, partial, size := e.Out(), e.workspace, len(e.Out())
	e.Partials(items, own, func(s share, scratch []float32) {
		dst := out
		if s.part > 0 {
			dst = partial[(s.part-1)*size : s.part*size]
		}
		run(s, dst, scratch)
	})
	parts := e.parts(own)
	if parts == 1 {
		return
	}
	add, pieces := e.Table.Add, chunks(size*parts)
	pieces = max(1, min(pieces, size))
	e.Step(pieces, func(piece int, _ []float32) {
		lo, hi := kernels.Range(piece, pieces, size)
		for p := range parts - 1 {
			add(out[lo:hi], out[lo:hi], partial[p*size+lo:p*size+hi])
		}
	})
}
