package autograd

import "slices"

// moment is a run of positions of a schedule that execute at the same time as far as memory is concerned: what any of them
// touches lives from the first to the last.
type moment struct{ first, last int }

// unit is what is scheduled as one: a group, an operation, or a view, which takes no time.
type unit struct {
	nodes   []*Node
	group   *rowGroup
	view    bool
	parts   int     // about how many it is divided into
	work    int     // see likelyWork
	waiting int     // for so many results
	next    []int   // units that wait for this one, once for each result
	reads   []*Node // values of the arena, each once
	fresh   int     // floats that it adds to the arena
	needs   int     // and those that it needs besides while it runs
	done    bool
}

// scheduler brings units that do not depend on each other side by side, for [wave]. It goes through the plain order and lets others of the next few
// units run together with the first that has not run, as long as the values that live at one time stay within a bound.
type scheduler struct {
	rules   *waveRules
	units   []unit
	front   []*Node       // leaves and what is frozen
	readers map[*Node]int // of a value: units that read it and have not run; outputs have one more
	written map[*Node]*access
	from    map[*Node]int // unit of a node
}

// access is who used a variable that is written to: the last unit that wrote to it and those that have read it since.
type access struct {
	writer  int
	readers []int
}

// newScheduler divides an order with groups into units.
func newScheduler(order, outputs []*Node, groups []*rowGroup, frozen map[*Node]bool, rules *waveRules) *scheduler {
	s := &scheduler{rules: rules, readers: map[*Node]int{}, written: map[*Node]*access{}, from: make(map[*Node]int, len(order))}
	for _, n := range order {
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				s.written[n.in[i]] = &access{writer: -1}
			}
		}
	}
	for i := 0; i < len(order); i++ {
		n, g := order[i], groups[i]
		if n.op == nil || frozen[n] {
			s.front = append(s.front, n)
			continue
		}
		u := unit{nodes: order[i : i+1], group: g}
		if g != nil {
			u.nodes, u.parts, u.work = order[g.first:g.last+1], g.parts, g.parts*grain
			i = g.last
		} else if _, u.view = n.op.(viewer); !u.view {
			u.parts, u.work = likelyParts(n), likelyWork(n)
		}
		s.add(u)
	}
	for _, n := range outputs {
		s.readers[storage(n)]++
	}
	return s
}

// likelyWork returns about how much work an operation is, in elements that a memory-bound operation would touch in the same time.
func likelyWork(n *Node) int {
	w := n.Work()
	return int(max(w.FLOPs/(flopGrain/grain), w.Bytes/8))
}

// likelyParts returns into about how many parts an operation divides itself.
func likelyParts(n *Node) int { return max(1, likelyWork(n)/grain) }

// add adds a unit behind all that it depends on: those that compute what it reads, and, for a variable that is written to, those that
// used it before if one of the two writes.
func (s *scheduler) add(u unit) {
	id := len(s.units)
	wait := func(on int) {
		if on >= 0 && on != id {
			s.units[on].next = append(s.units[on].next, id)
			u.waiting++
		}
	}
	for _, n := range u.nodes {
		s.from[n] = id
	}
	for _, n := range u.nodes {
		for _, in := range n.in {
			if from, ok := s.from[in]; ok {
				wait(from)
			}
			root := storage(in)
			if a := s.written[root]; a != nil {
				wait(a.writer)
				a.readers = append(a.readers, id)
			}
			if from, ok := s.from[root]; ok && !u.view && from != id && !slices.Contains(u.reads, root) {
				u.reads = append(u.reads, root)
				s.readers[root]++
			}
		}
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				a := s.written[storage(n.in[i])]
				for _, r := range a.readers {
					wait(r)
				}
				a.writer, a.readers = id, a.readers[:0]
			}
		}
		if _, view := n.op.(viewer); view {
			continue
		}
		u.fresh += n.shape.Elements()
		if w, ok := n.op.(workspacer); ok {
			parts := 0
			if u.group != nil {
				parts = u.group.parts
			}
			u.needs += w.Workspace(shapesOf(n.in), n.shape, parts)
		}
	}
	s.units = append(s.units, u)
}

// room returns how many floats a unit adds to those that live while it runs: none for what it can write over.
func (s *scheduler) room(u *unit) int {
	n := u.fresh + u.needs
	if u.group != nil {
		return n
	}
	if op, ok := u.nodes[0].op.(inPlacer); ok {
		for _, i := range op.InPlace() {
			in := u.nodes[0].in[i]
			if slices.Contains(u.reads, in) && s.readers[in] == 1 && in.shape.Elements() == u.fresh {
				return u.needs
			}
		}
	}
	return n
}

// run returns the units by the moments at which they run, views on their own, and how many floats live at most at one time. With a bound of
// 0 everything runs in the plain order.
func (s *scheduler) run(most int) (moments [][]int, peak int) {
	readers := make(map[*Node]int, len(s.readers))
	for n, k := range s.readers {
		readers[n] = k
	}
	waiting := make([]int, len(s.units))
	for i := range s.units {
		waiting[i] = s.units[i].waiting
		s.units[i].done = false
	}
	live := 0
	for i := range s.units {
		if s.units[i].done {
			continue
		}
		chosen := []int{i}
		u := &s.units[i]
		now, parts, work := live+s.room(u), u.parts, u.work
		if most > 0 && !u.view {
			for j := i + 1; j < min(i+s.rules.ahead, len(s.units)) && parts < s.rules.parts && work < s.rules.most; j++ {
				v := &s.units[j]
				if v.done || v.view || waiting[j] > 0 || parts+v.parts > s.rules.parts {
					continue
				}
				if with := now + s.room(v); with <= most {
					chosen, now, parts, work = append(chosen, j), with, parts+v.parts, work+v.work
				}
			}
		}
		peak = max(peak, now)
		for _, j := range chosen {
			live += s.finish(j, waiting)
		}
		moments = append(moments, chosen)
		// Views run as soon as they can: others wait for them.
		for k := 0; k < len(chosen); k++ {
			for _, j := range s.units[chosen[k]].next {
				if v := &s.units[j]; v.view && !v.done && waiting[j] == 0 && most > 0 {
					live += s.finish(j, waiting)
					moments = append(moments, []int{j})
					chosen = append(chosen, j)
				}
			}
		}
	}
	s.readers = readers
	return moments, peak
}

// finish marks a unit as done and returns by how many floats what lives afterwards grows.
func (s *scheduler) finish(i int, waiting []int) int {
	u := &s.units[i]
	u.done = true
	for _, j := range u.next {
		waiting[j]--
	}
	if u.view {
		return 0
	}
	grown := 0
	for _, n := range u.nodes {
		if _, view := n.op.(viewer); !view && s.readers[n] > 0 {
			grown += n.shape.Elements()
		}
	}
	for _, n := range u.reads {
		if s.readers[n]--; s.readers[n] == 0 {
			grown -= n.shape.Elements()
		}
	}
	return grown
}

// order returns the schedule of moments, the groups in it, and the moment of every position.
func (s *scheduler) order(moments [][]int) (order []*Node, groups []*rowGroup, at []moment) {
	order = append(order, s.front...)
	for i := range order {
		at = append(at, moment{i, i})
	}
	for _, units := range moments {
		m := moment{first: len(order)}
		for _, i := range units {
			u := &s.units[i]
			if u.group != nil {
				g := *u.group
				g.first = len(order)
				g.last = g.first + len(u.nodes) - 1
				groups = append(groups, &g)
			}
			order = append(order, u.nodes...)
		}
		m.last = len(order) - 1
		for range order[m.first:] {
			at = append(at, m)
		}
	}
	return order, groups, at
}

// idles reports whether more than a small share of the work is in operations that have few parts.
func (l *layout) idles(rules *waveRules) bool {
	all, few := 0, 0
	for i, n := range l.order {
		if n.op == nil || l.frozen[n] {
			continue
		}
		work := likelyWork(n)
		all += work
		if g := l.plan.groups[i]; g == nil && likelyParts(n) < rules.parts || g != nil && g.parts < rules.parts {
			few += work
		}
	}
	return few*rules.share > all
}

// sideBySide returns a layout in which operations that do not depend on each other stand side by side, or the same one if there are none or
// if it would need more memory than the rules, or a bound in bytes, allow.
func (l *layout) sideBySide(rules *waveRules, bound int64) *layout {
	if rules.alone || !l.idles(rules) {
		return l
	}
	s := newScheduler(l.order, l.outputs, l.plan.groups, l.frozen, rules)
	_, plain := s.run(0)
	room := max(int(l.need()/4)/rules.growth, rules.always)
	for _, more := range []int{room, 0} {
		moments, _ := s.run(max(1, plain+more))
		if len(moments) == len(s.units) {
			break
		}
		order, groups, at := s.order(moments)
		m := *l
		m.order, m.plan = order, planMemory(order, l.outputs, groups, l.frozen, at, l.plan.pieces)
		if m.plan.total <= l.plan.total+room && (bound == 0 || m.need() <= max(bound, l.need())) {
			return &m
		}
	}
	return l
}
