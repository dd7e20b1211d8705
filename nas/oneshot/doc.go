// Package oneshot trains the weights of all networks of a space at once and ranks networks by what they reach with these
// weights: one-shot architecture search by sharing weights.
//
// A [Supernet] is a store of shared parameters (layers.NewSharedStore). A path is the network of one genome, built by its space over
// the parameters of the store, so that a weight belongs to a position and an operation. Where an operation has fewer input or
// output channels in one path than in another, the path has the first channels of the weight (as in Yu et al., "Slimmable Neural
// Networks", ICLR 2019, and Cai et al., "Once for All", ICLR 2020); with [SeparateWidths] it has weights of its own.
//
// Every step of the training draws paths and changes their weights alone:
//
//   - [Uniform]: one path, drawn like a random architecture (Guo et al., "Single Path One-Shot Neural Architecture Search with
//     Uniform Sampling", ECCV 2020, section 3);
//   - [Strict]: as many paths as an operation has choices, so that at every position each choice is trained by
//     one of them; their gradients on one batch are added up for one update (Chu, Zhang and Xu, "FairNAS", ICCV 2021, section 3.3).
//
// A parameter that no path of a step uses is left alone, momentum and weight decay included; its velocity waits for its next step.
//
// A path is evaluated with inherited weights. Running statistics are no part of the supernet: before every evaluation the
// batch norms of the path are given those of a few fixed training batches (Guo et al., section 3.4).
//
// [Supernet.Search] looks for the paths with the best inherited accuracy, by evolution or at random, and returns the best few, to be trained
// from their start like any other architecture. Training and search give the same bits for any number of threads, and go on from a
// checkpoint to the same result.
//
// [Rank] and [KendallTau] say how well inherited accuracies agree with those of trainings from the start.
package oneshot
