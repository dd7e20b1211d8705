package kernels

import "testing"

// TestChannelReductionsAreExact holds the reductions of a level against the
// generic ones, bit by bit, on special values. (Where the compiler fuses x*y + z, the
// generic ones round otherwise; the test works with values that make this exact.)
func TestChannelReductionsAreExact(t *testing.T) {
	generic := genericTable()
	for _, l := range Available()[1:] {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			mem, rng := newGuards(t), newRand("exact reductions")
			check := func(rows, c int, draw func(n int) []float32) {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				x, dy, mean := draw(rows*c), draw(rows*c), draw(c)
				got := [2][]float32{mem.filled(c, 3), mem.filled(c, 3)}
				want := [2][]float32{make([]float32, c), make([]float32, c)}
				compare := func(name string) {
					for i := range got {
						if err := sameFloats(got[i], want[i]); err != nil {
							t.Fatalf("%d x %d: %s: result %d: %v", rows, c, name, i, err)
						}
					}
				}
				table.ChannelMoments(got[0], got[1], x, rows, c)
				generic.ChannelMoments(want[0], want[1], x, rows, c)
				compare("moments")
				table.ChannelDot(got[0], got[1], dy, x, mean, rows, c)
				generic.ChannelDot(want[0], want[1], dy, x, mean, rows, c)
				compare("dot")
				table.ChannelSum(got[0], x, rows, c)
				generic.ChannelSum(want[0], x, rows, c)
				compare("sum")
			}
			// Differences and products of small integers are exact in double.
			integers := func(n int) []float32 {
				x := mem.random(rng, n)
				for i := range x {
					x[i] = float32(int(x[i] * 1000))
				}
				return x
			}
			infinite := func(n int) []float32 {
				x := integers(n)
				for i := range x {
					switch rng.IntN(100) {
					case 0:
						x[i] = nan32
					case 1:
						x[i] = inf32
					}
				}
				return x
			}
			for c := 1; c <= 140; c++ {
				if !inShort(c%5 == 0 || c < 20) {
					continue
				}
				for _, rows := range []int{0, 1, 2, 3, 29, 65} {
					check(rows, c, integers)
					check(rows, c, infinite)
				}
			}
			check(5000, 3, integers)
			check(700, 16, integers)
			check(3, 5000, integers)
		})
	}
}
