package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// eps is the distance from 1 to the next float32. A sum of n products, each rounded
// to nearest, in any order and with or without fused multiplication, differs from
// the exact one by at most (n+1)*eps/2/(1-n*eps) times the sum of absolute products (Higham
// 2002, section 3.1); the tests allow (n+2)*eps times that, which is twice as much.
const eps = 0x1p-23

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

// exact is the float64 result of the definition, and the sum of the absolute values
// of the terms that it is a sum of.
type exact struct{ value, size float64 }

func (e *exact) add(v float64) { e.value += v; e.size += math.Abs(v) }

// closeTo reports the first element of got that differs from want by more than
// factor*eps times its size. Below the normal numbers, zero is near enough.
func closeTo(got []float32, want []exact, factor float64) error {
	for i, w := range want {
		g := float64(got[i])
		switch {
		case math.IsNaN(w.value):
			if !math.IsNaN(g) {
				return fmt.Errorf("element %d: %v, want NaN", i, g)
			}
		case math.IsInf(w.value, 0):
			if g != w.value {
				return fmt.Errorf("element %d: %v, want %v", i, g, w.value)
			}
		case !(math.Abs(g-w.value) <= factor*eps*w.size+0x1p-126):
			return fmt.Errorf("element %d: %v, want %v, differs by %.3g, allowed %.3g", i, g, w.value, g-w.value, factor*eps*w.size)
		}
	}
	return nil
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
