package space

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestCostsThatCannotBeCountedAreErrors: the widest networks on the largest images have more multiply-accumulates than an int64 holds. Neither a negative nor a wrapped
// number leaves the package.
func TestCostsThatCannotBeCountedAreErrors(t *testing.T) {
	huge := Task{maxSide, maxSide, maxChannels, maxClasses}
	open := Constraints{MaxChannels: -1, AllowWeightless: true}
	const cells = `
space: wide
kind: cells
operations: {conv: {type: conv, kernel: 11}}
nodes: 6
output: concat
channels: 1024
cells: 64
reductions: 0
`
	for _, c := range []Constraints{open, {MaxChannels: -1, MaxFLOPs: math.MaxInt64}, {MaxChannels: -1, MaxMACs: 1}, {MaxChannels: -1, MinParams: 1}} {
		s, err := Read(strings.NewReader(cells), "wide.yaml", huge, c, Size{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Parse(wideCell())
		if err != nil {
			t.Fatal(err)
		}
		isCount(t, s, g)
	}
}

// wideCell applies the operation to every earlier state.
func wideCell() string {
	var nodes []string
	for node := range 6 {
		var terms []string
		for from := range node + 1 {
			terms = append(terms, "conv~"+strconv.Itoa(from))
		}
		nodes = append(nodes, strings.Join(terms, " + "))
	}
	return strings.Join(nodes, " | ")
}

func isCount(t *testing.T, s Space, g Genome) {
	t.Helper()
	cost, err := s.Cost(g)
	for what, err := range map[string]error{"Cost": err, "Check": s.Check(g)} {
		if v, ok := errors.AsType[*Violation](err); !ok || v.Constraint != CountConstraint {
			t.Errorf("space %s: %s of %v: %v (%+v)", s.Name(), what, g, err, cost)
		}
	}
}

// TestCostsAddUpToTheMostAndNoFurther holds the arithmetic of a cost.
func TestCostsAddUpToTheMostAndNoFurther(t *testing.T) {
	most := int64(math.MaxInt64)
	for _, c := range []struct{ a, b, product, sum int64 }{
		{0, most, 0, most}, {1, most, most, most}, {2, most, most, most}, {most, most, most, most}, {1 << 31, 1 << 31, 1 << 62, 1 << 32}, {1 << 32, 1 << 31, most, 3 << 31},
		{3037000499, 3037000499, 9223372030926249001, 6074000998}, {most - 1, 1, most - 1, most}, {most - 2, 1, most - 2, most - 1},
	} {
		if p, s := times(c.a, c.b), plus(c.a, c.b); p != c.product || s != c.sum {
			t.Errorf("%d and %d give the product %d and the sum %d", c.a, c.b, p, s)
		}
	}
	var c Cost
	for range 3 {
		c.maxPool(size{1 << 20, 1 << 20, 1 << 30}, size{1 << 20, 1 << 20, 1 << 30}, 3, 1, 1)
		c.conv(size{1 << 20, 1 << 20, 1 << 30}, 1<<30, 15)
		c.linear(size{1, 1, 1 << 40}, 1<<40)
		c.batchNorm(size{1 << 20, 1 << 20, 1 << 40})
	}
	if want := (Cost{most, most, most, most}); c != want {
		t.Errorf("the cost is %+v", c)
	}
}
