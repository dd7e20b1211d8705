// Package strategytest checks that a search strategy keeps the rules of strategy.Strategy, on which studies
// rely to give the same trials with any number of workers and to go on by replay. The test of a strategy is one line:
//
//	func TestConformance(t *testing.T) { strategytest.Run(t, strategytest.Options{New: newMyStrategy, Space: s}) }
package strategytest

import (
	"errors"
	"hash/fnv"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Options says what [Run] tests.
type Options struct {
	New    func(strategy.Options) (strategy.Strategy, error) // makes the strategy under test
	Space  space.Space                                       // in which it can work
	Trials int                                               // of each check; 0 means 60
}

// Run runs all checks as subtests.
func Run(t *testing.T, o Options) {
	if o.Trials == 0 {
		o.Trials = 60
	}
	for _, c := range []struct {
		name  string
		check func(*testing.T, Options)
	}{
		{"proposals are genomes of the space", proposals},
		{"equal seeds and results give equal proposals", determinism},
		{"trials may end in any order", order},
		{"a search goes on by replay", replay},
		{"senseless asking is refused", refusal},
		{"earlier results and failures are borne", history},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, o) })
	}
}

func (o *Options) make(t *testing.T, seed uint64) strategy.Strategy {
	t.Helper()
	s, err := o.New(strategy.Options{Space: o.Space, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// result is how a trial does: a number that follows from the genome alone, and now and then a failure.
func (o *Options) result(trial int, g space.Genome) strategy.Result {
	h := fnv.New64a()
	h.Write([]byte(o.Space.Key(g)))
	sum := h.Sum64()
	r := strategy.Result{Trial: trial, Genome: g, Score: float64(sum%1000) / 1000}
	cost, err := o.Space.Cost(g)
	if err == nil {
		r.Metrics = map[string]float64{
			"val_accuracy": r.Score, "params": float64(cost.Params), "flops": float64(cost.FLOPs), "macs": float64(cost.MACs),
			"activation_bytes": float64(cost.ActivationBytes),
		}
	}
	if sum%17 == 0 {
		return strategy.Result{Trial: trial, Genome: g, Failed: true, Reason: "chosen to fail"}
	}
	return r
}

// pace decides how a search is run: how many genomes are asked for at once, and how many results may wait before they are told.
type pace struct {
	ask  func(trial int) int
	wait int
}

// steady asks for one genome at a time and tells its result at once.
var steady = pace{ask: func(int) int { return 1 }}

// search runs a search and returns the text of its genomes. It ends after so many trials or when the strategy is
// exhausted.
func (o *Options) search(t *testing.T, s strategy.Strategy, p pace, trials int) []string {
	t.Helper()
	var out []string
	var genomes []space.Genome
	told := 0
	tell := func(upTo int) {
		for ; told < upTo; told++ {
			s.Tell(o.result(told, genomes[told]))
		}
	}
	for len(out) < trials {
		round := s.Round()
		if round > 0 && len(out)%round == 0 {
			tell(len(out))
		}
		n := max(1, min(p.ask(len(out)), trials-len(out)))
		got, err := s.Ask(n)
		if errors.Is(err, strategy.ErrExhausted) {
			if len(got) > 0 {
				t.Fatalf("exhausted, with %d genomes", len(got))
			}
			if _, again := s.Ask(n); !errors.Is(again, strategy.ErrExhausted) {
				t.Fatalf("exhausted, and then: %v", again)
			}
			return out
		}
		if err != nil {
			t.Fatalf("trial %d: %v", len(out), err)
		}
		if len(got) == 0 || len(got) > n {
			t.Fatalf("trial %d: asked for %d genomes, got %d", len(out), n, len(got))
		}
		if round > 0 && len(out)/round != (len(out)+len(got)-1)/round {
			t.Fatalf("trial %d: %d genomes reach beyond the end of a round of %d", len(out), len(got), round)
		}
		for _, g := range got {
			out, genomes = append(out, g.String()), append(genomes, g)
		}
		tell(len(out) - p.wait)
	}
	return out
}

func proposals(t *testing.T, o Options) {
	s := o.make(t, 1)
	if s.Name() == "" || s.Round() < 0 {
		t.Errorf("the strategy is called %q and has rounds of %d", s.Name(), s.Round())
	}
	round := s.Round()
	for i, text := range o.search(t, s, steady, o.Trials) {
		g, err := o.Space.Parse(text)
		if err != nil {
			t.Fatalf("proposal %d: %v", i, err)
		}
		if err := o.Space.Check(g); err != nil {
			t.Fatalf("proposal %d, %s, is not allowed: %v", i, text, err)
		}
		if o.Space.Key(g) == "" {
			t.Fatalf("proposal %d, %s, has no key", i, text)
		}
	}
	if s.Round() != round {
		t.Errorf("rounds were of %d, now of %d", round, s.Round())
	}
}

// same fails unless both searches proposed the same.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d proposals, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: proposal %d is %s, want %s", what, i, got[i], want[i])
		}
	}
}

func determinism(t *testing.T, o Options) {
	same(t, "the same seed", o.search(t, o.make(t, 7), steady, o.Trials), o.search(t, o.make(t, 7), steady, o.Trials))
}

// order runs the same search with results that are told as late as the rules allow, and with genomes
// asked for in portions: what many workers make of a search.
func order(t *testing.T, o Options) {
	want := o.search(t, o.make(t, 3), steady, o.Trials)
	for _, c := range []struct {
		name string
		pace pace
	}{
		{"results wait for eight trials", pace{steady.ask, 8}},
		{"results wait as long as they may", pace{steady.ask, o.Trials}},
		{"genomes in portions of five", pace{func(int) int { return 5 }, 0}},
		{"all at once", pace{func(int) int { return o.Trials }, 0}},
		{"portions of any size, late results", pace{func(trial int) int { return 1 + stream.New(5, "portions", uint64(trial)).IntN(9) }, 6}},
	} {
		same(t, c.name, o.search(t, o.make(t, 3), c.pace, o.Trials), want)
	}
}

// replay stops after each of a few trials and begins again with a new strategy.
func replay(t *testing.T, o Options) {
	want := o.search(t, o.make(t, 5), steady, o.Trials)
	for _, stop := range []int{1, o.Trials / 3, o.Trials - 1} {
		s := o.make(t, 5)
		o.search(t, s, steady, min(stop, len(want))) // a search that is interrupted leaves nothing but its record
		same(t, "after an interruption", o.search(t, o.make(t, 5), pace{func(int) int { return 4 }, 3}, o.Trials), want)
	}
}

func refusal(t *testing.T, o Options) {
	for _, n := range []int{0, -1} {
		if got, err := o.make(t, 1).Ask(n); err == nil || len(got) > 0 {
			t.Errorf("Ask(%d) gives %d genomes and %v", n, len(got), err)
		}
	}
	s := o.make(t, 1)
	round := s.Round()
	if round == 0 || round >= o.Trials {
		return
	}
	asked := 0
	for asked < round {
		got, err := s.Ask(round - asked)
		if err != nil {
			return // exhausted within the first round
		}
		asked += len(got)
	}
	if got, err := s.Ask(1); err == nil || errors.Is(err, strategy.ErrExhausted) {
		t.Errorf("a round of %d was not told, and the next gives %v, %v", round, got, err)
	}
}

// history tells a strategy of another search before the first proposal, twice the same.
func history(t *testing.T, o Options) {
	var runs [2][]string
	for i := range runs {
		s := o.make(t, 9)
		rng := stream.New(11, "strategytest")
		for trial := range 5 {
			g, err := o.Space.Random(rng)
			if err != nil {
				t.Fatal(err)
			}
			r := o.result(-1-trial, g)
			if trial == 2 {
				r = strategy.Result{Trial: -1 - trial, Genome: g, Failed: true, Reason: "chosen to fail"}
			}
			s.Tell(r)
		}
		runs[i] = o.search(t, s, steady, o.Trials/2)
	}
	same(t, "with a history", runs[1], runs[0])
}
