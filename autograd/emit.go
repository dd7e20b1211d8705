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
}

// In returns the elements of input i.
func (e *Emitter) In(i int) []float32 { return e.program.tensors[e.node.in[i]].Data() }

// Out returns the elements of the output.
func (e *Emitter) Out() []float32 { return e.program.tensors[e.node].Data() }

// InShape returns the shape of input i.
func (e *Emitter) InShape(i int) tensor.Shape { return e.node.in[i].shape }

// OutShape returns the shape of the output.
func (e *Emitter) OutShape() tensor.Shape { return e.node.shape }

// Clock returns where the number of the current run stands while a step runs.
func (e *Emitter) Clock() *uint64 { return &e.program.clock }

// Scratch makes sure that every step of the program is handed at least n floats.
func (e *Emitter) Scratch(n int) { e.scratch = max(e.scratch, n) }

// Step adds a step of parts that may run at the same time, after all earlier steps. The number of
// parts must follow from the shapes alone. Scratch memory belongs to the worker.
func (e *Emitter) Step(parts int, run func(part int, scratch []float32)) {
	if parts > 0 {
		e.program.steps = append(e.program.steps, step{node: e.node, parts: parts, run: run})
	}
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

// Chunks adds a step over n elements in parts of about grain elements.
func (e *Emitter) Chunks(n int, run func(lo, hi int)) {
	parts := chunks(n)
	e.Step(parts, func(part int, _ []float32) {
		lo, hi := kernels.Range(part, parts, n)
		run(lo, hi)
	})
}

// chunks returns into how many parts Chunks divides n elements.
func chunks(n int) int { return kernels.Split(n, grain) }

// Rows adds a step over rows of c elements each.
func (e *Emitter) Rows(rows, c int, run func(lo, hi int)) {
	parts := min(kernels.Split(rows*c, grain), rows)
	e.Step(parts, func(part int, _ []float32) {
		lo, hi := kernels.Range(part, parts, rows)
		run(lo, hi)
	})
}

// maxPartials bounds the partial results of one reduction, and with them its memory.
const maxPartials = 8

// reduceParts returns into how many partial results a reduction over items is divided when the work
// of all of them is work, in units of which a part should have about unit.
func reduceParts(items, work, unit int) int {
	return max(1, min(items, maxPartials, kernels.Split(work, unit)))
}

// Reduce adds two steps: one in which each part computes its share of items into a partial result of
// the output's size, and one that adds up the partial results in order. It needs a
// workspace of (parts-1)*len(out) floats.
func (e *Emitter) Reduce(items, parts int, run func(part, lo, hi int, dst, scratch []float32)) {
	out, partial, size := e.Out(), e.workspace, len(e.Out())
	e.Step(parts, func(part int, scratch []float32) {
		dst := out
		if part > 0 {
			dst = partial[(part-1)*size : part*size]
		}
		lo, hi := kernels.Range(part, parts, items)
		run(part, lo, hi, dst, scratch)
	})
	if parts == 1 {
		return
	}
	add := e.Table.Add
	e.Chunks(size, func(lo, hi int) {
		for p := range parts - 1 {
			add(out[lo:hi], out[lo:hi], partial[p*size+lo:p*size+hi])
		}
	})
}
