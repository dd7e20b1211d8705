package space

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nasbench-go/nasbench/layers"
)

// A description says what a space holds by its operations and by how they are put together. The space seed-cell is one,
// and so is every space that a user writes in YAML (see [Read]).
type description struct {
	name       string
	kind       describedKind
	operations []block
	activation opKind

	// Of cells.
	nodes    int
	inputs   int // of a node; 0 for all earlier states
	output   cellOutput
	nodeNorm bool // norm and activation stand behind the sum of a node, not behind each of its operations
	size     Size

	// Of chains.
	minDepth, maxDepth int
	connections        []chainConnection

	constraints Constraints // beside those that the caller gives
}

type describedKind uint8

const (
	cellsKind describedKind = iota
	chainKind
)

type cellOutput uint8

const (
	concatOutput cellOutput = iota
	sumOutput
	lastOutput
)

// Limits of a description. Keys are found by trying orders of nodes, so there are few of them.
const (
	maxDescribedNodes  = 6
	maxDescribedDepth  = 16
	maxDescribedParams = 5
)

// block is an operation of a description.
type block struct {
	name   string
	kind   blockKind
	params []blockParam // those of the kind that can have more than one value here come first
	free   int          // how many those are
}

type blockKind uint8

const (
	convBlock blockKind = iota
	separableBlock
	linearBlock
	maxPoolBlock
	avgPoolBlock
	skipBlock
	noneBlock
	numBlockKinds
)

func (k blockKind) weighted() bool { return k <= linearBlock }

// blockParam is a parameter of an operation and what it may be.
type blockParam struct {
	name    string
	choices []int
}

// unit is an edge of a cell or a layer of a chain.
type unit struct {
	op         int
	values     [maxDescribedParams]int32 // of the free parameters
	node, from int                       // of an edge: into this node (from 0), from this state
	connection chainConnection           // of a layer
}

// value returns a parameter of the unit's operation.
func (d *description) value(u *unit, name string) int {
	for i, p := range d.operations[u.op].params {
		if p.name == name {
			if i < d.operations[u.op].free {
				return int(u.values[i])
			}
			return p.choices[0]
		}
	}
	return 1
}

// described is the space of a description for one task.
type described struct {
	*description
	task        Task
	constraints Constraints
	size        Size
}

func newDescribed(d *description, t Task, c Constraints, s Size) (Space, error) {
	if d.kind == chainKind {
		if s != (Size{}) {
			return nil, fmt.Errorf("space %s: a chain has no cells: its genomes say how wide and how deep they are", d.name)
		}
	} else {
		var err error
		if s, err = s.or(d.name, d.size, true); err != nil {
			return nil, err
		}
		if s.Reductions >= s.Cells {
			return nil, fmt.Errorf("space %s: %d reductions need more than %d cells", d.name, s.Reductions, s.Cells)
		}
	}
	return &described{d, t, c.and(d.constraints), s}, nil
}

// and returns the constraints under which both allow a genome.
func (c Constraints) and(d Constraints) Constraints {
	least := func(a, b int64) int64 {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	c.MaxFLOPs, c.MaxMACs, c.MaxParams = least(c.MaxFLOPs, d.MaxFLOPs), least(c.MaxMACs, d.MaxMACs), least(c.MaxParams, d.MaxParams)
	c.MaxActivationBytes = least(c.MaxActivationBytes, d.MaxActivationBytes)
	c.MinParams = max(c.MinParams, d.MinParams)
	if d.MaxChannels > 0 && (c.MaxChannels <= 0 || d.MaxChannels < c.MaxChannels) {
		c.MaxChannels = d.MaxChannels
	}
	c.AllowWeightless = c.AllowWeightless || d.AllowWeightless
	return c
}

func (s *described) Name() string { return s.name }

func (s *described) Parse(text string) (Genome, error) {
	units, err := s.parse(text)
	if err != nil {
		return nil, fmt.Errorf("space %s: %w", s.name, err)
	}
	return s.genome(units), nil
}

// units returns the edges or layers of a genome of this space.
func (s *described) units(g Genome) ([]unit, error) {
	h, ok := g.(DescribedGenome)
	if !ok || h.space != s.name {
		return nil, fmt.Errorf("space %s: a %T is not a genome of this space", s.name, g)
	}
	units, err := s.parseText(h.text)
	if err != nil {
		return nil, fmt.Errorf("space %s: %w", s.name, err)
	}
	return units, nil
}

func (s *described) facts(g Genome) (facts, error) {
	units, err := s.units(g)
	if err != nil {
		return facts{}, err
	}
	return s.write(newNetwork(s.task, false), units).facts(), nil
}

func (s *described) Check(g Genome) error {
	f, err := s.facts(g)
	if err != nil {
		return err
	}
	if v, ok := s.constraints.check(&f); !ok {
		return &v
	}
	return s.constraints.measure(g)
}

func (s *described) Cost(g Genome) (Cost, error) {
	f, err := s.facts(g)
	if err != nil {
		return Cost{}, err
	}
	return f.cost.checked()
}

func (s *described) Build(g Genome, scope layers.Scope) (layers.Module, error) {
	units, err := s.units(g)
	if err != nil {
		return nil, err
	}
	return s.write(newNetwork(s.task, true), units).build(scope), nil
}

// Random makes every choice with equal probability: the number of layers, the states that a node takes, operations,
// their parameters, connections. A cell with a node that takes nothing is drawn again.
func (s *described) Random(rng *rand.Rand) (Genome, error) {
	var units []unit
	n := newNetwork(s.task, false)
	return sample(&s.constraints, func() facts {
		units = s.draw(units[:0], rng)
		return s.write(n.clear(), units).facts()
	}, func() Genome { return s.genome(units) })
}

func (d *description) draw(units []unit, rng *rand.Rand) []unit {
	if d.kind == chainKind {
		for i := range d.minDepth + rng.IntN(d.maxDepth-d.minDepth+1) {
			u := d.drawUnit(rng)
			if i > 0 {
				u.connection = d.connections[rng.IntN(len(d.connections))]
			}
			units = append(units, u)
		}
		return units
	}
	for {
		units = units[:0]
		for node := range d.nodes {
			for _, from := range d.drawStates(node, rng) {
				u := d.drawUnit(rng)
				u.node, u.from = node, from
				units = append(units, u)
			}
		}
		if d.check(units) == nil {
			return units
		}
	}
}

// drawStates returns the states that a node takes, in ascending order.
func (d *description) drawStates(node int, rng *rand.Rand) []int {
	states := make([]int, node+1)
	for i := range states {
		states[i] = i
	}
	if count := d.taken(node); count < len(states) {
		rng.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		states = states[:count]
		slices.Sort(states)
	}
	return states
}

// taken returns how many states a node takes.
func (d *description) taken(node int) int {
	if d.inputs == 0 {
		return node + 1
	}
	return min(d.inputs, node+1)
}

func (d *description) drawUnit(rng *rand.Rand) unit {
	u := unit{op: rng.IntN(len(d.operations))}
	b := &d.operations[u.op]
	for i, p := range b.params[:b.free] {
		u.values[i] = int32(p.choices[rng.IntN(len(p.choices))])
	}
	return u
}

// check says what is wrong with the edges of a cell, which stand in the order of nodes and states, or with the layers
// of a chain.
func (d *description) check(units []unit) error {
	if d.kind == chainKind {
		if n := len(units); n < d.minDepth || n > d.maxDepth {
			return fmt.Errorf("%d layers; a chain has %d to %d", n, d.minDepth, d.maxDepth)
		}
		if c := units[0].connection; c != sequentialConnection {
			return fmt.Errorf("connection %s: the first layer has nothing to join and is sequential", chainConnections[c])
		}
		return nil
	}
	at := 0
	for node := range d.nodes {
		start, some := at, false
		for at < len(units) && units[at].node == node {
			u := &units[at]
			if u.from > node {
				return fmt.Errorf("node %d takes state %d, which does not come before it", node, u.from)
			}
			if at > start && units[at-1].from == u.from {
				return fmt.Errorf("node %d takes state %d twice", node, u.from)
			}
			some = some || d.operations[u.op].kind != noneBlock
			at++
		}
		if got, want := at-start, d.taken(node); got != want {
			return fmt.Errorf("node %d takes %d states, not %d", node, got, want)
		}
		if !some {
			return fmt.Errorf("node %d takes nothing: all of its operations are none", node)
		}
	}
	if at < len(units) {
		return fmt.Errorf("more than %d nodes", d.nodes)
	}
	return nil
}
