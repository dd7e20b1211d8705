package autograd

import (
	"math"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// TestProgramsInOneMemoryGiveTheSameBits runs all cases in one memory, which is filled with NaN before each run: nothing counts on
// what it finds there.
func TestProgramsInOneMemoryGiveTheSameBits(t *testing.T) {
	memory := &Memory{}
	for _, op := range Cases() {
		values := map[bool][]float32{}
		for _, shared := range []bool{false, true} {
			g := NewGraph()
			var in []*Node
			for _, i := range op.Inputs {
				in = append(in, g.Input("x", i.Shape...))
			}
			var y *Node
			if err := Build(func() error { y = op.Build(in); return nil }); err != nil {
				t.Fatal(err)
			}
			o := Options{Outputs: []*Node{y}}
			if shared {
				o.Memory = memory
			}
			p, err := Compile(o)
			if err != nil {
				t.Fatal(err)
			}
			for k, n := range in {
				if x := p.Tensor(n); x != nil {
					for j := range x.Data() {
						if x.Data()[j] = float32((j*7+k)%5) / 4; op.Inputs[k].Kind == Labels {
							x.Data()[j] = 0
						}
					}
				}
			}
			for _, b := range memory.blocks {
				for j := range b {
					b[j] = float32(math.NaN())
				}
			}
			p.Run(1)
			values[shared] = append([]float32(nil), p.Tensor(y).Data()...)
		}
		for i, v := range values[false] {
			if w := values[true][i]; v != w && !(v != v && w != w) {
				t.Fatalf("%s: element %d is %g, in shared memory %g", op.Name, i, v, w)
			}
		}
	}
}

func TestMemoryGrowsAFewTimes(t *testing.T) {
	memory := &Memory{}
	grown := 0
	for n := 100; n < 1000; n += 10 {
		g := NewGraph()
		x := g.Input("x", n)
		before := memory.Bytes()
		p, err := Compile(Options{Outputs: []*Node{Mul(x, x)}, Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		if memory.Bytes() > before {
			grown++
		}
		if memory.Bytes() < p.ArenaBytes() {
			t.Fatalf("%d bytes for an arena of %d", memory.Bytes(), p.ArenaBytes())
		}
	}
	if grown < 2 || grown > 15 {
		t.Errorf("grown %d times", grown)
	}
}

// Programs that share memory and run in turns give the values that they give alone.
func TestProgramsThatTakeTurnsInOneMemory(t *testing.T) {
	var memory Memory
	type pair struct {
		alone, shared *Program
		seed          uint64
		outputs       [2][]*Node
	}
	var pairs []pair
	for seed := range uint64(20) {
		p := pair{seed: seed}
		for i, o := range []Options{{}, {Memory: &memory}} {
			outputs, x := lossAndGradients(t, seed, 2+int(seed%5))
			o.Outputs = outputs
			program, err := Compile(o)
			if err != nil {
				t.Fatal(err)
			}
			if in := program.Tensor(x); in != nil {
				fill(in.Data(), CaseInput{}, stream.New(seed, "images"))
			}
			p.outputs[i] = outputs
			if i == 0 {
				p.alone = program
			} else {
				p.shared = program
			}
		}
		pairs = append(pairs, p)
	}
	for step := range uint64(3) {
		for _, p := range pairs {
			p.alone.Run(step)
			p.shared.Run(step)
			for i, n := range p.outputs[0] {
				if !slices.Equal(p.alone.Tensor(n).Data(), p.shared.Tensor(p.outputs[1][i]).Data()) {
					t.Fatalf("seed %d, step %d: output %d differs", p.seed, step, i)
				}
			}
		}
	}
}

// What a frozen program computes once is spoilt by others in the same memory, and Refresh brings it back.
func TestFrozenProgramsShareMemoryIfTheyAreRefreshed(t *testing.T) {
	g := NewGraph()
	rng := stream.New(1, "frozen")
	input := func(f *tensor.Tensor) *tensor.Tensor { fill(f.Data(), CaseInput{}, rng); return f }
	x := g.Input("x", 4, 8, 8, 16)
	w := g.Variable("w", input(tensor.New(3, 3, 16, 16)))
	ones := input(tensor.New(16))
	variance := tensor.New(16)
	for i := range variance.Data() {
		variance.Data()[i] = 0.5 + rng.Float32()
	}
	norm := BatchNorm(Conv2D(x, w, ConvOptions{Padding: Both(1)}), g.Variable("gamma", ones), g.Variable("beta", ones), g.Variable("mean", ones), g.Variable("variance", variance), BatchNormOptions{})
	y := ReLU(norm)
	var memory Memory
	frozen := compileWith(t, Options{Outputs: []*Node{y}, Memory: &memory, Frozen: true})
	alone := compileWith(t, Options{Outputs: []*Node{y}, Frozen: true})
	h := NewGraph()
	z := h.Input("z", 4096)
	other := compileWith(t, Options{Outputs: []*Node{ReLU(z)}, Memory: &memory})
	images := input(tensor.New(4, 8, 8, 16)).Data()
	copy(frozen.Tensor(x).Data(), images)
	copy(alone.Tensor(x).Data(), images)
	for step := range uint64(3) {
		input(other.Tensor(z))
		other.Run(step)
		frozen.Refresh()
		for range 2 {
			frozen.Run(step)
			alone.Run(step)
			if !slices.Equal(frozen.Tensor(y).Data(), alone.Tensor(y).Data()) {
				t.Fatalf("step %d: the values differ", step)
			}
		}
	}
}

func compileWith(t *testing.T, o Options) *Program {
	t.Helper()
	p, err := Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
