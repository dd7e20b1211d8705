package spacetest

import (
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
)

// sharing builds genomes over the shared parameters of one store: each has as many parameters as when it is built alone, so that
// no two of its operations have one in common, and the same ones when it is built again; so too where widths are kept apart.
func sharing(t *testing.T, o Options) {
	sharingIn(t, o, layers.NewSharedStore(1))
	apart := layers.NewSharedStore(1)
	apart.SeparateWidths()
	sharingIn(t, o, apart)
}

func sharingIn(t *testing.T, o Options, store *layers.Store) {
	task := o.Tasks[0]
	s := o.space(t, task, open)
	uses := func(g space.Genome) []layers.Use {
		t.Helper()
		m, err := s.Build(g, store.Root())
		if err != nil {
			t.Fatalf("%v: %v", g, err)
		}
		pass := &layers.Pass{Graph: autograd.NewGraph()}
		err = autograd.Build(func() error {
			m.Forward(pass, pass.Graph.Input("images", 1, task.Height, task.Width, task.Channels))
			return nil
		})
		if err != nil {
			t.Fatalf("%v over shared parameters: %v", g, err)
		}
		return pass.Uses()
	}
	for _, g := range draw(t, s, 12, o.Built) {
		first := uses(g)
		size := len(store.All())
		again := uses(g)
		if len(again) != len(first) || len(store.All()) != size {
			t.Fatalf("%v: built again it has other shared parameters", g)
		}
		params, seen := int64(0), map[*layers.Parameter]bool{}
		for i, u := range first {
			if u.Parameter.Kind == layers.Buffer {
				continue
			}
			if u.Parameter != again[i].Parameter || !u.Part.Equal(again[i].Part) {
				t.Fatalf("%v: parameter %d is %s of %v, then %s of %v", g, i, u.Parameter.Name, u.Part, again[i].Parameter.Name, again[i].Part)
			}
			if seen[u.Parameter] {
				t.Fatalf("%v: two of its operations share %s", g, u.Parameter.Name)
			}
			seen[u.Parameter] = true
			params += int64(u.Part.Elements())
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		if params != cost.Params {
			t.Errorf("%v: %d parameters over a shared store, alone %d", g, params, cost.Params)
		}
	}
}

// groups checks a space.Shareable: its groups are of allowed genomes, repeatable, and as large as they can be where nothing is bounded.
func groups(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	f, ok := s.(space.Shareable)
	if !ok {
		t.Skipf("space %s has no fair groups", s.Name())
	}
	if f.Choices() < 1 {
		t.Fatalf("%d choices", f.Choices())
	}
	for i := range uint64(5) {
		group, again := f.Group(stream.New(i, "spacetest")), f.Group(stream.New(i, "spacetest"))
		if len(group) > f.Choices() || len(group) != len(again) || 2*len(group) < f.Choices() {
			t.Fatalf("a group of %d, then %d, of %d choices", len(group), len(again), f.Choices())
		}
		for j, g := range group {
			if err := s.Check(g); err != nil {
				t.Errorf("%v is in a group but not allowed: %v", g, err)
			}
			if g.String() != again[j].String() {
				t.Errorf("genome %d of a group is %v, then %v from the same stream", j, g, again[j])
			}
		}
	}
}
