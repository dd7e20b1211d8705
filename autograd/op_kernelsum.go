package autograd

import "github.com/nasbench-go/nasbench/tensor"

// kernelSum adds up convolution kernels of different sizes, each times a factor, into one kernel R x S x C x K: the sum of the
// convolutions with the kernels is then one convolution. Its inputs are the kernels and vectors of factors that its terms name.
type kernelSum struct {
	shape tensor.Shape
	terms []kernelTerm
}

// kernelTerm is one summand of a kernelSum.
type kernelTerm struct {
	kernel            int // input, r x s x c x K; -1 stands for diagonal
	diagonal          float32
	r, s, c           int // taps and channels
	dilation          HW
	top, left, within int // place of the first tap and channel in the sum
	factors, element  int // input that holds the factor, and where; factors -1 stands for 1
}

func (*kernelSum) Name() string                        { return "kernel_sum" }
func (k *kernelSum) Shape([]tensor.Shape) tensor.Shape { return k.shape }
func (k *kernelSum) Work(in []tensor.Shape, out tensor.Shape) Work {
	n := 0
	for i := range k.terms {
		n += 2 * k.terms[i].elements(k.shape[3])
	}
	return flops(int64(n), in, out)
}

func (t *kernelTerm) elements(outputs int) int {
	if t.kernel < 0 {
		return t.r * t.s * t.c
	}
	return t.r * t.s * t.c * outputs
}

// blocks calls f for every tap of the term with where its c x K block starts in the sum and in the kernel.
func (t *kernelTerm) blocks(sum tensor.Shape, f func(at, from int)) {
	size := t.c * sum[3]
	for r := range t.r {
		for s := range t.s {
			h, w := t.top+r*t.dilation.H, t.left+s*t.dilation.W
			f(((h*sum[1]+w)*sum[2]+t.within)*sum[3], (r*t.s+s)*size)
		}
	}
}

func (t *kernelTerm) factor(in func(int) []float32) float32 {
	if t.factors < 0 {
		return 1
	}
	return in(t.factors)[t.element]
}

func (k *kernelSum) Emit(e *Emitter) {
	out, axpy, outputs := e.Out(), e.Table.Axpy, k.shape[3]
	in := inputs(e)
	e.Step(1, func(int, []float32) {
		clear(out)
		for i := range k.terms {
			t := &k.terms[i]
			factor, size := t.factor(in), t.c*outputs
			if t.kernel < 0 {
				t.blocks(k.shape, func(at, _ int) {
					for c := range t.c {
						out[at+c*outputs+c] += factor * t.diagonal
					}
				})
				continue
			}
			kernel := in(t.kernel)
			t.blocks(k.shape, func(at, from int) { axpy(out[at:at+size], kernel[from:from+size], factor) })
		}
	})
}

// inputs returns a function that returns the elements of an input, made ready so that a run allocates nothing.
func inputs(e *Emitter) func(int) []float32 {
	all := make([][]float32, len(e.node.in))
	for i := range all {
		all[i] = e.In(i)
	}
	return func(i int) []float32 { return all[i] }
}

func (k *kernelSum) Grad(n, dy *Node) []*Node {
	grads := make([]*Node, len(n.in))
	of := make([][]kernelTerm, len(n.in)) // by the vector of factors
	for _, t := range k.terms {
		if t.kernel >= 0 {
			g := &kernelSumGrad{shape: k.shape, term: t, kernel: n.in[t.kernel].shape}
			if t.factors < 0 {
				grads[t.kernel] = apply(g, dy)
			} else {
				g.term.factors = 1
				grads[t.kernel] = apply(g, dy, n.in[t.factors])
			}
		}
		if t.factors >= 0 {
			of[t.factors] = append(of[t.factors], t)
		}
	}
	for i, terms := range of {
		if terms == nil {
			continue
		}
		in := []*Node{dy}
		for j := range terms {
			if terms[j].kernel >= 0 {
				in = append(in, n.in[terms[j].kernel])
				terms[j].kernel = len(in) - 1
			}
		}
		grads[i] = apply(&kernelSumFactorGrad{sum: k.shape, terms: terms, shape: n.in[i].shape}, in...)
	}
	return grads
}

// kernelSumGrad is the gradient of a kernelSum for one kernel: the part of dy where the kernel stands, times the factor.
type kernelSumGrad struct {
	noGrad
	shape  tensor.Shape // of the sum
	kernel tensor.Shape
	term   kernelTerm
}

func (*kernelSumGrad) Name() string                        { return "kernel_sum_grad" }
func (g *kernelSumGrad) Shape([]tensor.Shape) tensor.Shape { return g.kernel }
func (g *kernelSumGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	return Work{FLOPs: int64(out.Elements()), Bytes: 8 * int64(out.Elements())}
}

func (g *kernelSumGrad) Emit(e *Emitter) {
	dy, dk, scal := e.In(0), e.Out(), e.Table.Scal
	in, size := inputs(e), g.term.c*g.shape[3]
	e.Step(1, func(int, []float32) {
		factor := g.term.factor(in)
		g.term.blocks(g.shape, func(at, to int) { scal(dk[to:to+size], dy[at:at+size], factor) })
	})
}

// kernelSumFactorGrad is the gradient of a kernelSum for a vector of factors: for each term, the dot product of its kernel with the part of dy
// where it stands.
type kernelSumFactorGrad struct {
	noGrad
	sum   tensor.Shape
	terms []kernelTerm // their kernel is an input of this operation
	shape tensor.Shape // of the vector
}

func (*kernelSumFactorGrad) Name() string                        { return "kernel_sum_factor_grad" }
func (g *kernelSumFactorGrad) Shape([]tensor.Shape) tensor.Shape { return g.shape }
func (g *kernelSumFactorGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	n := 0
	for i := range g.terms {
		n += 2 * g.terms[i].elements(g.sum[3])
	}
	return flops(int64(n), in, out)
}

func (g *kernelSumFactorGrad) Emit(e *Emitter) {
	dy, out, dot, in, outputs := e.In(0), e.Out(), e.Table.Dot, inputs(e), g.sum[3]
	e.Step(1, func(int, []float32) {
		clear(out)
		for i := range g.terms {
			t := &g.terms[i]
			total, size := 0.0, t.c*outputs
			if t.kernel < 0 {
				t.blocks(g.sum, func(at, _ int) {
					for c := range t.c {
						total += float64(dy[at+c*outputs+c])
					}
				})
				total *= float64(t.diagonal)
			} else {
				kernel := in(t.kernel)
				t.blocks(g.sum, func(at, from int) { total += dot(dy[at:at+size], kernel[from:from+size]) })
			}
			out[t.element] += float32(total)
		}
	})
}

func (*kernelSum) Cases() []Case {
	sum := tensor.Shape{5, 5, 5, 2}
	terms := []kernelTerm{
		{kernel: 0, r: 3, s: 3, c: 3, dilation: Both(1), top: 1, left: 1, within: 2, factors: 3, element: 1},
		{kernel: 1, r: 5, s: 5, c: 3, dilation: Both(1), within: 2, factors: -1},
		{kernel: 2, r: 3, s: 2, c: 2, dilation: HW{2, 3}, left: 1, factors: 3, element: 0},
		{kernel: -1, diagonal: 0.25, r: 2, s: 2, c: 2, dilation: Both(1), top: 2, left: 2, within: 1, factors: 3, element: 2},
	}
	return []Case{{
		Name: "three kernels and a diagonal",
		Inputs: []CaseInput{{Shape: tensor.Shape{3, 3, 3, 2}}, {Shape: tensor.Shape{5, 5, 3, 2}}, {Shape: tensor.Shape{3, 2, 2, 2}},
			{Shape: tensor.Shape{3}}},
		Build: func(in []*Node) *Node { return apply(&kernelSum{sum, terms}, in...) },
	}}
}
