package layers

import (
	"github.com/nasbench-go/nasbench/autograd"
)

// ConvOptions configures a [Conv2D]. The zero value is stride 1, no padding, dilation 1,
// one group, with bias.
type ConvOptions struct {
	Stride, Padding, Dilation, Groups int // padding on each side; 0 means 1 for the others
	NoBias                            bool
	Init                              Init // of the weight; nil is KaimingNormal(FanIn, GainReLU)
}

// Conv2D is a convolution over channels-last images.
type Conv2D struct {
	weight, bias *Parameter // kernel x kernel x in/groups x out; out, nil without bias
	options      autograd.ConvOptions
}

// NewConv2D registers "weight" and, unless NoBias, "bias" in the scope. The kernel is
// square. It panics with a [*ConstructionError] if in or out is not a multiple of the groups, or if an option is negative.
func NewConv2D(s Scope, in, out, kernel int, o ConvOptions) *Conv2D {
	if o.Stride < 0 || o.Padding < 0 || o.Dilation < 0 || o.Groups < 0 {
		misuse(s.Path(), "convolution: stride %d, padding %d, dilation %d, %d groups: none may be negative", o.Stride, o.Padding, o.Dilation, o.Groups)
	}
	groups := max(o.Groups, 1)
	if in%groups != 0 || out%groups != 0 {
		misuse(s.Path(), "convolution: %d and %d channels do not divide into %d groups", in, out, groups)
	}
	init := o.Init
	if init == nil {
		init = KaimingNormal(FanIn, GainReLU)
	}
	c := &Conv2D{
		weight: s.Param("weight", Weight, init, kernel, kernel, in/groups, out),
		options: autograd.ConvOptions{
			Stride: autograd.Both(o.Stride), Padding: autograd.Both(o.Padding), Dilation: autograd.Both(o.Dilation), Groups: o.Groups,
		},
	}
	if !o.NoBias {
		c.bias = s.Param("bias", Bias, Zeros, out)
	}
	return c
}

// Forward maps N x H x W x in to N x Ho x Wo x out.
func (c *Conv2D) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	made(c != nil && p != nil, "convolution")
	y := autograd.Conv2D(x, p.Param(c.weight), c.options)
	if c.bias != nil {
		y = autograd.Bias(y, p.Param(c.bias))
	}
	return y
}
