package bench

import (
	"strconv"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
)

// NB201Dense is the skeleton of NAS-Bench-201 (Dong and Yang 2020, section 2.1) over images of one channel, with one cell in each of the stages of 16, 32 and
// 64 channels and a ReLU, a 3x3 convolution and a batch norm on all six edges of a cell: its most expensive network.
func NB201Dense(s layers.Scope, classes int) layers.Module {
	model := layers.Sequential{convNorm(s.Sub("stem"), 1, 16, 3, 1)}
	in := 16
	for i, out := range []int{16, 32, 64} {
		stage := s.Sub("stage" + strconv.Itoa(i))
		if out != in {
			model = append(model, nb201Reduction(stage.Sub("reduce"), in, out))
		}
		model = append(model, newNB201Cell(stage.Sub("cell"), out))
		in = out
	}
	return append(model, layers.NewBatchNorm(s.Sub("norm"), in), layers.ReLU(), layers.GlobalAvgPool{}, layers.NewLinear(s.Sub("head"), in, classes))
}

func reluConvNorm(s layers.Scope, in, out, kernel, stride int) layers.Module {
	return layers.Sequential{layers.ReLU(), convNorm(s, in, out, kernel, stride)}
}

// nb201Reduction is the residual block between stages; its shortcut is a 2x2 average and a 1x1 convolution.
func nb201Reduction(s layers.Scope, in, out int) layers.Module {
	return layers.Residual{
		Body: layers.Sequential{reluConvNorm(s.Sub("a"), in, out, 3, 2), reluConvNorm(s.Sub("b"), out, out, 3, 1)},
		Shortcut: layers.Sequential{
			layers.AvgPool{Window: 2, Stride: 2},
			layers.NewConv2D(s.Sub("shortcut"), in, out, 1, layers.ConvOptions{NoBias: true}),
		},
	}
}

// nb201Cell has four states: the input, and three that each sum one operation on every state before.
type nb201Cell [][]layers.Module

func newNB201Cell(s layers.Scope, channels int) nb201Cell {
	var c nb201Cell
	for i := range 3 {
		var edges []layers.Module
		for j := range i + 1 {
			edges = append(edges, reluConvNorm(s.Sub("edge"+strconv.Itoa(i+1)+strconv.Itoa(j)), channels, channels, 3, 1))
		}
		c = append(c, edges)
	}
	return c
}

// Forward returns the last state.
func (c nb201Cell) Forward(p *layers.Pass, x *autograd.Node) *autograd.Node {
	states := []*autograd.Node{x}
	for _, edges := range c {
		sum := edges[0].Forward(p, x)
		for j, e := range edges[1:] {
			sum = autograd.Add(sum, e.Forward(p, states[j+1]))
		}
		states = append(states, sum)
	}
	return states[len(states)-1]
}
