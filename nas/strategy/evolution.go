package strategy

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

// EvolutionOptions say how [Evolution] goes on from generation to generation. Zero values stand for the defaults.
type EvolutionOptions struct {
	Population int     // individuals that live; 20
	Tournament int     // individuals of which the best becomes a parent; 3, and 2 with Pareto
	Mutation   float64 // probability by which each layer or edge of a child changes; 0.1

	// Penalty is taken off the score for every million parameters; 0.001, and nothing with Aging or Pareto. A negative
	// number means none.
	Penalty float64

	// Round is the number of children that are made before the result of any of them counts; as many as the population, but a tenth
	// of it with Aging. More keep more workers busy, fewer learn faster.
	Round int

	// Aging makes it regularized evolution (Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture
	// Search", AAAI 2019, Algorithm 1): a child is a neighbor of one parent, and it is the oldest that die.
	Aging bool

	// Pareto makes it NSGA-II (Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
	// NSGA-II", IEEE Transactions on Evolutionary Computation, 2002) over these metrics, each to be as large as possible, or with a "-" before
	// its name as small as possible. "score" is the score.
	Pareto []string
}

func (o *EvolutionOptions) defaults() error {
	if o.Aging && len(o.Pareto) > 0 {
		return errors.New("aging and pareto are different kinds of selection")
	}
	if o.Population == 0 {
		o.Population = 20
	}
	if o.Tournament == 0 {
		o.Tournament = 3
		if len(o.Pareto) > 0 {
			o.Tournament = 2
		}
	}
	if o.Mutation == 0 {
		o.Mutation = 0.1
	}
	if o.Penalty == 0 && !o.Aging && len(o.Pareto) == 0 {
		o.Penalty = 0.001
	}
	o.Penalty = max(o.Penalty, 0)
	if o.Round == 0 {
		o.Round = o.Population
		if o.Aging {
			o.Round = max(o.Population/10, 1)
		}
	}
	switch {
	case o.Population < 2:
		return fmt.Errorf("a population of %d is less than 2", o.Population)
	case o.Tournament < 1 || o.Tournament > o.Population:
		return fmt.Errorf("a tournament of %d does not fit a population of %d", o.Tournament, o.Population)
	case !(o.Mutation > 0 && o.Mutation <= 1):
		return fmt.Errorf("a mutation of %g is no probability above 0", o.Mutation)
	case math.IsNaN(o.Penalty) || math.IsInf(o.Penalty, 0):
		return fmt.Errorf("a penalty of %g is not finite", o.Penalty)
	case o.Round < 1:
		return fmt.Errorf("rounds of %d", o.Round)
	case len(o.Pareto) == 1:
		return fmt.Errorf("pareto needs two metrics or more, not %s alone", o.Pareto[0])
	}
	for i, name := range o.Pareto {
		bare := strings.TrimPrefix(name, "-")
		if bare == "" {
			return errors.New("pareto: a metric has no name")
		}
		for _, other := range o.Pareto[:i] {
			if strings.TrimPrefix(other, "-") == bare {
				return fmt.Errorf("pareto: metric %s stands twice", bare)
			}
		}
	}
	return nil
}

// Evolution keeps a population, at first drawn at random, and makes children of its best. By default a child is crossed from two
// parents at one point and mutated; each parent is the best of a tournament by its score less a penalty for parameters;
// and of the population and a round of children the best live on. [EvolutionOptions] has other kinds.
//
// No child is a network that was proposed before, unless repeats are allowed: it is made anew, then
// changed further, then drawn at random.
//
// Proposal k is made from a stream of its own, named by the seed and k. Results count when their round is complete.
type Evolution struct {
	o     EvolutionOptions
	space space.Variable
	key   func(space.Genome) string
	seed  uint64

	repeats bool
	seen    map[string]bool // keys of what was proposed or told
	drawer  *Random         // of what is not made from parents

	trial      uint64       // number of the next proposal
	left       int          // of the present round
	told       int          // of the present round
	pending    []individual // results of the present round
	population []individual
	done       bool
	err        error
}

// individual is a genome with its result.
type individual struct {
	genome   space.Genome
	fitness  float64   // minus infinity if it failed
	values   []float64 // by Pareto, larger is better; minus infinity if it failed
	rank     int       // front of NSGA-II, from 0
	crowding float64
	number   int // in the order of results
}

// NewEvolution returns an evolution. It fails if the genomes of the space cannot be varied or an option makes no sense.
func NewEvolution(o Options) (*Evolution, error) {
	s, ok := o.Space.(space.Variable)
	if !ok {
		return nil, fmt.Errorf("strategy evolution: the genomes of space %s cannot be mutated and crossed", o.Space.Name())
	}
	e := &Evolution{o: o.Evolution, space: s, key: o.Space.Key, seed: o.Seed, repeats: o.Repeats, seen: map[string]bool{}}
	if err := e.o.defaults(); err != nil {
		return nil, fmt.Errorf("strategy evolution: %w", err)
	}
	e.drawer = NewRandom(o)
	e.drawer.seen = e.seen
	e.left = e.o.Round
	return e, nil
}

// Name returns "evolution".
func (*Evolution) Name() string { return "evolution" }

// Round returns the number of children of a generation.
func (e *Evolution) Round() int { return e.o.Round }

// Ask returns up to n children, or fewer at the end of a round or if no more networks are found.
func (e *Evolution) Ask(n int) ([]space.Genome, error) {
	if n < 1 {
		return nil, fmt.Errorf("strategy evolution: asked for %d genomes", n)
	}
	if e.left == 0 {
		if e.told < e.o.Round {
			return nil, fmt.Errorf("strategy evolution: asked for trial %d, but only %d of the %d results of the round before were told", e.trial, e.told, e.o.Round)
		}
		e.renew()
		e.left, e.told = e.o.Round, 0
	} else if e.trial == 0 {
		e.renew() // what was told before the first proposal
	}
	if e.err != nil {
		return nil, e.err
	}
	var out []space.Genome
	for len(out) < min(n, e.left) && !e.done {
		g, err := e.propose()
		if err != nil && len(out) > 0 {
			break // The next call meets the error again, and no proposal is lost.
		}
		if err != nil {
			return nil, fmt.Errorf("strategy evolution: proposal %d: %w", e.trial, err)
		}
		if g == nil {
			e.done = true
			break
		}
		e.trial++
		out = append(out, g)
	}
	e.left -= len(out)
	if len(out) == 0 {
		return nil, ErrExhausted
	}
	return out, nil
}

// Attempts to make a child that is new and allowed, before it is changed further and then given up.
const (
	crossings = 20
	steps     = 100
)

// propose returns the next genome; nil if there is no new one.
func (e *Evolution) propose() (space.Genome, error) {
	rng := stream.New(e.seed, "strategy evolution", e.trial)
	if len(e.population) < e.o.Population && e.trial < uint64(e.o.Population) || len(e.population) == 0 {
		return e.drawer.drawFrom(rng)
	}
	var child space.Genome
	var err error
	for range crossings {
		if err := e.drawer.o.interrupted(); err != nil {
			return nil, err
		}
		if child, err = e.child(rng); err != nil {
			return nil, err
		}
		if e.take(child) {
			return child, nil
		}
	}
	for range steps {
		if err := e.drawer.o.interrupted(); err != nil {
			return nil, err
		}
		if child, err = e.space.Neighbor(child, rng); err != nil {
			return nil, err
		}
		if e.take(child) {
			return child, nil
		}
	}
	return e.drawer.drawFrom(rng)
}

// take reports whether a genome can be proposed, and remembers it.
func (e *Evolution) take(g space.Genome) bool {
	if e.repeats {
		return e.space.Check(g) == nil
	}
	key := e.key(g)
	if e.seen[key] || e.space.Check(g) != nil {
		return false
	}
	e.seen[key] = true
	return true
}

// child makes a genome from one or two parents.
func (e *Evolution) child(rng *rand.Rand) (space.Genome, error) {
	if e.o.Aging {
		return e.space.Neighbor(e.parent(rng).genome, rng)
	}
	g, err := e.space.Cross(e.parent(rng).genome, e.parent(rng).genome, rng)
	if err != nil {
		return nil, err
	}
	return e.space.Mutate(g, e.o.Mutation, rng)
}

// parent returns the best of a tournament, for which different individuals are drawn.
func (e *Evolution) parent(rng *rand.Rand) *individual {
	n := len(e.population)
	drawn := make(map[int]bool, min(e.o.Tournament, n))
	var best *individual
	for len(drawn) < min(e.o.Tournament, n) {
		i := rng.IntN(n)
		if drawn[i] {
			continue
		}
		drawn[i] = true
		if p := &e.population[i]; best == nil || e.compare(p, best) < 0 {
			best = p
		}
	}
	return best
}

// compare orders individuals, better ones first.
func (e *Evolution) compare(a, b *individual) int {
	if len(e.o.Pareto) > 0 {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.crowding, a.crowding))
	}
	return cmp.Compare(b.fitness, a.fitness)
}

// Tell takes a result. Those told before the first proposal belong to the first population.
func (e *Evolution) Tell(result Result) {
	if result.Trial >= 0 {
		e.told++
	}
	if result.Genome == nil {
		return
	}
	e.seen[e.key(result.Genome)] = true
	i, err := e.judge(result)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.pending = append(e.pending, i)
}

// judge makes an individual of a result.
func (e *Evolution) judge(r Result) (individual, error) {
	i := individual{genome: r.Genome, fitness: math.Inf(-1), values: make([]float64, len(e.o.Pareto))}
	for j := range i.values {
		i.values[j] = math.Inf(-1)
	}
	if r.Failed || math.IsNaN(r.Score) {
		return i, nil
	}
	i.fitness = r.Score
	if e.o.Penalty > 0 {
		params, ok := r.Metrics["params"]
		if !ok {
			cost, err := e.space.Cost(r.Genome)
			if err != nil {
				return i, fmt.Errorf("strategy evolution: trial %d: %w", r.Trial, err)
			}
			params = float64(cost.Params)
		}
		i.fitness -= e.o.Penalty * params / 1e6
	}
	values, err := aims(r, e.o.Pareto)
	if err != nil {
		return i, fmt.Errorf("strategy evolution: %w", err)
	}
	copy(i.values, values)
	return i, nil
}

// renew lets the results of a round join the population, and those die for whom there is no room.
func (e *Evolution) renew() {
	number := 0
	for _, p := range e.population {
		number = max(number, p.number+1)
	}
	for _, p := range e.pending {
		p.number = number
		number++
		e.population = append(e.population, p)
	}
	e.pending = nil
	over := len(e.population) - e.o.Population
	switch {
	case e.o.Aging:
		e.population = slices.Delete(e.population, 0, max(over, 0))
	case len(e.o.Pareto) > 0:
		e.population = survivors(e.population, e.o.Population)
	case over > 0:
		slices.SortStableFunc(e.population, func(a, b individual) int { return e.compare(&a, &b) })
		e.population = e.population[:e.o.Population]
	}
}
