package layers

import "github.com/nasbench-go/nasbench/autograd"

// What a [BatchNorm] uses: the share of a new batch in the running statistics, and what is
// added to the variance.
const (
	BatchNormMomentum = 0.1
	BatchNormEpsilon  = 1e-5
)

// BatchNorm normalises every channel, by the statistics of the batch in training and by
// the running statistics otherwise, then scales and shifts it (Ioffe and Szegedy 2015).
type BatchNorm struct {
	weight, bias, mean, variance *Parameter
}

// NewBatchNorm registers "weight", "bias", "running_mean" and "running_var", each of the given number of
// channels.
func NewBatchNorm(s Scope, channels int) *BatchNorm {
	return &BatchNorm{
		weight:   s.Param("weight", Norm, Ones, channels),
		bias:     s.Param("bias", Norm, Zeros, channels),
		mean:     s.Param("running_mean", Buffer, Zeros, channels),
		variance: s.Param("running_var", Buffer, Ones, channels),
	}
}

// Forward normalises x over all but its innermost dimension.
func (b *BatchNorm) Forward(p *Pass, x *autograd.Node) *autograd.Node {
	made(b != nil && p != nil, "batch norm")
	momentum := p.Momentum
	if momentum == 0 {
		momentum = BatchNormMomentum
	}
	return autograd.BatchNorm(x, p.Param(b.weight), p.Param(b.bias), p.Param(b.mean), p.Param(b.variance),
		autograd.BatchNormOptions{Training: p.Training, Momentum: momentum, Epsilon: BatchNormEpsilon})
}
