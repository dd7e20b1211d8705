package oneshot

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// weights returns copies of all parameters and velocities.
func weights(n *Supernet) map[string][]float32 {
	out := map[string][]float32{}
	for _, p := range n.store.All() {
		out[p.Name] = append([]float32(nil), p.Value.Data()...)
		out[velocityPrefix+p.Name] = append([]float32(nil), n.update.of(p).velocity.Data()...)
	}
	return out
}

// TestAStepChangesWhatItsPathUses trains one path, then another beside it, and looks at every number of the store.
func TestAStepChangesWhatItsPathUses(t *testing.T) {
	o := small(t, "chain")
	o.WeightDecay = 0.1 // would show in what is not used
	n := mustSupernet(t, o)
	parse := func(text string) space.Genome {
		g, err := o.Space.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	// The second layer of wide has 48 inputs, that of narrow 16.
	wide := parse("conv3x3(32), skip:concat, conv3x3(16), fc(64)")
	narrow := parse("conv3x3(16), skip, conv3x3(16), fc(64):add")
	batch, labels := make([]float32, n.shape.Elements()), make([]float32, n.shape[0])
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range batch {
		batch[i] = float32(rng.NormFloat64())
	}
	learn := func(g space.Genome) {
		if _, err := n.learn(t.Context(), g, 0, batch, labels); err != nil {
			t.Fatal(err)
		}
		n.update.apply(0.1)
	}
	for range 2 {
		learn(wide)
		learn(narrow)
	}
	before := weights(n)
	learn(narrow)
	after := weights(n)
	used := map[string]bool{}
	for name, old := range before {
		now := after[name]
		shape := n.store.Lookup(strings.TrimPrefix(name, velocityPrefix)).Value.Shape()
		// How many input and output channels narrow uses.
		in, out := shape[max(len(shape)-2, 0)], shape[len(shape)-1]
		switch plain := strings.TrimPrefix(name, velocityPrefix); {
		case strings.HasPrefix(plain, "layers.0.conv3x3"):
			out = 16
		case plain == "layers.2.conv3x3.conv.weight":
			in = 16
			if want := (tensor.Shape{3, 3, 64, 16}); !shape.Equal(want) {
				t.Fatalf("%s is %v, want %v: 32 channels twice", plain, shape, want)
			}
		case strings.HasPrefix(plain, "layers.4"):
			in = 0
		}
		for i := range now {
			inside := i%shape[len(shape)-1] < out
			if len(shape) > 1 {
				inside = inside && i/shape[len(shape)-1]%shape[len(shape)-2] < in
			}
			if !inside && now[i] != old[i] {
				t.Fatalf("%s: element %d changes from %g to %g", name, i, old[i], now[i])
			}
			if inside && len(shape) == 4 && now[i] == old[i] {
				t.Fatalf("%s: element %d stays %g", name, i, now[i])
			}
			used[name] = used[name] || now[i] != old[i]
		}
	}
	for _, name := range []string{"layers.0.conv3x3.conv.weight", "layers.3.fc.fc.weight", "head.weight", velocityPrefix + "head.weight"} {
		if !used[name] {
			t.Errorf("%s does not change; there are %d parameters", name, len(before))
		}
	}
}

// TestGradientsOfAPathAreThoseOfItsNetwork compares the loss and all gradients of a path with those of the network of the same
// genome with copied weights.
func TestGradientsOfAPathAreThoseOfItsNetwork(t *testing.T) {
	for _, name := range spaces {
		o := small(t, name)
		n := mustSupernet(t, o)
		var g space.Genome
		var p *program
		for i := range 3 { // so that parameters are blocks of larger ones
			var err error
			if g, err = n.SamplePath(stream.New(4, "test", uint64(i))); err != nil {
				t.Fatal(err)
			}
			if p, err = n.teach(g); err != nil {
				t.Fatal(err)
			}
		}
		rng := rand.New(rand.NewPCG(5, 6))
		for i := range p.images {
			p.images[i] = float32(rng.NormFloat64())
		}
		p.Run(0)
		norm := p.norm.Compute()

		store := layers.NewStore(1)
		module, err := o.Space.Build(g, store.Root())
		if err != nil {
			t.Fatal(err)
		}
		trainable := store.Trainable()
		if len(trainable) != len(p.weights) {
			t.Fatalf("%s: %v: %d parameters, its network has %d", name, g, len(p.weights), len(trainable))
		}
		pair := map[*layers.Parameter]weight{}
		byShape := append([]weight(nil), p.weights...)
		for _, q := range trainable { // both are built in one order, but asked for in another
			found := false
			for i, w := range byShape {
				if strings.HasSuffix(w.parameter.Name, lastNames(q.Name)) && w.gradient.Shape().Equal(q.Value.Shape()) && samePlace(w.parameter.Name, q.Name) {
					layers.CopyBlock(q.Value, w.value, q.Value.Shape())
					pair[q] = w
					byShape = append(byShape[:i], byShape[i+1:]...)
					found = true
					break
				}
			}
			if !found {
				t.Fatalf("%s: %v: no weight of the path is %s", name, g, q.Name)
			}
		}
		trainer, err := layers.NewTrainer(module, store, layers.TrainerOptions{
			Input: n.shape, Classes: task.Classes, Optimizer: layers.SGD{}, Schedule: layers.ConstantRate(1), Steps: 1, ClipNorm: 1e9,
		})
		if err != nil {
			t.Fatal(err)
		}
		copy(trainer.Images(), p.images)
		copy(trainer.Labels(), p.labels)
		loss, err := trainer.Step()
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss-float64(p.loss[0])) > 1e-5*math.Abs(loss) || norm == 0 {
			t.Errorf("%s: %v: loss %g and norm %g, alone %g", name, g, p.loss[0], norm, loss)
		}
		for q, w := range pair { // a step of rate 1 without momentum takes off the gradient
			old := tensor.New(q.Value.Shape()...)
			layers.CopyBlock(old, w.value, q.Value.Shape())
			for i, v := range q.Value.Data() {
				got, want := float64(w.gradient.Data()[i]), float64(old.Data()[i]-v)
				if math.Abs(got-want) > 1e-4*norm+1e-6 {
					t.Fatalf("%s: %v: gradient %d of %s is %g, alone %g", name, g, i, q.Name, got, want)
				}
			}
		}
	}
}

// lastNames returns the last two names of a path, which say what a parameter is.
func lastNames(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts[max(len(parts)-2, 0):], ".")
}

// samePlace reports whether the names of one path stand, in their order, in that of a choice.
func samePlace(choice, plain string) bool {
	rest := strings.Split(choice, ".")
	for _, part := range strings.Split(plain, ".") {
		if strings.HasPrefix(part, "edge") && strings.Contains(choice, "from") {
			continue // darts: the state instead of the edge
		}
		for len(rest) > 0 && rest[0] != part {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return false
		}
		rest = rest[1:]
	}
	return true
}

// TestStrictGroupsAreFair counts how often each weight is trained.
func TestStrictGroupsAreFair(t *testing.T) {
	for _, name := range []string{"macro", "nb201"} {
		o := small(t, name)
		o.Sampling = Strict
		n := mustSupernet(t, o)
		paths, drawn, err := n.SampleGroup(stream.New(1, "test"))
		if err != nil || len(paths) != drawn {
			t.Fatalf("%s: %d of %d paths, %v", name, len(paths), drawn, err)
		}
		uses := map[string]int{}
		for _, g := range paths {
			p, err := n.teach(g)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range p.weights {
				uses[w.parameter.Name]++
			}
		}
		chosen := 0
		for name, count := range uses {
			want := drawn
			for _, op := range []string{"nor_conv", "block", "identity"} {
				if strings.Contains(name, op) {
					want = 1
					chosen++
				}
			}
			if count != want {
				t.Errorf("%s is trained %d times in a step, want %d", name, count, want)
			}
		}
		if chosen < 12 {
			t.Errorf("%s: %d weights of choices", name, chosen)
		}
	}
}

func TestCacheFindsPathsAgainUntilTheyMove(t *testing.T) {
	o := small(t, "chain")
	n := mustSupernet(t, o)
	teach := func(text string) *program {
		g, err := o.Space.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := n.teach(g)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	teach("conv3x3(64), conv5x5(64), conv5x5(64), conv5x5(64)") // the arena is large enough from here on
	narrow := teach("skip, conv3x3(16), skip")
	if teach("skip, conv3x3(16), skip") != narrow {
		t.Error("the same path is compiled again")
	}
	wide := teach("conv3x3(32), conv3x3(16), skip") // its second layer has the weight of narrow with more inputs
	if again := teach("skip, conv3x3(16), skip"); again == narrow {
		t.Error("a path is used after its weight has moved")
	}
	if teach("conv3x3(32), conv3x3(16), skip") != wide {
		t.Error("a path that did not move is compiled again")
	}
	n.cache.limit = n.cache.bytes - 1
	teach("fc(64), fc(64), fc(64)")
	if n.cache.bytes > n.cache.limit || n.cache.order.Len() != len(n.cache.at) || n.cache.at["fc(64), fc(64), fc(64)"] == nil {
		t.Errorf("the cache has %d bytes of %d in %d steps", n.cache.bytes, n.cache.limit, len(n.cache.at))
	}
}

// TestAStepOverSeveralPathsCountsEachElementOnce updates blocks that overlap, none of which holds the other.
func TestAStepOverSeveralPathsCountsEachElementOnce(t *testing.T) {
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	p := &layers.Parameter{Name: "w", Kind: layers.Weight, Value: tensor.Full(1, 5, 4)}
	u := newUpdater(table, 0.5, 0.1)
	u.add(p, tensor.Full(2, 4, 2), 1) // rows x columns
	u.add(p, tensor.Full(3, 2, 3), 1)
	u.add(p, tensor.Full(4, 1, 1), 0.5)
	u.apply(0.1)
	for i, w := range p.Value.Data() {
		row, column := i/4, i%4
		g, used := 0.1, false // decay
		if row < 4 && column < 2 {
			g, used = g+2, true
		}
		if row < 2 && column < 3 {
			g, used = g+3, true
		}
		if row < 1 && column < 1 {
			g += 2
		}
		want, velocity := 1.0, 0.0
		if used {
			want, velocity = 1-0.1*1.5*g, g // Nesterov: g + momentum * velocity
		}
		if v := u.of(p).velocity.Data()[i]; math.Abs(float64(w)-want) > 1e-6 || math.Abs(float64(v)-velocity) > 1e-6 {
			t.Errorf("element %d, %d is %g with velocity %g, want %g and %g", row, column, w, v, want, velocity)
		}
	}
}
