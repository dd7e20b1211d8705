// Package nas is neural architecture search: finding a good network by training many.
//
// It has no code of its own. The parts, each in its package:
//
//   - space: which networks there are. A genome names a network; a space reads, draws, checks,
//     prices and builds genomes.
//   - strategy: which genome to try next. It proposes genomes and is told their scores, and never
//     sees a network.
//   - darts: another way to a genome, by gradients through the mixture of all networks of a space of cells. What it finds is a proposal
//     like any other.
//   - oneshot: a third way, by weights that all networks of a space share and a search over paths that inherit them.
//   - evaluator: how good a genome is. It builds the network, trains it on images for a number of
//     epochs and measures its accuracy on the validation split.
//   - study: the search. It runs proposals on workers, records every trial as it ends, and keeps to a budget; a
//     stopped study goes on from its record.
//
// The way of one candidate:
//
//  1. The study asks the strategy for genomes (Ask); the strategy draws them from the
//     space, which refuses what the constraints do not allow.
//  2. The study compares each genome's key with those on record: equal keys mean equal
//     networks, which are not trained twice.
//  3. A worker hands the genome to the evaluator, which builds the network from it
//     (Build), trains it and reports after every epoch.
//  4. The study stores the trial with its curve, its cost and, if it failed, the reason.
//  5. The study tells the strategy the results in the order of trials (Tell),
//     so that the number of workers changes nothing but the time.
//
// Imports go one way: space knows none of the others, strategy and evaluator know space, and
// study knows them all by their interfaces.
package nas
