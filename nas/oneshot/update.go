package oneshot

import (
	"slices"

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
	velocity, grad *tensor.Tensor // of the parameter's shape; grad is zero outside of boxes
	boxes          []tensor.Shape // leading blocks that the paths of this step used, none within another
	mask           []bool         // of the elements in more than one box; false between steps
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
	if len(s.boxes) == 0 {
		u.touched = append(u.touched, s)
	}
	s.use(block)
	rows, g, sum := layers.BlockRows(s.grad.Shape(), block), gradient.Data(), s.grad.Data()
	for i, at := range rows.Starts {
		from := g[i*rows.Length : (i+1)*rows.Length]
		to := sum[at : at+len(from)]
		for j, v := range from {
			to[j] += scale * v
		}
	}
}

// use adds a block to the boxes.
func (s *state) use(block tensor.Shape) {
	within := func(a, b tensor.Shape) bool {
		for d := range a {
			if a[d] > b[d] {
				return false
			}
		}
		return true
	}
	for _, b := range s.boxes {
		if within(block, b) {
			return
		}
	}
	s.boxes = slices.DeleteFunc(s.boxes, func(b tensor.Shape) bool { return within(b, block) })
	s.boxes = append(s.boxes, block)
}

// runs calls f for neighbouring elements that are in a box, each element once.
func (s *state) runs(f func(lo, hi int)) {
	shape := s.grad.Shape()
	if len(s.boxes) == 1 {
		rows := layers.BlockRows(shape, s.boxes[0])
		for _, at := range rows.Starts {
			f(at, at+rows.Length)
		}
		return
	}
	if len(s.mask) != shape.Elements() {
		s.mask = make([]bool, shape.Elements())
	}
	for _, b := range s.boxes {
		rows := layers.BlockRows(shape, b)
		for _, at := range rows.Starts {
			for i := range s.mask[at : at+rows.Length] {
				s.mask[at+i] = true
			}
		}
	}
	for lo := 0; lo < len(s.mask); lo++ {
		if !s.mask[lo] {
			continue
		}
		hi := lo
		for hi < len(s.mask) && s.mask[hi] {
			s.mask[hi] = false
			hi++
		}
		f(lo, hi)
		lo = hi
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
		s.runs(func(lo, hi int) {
			u.table.SGD(w[lo:hi], g[lo:hi], v[lo:hi], &step)
			clear(g[lo:hi])
		})
		s.boxes = s.boxes[:0]
	}
	u.touched = u.touched[:0]
}

// forget drops the gradients of a step that is not made.
func (u *updater) forget() {
	for _, s := range u.touched {
		clear(s.grad.Data())
		s.boxes = s.boxes[:0]
	}
	u.touched = u.touched[:0]
}
