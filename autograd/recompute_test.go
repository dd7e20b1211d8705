package autograd

import (
	"errors"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Random graphs with their gradients give the same bits when values are computed again in the backward pass, on any number of threads; a bound
// is kept or the refusal says what is needed.
func TestRecomputationInRandomGraphs(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	fitted := 0
	for seed := range uint64(150) {
		images := 4 + int(seed%5)
		for _, alone := range []bool{true, false} {
			p, want := runRandom(t, Options{rules: smallRules(alone)}, seed, images)
			planned := func(p *Program) int64 { return p.ArenaBytes() + inputBytes(p.schedule) + p.ScratchBytes() }
			full := planned(p)
			outputs, _ := lossAndGradients(t, seed, images)
			_, err := build(Options{Outputs: outputs, rules: smallRules(alone), MaxBytes: 1}, p.ScratchBytes())
			var refused *MemoryError
			if !errors.As(err, &refused) || refused.Need > full {
				t.Fatalf("seed %d: a bound of one byte: %v", seed, err)
			}
			if refused.Need == full {
				continue
			}
			fitted++
			for _, o := range []Options{{MaxBytes: refused.Need}, {MaxBytes: full - 1 + p.ScratchBytes(), Threads: threads}} {
				o.rules = smallRules(alone)
				q, got := runRandom(t, o, seed, images)
				if need := planned(q); need > o.MaxBytes || o.MaxBytes == refused.Need && need != refused.Need {
					t.Errorf("seed %d: %d bytes, allowed %d", seed, need, o.MaxBytes)
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("seed %d: value %d differs when %d bytes are allowed instead of %d", seed, i, o.MaxBytes, full)
					}
				}
			}
		}
	}
	if fitted < 50 {
		t.Errorf("%d programs could be made smaller: the test sees too little", fitted)
	}
}

// A network of normalised convolutions takes far less memory with its normalisations computed again, and a concatenation of them too.
func TestRecomputationOfNormalisations(t *testing.T) {
	run := func(most int64) (*Program, []float32, error) {
		g := NewGraph()
		rng := stream.New(1, "recompute")
		var params []*Node
		variable := func(dims ...int) *Node {
			v := tensor.New(dims...)
			fill(v.Data(), CaseInput{}, rng)
			params = append(params, g.Variable("w", v))
			return params[len(params)-1]
		}
		x := g.Input("x", 16, 12, 12, 8)
		norm := func(x *Node) *Node {
			return BatchNorm(x, variable(8), variable(8), g.Variable("mean", tensor.New(8)), g.Variable("var", tensor.New(8)), BatchNormOptions{Training: true})
		}
		y := x
		for range 6 {
			a := ReLU(norm(Conv2D(y, variable(3, 3, 8, 8), ConvOptions{Padding: Both(1)})))
			b := ReLU(norm(Conv2D(y, variable(1, 1, 8, 8), ConvOptions{})))
			y = Conv2D(Concat(a, b), variable(1, 1, 16, 8), ConvOptions{})
		}
		loss := Mean(Mul(y, y))
		grads, err := Grad(loss, params)
		if err != nil {
			t.Fatal(err)
		}
		outputs := append(grads, loss)
		p, err := Compile(Options{Outputs: outputs, MaxBytes: most})
		if err != nil {
			return nil, nil, err
		}
		fill(p.Tensor(x).Data(), CaseInput{}, stream.New(2, "images"))
		p.Run(0)
		var values []float32
		for _, n := range outputs {
			values = append(values, p.Tensor(n).Data()...)
		}
		return p, values, nil
	}
	plain, want, err := run(0)
	if err != nil {
		t.Fatal(err)
	}
	full := plain.ArenaBytes() + inputBytes(plain.schedule)
	small, got, err := run(full * 3 / 4)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("recomputation changes the values")
	}
	if a, b := small.Work().FLOPs, plain.Work().FLOPs; a <= b {
		t.Errorf("%d FLOPs with recomputation, %d without", a, b)
	}
	_, _, err = run(full / 10)
	var refused *MemoryError
	if !errors.As(err, &refused) || refused.Need >= full*3/4 {
		t.Errorf("of %d bytes: %v", full, err)
	}
}
