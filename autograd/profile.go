package autograd

import (
	"context"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// Path returns where in a model the node belongs: the path of the parameters that it, the node whose gradient it
// computes, or else the nearest node before it reads. A convolution with the weights "stem.conv.weight", its gradients, and a
// ReLU after it all have the path "stem.conv". It is empty before the first parameter.
func (n *Node) Path() string {
	for n != nil {
		if n.origin != nil {
			n = n.origin
			continue
		}
		if n.kind == variableNode {
			return layerOf(n.name)
		}
		for _, in := range n.in {
			if in.kind == variableNode {
				return layerOf(in.name)
			}
		}
		for _, in := range n.in {
			switch in.op.(type) {
			case *foldedScale, *kernelSum: // weights
				return in.Path()
			}
		}
		if len(n.in) == 0 {
			return ""
		}
		n = n.in[0]
	}
	return ""
}

// layerOf returns a parameter's name without its last part.
func layerOf(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

// Backward reports whether [Grad] added the node.
func (n *Node) Backward() bool { return n.origin != nil }

// Work returns the exact cost of one execution of the node; zero for an input, a variable or a constant.
func (n *Node) Work() Work {
	if n.op == nil {
		return Work{}
	}
	return n.op.Work(shapesOf(n.in), n.shape)
}

// Steps returns the node that each step of the program works for, in the order in which they run. A node may
// have more than one step, a view has none. Steps of a group of operations stand side by side, though they run by turns for some images at a
// time, and so do those of a wave, which run at the same time. The caller must not change the slice.
func (p *Program) Steps() []*Node {
	var nodes []*Node
	for i := range p.steps {
		if g := p.steps[i].group; g != nil {
			for _, m := range g.members {
				nodes = append(nodes, m.node)
			}
			continue
		}
		nodes = append(nodes, p.steps[i].node)
	}
	return nodes
}

// timing is what the workers measure, by worker and position in Steps.
type timing struct {
	spent [][]time.Duration
	at    []int // by step: its first position in Steps
}

func newTiming(p *Program) *timing {
	t := &timing{spent: make([][]time.Duration, len(p.scratch)), at: make([]int, len(p.steps)+1)}
	for i := range p.steps {
		t.at[i+1] = t.at[i] + 1
		if g := p.steps[i].group; g != nil {
			t.at[i+1] = t.at[i] + len(g.members)
		}
	}
	for i := range t.spent {
		t.spent[i] = make([]time.Duration, t.at[len(p.steps)])
	}
	return t
}

// RunTimed is like [Program.Run] and adds to times, one for each of Steps, how long the steps took. Those of a group or of a wave share the time that it took
// as the times of all workers do.
func (p *Program) RunTimed(stepNumber uint64, times []time.Duration) {
	p.clock = stepNumber
	p.prepare()
	if p.timing == nil {
		p.timing = newTiming(p)
	}
	t := p.timing
	before := time.Now()
	for i := range p.waves {
		w := &p.waves[i]
		s := &p.steps[w.first]
		switch {
		case w.turns != nil && (w.small || len(p.scratch) == 1):
			for _, turn := range w.turns {
				t.part(p, turn.step, turn.part, 0)
			}
		case w.turns != nil:
			p.threads.Run(len(w.turns), func(at, worker int) {
				turn := w.turns[at]
				t.part(p, turn.step, turn.part, worker)
			})
		case s.group != nil:
			p.threads.Run(s.parts, func(part, worker int) { t.part(p, w.first, part, worker) })
		default:
			p.runStep(s)
		}
		now := time.Now()
		if at := t.at[w.first]; w.turns == nil && s.group == nil {
			times[at] += now.Sub(before)
		} else {
			t.divide(times, at, t.at[w.last+1], now.Sub(before))
		}
		before = now
	}
}

// part runs a part of a step and adds up how long it, or each member of its group, took.
func (t *timing) part(p *Program, step, part, worker int) {
	s, scratch, spent := &p.steps[step], p.scratch[worker], t.spent[worker][t.at[step]:]
	before := time.Now()
	g := s.group
	if g == nil {
		s.run(part, scratch)
		spent[0] += time.Since(before)
		return
	}
	lo, end := kernels.Range(part, g.parts, g.images)
	for lo < end {
		hi := min(lo+g.block, end)
		for i := range g.members {
			g.members[i].run(part, lo, hi, scratch)
			now := time.Now()
			spent[i] += now.Sub(before)
			before = now
		}
		lo = hi
	}
}

// divide adds to times from lo up to hi their shares of the whole time, and begins anew.
func (t *timing) divide(times []time.Duration, lo, hi int, whole time.Duration) {
	sum := time.Duration(0)
	for _, spent := range t.spent {
		for i := lo; i < hi; i++ {
			sum += spent[i]
		}
	}
	for _, spent := range t.spent {
		for i := lo; i < hi; i++ {
			times[i] += time.Duration(float64(whole) * float64(spent[i]) / float64(max(sum, 1)))
			spent[i] = 0
		}
	}
}

// LiveBytes returns how much of the arena holds values that are still needed while each node of Nodes
// runs. Its largest value is at most ArenaBytes; the rest is lost to packing.
func (p *Program) LiveBytes() []int64 {
	live := make([]int64, len(p.schedule))
	for _, b := range p.plan.buffers {
		for i := b.First; i <= b.Last && i < len(live); i++ {
			live[i] += 4 * int64(b.Size)
		}
	}
	return live
}

// Arena returns the memory that [Program.ArenaBytes] counts, for looking at what of it is used: that in which all values of a run lie, and the pieces that
// nodes keep, such as packed kernels. Between runs, only outputs and what a frozen program keeps must stay as they are.
func (p *Program) Arena() [][]float32 {
	arena := [][]float32{p.arena}
	for _, n := range p.schedule {
		arena = append(arena, p.keeps[n]...)
	}
	return arena
}

// labels returns what a CPU profile shows of a node's steps.
func labels(n *Node) context.Context {
	direction := "forward"
	if n.Backward() {
		direction = "backward"
	}
	return pprof.WithLabels(context.Background(), pprof.Labels("layer", n.Path(), "op", n.Name(), "direction", direction))
}

// Label makes the program's steps visible in CPU profiles: each runs under pprof labels that name its layer, its op
// and its direction (forward or backward), for 'go tool pprof -tags'. From then on Run replaces the labels
// of the goroutine that calls it.
func (p *Program) Label() {
	of := map[*Node]context.Context{}
	label := func(n *Node) context.Context {
		if of[n] == nil {
			of[n] = labels(n)
		}
		return of[n]
	}
	for i := range p.prologue {
		p.prologue[i].labels = label(p.prologue[i].node)
	}
	for i := range p.steps {
		s := &p.steps[i]
		s.labels = label(s.node)
		if s.group == nil {
			continue
		}
		for j := range s.group.members {
			m := &s.group.members[j]
			l, run := label(m.node), m.run
			m.run = func(part, lo, hi int, scratch []float32) {
				pprof.SetGoroutineLabels(l)
				run(part, lo, hi, scratch)
			}
		}
	}
	// Workers take the labels over part by part.
	p.task = func(part, worker int) {
		if p.halted() {
			return
		}
		pprof.SetGoroutineLabels(p.current.labels)
		p.current.run(part, p.scratch[worker])
	}
	p.turn = func(at, worker int) {
		if p.halted() {
			return
		}
		t := p.turns[at]
		s := &p.steps[t.step]
		pprof.SetGoroutineLabels(s.labels)
		s.run(t.part, p.scratch[worker])
	}
}
