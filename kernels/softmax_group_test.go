//go:build amd64 && !purego

package kernels

import (
	"math"
	"slices"
	"testing"
)

// Rows give the same bits whether they are taken in groups or one by one, wherever rows lie that are not taken in groups, and in place.
func TestRowsInGroups(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("rows in groups")
		inf := float32(math.Inf(1))
		wide := []float32{-1000, -86.5, -85.5, -inf, inf, nan32, float32(math.Copysign(0, -1)), math.Float32frombits(0x7f8abcde)}
		for c := 1; c <= 70; c++ {
			if testing.Short() && c > 20 && c%9 > 0 {
				continue
			}
			for _, rows := range []int{4, 11, 32} {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				x := mem.random(rng, rows*c)
				for range rng.IntN(4) {
					x[rng.IntN(len(x))] = wide[rng.IntN(len(wide))]
				}
				labels, loss, one := mem.floats(rows), mem.filled(rows, nan32), mem.filled(1, nan32)
				for i := range labels {
					labels[i] = float32(rng.IntN(c))
				}
				y, row, in := mem.filled(rows*c, nan32), mem.filled(c, nan32), mem.clone(x)
				check := func(name string, f func(y, x, labels []float32, rows int)) {
					t.Helper()
					f(y, x, labels, rows)
					copy(in, x)
					f(in, in, labels, rows)
					if !slices.EqualFunc(y, in, equalOrNaN) {
						t.Fatalf("%s of %d x %d differs in place", name, rows, c)
					}
					for r := range rows {
						f(row, x[r*c:(r+1)*c], labels[r:r+1], 1)
						if got := y[r*c : (r+1)*c]; !slices.EqualFunc(got, row, equalOrNaN) {
							t.Fatalf("%s of %d x %d: row %d is %v, alone %v", name, rows, c, r, got, row)
						}
					}
				}
				check("softmax", func(y, x, _ []float32, rows int) { table.Softmax(y, x, rows, c) })
				check("log-softmax", func(y, x, _ []float32, rows int) { table.LogSoftmax(y, x, rows, c) })
				check("cross-entropy gradient", func(y, x, labels []float32, rows int) {
					table.CrossEntropyGrad(y, x, labels, 0.1, 2, rows, c)
				})
				table.CrossEntropy(loss, x, labels, 0.1, rows, c)
				for r := range rows {
					table.CrossEntropy(one, x[r*c:(r+1)*c], labels[r:r+1], 0.1, 1, c)
					if !equalOrNaN(one[0], loss[r]) {
						t.Fatalf("cross-entropy of %d x %d: row %d is %v, alone %v", rows, c, r, loss[r], one[0])
					}
				}
			}
		}
	})
}

// equalOrNaN reports whether two numbers are equal to the bit, or both NaN.
func equalOrNaN(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
