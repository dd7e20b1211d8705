package space

import (
	"math/rand/v2"
	"slices"
)

// Mutate changes layers, as a whole: operation, parameter and connection.
func (c *chain) Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error) {
	h, err := c.own(g)
	if err != nil {
		return nil, err
	}
	length := rng.Float64() < rate
	mutate(int(h.depth), rate, rng, func(i int) { h.change(i, rng) })
	if length {
		h.resize(rng)
	}
	return h, nil
}

// Neighbor changes one layer, or takes one out or puts one in.
func (c *chain) Neighbor(g Genome, rng *rand.Rand) (Genome, error) {
	h, err := c.own(g)
	if err != nil {
		return nil, err
	}
	if i := rng.IntN(int(h.depth) + 1); i < int(h.depth) {
		h.change(i, rng)
	} else {
		h.resize(rng)
	}
	return h, nil
}

// Cross takes layers from the start of a up to a point that both have, and those of b from there on.
func (c *chain) Cross(a, b Genome, rng *rand.Rand) (Genome, error) {
	x, y, err := parents(c.own, a, b)
	if err != nil {
		return nil, err
	}
	point := cut(int(min(x.depth, y.depth)), rng)
	copy(y.layers[:point], x.layers[:point])
	return y, nil
}

func (g *ChainGenome) change(i int, rng *rand.Rand) {
	g.layers[i] = differ(g.layers[i], func() chainLayer { return drawChainLayer(i, rng) })
}

// resize takes a layer out or puts one in.
func (g *ChainGenome) resize(rng *rand.Rand) {
	list := slices.Clone(g.layers[:g.depth])
	grow := rng.IntN(2) == 0
	if g.depth == minChainDepth || g.depth < maxChainDepth && grow {
		at := rng.IntN(len(list) + 1)
		list = slices.Insert(list, at, drawChainLayer(at, rng))
		if at == 0 { // what was the first layer had no connection
			list[1].connection = chainConnection(rng.IntN(len(chainConnections)))
		}
	} else {
		at := rng.IntN(len(list))
		list = slices.Delete(list, at, at+1)
		list[0].connection = sequentialConnection
	}
	*g = ChainGenome{depth: uint8(len(list))}
	copy(g.layers[:], list)
}

func drawChainLayer(i int, rng *rand.Rand) chainLayer {
	l := chainLayer{op: chainOp(rng.IntN(len(chainOps)))}
	if choices := chainOps[l.op].choices; len(choices) > 0 {
		l.param = choices[rng.IntN(len(choices))]
	}
	if i > 0 {
		l.connection = chainConnection(rng.IntN(len(chainConnections)))
	}
	return l
}

// chainUnits returns all operations with their parameters.
func chainUnits() []chainLayer {
	var units []chainLayer
	for op, o := range chainOps {
		if len(o.choices) == 0 {
			units = append(units, chainLayer{op: chainOp(op)})
		}
		for _, p := range o.choices {
			units = append(units, chainLayer{op: chainOp(op), param: p})
		}
	}
	return units
}

// chainsOf counts the chains of a depth.
func chainsOf(depth, units int) count {
	n := count{n: 1}
	for i := range depth {
		n.times(uint64(units))
		if i > 0 {
			n.times(uint64(len(chainConnections)))
		}
	}
	return n
}

// Count counts chains; the short ones come first.
func (*chain) Count() (uint64, bool) {
	var n count
	for depth := minChainDepth; depth <= maxChainDepth; depth++ {
		n.plus(chainsOf(depth, len(chainUnits())))
	}
	return n.n, !n.over
}

// At returns the chain of a number.
func (*chain) At(number uint64) (Genome, bool) {
	units := chainUnits()
	for depth := minChainDepth; depth <= maxChainDepth; depth++ {
		n := chainsOf(depth, len(units)).n
		if number >= n {
			number -= n
			continue
		}
		g := ChainGenome{depth: uint8(depth)}
		for i := depth - 1; i >= 0; i-- {
			connection := sequentialConnection
			if i > 0 {
				connection = chainConnection(digit(&number, len(chainConnections)))
			}
			g.layers[i] = units[digit(&number, len(units))]
			g.layers[i].connection = connection
		}
		return g, true
	}
	return nil, false
}
