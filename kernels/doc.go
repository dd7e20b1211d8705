// Package kernels holds the numeric routines of the engine: matrix products,
// convolutions, pooling, normalisation, element-wise work, reductions and optimiser
// updates over float32 slices.
//
// A [Table] holds one routine per piece of work, all for one [Level] of CPU
// instructions. [Active] returns the table of the best level of this machine, which
// the environment variable NASBENCH_LEVEL may lower; [ForLevel] returns that of a given
// level, and [Detect] says which was chosen and why. Every table starts as a copy of
// the generic one, in plain Go, and overrides what it has better routines for.
//
// # Conventions
//
// Images are channels last (N x H x W x C), and so are convolution weights (R x S x
// C/groups x K). Pixels may lie further apart than they have channels (XStride,
// YStride), so that routines work on channel slices of wider tensors; what lies between is
// neither read nor written.
//
// Products and forward convolutions end in an epilogue, which works on what is in registers or has just been stored: bias, then a residual
// (GEMMAdd, ConvForwardAdd), then ReLU. The residual may be the output itself, which then accumulates. So does
// batch normalisation (NormalizeRows). All of them, poolings and CopyRows write rows or pixels that lie apart: what is concatenated
// along channels can be written in place, at the offset of its channels and with the stride of the whole.
//
// Weights that many calls share can be packed once (PackGEMM, PackConv).
//
// A routine runs on the calling goroutine, allocates nothing, keeps nothing, and
// panics where a slice is too short. The caller divides the work: [Split] and [Range]
// by shape alone, and [Threads] runs the parts.
//
// # Numerics
//
// Within one level and machine, the routines that work on parts (rows lo..hi, or
// rows of a matrix product cut by the caller) give the same bits for any division;
// ConvBackwardWeights, which adds up over its rows, is the exception, so its caller
// fixes the parts. Levels differ from each other in rounding, and so do machines: Go
// compiles x*y + z to one fused operation on arm64, which rounds once.
//
// Products are accumulated in float32; sums over whole tensors or over the rows of
// a channel in float64. NaN goes through activations and maxima. Taps of a
// convolution that fall on padding are left out rather than multiplied by zero, so that an infinite weight
// or gradient does no harm there.
//
// # Assembly
//
// The generator internal/asmgen writes the assembly of the levels AVX2 and AVX512 (go
// generate). Matrix products and dense convolutions in all three directions share one micro-kernel, a
// tile whose accumulators stay in registers over the whole reduction, in routines for each
// number of rows; the loop nests over it are Go and the same for all levels. A convolution
// reads its pixels where they are: neither patches nor padding are copied. Every accumulator adds its
// products in the order of the reduction, whatever the tile, with fused multiplication. In maps about as small as the kernel a
// convolution goes over the taps one by one, and an accumulator then goes through memory between two of them.
//
// Depthwise convolutions have routines of their own, whose lanes are channels: a tile of pixels for the
// forward pass and the gradient of the input, a rectangle of taps for that of the weights. Where neighbouring
// pixels share what they read, a source pixel is loaded once for a whole row of taps.
//
// The build tag purego leaves the assembly out.
//
//go:generate go run ./internal/asmgen/gen
package kernels
