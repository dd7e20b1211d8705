package space

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nasbench-go/nasbench/layers"
)

// Sizes of a darts cell: states 0 and 1 are the outputs of the two cells before, states 2 to 5 its nodes.
const (
	dartsInputs = 2
	dartsNodes  = 4
	dartsEdges  = 2 * dartsNodes // kept: two for each node
)

type dartsOp uint8

const (
	dartsNone dartsOp = iota
	dartsMaxPool
	dartsAvgPool
	dartsSkip
	dartsSep3
	dartsSep5
	dartsDil3
	dartsDil5
	numDartsOps
)

var dartsOpNames = [numDartsOps]string{
	"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
}

func (op dartsOp) weighted() bool { return op >= dartsSep3 }

type dartsEdge struct {
	op   dartsOp
	from uint8 // state
}

// dartsCell has the two edges of node i at 2*i.
type dartsCell [dartsEdges]dartsEdge

// DartsEdge is an edge into a node of a [DartsGenome]: an operation applied to a state.
type DartsEdge struct {
	Op   string `json:"op"`
	From int    `json:"from"`
}

// DartsGenome is a genome of the space darts (Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search",
// ICLR 2019): a normal and a reduction cell. It is comparable with ==.
//
// A cell has the outputs of the two cells before as states 0 and 1, each brought to the cell's channels by ReLU, 1x1
// convolution and batch norm, and four nodes, states 2 to 5. A node is the sum of two operations on two different earlier
// states; the cell's output is the concatenation of its nodes. In a reduction cell the operations on states 0 and 1 have stride 2. The
// operations:
//
//   - sep_conv_3x3, sep_conv_5x5: ReLU, depthwise convolution, 1x1 convolution, batch norm, and all of it again with
//     stride 1;
//   - dil_conv_3x3, dil_conv_5x5: ReLU, depthwise convolution of dilation 2, 1x1 convolution, batch norm;
//   - max_pool_3x3, avg_pool_3x3: padding is not counted;
//   - skip_connect: the identity; with stride 2 ReLU, two 1x1 convolutions of stride 2 to half of the channels each, one of
//     them on the image shifted by a pixel, joined, then batch norm. Where the state of a cell before is twice as large, the
//     same brings it to size.
//
// The operation none, an edge that gives zero, exists while cells are searched and in no genome.
//
// The network has a 3x3 convolution to three times the channels with batch norm, then the cells, then global average
// pool and classifier. The cells a third and two thirds of the way are reduction cells, which double the channels; the others are
// normal ones.
//
// The text form is the notation in which such cells are published:
//
//	Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], reduce_concat=[2, 3, 4, 5])
//
// The concatenations are always of states 2 to 5, may be written range(2, 6), and may be left out. The JSON form, version 1:
//
//	{"space":"darts","version":1,"normal":[{"op":"sep_conv_3x3","from":1}, ...],"reduce":[...]}
type DartsGenome struct {
	normal, reduce dartsCell
}

// NewDartsGenome returns the genome of two cells of eight edges, two for each node in the order of the nodes; or an
// error that says which edge is wrong.
func NewDartsGenome(normal, reduce []DartsEdge) (DartsGenome, error) {
	var g DartsGenome
	for _, c := range []struct {
		name  string
		edges []DartsEdge
		to    *dartsCell
	}{{"normal", normal, &g.normal}, {"reduce", reduce, &g.reduce}} {
		if len(c.edges) != dartsEdges {
			return DartsGenome{}, fmt.Errorf("%s: %d edges; a cell has %d, two for each of %d nodes", c.name, len(c.edges), dartsEdges, dartsNodes)
		}
		for i, e := range c.edges {
			op := slices.Index(dartsOpNames[:], e.Op)
			switch state := i/2 + dartsInputs; {
			case op < 0:
				return DartsGenome{}, fmt.Errorf("%s: edge %d: operation %s is not one of %s", c.name, i, quote(e.Op), choices(dartsOpNames[1:]))
			case dartsOp(op) == dartsNone:
				return DartsGenome{}, fmt.Errorf("%s: edge %d: the operation none exists during a search only", c.name, i)
			case e.From < 0 || e.From >= state:
				return DartsGenome{}, fmt.Errorf("%s: edge %d: state %d is not one of 0 to %d, which come before state %d", c.name, i, e.From, state-1, state)
			}
			c.to[i] = dartsEdge{dartsOp(op), uint8(e.From)}
			if i%2 == 1 && c.to[i-1].from == c.to[i].from {
				return DartsGenome{}, fmt.Errorf("%s: edge %d: both edges of state %d come from state %d", c.name, i, i/2+dartsInputs, e.From)
			}
		}
	}
	return g, nil
}

// Normal returns the edges of the normal cell.
func (g DartsGenome) Normal() []DartsEdge { return g.normal.edges() }

// Reduce returns the edges of the reduction cell.
func (g DartsGenome) Reduce() []DartsEdge { return g.reduce.edges() }

func (c *dartsCell) edges() []DartsEdge {
	out := make([]DartsEdge, dartsEdges)
	for i, e := range c {
		out[i] = DartsEdge{dartsOpNames[e.op], int(e.from)}
	}
	return out
}

// darts is the space for one task.
type darts struct {
	task        Task
	constraints Constraints
	size        Size
}

// The size of the networks by which the paper searches. The published results have 36 channels and 20 cells.
var dartsSize = Size{Channels: 16, Cells: 8}

func newDarts(t Task, c Constraints, s Size) (Space, error) {
	s, err := s.or("darts", dartsSize, false)
	if err != nil {
		return nil, err
	}
	return &darts{t, c, s}, nil
}

func (*darts) Name() string { return "darts" }

func (d *darts) Parse(text string) (Genome, error) {
	g, err := parseDarts(text)
	if err != nil {
		return nil, fmt.Errorf("space darts: %w", err)
	}
	return g, nil
}

// own returns g as a genome of this space.
func (*darts) own(g Genome) (DartsGenome, error) {
	h, ok := g.(DartsGenome)
	if !ok {
		return h, fmt.Errorf("space darts: a %T is not a genome of this space", g)
	}
	if h == (DartsGenome{}) {
		return h, fmt.Errorf("space darts: the genome is empty")
	}
	return h, nil
}

func (d *darts) Check(g Genome) error {
	h, err := d.own(g)
	if err != nil {
		return err
	}
	f := d.network(&h, false).facts()
	if v, ok := d.constraints.check(&f); !ok {
		return &v
	}
	return d.constraints.measure(g)
}

func (d *darts) Cost(g Genome) (Cost, error) {
	h, err := d.own(g)
	if err != nil {
		return Cost{}, err
	}
	return d.network(&h, false).facts().cost.checked()
}

func (d *darts) Build(g Genome, s layers.Scope) (layers.Module, error) {
	h, err := d.own(g)
	if err != nil {
		return nil, err
	}
	return d.network(&h, true).build(s), nil
}

// Random draws for each node two different states, and for each of them an operation other than none.
func (d *darts) Random(rng *rand.Rand) (Genome, error) {
	var g DartsGenome
	n := newNetwork(d.task, false)
	return sample(&d.constraints, func() facts {
		g = randomDarts(rng)
		return d.write(n.clear(), &g).facts()
	}, func() Genome { return g })
}

func randomDarts(rng *rand.Rand) DartsGenome {
	var g DartsGenome
	for _, c := range []*dartsCell{&g.normal, &g.reduce} {
		for node := range dartsNodes {
			states := node + dartsInputs
			a, b := rng.IntN(states), rng.IntN(states-1)
			if b >= a {
				b++
			}
			for i, from := range []int{min(a, b), max(a, b)} {
				c[2*node+i] = dartsEdge{dartsOp(1 + rng.IntN(int(numDartsOps)-1)), uint8(from)}
			}
		}
	}
	return g
}

// used says which of the cells a network of so many cells has.
func (d *darts) used() (normal, reduce bool) {
	for i := range d.size.Cells {
		if d.reduces(i) {
			reduce = true
		} else {
			normal = true
		}
	}
	return normal, reduce
}

// reduces reports whether cell i is a reduction cell.
func (d *darts) reduces(i int) bool { return i == d.size.Cells/3 || i == 2*d.size.Cells/3 }
