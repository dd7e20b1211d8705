// Package autograd builds graphs of tensor operations, extends them with gradients, and
// compiles them into programs that run again and again without allocating.
//
// The way of a training step:
//
//	g := autograd.NewGraph()
//	x := g.Input("images", 64, 28, 28, 1)       // filled before each run
//	w := g.Variable("weight", weights)          // lives outside the program
//	loss := autograd.CrossEntropy(model(x, w), g.Input("labels", 64), 0)
//	grads, err := autograd.Grad(loss, []*autograd.Node{w})
//	p, err := autograd.Compile(autograd.Options{Outputs: append(grads, loss)})
//	copy(p.Tensor(x).Data(), batch)
//	p.Run(step)
//	p.Tensor(grads[0])                          // the gradient
//
// A [Graph] is a list of [Node] values in topological order. A node is an input, a variable, a constant, or an
// operation on earlier nodes; its shape is known when it is made. Every operation stands in one file
// (op_*.go) with its shape rule, its exact work, its execution, its gradient and its test cases; a
// new one is a new file and a line in cases.go. The interface is [Op].
//
// Gradients are nodes like any other: [Grad] walks the graph backwards, asks each operation for the
// nodes that compute its inputs' gradients, and adds up what meets at one node. Broadcasting is a node
// of its own, so its reversal (a sum) needs no special case.
//
// [Compile] drops what the outputs do not need, fuses operations (fuse.go lists the passes; Options.Unfused leaves them out), plans one arena for all values by their life times, lets
// element-wise operations write over an input that nobody reads later, and turns each operation into
// steps: a routine of the CPU level's table over a fixed number of parts. The partition follows from the
// shapes alone and partial sums are added in a fixed order, so a program gives the same bits
// on any number of threads.
//
// Operations that treat every image of a batch on its own are run in groups (rowwise.go): all of them for a few images, then for the next few, so that
// values are read where a cache near the core still holds them. A batch norm in training ends a group, because its statistics need
// all images.
//
// Operations with too few parts to keep all threads busy run together with others that do not depend on them: at batch 1, on small images, in small gradients. Before
// memory is planned they are brought side by side (schedule.go), as long as that takes little more memory; then steps that meet nowhere in memory are put into waves,
// of which all parts are handed out at once (wave.go).
//
// A value that is concatenated is computed inside of the result where that costs less than a copy, and a slice read inside of what it is cut from (pieces.go).
//
// If the plan needs more memory than Options.MaxBytes, cheap values of the forward pass are computed again when gradients read them (recompute.go).
//
// A frozen program (Options.Frozen, for inference) computes what follows from variables alone only once: kernels with a batch norm folded into them,
// in the order in which a routine reads them.
//
// Where values are not finite, operations and gradients do what PyTorch documents: NaN goes through activations and wins maxima, a gradient is chosen rather than multiplied
// where the rule chooses (ReLU, poolings), and that of a batch norm in inference does not depend on the images. Two things differ: what dropout and drop-path drop is zero even if it
// was NaN, and a mean or a loss of no elements is refused as misuse, where PyTorch returns NaN. Other dimensions of zero are fine: sums of nothing are zero.
//
// Misuse of shapes while a graph is built panics with a [*ShapeError]; [Build], [Grad] and [Compile] return it as
// an error instead. All values are float32, channels last; class labels are indices stored as floats.
package autograd
