package kernels

import (
	"math"
	"testing"
)

// TestExpOverAllFloats takes every 997th float32 of all 2^32, and all near the ends of the range. In assembly the error stays
// below one unit in the last place: half a one from the last step, a third from the argument of that step, which is
// |r| <= 0.35 times a sum of about one, an eighth from the polynomial (see asmgen), and what is left from r. Generic allows two.
func TestExpOverAllFloats(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		bound := 1.0
		if table.Level == Generic {
			bound = 2
		}
		const n = 1 << 12
		x, y := make([]float32, 0, n), make([]float32, n)
		worst := 0.0
		flush := func() {
			table.Activate[Exp](y[:len(x)], x)
			for i, v := range x {
				want, got := math.Exp(float64(v)), float64(y[i])
				unit := 0x1p-149
				if want > 0x1p-126 {
					unit = math.Ldexp(1, math.Ilogb(want)-23)
				}
				switch {
				case math.IsNaN(want):
					if !math.IsNaN(got) {
						t.Fatalf("exp(%v) = %v", v, got)
					}
				case math.IsInf(float64(float32(want)), 0):
					if !math.IsInf(got, 1) {
						t.Fatalf("exp(%v) = %v", v, got)
					}
				default:
					if e := math.Abs(got-want) / unit; !(e <= bound) {
						t.Fatalf("exp(%v) = %v, want %v, off by %.3g units in the last place", v, got, want, e)
					} else {
						worst = max(worst, e)
					}
				}
			}
			x = x[:0]
		}
		add := func(bits uint64) {
			x = append(x, math.Float32frombits(uint32(bits)))
			if len(x) == n {
				flush()
			}
		}
		for bits := uint64(0); bits < 1<<32; bits += 997 {
			add(bits)
		}
		for _, end := range []float32{88.722839, -87.336548, -103.97208, 0, inf32} {
			bits := uint64(math.Float32bits(end))
			for d := range uint64(1000) {
				add(bits + d)
				add(bits - min(d, bits))
			}
		}
		flush()
		t.Logf("at most %.3f units in the last place", worst)
		special := []float32{inf32, -inf32, nan32, 0, float32(math.Copysign(0, -1)), 89, -104, -103}
		table.Activate[Exp](y[:len(special)], special)
		for i, want := range []float32{inf32, 0, nan32, 1, 1, inf32, 0, 0x1p-149} {
			if y[i] != want && !(y[i] != y[i] && want != want) {
				t.Errorf("exp(%v) = %v, want %v", special[i], y[i], want)
			}
		}
	})
}

// TestActivationsDoNotDependOnPlace holds activations of a whole slice against those of pieces of it,
// bit by bit, and levels in assembly against each other.
func TestActivationsDoNotDependOnPlace(t *testing.T) {
	rng := newRand("activations in pieces")
	mem := newGuards(t)
	x, dy := mem.special(rng, 1000), mem.random(rng, 1000)
	for i := range x {
		x[i] *= 20
	}
	var first [2][NumActivations][]float32 // of the first level in assembly
	forEachLevel(t, func(t *testing.T, table *Table) {
		for a := range NumActivations {
			run := [2]func(lo, hi int, y []float32){
				func(lo, hi int, y []float32) { table.Activate[a](y[lo:hi], x[lo:hi]) },
				func(lo, hi int, y []float32) { table.ActivateGrad[a](y[lo:hi], dy[lo:hi], x[lo:hi]) },
			}
			for i, f := range run {
				whole, pieces := make([]float32, len(x)), make([]float32, len(x))
				f(0, len(x), whole)
				for lo := 0; lo < len(x); {
					hi := min(len(x), lo+1+rng.IntN(70))
					f(lo, hi, pieces)
					lo = hi
				}
				if err := sameFloats(pieces, whole); err != nil {
					t.Errorf("%s, %d: %v", a.testName(), i, err)
				}
				if table.Level == Generic {
					continue
				}
				if first[i][a] == nil {
					first[i][a] = whole
				} else if err := sameFloats(whole, first[i][a]); err != nil {
					t.Errorf("%s, %d, of two levels: %v", a.testName(), i, err)
				}
			}
		}
	})
}
