// Package layers builds networks from modules over named parameters, trains them and
// stores them.
//
// A [Store] owns the parameters of one model. A [Scope] is a place in it, such as
// "block1.conv"; constructors of modules take a scope and register their parameters
// there, so that every parameter has a path: "block1.conv.weight". The first values
// depend on the store's seed and on the path alone, never on the order of creation. The
// [Kind] of a parameter says how it is treated: a [Weight] is decayed, a [Bias] and a
// [Norm] are not, a [Buffer] (running statistics) has no gradient.
//
// A [Module] adds its operations to the graph of a [Pass]; the pass says whether the
// graph is for training. The same module may be put into any number of graphs: all of
// them read and update the same parameters.
//
// A [Trainer] compiles loss, gradients and everything else of one training step into one
// program over fixed buffers: fill Images and Labels, call Step. It holds the optimiser
// ([SGD], [AdamW]), the learning rate [Schedule], clipping by the global norm, and an
// exponential moving average ([EMA]) of the parameters. A [Predictor] runs the same
// modules for inference. Neither allocates memory after it was made.
//
// A checkpoint ([Trainer.Save], [Trainer.Restore]) is a safetensors file with
// parameters, buffers, optimiser state, averages and position; training goes on from it bit for
// bit. [SaveWeights] stores a model alone; [LoadWeights] reads the model of either file.
//
// The same seeds give the same bits for any number of threads: work is divided by shape and
// partial sums are added in a fixed order.
//
// Misuse by the program, such as two parameters of one name or a shape that does not fit,
// panics while the model is built, with a [*ConstructionError] or an autograd.ShapeError, which autograd.Build returns as errors;
// options out of range are an [*OptionError],
// and files from outside give errors with their place. A label that is no class is an autograd.LabelError, and numbers that are no longer finite a [*DivergedError].
package layers
