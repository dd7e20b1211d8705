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
	times    timetable
	took     []time.Duration // trials that ended in this Run; those on record before, as long as there are none
	recorded map[int]Trial
	best     *Trial

	slots     []*slot        // what the strategy proposed, by index
	open      []*slot        // those that wait, in order of index
	told      int            // slots before this one were told to the strategy
	first     map[string]int // index of the first slot with a key
	exhausted bool           // the strategy has nothing left
	missing   int            // proposals that are still to be asked for in the present round
	past      [][]Point      // curves for the pruner, of the present round

	messages chan message
	free     []int // workers without a trial
	running  map[*slot]struct{}
	ended    bool          // some evaluation of this Run reached its end
	unfit    bool          // a trial could not start, because the time was too short for one
	need     time.Duration // of one trial, if the time ended before any did
	stop     Stop          // "" while the search goes on
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

	runningTrial // while it is under way
}

// maxOpen bounds how many repetitions of a running trial may wait for it before a strategy
// without rounds is asked for more.
const maxOpen = 64

func newSearch(o Options, trials []Trial, start time.Time) *search {
	s := &search{
		Options:  o,
		times:    timetable{start: start, limit: o.Time},
		running:  map[*slot]struct{}{},
		recorded: make(map[int]Trial, len(trials)),
		first:    map[string]int{},
		messages: make(chan message, 16),
	}
	for _, t := range trials {
		s.recorded[t.Index] = t
		s.consider(t)
		if d, ok := duration(t); ok {
			s.took = append(s.took, d)
		}
	}
	s.times.typical = median(s.took)
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
		if len(s.running) == 0 {
			break
		}
		s.wait(ctx)
	}
	switch {
	case s.stop != "":
	case s.exhausted:
		s.stop = StopExhausted
	case s.unfit:
		s.stop = StopTime
	default:
		s.stop = StopTrials
	}
}

// duration returns how long a trial took; false if nothing was evaluated, or not to its end.
func duration(t Trial) (time.Duration, bool) {
	return time.Duration(t.Timing.Seconds * float64(time.Second)), t.State == Complete && t.ReusedFrom == nil
}

// look stops the search if the context is cancelled or the time is used up.
func (s *search) look(ctx context.Context) {
	switch {
	case s.stop != "":
		return
	case ctx.Err() != nil:
		s.stop = StopInterrupted
		return
	case s.Time == 0:
		return
	}
	now, running := time.Now(), s.underWay()
	onlyFailures := s.best == nil && s.ended && len(running) == 0 && !now.Before(s.times.deadline())
	if onlyFailures || s.times.over(now, running) {
		s.endInTime(now)
	}
}

// endInTime stops the search because its time is used up.
func (s *search) endInTime(now time.Time) {
	s.stop = StopTime
	if s.best == nil && !s.ended {
		s.need = need(now, s.underWay())
	}
}

// underWay lists the trials that run.
func (s *search) underWay() []runningTrial {
	var out []runningTrial
	for p := range s.running {
		out = append(out, p.runningTrial)
	}
	return out
}

// wait returns when there may be something to do.
func (s *search) wait(ctx context.Context) {
	var clock <-chan time.Time
	interrupt := ctx.Done()
	if s.stop != "" {
		interrupt = nil // what runs has been told to end; only its messages count now
	} else if next, ok := s.times.wake(time.Now()); ok {
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
	return s.ask(ctx)
}

// mayStart reports whether a trial may start now: if there is a free worker, and the time that is left may be expected to be enough. If otherwise
// none at all would be evaluated, one may.
func (s *search) mayStart() bool {
	if len(s.free) == 0 {
		return false
	}
	fits := s.times.starts(time.Now()) || !s.ended && s.best == nil && len(s.running) == 0
	s.unfit = !fits
	return fits
}

// ask gets one proposal if a worker waits for it. A round is begun when the strategy was told of all
// rounds before; until all of its proposals are there it is told of none of them. It makes no difference
// to a strategy that is asked for one after the other, and a large round need not be waited for. When the limit of trials
// ends a round early, a study that goes on with a higher one asks for the rest of it, as if it had had that from the start.
func (s *search) ask(ctx context.Context) bool {
	if s.exhausted || !s.mayStart() || len(s.open) >= maxOpen || s.Trials > 0 && len(s.slots) >= s.Trials {
		return false
	}
	if s.missing == 0 {
		round := s.Strategy.Round()
		if round <= 0 && s.Pruner != nil {
			round = pruningRound
		}
		if round > 0 && s.told < len(s.slots) {
			return false
		}
		s.missing, s.past = max(round, 1), s.curves()
	}
	genomes, err := s.Strategy.Ask(1)
	switch {
	case errors.Is(err, strategy.ErrExhausted):
		s.exhausted, s.missing = true, 0
	case err != nil && ctx.Err() != nil:
		s.stop = StopInterrupted
	case err != nil && errors.Is(err, context.DeadlineExceeded):
		s.endInTime(time.Now())
	case err != nil:
		s.fail(err)
	case len(genomes) != 1:
		s.fail(fmt.Errorf("strategy %s: asked for 1 architecture, it proposed %d", s.Strategy.Name(), len(genomes)))
	default:
		s.missing--
		s.propose(genomes[0], s.past)
	}
	if s.stop == "" {
		s.tell()
	}
	return true
}

// curves returns the curves of the completed rounds.
func (s *search) curves() [][]Point {
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

// schedule sets the reserve for the best trial.
func (s *search) schedule() {
	s.times.complete = s.best != nil
	if s.Reserve != nil && s.Time > 0 {
		s.times.reserve = min(max(s.Reserve(s.best), 0), s.Time)
	}
}

// tell reports finished trials to the strategy, strictly in order of index, unless some of their round are not proposed yet.
func (s *search) tell() {
	for s.missing == 0 && s.told < len(s.slots) && s.slots[s.told].done {
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
