package space

import (
	"math"
	"math/bits"
)

// Cost is the exact price of a network for one image: forward, inference, every operation by
// itself (no fusion).
//
// MACs are the multiply-accumulate pairs of convolutions and linear maps, padded taps counted.
// FLOPs are 2 per MAC, 1 per element for a bias, a ReLU or an addition, 2 for batch norm, one
// per window element inside the image for an average pool and one less for a max pool;
// concatenation is free. ActivationBytes are 4 for every element that an operation writes.
// Params are the trained numbers: running statistics do not count. Papers that count "FLOPs" often mean what is called MACs here.
//
// A number that an int64 cannot hold is math.MaxInt64 while a cost is added up; no method returns such a cost without an error.
type Cost struct {
	FLOPs, MACs, Params, ActivationBytes int64
}

// countless reports whether some number is too large for an int64.
func (c *Cost) countless() bool {
	return max(c.FLOPs, c.MACs, c.Params, c.ActivationBytes) == math.MaxInt64
}

// checked returns the cost, or the violation of one that is too large to be counted.
func (c Cost) checked() (Cost, error) {
	if c.countless() {
		return Cost{}, &Violation{CountConstraint, math.MaxInt64, math.MaxInt64}
	}
	return c, nil
}

// times and plus are the product and the sum of numbers from 0 up, or math.MaxInt64 if they are too large.
func times(a, b int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// size is the shape of one image's map.
type size struct{ h, w, c int }

func (s size) area() int64     { return int64(s.h) * int64(s.w) }
func (s size) elements() int64 { return times(s.area(), int64(s.c)) }

// op adds an operation that writes out at a price of so many FLOPs per element.
func (c *Cost) op(out size, perElement int64) {
	n := out.elements()
	c.flops(times(perElement, n))
	c.ActivationBytes = plus(c.ActivationBytes, times(4, n))
}

func (c *Cost) flops(n int64)  { c.FLOPs = plus(c.FLOPs, n) }
func (c *Cost) params(n int64) { c.Params = plus(c.Params, n) }

func (c *Cost) macs(n int64) {
	c.MACs = plus(c.MACs, n)
	c.flops(times(2, n))
}

// conv adds a convolution without bias.
func (c *Cost) conv(out size, in, kernel int) { c.groupedConv(out, in, kernel, 1) }

// groupedConv adds a convolution without bias in groups of channels.
func (c *Cost) groupedConv(out size, in, kernel, groups int) {
	weights := times(times(int64(kernel)*int64(kernel), int64(in/groups)), int64(out.c))
	c.macs(times(weights, out.area()))
	c.params(weights)
	c.op(out, 0)
}

// linear adds a linear map over channels at every position, with bias.
func (c *Cost) linear(out size, in int) {
	c.conv(out, in, 1)
	c.params(int64(out.c))
	c.op(out, 1)
}

// batchNorm adds a batch norm with scale and shift.
func (c *Cost) batchNorm(out size) {
	c.params(2 * int64(out.c))
	c.op(out, 2)
}

func (c *Cost) relu(out size)   { c.op(out, 1) }
func (c *Cost) add(out size)    { c.op(out, 1) }
func (c *Cost) concat(out size) { c.op(out, 0) }

// maxPool and avgPool add a pooling of a square window. The padding is the same on all sides.
func (c *Cost) maxPool(in, out size, window, stride, padding int) {
	c.pool(in, out, window, stride, padding, padding, out.elements())
}

func (c *Cost) avgPool(in, out size, window, stride, padH, padW int) {
	c.pool(in, out, window, stride, padH, padW, 0)
}

// pool adds a pooling that leaves out so many of the operations, which are one for each pixel of a window.
func (c *Cost) pool(in, out size, window, stride, padH, padW int, less int64) {
	n := times(int64(in.c), taps(in.h, out.h, window, stride, padH)*taps(in.w, out.w, window, stride, padW))
	if n < math.MaxInt64 {
		n -= less
	}
	c.flops(n)
	c.op(out, 0)
}

// globalAvgPool adds the average over all pixels.
func (c *Cost) globalAvgPool(in size) {
	c.flops(in.elements())
	c.op(size{1, 1, in.c}, 0)
}

// taps returns how many elements of an axis of n all windows of that axis cover together,
// padding left out.
func taps(n, out, window, stride, padding int) int64 {
	total := int64(0)
	for o := range out {
		start := o*stride - padding
		total += int64(min(start+window, n) - max(start, 0))
	}
	return total
}
