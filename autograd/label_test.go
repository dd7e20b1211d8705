package autograd

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// TestLabelsAreClassIndices: a label that is none ends the run with an error that names it, at every level, with the loss and with the gradient alone.
func TestLabelsAreClassIndices(t *testing.T) {
	threads := kernels.NewThreads(3)
	defer threads.Close()
	for _, level := range kernels.Available() {
		table, err := kernels.ForLevel(level)
		if err != nil {
			t.Fatal(err)
		}
		g := NewGraph()
		logits, labels := g.Input("logits", 600, 10), g.Input("labels", 600)
		loss := CrossEntropy(logits, labels, 0)
		grads, err := Grad(loss, []*Node{logits})
		if err != nil {
			t.Fatal(err)
		}
		for what, output := range map[string]*Node{"loss": loss, "gradient": grads[0]} {
			for _, o := range []Options{{Threads: threads}, {Unfused: true}} {
				o.Table, o.Outputs = table, []*Node{output}
				p, err := Compile(o)
				if err != nil {
					t.Fatal(err)
				}
				run := func() error { return Build(func() error { p.Run(0); return nil }) }
				for _, bad := range []float32{1.5, -1, 10, 9.5, -0.25, 1e30, nan32(), inf32(), -inf32()} {
					clear(p.Tensor(labels).Data())
					p.Tensor(labels).Data()[577] = bad
					err := run()
					if other := p.RunContext(t.Context(), 0); fmt.Sprint(other) != fmt.Sprint(err) {
						t.Errorf("RunContext returns %v, not %v", other, err)
					}
					var label *LabelError
					if !errors.As(err, &label) || label.Sample != 577 || math.Float32bits(label.Value) != math.Float32bits(bad) || label.Classes != 10 {
						t.Fatalf("%v: %s with label %g: %v", level, what, bad, err)
					}
					if want := "label 577 of the batch"; !strings.Contains(err.Error(), want) {
						t.Fatalf("%q does not name the sample", err)
					}
				}
				p.Tensor(labels).Data()[577] = 9
				if err := run(); err != nil { // the program is as good as before
					t.Fatal(err)
				}
				ctx := t.Context()
				if allocs := testing.AllocsPerRun(3, func() { p.Run(0); _ = p.RunContext(ctx, 0) }); allocs != 0 {
					t.Errorf("%v allocations in a run", allocs)
				}
			}
		}
	}
	if err := CheckLabels([]float32{0, 9, 3}, 10); err != nil {
		t.Error(err)
	}
}

func nan32() float32 { return float32(math.NaN()) }
func inf32() float32 { return float32(math.Inf(1)) }

// TestUnfusedGivesTheSameValuesUpToRounding holds what Options.Unfused says: each way gives its own bits in every run, and they agree up to rounding.
func TestUnfusedGivesTheSameValuesUpToRounding(t *testing.T) {
	run := func(unfused bool) []float32 {
		g := NewGraph()
		x, w := g.Input("x", 32, 12, 12, 3), g.Input("w", 3, 3, 3, 16)
		gamma, beta := g.Variable("gamma", tensor.Full(1, 16)), g.Variable("beta", tensor.New(16))
		y := BatchNorm(Conv2D(x, w, ConvOptions{Padding: Both(1)}), gamma, beta, g.Variable("mean", tensor.New(16)), g.Variable("variance", tensor.Full(1, 16)),
			BatchNormOptions{Training: true})
		loss := Mean(Mul(ReLU(y), y))
		grads, err := Grad(loss, []*Node{w, gamma})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(Options{Outputs: append(grads, loss), Unfused: unfused})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []*Node{x, w} {
			fill(p.Tensor(n).Data(), CaseInput{}, stream.New(3, "unfused", uint64(i)))
		}
		p.Run(0)
		var all []float32
		for _, n := range append(grads, loss) {
			all = append(all, p.Tensor(n).Data()...)
		}
		return all
	}
	fused, unfused := run(false), run(true)
	for i, again := range [][]float32{run(false), run(true)} {
		for j, v := range again {
			if want := [][]float32{fused, unfused}[i][j]; v != want {
				t.Fatalf("element %d is %v in one run and %v in another", j, want, v)
			}
		}
	}
	largest := 0.0
	for _, v := range unfused {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range fused {
		if d := math.Abs(float64(v - unfused[i])); !(d <= 1e-5*largest) {
			t.Errorf("element %d is %v fused and %v not", i, v, unfused[i])
		}
	}
}
