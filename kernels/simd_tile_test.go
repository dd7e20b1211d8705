//go:build amd64 && !purego

package kernels

import (
	"testing"
)

// simdLevels returns the levels of this machine that have tiles.
func simdLevels() []*simd {
	var levels []*simd
	for _, s := range []*simd{&simdAVX2, &simdAVX512} {
		if contains(Available(), s.level) {
			levels = append(levels, s)
		}
	}
	return levels
}

// TestTiles runs every routine of the family with every tail and epilogue against
// forbidden pages.
func TestTiles(t *testing.T) {
	mem := newGuards(t)
	rng := newRand("tiles")
	for _, s := range simdLevels() {
		for vectors := 1; vectors <= 2; vectors++ {
			for rows := 1; rows <= 4*s.rows[vectors]; rows++ {
				if rows > s.rows[vectors] && rows%3 != 0 { // several tiles
					continue
				}
				for tail := 1; tail <= s.lanes; tail++ {
					mem.reset()
					mem.atStart = rng.IntN(2) == 0
					n := (vectors-1)*s.lanes + tail
					pieces, length := rng.IntN(4), rng.IntN(5)
					aRow, aStep := 1, rows+rng.IntN(3) // rows side by side, as in a transpose
					if rng.IntN(2) == 0 {
						aRow, aStep = max(1, pieces*length), 1
					}
					bStep, cRow := n+rng.IntN(4), n+rng.IntN(4)
					steps := pieces * length
					a := mem.random(rng, max(0, (rows-1)*aRow+(steps-1)*aStep)+1)
					b := mem.random(rng, max(0, steps-1)*bStep+n)
					bias := mem.random(rng, n)
					c := mem.random(rng, (rows-1)*cRow+n)
					flags := rng.IntN(16)
					list := make([]tilePiece, pieces+1)
					for i := range pieces { // in the opposite order in memory
						list[i] = tilePiece{a: 4 * (pieces - 1 - i) * length * aStep, b: 4 * (pieces - 1 - i) * length * bStep}
					}
					want := make([]exact, len(c))
					for i := range want {
						row, col := i/cRow, i%cRow
						e := &want[i]
						if col >= n {
							*e = exact{value: float64(c[i])}
							continue
						}
						alpha := 1.0
						if flags&tileAlpha != 0 {
							alpha = 0.5
						}
						for k := range steps {
							e.add(alpha * float64(a[row*aRow+k*aStep]) * float64(b[k*bStep+col]))
						}
						if flags&tileBeta != 0 {
							e.add(-0.25 * float64(c[i]))
						}
						if flags&tileBias != 0 {
							e.add(float64(bias[col]))
						}
						if flags&tileReLU != 0 {
							e.value = max(e.value, 0)
						}
					}
					args := tile{
						b: &b[0], bias: &bias[0], pieces: &list[0], length: length,
						aRow: 4 * aRow, cRow: 4 * cRow, aStep: 4 * aStep, bStep: 4 * bStep,
						tail: tail, flags: flags, alpha: 0.5, beta: -0.25,
					}
					s.strip(&args, &a[0], &c[0], rows, vectors, pieces)
					if err := closeTo(c, want, products(steps)); err != nil {
						t.Fatalf("%v: %d rows, %d vectors, tail %d, %d pieces of %d, flags %04b: %v", s.level, rows, vectors, tail, pieces, length, flags, err)
					}
				}
			}
		}
	}
}

// TestPacking holds both kinds of packing against the layout that they promise.
func TestPacking(t *testing.T) {
	mem := newGuards(t)
	rng := newRand("packing")
	for _, s := range simdLevels() {
		for rows := 1; rows <= 40; rows += 1 + rows/17*3 {
			for n := 1; n <= 3*s.width(); n++ {
				if !inShort((n+rows)%4 == 0) {
					continue
				}
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				first, wide := rng.IntN(3), rng.IntN(3)
				total := first + rows + rng.IntN(2)
				plain, turned := mem.random(rng, (rows-1)*(n+wide)+n), mem.random(rng, (n-1)*(rows+wide)+rows)
				dst, dstTurned := mem.filled(rows*s.roundUp(n), between), mem.filled(total*s.roundUp(n), between)
				s.packPanels(dst, plain, rows, n, n+wide)
				s.packTransposed(dstTurned, turned, first, rows, total, n, rows+wide)
				for j := range n {
					panel := j / s.width() * s.width()
					vectors, _ := s.panel(panel, n)
					width := vectors * s.lanes
					for i := range rows {
						if got, want := dst[panel*rows+i*width+j-panel], plain[i*(n+wide)+j]; got != want {
							t.Fatalf("%v: %dx%d: element %d,%d is %v, want %v", s.level, rows, n, i, j, got, want)
						}
						if got, want := dstTurned[panel*total+(first+i)*width+j-panel], turned[j*(rows+wide)+i]; got != want {
							t.Fatalf("%v: %dx%d from the transpose: element %d,%d is %v, want %v", s.level, rows, n, i, j, got, want)
						}
					}
				}
				for i, v := range dstTurned {
					panel := i / (total * s.width()) * s.width()
					vectors, _ := s.panel(panel, n)
					if row := (i - panel*total) / (vectors * s.lanes); v != between && (row < first || row >= first+rows) {
						t.Fatalf("%v: %dx%d from the transpose: row %d of %d was written", s.level, rows, n, row, total)
					}
				}
			}
		}
	}
}
