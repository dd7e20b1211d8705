package autograd

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A run may be ended at any of the places where it looks at its context, and the next run gives what it would have given.
func TestRunsEndInTheMiddleAndLeaveNothingBehind(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	build := func() (x, y *Node) {
		g := NewGraph()
		x = g.Input("x", 8, 12, 12, 4)
		w := tensor.New(3, 3, 4, 8)
		for i := range w.Data() {
			w.Data()[i] = float32(i%7) - 3
		}
		gamma, beta := g.Variable("gamma", tensor.Full(1, 8)), g.Variable("beta", tensor.New(8))
		mean, variance := g.Variable("mean", tensor.New(8)), g.Variable("var", tensor.Full(1, 8))
		h := Conv2D(x, g.Variable("w", w), ConvOptions{Padding: HW{1, 1}})
		return x, GlobalAvgPool(ReLU(BatchNorm(h, gamma, beta, mean, variance, BatchNormOptions{})))
	}
	for name, o := range map[string]Options{"threads": {Threads: threads}, "alone": {}, "frozen": {Frozen: true}, "unfused": {Unfused: true, Threads: threads}} {
		for _, label := range []bool{false, true} {
			var want []float32
			stopped := 0
			for asks := int64(0); ; asks++ {
				x, y := build()
				o.Outputs = []*Node{y}
				p, err := Compile(o)
				if err != nil {
					t.Fatal(err)
				}
				if label {
					p.Label()
				}
				for i := range p.Tensor(x).Data() {
					p.Tensor(x).Data()[i] = float32(i % 5)
				}
				if want == nil {
					p.Run(0)
					want = append(want, p.Tensor(y).Data()...)
					continue
				}
				ctx := &countdown{Context: t.Context()}
				ctx.left.Store(asks - 1)
				err = p.RunContext(ctx, 0)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				done := err == nil
				if done {
					if got := p.Tensor(y).Data(); !equalBits(got, want) {
						t.Errorf("%s: a run with a context gives %v, want %v", name, got, want)
					}
				} else {
					stopped++
				}
				p.Run(0)
				if got := p.Tensor(y).Data(); !equalBits(got, want) {
					t.Errorf("%s: after a run that ended at ask %d: %v, want %v", name, asks, got, want)
				}
				if done {
					break
				}
			}
			if stopped < 3 {
				t.Errorf("%s: the context was asked %d times", name, stopped)
			}
		}
	}
}

func equalBits(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestRunsWithAContextAllocateNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := NewGraph()
	x := g.Input("x", 4, 6, 6, 3)
	p := compile(t, ReLU(Scale(x, g.Variable("s", tensor.Full(2)))))
	if n := testing.AllocsPerRun(10, func() {
		if err := p.RunContext(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
