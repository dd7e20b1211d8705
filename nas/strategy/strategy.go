package strategy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nasbench-go/nasbench/nas/space"
)

// ErrExhausted is returned by Ask when the strategy has nothing left to propose. It stays so.
var ErrExhausted = errors.New("strategy: nothing is left to propose")

// Strategy proposes genomes. It is not safe for concurrent use.
type Strategy interface {
	// Name returns the name that [New] knows the strategy by.
	Name() string

	// Round returns the number of trials that are proposed before any of their results is
	// needed: trials k*Round to (k+1)*Round-1 depend only on the results of earlier ones. All
	// of these must be told before the first trial of the next round is asked for. It never
	// changes. 0 means that no proposal depends on a result, so that any number may be asked
	// for at any time.
	Round() int

	// Ask returns the genomes of the next trials: between 1 and n, and never beyond the end of
	// the round. It returns [ErrExhausted], and no genomes, when nothing is left. It returns
	// another error if n is not positive, if the space cannot give a genome, or if the last
	// round was not told completely.
	Ask(n int) ([]space.Genome, error)

	// Tell reports a trial, in the order of trials. Results of trials that were not asked for,
	// from an earlier search for example, may be told with a negative Trial before the first
	// Ask.
	Tell(Result)
}

// Result is how a trial did.
type Result struct {
	Trial  int          // its number, from 0 in the order of proposals
	Genome space.Genome // as proposed
	Score  float64      // what the search maximises, such as validation accuracy; 0 if Failed
	Failed bool         // there is no score
	Reason string       // why it failed, in words

	// Metrics holds all measurements by name, such as "params", for strategies with more than
	// one objective. It may be nil.
	Metrics map[string]float64
}

// Options says what a strategy works on.
type Options struct {
	Space space.Space // required
	Seed  uint64      // equal seeds give equal proposals for equal results

	// Repeats allows proposals of networks that were proposed or told before. Strategies then do not look for genomes that
	// are the same network, such as isomorphic cells.
	Repeats bool

	Evolution EvolutionOptions // of the strategy evolution

	// Interrupt, if set, is asked every so often while proposals are looked for: Ask then ends with its error, and may be called again. The Err
	// method of a context is meant. It goes with that of the space's constraints.
	Interrupt func() error
}

// interrupted returns the error of Interrupt.
func (o *Options) interrupted() error {
	if o.Interrupt == nil {
		return nil
	}
	return o.Interrupt()
}

// Info describes a strategy that [New] can make.
type Info struct {
	Name        string
	Description string // one line
}

type entry struct {
	Info
	make func(Options) (Strategy, error)
}

// known is the list of strategies. A new strategy adds one line.
func known() []entry {
	return []entry{
		{Info{"random", "uniform choices under the constraints, without repeats"},
			func(o Options) (Strategy, error) { return NewRandom(o), nil }},
		{Info{"grid", "all genomes of a small space, in order"},
			func(o Options) (Strategy, error) { return made(NewGrid(o)) }},
		{Info{"evolution", "children of the best, by crossing and mutation; regularized evolution and NSGA-II as options"},
			func(o Options) (Strategy, error) { return made(NewEvolution(o)) }},
	}
}

// made returns a strategy as the interface, without a nil inside it.
func made[S Strategy](s S, err error) (Strategy, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// List returns the strategies that [New] can make.
func List() []Info {
	var infos []Info
	for _, e := range known() {
		infos = append(infos, e.Info)
	}
	return infos
}

// New returns the strategy of this name. It fails if there is none, if there is no space, or
// if the strategy cannot work in it.
func New(name string, o Options) (Strategy, error) {
	var names []string
	for _, e := range known() {
		if e.Name != name {
			names = append(names, e.Name)
			continue
		}
		if o.Space == nil {
			return nil, fmt.Errorf("strategy %s: no space to search", name)
		}
		return e.make(o)
	}
	return nil, fmt.Errorf("strategy: no strategy is called %q; there is %s", name, strings.Join(names, ", "))
}
