package space

import (
	"strconv"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
)

// chainModule is a built genome.
type chainModule struct {
	layers []builtChainLayer
	head   layers.Module
}

// builtChainLayer is a layer whose parts have their parameters.
type builtChainLayer struct {
	connection chainConnection
	f          layers.Module // the operation
	side       layers.Module // P or R; the identity where it changes nothing
}

// build registers the parameters of layer i under "layers.i": conv and norm, or fc, and those
// of P under project.conv and project.norm. The classifier is "head". Where weights are shared, those of an operation belong to the layer and the
// operation: fewer channels or units are the first ones of the largest choice, unless the store keeps widths apart. Channel by channel
// the layers behind then see the same features whatever the width, and each weight is trained by more paths; with weights of their
// own for each choice of channels the supernet learned several times more slowly.
func (g *ChainGenome) build(t Task, s layers.Scope) layers.Module {
	var buf [maxChainDepth]chainStep
	steps := g.plan(t, &buf)
	m := &chainModule{}
	for i := range steps {
		m.layers = append(m.layers, steps[i].build(s.Sub("layers").Sub(strconv.Itoa(i))))
	}
	m.head = layers.Sequential{
		layers.GlobalAvgPool{},
		layers.NewLinear(s.Sub("head"), steps[len(steps)-1].out.c, t.Classes),
	}
	return m
}

func (s *chainStep) build(scope layers.Scope) builtChainLayer {
	b := builtChainLayer{connection: s.connection, f: layers.Identity{}, side: layers.Identity{}}
	project := scope.Sub("project")
	scope = scope.Choice("", chainOps[s.op].name)
	switch s.op {
	case conv3x3, conv5x5:
		scope = scope.Width(s.f.c)
		b.f = layers.Sequential{
			layers.NewConv2D(scope.Sub("conv"), s.in.c, s.f.c, s.op.kernel(), layers.ConvOptions{Padding: s.op.kernel() / 2, NoBias: true}),
			layers.NewBatchNorm(scope.Sub("norm"), s.f.c),
			layers.ReLU(),
		}
	case pool3x3:
		b.f = layers.MaxPool{Window: 3, Stride: s.stride, Padding: 1}
		if s.param == avgPool {
			b.f = layers.AvgPool{Window: 3, Stride: s.stride, Padding: 1}
		}
	case fc:
		scope = scope.Width(s.f.c)
		// No norm follows that would bring the activations back to unit scale, so the first
		// weights have to keep it.
		keep := layers.LinearOptions{Init: layers.KaimingNormal(layers.FanIn, layers.GainReLU)}
		b.f = layers.Sequential{layers.NewLinearWith(scope.Sub("fc"), s.in.c, s.f.c, keep), layers.ReLU()}
	}
	if s.projects() {
		b.side = layers.Sequential{
			layers.NewConv2D(project.Sub("conv"), s.side.c, s.f.c, 1, layers.ConvOptions{Stride: s.sideStride, NoBias: true}),
			layers.NewBatchNorm(project.Sub("norm"), s.f.c),
		}
	}
	if s.reduces() {
		padH, padW := s.reducePadding()
		o := autograd.PoolOptions{Window: autograd.Both(2), Stride: autograd.Both(2), Padding: autograd.HW{H: padH, W: padW}}
		b.side = layers.Func(func(x *autograd.Node) *autograd.Node { return autograd.AvgPool2D(x, o) })
	}
	return b
}

// Forward maps images, N x H x W x C, to logits, N x classes.
func (m *chainModule) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	z := x
	for _, l := range m.layers {
		y := l.f.Forward(p, x)
		switch l.connection {
		case addConnection:
			y = autograd.Add(y, l.side.Forward(p, x))
		case skipConnection:
			y = autograd.Add(y, l.side.Forward(p, z))
		case concatConnection:
			y = autograd.Concat(y, l.side.Forward(p, x))
		}
		z, x = x, y
	}
	return m.head.Forward(p, x)
}
