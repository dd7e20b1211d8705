package space

// chainStep is a layer of a genome with the shapes that it meets in a task. Cost, key and
// builder all read the same steps, so that they cannot disagree on what a connection means.
type chainStep struct {
	chainLayer
	in, f, out size // x, f(x) and the layer's output
	stride     int  // of f
	// What P or R takes: x, or z for the connection skip; and the stride from there to f(x).
	side       size
	sideStride int
}

// projects reports whether P is a convolution.
func (s *chainStep) projects() bool {
	return (s.connection == addConnection || s.connection == skipConnection) && s.side != s.f
}

// reduces reports whether R is a pool.
func (s *chainStep) reduces() bool {
	return s.connection == concatConnection && s.stride > 1
}

// reducePadding returns the padding of R's pool along the height and the width.
func (s *chainStep) reducePadding() (h, w int) { return s.in.h % 2, s.in.w % 2 }

// minStridedSide is the smaller side of a map from which on pool3x3 has stride 2.
const minStridedSide = 8

// plan writes the steps of the genome into buf and returns them.
func (g *ChainGenome) plan(t Task, buf *[maxChainDepth]chainStep) []chainStep {
	x := size{t.Height, t.Width, t.Channels}
	z, fromZ := x, 1 // z and the stride from it to x
	for i, l := range g.layers[:g.depth] {
		s := &buf[i]
		*s = chainStep{chainLayer: l, in: x, f: x, stride: 1, side: x}
		switch l.op {
		case conv3x3, conv5x5, fc:
			s.f.c = int(l.param)
		case pool3x3:
			if min(x.h, x.w) >= minStridedSide {
				s.stride = 2
				s.f.h, s.f.w = (x.h+1)/2, (x.w+1)/2
			}
		}
		s.sideStride = s.stride
		if l.connection == skipConnection {
			s.side, s.sideStride = z, fromZ*s.stride
		}
		s.out = s.f
		if l.connection == concatConnection {
			s.out.c += x.c
		}
		z, fromZ, x = x, s.stride, s.out
	}
	return buf[:g.depth]
}

// facts prices the genome.
func (g *ChainGenome) facts(t Task) facts {
	var buf [maxChainDepth]chainStep
	var f facts
	steps := g.plan(t, &buf)
	for i := range steps {
		s := &steps[i]
		s.price(&f.cost)
		f.channels = max(f.channels, s.in.c, s.out.c)
		if s.weighted() {
			f.weighted++
		}
	}
	last := steps[len(steps)-1].out
	f.cost.globalAvgPool(last)
	f.cost.linear(size{1, 1, t.Classes}, last.c)
	return f
}

func (s *chainStep) price(c *Cost) {
	switch s.op {
	case conv3x3, conv5x5:
		c.conv(s.f, s.in.c, s.op.kernel())
		c.batchNorm(s.f)
		c.relu(s.f)
	case pool3x3:
		if s.param == maxPool {
			c.maxPool(s.in, s.f, 3, s.stride, 1)
		} else {
			c.avgPool(s.in, s.f, 3, s.stride, 1, 1)
		}
	case fc:
		c.linear(s.f, s.in.c)
		c.relu(s.f)
	}
	if s.projects() {
		c.conv(s.f, s.side.c, 1)
		c.batchNorm(s.f)
	}
	if s.reduces() {
		padH, padW := s.reducePadding()
		c.avgPool(s.in, size{s.f.h, s.f.w, s.in.c}, 2, 2, padH, padW)
	}
	switch s.connection {
	case addConnection, skipConnection:
		c.add(s.f)
	case concatConnection:
		c.concat(s.out)
	}
}

// kernel returns the side of a convolution's kernel.
func (op chainOp) kernel() int {
	if op == conv5x5 {
		return 5
	}
	return 3
}
