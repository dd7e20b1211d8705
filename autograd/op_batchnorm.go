package autograd

import (
	"math"

	"github.com/nasbench-go/nasbench/tensor"
)

// BatchNormOptions are the attributes of a batch normalisation. Zero values mean
// inference, momentum 0.1 and epsilon 1e-5.
type BatchNormOptions struct {
	Training bool
	Momentum float32 // share of a new batch in the running statistics, in [0, 1]
	Epsilon  float32 // added to the variance, above 0
}

// BatchNorm normalises every channel of x (..., C) and scales it by gamma and beta (C each): Ioffe and
// Szegedy 2015, algorithm 1. In training the statistics are those of the batch, with the biased variance,
// and a run moves runningMean and runningVar (variables of C each, unbiased variance) towards them; in inference the running statistics
// are used and stay as they are; there they may be constants too. They have no gradients.
func BatchNorm(x, gamma, beta, runningMean, runningVar *Node, o BatchNormOptions) *Node {
	in := []*Node{x, gamma, beta, runningMean, runningVar}
	sameGraph("batch_norm", in...)
	if o.Momentum == 0 {
		o.Momentum = 0.1
	}
	if o.Epsilon == 0 {
		o.Epsilon = 1e-5
	}
	if !(o.Momentum > 0 && o.Momentum <= 1) {
		misuse("batch_norm", shapesOf(in), "momentum %v is not in [0, 1]", o.Momentum)
	}
	if !(o.Epsilon > 0 && o.Epsilon <= math.MaxFloat32) {
		misuse("batch_norm", shapesOf(in), "epsilon %v is not a number above 0", o.Epsilon)
	}
	for i, n := range in[3:] {
		if n.kind != variableNode && (o.Training || n.kind != constantNode) {
			misuse("batch_norm", shapesOf(in), "input %d: running statistics must be variables", 3+i)
		}
	}
	if !o.Training {
		return apply(&batchNorm{epsilon: o.Epsilon}, x, gamma, beta, runningMean, runningVar)
	}
	stats := apply(&moments{}, x)
	mean, variance := row(stats, 0), row(stats, 1)
	g := x.graph
	g.effects = append(g.effects, apply(&updateStatistics{o.Momentum, x.shape.Rows()}, stats, runningMean, runningVar))
	return apply(&batchNorm{epsilon: o.Epsilon, training: true}, x, gamma, beta, mean, variance)
}

// moments returns the mean and the biased variance of every channel: 2, C.
type moments struct{}

func (*moments) Name() string { return "moments" }

func (m *moments) Shape(in []tensor.Shape) tensor.Shape {
	if len(in[0]) < 2 || in[0].Elements() == 0 {
		misuse(m.Name(), in, "needs at least one row of channels")
	}
	return tensor.Shape{2, in[0].Last()}
}

func (*moments) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(4, in[0].Elements()), in, out)
}

func (*moments) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0, reduces: true}, true
}

func (*moments) Workspace(in []tensor.Shape, out tensor.Shape, parts int) int {
	if parts == 0 {
		parts = channelParts(in[0])
	}
	return out.Elements() * parts
}

// channelParts returns into how many parts of rows a reduction to channels is divided.
func channelParts(x tensor.Shape) int {
	return reduceParts(x.Rows(), x.Elements(), grain)
}

func (*moments) Emit(e *Emitter) {
	x, out, ws, of := e.In(0), e.Out(), e.workspace, e.Table.ChannelMoments
	rows, c, own := e.InShape(0).Rows(), e.InShape(0).Last(), channelParts(e.InShape(0))
	e.Scratch(2 * c)
	e.Partials(rows, own, func(s share, scratch []float32) {
		mean, m2 := ws[2*c*s.part:][:c], ws[2*c*s.part+c:][:c]
		if s.done == 0 {
			of(mean, m2, x[s.lo*c:s.hi*c], s.hi-s.lo, c)
			return
		}
		of(scratch[:c], scratch[c:2*c], x[s.lo*c:s.hi*c], s.hi-s.lo, c)
		addMoments(mean, m2, s.done, scratch[:c], scratch[c:2*c], s.hi-s.lo)
	})
	counts := make([]int, e.parts(own))
	for part := range counts {
		lo, hi := e.partRange(part, len(counts), rows)
		counts[part] = hi - lo
	}
	e.Small(func() { mergeMoments(out[:c], out[c:], ws, counts) })
}

// addMoments adds to the mean and the squared deviations of n rows those of k more; see mergeMoments.
func addMoments(mean, m2 []float32, n int, mean2, m22 []float32, k int) {
	share := float64(k) / float64(n+k)
	m2, mean2, m22 = m2[:len(mean)], mean2[:len(mean)], m22[:len(mean)]
	for j, m := range mean {
		d := float64(mean2[j]) - float64(m)
		mean[j] = float32(float64(m) + d*share)
		m2[j] = float32(float64(m2[j]) + float64(m22[j]) + d*d*float64(n)*share)
	}
}

// mergeMoments combines the means and squared deviations of parts, which have as many rows as counts says (Chan, Golub and LeVeque
// 1983, formula 2.1) and divides by the rows.
func mergeMoments(mean, variance, ws []float32, counts []int) {
	c := len(mean)
	for j := range c {
		var n, m, m2 float64
		for part, rows := range counts {
			k := float64(rows)
			pm, pm2 := float64(ws[2*c*part+j]), float64(ws[2*c*part+c+j])
			d := pm - m
			m += d * k / (n + k)
			m2 += pm2 + d*d*n*k/(n+k)
			n += k
		}
		mean[j], variance[j] = float32(m), float32(m2/n)
	}
}

// Grad is nil: batchNorm differentiates through its statistics itself.
func (*moments) Grad(_, _ *Node) []*Node { return []*Node{nil} }

// updateStatistics moves running statistics towards those of a batch.
type updateStatistics struct {
	momentum float32
	rows     int
}

func (*updateStatistics) Name() string { return "update_statistics" }

func (u *updateStatistics) Shape(in []tensor.Shape) tensor.Shape {
	c := in[0].Last()
	if !in[1].Equal(tensor.Shape{c}) || !in[2].Equal(tensor.Shape{c}) {
		misuse("batch_norm", in, "the running statistics need %d channels", c)
	}
	return tensor.Shape{0}
}

func (*updateStatistics) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(3, in[0].Elements()), in, out)
}

func (*updateStatistics) Writes() []int           { return []int{1, 2} }
func (*updateStatistics) Grad(_, _ *Node) []*Node { return []*Node{nil, nil, nil} }

func (u *updateStatistics) Emit(e *Emitter) {
	stats, mean, variance, lerp := e.In(0), e.In(1), e.In(2), e.Table.Lerp
	c, t := len(mean), u.momentum
	unbias := float32(1)
	if u.rows > 1 {
		unbias = float32(float64(u.rows) / float64(u.rows-1))
	}
	e.Small(func() {
		lerp(mean, stats[:c], t)
		for j, v := range stats[c:] {
			variance[j] += t * (v*unbias - variance[j])
		}
	})
}

// batchNorm is (x-mean)/sqrt(variance+epsilon)*gamma + beta, with statistics that in training are those of x.
type batchNorm struct {
	epsilon  float32
	training bool
}

func (*batchNorm) Name() string { return "batch_norm" }

func (b *batchNorm) Shape(in []tensor.Shape) tensor.Shape {
	c := in[0].Last()
	for _, s := range in[1:] {
		if !s.Equal(tensor.Shape{c}) {
			misuse(b.Name(), in, "scale, shift and statistics need %d channels", c)
		}
	}
	return in[0]
}

func (*batchNorm) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(2, out.Elements()), in, out)
}
func (*batchNorm) InPlace() []int { return []int{0} }
func (*batchNorm) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}
func (*batchNorm) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	return in[1].Elements()
}

func (b *batchNorm) Emit(e *Emitter) { b.emit(e, e.Table.Normalize) }

func (b *batchNorm) emit(e *Emitter, normalize func(y, x, mean, scale, shift []float32, rows, c int)) {
	x, y, beta, mean, scale := e.In(0), e.Out(), e.In(2), e.In(3), b.scale(e)
	c := len(scale)
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) {
		normalize(y[lo*c:hi*c], x[lo*c:hi*c], mean, scale, beta, hi-lo, c)
	})
}

// scale adds a step that computes the scale of every channel into the workspace.
func (b *batchNorm) scale(e *Emitter) []float32 {
	gamma, variance, scale, eps := e.In(1), e.In(4), e.workspace, b.epsilon
	e.Small(func() {
		for j := range scale {
			scale[j] = gamma[j] * invStd(variance[j], eps)
		}
	})
	return scale
}

func invStd(variance, epsilon float32) float32 {
	return float32(1 / math.Sqrt(float64(variance)+float64(epsilon)))
}

func (b *batchNorm) Grad(n, dy *Node) []*Node {
	x, gamma, mean, variance := n.in[0], n.in[1], n.in[3], n.in[4]
	sums := apply(&batchNormReduce{b: *b}, dy, x, mean, variance)
	var dx *Node
	if b.training {
		dx = apply(&batchNormGrad{b: *b}, dy, x, gamma, mean, variance, sums)
	} else {
		dx = apply(&batchNormScale{epsilon: b.epsilon}, dy, gamma, variance)
	}
	return []*Node{dx, row(sums, 1), row(sums, 0), nil, nil}
}

// batchNormFused is a batchNorm whose result goes through a sum with input 5, a ReLU, or both. Compile makes it.
type batchNormFused struct {
	noGrad
	b         batchNorm
	add, relu bool
}

func (f *batchNormFused) Name() string {
	name := f.b.Name()
	if f.add {
		name += "_add"
	}
	if f.relu {
		name += "_relu"
	}
	return name
}

func (f *batchNormFused) Shape(in []tensor.Shape) tensor.Shape {
	if f.add && !in[5].Equal(in[0]) {
		misuse(f.Name(), in, "the summands differ in shape")
	}
	return f.b.Shape(in[:5])
}

func (f *batchNormFused) Work(in []tensor.Shape, out tensor.Shape) Work {
	n := 2
	if f.add {
		n++
	}
	if f.relu {
		n++
	}
	return flops(times(n, out.Elements()), in, out)
}

func (f *batchNormFused) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: f.InPlace()}, true
}

func (f *batchNormFused) Workspace(in []tensor.Shape, out tensor.Shape, parts int) int {
	return f.b.Workspace(in, out, parts)
}

func (f *batchNormFused) InPlace() []int {
	if f.add {
		return []int{0, 5}
	}
	return []int{0}
}

func (f *batchNormFused) Emit(e *Emitter) {
	if !f.add {
		f.b.emit(e, e.Table.NormalizeReLU)
		return
	}
	normalize := e.Table.NormalizeAdd
	if f.relu {
		normalize = e.Table.NormalizeAddReLU
	}
	x, y, beta, mean, residual, scale := e.In(0), e.Out(), e.In(2), e.In(3), e.In(5), f.b.scale(e)
	c := len(scale)
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) {
		normalize(y[lo*c:hi*c], x[lo*c:hi*c], residual[lo*c:hi*c], mean, scale, beta, hi-lo, c)
	})
}

// batchNormReduce returns the gradients of beta and of gamma: 2, C. With relu, dy is the gradient for a ReLU of the normalised
// x, and inputs 4 and 5 are gamma and beta.
type batchNormReduce struct {
	noGrad
	b    batchNorm
	relu bool
}

func (r *batchNormReduce) Name() string {
	if r.relu {
		return "batch_norm_relu_reduce"
	}
	return "batch_norm_reduce"
}
func (*batchNormReduce) Shape(in []tensor.Shape) tensor.Shape {
	return tensor.Shape{2, in[0].Last()}
}
func (r *batchNormReduce) Work(in []tensor.Shape, out tensor.Shape) Work {
	n := 4
	if r.relu {
		n += 5 // the normalised value, its sign, and what that passes
	}
	return flops(times(n, in[0].Elements()), in, out)
}

func (*batchNormReduce) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01, reduces: true}, true
}

// Workspace holds the partial results, then the scale of every channel.
func (r *batchNormReduce) Workspace(in []tensor.Shape, out tensor.Shape, parts int) int {
	if parts == 0 {
		parts = channelParts(in[0])
	}
	n := (parts - 1) * out.Elements()
	if r.relu {
		n += in[0].Last()
	}
	return n
}

func (r *batchNormReduce) Emit(e *Emitter) {
	dy, x, mean, variance, out := e.In(0), e.In(1), e.In(2), e.In(3), e.Out()
	c, eps, own := len(mean), r.b.epsilon, channelParts(e.InShape(0))
	parts, add := e.parts(own), e.Table.Add
	var reduce func(sum, product, dy, x []float32, rows int)
	if r.relu {
		gamma, beta, scale, dot := e.In(4), e.In(5), e.workspace[(parts-1)*2*c:], e.Table.ChannelDotReLU
		e.Small(func() {
			for j := range scale {
				scale[j] = gamma[j] * invStd(variance[j], eps)
			}
		})
		reduce = func(sum, product, dy, x []float32, rows int) {
			dot(sum, product, dy, x, mean, scale, beta, rows, c)
		}
	} else {
		dot := e.Table.ChannelDot
		reduce = func(sum, product, dy, x []float32, rows int) { dot(sum, product, dy, x, mean, rows, c) }
	}
	e.Scratch(2 * c)
	e.Reduce(e.InShape(0).Rows(), own, func(s share, dst, scratch []float32) {
		to := dst
		if s.done > 0 {
			to = scratch[:2*c]
		}
		reduce(to[:c], to[c:], dy[s.lo*c:s.hi*c], x[s.lo*c:s.hi*c], s.hi-s.lo)
		if s.done > 0 {
			add(dst, dst, to)
		}
	})
	e.Small(func() {
		for j, v := range variance {
			out[c+j] *= invStd(v, eps)
		}
	})
}

// batchNormScale is the gradient for x in inference, gamma*invstd*dy, which does not depend on x: it is finite where x is not.
type batchNormScale struct {
	noGrad
	epsilon float32
}

func (*batchNormScale) Name() string                         { return "batch_norm_scale" }
func (*batchNormScale) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*batchNormScale) InPlace() []int                       { return []int{0} }
func (*batchNormScale) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (*batchNormScale) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

// Workspace holds the scale of every channel and as many zeros.
func (*batchNormScale) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	return 2 * in[1].Elements()
}

func (b *batchNormScale) Emit(e *Emitter) {
	dy, gamma, variance, dx, normalize := e.In(0), e.In(1), e.In(2), e.Out(), e.Table.Normalize
	c := len(gamma)
	scale, zero := e.workspace[:c], e.workspace[c:]
	e.Small(func() {
		clear(zero)
		for j := range scale {
			scale[j] = gamma[j] * invStd(variance[j], b.epsilon)
		}
	})
	e.Rows(e.OutShape().Rows(), c, func(lo, hi int) {
		normalize(dx[lo*c:hi*c], dy[lo*c:hi*c], zero, scale, zero, hi-lo, c)
	})
}

// batchNormGrad is the gradient for x in training: with n rows and xhat the normalised input, gamma*invstd*(dy - dbeta/n - xhat*dgamma/n). With relu, dy
// is the gradient for a ReLU of the normalised x, and input 6 is beta.
type batchNormGrad struct {
	noGrad
	b    batchNorm
	relu bool
}

func (g *batchNormGrad) Name() string {
	if g.relu {
		return "batch_norm_relu_grad"
	}
	return "batch_norm_grad"
}
func (*batchNormGrad) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*batchNormGrad) InPlace() []int                       { return []int{0, 1} }
func (g *batchNormGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	n := 5
	if g.relu {
		n += 5
	}
	return flops(times(n, out.Elements()), in, out)
}
func (*batchNormGrad) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input01}, true
}
func (*batchNormGrad) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	return 3 * in[2].Elements()
}

func (g *batchNormGrad) Emit(e *Emitter) {
	dy, x, gamma, mean, variance, sums := e.In(0), e.In(1), e.In(2), e.In(3), e.In(4), e.In(5)
	dx, c := e.Out(), len(gamma)
	rows := e.InShape(0).Rows()
	a, b, d := e.workspace[:c], e.workspace[c:2*c], e.workspace[2*c:]
	e.Small(func() {
		for j := range a {
			s := invStd(variance[j], g.b.epsilon)
			a[j] = gamma[j] * s
			b[j] = -a[j] * s * sums[c+j] / float32(rows)
			d[j] = -a[j] * sums[j] / float32(rows)
		}
	})
	if g.relu {
		beta, combine := e.In(6), e.Table.ChannelCombineReLU
		e.Rows(rows, c, func(lo, hi int) { // a is the scale of the normalisation too
			combine(dx[lo*c:hi*c], dy[lo*c:hi*c], x[lo*c:hi*c], mean, a, beta, a, b, d, hi-lo, c)
		})
		return
	}
	combine := e.Table.ChannelCombine
	e.Rows(rows, c, func(lo, hi int) {
		combine(dx[lo*c:hi*c], dy[lo*c:hi*c], x[lo*c:hi*c], mean, a, b, d, hi-lo, c)
	})
}

func (*batchNorm) Cases() []Case {
	norm := func(name string, training bool, x tensor.Shape) Case {
		c := tensor.Shape{x.Last()}
		return Case{Name: name,
			Inputs: []CaseInput{{Shape: x}, {Shape: c}, {Shape: c}},
			Build: func(in []*Node) *Node {
				mean, variance := tensor.New(c...), tensor.New(c...)
				for i := range variance.Data() {
					mean.Data()[i] = 0.1 * float32(i)
					variance.Data()[i] = 0.5 + float32(i)
				}
				g := in[0].Graph()
				return BatchNorm(in[0], in[1], in[2], g.Variable("running_mean", mean), g.Variable("running_var", variance),
					BatchNormOptions{Training: training})
			}}
	}
	// Compile fuses what follows. The shifts keep every channel clear of the kink, half of them on either side.
	relu := func(name string, training, residual bool) Case {
		x := tensor.Shape{3, 4, 4, 6}
		c := norm(name, training, x)
		plain := c.Build
		if residual {
			c.Inputs = append(c.Inputs, CaseInput{Shape: x})
		}
		c.Build = func(in []*Node) *Node {
			g := in[0].Graph()
			small, apart := tensor.Full(0.1, 6), tensor.New(6)
			for i := range apart.Data() {
				apart.Data()[i] = float32(i%2*6 - 3)
			}
			gamma, beta := Mul(in[1], g.Constant(small)), Add(Mul(in[2], g.Constant(small)), g.Constant(apart))
			y := plain([]*Node{in[0], gamma, beta})
			if residual {
				y = Add(scaleBy(in[3], 0.25), y)
			}
			return ReLU(y)
		}
		return c
	}
	return []Case{
		relu("training, ReLU", true, false),
		relu("training, sum and ReLU", true, true),
		relu("inference, ReLU", false, false),
		norm("training, image", true, tensor.Shape{3, 4, 4, 5}),
		norm("training, matrix", true, tensor.Shape{7, 3}),
		norm("inference, image", false, tensor.Shape{2, 3, 3, 4}),
	}
}
