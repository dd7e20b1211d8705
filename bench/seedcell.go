package bench

import (
	"math"
	"strconv"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
)

// Sizes of the seed-cell supernet.
const (
	seedCells    = 8
	seedNodes    = 4
	seedChannels = 16
)

// SeedCell is a supernet of 8 cells with 4 nodes and 16 channels over images of three channels: every node sums, over all earlier states of its
// cell, mixed operations of a 3x3 and a 5x5 convolution, 3x3 max pooling, the identity and a linear map of the channels, weighted by a
// softmax (Liu, Simonyan and Yang 2019, section 2.2). A cell begins with a 1x1 convolution to 16 channels where it is handed more, and ends with its nodes side by side.
func SeedCell(s layers.Scope, classes int) layers.Module {
	model := layers.Sequential{seedConv(s.Sub("stem"), 3, 3)}
	in := seedChannels
	for i := range seedCells {
		model = append(model, newSeedCell(s.Sub("cells").Sub(strconv.Itoa(i)), in))
		in = seedNodes * seedChannels
	}
	return append(model, layers.GlobalAvgPool{}, layers.NewLinear(s.Sub("head"), in, classes))
}

// seedConv is a convolution with a bias that keeps the size of images. Nothing here brings sums back to unit scale, so weights begin
// smaller than for networks with norms.
func seedConv(s layers.Scope, in, kernel int) layers.Module {
	o := layers.ConvOptions{Padding: kernel / 2, Init: layers.KaimingUniform(layers.FanIn, 1/math.Sqrt(3))}
	return layers.NewConv2D(s, in, seedChannels, kernel, o)
}

type seedCell struct {
	pre   layers.Module
	nodes [][]mixedOperation // by node and earlier state
}

func newSeedCell(s layers.Scope, in int) *seedCell {
	c := &seedCell{pre: layers.Identity{}}
	if in != seedChannels {
		c.pre = seedConv(s.Sub("pre"), in, 1)
	}
	for i := range seedNodes {
		var edges []mixedOperation
		for j := range i + 1 {
			edges = append(edges, newMixedOperation(s.Sub("node"+strconv.Itoa(i)).Sub("from"+strconv.Itoa(j))))
		}
		c.nodes = append(c.nodes, edges)
	}
	return c
}

// Forward maps images to the outputs of the nodes, side by side.
func (c *seedCell) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	states := []*autograd.Node{c.pre.Forward(p, x)}
	for _, edges := range c.nodes {
		sum := edges[0].Forward(p, states[0])
		for j, e := range edges[1:] {
			sum = autograd.Add(sum, e.Forward(p, states[j+1]))
		}
		states = append(states, sum)
	}
	return autograd.Concat(states[1:]...)
}

type mixedOperation struct {
	alpha      *layers.Parameter
	operations []layers.Module
}

func newMixedOperation(s layers.Scope) mixedOperation {
	return mixedOperation{
		alpha: s.Param("alpha", layers.Bias, layers.Zeros, 5),
		operations: []layers.Module{
			seedConv(s.Sub("conv3x3"), seedChannels, 3),
			seedConv(s.Sub("conv5x5"), seedChannels, 5),
			layers.MaxPool{Window: 3, Stride: 1, Padding: 1},
			layers.Identity{},
			seedConv(s.Sub("fc"), seedChannels, 1),
		},
	}
}

// Forward returns the weighted sum of all operations.
func (m mixedOperation) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	var outputs []*autograd.Node
	for _, o := range m.operations {
		outputs = append(outputs, o.Forward(p, x))
	}
	return autograd.WeightedSum(autograd.Softmax(p.Param(m.alpha)), outputs...)
}
