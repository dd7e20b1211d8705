//go:build !(linux || darwin)

package kernels

import (
	"math"
	"testing"
)

// guards hands out memory between canaries and checks them at reset: where pages
// cannot be protected, this finds writes outside a slice, though not reads.
type guards struct {
	t       testing.TB
	atStart bool
	resets  int
	used    [][]float32
}

func newGuards(t testing.TB) *guards {
	g := &guards{t: t}
	t.Cleanup(g.reset)
	return g
}

// floats returns n floats of any value, valid until reset.
func (g *guards) floats(n int) []float32 {
	mem := make([]float32, n+2*canaries+skew(g.resets))[skew(g.resets):]
	for i := range mem {
		if i < canaries || i >= n+canaries {
			mem[i] = math.Float32frombits(canary)
		}
	}
	g.used = append(g.used, mem)
	return mem[canaries : canaries+n : canaries+n]
}

func (g *guards) reset() {
	g.t.Helper()
	for _, mem := range g.used {
		for i, v := range mem {
			outside := i < canaries || i >= len(mem)-canaries
			if outside && math.Float32bits(v) != canary {
				g.t.Errorf("float %d of a slice of %d was overwritten with %v", i-canaries, len(mem)-2*canaries, v)
			}
		}
	}
	g.used = g.used[:0]
	g.resets++
}
