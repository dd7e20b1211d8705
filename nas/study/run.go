package study

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Options says what [Run] runs. Strategy, Space, Evaluator, Store, Epochs and one of Trials
// and Time are required.
type Options struct {
	Strategy  strategy.Strategy // as made, before anything was asked of it
	Space     Keyer
	Evaluator Evaluator
	Store     Store

	Epochs int    // of each trial
	Seed   uint64 // of the study

	// Trials is how many trials the study shall have in all, those on record included.
	// 0 means as many as the time allows.
	Trials int

	// Time bounds this call of Run; 0 means no bound. When it ends, running trials are cut
	// off and not recorded. No trial is begun that cannot be expected to end in time, by how long others took. A search may
	// therefore end with no trial at all; [Outcome] then says how much longer one would take.
	Time time.Duration

	// Reserve, if set, returns how much of Time to keep back for what the caller does
	// after the search, such as training the best architecture in full. It is called at the start and
	// whenever there is a new best trial; best is nil until one is complete. Trials that are nearly done when the rest of Time is over may take
	// a quarter of it, and as long as none is complete they may take all.
	Reserve func(best *Trial) time.Duration

	Workers  int // trials that run at the same time; 0 means 1
	Pruner   Pruner
	Observer Observer
}

// Keyer is the part of a space.Space that Run needs: equal keys for equal networks.
type Keyer interface {
	Key(g space.Genome) string
}

// Stop says why a search ended.
type Stop string

// The reasons for which a search ends.
const (
	StopTrials      Stop = "trials"      // the study has as many trials as asked for
	StopTime        Stop = "time"        // the time is used up
	StopExhausted   Stop = "exhausted"   // the strategy has nothing left to propose
	StopInterrupted Stop = "interrupted" // the context was cancelled
	StopError       Stop = "error"       // something went wrong
)

// Outcome is what a search leaves.
type Outcome struct {
	Trials  []Trial // all on record, in order of index
	Best    *Trial  // first of the leaderboard; nil if no trial is complete
	Stop    Stop
	Seconds float64 // of this call of Run

	// Need is how long one trial takes, about, if the time ended before any did; 0 if that is not known.
	Need time.Duration
}

// ErrInterrupted is returned, together with what there is, when the context is cancelled.
// Every finished trial is on record, and the study can be resumed.
var ErrInterrupted = errors.New("search interrupted")

// pruningRound is the round size where there is a pruner and the strategy has no rounds: the
// pruner needs completed rounds to compare with.
const pruningRound = 8

// Run searches until a budget is used up, the strategy is exhausted, ctx is cancelled or
// something goes wrong. It continues what the store has on record. The outcome is valid with an
// error too; it is nil only if Run could not start.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Workers = max(o.Workers, 1)
	trials, err := o.Store.Trials()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	s := newSearch(o, trials, start)
	s.run(ctx)

	out := &Outcome{Stop: s.stop, Best: s.best, Seconds: time.Since(start).Seconds(), Need: s.need}
	if out.Trials, err = o.Store.Trials(); err != nil && s.err == nil {
		s.err, out.Stop = err, StopError
	}
	if s.err == nil && s.stop == StopInterrupted {
		s.err = ErrInterrupted
	}
	return out, s.err
}

func (o *Options) check() error {
	switch {
	case o.Strategy == nil, o.Space == nil, o.Evaluator == nil, o.Store == nil:
		return errors.New("study: strategy, space, evaluator and store are all needed")
	case o.Epochs <= 0:
		return fmt.Errorf("study: epochs must be positive, not %d", o.Epochs)
	case o.Trials < 0:
		return fmt.Errorf("study: trials must not be negative: %d", o.Trials)
	case o.Time < 0:
		return fmt.Errorf("study: time must not be negative: %v", o.Time)
	case o.Trials == 0 && o.Time == 0:
		return errors.New("study: neither trials nor time are limited")
	case o.Workers < 0:
		return fmt.Errorf("study: workers must not be negative: %d", o.Workers)
	}
	return nil
}
