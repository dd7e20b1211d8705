package autograd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/pprof"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Options says what to compile and how to run it.
type Options struct {
	Outputs []*Node          // what must be computed; readable after each run
	Threads *kernels.Threads // nil runs on the caller's thread
	Table   *kernels.Table   // nil takes the table that kernels.Active chooses
	Seed    uint64           // of the random masks

	// Unfused runs every node of the graph on its own. Otherwise Compile replaces some nodes by single
	// operations with less memory traffic, runs others in groups, a few images at a time, and small ones that do not depend on
	// each other at the same time. The values are the same up to rounding, not to the bit: sums over images are divided into other parts, and a folded or merged kernel is
	// rounded before it is used. Each of the two ways gives its own bits, in every run and with any number of threads.
	Unfused bool

	// Frozen promises that variables do not change between runs, unless [Program.Refresh] is called after they did. What follows from them alone is then
	// computed once: kernels into which a batch normalisation was folded, for instance, in the order in which a routine reads them. No operation of the
	// graph may write to a variable.
	Frozen bool

	// Memory, if set, holds the values of the program, together with those of other programs that never run at the same time. A frozen
	// program needs a call of [Program.Refresh] after any other of them has run.
	Memory *Memory

	// MaxBytes bounds the planned memory, inputs and the scratch memory of all threads included; 0 means four fifths of the memory that the process may have. What
	// would need more computes some cheap values of the forward pass again in the backward pass, which changes no bit of the results; that is left out if
	// Unfused is set.
	MaxBytes int64

	rules   *groupRules       // nil takes the usual ones
	waves   *waveRules        // nil takes the usual ones
	fusions []func(*rewriter) // nil takes all
	copies  bool              // concatenations and slices copy everything; see piece
}

// Program is a compiled graph: a fixed list of steps over one arena, in waves (wave.go). It is not safe for concurrent use;
// programs that share variables must not run at the same time if one writes to them.
type Program struct {
	steps    []step
	waves    []wave
	current  *step
	task     func(part, worker int) // of the current step
	turns    []turn
	turn     func(at, worker int) // one of turns
	threads  *kernels.Threads
	scratch  [][]float32     // one for each worker
	clock    uint64          // the run's step number
	ctx      context.Context // of RunContext, while it runs; nil otherwise
	tensors  map[*Node]*tensor.Tensor
	schedule []*Node
	plan     *plan
	arena    []float32
	timing   *timing // of RunTimed
	kept     int     // floats outside of the arena
	shares   bool    // arena and scratch memory lie in a Memory
	keeps    map[*Node][][]float32

	// Of frozen programs: the values that follow from variables and constants alone, the steps that compute them, and whether they have run.
	frozen   map[*Node]bool
	prologue []step
	ready    bool
}

type step struct {
	node  *Node
	parts int
	run   func(part int, scratch []float32)
	work  int // of all parts, about; see likelyWork

	group *groupRun // what run goes through, if it is a group
	once  *Node     // if set, run reads nothing else and writes what its node keeps

	labels context.Context // nil unless Label was called
}

// Compile plans memory for everything that the outputs need and chooses the routines. It returns an error if
// there are no outputs, if they belong to different graphs, if the CPU level cannot be had, or a [*MemoryError].
func Compile(o Options) (*Program, error) {
	p, err := build(o, 0)
	if scratch, ok := errors.AsType[*scratchError](err); ok {
		// How much that is comes out last, and hardly depends on the rest of the plan, which now gets what is left.
		p, err = build(o, scratch.bytes)
	}
	return p, err
}

// scratchError says that the scratch memory of all threads, so many bytes, does not fit beside a plan that knew nothing of it.
type scratchError struct{ bytes int64 }

func (e *scratchError) Error() string {
	return fmt.Sprintf("autograd: %d bytes of scratch memory", e.bytes)
}

// build is Compile for a limit of which some bytes are set aside for scratch memory.
func build(o Options, aside int64) (*Program, error) {
	if err := Build(func() error { sameGraph("compile", o.Outputs...); return nil }); err != nil {
		return nil, err
	}
	if o.Table == nil {
		t, err := kernels.Active()
		if err != nil {
			return nil, err
		}
		o.Table = t
	}
	schedule, outputs := needed(o.Outputs), o.Outputs
	var replaced map[*Node]*Node
	ids := len(o.Outputs[0].graph.nodes)
	if !o.Unfused {
		passes := o.fusions
		if passes == nil {
			passes = fusions[:]
		}
		schedule, replaced, ids = fuse(schedule, outputs, passes)
		outputs = renamed(outputs, replaced)
	}
	rules := defaultGroupRules()
	if o.rules != nil {
		rules = *o.rules
	}
	rules.alone = rules.alone || o.Unfused
	waves := defaultWaveRules()
	if o.waves != nil {
		waves = *o.waves
	}
	waves.alone = waves.alone || o.Unfused
	var frozen map[*Node]bool
	if o.Frozen {
		var err error
		if frozen, err = freeze(schedule); err != nil {
			return nil, err
		}
	}
	limit := planLimit(o.MaxBytes)
	if err := fits(schedule, limit); err != nil {
		return nil, err
	}
	room := max(limit-aside, 1)
	plain := newLayout(schedule, outputs, ids, frozen, &rules, o.Table, o.copies || o.Unfused)
	l := plain.sideBySide(&waves, room)
	if l.need() > room && !o.Unfused {
		if m := plain.fit(room).sideBySide(&waves, room); m.need() < l.need() {
			l = m
		}
		if replaced == nil {
			replaced = map[*Node]*Node{}
		}
		for n, m := range replaced {
			if to := l.replaced[m]; to != nil {
				replaced[n] = to
			}
		}
		maps.Copy(replaced, l.replaced)
	}
	if need := l.need(); need > room {
		return nil, &MemoryError{Need: need + aside, Limit: limit}
	}
	schedule = l.order
	p := &Program{
		threads:  o.Threads,
		tensors:  make(map[*Node]*tensor.Tensor, len(schedule)),
		schedule: schedule,
		plan:     l.plan,
		shares:   o.Memory != nil,
		frozen:   frozen,
		keeps:    map[*Node][][]float32{},
	}
	arena := o.Memory.take(0, p.plan.total, limit)
	p.arena = arena
	for _, n := range schedule {
		if err := p.bind(n, arena); err != nil {
			return nil, err
		}
	}
	for n, m := range replaced {
		p.tensors[n] = p.tensors[m]
	}
	e := &Emitter{Seed: o.Seed, program: p, rules: &rules}
	err := Build(func() error {
		for i, n := range schedule {
			e.begin(n, p.plan.groups[i], i)
			if _, view := n.op.(viewer); n.op == nil || view {
				e.finish(i)
				continue
			}
			e.Table = o.Table
			if (e.group == nil || len(e.group.nodes) == 1) && p.tensors[n].Contiguous() {
				e.Table = tableFor(o.Table, n)
			}
			e.workspace = nil
			if b, ok := p.plan.workspace[n]; ok {
				at := p.plan.offsets[b]
				e.workspace = arena[at : at+p.plan.buffers[b].Size]
			}
			n.op.Emit(e)
			e.finish(i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	scratch := e.scratch
	p.scratch = make([][]float32, o.Threads.Count())
	if need := l.need() + 4*int64(scratch)*int64(len(p.scratch)); need > limit {
		if aside == 0 {
			return nil, &scratchError{need - l.need()}
		}
		return nil, &MemoryError{Need: need, Limit: limit}
	}
	for i := range p.scratch {
		p.scratch[i] = o.Memory.take(i+1, scratch, limit)
	}
	p.makeWaves(&waves)
	p.task = func(part, worker int) {
		if !p.halted() {
			p.current.run(part, p.scratch[worker])
		}
	}
	p.turn = func(at, worker int) {
		if p.halted() {
			return
		}
		t := p.turns[at]
		p.steps[t.step].run(t.part, p.scratch[worker])
	}
	return p, nil
}

// layout is what is decided about a schedule: what runs together, and where everything lies.
type layout struct {
	schedule, outputs []*Node
	ids               int
	frozen            map[*Node]bool
	rules             *groupRules
	order             []*Node // the schedule with groups side by side
	plan              *plan
	table             *kernels.Table
	copies            bool
	kept              int             // floats outside of the arena
	replaced          map[*Node]*Node // by fit
}

func newLayout(schedule, outputs []*Node, ids int, frozen map[*Node]bool, rules *groupRules, table *kernels.Table, copies bool) *layout {
	order, groups := group(schedule, ids, frozen, rules)
	var pieces map[*Node]piece
	if !copies {
		pieces = cut(order, outputs, groups, frozen)
	}
	l := &layout{
		schedule: schedule, outputs: outputs, ids: ids, frozen: frozen, rules: rules, table: table, copies: copies,
		order: order, plan: planMemory(order, outputs, groups, frozen, nil, pieces),
	}
	for i, n := range order {
		l.kept += keeps(n, table, l.plan.groups[i] != nil, frozen)
	}
	return l
}

// need returns the bytes of the arena, of what is kept beside it and of the inputs.
func (l *layout) need() int64 { return 4*int64(l.plan.total+l.kept) + inputBytes(l.order) }

// tableFor returns the table for a node: if it touches more than the caches hold, what it writes would be gone from them before
// anyone reads it, and had better not be fetched first.
func tableFor(t *kernels.Table, n *Node) *kernels.Table {
	bytes := 4 * n.shape.Elements()
	for _, in := range n.in {
		bytes += 4 * in.shape.Elements()
	}
	if t.Streaming != nil && bytes > t.LastCache {
		return t.Streaming
	}
	return t
}

func inputBytes(schedule []*Node) int64 {
	var sum int64
	for _, n := range schedule {
		if n.kind == inputNode {
			sum += 4 * int64(n.shape.Elements())
		}
	}
	return sum
}

// bind gives a node its tensor: storage of its own for an input, a piece of the arena
// for an operation.
func (p *Program) bind(n *Node, arena []float32) error {
	switch n.kind {
	case inputNode:
		p.tensors[n] = tensor.New(n.shape...)
		return nil
	case variableNode, constantNode:
		p.tensors[n] = n.value
		return nil
	}
	at := p.plan.places[n]
	data := arena
	start := at.offset
	if at.leaf != nil {
		data = p.tensors[at.leaf].Data()
	} else {
		start += p.plan.offsets[at.buffer]
	}
	shape := n.shape
	if at.stride > 0 {
		shape = shape.Clone()
		shape[len(shape)-1] = at.stride
	}
	end := start + shape.Elements()
	t, err := tensor.FromSlice(data[start:end:end], shape...)
	if err != nil {
		return fmt.Errorf("autograd: compile: %v: %w", n, err)
	}
	if at.stride > 0 {
		t = t.Channels(at.channel, at.channel+n.shape.Last())
	}
	p.tensors[n] = t
	return nil
}

// Run executes the program once. The step number decides the random masks of dropout and
// drop-path, so that a step can be repeated exactly. Run allocates nothing.
func (p *Program) Run(stepNumber uint64) { p.run(stepNumber) }

// run goes through all waves, or until the context of the run ends.
func (p *Program) run(stepNumber uint64) {
	p.clock = stepNumber
	p.prepare()
	for i := range p.waves {
		if p.halted() {
			return
		}
		p.runWave(&p.waves[i])
	}
}

// freeze returns the nodes that follow from variables and constants alone.
func freeze(schedule []*Node) (map[*Node]bool, error) {
	frozen := map[*Node]bool{}
	for _, n := range schedule {
		if w, ok := n.op.(writer); ok && len(w.Writes()) > 0 {
			return nil, fmt.Errorf("autograd: compile: %v writes to variables of a frozen program", n)
		}
		fixed := n.kind != inputNode
		if _, random := n.op.(*dropout); random {
			fixed = false
		}
		for _, in := range n.in {
			fixed = fixed && frozen[in]
		}
		if fixed {
			frozen[n] = true
		}
	}
	return frozen, nil
}

// Refresh makes the next run of a frozen program look at its variables again.
func (p *Program) Refresh() { p.ready = false }

// prepare runs the steps that a frozen program runs once.
func (p *Program) prepare() {
	if p.ready {
		return
	}
	for i := range p.prologue {
		p.runStep(&p.prologue[i])
	}
	p.ready = !p.halted()
}

func (p *Program) runStep(s *step) {
	if s.labels != nil {
		pprof.SetGoroutineLabels(s.labels)
	}
	if s.parts == 1 {
		s.run(0, p.scratch[0])
		return
	}
	p.current = s
	p.threads.Run(s.parts, p.task)
}

// Tensor returns the value of an input (to fill before a run), a variable, or an output (to read
// after a run). It returns nil for a node that the program does not compute; a node
// that is neither may have been overwritten when the run ends.
func (p *Program) Tensor(n *Node) *tensor.Tensor { return p.tensors[n] }

// ArenaBytes returns the planned memory of all values that live only within a run, and of what is kept between runs besides variables and inputs.
func (p *Program) ArenaBytes() int64 { return 4 * int64(p.plan.total+p.kept) }

// OwnBytes returns all memory that belongs to the program alone, inputs included: not what lies in [Options] Memory.
func (p *Program) OwnBytes() int64 {
	n := 4*int64(p.kept) + inputBytes(p.schedule)
	if !p.shares {
		n += 4*int64(p.plan.total) + p.ScratchBytes()
	}
	return n
}

// ScratchBytes returns the scratch memory of all threads.
func (p *Program) ScratchBytes() int64 {
	n := int64(0)
	for _, s := range p.scratch {
		n += 4 * int64(len(s))
	}
	return n
}

// RunBytes returns the part of [Program.ArenaBytes] that holds values of one run: not what a frozen program computes once.
func (p *Program) RunBytes() int64 { return 4 * int64(p.plan.total-p.plan.fixed) }

// Work returns the exact cost of one run; what a frozen program computes once is left out.
func (p *Program) Work() Work {
	var sum Work
	for _, n := range p.schedule {
		if n.op != nil && !p.frozen[n] {
			sum.add(p.NodeWork(n))
		}
	}
	return sum
}

// NodeWork returns the exact cost of a node in one run: that of [Node.Work] less what is not copied because it lies where it belongs already.
func (p *Program) NodeWork(n *Node) Work {
	if p.plan.pieces[n].sliced(n) {
		return Work{}
	}
	w := n.Work()
	if _, ok := n.op.(*concat); ok {
		for _, in := range n.in {
			if p.plan.pieces[in].whole == n {
				w.Bytes -= 8 * int64(in.shape.Elements())
			}
		}
	}
	return w
}

// Nodes returns the nodes that the program computes, in the order in which they run. Those that Compile fused
// stand for nodes of the graph but do not belong to it.
func (p *Program) Nodes() []*Node { return p.schedule }
