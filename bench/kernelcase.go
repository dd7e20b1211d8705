package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
)

// KernelCase is one operation of given shape and direction to measure. It runs as a program of that operation alone, so that its
// work is divided among threads as in a network.
type KernelCase struct {
	Name string // GEMM/64x64x64/fwd

	// build adds the operation to a graph and returns what it computes and what it reads.
	build func(g *autograd.Graph) (outputs, inputs []*autograd.Node, err error)
	// terms is the number of products that an element of the outputs sums up at most; 0 if the operation is no product of two inputs.
	terms int
	// positive inputs are filled with numbers from 0.5 to 1.5.
	positive bool
	work     *autograd.Work // if it is not that of the program
	// backward leaves out of the measurement, but for the check, what a gradient needs of the forward pass.
	backward bool
	update   *update // measured instead of an operation, or nil
	kept     int64   // bytes that build makes itself
}

// kernelProgram is a case made ready to run.
type kernelProgram struct {
	*autograd.Program
	outputs, inputs []*autograd.Node
}

// compile makes the case ready to run beside others that are as large, so many with this one, within the memory that there is.
func (c KernelCase) compile(table *kernels.Table, threads *kernels.Threads, programs int64) (*kernelProgram, error) {
	room := int64(0) // not known
	if most := machine.Plannable(); most > 0 {
		if room = most/programs - c.kept; room < 1 {
			return nil, fmt.Errorf("bench: %s: %w", c.Name, &autograd.MemoryError{What: "the operation", Need: programs * c.kept, Limit: most})
		}
	}
	g := autograd.NewGraph()
	k := &kernelProgram{}
	err := autograd.Build(func() (err error) {
		k.outputs, k.inputs, err = c.build(g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", c.Name, err)
	}
	k.Program, err = autograd.Compile(autograd.Options{Outputs: k.outputs, Threads: threads, Table: table, MaxBytes: room})
	if short, ok := errors.AsType[*autograd.MemoryError](err); ok && programs > 1 {
		err = &autograd.MemoryError{What: "the operation, beside what it is compared with,", Need: programs * (short.Need + c.kept), Limit: programs * (short.Limit + c.kept)}
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", c.Name, err)
	}
	return k, nil
}

// fill gives the inputs the numbers that f makes of random ones.
func (k *kernelProgram) fill(f func(*rand.Rand) float32) {
	for i, n := range k.inputs {
		rng := stream.New(uint64(i), "bench input")
		if t := k.Tensor(n); t != nil {
			for j := range t.Data() {
				t.Data()[j] = f(rng)
			}
		}
	}
}

func (c KernelCase) random(rng *rand.Rand) float32 {
	if c.positive {
		return 0.5 + rng.Float32()
	}
	return float32(rng.NormFloat64())
}

// MismatchError says that a kernel's result is not that of the generic one.
type MismatchError struct {
	Case            string
	Level           kernels.Level
	Output, Element int
	Got, Want       float32
	Tolerance       float64
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("bench: %s at level %v: output %d, element %d is %v, want %v within %.2g", e.Case, e.Level, e.Output, e.Element, e.Got, e.Want, e.Tolerance)
}

// Relative tolerance of operations that are no products: a few roundings of float32, and of exponentials, of the largest element.
const checkTolerance = 1e-5

// sigmas bounds how far rounding errors go that add up like a random walk. Sums of n products err by at most sigmas * sqrt(n)
// * 2^-24 times the sum of the products' magnitudes with a probability next to 1 (Higham and Mary 2019, theorem 2.4).
const sigmas = 8

// Check runs the case and compares with the generic level. The tolerance of a sum of n products is twice
// 8*sqrt(n)*2^-24 times the sum of their magnitudes, because both sides round; that of other operations 1e-5 of the largest element. The error is
// a *[MismatchError] if the results differ.
func (c KernelCase) Check(table *kernels.Table, threads *kernels.Threads) error {
	oracle, err := kernels.ForLevel(kernels.Generic)
	if err != nil {
		return err
	}
	if c.update != nil {
		return c.checkUpdate(table, oracle, threads)
	}
	programs := int64(2)
	if c.terms > 0 {
		programs = 3
	}
	got, err := c.compile(table, threads, programs)
	if err != nil {
		return err
	}
	want, err := c.compile(oracle, threads, programs)
	if err != nil {
		return err
	}
	for _, k := range []*kernelProgram{got, want} {
		k.fill(c.random)
		k.Run(0)
	}
	var magnitudes *kernelProgram
	if c.terms > 0 {
		if magnitudes, err = c.compile(oracle, threads, programs); err != nil {
			return err
		}
		magnitudes.fill(func(rng *rand.Rand) float32 { return float32(math.Abs(float64(c.random(rng)))) })
		magnitudes.Run(0)
	}
	for o, n := range got.outputs {
		g, w := got.Tensor(n).Data(), want.Tensor(want.outputs[o]).Data()
		largest := 0.0
		for _, v := range w {
			largest = max(largest, math.Abs(float64(v)))
		}
		tolerance := checkTolerance * largest
		for i := range g {
			if c.terms > 0 {
				tolerance = 2 * sigmas * math.Sqrt(float64(c.terms)) * 0x1p-24 * float64(magnitudes.Tensor(magnitudes.outputs[o]).Data()[i])
			}
			if d := math.Abs(float64(g[i]) - float64(w[i])); !(d <= tolerance) {
				return &MismatchError{c.Name, table.Level, o, i, g[i], w[i], tolerance}
			}
		}
	}
	return nil
}

// Rates are what results are shares of.
type Rates struct{ Peak, Copy float64 } // FLOPs and bytes a second

// Measure runs the case for about the given time, after a tenth of it that does not count.
func (c KernelCase) Measure(ctx context.Context, table *kernels.Table, threads *kernels.Threads, length time.Duration, of Rates) (Result, error) {
	run, work, err := c.ready(table, threads)
	if err != nil {
		return Result{}, err
	}
	// Runs are timed in groups, so that the clock costs nothing.
	group := 1
	for start := time.Now(); time.Since(start) < length/10 || group == 1; {
		if took := run(group); took > length/100 || took > 10*time.Millisecond {
			break
		}
		group *= 2
	}
	runs, spent := 0, time.Duration(0)
	for start := time.Now(); runs == 0 || time.Since(start) < length; {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		spent += run(group)
		runs += group
	}
	nanoseconds := float64(spent.Nanoseconds()) / float64(runs)
	flops, bytes := float64(work.FLOPs)/nanoseconds, float64(work.Bytes)/nanoseconds
	return Result{
		Name: fmt.Sprintf("%s/threads=%d/level=%v", c.Name, threads.Count(), table.Level), Iterations: runs, Nanoseconds: nanoseconds,
		Metrics: []Metric{{"GFLOP/s", flops}, {"GB/s", bytes}, {"%peak", 1e11 * flops / of.Peak}, {"%copy", 1e11 * bytes / of.Copy}},
	}, nil
}

// ready returns a function that runs the case a number of times and returns how long that took, and the work of one run.
func (c KernelCase) ready(table *kernels.Table, threads *kernels.Threads) (run func(runs int) time.Duration, work autograd.Work, err error) {
	if c.update != nil {
		u, err := c.update.ready(table, threads, 1)
		if err != nil {
			return nil, work, err
		}
		return u.run, c.update.work(), nil
	}
	k, err := c.compile(table, threads, 1)
	if err != nil {
		return nil, work, err
	}
	k.fill(c.random)
	switch {
	case c.work != nil:
		work = *c.work
	case c.backward:
		work = k.backwardWork()
	default:
		work = k.Work()
	}
	return k.timer(c.backward), work, nil
}

// timer returns a function that runs the program a number of times and returns how long that took, or how long the steps of the backward
// pass among it took.
func (k *kernelProgram) timer(backward bool) func(runs int) time.Duration {
	if !backward {
		return func(runs int) time.Duration {
			before := time.Now()
			for range runs {
				k.Run(0)
			}
			return time.Since(before)
		}
	}
	steps := k.Steps()
	times := make([]time.Duration, len(steps))
	return func(runs int) (sum time.Duration) {
		clear(times)
		for range runs {
			k.RunTimed(0, times)
		}
		for i, n := range steps {
			if n.Backward() {
				sum += times[i]
			}
		}
		return sum
	}
}

// backwardWork returns the work of the steps that timer counts.
func (k *kernelProgram) backwardWork() (sum autograd.Work) {
	var last *autograd.Node
	for _, n := range k.Steps() { // the steps of a node follow one another
		if n != last && n.Backward() {
			w := n.Work()
			sum.FLOPs, sum.MACs, sum.Bytes = sum.FLOPs+w.FLOPs, sum.MACs+w.MACs, sum.Bytes+w.Bytes
		}
		last = n
	}
	return sum
}
