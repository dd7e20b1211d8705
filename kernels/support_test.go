package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// canary is a NaN that no computation gives; canaries of them surround the memory
// that guards hands out.
const (
	canary   = 0x7fc0ca4a
	canaries = 32
)

// skew returns by how many floats slices are moved after so many resets: 0 three times out of four, else an odd number
// below 16.
func skew(resets int) int {
	if resets%4 != 3 {
		return 0
	}
	return resets/4*2%16 + 1
}

// forEachLevel runs a test once for each level of this machine and build.
func forEachLevel(t *testing.T, test func(t *testing.T, table *Table)) {
	t.Helper()
	for _, l := range Available() {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			test(t, table)
		})
	}
}

// allLevels returns the tables of this machine and build, for tests that compute what is right once for all of them.
func allLevels(t testing.TB) []*Table {
	t.Helper()
	var tables []*Table
	for _, l := range Available() {
		table, err := ForLevel(l)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	return tables
}

// inShort reports whether a case is to run: with -short (the race detector makes loops in Go some ten times slower) only the chosen ones.
func inShort(chosen bool) bool { return chosen || !testing.Short() }

// random returns n floats of about unit size.
func (g *guards) random(rng *rand.Rand, n int) []float32 {
	x := g.floats(n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// filled returns n floats equal to v.
func (g *guards) filled(n int, v float32) []float32 {
	x := g.floats(n)
	for i := range x {
		x[i] = v
	}
	return x
}

// clone returns a guarded copy of x.
func (g *guards) clone(x []float32) []float32 {
	y := g.floats(len(x))
	copy(y, x)
	return y
}

func newRand(name string, counters ...uint64) *rand.Rand {
	return stream.New(1, name, counters...)
}

// sameBits reports the first element whose bits differ.
func sameBits(got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("length %d, want %d", len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			return fmt.Errorf("element %d: %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

var (
	nan32 = float32(math.NaN())
	inf32 = float32(math.Inf(1))
)
