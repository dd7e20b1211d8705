package darts

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// archScope is the scope of the parameters of the architecture; all others are weights.
const archScope = "arch"

func isArch(p *layers.Parameter) bool { return strings.HasPrefix(p.Name, archScope+".") }

// mixer mixes operations by a softmax over alphas.
type mixer struct {
	relaxation *space.Relaxation
	share      int
	alphas     *layers.Parameter   // edges x operations
	betas      []*layers.Parameter // of the edges of each node; nil without partial channels
	coldness   *tensor.Tensor      // 1/temperature
	auxiliary  *tensor.Tensor      // share of the auxiliary skip; nil without

	graph  *autograd.Graph // that shares belongs to
	shares *autograd.Node  // softmax of the alphas, edges x operations
}

var _ space.Mixer = (*mixer)(nil)

// newMixer registers the parameters. All begin near zero: a nearly uniform mixture.
func newMixer(s layers.Scope, r *space.Relaxation, o *Options) (*mixer, error) {
	if c := r.Size.Channels; o.Partial < 1 || c%o.Partial != 0 {
		return nil, fmt.Errorf("darts: %d channels of the mixture do not divide by %d", c, o.Partial)
	}
	s = s.Sub(archScope)
	start := func(w []float32, _ tensor.Shape, rng *rand.Rand) {
		for i := range w {
			w[i] = float32(1e-3 * rng.NormFloat64())
		}
	}
	m := &mixer{
		relaxation: r, share: o.Partial, coldness: tensor.New(1),
		alphas: s.Param("alphas", layers.Bias, start, r.Edges(), len(r.Operations)),
	}
	if o.Partial > 1 {
		for i, n := range r.Nodes {
			m.betas = append(m.betas, s.Param("betas"+strconv.Itoa(i), layers.Bias, start, len(n.From)))
		}
	}
	if o.AuxiliarySkip {
		m.auxiliary = tensor.New(1)
	}
	m.set(o, 0)
	return m, nil
}

// Mixture builds the network that a search with these options starts from, the mixtures of all edges, and returns the module that maps images to
// logits. Its alphas are buffers: whoever trains the module teaches the weights only, which is the half of a search's work that takes the time. It needs
// o.Space, and no images.
func Mixture(s layers.Scope, o Options) (layers.Module, error) {
	relaxable, err := Relaxable(o.Space)
	if err != nil {
		return nil, err
	}
	r, err := relaxable.Relax(o.Size)
	if err != nil {
		return nil, err
	}
	m, err := newMixer(s, r, &o)
	if err != nil {
		return nil, err
	}
	for _, p := range append(m.betas, m.alphas) {
		p.Kind = layers.Buffer
	}
	return r.Build(s, m), nil
}

// set moves temperature and auxiliary skip to where they stand after a share of all steps.
func (m *mixer) set(o *Options, progress float64) {
	m.coldness.Data()[0] = float32(1 / (o.Temperature + (o.FinalTemperature-o.Temperature)*progress))
	if m.auxiliary != nil {
		m.auxiliary.Data()[0] = float32(1 - progress)
	}
}

func (m *mixer) Share() int { return m.share }

// Edge returns the weighted sum of the operations over the first channels, behind the other channels as they are.
func (m *mixer) Edge(p *layers.Pass, edge int, x *autograd.Node, operations []layers.Module, stride int) *autograd.Node {
	var rest *autograd.Node
	if c := x.Shape().Last(); m.share > 1 {
		parts := autograd.Split(x, c/m.share, c-c/m.share)
		x, rest = parts[0], parts[1]
	}
	var outputs, weights []*autograd.Node
	from, row := 0, m.row(p, edge)
	take := func(to int) { // the weights of a run of operations
		if to > from {
			weights = append(weights, autograd.Slice(row, []int{from}, []int{to}))
		}
		from = to + 1
	}
	for i, op := range operations {
		if op == nil {
			take(i)
			continue
		}
		outputs = append(outputs, op.Forward(p, x))
	}
	take(len(operations))
	y := autograd.WeightedSum(autograd.Concat(weights...), outputs...)
	if m.auxiliary != nil {
		skip := x
		if stride > 1 {
			skip = layers.AvgPool{Window: 3, Stride: stride, Padding: 1}.Forward(p, x)
		}
		y = autograd.Add(y, autograd.Scale(skip, p.Graph.Variable("auxiliary", m.auxiliary)))
	}
	if rest != nil {
		if stride > 1 {
			rest = layers.MaxPool{Window: 3, Stride: stride, Padding: 1}.Forward(p, rest)
		}
		y = autograd.Concat(rest, y)
	}
	return y
}

// row returns the shares of the operations of an edge.
func (m *mixer) row(p *layers.Pass, edge int) *autograd.Node {
	if m.graph != p.Graph {
		coldness := p.Graph.Variable("coldness", m.coldness)
		m.graph, m.shares = p.Graph, autograd.Softmax(autograd.Scale(p.Param(m.alphas), coldness))
	}
	n := m.shares.Shape()[1]
	return autograd.Reshape(autograd.Slice(m.shares, []int{edge, 0}, []int{edge + 1, n}), n)
}

// Node adds up the edges, weighted by a softmax over the betas if there are some.
func (m *mixer) Node(p *layers.Pass, firstEdge int, terms []*autograd.Node) *autograd.Node {
	if m.betas == nil {
		y := terms[0]
		for _, x := range terms[1:] {
			y = autograd.Add(y, x)
		}
		return y
	}
	edge := 0
	for i, n := range m.relaxation.Nodes {
		if edge == firstEdge {
			return autograd.WeightedSum(autograd.Softmax(p.Param(m.betas[i])), terms...)
		}
		edge += len(n.From)
	}
	panic(fmt.Sprintf("darts: no node begins with edge %d", firstEdge))
}

// rows returns copies of the alphas of each edge, and of the betas of each node.
func (m *mixer) rows() (alphas, betas [][]float32) {
	n := len(m.relaxation.Operations)
	data := m.alphas.Value.Data()
	for e := range m.relaxation.Edges() {
		alphas = append(alphas, append([]float32(nil), data[e*n:(e+1)*n]...))
	}
	for _, b := range m.betas {
		betas = append(betas, append([]float32(nil), b.Value.Data()...))
	}
	return alphas, betas
}

// softmax returns the shares that alphas stand for.
func softmax(alphas []float32, coldness float64) []float64 {
	top := math.Inf(-1)
	for _, a := range alphas {
		top = max(top, float64(a)*coldness)
	}
	out, sum := make([]float64, len(alphas)), 0.0
	for i, a := range alphas {
		out[i] = math.Exp(float64(a)*coldness - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// entropy returns the mean entropy of distributions, in nats.
func entropy(shares [][]float64) float64 {
	sum := 0.0
	for _, s := range shares {
		for _, p := range s {
			if p > 0 {
				sum -= p * math.Log(p)
			}
		}
	}
	return sum / float64(len(shares))
}
