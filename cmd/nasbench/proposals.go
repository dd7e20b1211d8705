package main

import (
	"errors"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// interrupted is what long work asks whether to go on.
func (s *session) interrupted() error { return s.limit.Err() }

// strategyOptions are what the strategy is made with.
func (s *session) strategyOptions() strategy.Options {
	return strategy.Options{Space: s.space, Seed: s.seed, Evolution: s.evolution.options(), Interrupt: s.interrupted}
}

// newStrategy makes a strategy that is asked and told.
func (s *session) newStrategy() (err error) {
	if s.strategy, err = strategy.New(s.strategyName, s.strategyOptions()); err != nil {
		return &usageError{err}
	}
	return nil
}

// proposes returns an error if the strategy will have nothing to propose, so that such a search leaves
// nothing behind. It asks another strategy of the same kind and seed: the one of the search must not have been asked before.
func (s *session) proposes() error {
	if s.strategyName == dartsStrategy {
		return nil
	}
	if s.strategyName == oneshotStrategy {
		_, err := s.space.Random(stream.New(s.seed, "probe"))
		return trainingError(err)
	}
	other, err := strategy.New(s.strategyName, s.strategyOptions())
	if err == nil {
		_, err = other.Ask(1)
	}
	if errors.Is(err, strategy.ErrExhausted) {
		return nil // a search of no trials, and no mistake
	}
	return trainingError(err)
}
