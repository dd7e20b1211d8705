// Package tensor holds multidimensional float32 arrays and plans the memory of
// programs that use many of them.
//
// The types are few:
//
//   - [Shape] is a list of dimensions, outermost first. Images are N, H, W, C.
//   - [Tensor] is a view of float32 storage: a shape, and rows of the innermost
//     dimension that lie a fixed stride apart.
//   - [Buffer] and [PlanArena] place buffers of known lifetimes in one arena.
//
// # Storage and views
//
// [New], [Full] and [Tensor.Clone] allocate storage whose first element lies on a
// 64-byte boundary. [Tensor.Slice], [Tensor.Channels] and [Tensor.Reshape] do not
// copy: their results share storage, so that a write through one is seen by all.
//
// A tensor is contiguous unless it is a channel slice. The rows of a channel slice
// are pieces of wider rows; kernels take the row stride and so write, for instance,
// the parts of a concatenation in place. What needs contiguous storage says so with
// an error.
//
// # Errors and panics
//
// Indices out of range panic, as they do for Go's slices. What files or callers'
// data can get wrong (a shape that does not fit a slice, a truncated .npy file) is
// an error.
package tensor
