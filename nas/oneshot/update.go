package oneshot

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// updater is stochastic gradient descent with Nesterov momentum over the parameters that the paths of a step used. Others keep their
// values and velocities bit for bit.
type updater struct {
	table    *kernels.Table
	momentum float64
	decay    float64
	states   map[*layers.Parameter]*state
	touched  []*state // in the order of their first use in this step
}

// state belongs to one parameter of the store.
type state struct {
	parameter      *layers.Parameter
	velocity, grad *tensor.Tensor // of the parameter's shape; grad is zero outside of box
	box            tensor.Shape   // leading block that the paths of this step used; nil if none did
}

func newUpdater(table *kernels.Table, momentum, decay float64) *updater {
	return &updater{table: table, momentum: momentum, decay: decay, states: map[*layers.Parameter]*state{}}
}

// of returns the state of a parameter, grown to its present shape.
func (u *updater) of(p *layers.Parameter) *state {
	s := u.states[p]
	if s == nil {
		s = &state{parameter: p, velocity: tensor.New(p.Value.Shape()...), grad: tensor.New(p.Value.Shape()...)}
		u.states[p] = s
	}
	if old := s.velocity.Shape(); !old.Equal(p.Value.Shape()) {
		velocity, grad := tensor.New(p.Value.Shape()...), tensor.New(p.Value.Shape()...)
		layers.CopyBlock(velocity, s.velocity, old)
		layers.CopyBlock(grad, s.grad, old)
		s.velocity, s.grad = velocity, grad
	}
	return s
}

// add adds scale times the gradient for a block of a parameter to the step.
func (u *updater) add(p *layers.Parameter, gradient *tensor.Tensor, scale float32) {
	s, block := u.of(p), gradient.Shape()
	if s.box == nil {
		s.box = block.Clone()
		u.touched = append(u.touched, s)
	}
	for d, n := range block {
		s.box[d] = max(s.box[d], n)
	}
	rows, g, sum := layers.BlockRows(s.grad.Shape(), block), gradient.Data(), s.grad.Data()
	for i, at := range rows.Starts {
		from := g[i*rows.Length : (i+1)*rows.Length]
		to := sum[at : at+len(from)]
		for j, v := range from {
			to[j] += scale * v
		}
	}
}

// apply makes the step at a learning rate and forgets its gradients.
func (u *updater) apply(rate float64) {
	step := kernels.SGDStep{LR: float32(rate), Momentum: float32(u.momentum), Nesterov: u.momentum > 0, GradScale: 1}
	for _, s := range u.touched {
		step.WeightDecay = 0
		if s.parameter.Kind == layers.Weight {
			step.WeightDecay = float32(u.decay)
		}
		w, g, v := s.parameter.Value.Data(), s.grad.Data(), s.velocity.Data()
		rows := layers.BlockRows(s.grad.Shape(), s.box)
		for _, at := range rows.Starts {
			end := at + rows.Length
			u.table.SGD(w[at:end], g[at:end], v[at:end], &step)
			clear(g[at:end])
		}
		s.box = nil
	}
	u.touched = u.touched[:0]
}

// forget drops the gradients of a step that is not made.
func (u *updater) forget() {
	for _, s := range u.touched {
		clear(s.grad.Data())
		s.box = nil
	}
	u.touched = u.touched[:0]
}
