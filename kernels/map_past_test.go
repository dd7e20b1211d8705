//go:build amd64 && !purego

package kernels

import "testing"

// TestMapsPastTheCachesAreExact holds maps that store past the caches against those that do not, bit by bit, at all
// short lengths and alignments. A cache of no floats makes every length too long for it.
func TestMapsPastTheCachesAreExact(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		if table.Level == Generic {
			t.Skip("stores as the compiler does")
		}
		s := simdAVX2
		if table.Level == AVX512 {
			s = simdAVX512
		}
		s.lastCache = 0
		past := genericTable()
		s.overrideMaps(past)
		mem, rng := newGuards(t), newRand("maps past the caches")
		maps := map[string]func(t *Table, dst, a, b []float32){
			"add":  func(t *Table, dst, a, b []float32) { t.Add(dst, a, b) },
			"sub":  func(t *Table, dst, a, b []float32) { t.Sub(dst, a, b) },
			"mul":  func(t *Table, dst, a, b []float32) { t.Mul(dst, a, b) },
			"div":  func(t *Table, dst, a, b []float32) { t.Div(dst, a, b) },
			"scal": func(t *Table, dst, a, _ []float32) { t.Scal(dst, a, 0.3) },
			"wsum": func(t *Table, dst, a, b []float32) {
				t.WSum(dst, [][]float32{a, b, a}, []float32{0.3, 0.7, -0.1})
			},
		}
		for a := range NumActivations {
			maps[a.testName()] = func(t *Table, dst, x, _ []float32) { t.Activate[a](dst, x) }
			maps[a.testName()+" gradient"] = func(t *Table, dst, dy, x []float32) { t.ActivateGrad[a](dst, dy, x) }
		}
		for name, run := range maps {
			lengths := []int{mapChunk + 77}
			for n := range 200 {
				lengths = append(lengths, n)
			}
			for _, n := range lengths {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				a, b := mem.special(rng, n), mem.special(rng, n)
				want, got := make([]float32, n), mem.filled(n, nan32)
				run(table, want, a, b)
				run(past, got, a, b)
				if err := sameFloats(got, want); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				run(past, a, a, b) // in place
				if err := sameFloats(a, want); err != nil {
					t.Fatalf("%s, in place: %v", name, err)
				}
			}
		}
	})
}
