package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// search is the state of one Run. All of it belongs to the goroutine that called Run, which
// alone talks to the strategy, the store and the observer; evaluations run in goroutines of
// their own and send messages.
type search struct {
	Options
	start    time.Time
	deadline time.Time // if there is a limit of time; moves with the best trial
	recorded map[int]Trial
	best     *Trial

	slots     []*slot        // what the strategy proposed, by index
	open      []*slot        // those that wait, in order of index
	told      int            // slots before this one were told to the strategy
	first     map[string]int // index of the first slot with a key
	exhausted bool           // the strategy has nothing left

	messages chan message
	free     []int // workers without a trial
	running  int
	ended    bool // some evaluation of this Run reached its end
	late     bool // the time is used up
	stop     Stop // "" while the search goes on
	err      error
}

// slot is one proposal.
type slot struct {
	index  int
	genome space.Genome
	text   string
	key    string
	seed   uint64
	past   [][]Point // curves for the pruner
	done   bool
	trial  Trial // once it is done
}

// maxOpen bounds how many repetitions of a running trial may wait for it before a strategy
// without rounds is asked for more.
const maxOpen = 64

func newSearch(o Options, trials []Trial, start time.Time) *search {
	s := &search{
		Options:  o,
		start:    start,
		recorded: make(map[int]Trial, len(trials)),
		first:    map[string]int{},
		messages: make(chan message, 16),
	}
	for _, t := range trials {
		s.recorded[t.Index] = t
		s.consider(t)
	}
	s.schedule()
	for w := range o.Workers {
		s.free = append(s.free, o.Workers-1-w)
	}
	return s
}

// run takes one small step after the other until nothing is left to do. Between the steps
// it looks at the clock, the context and the messages of the workers.
func (s *search) run(ctx context.Context) {
	evaluations, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		select {
		case m := <-s.messages:
			s.receive(m)
			continue
		default:
		}
		s.look(ctx)
		if s.stop != "" {
			cancel()
		} else if s.step(evaluations) {
			continue
		}
		if s.running == 0 {
			break
		}
		s.wait(ctx)
	}
	if s.stop == "" {
		s.stop = StopTrials
		if s.exhausted {
			s.stop = StopExhausted
		}
	}
}

// look stops the search if the context is cancelled or the time is used up.
func (s *search) look(ctx context.Context) {
	switch {
	case s.stop != "":
		return
	case ctx.Err() != nil:
		s.stop = StopInterrupted
		return
	case s.Time > 0 && !s.late:
		s.late = time.Until(s.deadline) <= 0
	}
	if s.late && (s.best != nil || s.ended && s.running == 0 || time.Until(s.end()) <= 0) {
		s.stop = StopTime
	}
}

// grace is how long, at the least, the first trials may go on when the time is used up.
const grace = 30 * time.Second

// end is when the search stops even if no trial is complete.
func (s *search) end() time.Time { return s.start.Add(s.Time + max(s.Time, grace)) }

// wait returns when there may be something to do.
func (s *search) wait(ctx context.Context) {
	var clock <-chan time.Time
	interrupt := ctx.Done()
	if s.stop != "" {
		interrupt = nil // what runs has been told to end; only its messages count now
	} else if s.Time > 0 {
		next := s.deadline
		if s.late {
			next = s.end()
		}
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		clock = t.C
	}
	select {
	case m := <-s.messages:
		s.receive(m)
	case <-clock:
	case <-interrupt:
	}
}

// step does one thing if there is one to do: it copies the result of a repeated
// proposal, starts a trial, or asks the strategy.
func (s *search) step(ctx context.Context) bool {
	for i, p := range s.open {
		if s.Trials > 0 && p.index >= s.Trials {
			break
		}
		origin := s.slots[s.first[p.key]]
		if origin == p && s.mayStart() {
			s.open = slices.Delete(s.open, i, i+1)
			s.launch(ctx, p)
			return true
		}
		if origin != p && origin.done {
			s.open = slices.Delete(s.open, i, i+1)
			s.reuse(p, origin)
			return true
		}
	}
	return s.ask()
}

// mayStart reports whether a trial may start now. Once the time is used up, one may only if
// otherwise none at all would have been evaluated.
func (s *search) mayStart() bool {
	return len(s.free) > 0 && (!s.late || !s.ended && s.running == 0)
}

// ask gets proposals if the time has come: a whole round when the strategy was told of all
// rounds before, or one proposal if it has no rounds. Rounds are never cut short
// by the limit of trials, so that a study goes on with a higher limit as if it had had it.
func (s *search) ask() bool {
	if s.exhausted || !s.mayStart() || len(s.open) >= maxOpen || s.Trials > 0 && len(s.slots) >= s.Trials {
		return false
	}
	round := s.Strategy.Round()
	if round <= 0 && s.Pruner != nil {
		round = pruningRound
	}
	if round > 0 && s.told < len(s.slots) {
		return false
	}
	past := s.past()
	for missing := max(round, 1); missing > 0 && !s.exhausted && s.stop == ""; {
		genomes, err := s.Strategy.Ask(missing)
		switch {
		case errors.Is(err, strategy.ErrExhausted):
			s.exhausted = true
		case err != nil:
			s.fail(err)
		case len(genomes) == 0 || len(genomes) > missing:
			s.fail(fmt.Errorf("strategy %s: asked for 1 to %d architectures, it proposed %d", s.Strategy.Name(), missing, len(genomes)))
		}
		for _, g := range genomes {
			if s.stop == "" {
				s.propose(g, past)
			}
		}
		missing -= len(genomes)
	}
	if s.stop == "" {
		s.tell()
	}
	return true
}

// past returns the curves of the completed rounds.
func (s *search) past() [][]Point {
	if s.Pruner == nil {
		return nil
	}
	var curves [][]Point
	for _, p := range s.slots[:s.told] {
		if p.trial.State != Failed && p.trial.ReusedFrom == nil {
			curves = append(curves, p.trial.Curve)
		}
	}
	return curves
}

// propose gives a proposal its index, and its result if that is on record.
func (s *search) propose(g space.Genome, past [][]Point) {
	p := &slot{index: len(s.slots), genome: g, text: g.String(), key: s.Space.Key(g), past: past}
	p.seed = stream.Seed(s.Seed, "trial", uint64(p.index))
	if p.key == "" {
		s.fail(fmt.Errorf("strategy %s: proposal %d, %s, is not of the space", s.Strategy.Name(), p.index, p.text))
		return
	}
	s.slots = append(s.slots, p)
	if _, ok := s.first[p.key]; !ok {
		s.first[p.key] = p.index
	}
	t, ok := s.recorded[p.index]
	if !ok {
		s.open = append(s.open, p)
		return
	}
	const why = "the study was made with other settings or by another version"
	switch {
	case t.Genome != p.text:
		s.fail(fmt.Errorf("study: trial %d is on record as %s, but strategy %s now proposes %s: %s", p.index, t.Genome, s.Strategy.Name(), p.text, why))
	case t.ReusedFrom == nil && t.Seed != p.seed:
		s.fail(fmt.Errorf("study: trial %d is on record with seed %d, but would now have %d: %s", p.index, t.Seed, p.seed, why))
	}
	p.trial, p.done = t, true
}

// reuse records a repeated proposal with the result of the first.
func (s *search) reuse(p, origin *slot) {
	t := origin.trial
	t.Index, t.Genome, t.ReusedFrom, t.Timing = p.index, p.text, &origin.index, Timing{}
	var err error
	if t.Architecture, err = json.Marshal(p.genome); err != nil {
		s.fail(fmt.Errorf("study: trial %d, %s: %w", p.index, p.text, err))
		return
	}
	s.finish(p, t, -1)
}

// finish records a trial that has ended.
func (s *search) finish(p *slot, t Trial, worker int) {
	if err := s.Store.Append(t); err != nil {
		s.fail(err)
		return
	}
	p.trial, p.done = t, true
	if s.consider(t) {
		s.schedule()
	}
	s.observe(Event{Kind: TrialEnded, Index: p.index, Genome: p.text, Worker: worker, Trial: &p.trial, Best: s.best})
	s.tell()
}

// consider remembers a trial that is better than the best, and says whether it is.
func (s *search) consider(t Trial) bool {
	if !eligible(t) || s.best != nil && compare(t, *s.best) >= 0 {
		return false
	}
	s.best = &t
	return true
}

// schedule sets the deadline for the best trial.
func (s *search) schedule() {
	s.deadline = s.start.Add(s.Time)
	if s.Reserve != nil && s.Time > 0 {
		s.deadline = s.deadline.Add(-s.Reserve(s.best))
	}
}

// tell reports finished trials to the strategy, strictly in order of index.
func (s *search) tell() {
	for s.told < len(s.slots) && s.slots[s.told].done {
		p := s.slots[s.told]
		s.told++
		s.Strategy.Tell(p.trial.Result(p.genome))
	}
}

// fail stops the search for the first of its errors.
func (s *search) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.stop = StopError
}

func (s *search) observe(e Event) {
	if s.Observer != nil {
		s.Observer(e)
	}
}
