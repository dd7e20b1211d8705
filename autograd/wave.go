package autograd

import (
	"slices"
	"unsafe"
)

// A step with few parts leaves threads idle. A wave is a run of steps that do not depend on each other: the parts of all of them are handed out
// together, in a fixed order, and the next wave begins when all have ended. Which steps meet in one follows from shapes and from where the
// memory plan puts values, never from the number of threads, and no step is cut in another way than it is alone: the bits are the same.
//
// Compile makes waves twice. Before memory is planned, it brings operations that do not depend on each other side by side and has the plan treat
// them as one moment (schedule.go). Afterwards, here, it looks at the steps that it really got, at the memory that each of them
// reads and writes, and lets each join an earlier wave if it touches nothing that is written there or after it. So whatever the plan
// decided, only what cannot meet in memory runs at the same time.
type wave struct {
	first, last int    // of the program's steps
	turns       []turn // empty for a single step
	small       bool   // not worth handing out
}

// turn is a part of a step of the program.
type turn struct{ step, part int }

// waveRules are the bounds of waves. All of them are numbers, so that what runs with what follows from shapes alone.
type waveRules struct {
	parts  int  // most parts of a wave: enough for twice as many threads as may be expected; a step with as many runs alone
	back   int  // how many waves a step is moved over at most, so that it finds what it reads still in a cache
	ahead  int  // how many operations are looked at for one that can run with the next
	share  int  // the plain order stays if less than this part of the work is in operations that have few parts
	growth int  // memory may grow by this part of what is needed
	always int  // or by as many floats: about what a cache near the core holds
	most   int  // work that is brought together at most, so that what one step writes is still in a cache when it is read; see likelyWork
	work   int  // less than this is left to one thread; see likelyWork
	alone  bool // every step is a wave of its own
}

func defaultWaveRules() waveRules {
	return waveRules{parts: 32, back: 16, ahead: 64, share: 20, growth: 32, always: 1 << 17, most: 8 * grain, work: 2 * grain}
}

// span is a piece of memory, from the address lo up to hi.
type span struct{ lo, hi uintptr }

func spanOf(s []float32) span {
	lo := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	return span{lo, lo + uintptr(4*len(s))}
}

// footprint is the memory that a step reads and writes. Scratch memory is no part of it: it belongs to a worker and holds nothing between two parts.
type footprint struct{ reads, writes []span }

// touch adds the memory of a node's operation: its inputs, its output, its workspace and what it keeps.
func (f *footprint) touch(p *Program, n *Node) {
	for _, in := range n.in {
		f.read(p.tensors[in].Data())
	}
	f.write(p.tensors[n].Data())
	if w, ok := n.op.(writer); ok {
		for _, i := range w.Writes() {
			f.write(p.tensors[n.in[i]].Data())
		}
	}
	if b, ok := p.plan.workspace[n]; ok {
		f.write(p.arena[p.plan.offsets[b]:][:p.plan.buffers[b].Size])
	}
	for _, kept := range p.keeps[n] {
		f.write(kept)
	}
}

func (f *footprint) read(s []float32) {
	if len(s) > 0 {
		f.reads = append(f.reads, spanOf(s))
	}
}

func (f *footprint) write(s []float32) {
	if len(s) > 0 {
		f.writes = append(f.writes, spanOf(s))
	}
}

// sorted returns spans in order, with those that touch joined.
func sorted(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.lo < b.lo:
			return -1
		case a.lo > b.lo:
			return 1
		}
		return 0
	})
	joined := spans[:0]
	for _, s := range spans {
		if k := len(joined) - 1; k >= 0 && s.lo <= joined[k].hi {
			joined[k].hi = max(joined[k].hi, s.hi)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// meet reports whether any two spans of sorted lists overlap.
func meet(a, b []span) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].hi <= b[0].lo:
			a = a[1:]
		case b[0].hi <= a[0].lo:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// conflicts reports whether two steps must keep their order: one of them writes what the other reads or writes.
func (f *footprint) conflicts(g *footprint) bool {
	return meet(f.writes, g.writes) || meet(f.writes, g.reads) || meet(f.reads, g.writes)
}

// footprint returns what a step touches.
func (p *Program) footprint(s *step) *footprint {
	f := &footprint{}
	switch {
	case s.group != nil:
		for i := range s.group.members {
			if n := s.group.members[i].node; i == 0 || n != s.group.members[i-1].node {
				f.touch(p, n)
			}
		}
	case s.once != nil:
		f.read(p.tensors[s.once].Data())
		for _, kept := range p.keeps[s.node] {
			f.write(kept)
		}
	default:
		f.touch(p, s.node)
	}
	f.reads, f.writes = sorted(f.reads), sorted(f.writes)
	return f
}

// makeWaves puts the steps into waves and brings them into the order in which they run: each into the first of the last few waves that comes after all
// steps that it conflicts with and has room for its parts.
func (p *Program) makeWaves(rules *waveRules) {
	type open struct {
		steps []int
		parts int
	}
	var waves []open
	if rules.alone {
		for i := range p.steps {
			waves = append(waves, open{[]int{i}, p.steps[i].parts})
		}
	} else {
		prints := make([]*footprint, len(p.steps))
		for i := range p.steps {
			s := &p.steps[i]
			prints[i] = p.footprint(s)
			to := len(waves)
		search:
			for w := len(waves) - 1; w >= max(0, len(waves)-rules.back); w-- {
				for _, j := range waves[w].steps {
					if p.steps[j].node == s.node || prints[i].conflicts(prints[j]) {
						break search
					}
				}
				if waves[w].parts+s.parts <= rules.parts {
					to = w
				}
			}
			if to == len(waves) {
				waves = append(waves, open{})
			}
			waves[to].steps = append(waves[to].steps, i)
			waves[to].parts += s.parts
		}
	}
	steps := make([]step, 0, len(p.steps))
	p.waves = make([]wave, len(waves))
	for i, o := range waves {
		w := &p.waves[i]
		w.first = len(steps)
		// The longest parts come first, so that no thread begins one when the others have finished.
		slices.SortStableFunc(o.steps, func(a, b int) int {
			return p.steps[b].work/p.steps[b].parts - p.steps[a].work/p.steps[a].parts
		})
		work := 0
		for _, j := range o.steps {
			if len(o.steps) > 1 {
				for part := range p.steps[j].parts {
					w.turns = append(w.turns, turn{len(steps), part})
				}
			}
			steps = append(steps, p.steps[j])
			work += p.steps[j].work
		}
		w.small = work < rules.work
		w.last = len(steps) - 1
	}
	p.steps = steps
}

// runWave runs the steps of a wave: one after the other if it is not worth handing out or there is nobody to hand it to.
func (p *Program) runWave(w *wave) {
	if w.first == w.last || w.small || len(p.scratch) == 1 {
		for i := w.first; i <= w.last && !p.halted(); i++ {
			p.runStep(&p.steps[i])
		}
		return
	}
	p.turns = w.turns
	p.threads.Run(len(w.turns), p.turn)
}
