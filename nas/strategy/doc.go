// Package strategy decides which architectures a search tries next.
//
// A [Strategy] works by ask and tell: Ask proposes genomes of a space, and Tell reports how
// one of them did. It never sees a model, a data set or a clock; whoever calls it evaluates
// the proposals, by training or by looking them up. For the caller a few rules hold:
//
//   - Trials are numbered from 0 in the order in which Ask returned their genomes.
//   - Tell is called in the order of trials, whatever the order in which they ended.
//   - A strategy whose proposals depend on results works in rounds of [Strategy.Round] trials: a round is told
//     completely before the next one is asked for.
//
// A strategy that keeps them is a function of its options and of what it was told. So a search
// gives the same trials with any number of workers, and a stopped search goes on by replay:
// make the strategy anew, ask and tell again as recorded, and it is in the same state.
//
// [New] makes a strategy by name and [List] names them all:
//
//   - random: draws at random from what the constraints of the space allow, without repeats
//     ([NewRandom]);
//   - grid: goes through a small space in order ([NewGrid]);
//   - evolution: makes children of the best; also regularized evolution and NSGA-II ([NewEvolution]).
//
// A strategy refuses a space that lacks an ability that it needs.
//
// Package strategytest checks that a strategy keeps the rules.
package strategy
