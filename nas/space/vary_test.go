package space

import (
	"strings"
	"testing"
)

// TestNumbersAreAllGenomes goes through small spaces from end to end.
func TestNumbersAreAllGenomes(t *testing.T) {
	task := Task{8, 8, 1, 3}
	for _, c := range []struct {
		name, yaml string
		want       int
	}{
		{"chain", "space: small\nkind: chain\ndepth: [1, 3]\nconnections: [sequential, add]\noperations:\n  conv: {type: conv, kernel: [1, 3], channels: 4}\n  skip: {type: skip}\n", 3 + 3*6 + 3*6*6},
		{"cells with none", "space: small\nkind: cells\nnodes: 2\noperations:\n  conv: {type: conv, kernel: 3}\n  zero: {type: none}\n", 1 * 3},
		{"cells with two inputs", "space: small\nkind: cells\nnodes: 3\ninputs: 2\noperations:\n  conv: {type: conv, kernel: 3}\n  skip: {type: skip}\n", 2 * 4 * 3 * 4},
	} {
		s, err := Read(strings.NewReader(c.yaml), c.name, task, Constraints{}, Size{})
		if err != nil {
			t.Fatal(err)
		}
		n, ok := s.(Countable).Count()
		if !ok {
			t.Fatal("too many")
		}
		seen := map[string]bool{}
		for i := range n {
			if g, ok := s.(Countable).At(i); ok {
				seen[g.String()] = true
			}
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d genomes, want %d", c.name, len(seen), c.want)
		}
	}
}

// TestCountsOfLargeSpaces compares counts with products worked out by hand.
func TestCountsOfLargeSpaces(t *testing.T) {
	for name, want := range map[string]uint64{
		"chain":     14 * (56*56 + 56*56*56 + 56*56*56*56 + 56*56*56*56*56 + 56*56*56*56*56*56 + 56*56*56*56*56*56*56),
		"seed-cell": 9765625, // 5^10
		"darts":     1037664180 * 1037664180,
	} {
		s, err := New(name, Task{28, 28, 1, 10}, Constraints{})
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := s.(Countable).Count(); !ok || n != want {
			t.Errorf("%s: %d genomes (%v), want %d", name, n, ok, want)
		}
	}
}
