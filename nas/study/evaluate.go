package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// message is what an evaluation sends: an event, or its end.
type message struct {
	slot   *slot
	worker int
	event  Event
	end    *ending
	panic  *Panic
}

// Panic is what [Run] panics with when an evaluation has panicked in a goroutine of its own, where nobody could recover.
type Panic struct {
	Value any    // of the evaluation's panic
	Stack []byte // of its goroutine
}

func (p *Panic) Error() string { return fmt.Sprint(p.Value) }

// ending is how an evaluation ended. The trial is valid if err is nil; a Stopped
// trial goes to the observer only.
type ending struct {
	trial Trial
	err   error
}

// launch starts the evaluation of a proposal on a free worker.
func (s *search) launch(ctx context.Context, p *slot) {
	worker := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	p.begun = time.Now()
	s.running[p] = struct{}{}
	s.observe(Event{Kind: TrialStarted, Index: p.index, Genome: p.text, Worker: worker})
	go func() {
		defer func() {
			if v := recover(); v != nil {
				s.messages <- message{slot: p, worker: worker, panic: &Panic{v, debug.Stack()}}
			}
		}()
		end := s.evaluate(ctx, p, worker)
		s.messages <- message{slot: p, worker: worker, end: &end}
	}()
}

// receive handles one message of a worker.
func (s *search) receive(m message) {
	p := m.slot
	if m.panic != nil {
		panic(m.panic)
	}
	if m.end == nil {
		m.event.Index, m.event.Genome, m.event.Worker = p.index, p.text, m.worker
		if step := m.event.Step; m.event.Kind == StepDone && step.Steps > 0 {
			p.share = (float64(step.Epoch-1) + float64(step.Step)/float64(step.Steps)) / float64(s.Epochs)
		}
		s.observe(m.event)
		return
	}
	delete(s.running, p)
	s.free = append(s.free, m.worker)
	t := m.end.trial
	switch {
	case m.end.err != nil:
		s.fail(fmt.Errorf("trial %d, %s: %w", p.index, p.text, m.end.err))
	case t.State == Stopped:
		s.observe(Event{Kind: TrialEnded, Index: p.index, Genome: p.text, Worker: m.worker, Trial: &t, Best: s.best})
	default:
		if d, ok := duration(t); ok {
			if !s.ended {
				s.took = nil // those on record may be of another machine
			}
			s.took = append(s.took, d)
			s.times.typical = median(s.took)
		}
		s.ended = true
		s.finish(p, t, m.worker)
	}
}

// evaluate runs one evaluation and makes a trial of what comes out. It runs in a goroutine of
// its own and reads only what does not change while evaluations run.
func (s *search) evaluate(ctx context.Context, p *slot, worker int) ending {
	start := time.Now()
	t := Trial{Index: p.index, Genome: p.text, Key: p.key, Seed: p.seed}
	var err error
	if t.Architecture, err = json.Marshal(p.genome); err != nil {
		return ending{err: err}
	}
	images := 0
	progress := func(step Step) {
		images = max(images, step.Images)
		s.send(message{slot: p, worker: worker, event: Event{Kind: StepDone, Step: step}})
	}
	var verdict error // once there is one, it stands, whatever the evaluator makes of it
	report := func(point Point) error {
		if verdict != nil {
			return verdict
		}
		if err := point.check(); err != nil {
			verdict = &Failure{Reason: fmt.Sprintf("%v at epoch %d", err, point.Epoch)}
			return verdict
		}
		t.Curve = append(t.Curve, point)
		s.send(message{slot: p, worker: worker, event: Event{Kind: EpochDone, Point: point}})
		if s.Pruner != nil && point.Epoch < s.Epochs {
			if prune, why := s.Pruner(p.past, slices.Clone(t.Curve)); prune {
				verdict = fmt.Errorf("%w: %s", ErrPruned, why)
				t.Reason = why
				return verdict
			}
		}
		return ctx.Err()
	}
	metrics, err := s.Evaluator.Evaluate(ctx, Job{
		Index: p.index, Genome: p.genome, Seed: p.seed, Epochs: s.Epochs, Worker: worker, Progress: progress,
	}, report)
	t.Timing.Seconds = time.Since(start).Seconds()
	if t.Timing.Seconds > 0 {
		t.Timing.ImagesPerSecond = float64(images) / t.Timing.Seconds
	}
	if verdict != nil {
		err = verdict
	}

	var failure *Failure
	switch {
	case err == nil:
		t.State = Complete
	case errors.As(err, &failure):
		t.State, t.Reason = Failed, failure.Reason
		return ending{trial: t}
	case errors.Is(err, ErrPruned):
		t.State = Pruned
		if t.Reason == "" {
			t.Reason = err.Error()
		}
	case ctx.Err() != nil:
		t.State = Stopped
		return ending{trial: t}
	default:
		return ending{err: err}
	}
	if err := metrics.check(); err != nil {
		t.State, t.Reason = Failed, err.Error()
		return ending{trial: t}
	}
	t.Metrics = &metrics
	return ending{trial: t}
}

// send passes an event on if someone wants it, or the time is watched.
func (s *search) send(m message) {
	if s.Observer != nil || s.Time > 0 {
		s.messages <- m
	}
}
