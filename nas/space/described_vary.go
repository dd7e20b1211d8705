package space

import (
	"math/rand/v2"
	"slices"
)

// Mutate changes layers or edges, and the length of a chain.
func (s *described) Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error) {
	units, err := s.units(g)
	if err != nil {
		return nil, err
	}
	length := s.kind == chainKind && rng.Float64() < rate
	mutate(len(units), rate, rng, func(i int) { s.change(units, i, rng) })
	if length {
		units = s.resize(units, rng)
	}
	return s.genome(units), nil
}

// Neighbor changes one layer or edge, or the length of a chain.
func (s *described) Neighbor(g Genome, rng *rand.Rand) (Genome, error) {
	units, err := s.units(g)
	if err != nil {
		return nil, err
	}
	n := len(units)
	if s.kind == chainKind && s.minDepth < s.maxDepth {
		n++
	}
	if i := rng.IntN(n); i < len(units) {
		s.change(units, i, rng)
	} else {
		units = s.resize(units, rng)
	}
	return s.genome(units), nil
}

// Cross takes layers or nodes from the start of a up to a point, and those of b from there on.
func (s *described) Cross(a, b Genome, rng *rand.Rand) (Genome, error) {
	x, y, err := parents(s.units, a, b)
	if err != nil {
		return nil, err
	}
	if s.kind == chainKind {
		copy(y, x[:cut(min(len(x), len(y)), rng)])
		return s.genome(y), nil
	}
	point := cut(s.nodes, rng)
	child := slices.DeleteFunc(x, func(u unit) bool { return u.node >= point })
	for _, u := range y {
		if u.node >= point {
			child = append(child, u)
		}
	}
	return s.genome(child), nil
}

// change gives a layer another value, or an edge another operation or, as often, another state, as far as there is one that its
// node does not take. A node keeps something that is not none.
func (d *description) change(units []unit, i int, rng *rand.Rand) {
	if d.kind == chainKind {
		units[i] = differ(units[i], func() unit { return d.drawLayer(i, rng) })
		return
	}
	old := slices.Clone(units)
	for range maxRedraws {
		u := &units[i]
		if node := u.node; d.taken(node) < node+1 && rng.IntN(2) == 0 {
			free := make([]int, 0, node+1)
			for state := range node + 1 {
				if !slices.ContainsFunc(units, func(v unit) bool { return v.node == node && v.from == state }) {
					free = append(free, state)
				}
			}
			u.from = free[rng.IntN(len(free))]
			sortUnits(units)
		} else {
			v := d.drawUnit(rng)
			v.node, v.from = u.node, u.from
			*u = v
		}
		if !slices.Equal(units, old) && d.check(units) == nil {
			return
		}
		copy(units, old)
	}
}

// sortUnits brings edges into the order of nodes and states.
func sortUnits(units []unit) {
	slices.SortFunc(units, func(a, b unit) int {
		if a.node != b.node {
			return a.node - b.node
		}
		return a.from - b.from
	})
}

// resize takes a layer out or puts one in.
func (d *description) resize(units []unit, rng *rand.Rand) []unit {
	if d.minDepth == d.maxDepth {
		return units
	}
	grow := rng.IntN(2) == 0
	if len(units) == d.minDepth || len(units) < d.maxDepth && grow {
		at := rng.IntN(len(units) + 1)
		units = slices.Insert(units, at, d.drawLayer(at, rng))
		if at == 0 { // what was the first layer had no connection
			units[1].connection = d.connections[rng.IntN(len(d.connections))]
		}
		return units
	}
	at := rng.IntN(len(units))
	units = slices.Delete(units, at, at+1)
	units[0].connection = sequentialConnection
	return units
}

// drawLayer draws layer i of a chain.
func (d *description) drawLayer(i int, rng *rand.Rand) unit {
	u := d.drawUnit(rng)
	if i > 0 {
		u.connection = d.connections[rng.IntN(len(d.connections))]
	}
	return u
}

// all returns the values that a unit can have.
func (d *description) all() []unit {
	var out []unit
	for op := range d.operations {
		b := &d.operations[op]
		n := 1
		for _, p := range b.params[:b.free] {
			n *= len(p.choices)
		}
		for i := range n {
			u, rest := unit{op: op}, uint64(i)
			for j := b.free - 1; j >= 0; j-- {
				u.values[j] = int32(b.params[j].choices[digit(&rest, len(b.params[j].choices))])
			}
			out = append(out, u)
		}
	}
	return out
}

// Count counts chains, the short ones first, or cells. Among the latter are those of which a node takes nothing.
func (d *description) Count() (uint64, bool) {
	units := uint64(len(d.all()))
	var n count
	if d.kind == chainKind {
		for depth := d.minDepth; depth <= d.maxDepth; depth++ {
			n.plus(d.chainsOf(depth, units))
		}
		return n.n, !n.over
	}
	n.n = 1
	for node := range d.nodes {
		n.times(uint64(choose(node+1, d.taken(node))))
		for range d.taken(node) {
			n.times(units)
		}
	}
	return n.n, !n.over
}

func (d *description) chainsOf(depth int, units uint64) count {
	n := count{n: 1}
	for i := range depth {
		n.times(units)
		if i > 0 {
			n.times(uint64(len(d.connections)))
		}
	}
	return n
}

// choose returns the number of ways to take k of n.
func choose(n, k int) int {
	out := 1
	for i := range k {
		out = out * (n - i) / (i + 1)
	}
	return out
}

// At returns the genome of a number.
func (d *description) At(number uint64) (Genome, bool) {
	all := d.all()
	if d.kind == chainKind {
		for depth := d.minDepth; depth <= d.maxDepth; depth++ {
			n := d.chainsOf(depth, uint64(len(all)))
			if !n.over && number >= n.n {
				number -= n.n
				continue
			}
			units := make([]unit, depth)
			for i := depth - 1; i >= 0; i-- {
				connection := sequentialConnection
				if i > 0 {
					connection = d.connections[digit(&number, len(d.connections))]
				}
				units[i] = all[digit(&number, len(all))]
				units[i].connection = connection
			}
			return d.genome(units), true
		}
		return nil, false
	}
	var units []unit
	for node := d.nodes - 1; node >= 0; node-- {
		taken := d.taken(node)
		ops := make([]unit, taken)
		for i := taken - 1; i >= 0; i-- {
			ops[i] = all[digit(&number, len(all))]
		}
		states := combination(node+1, taken, digit(&number, choose(node+1, taken)))
		for i := range ops {
			ops[i].node, ops[i].from = node, states[i]
		}
		units = append(ops, units...)
	}
	if number > 0 || d.check(units) != nil {
		return nil, false
	}
	return d.genome(units), true
}

// combination returns number i of the ways to take k of 0 to n-1, in ascending order.
func combination(n, k, i int) []int {
	var out []int
	for v := 0; k > 0; v++ {
		if with := choose(n-v-1, k-1); i < with {
			out = append(out, v)
			k--
		} else {
			i -= with
		}
	}
	return out
}
