package autograd

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// fill writes the values of a case's input.
func fill(dst []float32, in CaseInput, rng *rand.Rand) {
	switch in.Kind {
	case Labels:
		for i := range dst {
			dst[i] = float32(rng.IntN(in.Classes))
		}
	case Spaced:
		for i, j := range rng.Perm(len(dst)) {
			dst[i] = 0.1*float32(j-len(dst)/2) + 0.05
		}
	default:
		for i := range dst {
			dst[i] = float32(rng.NormFloat64())
		}
	}
}

// instance is a case built into a graph: loss is the sum of the output's elements, each
// times a fixed random weight.
type instance struct {
	inputs     []*Node
	wrt        []*Node
	out, loss  *Node
	weights    *Node
	grads      []*Node
	forward    *Program
	both       *Program
	inputKinds []CaseInput
}

func newInstance(t *testing.T, c Case, o Options) *instance {
	t.Helper()
	g := NewGraph()
	in := &instance{inputKinds: c.Inputs}
	err := Build(func() error {
		for _, ci := range c.Inputs {
			in.inputs = append(in.inputs, g.Input("input", ci.Shape...))
		}
		in.out = c.Build(in.inputs)
		in.weights = g.Input("weights", in.out.Shape()...)
		in.loss = Sum(Mul(in.out, in.weights))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, ci := range c.Inputs {
		if ci.Kind != Labels && !ci.Fixed {
			in.wrt = append(in.wrt, in.inputs[i])
		}
	}
	in.grads, err = Grad(in.loss, in.wrt)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range in.grads {
		if g == nil {
			t.Fatalf("no gradient for input %d", i)
		}
	}
	o.Seed = 5
	o.Outputs = []*Node{in.out}
	if in.forward, err = Compile(o); err != nil {
		t.Fatal(err)
	}
	o.Outputs = append([]*Node{in.out, in.loss}, in.grads...)
	if in.both, err = Compile(o); err != nil {
		t.Fatal(err)
	}
	rng := stream.New(3, c.Name)
	for i, ci := range c.Inputs {
		fill(in.both.Tensor(in.inputs[i]).Data(), ci, rng)
		if v := in.forward.Tensor(in.inputs[i]); v != nil {
			v.CopyFrom(in.both.Tensor(in.inputs[i]))
		}
	}
	fill(in.both.Tensor(in.weights).Data(), CaseInput{}, rng)
	return in
}

// lossAt runs the forward program and adds up the loss in double precision, so that the differences below
// carry only the operation's own rounding.
func (in *instance) lossAt() float64 {
	in.forward.Run(7)
	var sum float64
	w := in.both.Tensor(in.weights).Data()
	for i, v := range in.forward.Tensor(in.out).Data() {
		sum += float64(v) * float64(w[i])
	}
	return sum
}

func eachCase(t *testing.T, f func(t *testing.T, c Case)) {
	for _, op := range catalogue {
		for _, c := range op.Cases() {
			t.Run(op.Name()+"/"+c.Name, func(t *testing.T) { f(t, c) })
		}
	}
}

// Every gradient agrees with central differences, coordinate by coordinate and along random
// directions. With step h = 1/64 the difference of a smooth function is off by h^2/6 of its third derivative,
// and rounding adds about eps*|loss|/h = 4e-6*|loss|; 2% of the largest slope covers both here.
func TestGradientsAgreeWithFiniteDifferences(t *testing.T) {
	const h = 1.0 / 64
	eachCase(t, func(t *testing.T, c Case) {
		in := newInstance(t, c, Options{})
		in.both.Run(7)
		for k, x := range in.wrt {
			grad := append([]float32(nil), in.both.Tensor(in.grads[k]).Data()...)
			v := in.forward.Tensor(x).Data()
			largest := 0.0
			for _, g := range grad {
				largest = math.Max(largest, math.Abs(float64(g)))
			}
			tolerance := 2e-2*largest + 1e-3
			for i := range v {
				old := v[i]
				v[i] = old + h
				up := in.lossAt()
				v[i] = old - h
				down := in.lossAt()
				v[i] = old
				if want := (up - down) / (2 * h); math.Abs(want-float64(grad[i])) > tolerance {
					t.Fatalf("input %d element %d: gradient %v, differences give %v (tolerance %.2g)", k, i, grad[i], want, tolerance)
				}
			}
			checkDirection(t, in, v, grad)
		}
	})
}

// checkDirection compares the slope along a random direction of unit length: all elements at once, where errors that
// are small everywhere would add up.
func checkDirection(t *testing.T, in *instance, v, grad []float32) {
	const h = 1.0 / 64
	rng := rand.New(rand.NewPCG(1, uint64(len(v))))
	d, norm := make([]float64, len(v)), 0.0
	for i := range d {
		d[i] = rng.NormFloat64()
		norm += d[i] * d[i]
	}
	old := append([]float32(nil), v...)
	shift := func(s float64) float64 {
		for i := range v {
			v[i] = old[i] + float32(s*d[i]/math.Sqrt(norm))
		}
		return in.lossAt()
	}
	want := (shift(h) - shift(-h)) / (2 * h)
	copy(v, old)
	var got, size float64
	for i, g := range grad {
		got += float64(g) * d[i] / math.Sqrt(norm)
		size += float64(g) * float64(g)
	}
	if math.Abs(got-want) > 1e-2*math.Sqrt(size)+1e-3 {
		t.Fatalf("along a random direction: gradient %v, differences give %v", got, want)
	}
}

// A program gives the same bits on any number of threads.
func TestThreadsDoNotChangeBits(t *testing.T) {
	threads := kernels.NewThreads(3)
	defer threads.Close()
	eachCase(t, func(t *testing.T, c Case) {
		one, many := newInstance(t, c, Options{}), newInstance(t, c, Options{Threads: threads})
		one.both.Run(7)
		many.both.Run(7)
		for i, g := range append([]*Node{one.out, one.loss}, one.grads...) {
			h := append([]*Node{many.out, many.loss}, many.grads...)[i]
			a, b := one.both.Tensor(g).Data(), many.both.Tensor(h).Data()
			for j := range a {
				if math.Float32bits(a[j]) != math.Float32bits(b[j]) {
					t.Fatalf("output %d element %d: %v on one thread, %v on three", i, j, a[j], b[j])
				}
			}
		}
	})
}

func TestRunAllocatesNothing(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	eachCase(t, func(t *testing.T, c Case) {
		in := newInstance(t, c, Options{Threads: threads})
		if n := testing.AllocsPerRun(3, func() { in.both.Run(1) }); n != 0 {
			t.Fatalf("%v allocations a run", n)
		}
	})
}

// Every operation's work is at least its traffic, and its MACs are half of its FLOPs at most.
func TestWorkIsConsistent(t *testing.T) {
	eachCase(t, func(t *testing.T, c Case) {
		in := newInstance(t, c, Options{})
		for _, n := range in.both.Nodes() {
			if n.Op() == nil {
				continue
			}
			w := n.Op().Work(shapesOf(n.in), n.Shape())
			if w.FLOPs < 0 || w.Bytes < 0 || w.MACs < 0 || 2*w.MACs > w.FLOPs {
				t.Errorf("%v: %+v", n, w)
			}
			if _, view := n.Op().(viewer); !view && n.Shape().Elements() > 0 && w.Bytes < 4*int64(n.Shape().Elements()) {
				t.Errorf("%v: %d bytes for an output of %v", n, w.Bytes, n.Shape())
			}
		}
	})
}

// large runs an operation over more elements than one part holds, against the same over one image at a time.
func TestPartitionedWorkAgreesWithOneImageAtATime(t *testing.T) {
	const images, side, c, k = 6, 40, 8, 16
	build := func(n int) (*Program, *Node, *Node, *Node, *Node) {
		g := NewGraph()
		x, w := g.Input("x", n, side, side, c), g.Input("w", 3, 3, c, k)
		y := ReLU(Conv2D(x, w, ConvOptions{Padding: Both(1)}))
		loss := Sum(Mul(y, y))
		grads, err := Grad(loss, []*Node{w, x})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(Options{Outputs: append(grads, loss)})
		if err != nil {
			t.Fatal(err)
		}
		return p, x, w, grads[0], grads[1]
	}
	rng := stream.New(1, "data")
	xs, ws := tensor.New(images, side, side, c), tensor.New(3, 3, c, k)
	fill(xs.Data(), CaseInput{}, rng)
	fill(ws.Data(), CaseInput{}, rng)
	p, x, w, dw, dx := build(images)
	p.Tensor(x).CopyFrom(xs)
	p.Tensor(w).CopyFrom(ws)
	p.Run(0)
	q, x1, w1, dw1, dx1 := build(1)
	sum := make([]float64, dw.Shape().Elements())
	for i := range images {
		copy(q.Tensor(x1).Data(), xs.Slice(i, i+1).Data())
		q.Tensor(w1).CopyFrom(ws)
		q.Run(0)
		for j, v := range q.Tensor(dw1).Data() {
			sum[j] += float64(v)
		}
		for j, v := range q.Tensor(dx1).Data() {
			if got := p.Tensor(dx).Slice(i, i+1).Data()[j]; math.Abs(float64(got-v)) > 1e-5*(1+math.Abs(float64(v))) {
				t.Fatalf("dx of image %d element %d: %v, alone %v", i, j, got, v)
			}
		}
	}
	for j, want := range sum {
		// eps times the square root of the number of terms, with room for their size.
		if got := float64(p.Tensor(dw).Data()[j]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
			t.Fatalf("dw element %d: %v, image by image %v", j, got, want)
		}
	}
}
