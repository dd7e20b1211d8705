// Package darts searches cells by gradient descent: differentiable architecture search (Liu, Simonyan and Yang, "DARTS",
// ICLR 2019).
//
// All operations of all edges are computed at once, each edge giving the mixture of its operations by a softmax over
// its alphas (space.Relaxation). [Search] learns the weights on one half of the training images by SGD and the alphas on the
// other by Adam, in turns; then each node keeps its strongest edges with their strongest operation. What comes out is a
// genome of the space, to be trained from its start and compared like any other.
//
// The mixture is prone to collapse into skip connections, which let gradients through from the start and need no training. Three
// guards stand against it, each with its own switch in [Options]:
//
//   - MaxSkips bounds the skip connections of a genome (Chen et al., "Progressive DARTS", ICCV 2019, section 3.3);
//   - EigenvalueStop ends the search when the largest eigenvalue of the alphas' Hessian rises fast, from epoch 14 on, and goes back to before the
//     rise (Zela et al., "Understanding and Robustifying DARTS", ICLR 2020, section 4.3);
//   - AuxiliarySkip adds an identity of its own to every edge, whose share falls to zero along the search, so that skip
//     connections need not compete as shortcuts of the gradient (Chu et al., "DARTS-", ICLR 2021).
//
// The genome is within the constraints of the space: where they do not allow the strongest operations, it is the one of the largest weight that they
// do, as far as it is looked for (bounded.go). Constraints that nothing meets are an error before the search begins.
//
// A search gives the same bits for any number of threads. It can save a checkpoint after every epoch and go on with it
// to the same result.
package darts
