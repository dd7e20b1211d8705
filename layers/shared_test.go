package layers

import (
	"errors"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/tensor"
)

func TestSharedParametersAreLeadingBlocks(t *testing.T) {
	s := NewSharedStore(1)
	NewConv2D(s.Root().Sub("a"), 2, 3, 3, ConvOptions{})
	w := s.Lookup("a.weight")
	small := append([]float32(nil), w.Value.Data()...)
	NewConv2D(s.Root().Sub("a"), 4, 5, 3, ConvOptions{})
	if s.Lookup("a.weight") != w || !w.Value.Shape().Equal(tensor.Shape{3, 3, 4, 5}) || len(s.All()) != 2 {
		t.Fatalf("the parameter is %v of %d", w.Value.Shape(), len(s.All()))
	}
	values := map[float32]bool{}
	for i, v := range w.Value.Data() {
		values[v] = true
		position, in, out := i/20, i/5%4, i%5
		if in < 2 && out < 3 && v != small[(position*2+in)*3+out] {
			t.Fatalf("element %d is %g, was %g", i, v, small[(position*2+in)*3+out])
		}
	}
	if len(values) < w.Value.Len()-2 {
		t.Errorf("%d different values of %d: what was added repeats what was there", len(values), w.Value.Len())
	}
	before := w.Value
	NewConv2D(s.Root().Sub("a"), 1, 5, 3, ConvOptions{})
	if w.Value != before {
		t.Error("a smaller block moves the parameter")
	}

	pass := &Pass{Graph: autograd.NewGraph()}
	c := NewConv2D(s.Root().Sub("a"), 1, 2, 3, ConvOptions{Padding: 1})
	c.Forward(pass, pass.Graph.Input("x", 1, 4, 4, 1))
	c.Forward(pass, pass.Graph.Input("y", 1, 4, 4, 1))
	if uses := pass.Uses(); len(uses) != 2 || uses[0].Parameter != w || !uses[0].Node.Shape().Equal(tensor.Shape{3, 3, 1, 2}) {
		t.Errorf("used twice: %+v", uses)
	}
}

func TestFrozenStoresKeepWhatTheyHave(t *testing.T) {
	build := func(s *Store, in int) *Linear { return NewLinear(s.Root().Sub("a"), in, 2) }
	s := NewSharedStore(1)
	build(s, 3)
	s.Freeze()
	wide := build(s, 5)
	NewLinear(s.Root().Sub("b"), 2, 2)
	if got := s.Lookup("a.weight").Value.Shape(); !got.Equal(tensor.Shape{3, 2}) || s.Lookup("b.weight") != nil || s.Elements() != 8 {
		t.Errorf("frozen, but a.weight is %v, b.weight %v", got, s.Lookup("b.weight"))
	}
	again := build(s, 5)
	for i, v := range wide.weight.Value.Data() {
		if again.weight.Value.Data()[i] != v || i < 6 && s.Lookup("a.weight").Value.Data()[i] != v {
			t.Errorf("element %d is %g, then %g", i, v, again.weight.Value.Data()[i])
		}
	}
}

func TestChoiceNamesAlternativesInSharedStoresOnly(t *testing.T) {
	for _, c := range []struct {
		store         *Store
		plain, shared string
		want          string
	}{
		{NewStore(1), "", "conv", "x"}, {NewStore(1), "edge0", "from1", "x.edge0"},
		{NewSharedStore(1), "", "conv", "x.conv"}, {NewSharedStore(1), "edge0", "from1", "x.from1"}, {NewSharedStore(1), "edge0", "", "x"},
	} {
		if got := c.store.Root().Sub("x").Choice(c.plain, c.shared).Path(); got != c.want {
			t.Errorf("%q or %q: %q, want %q", c.plain, c.shared, got, c.want)
		}
	}
}

func TestWidthsAreKeptApartWhereWanted(t *testing.T) {
	apart := NewSharedStore(1)
	apart.SeparateWidths()
	plain := NewStore(1)
	plain.SeparateWidths()
	for _, c := range []struct {
		store *Store
		want  string
	}{
		{NewStore(1), "x.conv"}, {plain, "x.conv"}, {NewSharedStore(1), "x.conv"}, {apart, "x.width16.conv"},
	} {
		if got := c.store.Root().Sub("x").Width(16).Sub("conv").Path(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestBuffersAreNotShared(t *testing.T) {
	s := NewSharedStore(1)
	a, b := NewBatchNorm(s.Root(), 3), NewBatchNorm(s.Root(), 3)
	if a.mean.Value == b.mean.Value || len(s.All()) != 2 || s.Lookup("running_mean") != nil {
		t.Errorf("%d parameters in the store", len(s.All()))
	}
	pass := &Pass{Graph: autograd.NewGraph(), Training: true, Momentum: 1}
	x := pass.Graph.Input("x", 4, 3)
	y := a.Forward(pass, x)
	if n := len(pass.Uses()); n != 4 {
		t.Fatalf("%d uses", n)
	}
	p, err := autograd.Compile(autograd.Options{Outputs: []*autograd.Node{y}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Tensor(x).Data() {
		p.Tensor(x).Data()[i] = float32(i)
	}
	p.Run(0)
	if m, other := a.mean.Value.Data()[1], b.mean.Value.Data()[1]; m != 5.5 || other != 0 {
		t.Errorf("running means %g and %g, want 5.5 and 0", m, other)
	}
}

func TestUsesWithOtherRanksOrKindsAreRefused(t *testing.T) {
	s := NewSharedStore(1)
	s.Root().Param("w", Weight, Zeros, 2, 3)
	for _, f := range []func(){
		func() { s.Root().Param("w", Weight, Zeros, 2) },
		func() { s.Root().Param("w", Bias, Zeros, 2, 3) },
	} {
		err := autograd.Build(func() error { f(); return nil })
		if _, ok := errors.AsType[*ConstructionError](err); !ok || !strings.Contains(err.Error(), `"w": it is a weight of 2x3 in one network`) {
			t.Errorf("got %v", err)
		}
	}
}

func TestBlockRowsCoverABlock(t *testing.T) {
	for _, c := range []struct{ outer, block tensor.Shape }{
		{tensor.Shape{3, 4, 5}, tensor.Shape{3, 4, 5}}, {tensor.Shape{3, 4, 5}, tensor.Shape{2, 4, 5}}, {tensor.Shape{3, 4, 5}, tensor.Shape{3, 2, 5}},
		{tensor.Shape{3, 4, 5}, tensor.Shape{2, 3, 1}}, {tensor.Shape{7}, tensor.Shape{4}}, {tensor.Shape{2, 3}, tensor.Shape{1, 1}},
	} {
		outer := tensor.New(c.outer...)
		for i := range outer.Data() {
			outer.Data()[i] = float32(i)
		}
		block := tensor.New(c.block...)
		CopyBlock(block, outer, c.block)
		index := make([]int, len(c.outer))
		for i, got := range block.Data() {
			rest := i
			for d := len(index) - 1; d >= 0; d-- {
				index[d], rest = rest%c.block[d], rest/c.block[d]
			}
			if want := outer.At(index...); got != want {
				t.Errorf("%v of %v: element %v is %g, want %g", c.block, c.outer, index, got, want)
			}
		}
		if rows := BlockRows(c.outer, c.block); len(rows.Starts)*rows.Length != c.block.Elements() {
			t.Errorf("%v of %v: %+v", c.block, c.outer, rows)
		}
	}
}
