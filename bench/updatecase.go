package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// update is an optimiser that a case measures instead of an operation: steps of one parameter of that many weights.
type update struct {
	rule  layers.Rule
	size  int
	flops int // of one weight
	moved int // floats of one weight that are read or written
}

// updateCases returns those of the optimisers, with all that they can do switched on.
func updateCases(shape string, size int) []KernelCase {
	return []KernelCase{
		{Name: "SGD/" + shape + "/" + string(Forward), update: &update{layers.SGD{Momentum: 0.9, WeightDecay: 1e-4}, size, 7, 5}},
		{Name: "AdamW/" + shape + "/" + string(Forward), update: &update{layers.AdamW{WeightDecay: 1e-2}, size, 17, 7}},
	}
}

func (u *update) work() autograd.Work {
	return autograd.Work{FLOPs: int64(u.flops) * int64(u.size), Bytes: 4 * int64(u.moved) * int64(u.size)}
}

// updater is an update made ready to run.
type updater struct {
	layers.Optimizer
	weights []float32
	grads   []*tensor.Tensor
}

// ready makes the weights, their gradients and the state of the optimiser, beside as much for so many other updates.
func (u *update) ready(table *kernels.Table, threads *kernels.Threads, updates int64) (*updater, error) {
	const tensors = 4 // at the most: AdamW has two moments
	if need, limit := updates*tensors*4*int64(u.size), machine.Plannable(); limit > 0 && need > limit {
		return nil, fmt.Errorf("bench: %w", &autograd.MemoryError{What: "the update", Need: need, Limit: limit})
	}
	weight := &layers.Parameter{Name: "w", Kind: layers.Weight, Value: tensor.New(u.size)}
	optimizer, err := u.rule.New([]*layers.Parameter{weight}, table, threads)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r := &updater{optimizer, weight.Value.Data(), []*tensor.Tensor{tensor.New(u.size)}}
	rng := stream.New(0, "bench input")
	fill := func(x []float32, rng *rand.Rand) {
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
	}
	fill(r.weights, rng)
	fill(r.grads[0].Data(), rng)
	return r, nil
}

// step makes an update at a rate so small that the weights stay of about their size however often it is made.
func (r *updater) step() { r.Step(1e-4, 0.5, r.grads) }

// run makes updates and returns how long they took.
func (r *updater) run(runs int) time.Duration {
	before := time.Now()
	for range runs {
		r.step()
	}
	return time.Since(before)
}

// checkUpdate compares the weights after some steps, in which moments and their corrections take part.
func (c KernelCase) checkUpdate(table, oracle *kernels.Table, threads *kernels.Threads) error {
	got, err := c.update.ready(table, threads, 2)
	if err != nil {
		return err
	}
	want, err := c.update.ready(oracle, threads, 2)
	if err != nil {
		return err
	}
	for range 3 {
		got.step()
		want.step()
	}
	largest := 0.0
	for _, v := range want.weights {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range got.weights {
		if d := math.Abs(float64(v) - float64(want.weights[i])); !(d <= checkTolerance*largest) {
			return &MismatchError{c.Name, table.Level, 0, i, v, want.weights[i], checkTolerance * largest}
		}
	}
	return nil
}
