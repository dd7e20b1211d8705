package space

import (
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
)

// Every cell is a choice of the relaxed one, none and all.
func TestNB201ChoicesAreItsCells(t *testing.T) {
	s, err := New("nb201", Task{28, 28, 1, 10}, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.(Relaxable).Relax(Size{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Edges() != 6 || len(r.Operations) != 5 || r.Operations[r.None] != "none" || r.Operations[r.Skip] != "skip_connect" || !r.NoneKept || r.Size != (Size{Channels: 8, Cells: 3}) {
		t.Errorf("relaxation %+v", r)
	}
	n, _ := s.(Countable).Count()
	for i := range n {
		want, _ := s.(Countable).At(i)
		choices := make([]int, 6)
		edge := 0
		for node, text := range strings.Split(want.String(), "+") {
			for from, term := range strings.Split(strings.Trim(text, "|"), "|") {
				name, state, _ := strings.Cut(term, "~")
				if r.Nodes[node].From[from] != int(state[0]-'0') {
					t.Fatalf("%v: node %+v takes %s", want, r.Nodes[node], state)
				}
				choices[edge] = slices.Index(r.Operations, name)
				edge++
			}
		}
		if g, err := r.Genome(choices); err != nil || g != want {
			t.Fatalf("choices %v give %v, %v; want %v", choices, g, err, want)
		}
	}
	for want, choices := range map[string][]int{
		"5 choices for 6 edges":  {0, 0, 0, 0, 0},
		"there is no operation":  {0, 0, 0, 0, 0, 5},
		"keeps 2 edges, not 3":   {3, 3, 3, 3, 3, -1},
		"node 0 keeps 0 edges, ": {-1, 3, 3, 3, 3, 3},
	} {
		if _, err := r.Genome(choices); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error with %q", choices, err, want)
		}
	}
	if _, err := s.(Relaxable).Relax(Size{Cells: 4}); err == nil || !strings.Contains(err.Error(), "3 stages") {
		t.Errorf("four cells: %v", err)
	}
}

// oneHot mixes by choosing one operation on each edge.
type oneHot struct{ choices []int }

func (oneHot) Share() int { return 1 }
func (m oneHot) Edge(p *layers.Pass, edge int, x *autograd.Node, operations []layers.Module, _ int) *autograd.Node {
	if op := operations[m.choices[edge]]; op != nil {
		return op.Forward(p, x)
	}
	return autograd.Sub(x, x)
}
func (oneHot) Node(_ *layers.Pass, _ int, terms []*autograd.Node) *autograd.Node {
	y := terms[0]
	for _, x := range terms[1:] {
		y = autograd.Add(y, x)
	}
	return y
}

// A mixture that is all of one operation on each edge costs what the cell costs, in multiply-accumulates; its batch norms lack scale and
// shift, and all operations have their weights.
func TestNB201MixtureOfOneOperationIsTheCell(t *testing.T) {
	task := Task{28, 28, 1, 10}
	s, err := NewSized("nb201", task, Constraints{}, Size{Channels: 8, Cells: 3})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.(Relaxable).Relax(Size{})
	if err != nil {
		t.Fatal(err)
	}
	for _, choices := range [][]int{{3, 3, 3, 3, 3, 3}, {2, 1, 4, 3, 1, 2}, {3, 4, 2, 1, 0, 3}} {
		g, err := r.Genome(choices)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		store := layers.NewStore(1)
		m := r.Build(store.Root(), oneHot{choices})
		var sum autograd.Summary
		err = autograd.Build(func() error {
			x := autograd.NewGraph().Input("images", 1, task.Height, task.Width, task.Channels)
			sum = autograd.Summarize(m.Forward(&layers.Pass{Graph: x.Graph()}, x))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum.MACs != want.MACs {
			t.Errorf("%v: %d MACs, the cell has %d", g, sum.MACs, want.MACs)
		}
	}
}
