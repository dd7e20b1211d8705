package space

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
)

// Genotypes published by Liu, Simonyan and Yang: found by the first and by the second order approximation.
const (
	dartsV1 = "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], " +
		"reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"
	dartsV2 = "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], " +
		"reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)

// pcDarts is the genotype that Xu et al. published for CIFAR-10.
const pcDarts = "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], normal_concat=[2, 3, 4, 5], " +
	"reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=[2, 3, 4, 5])"

func newDartsSpace(t testing.TB, task Task, size Size) *darts {
	t.Helper()
	s, err := NewSized("darts", task, Constraints{MaxChannels: -1, AllowWeightless: true}, size)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*darts)
}

func parseGenotype(t testing.TB, text string) DartsGenome {
	t.Helper()
	g, err := parseDarts(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g
}

// TestPublishedGenotypesHaveThePublishedSize builds them with 36 channels and 20 cells for CIFAR-10, without the auxiliary
// head. The paper gives 3.3 million parameters; the exact numbers are those of a count by hand, layer by layer. The multiply-accumulates of DARTS_V2 are what later
// papers state as 528M FLOPs. For PC-DARTS (Xu et al., ICLR 2020; 3.63 million parameters) they state 558M: that has 4 more for each of the 387,072 outputs of the average pools
// in the normal cells, which hold no multiply-accumulates.
func TestPublishedGenotypesHaveThePublishedSize(t *testing.T) {
	s := newDartsSpace(t, Task{32, 32, 3, 10}, Size{Channels: 36, Cells: 20})
	for _, c := range []struct {
		name, text string
		params     int64
		macs       int64 // millions
	}{{"DARTS_V1", dartsV1, 3_169_414, 501}, {"DARTS_V2", dartsV2, 3_349_342, 528}, {"PC-DARTS", pcDarts, 3_634_678, 557}} {
		g := parseGenotype(t, c.text)
		if g.String() != c.text {
			t.Errorf("%s prints as\n%s, want\n%s", c.name, g, c.text)
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		store := layers.NewStore(1)
		if _, err := s.Build(g, store.Root()); err != nil {
			t.Fatal(err)
		}
		if got := (cost.MACs + 500_000) / 1_000_000; got != c.macs {
			t.Errorf("%s: %d million MACs, want %d (%d)", c.name, got, c.macs, cost.MACs)
		}
		if cost.Params != c.params || store.Elements() != int(c.params) {
			t.Errorf("%s: %d parameters, built %d, want %d", c.name, cost.Params, store.Elements(), c.params)
		}
	}
}

func BenchmarkDartsRandom(b *testing.B) {
	s := newDartsSpace(b, fashion, Size{})
	rng := stream.New(1, "bench")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Random(rng); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDartsKeysIgnoreTheOrderOfNodesAndEdges(t *testing.T) {
	s := newDartsSpace(t, fashion, Size{})
	rng := stream.New(1, "darts keys")
	moved := 0
	for range 300 {
		g := randomDarts(rng)
		h := g
		for _, c := range []*dartsCell{&h.normal, &h.reduce} {
			moved += shuffleCell(c, rng)
		}
		if s.Key(g) != s.Key(h) {
			t.Fatalf("%v and %v have different keys", g, h)
		}
	}
	if moved < 100 {
		t.Errorf("only %d cells had their nodes moved: the test shows little", moved)
	}
}

// shuffleCell turns edges around and swaps neighbouring nodes that do not need each other; it returns 1 if it moved a node.
func shuffleCell(c *dartsCell, rng *rand.Rand) int {
	moved := 0
	for range 20 {
		if i := 2 * rng.IntN(dartsNodes); rng.IntN(2) == 0 {
			c[i], c[i+1] = c[i+1], c[i]
		}
		a := rng.IntN(dartsNodes - 1) // to change places with the node after it
		sa, sb := uint8(dartsInputs+a), uint8(dartsInputs+a+1)
		if c[2*a+2].from == sa || c[2*a+3].from == sa {
			continue
		}
		c[2*a], c[2*a+1], c[2*a+2], c[2*a+3] = c[2*a+2], c[2*a+3], c[2*a], c[2*a+1]
		for i := range c {
			switch c[i].from {
			case sa:
				c[i].from = sb
			case sb:
				c[i].from = sa
			}
		}
		moved = 1
	}
	return moved
}

// TestDartsKeysTellNetworksApart changes one edge at a time: the key stays only if some order of the nodes gives the
// other genome, which counting what flows where decides for a single change.
func TestDartsKeysTellNetworksApart(t *testing.T) {
	s := newDartsSpace(t, fashion, Size{})
	rng := stream.New(2, "darts keys")
	for range 300 {
		g := randomDarts(rng)
		h := g
		i := rng.IntN(dartsEdges)
		h.normal[i].op = 1 + (h.normal[i].op+dartsOp(rng.IntN(6)))%7
		if h == g {
			continue
		}
		// The operations of a cell are the same multiset in every order, and here one of them differs.
		if s.Key(g) == s.Key(h) {
			t.Fatalf("%v and %v share a key", g, h)
		}
	}
}

func TestDartsKeysLeaveOutCellsThatAreNotBuilt(t *testing.T) {
	a, b := parseGenotype(t, dartsV1), parseGenotype(t, dartsV2)
	b.reduce = a.reduce
	for cells, same := range map[int]bool{1: true, 2: true, 3: false} {
		s := newDartsSpace(t, fashion, Size{Cells: cells})
		if got := s.Key(a) == s.Key(b); got != same {
			t.Errorf("%d cells: same key %v, want %v", cells, got, same)
		}
	}
}

// TestDartsKeysAreStable guards the keys of stored trials.
func TestDartsKeysAreStable(t *testing.T) {
	s := newDartsSpace(t, fashion, Size{})
	for text, want := range map[string]string{dartsV1: "darts1-22ddd90a366e914569889d2d", dartsV2: "darts1-4a9dd2dd6c70789dcfaaf3f2"} {
		if got := s.Key(parseGenotype(t, text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestGenotypeErrorsNameThePlace(t *testing.T) {
	eight := strings.TrimSuffix(strings.Repeat("('skip_connect', 0), ('skip_connect', 1), ", 4), ", ")
	for _, c := range []struct{ text, want string }{
		{"Genotyp(normal=[])", `column 1: "Genotyp" stands where "Genotype" should be`},
		{"Genotype(normal=[('sep_conv_7x7', 0)])", "the cell reduce is missing"},
		{"Genotype(normal=[" + eight + "], reduce=[" + strings.Replace(eight, "skip_connect", "sep_conv_7x7", 1) + "])", `reduce: edge 0: operation "sep_conv_7x7" is not one of max_pool_3x3`},
		{"Genotype(normal=[" + eight + "], reduce=[" + strings.Replace(eight, "skip_connect", "none", 1) + "])", "exists during a search only"},
		{"Genotype(normal=[" + strings.Replace(eight, "0", "1", 1) + "], reduce=[" + eight + "])", "normal: edge 1: both edges of state 2 come from state 1"},
		{"Genotype(normal=[" + strings.Replace(eight, "0", "2", 1) + "], reduce=[" + eight + "])", "normal: edge 0: state 2 is not one of 0 to 1"},
		{"Genotype(normal=[" + eight + ", ('none', 0)], reduce=[])", "more than 8 edges"},
		{"Genotype(normal=[('none', x)], reduce=[])", `column 27: "x" stands where the number of a state should be`},
		{"Genotype(normal=[" + eight + "], normal_concat=[2, 3])", "joins states 2, 3, 4 and 5"},
		{"Genotype(normal=[" + eight + "], normal=[" + eight + "])", "normal stands twice"},
		{dartsV1 + ")", "after the end of the genotype"},
	} {
		_, err := newDartsSpace(t, fashion, Size{}).Parse(c.text)
		wantError(t, err, "space darts: ", c.want)
	}
	for _, text := range []string{
		strings.ReplaceAll(dartsV1, "[2, 3, 4, 5]", "range(2, 6)"),
		strings.ReplaceAll(dartsV1, "'", `"`),
		strings.ReplaceAll(strings.ReplaceAll(dartsV1, " ", ""), "=", " = "),
		strings.Replace(dartsV1, "normal_concat=[2, 3, 4, 5], ", "", 1),
	} {
		if g := parseGenotype(t, text); g.String() != dartsV1 {
			t.Errorf("%s reads as %v", text, g)
		}
	}
}

func TestSizesOutsideTheirRangeAreRefused(t *testing.T) {
	for name, size := range map[string]Size{
		"-1 channels": {Channels: -1}, "2000 channels": {Channels: 2000}, "-2 cells": {Cells: -2}, "reductions cannot be chosen": {Reductions: 1},
	} {
		_, err := NewSized("darts", fashion, Constraints{}, size)
		wantError(t, err, name)
	}
	_, err := NewSized("chain", fashion, Constraints{}, Size{Cells: 3})
	wantError(t, err, "a chain has no cells")
}

func FuzzParseGenotype(f *testing.F) {
	f.Add(dartsV1)
	f.Add("Genotype(normal=[('skip_connect', 0)")
	f.Add(`{"space":"darts","version":1,"normal":[],"reduce":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parseDarts(text)
		if err != nil {
			return
		}
		if h, err := parseDarts(g.String()); err != nil || h != g {
			t.Fatalf("%q reads as %v, and that as %v (%v)", text, g, h, err)
		}
	})
}
