package kernels

// The forward pass and the gradient of the input are the same computation: an
// output pixel is a sum, over the taps of the kernel that fall inside the source,
// of source pixel times tap matrix. They differ in which source pixel a tap reads.
// Along one axis, forward (stride, dilation),
//
//	source = out*stride - pad + tap*dilation
//
// and backward the source is the output o of the forward pass that solves
//
//	out = o*stride - pad + tap*dilation.
//
// Backward, outputs that are equal modulo the stride see the same taps: those that
// are equal modulo stride/gcd(stride, dilation). So both are described by groups in
// which everything is linear: output j of the group lies at out0 + j*outStep and
// reads, for tap k of the group, source base + j*srcStep + k*srcTap.

// axis is one axis of a convolution as seen by the routine that computes it.
type axis struct {
	in, out, kernel       int // source length, output length, taps
	stride, pad, dilation int // of the forward pass
	backward              bool
}

// axisGroup is a set of outputs of an axis for which taps are linear, as above.
type axisGroup struct {
	out0, outStep, n int
	base             int
	srcStep, srcTap  int
	first, taps      int // position of the first tap in the order of tapOrder; number of taps
}

// groups returns how many groups the axis has.
func (a *axis) groups() int {
	if a.backward {
		return min(a.stride, a.out)
	}
	return 1
}

// group returns group i.
func (a *axis) group(i int) axisGroup {
	if !a.backward {
		return axisGroup{outStep: 1, n: a.out, base: -a.pad, srcStep: a.stride, srcTap: a.dilation, taps: a.kernel}
	}
	g := axisGroup{out0: i, outStep: a.stride, n: (a.out - i + a.stride - 1) / a.stride, srcStep: 1}
	period := a.period()
	for residue := range min(period, a.kernel) {
		taps := (a.kernel - residue + period - 1) / period
		if (i+a.pad-residue*a.dilation)%a.stride == 0 {
			last := residue + (taps-1)*period
			g.base = (i + a.pad - last*a.dilation) / a.stride
			g.srcTap = period * a.dilation / a.stride
			g.taps = taps
			break
		}
		g.first += taps
	}
	return g
}

// period is the distance between taps that the same output sees.
func (a *axis) period() int {
	if !a.backward {
		return 1
	}
	return a.stride / gcd(a.stride, a.dilation)
}

// tapStep is the step from tap to tap of a group.
func (a *axis) tapStep() int {
	if !a.backward {
		return 1
	}
	return -a.period()
}

// tapOrder returns the tap at position i of the packed weights: forward the taps in
// order; backward by residue modulo the period, descending within a residue, so
// that the taps of a group are neighbours and read ascending source pixels.
func (a *axis) tapOrder(i int) (tap, groupFirst, groupTaps int) {
	if !a.backward {
		return i, 0, a.kernel
	}
	period := a.period()
	for residue := range period {
		taps := (a.kernel - residue + period - 1) / period
		if i < groupFirst+taps {
			return residue + (taps-1-(i-groupFirst))*period, groupFirst, taps
		}
		groupFirst += taps
	}
	panic("kernels: tap out of range")
}

// axisRun is a run of outputs of one group that have the same taps inside the source.
type axisRun struct {
	out, outStep, n  int
	src, srcStep     int // source of the first tap of the first output; from output to output
	srcTap           int // from tap to tap
	first, taps      int // as in axisGroup, after trimming
	groupFirst, size int // of the group before trimming
}

// whole returns all outputs of the group as a run whose taps may lie outside the source.
func (g *axisGroup) whole() axisRun {
	return axisRun{
		out: g.out0, outStep: g.outStep, n: g.n, src: g.base, srcStep: g.srcStep, srcTap: g.srcTap,
		first: g.first, taps: g.taps, groupFirst: g.first, size: g.taps,
	}
}

// run returns the longest run that starts at output j of the group; its n is at least 1.
func (g *axisGroup) run(a *axis, j int) axisRun {
	r := axisRun{
		out: g.out0 + j*g.outStep, outStep: g.outStep, n: 1,
		srcStep: g.srcStep, srcTap: g.srcTap,
		groupFirst: g.first, size: g.taps,
	}
	if g.taps == 0 {
		r.n = g.n - j
		return r
	}
	lo, hi := g.inside(a, j)
	if lo == 0 && hi == g.taps {
		r.n = min(g.n, (a.in-1-g.base-(g.taps-1)*g.srcTap)/g.srcStep+1) - j
	} else {
		for j+r.n < g.n {
			if l, h := g.inside(a, j+r.n); l != lo || h != hi {
				break
			}
			r.n++
		}
	}
	start := g.base + j*g.srcStep
	r.src = start + lo*g.srcTap
	r.first, r.taps = g.first+lo, hi-lo
	return r
}

// tap returns the outputs that have tap i of the group inside the source, with that tap alone; n may be 0.
func (g *axisGroup) tap(a *axis, i int) axisRun {
	start := g.base + i*g.srcTap
	lo, hi := 0, 0
	if start < 0 {
		lo = (-start + g.srcStep - 1) / g.srcStep
	}
	if room := a.in - 1 - start; room >= 0 {
		hi = min(g.n, room/g.srcStep+1)
	}
	return axisRun{
		out: g.out0 + lo*g.outStep, outStep: g.outStep, n: max(0, hi-lo),
		src: start + lo*g.srcStep, srcStep: g.srcStep, srcTap: g.srcTap,
		first: g.first + i, taps: 1, groupFirst: g.first, size: g.taps,
	}
}

// A group is divided into runs of outputs, or into its taps. end returns how many outputs or taps there are, part the part that begins
// with one of them, and step how many it takes.
func (g *axisGroup) end(byTaps bool) int {
	if byTaps {
		return g.taps
	}
	return g.n
}

func (g *axisGroup) part(a *axis, i int, byTaps bool) axisRun {
	if byTaps {
		return g.tap(a, i)
	}
	return g.run(a, i)
}

func (g *axisGroup) step(r *axisRun, byTaps bool) int {
	if byTaps {
		return 1
	}
	return r.n
}

// inside returns the range of the taps of output j that fall inside the source.
func (g *axisGroup) inside(a *axis, j int) (lo, hi int) {
	start := g.base + j*g.srcStep
	if start < 0 {
		lo = min((-start+g.srcTap-1)/g.srcTap, g.taps)
	}
	if room := a.in - 1 - start; room >= 0 {
		hi = min(g.taps, room/g.srcTap+1)
	}
	return lo, max(lo, hi)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
