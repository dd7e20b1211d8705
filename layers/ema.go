package layers

import (
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers/safetensors"
)

// EMA keeps exponential moving averages of parameters, running statistics included. Networks with
// averaged weights are often more accurate than those of the last step (Polyak and
// Juditsky 1992).
type EMA struct {
	decay   float64
	params  []*Parameter
	average []safetensors.Tensor
	sweep   *sweep
	share   float32 // of the new value in the running update
	updates int
	swapped bool
}

// NewEMA starts averages at the parameters' present values. Decay is the share of the old average that one
// update keeps, in [0, 1). Early updates keep less, min(decay, (1+n)/(10+n)) after n of them, so that the
// first values are forgotten in short trainings too. A nil table is that of kernels.Active. The error is an [*OptionError] if the decay is out of its range or a parameter is nil.
func NewEMA(params []*Parameter, decay float64, table *kernels.Table, threads *kernels.Threads) (*EMA, error) {
	if !(decay >= 0 && decay < 1) {
		return nil, refuse("ema", "decay %g is not in [0, 1)", decay)
	}
	table, err := prepare("ema", params, table)
	if err != nil {
		return nil, err
	}
	e := &EMA{decay: decay, params: params, average: newState("ema", params)}
	for i, p := range params {
		copy(e.average[i].Value.Data(), p.Value.Data())
	}
	e.sweep = newSweep(parameterLengths(params), threads, func(_ int, c chunk) {
		a, w := e.average[c.tensor].Value.Data(), params[c.tensor].Value.Data()
		table.Lerp(a[c.lo:c.hi], w[c.lo:c.hi], e.share)
	})
	return e, nil
}

// Update moves the averages towards the parameters. It allocates nothing. It panics with a [*ConstructionError] between two calls of
// Swap, when averages and parameters have changed places.
func (e *EMA) Update() {
	if e.swapped {
		misuse("", "ema: update while the averages are swapped in")
	}
	n := float64(e.updates)
	e.share = float32(1 - min(e.decay, (1+n)/(10+n)))
	e.sweep.run()
	e.updates++
}

// Swap exchanges averages and parameters, so that every program over the parameters computes with
// the averages. A second call undoes the first.
func (e *EMA) Swap() {
	for i, p := range e.params {
		a, w := e.average[i].Value.Data(), p.Value.Data()
		for j := range a {
			a[j], w[j] = w[j], a[j]
		}
	}
	e.swapped = !e.swapped
}

// State returns the averages, named ema/parameter; the tensors share storage with e.
func (e *EMA) State() []safetensors.Tensor { return e.average }

// Updates returns the number of updates made.
func (e *EMA) Updates() int { return e.updates }

// SetUpdates sets that number, when State was filled from a checkpoint.
func (e *EMA) SetUpdates(n int) { e.updates = max(n, 0) }
