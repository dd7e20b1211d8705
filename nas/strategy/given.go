package strategy

import (
	"fmt"

	"github.com/nasbench-go/nasbench/nas/space"
)

// Given proposes a list of genomes in their order: what a search of another kind has found, to be evaluated like any
// other.
type Given struct {
	name    string
	genomes []space.Genome
	next    int
}

// NewGiven returns a strategy of this name over a list.
func NewGiven(name string, genomes []space.Genome) *Given {
	return &Given{name: name, genomes: genomes}
}

// Name returns the name that the strategy was given.
func (g *Given) Name() string { return g.name }

// Round returns 0: no proposal depends on a result.
func (g *Given) Round() int { return 0 }

// Ask returns the next n genomes, or those that are left.
func (g *Given) Ask(n int) ([]space.Genome, error) {
	if n < 1 {
		return nil, fmt.Errorf("strategy %s: asked for %d genomes", g.name, n)
	}
	if g.next == len(g.genomes) {
		return nil, ErrExhausted
	}
	first := g.next
	g.next = min(first+n, len(g.genomes))
	return g.genomes[first:g.next:g.next], nil
}

// Tell does nothing.
func (*Given) Tell(Result) {}
