package study

import (
	"cmp"
	"fmt"
	"slices"
)

// Store is the append-only record of one study's trials. Run calls it from one
// goroutine.
type Store interface {
	// Append records one trial. When it returns nil, the trial survives the death of the
	// process. It is an error to record an index twice.
	Append(Trial) error
	// Trials returns the recorded trials in order of index; there may be gaps.
	Trials() ([]Trial, error)
}

// Memory is a Store that lives as long as the process. Its zero value is empty and
// ready to use.
type Memory struct {
	trials []Trial
}

// Append records one trial.
func (m *Memory) Append(t Trial) error {
	i, found := slices.BinarySearchFunc(m.trials, t.Index, func(t Trial, index int) int { return cmp.Compare(t.Index, index) })
	if found {
		return fmt.Errorf("study: trial %d is already recorded", t.Index)
	}
	m.trials = slices.Insert(m.trials, i, t)
	return nil
}

// Trials returns the recorded trials in order of index.
func (m *Memory) Trials() ([]Trial, error) { return slices.Clone(m.trials), nil }
