package layers

import (
	"fmt"
	"math"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/tensor"
)

// Optimizer updates a fixed list of parameters from their gradients.
type Optimizer interface {
	// Step makes one update at this learning rate. The gradients are in the order of the
	// parameters, one for each, and are multiplied by gradScale first. It allocates nothing.
	Step(rate, gradScale float64, grads []*tensor.Tensor)
	// State returns what the optimiser keeps between steps, named kind/parameter; the
	// tensors share its storage.
	State() []safetensors.Tensor
	// Steps returns the number of updates made.
	Steps() int
	// SetSteps sets that number, when State was filled from a checkpoint.
	SetSteps(n int)
}

// Rule is an update rule with its settings: [SGD] or [AdamW].
type Rule interface {
	// New returns an optimiser of the parameters, with zero state. It returns an [*OptionError] if a setting is
	// out of its range or a parameter is nil. Nil threads run on the caller's; a nil table is that of kernels.Active.
	New(params []*Parameter, table *kernels.Table, threads *kernels.Threads) (Optimizer, error)
	// String gives the rule and all of its settings.
	String() string
}

// decays says whether weight decay applies. Scales and shifts are few and decaying them
// costs accuracy (He et al. 2019, "Bag of Tricks", section 3.1).
func decays(k Kind) bool { return k == Weight }

// SGD is stochastic gradient descent with momentum: v = Momentum*v + g and w -= rate*v, where g
// includes WeightDecay*w. With Nesterov the step is g + Momentum*v, which looks ahead along the
// momentum (Sutskever et al. 2013, section 2).
type SGD struct {
	Momentum    float64
	Nesterov    bool // needs momentum
	WeightDecay float64
}

// String gives the settings.
func (o SGD) String() string {
	return fmt.Sprintf("sgd momentum=%g nesterov=%t weight_decay=%g", o.Momentum, o.Nesterov, o.WeightDecay)
}

// New implements [Rule].
func (o SGD) New(params []*Parameter, table *kernels.Table, threads *kernels.Threads) (Optimizer, error) {
	switch {
	case !(o.Momentum >= 0 && o.Momentum < 1):
		return nil, refuse("sgd", "momentum %g is not in [0, 1)", o.Momentum)
	case o.Nesterov && o.Momentum == 0:
		return nil, refuse("sgd", "nesterov needs momentum")
	case !finiteNotNegative(o.WeightDecay):
		return nil, refuse("sgd", "weight decay %g is not a number from 0 up", o.WeightDecay)
	}
	table, err := prepare("sgd", params, table)
	if err != nil {
		return nil, err
	}
	s := &sgd{velocity: newState("velocity", params)}
	plain := kernels.SGDStep{Momentum: float32(o.Momentum), Nesterov: o.Nesterov}
	s.steps = make([]kernels.SGDStep, len(params))
	for i, p := range params {
		s.steps[i] = plain
		if decays(p.Kind) {
			s.steps[i].WeightDecay = float32(o.WeightDecay)
		}
	}
	s.sweep = newSweep(parameterLengths(params), threads, func(_ int, c chunk) {
		i := c.tensor
		w, g, v := params[i].Value.Data(), s.grads[i].Data(), s.velocity[i].Value.Data()
		table.SGD(w[c.lo:c.hi], g[c.lo:c.hi], v[c.lo:c.hi], &s.steps[i])
	})
	return s, nil
}

type sgd struct {
	steps    []kernels.SGDStep // one for each parameter
	velocity []safetensors.Tensor
	grads    []*tensor.Tensor // of the running step
	sweep    *sweep
	count    int
}

func (s *sgd) Step(rate, gradScale float64, grads []*tensor.Tensor) {
	checkGradients("sgd", grads, len(s.steps))
	for i := range s.steps {
		s.steps[i].LR, s.steps[i].GradScale = float32(rate), float32(gradScale)
	}
	s.grads = grads
	s.sweep.run()
	s.count++
}

func (s *sgd) State() []safetensors.Tensor { return s.velocity }
func (s *sgd) Steps() int                  { return s.count }
func (s *sgd) SetSteps(n int)              { s.count = max(n, 0) }

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): decay
// is rate*WeightDecay*w, apart from the adaptive step. Zero values of Beta1, Beta2 and Epsilon
// stand for 0.9, 0.999 and 1e-8.
type AdamW struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
}

func (o AdamW) defaults() AdamW {
	if o.Beta1 == 0 {
		o.Beta1 = 0.9
	}
	if o.Beta2 == 0 {
		o.Beta2 = 0.999
	}
	if o.Epsilon == 0 {
		o.Epsilon = 1e-8
	}
	return o
}

// String gives the settings.
func (o AdamW) String() string {
	o = o.defaults()
	return fmt.Sprintf("adamw beta1=%g beta2=%g epsilon=%g weight_decay=%g", o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay)
}

// New implements [Rule].
func (o AdamW) New(params []*Parameter, table *kernels.Table, threads *kernels.Threads) (Optimizer, error) {
	o = o.defaults()
	switch {
	case !(o.Beta1 >= 0 && float32(o.Beta1) < 1):
		return nil, refuse("adamw", "beta1 %g is not in [0, 1)", o.Beta1)
	case !(o.Beta2 >= 0 && float32(o.Beta2) < 1):
		return nil, refuse("adamw", "beta2 %g is not in [0, 1)", o.Beta2)
	case !(finiteNotNegative(o.Epsilon) && float32(o.Epsilon) > 0):
		return nil, refuse("adamw", "epsilon %g is not a number above 0", o.Epsilon)
	case !finiteNotNegative(o.WeightDecay):
		return nil, refuse("adamw", "weight decay %g is not a number from 0 up", o.WeightDecay)
	}
	table, err := prepare("adamw", params, table)
	if err != nil {
		return nil, err
	}
	a := &adamW{
		beta1: float64(float32(o.Beta1)), beta2: float64(float32(o.Beta2)),
		m: newState("moment1", params), v: newState("moment2", params),
	}
	plain := kernels.AdamWStep{Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Epsilon)}
	a.steps = make([]kernels.AdamWStep, len(params))
	for i, p := range params {
		a.steps[i] = plain
		if decays(p.Kind) {
			a.steps[i].WeightDecay = float32(o.WeightDecay)
		}
	}
	a.sweep = newSweep(parameterLengths(params), threads, func(_ int, c chunk) {
		i := c.tensor
		w, g := params[i].Value.Data(), a.grads[i].Data()
		m, v := a.m[i].Value.Data(), a.v[i].Value.Data()
		table.AdamW(w[c.lo:c.hi], g[c.lo:c.hi], m[c.lo:c.hi], v[c.lo:c.hi], &a.steps[i])
	})
	return a, nil
}

type adamW struct {
	beta1, beta2 float64             // rounded as the kernel has them, or the corrections would not cancel
	steps        []kernels.AdamWStep // one for each parameter
	m, v         []safetensors.Tensor
	grads        []*tensor.Tensor // of the running step
	sweep        *sweep
	count        int
}

func (a *adamW) Step(rate, gradScale float64, grads []*tensor.Tensor) {
	checkGradients("adamw", grads, len(a.steps))
	a.count++
	t := float64(a.count)
	correct1 := float32(1 / (1 - math.Pow(a.beta1, t)))
	correct2 := float32(1 / (1 - math.Pow(a.beta2, t)))
	for i := range a.steps {
		s := &a.steps[i]
		s.LR, s.GradScale, s.Correct1, s.Correct2 = float32(rate), float32(gradScale), correct1, correct2
	}
	a.grads = grads
	a.sweep.run()
}

func (a *adamW) State() []safetensors.Tensor {
	return append(append([]safetensors.Tensor{}, a.m...), a.v...)
}
func (a *adamW) Steps() int     { return a.count }
func (a *adamW) SetSteps(n int) { a.count = max(n, 0) }

// newState returns one tensor of zeros for each parameter, named kind/parameter.
func newState(kind string, params []*Parameter) []safetensors.Tensor {
	out := make([]safetensors.Tensor, len(params))
	for i, p := range params {
		out[i] = safetensors.Tensor{Name: kind + "/" + p.Name, Value: tensor.New(p.Value.Shape()...)}
	}
	return out
}

// prepare returns the table, or that of kernels.Active, and an error if there is none or a parameter is nil.
func prepare(of string, params []*Parameter, table *kernels.Table) (*kernels.Table, error) {
	for i, p := range params {
		if p == nil || p.Value == nil {
			return nil, refuse(of, "parameter %d is nil", i)
		}
	}
	if table != nil {
		return table, nil
	}
	return kernels.Active()
}

// checkGradients panics unless there is one gradient for each parameter.
func checkGradients(of string, grads []*tensor.Tensor, parameters int) {
	if len(grads) != parameters {
		misuse("", "%s: %d gradients for %d parameters", of, len(grads), parameters)
	}
	for i, g := range grads {
		if g == nil {
			misuse("", "%s: gradient %d is nil", of, i)
		}
	}
}

// finiteNotNegative reports whether x is a finite number from 0 up, also as the float32 that a routine is given.
func finiteNotNegative(x float64) bool { return x >= 0 && x <= math.MaxFloat32 }
