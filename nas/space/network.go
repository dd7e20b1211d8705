package space

import (
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// network is the computation that a genome describes: operations in topological order, operation 0 being the image. A
// space writes it down once; cost, key and module are all read from it, so that they cannot
// disagree.
//
// Operations without weights that are applied twice to the same input are one operation.
type network struct {
	nodes    []operation
	weighted int // operations with weights that the genome chose

	naming bool // paths are wanted; pricing goes without
	scope  string

	// Of relaxed networks.
	mixer          Mixer // nil for the network of a genome
	candidates     []unit
	operationNames []string
	relaxed        bool // this is an operation of a mixture
	last           ref  // its output; otherwise that is the last operation
}

// ref is a value of a network: the index of the operation that computes it.
type ref int

type operation struct {
	kind                                      opKind
	path                                      string // of its parameters
	in                                        [2]ref // those of concatOp stand in all
	all                                       []ref
	out                                       size
	window, stride, padding, dilation, groups int
	mixture                                   *mixture // of mixOp and joinOp
}

type opKind uint8

const (
	imageOp opKind = iota
	convOp
	linearOp
	normOp
	reluOp
	relu6Op
	siluOp
	hardSwishOp
	maxPoolOp
	avgPoolOp
	addOp
	concatOp
	shiftOp
	halveOp
	zeroOp
	globalPoolOp
	mixOp
	joinOp
)

var opKindNames = [...]string{
	"image", "conv", "linear", "norm", "relu", "relu6", "silu", "hard-swish", "max", "avg", "add", "concat", "shift", "halve", "zero", "global", "mix", "join",
}

func (k opKind) weighted() bool { return k == convOp || k == linearOp || k == normOp }

// newNetwork returns the network that only has the image of a task.
func newNetwork(t Task, naming bool) *network {
	return &network{naming: naming, nodes: []operation{{kind: imageOp, out: size{t.Height, t.Width, t.Channels}}}}
}

// clear makes it the network that newNetwork returned, to write another one down without new memory.
func (n *network) clear() *network {
	n.nodes, n.weighted = n.nodes[:1], 0
	return n
}

// at returns the size of a value.
func (n *network) at(x ref) size { return n.nodes[x].out }

// within runs f with a name below the present scope, for example "cells", "3" or "pre".
func (n *network) within(name string, f func()) {
	if !n.naming {
		f()
		return
	}
	old := n.scope
	n.scope = n.path(name)
	f()
	n.scope = old
}

func (n *network) path(name string) string {
	if !n.naming || n.scope == "" {
		return name
	}
	return n.scope + "." + name
}

// each is within for element i of a list.
func (n *network) each(i int, f func()) {
	if !n.naming {
		f()
		return
	}
	n.within(strconv.Itoa(i), f)
}

func (n *network) push(o operation) ref {
	if !o.kind.weighted() && o.kind != concatOp && o.mixture == nil {
		for i := len(n.nodes) - 1; i > int(o.in[0]); i-- {
			if p := &n.nodes[i]; p.kind == o.kind && p.in == o.in && p.window == o.window && p.stride == o.stride && p.padding == o.padding {
				return ref(i)
			}
		}
	}
	n.nodes = append(n.nodes, o)
	return ref(len(n.nodes) - 1)
}

// window describes a convolution or a pool. Zero values mean stride 1, dilation 1 and one group; the padding keeps the size
// where the stride is 1.
type window struct{ side, stride, dilation, groups int }

// convolution adds a convolution without bias to so many channels, named "conv" or as given.
func (n *network) convolution(x ref, name string, channels int, w window) ref {
	w.stride, w.dilation, w.groups = max(w.stride, 1), max(w.dilation, 1), max(w.groups, 1)
	in, padding := n.at(x), w.dilation*(w.side-1)/2
	out := size{slide(in.h, w, padding), slide(in.w, w, padding), channels}
	return n.push(operation{kind: convOp, path: n.path(name), in: [2]ref{x}, out: out,
		window: w.side, stride: w.stride, padding: padding, dilation: w.dilation, groups: w.groups})
}

// slide returns the length of an axis after a window has passed over it.
func slide(n int, w window, padding int) int {
	return (n+2*padding-w.dilation*(w.side-1)-1)/w.stride + 1
}

func (n *network) pool(x ref, kind opKind, w window) ref {
	w.stride, w.dilation = max(w.stride, 1), 1
	in, padding := n.at(x), (w.side-1)/2
	out := size{slide(in.h, w, padding), slide(in.w, w, padding), in.c}
	return n.push(operation{kind: kind, in: [2]ref{x}, out: out, window: w.side, stride: w.stride, padding: padding})
}

// linear adds a linear map over channels at every position, with bias.
func (n *network) linear(x ref, name string, channels int) ref {
	out := n.at(x)
	out.c = channels
	return n.push(operation{kind: linearOp, path: n.path(name), in: [2]ref{x}, out: out})
}

func (n *network) norm(x ref, name string) ref {
	return n.push(operation{kind: normOp, path: n.path(name), in: [2]ref{x}, out: n.at(x)})
}

// activate applies an activation; imageOp stands for none.
func (n *network) activate(x ref, kind opKind) ref {
	if kind == imageOp {
		return x
	}
	return n.push(operation{kind: kind, in: [2]ref{x}, out: n.at(x)})
}

// add adds up values of one size.
func (n *network) add(xs ...ref) ref {
	sum := xs[0]
	for _, x := range xs[1:] {
		sum = n.push(operation{kind: addOp, in: [2]ref{sum, x}, out: n.at(sum)})
	}
	return sum
}

// concat joins values of one height and width over channels.
func (n *network) concat(xs ...ref) ref {
	if len(xs) == 1 {
		return xs[0]
	}
	out := n.at(xs[0])
	for _, x := range xs[1:] {
		out.c += n.at(x).c
	}
	return n.push(operation{kind: concatOp, all: xs, out: out})
}

// shift moves an image by one pixel up and to the left. An axis of odd length gets a zero behind its last pixel, so
// that every second pixel of the result are as many as those of the image.
func (n *network) shift(x ref) ref {
	out := n.at(x)
	out.h -= 1 - out.h%2
	out.w -= 1 - out.w%2
	return n.push(operation{kind: shiftOp, in: [2]ref{x}, out: out})
}

// halve is a 2x2 average pool of stride 2. An axis of odd length is padded by one, which is not counted.
func (n *network) halve(x ref) ref {
	in := n.at(x)
	return n.push(operation{kind: halveOp, in: [2]ref{x}, out: size{(in.h + 1) / 2, (in.w + 1) / 2, in.c}})
}

// zero multiplies by 0: what it takes stays part of the network.
func (n *network) zero(x ref) ref {
	return n.push(operation{kind: zeroOp, in: [2]ref{x}, out: n.at(x)})
}

// reduce halves an image by two 1x1 convolutions of stride 2, one of which sees the pixels that the other leaves out
// (the factorized reduction of Liu, Simonyan and Yang, 2019), and joins them.
func (n *network) reduce(x ref, channels int) ref {
	if half := channels / 2; half > 0 {
		a := n.convolution(x, "conv1", half, window{side: 1, stride: 2})
		b := n.convolution(n.shift(x), "conv2", channels-half, window{side: 1, stride: 2})
		return n.concat(a, b)
	}
	return n.convolution(x, "conv1", channels, window{side: 1, stride: 2})
}

// head adds the global average pool and the classifier.
func (n *network) head(x ref, classes int) ref {
	pooled := n.push(operation{kind: globalPoolOp, in: [2]ref{x}, out: size{1, 1, n.at(x).c}})
	return n.linear(pooled, "head", classes)
}

// facts prices the network.
func (n *network) facts() facts {
	f := facts{weighted: n.weighted}
	for i := range n.nodes {
		o := &n.nodes[i]
		n.price(o, &f.cost)
		if last := i == len(n.nodes)-1; !last { // the logits are no map
			f.channels = max(f.channels, o.out.c)
		}
	}
	return f
}

// Mixtures have no price: a genome has none.
func (n *network) price(o *operation, c *Cost) {
	in := n.at(o.in[0])
	switch o.kind {
	case convOp:
		c.groupedConv(o.out, in.c, o.window, o.groups)
	case linearOp:
		c.linear(o.out, in.c)
	case normOp:
		c.batchNorm(o.out)
	case reluOp:
		c.relu(o.out)
	case relu6Op:
		c.op(o.out, 2)
	case siluOp, hardSwishOp:
		c.op(o.out, 5)
	case maxPoolOp:
		c.maxPool(in, o.out, o.window, o.stride, o.padding)
	case avgPoolOp:
		c.avgPool(in, o.out, o.window, o.stride, o.padding, o.padding)
	case addOp:
		c.add(o.out)
	case concatOp:
		c.concat(o.out)
	case shiftOp:
		if padH, padW := in.h%2, in.w%2; padH+padW > 0 {
			c.op(size{in.h + padH, in.w + padW, in.c}, 0)
		}
		c.op(o.out, 0)
	case halveOp:
		c.avgPool(in, o.out, 2, 2, in.h%2, in.w%2)
	case zeroOp:
		c.op(o.out, 1)
	case globalPoolOp:
		c.globalAvgPool(in)
	}
}

// build registers the parameters below the scope and returns the module. The network must have been written with naming.
func (n *network) build(s layers.Scope) layers.Module {
	m := &networkModule{operations: n.nodes, modules: make([]layers.Module, len(n.nodes)), mixer: n.mixer, last: ref(len(n.nodes) - 1)}
	if n.relaxed {
		m.last = n.last
	}
	if n.mixer != nil {
		m.mixtures = map[int][]layers.Module{}
	}
	for i := range n.nodes {
		o := &n.nodes[i]
		if o.kind == mixOp {
			m.mixtures[i] = o.mixture.build(n.below(s, o.path))
			continue
		}
		m.modules[i] = n.module(o, s)
	}
	return m
}

// below returns the scope of a path.
func (n *network) below(s layers.Scope, path string) layers.Scope {
	for name := range strings.SplitSeq(path, ".") {
		s = enter(s, name)
	}
	return s
}

// module returns what computes an operation of one input; nil for the others.
func (n *network) module(o *operation, s layers.Scope) layers.Module {
	if o.kind.weighted() {
		s = n.below(s, o.path)
	}
	in := n.at(o.in[0])
	switch o.kind {
	case convOp:
		return layers.NewConv2D(s, in.c, o.out.c, o.window, layers.ConvOptions{
			Stride: o.stride, Padding: o.padding, Dilation: o.dilation, Groups: o.groups, NoBias: true,
		})
	case linearOp:
		if n.nodes[o.in[0]].kind == globalPoolOp {
			return layers.NewLinear(s, in.c, o.out.c)
		}
		// No norm need follow that would bring the activations back to unit scale, so the first weights have to keep it.
		return layers.NewLinearWith(s, in.c, o.out.c, layers.LinearOptions{Init: layers.KaimingNormal(layers.FanIn, layers.GainReLU)})
	case normOp:
		if n.relaxed {
			return newFixedNorm(s, in.c)
		}
		return layers.NewBatchNorm(s, in.c)
	case reluOp:
		return layers.ReLU()
	case relu6Op:
		return layers.ReLU6()
	case siluOp:
		return layers.SiLU()
	case hardSwishOp:
		return layers.HardSwish()
	case maxPoolOp:
		return layers.MaxPool{Window: o.window, Stride: o.stride, Padding: o.padding}
	case avgPoolOp:
		return layers.AvgPool{Window: o.window, Stride: o.stride, Padding: o.padding}
	case shiftOp:
		return layers.Func(shiftImage)
	case halveOp:
		pool := autograd.PoolOptions{Window: autograd.Both(2), Stride: autograd.Both(2), Padding: autograd.HW{H: in.h % 2, W: in.w % 2}}
		return layers.Func(func(x *autograd.Node) *autograd.Node { return autograd.AvgPool2D(x, pool) })
	case zeroOp:
		return layers.Func(func(x *autograd.Node) *autograd.Node {
			return autograd.Scale(x, x.Graph().Constant(tensor.New(1)))
		})
	case globalPoolOp:
		return layers.GlobalAvgPool{}
	}
	return nil
}

func shiftImage(x *autograd.Node) *autograd.Node {
	shape := x.Shape()
	if padH, padW := shape[1]%2, shape[2]%2; padH+padW > 0 {
		x = autograd.Pad(x, []int{0, 0, 0, 0}, []int{0, padH, padW, 0})
	}
	return autograd.Slice(x, []int{0, 1, 1, 0}, x.Shape().Clone())
}

type networkModule struct {
	operations []operation
	modules    []layers.Module
	mixer      Mixer
	mixtures   map[int][]layers.Module // of each mixOp
	last       ref
}

// Forward maps images, N x H x W x C, to logits, N x classes.
func (m *networkModule) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	values := make([]*autograd.Node, len(m.operations))
	for i := range m.operations {
		o := &m.operations[i]
		switch o.kind {
		case imageOp:
			values[i] = x
		case addOp:
			values[i] = autograd.Add(values[o.in[0]], values[o.in[1]])
		case concatOp:
			all := make([]*autograd.Node, len(o.all))
			for j, in := range o.all {
				all[j] = values[in]
			}
			values[i] = autograd.Concat(all...)
		case mixOp:
			values[i] = m.mixer.Edge(p, o.mixture.edge, values[o.in[0]], m.mixtures[i], o.mixture.stride)
		case joinOp:
			all := make([]*autograd.Node, len(o.all))
			for j, in := range o.all {
				all[j] = values[in]
			}
			values[i] = m.mixer.Node(p, o.mixture.edge, all)
		default:
			values[i] = m.modules[i].Forward(p, values[o.in[0]])
		}
	}
	return values[m.last]
}
