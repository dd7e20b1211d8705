package space

// Cost is the exact price of a network for one image: forward, inference, every operation by
// itself (no fusion).
//
// MACs are the multiply-accumulate pairs of convolutions and linear maps, padded taps counted.
// FLOPs are 2 per MAC, 1 per element for a bias, a ReLU or an addition, 2 for batch norm, one
// per window element inside the image for an average pool and one less for a max pool;
// concatenation is free. ActivationBytes are 4 for every element that an operation writes.
// Params are the trained numbers: running statistics do not count.
type Cost struct {
	FLOPs, MACs, Params, ActivationBytes int64
}

// size is the shape of one image's map.
type size struct{ h, w, c int }

func (s size) area() int64     { return int64(s.h) * int64(s.w) }
func (s size) elements() int64 { return s.area() * int64(s.c) }

// op adds an operation that writes out at a price of so many FLOPs per element.
func (c *Cost) op(out size, perElement int64) {
	c.FLOPs += perElement * out.elements()
	c.ActivationBytes += 4 * out.elements()
}

func (c *Cost) macs(n int64) {
	c.MACs += n
	c.FLOPs += 2 * n
}

// conv adds a convolution without bias.
func (c *Cost) conv(out size, in, kernel int) { c.groupedConv(out, in, kernel, 1) }

// groupedConv adds a convolution without bias in groups of channels.
func (c *Cost) groupedConv(out size, in, kernel, groups int) {
	weights := int64(kernel) * int64(kernel) * int64(in/groups) * int64(out.c)
	c.macs(weights * out.area())
	c.Params += weights
	c.op(out, 0)
}

// linear adds a linear map over channels at every position, with bias.
func (c *Cost) linear(out size, in int) {
	c.conv(out, in, 1)
	c.Params += int64(out.c)
	c.op(out, 1)
}

// batchNorm adds a batch norm with scale and shift.
func (c *Cost) batchNorm(out size) {
	c.Params += 2 * int64(out.c)
	c.op(out, 2)
}

func (c *Cost) relu(out size)   { c.op(out, 1) }
func (c *Cost) add(out size)    { c.op(out, 1) }
func (c *Cost) concat(out size) { c.op(out, 0) }

// maxPool and avgPool add a pooling of a square window. The padding is the same on all sides.
func (c *Cost) maxPool(in, out size, window, stride, padding int) {
	c.avgPool(in, out, window, stride, padding, padding)
	c.FLOPs -= out.elements()
}

func (c *Cost) avgPool(in, out size, window, stride, padH, padW int) {
	c.FLOPs += int64(in.c) * taps(in.h, out.h, window, stride, padH) * taps(in.w, out.w, window, stride, padW)
	c.op(out, 0)
}

// globalAvgPool adds the average over all pixels.
func (c *Cost) globalAvgPool(in size) {
	c.FLOPs += in.elements()
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
