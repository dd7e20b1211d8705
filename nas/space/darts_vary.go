package space

import "math/rand/v2"

// edge returns where edge i stands, those of the normal cell first.
func (g *DartsGenome) edge(i int) (*dartsCell, int) {
	if i < dartsEdges {
		return &g.normal, i
	}
	return &g.reduce, i - dartsEdges
}

// change gives an edge another operation or, as often, another state, as far as its node has a third one
// (the two mutations of Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019).
func (g *DartsGenome) change(i int, rng *rand.Rand) {
	c, e := g.edge(i)
	states := e/2 + dartsInputs
	if states > 2 && rng.IntN(2) == 0 {
		sibling := c[e^1].from
		c[e].from = differ(c[e].from, func() uint8 {
			for {
				if from := uint8(rng.IntN(states)); from != sibling {
					return from
				}
			}
		})
		return
	}
	c[e].op = dartsOp(1 + other(int(c[e].op)-1, int(numDartsOps)-1, rng))
}

// Mutate changes edges.
func (d *darts) Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error) {
	h, err := d.own(g)
	if err != nil {
		return nil, err
	}
	mutate(2*dartsEdges, rate, rng, func(i int) { h.change(i, rng) })
	return h, nil
}

// Neighbor changes one edge.
func (d *darts) Neighbor(g Genome, rng *rand.Rand) (Genome, error) {
	h, err := d.own(g)
	if err != nil {
		return nil, err
	}
	h.change(rng.IntN(2*dartsEdges), rng)
	return h, nil
}

// Cross takes nodes from the first of a's normal cell up to a point, and those of b from there on.
func (d *darts) Cross(a, b Genome, rng *rand.Rand) (Genome, error) {
	x, y, err := parents(d.own, a, b)
	if err != nil {
		return nil, err
	}
	for i := range 2 * cut(2*dartsNodes, rng) {
		from, e := x.edge(i)
		to, _ := y.edge(i)
		to[e] = from[e]
	}
	return y, nil
}

// Count counts pairs of cells.
func (*darts) Count() (uint64, bool) {
	n := count{n: 1}
	for range 2 {
		for node := range dartsNodes {
			n.times(uint64(dartsPairs(node)))
			n.times(uint64(numDartsOps-1) * uint64(numDartsOps-1))
		}
	}
	return n.n, !n.over
}

// dartsPairs counts the pairs of states that a node can take.
func dartsPairs(node int) int { return (node + dartsInputs) * (node + dartsInputs - 1) / 2 }

// At returns the cells of a number.
func (*darts) At(number uint64) (Genome, bool) {
	var g DartsGenome
	for i := 2*dartsEdges - 2; i >= 0; i -= 2 {
		c, e := g.edge(i)
		for side := 1; side >= 0; side-- {
			c[e+side].op = dartsOp(1 + digit(&number, int(numDartsOps)-1))
		}
		pair := digit(&number, dartsPairs(e/2))
		// Pairs in the order (0,1), (0,2), (1,2), (0,3), ...
		b := 1
		for pair >= b {
			pair -= b
			b++
		}
		c[e].from, c[e+1].from = uint8(pair), uint8(b)
	}
	return g, number == 0
}
