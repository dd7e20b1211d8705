package autograd

import (
	"slices"

	"github.com/nasbench-go/nasbench/tensor"
)

// linearTerm is what a term of a sum is as a convolution: source convolved with a kernel, or with the same number on
// every channel's own diagonal, plus a bias.
type linearTerm struct {
	term
	source   *Node // of the original graph
	stride   HW
	dilation HW
	window   tapWindow
	kernel   *Node   // nil for a diagonal
	diagonal float32 // 1 for the identity
	bias     *Node   // nil without
}

// tapWindow is the block of pixels, relative to stride times the output's place, that a kernel covers.
type tapWindow struct{ top, left, bottom, right int } // bottom and right inclusive

func (w tapWindow) taps() int { return (w.bottom - w.top + 1) * (w.right - w.left + 1) }

func (w tapWindow) hull(v tapWindow) tapWindow {
	return tapWindow{min(w.top, v.top), min(w.left, v.left), max(w.bottom, v.bottom), max(w.right, v.right)}
}

// asLinear returns what a term is as a convolution; every term is one, if only with the unit kernel.
func (s *Simplified) asLinear(t term) linearTerm {
	l := linearTerm{term: t, source: t.node, stride: Both(1), dilation: Both(1), diagonal: 1}
	n, b := t.node, (*Node)(nil)
	if _, ok := n.op.(*bias); ok && s.uses[n] == 1 {
		n, b = n.in[0], n.in[1]
	}
	switch op := n.op.(type) {
	case *conv2D:
		if op.Groups != 1 || s.uses[n] > 1 {
			break
		}
		w := n.in[1].shape
		l.source, l.kernel, l.bias, l.stride, l.dilation = n.in[0], n.in[1], b, op.Stride, op.Dilation
		l.window = tapWindow{-op.Padding.H, -op.Padding.W, (w[0]-1)*op.Dilation.H - op.Padding.H, (w[1]-1)*op.Dilation.W - op.Padding.W}
	case *pool2D:
		if op.max || op.Padding != (HW{}) || b != nil { // the divisor of a padded window is not constant
			break
		}
		l.source, l.stride = n.in[0], op.Stride
		l.window = tapWindow{0, 0, op.Window.H - 1, op.Window.W - 1}
		l.diagonal = 1 / float32(op.Window.H*op.Window.W)
	}
	return l
}

// merged is one convolution that stands for several terms.
type merged struct {
	terms   []linearTerm
	sources []*Node
	window  tapWindow
}

// sameImages reports whether two sources differ in nothing but channels.
func sameImages(a, b *Node) bool { return a.shape[:3].Equal(b.shape[:3]) }

// mergeSum returns a sum of the original graph as one convolution and the terms that are none, or nil if
// nothing is gained. Convolutions of different kernel sizes, the identity, and average pooling with a constant divisor over one input are one convolution
// whose kernel is the sum of theirs; over several inputs of one size, it is one over their channels side by side. The kernel is no
// larger than the hull of the convolutions', and merging never multiplies more than the single convolutions do.
func (s *Simplified) mergeSum(n *Node) *Node {
	if !isSum(n) {
		return nil
	}
	terms := s.flatten(nil, n, factor{}, true)
	groups, rest := s.mergeTerms(n, terms)
	if len(groups) == 0 && !slices.ContainsFunc(summands(n), func(in *Node) bool { return s.inner[in] }) {
		return nil
	}
	var parts []term
	for _, t := range rest {
		parts = append(parts, term{s.to[t.node], t.factor})
	}
	for _, g := range groups {
		parts = append(parts, term{node: s.convolve(g, n.shape)})
	}
	return add(parts)
}

// mergeTerms divides terms into convolutions, each of at least two terms or of one with a factor, and the rest.
func (s *Simplified) mergeTerms(n *Node, terms []term) (groups []*merged, rest []term) {
	if len(n.shape) != 4 {
		return nil, terms
	}
	all := make([]linearTerm, len(terms))
	taken := make([]bool, len(terms))
	for i, t := range terms {
		all[i] = s.asLinear(t)
	}
	// First the convolutions, the largest kernels first: a smaller one then fits into a larger, and a dilated one
	// between the taps of one that is not.
	for {
		best := -1
		for i, l := range all {
			if !taken[i] && l.kernel != nil && l.dilation == Both(1) && (best < 0 || l.window.taps() > all[best].window.taps()) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		taken[best] = true
		g := &merged{[]linearTerm{all[best]}, []*Node{all[best].source}, all[best].window}
		for grown := true; grown; {
			grown = false
			for i, l := range all {
				if !taken[i] && l.kernel != nil && g.accepts(l) {
					taken[i], grown = true, true
					g.add(l)
				}
			}
		}
		groups = append(groups, g)
	}
	// Then what is free: diagonals inside of a kernel that is there already.
	for i, l := range all {
		if taken[i] {
			continue
		}
		for _, g := range groups {
			if g.acceptsDiagonal(l, n.shape) {
				taken[i] = true
				g.add(l)
				break
			}
		}
	}
	kept := groups[:0]
	for _, g := range groups {
		if len(g.terms) > 1 || g.terms[0].factor.vector != nil {
			kept = append(kept, g)
			continue
		}
		rest = append(rest, g.terms[0].term)
	}
	for i, t := range terms {
		if !taken[i] {
			rest = append(rest, t)
		}
	}
	return kept, rest
}

// multiplications counts those of one output.
func (g *merged) multiplications() int {
	channels := 0
	for _, x := range g.sources {
		channels += x.shape[3]
	}
	return g.window.taps() * channels
}

// accepts reports whether a convolution can join without more multiplications than on its own.
func (g *merged) accepts(l linearTerm) bool {
	if g.terms[0].stride != l.stride || !sameImages(g.sources[0], l.source) {
		return false
	}
	alone := g.multiplications() + l.kernel.shape[:3].Elements()
	with := merged{sources: g.sources, window: g.window.hull(l.window)}
	if !g.reads(l.source) {
		with.sources = append(g.sources[:len(g.sources):len(g.sources)], l.source)
	}
	return with.multiplications() <= alone
}

func (g *merged) acceptsDiagonal(l linearTerm, out tensor.Shape) bool {
	return l.bias == nil && g.terms[0].stride == l.stride && g.reads(l.source) && l.source.shape[3] == out[3] && g.window.hull(l.window) == g.window
}

func (g *merged) reads(source *Node) bool { return g.channel(source) >= 0 }

// channel returns the first channel of a source among those of all; -1 if it is not there.
func (g *merged) channel(source *Node) int {
	at := 0
	for _, x := range g.sources {
		if x == source {
			return at
		}
		at += x.shape[3]
	}
	return -1
}

func (g *merged) add(l linearTerm) {
	g.terms = append(g.terms, l)
	g.window = g.window.hull(l.window)
	if !g.reads(l.source) {
		g.sources = append(g.sources, l.source)
	}
}

// convolve adds the merged convolution to the new graph.
func (s *Simplified) convolve(g *merged, out tensor.Shape) *Node {
	sources := make([]*Node, len(g.sources))
	channels := 0
	for i, x := range g.sources {
		sources[i] = s.to[x]
		channels += x.shape[3]
	}
	x := sources[0]
	if len(sources) > 1 {
		x = s.share(&concat{}, sources...)
	}
	w := g.window
	kernel := kernelBuilder{s: s, sum: kernelSum{shape: tensor.Shape{w.bottom - w.top + 1, w.right - w.left + 1, channels, out[3]}}}
	bias := kernelBuilder{s: s, sum: kernelSum{shape: tensor.Shape{1, 1, 1, out[3]}}}
	for _, l := range g.terms {
		kernel.add(l.kernel, l.factor, kernelTerm{
			diagonal: l.diagonal, r: (l.window.bottom-l.window.top)/l.dilation.H + 1, s: (l.window.right-l.window.left)/l.dilation.W + 1, c: l.source.shape[3],
			dilation: l.dilation, top: l.window.top - w.top, left: l.window.left - w.left, within: g.channel(l.source),
		})
		if l.bias != nil {
			bias.add(l.bias, l.factor, kernelTerm{r: 1, s: 1, c: 1, dilation: Both(1)})
		}
	}
	op := &conv2D{ConvOptions{Stride: g.terms[0].stride, Padding: HW{-w.top, -w.left}, Dilation: Both(1), Groups: 1}}
	y := apply(&sizedConv{op, out}, x, kernel.build())
	if len(bias.sum.terms) > 0 {
		y = Bias(y, Reshape(bias.build(), out[3]))
	}
	return y
}

// sizedConv is a convolution whose output has a given size: padding below and to the right is what that needs.
type sizedConv struct {
	*conv2D
	out tensor.Shape
}

func (c *sizedConv) Shape([]tensor.Shape) tensor.Shape { return c.out }

// kernelBuilder collects the inputs of a kernelSum.
type kernelBuilder struct {
	s   *Simplified
	sum kernelSum
	in  []*Node
	at  map[*Node]int // vectors of factors among the inputs
}

func (b *kernelBuilder) add(kernel *Node, f factor, t kernelTerm) {
	t.kernel, t.factors = -1, -1
	if kernel != nil {
		t.kernel = len(b.in)
		b.in = append(b.in, b.s.to[kernel])
	}
	if f.vector != nil {
		i, ok := b.at[f.vector]
		if !ok {
			i = len(b.in)
			if b.at == nil {
				b.at = map[*Node]int{}
			}
			b.at[f.vector] = i
			b.in = append(b.in, f.vector)
		}
		t.factors, t.element = i, f.element
	}
	b.sum.terms = append(b.sum.terms, t)
}

func (b *kernelBuilder) build() *Node { return apply(&b.sum, b.in...) }
