package strategy

import (
	"fmt"

	"github.com/nasbench-go/nasbench/nas/space"
)

// maxGrid is the number of genomes up to which a grid is of use.
const maxGrid = 10_000_000

// Grid goes through all genomes of a small space in their order ([space.Countable]), without repeats.
type Grid struct {
	space  space.Countable
	key    func(space.Genome) string
	number uint64 // of the next genome
	count  uint64
	seen   map[string]bool
	o      Options
}

// numbersBetweenAsks is how many genomes are looked at before Interrupt is asked again.
const numbersBetweenAsks = 64

// NewGrid returns a grid search. It fails if the genomes of the space have no order, or are more than ten million.
func NewGrid(o Options) (*Grid, error) {
	s, ok := o.Space.(space.Countable)
	if !ok {
		return nil, fmt.Errorf("strategy grid: the genomes of space %s are not numbered", o.Space.Name())
	}
	n, ok := s.Count()
	if !ok {
		return nil, fmt.Errorf("strategy grid: space %s has more genomes than can be numbered; the most is %d", s.Name(), maxGrid)
	}
	if n > maxGrid {
		return nil, fmt.Errorf("strategy grid: space %s has %d genomes; the most is %d", s.Name(), n, maxGrid)
	}
	return &Grid{space: s, key: o.Space.Key, count: n, seen: map[string]bool{}, o: o}, nil
}

// Name returns "grid".
func (*Grid) Name() string { return "grid" }

// Round returns 0: no proposal depends on a result.
func (*Grid) Round() int { return 0 }

// Ask returns the next n genomes that the constraints allow, or fewer if no more are left.
func (g *Grid) Ask(n int) ([]space.Genome, error) {
	if n < 1 {
		return nil, fmt.Errorf("strategy grid: asked for %d genomes", n)
	}
	var out []space.Genome
	for ; g.number < g.count && len(out) < n; g.number++ {
		if g.number%numbersBetweenAsks == 0 {
			if err := g.o.interrupted(); err != nil && len(out) > 0 {
				break // The next call meets the error again, and no proposal is lost.
			} else if err != nil {
				return nil, fmt.Errorf("strategy grid: genome %d: %w", g.number, err)
			}
		}
		h, ok := g.space.At(g.number)
		if !ok {
			continue
		}
		key := g.key(h)
		if g.seen[key] || g.space.Check(h) != nil {
			continue
		}
		g.seen[key] = true
		out = append(out, h)
	}
	if len(out) == 0 {
		return nil, ErrExhausted
	}
	return out, nil
}

// Tell remembers the network, so that one that was not proposed here is not proposed later either.
func (g *Grid) Tell(result Result) {
	if result.Genome != nil {
		g.seen[g.key(result.Genome)] = true
	}
}
