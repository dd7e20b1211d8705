package layers

import (
	"math"

	"github.com/nasbench-go/nasbench/autograd"
)

// LinearOptions configures a [Linear].
type LinearOptions struct {
	NoBias bool
	Init   Init // of the weight; nil is uniform in ±1/sqrt(in)
}

// Linear maps the innermost dimension by a matrix and adds a bias.
type Linear struct {
	weight, bias *Parameter // in x out; out, nil without bias
}

// NewLinear registers "weight" and "bias" in the scope.
func NewLinear(s Scope, in, out int) *Linear { return NewLinearWith(s, in, out, LinearOptions{}) }

// NewLinearWith is [NewLinear] with options.
func NewLinearWith(s Scope, in, out int, o LinearOptions) *Linear {
	init := o.Init
	if init == nil {
		init = KaimingUniform(FanIn, 1/math.Sqrt(3))
	}
	l := &Linear{weight: s.Param("weight", Weight, init, in, out)}
	if !o.NoBias {
		l.bias = s.Param("bias", Bias, Zeros, out)
	}
	return l
}

// Forward maps [.., in] to [.., out]; an image is mapped at every position.
func (l *Linear) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	made(l != nil && p != nil, "linear layer")
	y := autograd.Linear(x, p.Param(l.weight))
	if l.bias != nil {
		y = autograd.Bias(y, p.Param(l.bias))
	}
	return y
}
