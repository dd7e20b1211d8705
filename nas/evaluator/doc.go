// Package evaluator measures architectures by training them on images.
//
// An [Evaluator] is the study.Evaluator of a real search. For each trial it builds the
// network that the genome names, with weights drawn from the trial's seed, trains it by
// a [Recipe] for the epochs of the trial, and measures it on the validation split after
// every epoch. It never looks at test images.
//
// A [Training] is the one loop under everything that trains here: the network of one genome, by
// a recipe, for so many epochs. It can save a checkpoint after every epoch, and after any step when it
// is interrupted, and go on with it to the same bits.
//
// [Evaluator.Validate] is for the end of a search: it trains one architecture anew,
// typically longer and on training and validation images together, then reads the test
// split and measures the network on it, once. It returns the trained model.
//
// [Data] holds the splits; [Divide] makes it from a data set.
//
// A network that cannot be trained fails its trial with a reason: its loss or gradients
// are no longer finite, its loss exploded, it needs more memory than allowed, or it
// cannot be built. Memory is planned and allocated before the first step.
//
// Results depend on the genome, the seed, the epochs, the recipe and the data alone. The
// number of workers and of threads changes nothing but the time.
package evaluator
