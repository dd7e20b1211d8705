package space

import (
	"math"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
)

func newScope() layers.Scope { return layers.NewStore(1).Root() }

// smallCost is the cost of "conv3x3(16), skip, skip" for 28x28x1, worked out by hand.
var smallCost = Cost{
	MACs:            9*16*784 + 16*10,
	FLOPs:           2*9*16*784 + 2*16*784 + 16*784 + 16*784 + 2*16*10 + 10,
	Params:          9*16 + 2*16 + 16*10 + 10,
	ActivationBytes: 4 * (3*16*784 + 16 + 10 + 10),
}

func TestCostByHand(t *testing.T) {
	for _, c := range []struct {
		genome string
		task   Task
		want   Cost
	}{
		{"conv3x3(16), skip, skip", fashion, smallCost},
		{
			// 9x8: the pool gives 5x4, with 13 rows and 11 columns of taps; R pads the rows: 9
			// rows and 8 columns.
			"pool3x3(max), skip, fc(64)", Task{9, 8, 3, 2},
			Cost{
				MACs:            20*3*64 + 64*2,
				FLOPs:           3*(13*11-20) + 2*20*3*64 + 2*20*64 + 20*64 + 2*64*2 + 2,
				Params:          3*64 + 64 + 64*2 + 2,
				ActivationBytes: 4 * (20*3 + 3*20*64 + 64 + 2 + 2),
			},
		},
		{
			"skip, pool3x3(avg):concat, skip", Task{9, 8, 3, 2},
			Cost{
				MACs:            6 * 2,
				FLOPs:           3*13*11 + 3*9*8 + 20*6 + 2*6*2 + 2,
				Params:          6*2 + 2,
				ActivationBytes: 4 * (20*3 + 20*3 + 20*6 + 6 + 2 + 2),
			},
		},
		{
			// Two pools below z: the projection has stride 4.
			"pool3x3(avg), pool3x3(avg):skip, skip:add", Task{16, 16, 1, 2},
			Cost{
				MACs:            16 + 2,
				FLOPs:           23*23 + 11*11 + 2*16 + 2*16 + 16 + 16 + 16 + 2*2 + 2,
				Params:          1 + 2 + 2 + 2,
				ActivationBytes: 4 * (64 + 16 + 16 + 16 + 16 + 16 + 1 + 2 + 2),
			},
		},
	} {
		g := parse(t, c.genome)
		if got := g.facts(c.task).cost; got != c.want {
			t.Errorf("%s for %v: %+v, want %+v", c.genome, c.task, got, c.want)
		}
	}
}

// graph builds the inference graph of a genome for images of batch size n.
func graph(t testing.TB, s Space, task Task, g Genome, n int) (store *layers.Store, x, logits *autograd.Node) {
	t.Helper()
	store = layers.NewStore(1)
	m, err := s.Build(g, store.Root())
	if err != nil {
		t.Fatal(err)
	}
	err = autograd.Build(func() error {
		x = autograd.NewGraph().Input("images", n, task.Height, task.Width, task.Channels)
		logits = m.Forward(&layers.Pass{Graph: x.Graph()}, x)
		return nil
	})
	if err != nil {
		t.Fatalf("%v for %v: %v", g, task, err)
	}
	return store, x, logits
}

func TestCostIsThatOfTheBuiltGraph(t *testing.T) {
	for _, task := range tasks {
		s := newSpace(t, task, Constraints{})
		rng := stream.New(2, "cost test")
		for range 100 {
			g := randomChain(rng)
			store, _, logits := graph(t, s, task, g, 1)
			if shape := logits.Shape(); !shape.Equal([]int{1, task.Classes}) {
				t.Fatalf("%v for %v: logits are %v", g, task, shape)
			}
			cost, err := s.Cost(g)
			if err != nil {
				t.Fatal(err)
			}
			sum := autograd.Summarize(logits)
			built := Cost{FLOPs: sum.FLOPs, MACs: sum.MACs, Params: sum.Params, ActivationBytes: sum.ActivationBytes}
			if cost != built {
				t.Fatalf("%v for %v: cost %+v, built %+v", g, task, cost, built)
			}
			if cost.Params != int64(store.Elements()) {
				t.Fatalf("%v for %v: %d parameters, the store has %d", g, task, cost.Params, store.Elements())
			}
		}
	}
}

func TestParametersAreNamedByPath(t *testing.T) {
	s := newSpace(t, fashion, Constraints{})
	store, _, _ := graph(t, s, fashion, parse(t, "conv3x3(16), fc(64), conv5x5(32):skip"), 1)
	var names []string
	for _, p := range store.Trainable() {
		names = append(names, p.Name+" "+p.Value.Shape().String())
	}
	want := []string{
		"layers.0.conv.weight 3x3x1x16", "layers.0.norm.weight 16", "layers.0.norm.bias 16",
		"layers.1.fc.weight 16x64", "layers.1.fc.bias 64",
		"layers.2.conv.weight 5x5x64x32", "layers.2.norm.weight 32", "layers.2.norm.bias 32",
		"layers.2.project.conv.weight 1x1x16x32", "layers.2.project.norm.weight 32", "layers.2.project.norm.bias 32",
		"head.weight 32x10", "head.bias 10",
	}
	if !slices.Equal(names, want) {
		t.Errorf("parameters are\n%q, want\n%q", names, want)
	}
}

// TestBuiltNetworkComputesTheDefinition compares the logits with those of the plain reference.
func TestBuiltNetworkComputesTheDefinition(t *testing.T) {
	rng := stream.New(3, "build test")
	for _, task := range []Task{{9, 8, 2, 3}, {5, 7, 3, 2}, {17, 16, 1, 4}, {16, 16, 16, 2}} {
		s := newSpace(t, task, Constraints{})
		for range 12 {
			g := randomChain(rng)
			g.depth = min(g.depth, 5)
			clear(g.layers[g.depth:])
			for i := range g.layers[:g.depth] {
				// The reference is slow, and the number of channels matters little.
				if l := &g.layers[i]; l.op == conv3x3 || l.op == conv5x5 {
					l.param = 16
				} else if l.op == fc {
					l.param = 64
				}
			}
			store, x, logits := graph(t, s, task, g, 1)
			for _, p := range store.All() {
				for i := range p.Value.Data() {
					if v := &p.Value.Data()[i]; p.Kind == layers.Weight {
						*v += 0.01 * float32(rng.NormFloat64())
					} else {
						*v += 0.2 * rng.Float32()
					}
				}
			}
			program, err := autograd.Compile(autograd.Options{Outputs: []*autograd.Node{logits}})
			if err != nil {
				t.Fatal(err)
			}
			image := program.Tensor(x).Data()
			for i := range image {
				image[i] = float32(rng.NormFloat64())
			}
			want := reference(g, task).logits(image, store, task.Classes)
			program.Run(0)
			scale := 0.0
			for _, v := range want {
				scale = max(scale, math.Abs(v))
			}
			for k, got := range program.Tensor(logits).Data() {
				if d := math.Abs(float64(got) - want[k]); !(d <= 1e-4*(1+scale)) {
					t.Errorf("%v for %v: logit %d is %v, want %v", g, task, k, got, want[k])
				}
			}
		}
	}
}
