// Package spacetest checks that a search space keeps the rules that strategies, studies and evaluators
// rely on. The test of a space is one line:
//
//	func TestConformance(t *testing.T) { spacetest.Run(t, spacetest.Options{New: newMySpace}) }
package spacetest

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
)

// Options says what [Run] tests.
type Options struct {
	// New makes the space under test. It is called often, and must give the same space each time for the same arguments.
	New func(space.Task, space.Constraints) (space.Space, error)

	// Tasks are those that networks are built for; nil means a few with even, odd and tiny images.
	Tasks []space.Task

	Genomes int // drawn for each check; 0 means 60
	Built   int // of which so many are built for each task; 0 means 12

	// Classes says that keys stand for classes of networks that the space takes for equal, by a definition that its
	// documentation has, and may be equal for networks with different numbers of parameters.
	Classes bool
}

func (o *Options) defaults() {
	if o.Tasks == nil {
		o.Tasks = []space.Task{
			{Height: 28, Width: 28, Channels: 1, Classes: 10},
			{Height: 32, Width: 32, Channels: 3, Classes: 10},
			{Height: 7, Width: 9, Channels: 2, Classes: 5},
			{Height: 1, Width: 1, Channels: 1, Classes: 2},
		}
	}
	if o.Genomes == 0 {
		o.Genomes = 60
	}
	if o.Built == 0 {
		o.Built = 12
	}
}

// Run runs all checks as subtests.
func Run(t *testing.T, o Options) {
	o.defaults()
	for _, c := range []struct {
		name  string
		check func(*testing.T, Options)
	}{
		{"draws are allowed and repeatable", draws},
		{"text and JSON read back", forms},
		{"nonsense is refused", nonsense},
		{"foreign genomes are refused", foreigners},
		{"keys are canonical", keys},
		{"cost is that of the built network", costs},
		{"builds are repeatable and finite", builds},
		{"constraints give their reason", constraints},
		{"variations are other genomes of the space", variations},
		{"numbers name all genomes", numbers},
		{"parameters can be shared", sharing},
		{"groups are fair", groups},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, o) })
	}
}

func (o *Options) space(t *testing.T, task space.Task, c space.Constraints) space.Space {
	t.Helper()
	s, err := o.New(task, c)
	if err != nil {
		t.Fatalf("task %v: %v", task, err)
	}
	return s
}

// open bounds nothing.
var open = space.Constraints{MaxChannels: -1, AllowWeightless: true}

// draw returns so many genomes.
func draw(t *testing.T, s space.Space, seed uint64, n int) []space.Genome {
	t.Helper()
	rng := stream.New(seed, "spacetest")
	out := make([]space.Genome, n)
	for i := range out {
		g, err := s.Random(rng)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = g
	}
	return out
}

func draws(t *testing.T, o Options) {
	for _, task := range o.Tasks {
		s := o.space(t, task, open)
		again := draw(t, o.space(t, task, open), 1, o.Genomes)
		texts := map[string]bool{}
		for i, g := range draw(t, s, 1, o.Genomes) {
			if err := s.Check(g); err != nil {
				t.Fatalf("%v: drawn but not allowed: %v", g, err)
			}
			if g.String() != again[i].String() {
				t.Fatalf("draw %d is %v, then %v from the same stream", i, g, again[i])
			}
			texts[g.String()] = true
		}
		if len(texts) < 2 {
			t.Errorf("%d draws gave %d genomes", o.Genomes, len(texts))
		}
	}
	if name := o.space(t, o.Tasks[0], open).Name(); name == "" || strings.ContainsAny(name, " \t\n") {
		t.Errorf("the space is called %q", name)
	}
}

func forms(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	for _, g := range draw(t, s, 2, o.Genomes) {
		text := g.String()
		if text == "" || strings.ContainsAny(text, "\n\r") {
			t.Fatalf("text form %q is not one line", text)
		}
		data, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{text, "  " + text + " ", string(data)} {
			h, err := s.Parse(form)
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if h.String() != text || s.Key(h) != s.Key(g) {
				t.Fatalf("%s reads as %v", form, h)
			}
		}
		var head struct {
			Space   string `json:"space"`
			Version int    `json:"version"`
		}
		if err := json.Unmarshal(data, &head); err != nil || head.Space != s.Name() || head.Version < 1 {
			t.Fatalf("%s: the JSON form does not name space %s and a version (%v)", data, s.Name(), err)
		}
	}
}

func nonsense(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	rng := stream.New(3, "spacetest")
	for _, text := range []string{"", " ", "{", "{}", "[]", "null", "nonsense", "\x00", "\xff\xfe", `{"space":"another","version":1}`} {
		if g, err := s.Parse(text); err == nil {
			t.Errorf("%q reads as %v", text, g)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has several lines: %v", text, err)
		}
	}
	// What is spoilt somewhere may still be a genome, but then a whole one.
	for _, g := range draw(t, s, 3, o.Genomes) {
		text := []byte(g.String())
		text[rng.IntN(len(text))] = byte(rng.IntN(256))
		if h, err := s.Parse(string(text)); err == nil {
			if _, err := s.Cost(h); err != nil {
				t.Errorf("%q reads as %v, which has no cost: %v", text, h, err)
			}
		}
		cut := g.String()[:rng.IntN(len(g.String()))]
		if h, err := s.Parse(cut); err == nil {
			if _, err := s.Cost(h); err != nil {
				t.Errorf("%q reads as %v, which has no cost: %v", cut, h, err)
			}
		}
	}
}

// foreign is a genome of no space.
type foreign struct{}

func (foreign) String() string               { return "foreign" }
func (foreign) MarshalJSON() ([]byte, error) { return []byte(`{}`), nil }

func foreigners(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	for _, g := range []space.Genome{nil, foreign{}} {
		if s.Check(g) == nil {
			t.Errorf("Check allows %v", g)
		}
		if _, err := s.Cost(g); err == nil {
			t.Errorf("%v has a cost", g)
		}
		if _, err := s.Build(g, layers.NewStore(1).Root()); err == nil {
			t.Errorf("%v can be built", g)
		}
		if key := s.Key(g); key != "" {
			t.Errorf("%v has the key %q", g, key)
		}
	}
}

// keys checks what must hold of every canonical key: the same for the same genome, at any time; and
// different where the networks cost different.
func keys(t *testing.T, o Options) {
	for _, task := range o.Tasks {
		s, other := o.space(t, task, open), o.space(t, task, open)
		costs := map[string]space.Cost{}
		for _, g := range draw(t, s, 4, 4*o.Genomes) {
			key := s.Key(g)
			if key == "" || strings.ContainsAny(key, " \n") {
				t.Fatalf("%v has the key %q", g, key)
			}
			if again := other.Key(g); again != key {
				t.Fatalf("%v has the keys %q and %q", g, key, again)
			}
			cost, err := s.Cost(g)
			if err != nil {
				t.Fatal(err)
			}
			if old, ok := costs[key]; ok && !o.Classes && old.Params != cost.Params {
				t.Fatalf("%v shares the key %q with a network of %d parameters, and has %d", g, key, old.Params, cost.Params)
			}
			costs[key] = cost
		}
	}
}

// network builds the inference graph of a genome.
func network(t *testing.T, s space.Space, task space.Task, g space.Genome, seed uint64) (store *layers.Store, x, logits *autograd.Node) {
	t.Helper()
	store = layers.NewStore(seed)
	m, err := s.Build(g, store.Root())
	if err != nil {
		t.Fatalf("%v: %v", g, err)
	}
	err = autograd.Build(func() error {
		x = autograd.NewGraph().Input("images", 1, task.Height, task.Width, task.Channels)
		logits = m.Forward(&layers.Pass{Graph: x.Graph()}, x)
		return nil
	})
	if err != nil {
		t.Fatalf("%v for %v: %v", g, task, err)
	}
	return store, x, logits
}

func costs(t *testing.T, o Options) {
	for _, task := range o.Tasks {
		s := o.space(t, task, open)
		for _, g := range draw(t, s, 5, o.Built) {
			store, _, logits := network(t, s, task, g, 1)
			if shape := logits.Shape(); len(shape) != 2 || shape[0] != 1 || shape[1] != task.Classes {
				t.Fatalf("%v for %v: logits are %v", g, task, shape)
			}
			cost, err := s.Cost(g)
			if err != nil {
				t.Fatal(err)
			}
			sum := autograd.Summarize(logits)
			built := space.Cost{FLOPs: sum.FLOPs, MACs: sum.MACs, Params: sum.Params, ActivationBytes: sum.ActivationBytes}
			if cost != built {
				t.Fatalf("%v for %v: cost %+v, built %+v", g, task, cost, built)
			}
			if n := int64(store.Elements()); cost.Params != n {
				t.Fatalf("%v for %v: %d parameters, the store has %d", g, task, cost.Params, n)
			}
		}
	}
}

// builds computes logits of a random image, twice from the start.
func builds(t *testing.T, o Options) {
	task := o.Tasks[0]
	s := o.space(t, task, open)
	run := func(g space.Genome) []float32 {
		_, x, logits := network(t, s, task, g, 7)
		p, err := autograd.Compile(autograd.Options{Outputs: []*autograd.Node{logits}})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range p.Tensor(x).Data() {
			p.Tensor(x).Data()[i] = float32(rng.NormFloat64())
		}
		p.Run(0)
		return append([]float32(nil), p.Tensor(logits).Data()...)
	}
	for _, g := range draw(t, s, 6, min(o.Built, 4)) {
		a, b := run(g), run(g)
		for i := range a {
			if a[i] != b[i] || math.IsNaN(float64(a[i])) || math.IsInf(float64(a[i]), 0) {
				t.Fatalf("%v: logit %d is %v, then %v", g, i, a[i], b[i])
			}
		}
	}
}

// constraints bounds the space by the median of what its genomes cost.
func constraints(t *testing.T, o Options) {
	task := o.Tasks[0]
	s := o.space(t, task, open)
	genomes := draw(t, s, 8, o.Genomes)
	for _, c := range []struct {
		name  string
		of    func(space.Cost) int64
		bound func(int64) space.Constraints
		kind  space.Constraint
	}{
		{"FLOPs", func(c space.Cost) int64 { return c.FLOPs }, func(n int64) space.Constraints { return space.Constraints{MaxFLOPs: n} }, space.FLOPsConstraint},
		{"MACs", func(c space.Cost) int64 { return c.MACs }, func(n int64) space.Constraints { return space.Constraints{MaxMACs: n} }, space.MACsConstraint},
		{"parameters", func(c space.Cost) int64 { return c.Params }, func(n int64) space.Constraints { return space.Constraints{MaxParams: n} }, space.ParamsConstraint},
		{"activation memory", func(c space.Cost) int64 { return c.ActivationBytes }, func(n int64) space.Constraints { return space.Constraints{MaxActivationBytes: n} }, space.ActivationConstraint},
	} {
		var values []int64
		for _, g := range genomes {
			cost, err := s.Cost(g)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, c.of(cost))
		}
		bound := median(values)
		limits := c.bound(bound)
		limits.MaxChannels, limits.AllowWeightless = open.MaxChannels, open.AllowWeightless
		bounded := o.space(t, task, limits)
		for i, g := range genomes {
			err := bounded.Check(g)
			if (err == nil) != (values[i] <= bound) {
				t.Errorf("%s of %v are %d, the bound is %d: %v", c.name, g, values[i], bound, err)
			}
			if v, ok := errors.AsType[*space.Violation](err); err != nil && (!ok || v.Constraint != c.kind || v.Got != values[i] || v.Bound != bound) {
				t.Errorf("%s of %v are %d, the bound is %d: the reason is %v", c.name, g, values[i], bound, err)
			}
		}
		for _, g := range draw(t, bounded, 9, 10) {
			if err := bounded.Check(g); err != nil {
				t.Errorf("%v: drawn under a bound but not allowed: %v", g, err)
			}
		}
	}
	// A bound that nothing meets takes a space long to give up on, so there is one.
	none := open
	none.MaxParams = 1
	if g, err := o.space(t, task, none).Random(stream.New(1, "spacetest")); err == nil {
		t.Errorf("at most one parameter allows %v", g)
	} else if _, ok := errors.AsType[*space.SampleError](err); !ok {
		t.Errorf("at most one parameter: %v is no *space.SampleError", err)
	}
}

func median(values []int64) int64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
