package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/strategy"
)

// evolutionStrategy is the strategy that they are for.
const evolutionStrategy = "evolution"

// evolutionFlags are the options of the strategy evolution.
type evolutionFlags struct {
	population, tournament, round int
	mutation, penalty             float64
	aging                         bool
	pareto                        string
}

// evolutionFlagNames are those that decide the results of a search.
func evolutionFlagNames() []string {
	return []string{"population", "tournament", "mutation", "penalty", "round", "aging", "pareto"}
}

func (e *evolutionFlags) add(flags *pflag.FlagSet) {
	flags.Var(intValue{p: &e.population, min: 0}, "population", "individuals of an evolution (0: 20)")
	flags.Var(intValue{p: &e.tournament, min: 0}, "tournament", "individuals of which the best becomes a parent (0: 3, with --pareto 2)")
	flags.Var(floatValue{p: &e.mutation, max: 1}, "mutation", "probability by which each layer or edge of a child changes (0: 0.1)")
	flags.Var(floatValue{p: &e.penalty, min: -1, max: 1e9}, "penalty", "taken off the accuracy for every million parameters (0: 0.001, with --aging nothing; negative: nothing)")
	flags.Var(intValue{p: &e.round, min: 0}, "round", "children made before the result of any of them counts (0: --population, with --aging a tenth of it)")
	flags.BoolVar(&e.aging, "aging", false, "regularized evolution: children by one mutation of one parent, the oldest die")
	flags.StringVar(&e.pareto, "pareto", "", "NSGA-II over these `METRICS`, such as score,-params,-flops; those with a - shall be small")
}

func (e *evolutionFlags) options() strategy.EvolutionOptions {
	o := strategy.EvolutionOptions{
		Population: e.population, Tournament: e.tournament, Round: e.round, Mutation: e.mutation, Penalty: e.penalty, Aging: e.aging,
	}
	for _, name := range splitComma(e.pareto) {
		o.Pareto = append(o.Pareto, strings.TrimSpace(name))
	}
	return o
}
