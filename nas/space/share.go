package space

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/layers"
)

// Any space can share weights: built into a store of layers.NewSharedStore, its networks have the parameters of equal paths in common. The
// spaces of this package put what a genome chooses at a position below layers.Scope.Choice, so that weights belong to a position and an
// operation. Of its parameters, those that change what a kernel is (its side, say) have weights of their own; a choice of channels takes the
// first ones of the largest (as in Yu et al., "Slimmable Neural Networks", ICLR 2019, and Cai et al., "Once for All", ICLR 2020), unless the
// store keeps widths apart.

// Shareable is a space from which genomes can be drawn in groups that treat all choices alike, for strict fairness of a
// one-shot supernet (Chu, Zhang and Xu, "FairNAS", ICCV 2021, section 3.3).
type Shareable interface {
	Space
	// Choices returns how many choices of an operation, with its parameters, there are at a position.
	Choices() int
	// Group draws as many genomes as there are choices, so that at every position each choice stands in one of them. Genomes that the
	// constraints do not allow are left out of the result; Group looks for those that are allowed, which may be in vain.
	Group(rng *rand.Rand) []Genome
}

// groupTries bounds how often the next genome of a group is drawn, from the choices that are left.
const groupTries = 100

// group draws the genomes of a group. compose makes a genome of a choice for each position; it may draw what
// else there is to a genome.
func group(s Space, positions, choices int, rng *rand.Rand, compose func(member int, choices []int) Genome) []Genome {
	left := make([][]int, positions)
	for i := range left {
		left[i] = rng.Perm(choices)
	}
	var out []Genome
	chosen := make([]int, positions)
	for member := range choices {
		var g Genome
		allowed := false
		for try := 0; try < groupTries && !allowed; try++ {
			for i := range left { // the choice of this genome moves to the front
				if try > 0 {
					k := member + rng.IntN(choices-member)
					left[i][member], left[i][k] = left[i][k], left[i][member]
				}
				chosen[i] = left[i][member]
			}
			g = compose(member, chosen)
			allowed = s.Check(g) == nil
		}
		if allowed {
			out = append(out, g)
		}
	}
	return out
}

// spread returns n values, each of 0 to choices-1 as often as any other or once more, in random order.
func spread(n, choices int, rng *rand.Rand) []int {
	order := rng.Perm(choices)
	out := make([]int, n)
	for i := range out {
		out[i] = order[i%choices]
	}
	rng.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Choices implements [Shareable].
func (*chain) Choices() int { return len(chainUnits()) }

// Group implements [Shareable]. The positions are the layers of the group's depth, which is drawn with equal probability and is the same for
// all: layers beyond it are trained by no genome of the group. Connections are spread evenly over the genomes of every layer.
func (c *chain) Group(rng *rand.Rand) []Genome {
	units := chainUnits()
	depth := minChainDepth + rng.IntN(maxChainDepth-minChainDepth+1)
	var connections [maxChainDepth][]int
	for i := 1; i < depth; i++ {
		connections[i] = spread(len(units), len(chainConnections), rng)
	}
	return group(c, depth, len(units), rng, func(member int, choices []int) Genome {
		g := ChainGenome{depth: uint8(depth)}
		for i, choice := range choices {
			g.layers[i] = units[choice]
			if i > 0 {
				g.layers[i].connection = chainConnection(connections[i][member])
			}
		}
		return g
	})
}

// Choices implements [Shareable].
func (*nb201) Choices() int { return int(numNB201Ops) }

// Group implements [Shareable]. The positions are the edges.
func (s *nb201) Group(rng *rand.Rand) []Genome {
	return group(s, nb201Edges, int(numNB201Ops), rng, func(_ int, choices []int) Genome {
		g := NB201Genome{made: true}
		for i, c := range choices {
			g.ops[i] = nb201Op(c)
		}
		return g
	})
}

// Choices implements [Shareable].
func (*macro) Choices() int { return len(macroOps) }

// Group implements [Shareable]. The positions are the layers.
func (s *macro) Group(rng *rand.Rand) []Genome {
	return group(s, macroLayers, len(macroOps), rng, func(_ int, choices []int) Genome {
		g := MacroGenome{made: true}
		for i, c := range choices {
			g.layers[i] = uint8(c)
		}
		return g
	})
}

// Choices implements [Shareable].
func (*darts) Choices() int { return int(numDartsOps) - 1 }

// Group implements [Shareable]. The positions are the edges that nodes keep; their states are drawn with equal probability.
func (s *darts) Group(rng *rand.Rand) []Genome {
	return group(s, 2*dartsEdges, int(numDartsOps)-1, rng, func(_ int, choices []int) Genome {
		g := randomDarts(rng)
		for i, c := range choices {
			g.cell(i >= dartsEdges)[i%dartsEdges].op = dartsOp(1 + c)
		}
		return g
	})
}

// Choices implements [Shareable].
func (s *described) Choices() int { return len(s.all()) }

// Group implements [Shareable]. The positions are the layers of a chain as in the space chain, or the edges of cells; where a node takes
// some of the states before it only, which ones is drawn with equal probability.
func (s *described) Group(rng *rand.Rand) []Genome {
	all := s.all()
	if s.kind == chainKind {
		depth := s.minDepth + rng.IntN(s.maxDepth-s.minDepth+1)
		connections := make([][]int, depth)
		for i := 1; i < depth; i++ {
			connections[i] = spread(len(all), len(s.connections), rng)
		}
		return group(s, depth, len(all), rng, func(member int, choices []int) Genome {
			units := make([]unit, depth)
			for i, c := range choices {
				units[i] = all[c]
				if i > 0 {
					units[i].connection = s.connections[connections[i][member]]
				}
			}
			return s.genome(units)
		})
	}
	edges := 0
	for node := range s.nodes {
		edges += s.taken(node)
	}
	return group(s, edges, len(all), rng, func(_ int, choices []int) Genome {
		var units []unit
		for node := range s.nodes {
			for _, from := range s.drawStates(node, rng) {
				u := all[choices[len(units)]]
				u.node, u.from = node, from
				units = append(units, u)
			}
		}
		return s.genome(units)
	})
}

// choice runs f with the names of one of several alternatives: see layers.Scope.Choice.
func (n *network) choice(plain, shared string, f func()) {
	if !n.naming {
		f()
		return
	}
	n.within(choiceMark+plain+choiceMark+shared, f)
}

// width runs f with the name of a choice of channels: see layers.Scope.Width. 0 is no choice.
func (n *network) width(channels int, f func()) {
	if !n.naming || channels == 0 {
		f()
		return
	}
	n.within(widthMark+strconv.Itoa(channels), f)
}

// widthMark begins a part of a path that names a choice of channels.
const widthMark = "#"

// choiceMark begins a part of a path that names an alternative: twice, before both of its names.
const choiceMark = "@"

// enter returns the scope of a part of a path.
func enter(s layers.Scope, part string) layers.Scope {
	if names, ok := strings.CutPrefix(part, choiceMark); ok {
		plain, shared, _ := strings.Cut(names, choiceMark)
		return s.Choice(plain, shared)
	}
	if width, ok := strings.CutPrefix(part, widthMark); ok {
		channels, err := strconv.Atoi(width)
		if err != nil {
			panic("space: a width named " + width) // only network.width writes it
		}
		return s.Width(channels)
	}
	return s.Sub(part)
}
