package autograd

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime/pprof"
	"slices"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// profiledProgram is a convolution, a ReLU and a linear layer with their gradients.
func profiledProgram(t *testing.T, threads *kernels.Threads) (*Program, *Node, []*Node) {
	t.Helper()
	g := NewGraph()
	x := g.Input("x", 4, 16, 16, 3)
	w := g.Variable("stem.conv.weight", tensor.New(3, 3, 3, 8))
	v := g.Variable("head.weight", tensor.New(8, 5))
	y := ReLU(Conv2D(x, w, ConvOptions{Padding: Both(1)}))
	loss := Sum(Linear(GlobalAvgPool(y), v))
	grads, err := Grad(loss, []*Node{w, v})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(Options{Outputs: append(grads, loss), Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	return p, loss, grads
}

func TestPathAndDirection(t *testing.T) {
	p, loss, grads := profiledProgram(t, nil)
	type place struct {
		op, path string
		backward bool
	}
	var got []place
	for _, n := range p.Nodes() {
		if n.Op() != nil {
			got = append(got, place{n.Name(), n.Path(), n.Backward()})
		}
	}
	for _, want := range []place{
		{"conv2d_relu", "stem.conv", false},
		{"linear", "head", false},
		{"relu_grad", "stem.conv", true},
		{"conv2d_backward_weights", "stem.conv", true},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %+v among %+v", want, got)
		}
	}
	if loss.Path() != "head" || grads[0].Path() != "stem.conv" || grads[1].Path() != "head" {
		t.Errorf("paths %q, %q, %q", loss.Path(), grads[0].Path(), grads[1].Path())
	}
	if in := NewGraph().Input("x", 1); in.Path() != "" {
		t.Errorf("an input has the path %q", in.Path())
	}
}

func TestRunTimed(t *testing.T) {
	p, loss, _ := profiledProgram(t, nil)
	p.Run(3)
	want := p.Tensor(loss).Data()[0]
	p.Tensor(loss).Data()[0] = -1
	times := make([]time.Duration, len(p.Steps()))
	start := time.Now()
	for range 3 {
		p.RunTimed(3, times)
	}
	whole, sum := time.Since(start), time.Duration(0)
	for i, d := range times {
		if d < 0 {
			t.Errorf("step %d (%v) took %v", i, p.Steps()[i], d)
		}
		sum += d
	}
	if sum <= 0 || sum > whole {
		t.Errorf("the steps took %v of %v", sum, whole)
	}
	if got := p.Tensor(loss).Data()[0]; got != want {
		t.Errorf("loss %v, want %v", got, want)
	}
}

func TestLiveBytes(t *testing.T) {
	p, _, _ := profiledProgram(t, nil)
	live := p.LiveBytes()
	if len(live) != len(p.Nodes()) {
		t.Fatalf("%d figures for %d nodes", len(live), len(p.Nodes()))
	}
	if peak := slices.Max(live); peak > p.ArenaBytes() || peak < p.ArenaBytes()/2 {
		t.Errorf("%d bytes live of %d planned", peak, p.ArenaBytes())
	}
}

func TestLabelsReachProfiles(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	p, _, _ := profiledProgram(t, threads)
	p.Label()
	if n := testing.AllocsPerRun(10, func() { p.Run(0) }); n != 0 {
		t.Errorf("a labelled run allocates %v times", n)
	}
	// A sample comes every 10 ms of CPU time, which a busy machine may give slowly.
	var missing []string
	for length := 200 * time.Millisecond; length < 10*time.Second; length *= 2 {
		raw := cpuProfile(t, length, func() { p.Run(0) })
		missing = nil
		for _, want := range []string{"stem.conv", "conv2d_backward_weights", "backward"} {
			if !bytes.Contains(raw, []byte(want)) {
				missing = append(missing, want)
			}
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Errorf("the profile does not mention %q", missing)
}

// cpuProfile returns the uncompressed CPU profile of calls of f for some time.
func cpuProfile(t *testing.T, length time.Duration, f func()) []byte {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		t.Skip("another CPU profile is being taken: ", err)
	}
	for start := time.Now(); time.Since(start) < length; {
		f()
	}
	pprof.StopCPUProfile()
	z, err := gzip.NewReader(&profile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
