package space

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
)

func readSpace(t testing.TB, text string) *described {
	t.Helper()
	s, err := Read(strings.NewReader(text), "space.yaml", fashion, Constraints{MaxChannels: -1, AllowWeightless: true}, Size{})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*described)
}

func seedCellSpace(t testing.TB, task Task, size Size) *described {
	t.Helper()
	s, err := NewSized("seed-cell", task, Constraints{MaxChannels: -1, AllowWeightless: true}, size)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*described)
}

const seedCellText = "conv3x3~0 | skip~0 + fc~1 | pool3x3~0 + skip~1 + conv5x5~2 | fc~0 + fc~1 + conv3x3~2 + skip~3"

func mustParse(t testing.TB, s Space, text string) Genome {
	t.Helper()
	g, err := s.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g
}

func TestSeedCellCostByHand(t *testing.T) {
	s := seedCellSpace(t, Task{8, 8, 1, 2}, Size{Channels: 2, Cells: 1})
	got, err := s.Cost(mustParse(t, s, seedCellText))
	if err != nil {
		t.Fatal(err)
	}
	// Stem 3x3x1x2, pre 1x1x2x2, two conv3x3, one conv5x5, four fc; norms of stem, pre and four nodes; head 8x2.
	weights := int64(18 + 4 + 2*36 + 100 + 4*4 - 4)
	want := Cost{
		MACs:   64*weights + 8*2,
		Params: weights + 6*4 + 8*2 + 2,
	}
	want.FLOPs = 2*want.MACs + 64*2*3*6 /* norm and ReLU */ + 2*(22*22-64) /* maximum */ + 64*2*(1+2+3) /* sums */ + 64*8 + 2
	if got.MACs != want.MACs || got.Params != want.Params || got.FLOPs != want.FLOPs {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSeedCellIsTheSeedsModel(t *testing.T) {
	s := seedCellSpace(t, Task{28, 28, 3, 10}, Size{})
	store := layers.NewStore(1)
	if _, err := s.Build(mustParse(t, s, seedCellText), store.Root()); err != nil {
		t.Fatal(err)
	}
	for name, shape := range map[string]string{
		"stem.conv.weight":                  "3x3x3x16",
		"cells.0.pre.conv.weight":           "1x1x16x16",
		"cells.7.pre.conv.weight":           "1x1x64x16",
		"cells.7.node0.edge0.conv.weight":   "3x3x16x16",
		"cells.0.node2.edge2.conv.weight":   "5x5x16x16",
		"cells.3.node3.edge1.linear.weight": "1x1x16x16",
		"cells.3.node3.norm.weight":         "16",
		"head.weight":                       "64x10",
	} {
		if p := store.Lookup(name); p == nil || p.Value.Shape().String() != shape {
			t.Errorf("%s is %v, want %s", name, p, shape)
		}
	}
	if store.Lookup("cells.8.pre.conv.weight") != nil {
		t.Error("there are more than eight cells")
	}
}

func TestReductionsHalveMapsAndDoubleChannels(t *testing.T) {
	for _, c := range []struct {
		size Size
		at   []int
	}{
		{Size{Cells: 8}, nil}, {Size{Cells: 8, Reductions: 1}, []int{4}}, {Size{Cells: 8, Reductions: 2}, []int{2, 5}}, {Size{Cells: 3, Reductions: 2}, []int{1, 2}},
	} {
		var at []int
		for i := range c.size.Cells {
			if c.size.reduces(i) {
				at = append(at, i)
			}
		}
		if len(at) != len(c.at) {
			t.Errorf("%+v reduces at %v, want %v", c.size, at, c.at)
			continue
		}
		for i := range at {
			if at[i] != c.at[i] {
				t.Errorf("%+v reduces at %v, want %v", c.size, at, c.at)
			}
		}
	}
	_, err := NewSized("seed-cell", fashion, Constraints{}, Size{Cells: 2, Reductions: 2})
	wantError(t, err, "space seed-cell: 2 reductions need more than 2 cells")
}

func TestDescribedFormsAreFixed(t *testing.T) {
	s := seedCellSpace(t, fashion, Size{})
	const form = `{"space":"seed-cell","version":1,"nodes":[[{"op":"conv3x3","from":0}],[{"op":"skip","from":0},{"op":"fc","from":1}],` +
		`[{"op":"pool3x3","from":0},{"op":"skip","from":1},{"op":"conv5x5","from":2}],` +
		`[{"op":"fc","from":0},{"op":"fc","from":1},{"op":"conv3x3","from":2},{"op":"skip","from":3}]]}`
	for _, text := range []string{seedCellText, form, strings.ReplaceAll(seedCellText, " ", ""), "conv3x3~0|fc~1+skip~0|" + seedCellText[27:]} {
		g := mustParse(t, s, text)
		data, err := g.MarshalJSON()
		if g.String() != seedCellText || string(data) != form || err != nil {
			t.Errorf("%s is\n%s\n%s (%v)", text, g, data, err)
		}
	}
	c := readSpace(t, chainYAML)
	const chainText = "conv(kernel=5, channels=8), pool:concat, fc(units=16):add"
	const chainForm = `{"space":"rows","version":1,"layers":[{"op":"conv","params":{"channels":8,"kernel":5},"connection":"sequential"},` +
		`{"op":"pool","connection":"concat"},{"op":"fc","params":{"units":16},"connection":"add"}]}`
	for _, text := range []string{chainText, chainForm, "conv(channels=8,kernel=5):sequential,pool:concat,fc(units=16):add"} {
		g := mustParse(t, c, text)
		data, err := g.MarshalJSON()
		if g.String() != chainText || string(data) != chainForm || err != nil {
			t.Errorf("%s is\n%s\n%s (%v)", text, g, data, err)
		}
	}
}

const chainYAML = `
space: rows
kind: chain
depth: [1, 4]
operations:
  conv: {type: conv, kernel: [3, 5], channels: [8, 16]}
  pool: {type: max_pool, stride: 2}
  fc: {type: linear, units: [16, 32]}
  skip: {type: skip}
connections: [add, concat]
`

const cellsYAML = `
space: mine
kind: cells
operations:
  conv: {type: conv}
  same: {type: conv, kernel: 3}
  pool: {type: avg_pool}
  skip: {type: skip}
  zero: {type: none}
nodes: 3
output: last
`

func TestDescribedTextErrorsNameThePlace(t *testing.T) {
	cell, rows := seedCellSpace(t, fashion, Size{}), readSpace(t, chainYAML)
	for _, c := range []struct {
		space Space
		text  string
		want  string
	}{
		{cell, "", "column 1: the text ends where an operation should be"},
		{cell, "conv7x7~0", `column 1: operation "conv7x7" is not one of conv3x3, conv5x5, pool3x3, skip or fc`},
		{cell, "conv3x3", "column 1: conv3x3 needs the state that it is applied to, such as conv3x3~0"},
		{cell, "conv3x3~x", `column 9: "x" stands where a number should be`},
		{cell, "conv3x3~1", "node 0 takes state 1, which does not come before it"},
		{cell, "conv3x3~0", "node 1 takes 0 states, not 2"},
		{cell, "conv3x3~0 | skip~0 + skip~0", "node 1 takes state 0 twice"},
		{cell, seedCellText + " | fc~0", "more than 4 nodes"},
		{cell, "conv3x3~0, skip~0", `"," stands where +, | or the end should be`},
		{cell, "conv3x3(kernel=3)~0", `conv3x3 has no choice of "kernel"`},
		{cell, "conv3x3:add", "operations of a cell are added up"},
		{rows, "conv~0", "a chain is applied to the layer before"},
		{rows, "conv", "conv needs its kernel: 3 or 5"},
		{rows, "skip, conv(kernel=4, channels=8)", "column 7: kernel 4 of conv is not one of 3 or 5"},
		{rows, "conv(kernel=3, channels=8, kernel=5)", "kernel of conv stands twice"},
		{rows, "conv(kernel 3)", `"3" stands where = should be`},
		{rows, "skip:skip", "connection skip is not in this space"},
		{rows, "skip:add", "the first layer has nothing to join"},
		{rows, "skip, skip:sum", `connection "sum" is not one of`},
		{rows, "skip, skip, skip, skip, skip", "5 layers; a chain has 1 to 4"},
		{rows, "skip | skip", `"|" stands where a comma or the end should be`},
		{rows, `{"space":"rows","version":1,"layers":[]}`, "the genome is empty"},
		{rows, `{"space":"rows","version":1,"nodes":[[{"op":"skip"}]]}`, "the genome is not one of layers"},
		{rows, `{"space":"rows","version":1,"layers":[{"op":"skip"},{"op":"sikp"}]}`, `layer 1: operation "sikp"`},
		{cell, `{"space":"seed-cell","version":1,"nodes":[[{"op":"skip","from":-1}]]}`, "node 0: state -1 does not exist"},
	} {
		_, err := c.space.Parse(c.text)
		wantError(t, err, "space "+c.space.Name()+": ", c.want)
	}
}

func TestDescribedKeysSeeWhatIsComputed(t *testing.T) {
	cells := readSpace(t, cellsYAML)
	shared := readSpace(t, strings.Replace(cellsYAML, "output: last", "output: concat", 1))
	rows := readSpace(t, chainYAML)
	for _, c := range []struct {
		space Space
		name  string
		a, b  string
		same  bool
	}{
		{cells, "names of operations", "conv~0 | skip~0 + conv~1 | conv~0 + conv~1 + conv~2", "same~0 | skip~0 + same~1 | conv~0 + same~1 + conv~2", true},
		{cells, "operations", "conv~0 | skip~0 + conv~1 | conv~0 + conv~1 + conv~2", "conv~0 | skip~0 + pool~1 | conv~0 + conv~1 + conv~2", false},
		{cells, "a node that passes on", "skip~0 | zero~0 + conv~1 | zero~0 + zero~1 + conv~2", "skip~0 | conv~0 + zero~1 | zero~0 + zero~1 + conv~2", true},
		{cells, "a node that nothing needs", "conv~0 | conv~0 + zero~1 | conv~0 + zero~1 + zero~2", "pool~0 | skip~0 + pool~1 | conv~0 + zero~1 + zero~2", true},
		{cells, "which of two nodes", "conv~0 | pool~0 + zero~1 | zero~0 + conv~1 + skip~2", "pool~0 | conv~0 + zero~1 | zero~0 + skip~1 + conv~2", true},
		{cells, "and not the other way", "conv~0 | pool~0 + zero~1 | zero~0 + conv~1 + skip~2", "pool~0 | conv~0 + zero~1 | zero~0 + conv~1 + skip~2", false},
		{cells, "equal pools are one value", "pool~0 | pool~0 + zero~1 | zero~0 + conv~1 + conv~2", "pool~0 | zero~0 + skip~1 | zero~0 + conv~1 + conv~2", true},
		{cells, "equal convolutions are two", "conv~0 | conv~0 + zero~1 | zero~0 + skip~1 + skip~2", "conv~0 | zero~0 + skip~1 | zero~0 + skip~1 + skip~2", false},
		{shared, "order of outputs", "conv~0 | pool~0 + zero~1 | conv~0 + zero~1 + zero~2", "pool~0 | conv~0 + zero~1 | conv~0 + zero~1 + zero~2", true},
		{shared, "every node counts", "conv~0 | conv~0 + zero~1 | conv~0 + zero~1 + zero~2", "pool~0 | conv~0 + zero~1 | conv~0 + zero~1 + zero~2", false},
		{rows, "a layer that passes on", "conv(kernel=3, channels=8), skip", "conv(kernel=3, channels=8)", true},
		{rows, "a value added to itself", "conv(kernel=3, channels=8), skip:add", "conv(kernel=3, channels=8)", false},
		{rows, "parameters", "conv(kernel=3, channels=8)", "conv(kernel=5, channels=8)", false},
	} {
		a, b := mustParse(t, c.space, c.a), mustParse(t, c.space, c.b)
		if got := c.space.Key(a) == c.space.Key(b); got != c.same {
			t.Errorf("%s: same key %v, want %v: %v and %v", c.name, got, c.same, a, b)
		}
		if !c.same {
			continue
		}
		ca, errA := c.space.Cost(a)
		cb, errB := c.space.Cost(b)
		if ca.Params != cb.Params || errA != nil || errB != nil {
			t.Errorf("%s: one key, but %+v and %+v", c.name, ca, cb)
		}
	}
}

// TestSeedCellsAreAllDifferent: every node needs all that come before it, so no two genomes are one network.
func TestSeedCellsAreAllDifferent(t *testing.T) {
	s := seedCellSpace(t, fashion, Size{})
	rng := stream.New(1, "seed cells")
	seen := map[string]string{}
	for range 3000 {
		g := s.genome(s.draw(nil, rng))
		key := s.Key(g)
		if old, ok := seen[key]; ok && old != g.String() {
			t.Fatalf("%s and %v share a key", old, g)
		}
		seen[key] = g.String()
	}
}

func TestDescribedRandomIsUniform(t *testing.T) {
	s := seedCellSpace(t, fashion, Size{})
	rng := stream.New(2, "uniform")
	var counts [10][5]float64
	const n = 5000
	var units []unit
	for range n {
		units = s.draw(units[:0], rng)
		for i, u := range units {
			counts[i][u.op]++
		}
	}
	for edge, ops := range counts {
		for op, got := range ops {
			if d := got - n/5; d*d > 25*n/5 {
				t.Errorf("edge %d: operation %d %v times, want about %d", edge, op, got, n/5)
			}
		}
	}
}

// TestDescribedKeysAreStable guards the keys of stored trials.
func TestDescribedKeysAreStable(t *testing.T) {
	cell, rows := seedCellSpace(t, fashion, Size{}), readSpace(t, chainYAML)
	for _, c := range []struct {
		space Space
		text  string
		want  string
	}{
		{cell, seedCellText, "seed-cell-1-d72822fb6d8fc34839d177eb"},
		{rows, "conv(kernel=3, channels=8), pool:concat, fc(units=16):add", "rows-1-54f7318840c2241a6b198419"},
	} {
		if got := c.space.Key(mustParse(t, c.space, c.text)); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzParseDescribed(f *testing.F) {
	cell, rows := seedCellSpace(f, fashion, Size{}), readSpace(f, chainYAML)
	f.Add(seedCellText)
	f.Add("conv(kernel=5, channels=8), pool:concat")
	f.Add(`{"space":"rows","version":1,"layers":[{"op":"skip"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []*described{cell, rows} {
			g, err := s.Parse(text)
			if err != nil {
				continue
			}
			if h, err := s.Parse(g.String()); err != nil || h != g {
				t.Fatalf("%q reads as %v, and that as %v (%v)", text, g, h, err)
			}
		}
	})
}

func TestReadErrorsNameTheLine(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(cellsYAML, old, new, 1) }
	chain := func(old, new string) string { return strings.Replace(chainYAML, old, new, 1) }
	for _, c := range []struct{ text, want string }{
		{"", "space.yaml: the file is empty"},
		{"[", "space.yaml: "},
		{"- a", "space.yaml:1: a space is a mapping"},
		{"kind: cells", "space.yaml:1: space is missing"},
		{swap("kind: cells", "kind: cell"), `space.yaml:3: kind: "cell" is not one of cells or chain`},
		{swap("space: mine", "space: chain"), `space.yaml:2: there is another space "chain"`},
		{swap("space: mine", "space: my space"), `space.yaml:2: the space is called "my space"`},
		{swap("output: last", "outptu: last"), `space.yaml:11: "outptu" is not one of`},
		{swap("output: last", "depth: 3"), `space.yaml:11: "depth" is not one of`},
		{swap("output: last", "output: first"), `space.yaml:11: output: "first" is not one of concat, sum or last`},
		{swap("nodes: 3", "nodes: 7"), "space.yaml:10: nodes: 7 is not in 1..6"},
		{swap("nodes: 3", "nodes: many"), `nodes: want a whole number, not "many"`},
		{swap("nodes: 3", "nodes: 3\ninputs: 4"), "space.yaml:11: inputs: a node of 3 has no 4 states before it"},
		{swap("nodes: 3", "nodes: 3\nnodes: 2"), `space.yaml:11: "nodes" is already set in line 10`},
		{swap("nodes: 3", "cells: 2\nreductions: 2"), "space.yaml:11: reductions: 2 need more than 2 cells"},
		{swap("  same: {type: conv, kernel: 3}", "  same: {type: conv, kernel: 4}"), "space.yaml:6: same: kernel: 4 is even"},
		{swap("  same: {type: conv, kernel: 3}", "  same: {type: conv, kernel: [3, 3]}"), "space.yaml:6: same: kernel: 3 stands twice"},
		{swap("  same: {type: conv, kernel: 3}", "  same: {type: conv, kernel: []}"), "kernel: the list is empty"},
		{swap("  same: {type: conv, kernel: 3}", "  same: {type: conv, stride: 2}"), `space.yaml:6: same: an operation of cells of type conv has no parameter "stride"`},
		{swap("  same: {type: conv, kernel: 3}", "  same: {kernel: 3}"), "space.yaml:6: operation same has no type"},
		{swap("  same: {type: conv, kernel: 3}", "  same: {type: covn}"), `same: type: "covn" is not one of conv, separable`},
		{swap("  same: {type: conv, kernel: 3}", "  3x3: {type: conv}"), `an operation is called "3x3"`},
		{swap("  same: {type: conv, kernel: 3}", "  same: conv"), "space.yaml:6: operation same is a mapping"},
		{chain("channels: [8, 16]", "dilation: 1"), "space.yaml:6: conv: an operation of type conv in a chain needs its channels"},
		{chain("stride: 2", "stride: 3"), "pool: stride: 3 is not in 1..2"},
		{chain("{type: skip}", "{type: none}"), "none is an operation of cells"},
		{chain("depth: [1, 4]", "depth: [4, 1]"), "space.yaml:4: depth: 1 is not in 4..16"},
		{chain("[add, concat]", "[add, add]"), "connections: add stands twice"},
		{chain("[add, concat]", "[sum]"), `connections: "sum" is not one of`},
		{cellsYAML + "constraints: {max-params: -1}", "space.yaml:12: max-params: want a number such as"},
		{cellsYAML + "constraints: {max-parms: 1}", `"max-parms" is not one of max-flops`},
		{cellsYAML + "constraints: {max-params: 1k, min-params: 2k}", "space.yaml:12: space: constraint MinParams is 2000"},
		{cellsYAML + "---\nspace: two\n", "want one YAML document"},
	} {
		_, err := Read(strings.NewReader(c.text), "space.yaml", fashion, Constraints{}, Size{})
		wantError(t, err, "space.yaml:", c.want)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("several lines: %q", err)
		}
	}
}

func TestConstraintsOfAFileHoldBesideThoseOfTheCaller(t *testing.T) {
	text := cellsYAML + "constraints: {max-params: 20k, max-channels: 64, min-params: 100}"
	for _, c := range []struct {
		given, want Constraints
	}{
		{Constraints{}, Constraints{MaxParams: 20_000, MaxChannels: 64, MinParams: 100}},
		{Constraints{MaxParams: 5000, MaxChannels: 32, MinParams: 200}, Constraints{MaxParams: 5000, MaxChannels: 32, MinParams: 200}},
		{Constraints{MaxParams: 50_000, MaxChannels: -1, MaxFLOPs: 7}, Constraints{MaxParams: 20_000, MaxChannels: 64, MinParams: 100, MaxFLOPs: 7}},
	} {
		s, err := Read(strings.NewReader(text), "f", fashion, c.given, Size{})
		if err != nil {
			t.Fatal(err)
		}
		got := s.(*described).constraints
		if got.MaxParams != c.want.MaxParams || got.MaxChannels != c.want.MaxChannels || got.MinParams != c.want.MinParams || got.MaxFLOPs != c.want.MaxFLOPs {
			t.Errorf("%+v with those of the file is %+v, want %+v", c.given, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(cellsYAML)
	f.Add(chainYAML)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read(strings.NewReader(text), "f", Task{4, 4, 1, 2}, Constraints{MaxChannels: -1, AllowWeightless: true}, Size{Cells: 2})
		if err != nil {
			return
		}
		d := s.(*described)
		g := d.genome(d.draw(nil, rand.New(rand.NewPCG(1, 1))))
		if _, err := s.Cost(g); err != nil {
			t.Fatalf("%v: %v", g, err)
		}
	})
}
