package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// Rows of every width are copied, and nothing between them is touched.
func TestCopyRows(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		g := newGuards(t)
		rng := stream.New(1, "copy rows")
		for c := range 150 {
			for _, rows := range []int{0, 1, 2, 5} {
				for _, gap := range [][2]int{{0, 0}, {1, 0}, {0, 3}, {17, 5}} {
					g.reset()
					to, from := c+gap[0], c+gap[1]
					size := func(step int) int { return max(0, (rows-1)*step+c) }
					src, dst := g.special(rng, size(from)), g.filled(size(to), 7)
					want := g.clone(dst)
					genericCopyRows(want, to, src, from, rows, c)
					for r := range rows {
						for i := range c {
							if math.Float32bits(want[r*to+i]) != math.Float32bits(src[r*from+i]) {
								t.Fatalf("generic: row %d column %d is %v", r, i, want[r*to+i])
							}
						}
					}
					table.CopyRows(dst, to, src, from, rows, c)
					if err := sameBits(dst, want); err != nil {
						t.Fatalf("%d rows of %d, %d and %d apart: %v", rows, c, to, from, err)
					}
				}
			}
		}
		// More rows than one call of a routine takes.
		const rows, c = 40000, 3
		src, dst := g.random(rng, rows*5), make([]float32, rows*c)
		table.CopyRows(dst, c, src, 5, rows, c)
		for i := range rows {
			if dst[i*c+2] != src[i*5+2] {
				t.Fatalf("row %d of many is wrong", i)
			}
		}
	})
}

func BenchmarkCopyRows(b *testing.B) {
	const rows = 1 << 14
	for _, c := range []int{3, 16, 17, 64} {
		src, dst := make([]float32, rows*c), make([]float32, rows*c*2)
		forEachLevelBench(b, fmt.Sprint("c=", c), func(b *testing.B, table *Table) {
			b.SetBytes(8 * rows * int64(c))
			for b.Loop() {
				table.CopyRows(dst, 2*c, src, c, rows, c)
			}
		})
	}
}
