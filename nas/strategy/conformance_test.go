package strategy_test

import (
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/strategy/strategytest"
)

// few is a space of so few genomes that a strategy without repeats comes to its end.
const few = `
space: few
kind: chain
depth: [1, 2]
operations:
  conv: {type: conv, channels: [2, 4]}
  skip: {type: skip}
`

// TestConformance holds every listed strategy, in every listed space, to the rules for strategies.
func TestConformance(t *testing.T) {
	task := space.Task{Height: 8, Width: 8, Channels: 1, Classes: 3}
	var spaces []space.Space
	for _, info := range space.List() {
		s, err := space.New(info.Name, task, space.Constraints{})
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, s)
	}
	s, err := space.Read(strings.NewReader(few), "few", task, space.Constraints{}, space.Size{})
	if err != nil {
		t.Fatal(err)
	}
	spaces = append(spaces, s)
	for _, info := range strategy.List() {
		works := 0
		for _, s := range spaces {
			make := func(o strategy.Options) (strategy.Strategy, error) { return strategy.New(info.Name, o) }
			if _, err := make(strategy.Options{Space: s}); err != nil {
				t.Logf("%s does not work in %s: %v", info.Name, s.Name(), err)
				continue
			}
			works++
			t.Run(info.Name+" in "+s.Name(), func(t *testing.T) {
				strategytest.Run(t, strategytest.Options{New: make, Space: s})
			})
		}
		if works == 0 {
			t.Errorf("%s works in no space", info.Name)
		}
	}
}

// TestGivenConforms holds the strategy of a list to the same rules.
func TestGivenConforms(t *testing.T) {
	s, err := space.New("chain", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 3}, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	strategytest.Run(t, strategytest.Options{Space: s, New: func(o strategy.Options) (strategy.Strategy, error) {
		list, err := strategy.NewRandom(o).Ask(40)
		return strategy.NewGiven("list", list), err
	}})
}

// TestEvolutionsConform holds the other kinds of evolution, and those with repeats, to the same rules.
func TestEvolutionsConform(t *testing.T) {
	s, err := space.New("nb201", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 3}, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]strategy.Options{
		"aging":   {Evolution: strategy.EvolutionOptions{Aging: true}},
		"pareto":  {Evolution: strategy.EvolutionOptions{Pareto: []string{"score", "-params", "-flops"}}},
		"repeats": {Repeats: true},
	} {
		t.Run(name, func(t *testing.T) {
			strategytest.Run(t, strategytest.Options{Space: s, New: func(given strategy.Options) (strategy.Strategy, error) {
				given.Evolution, given.Repeats = o.Evolution, o.Repeats
				return strategy.New("evolution", given)
			}})
		})
	}
}
