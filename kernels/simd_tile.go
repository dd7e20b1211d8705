//go:build amd64 && !purego

package kernels

import "unsafe"

// simd is what the routines above the micro-kernel know of a level. The loop nests
// are the same for all levels.
type simd struct {
	level Level
	lanes int    // floats in a vector
	rows  [3]int // largest number of rows of a tile of one and of two vectors

	packRows        int // rows of A up to which packing B does not pay
	packRowsAliased int // where rows of B share the sets of the first-level cache
	wideReduction   int // columns of the widest block of a reduction
	lastCache       int // floats in the last cache
}

var (
	simdAVX2   = simd{level: AVX2, lanes: 8, rows: [3]int{1: 12, 2: 6}, packRows: 18, packRowsAliased: 6, wideReduction: 16, lastCache: cacheFloats()}
	simdAVX512 = simd{level: AVX512, lanes: 16, rows: [3]int{1: 28, 2: 14}, packRows: 28, packRowsAliased: 28, wideReduction: 64, lastCache: cacheFloats()}
)

// run calls the micro-kernel.
func (s *simd) run(rows, vectors int, t *tile) {
	if s.level == AVX512 {
		tileAVX512(rows, vectors, t)
	} else {
		tileAVX2(rows, vectors, t)
	}
}

// panel returns the vectors of the columns j..n that a tile takes at most, and the
// columns of the last one.
func (s *simd) panel(j, n int) (vectors, tail int) {
	if n-j > s.lanes {
		return 2, min(n-j-s.lanes, s.lanes)
	}
	return 1, n - j
}

// width is the number of columns of a whole panel.
func (s *simd) width() int { return 2 * s.lanes }

// roundUp returns the smallest multiple of a vector that is at least n.
func (s *simd) roundUp(n int) int { return (n + s.lanes - 1) &^ (s.lanes - 1) }

// addBytes returns the address n bytes after p, which must lie in the slice of p. The
// routines check the lengths of slices once, before the tiles.
func addBytes(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), n)) }

// bytesBetween returns how far the start of b lies after that of a. They must not lie on the stack, which may move.
func bytesBetween(a, b []float32) int {
	return int(uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&a[0])))
}

// strip runs tiles over n rows, in parts of about the same size. a and c are those of
// the first row; t holds the rest, but for what is set by each call.
func (s *simd) strip(t *tile, a, c *float32, n, vectors, pieces int) {
	tiles := (n + s.rows[vectors] - 1) / s.rows[vectors]
	most := s.together(t.length * pieces)
	t.bTile, t.biasTile = 0, 0
	for done, first := 0, 0; done < tiles; {
		rows, count := n/tiles, tiles-done
		if longer := n % tiles; done < longer { // the first tiles have a row more
			rows, count = rows+1, longer-done
		}
		count = min(count, most)
		t.aTile, t.cTile = rows*t.aRow, rows*t.cRow
		s.tiles(t, addBytes(a, first*t.aRow), addBytes(c, first*t.cRow), rows, vectors, pieces, count)
		first += rows * count
		done += count
	}
}

// tiles runs some tiles of one size, no more than together allows.
func (s *simd) tiles(t *tile, a, c *float32, rows, vectors, pieces, count int) {
	for j := 0; j*tileGroup < rows; j++ {
		t.a[j] = addBytes(a, j*tileGroup*t.aRow)
		t.c[j] = addBytes(c, j*tileGroup*t.cRow)
	}
	t.count, t.reduced, t.tiles = pieces, pieces, count
	t.aAt, t.bAt, t.cAt, t.biasAt = 0, 0, 0, 0
	s.run(rows, vectors, t)
}

// together returns how many tiles of so many steps one call of the micro-kernel runs at most.
func (s *simd) together(steps int) int {
	if s.level != AVX2 {
		return 1
	}
	return max(1, tileSteps/max(1, steps))
}

// packPanels copies n columns of rows of b, ldb apart, into panels: that of columns
// j starts at j*rows, and its rows are as long as its vectors.
func (s *simd) packPanels(dst, b []float32, rows, n, ldb int) {
	for j := 0; j < n; j += s.width() {
		vectors, tail := s.panel(j, n)
		width := vectors * s.lanes
		d := dst[j*rows:][:rows*width]
		from := b[j:][:(rows-1)*ldb+width-s.lanes+tail]
		for i := 0; i < rows; i += packRowsAtOnce {
			s.pack(vectors, &d[i*width], &from[i*ldb], min(packRowsAtOnce, rows-i), 4*ldb, tail)
		}
	}
}

// packRowsAtOnce bounds the rows that one call of a routine packs: rows far apart may each miss every cache, and the scheduler cannot stop
// a goroutine within a call.
const packRowsAtOnce = 512

// pack copies rows of vectors.
func (s *simd) pack(vectors int, dst, src *float32, rows, step, tail int) {
	switch {
	case s.level == AVX512 && vectors == 2:
		packAVX512x2(dst, src, rows, step, tail)
	case s.level == AVX512:
		packAVX512x1(dst, src, rows, step, tail)
	case vectors == 2:
		packAVX2x2(dst, src, rows, step, tail)
	default:
		packAVX2x1(dst, src, rows, step, tail)
	}
}

// packTransposed packs like packPanels from the transpose: column j is row j of b. Rows of
// panels start at row first of total.
func (s *simd) packTransposed(dst, b []float32, first, rows, total, n, ldb int) {
	for j := 0; j < n; j += s.width() {
		vectors, tail := s.panel(j, n)
		width := vectors * s.lanes
		d := dst[j*total+first*width:][:rows*width]
		columns := width - s.lanes + tail
		whole, blocks := columns&^7, rows&^7
		for jj := 0; jj < whole && blocks > 0; jj += 8 {
			from := b[(j+jj)*ldb:][: 7*ldb+rows : 7*ldb+rows]
			transposeAVX2(&d[jj], &from[0], blocks/8, 4*width, 4*ldb)
		}
		for jj := range columns {
			from := b[(j+jj)*ldb:][:rows]
			at := 0
			if jj < whole {
				at = blocks
			}
			to := d[jj:]
			for i := at; i < rows; i++ {
				to[i*width] = from[i]
			}
		}
	}
}
