//go:build amd64 && !purego

package kernels

// multiply computes the pixels of a box: rows of tiles are pixels, columns are
// output channels, and the reduction goes over taps and source channels.
func (e *conv) multiply(v, h *axisRun, b *box) {
	// A piece of the reduction is a kernel row where its taps are contiguous, else a tap.
	perRow, length := h.taps, e.srcChan
	if e.contiguous(h) && h.taps*e.srcChan <= tileSteps {
		perRow, length = min(h.taps, 1), h.taps*e.srcChan
	}
	total := v.taps * perRow
	atOnce := max(1, min(tilePieces, tileSteps/max(length, 1)))
	firstTap := v.groupFirst*e.cols.kernel + v.size*h.groupFirst + (v.first-v.groupFirst)*h.size + (h.first - h.groupFirst)

	b.merge()
	if total == 0 && e.part == (convPart{first: true}) && e.residual == nil {
		e.clear(b)
		return
	}
	var pieces [tilePieces]tilePiece
	t := tile{pieces: &pieces[0], length: length, aStep: 4, beta: 1}
	for j := 0; j < e.dstChan; j += e.width() {
		vectors, tail := e.panel(j, e.dstChan)
		e.choose(b, vectors, total*length)
		row, start := e.weightsRow, j
		if row == 0 {
			row, start = vectors*e.lanes, j*e.rows.kernel*e.cols.kernel*e.srcChan
		}
		t.b, t.bStep, t.tail = &e.weights[start], 4*row, tail
		if e.bias != nil {
			t.bias = &e.bias[j]
		}
		t.aRow, t.cRow = 4*b.src[2], 4*b.dst[2]
		if total == 0 { // A is not read, but its addresses must lie in some slice
			t.aRow = 0
		}
		for done := 0; ; done += atOnce {
			count := min(atOnce, total-done)
			for i := range count {
				p, q := (done+i)/perRow, (done+i)%perRow
				pieces[i] = tilePiece{
					a: 4 * (p*v.srcTap*e.cols.in + q*h.srcTap) * e.srcPix,
					b: 4 * (firstTap + p*h.size + q) * e.srcChan * row,
				}
			}
			first := done == 0 && e.part.first
			e.convEpilogue(&t, first, done+count == total)
			for outer := range b.n[0] {
				for inner := range b.n[1] {
					to := &e.dst[b.dst0+outer*b.dst[0]+inner*b.dst[1]+j]
					from := to // not read
					if total > 0 {
						from = &e.src[b.src0+outer*b.src[0]+inner*b.src[1]]
					}
					if e.residual == nil {
						e.strip(&t, from, to, b.n[2], vectors, count)
						continue
					}
					e.stripAdd(&t, from, b.dst0+outer*b.dst[0]+inner*b.dst[1], j, b.n[2], vectors, count, first)
				}
			}
			if done+count == total {
				break
			}
		}
	}
}

// clear sets the pixels of a box to zero: those of an input gradient that no output reads, as with strides.
func (e *conv) clear(b *box) {
	run, step := b.n[2], b.dst[2]
	length := e.dstChan
	if step == e.dstChan { // pixels side by side
		run, length = 1, run*e.dstChan
	}
	for outer := range b.n[0] {
		for inner := range b.n[1] {
			at := b.dst0 + outer*b.dst[0] + inner*b.dst[1]
			for i := range run {
				clear(e.dst[at+i*step:][:length])
			}
		}
	}
}

// convEpilogue sets what happens to the sum over some of the pieces.
func (e *conv) convEpilogue(t *tile, first, last bool) {
	t.flags = 0
	if !first || e.residual != nil {
		t.flags |= tileBeta
	}
	if last && e.part.bias {
		t.flags |= tileBias
	}
	if last && e.part.relu {
		t.flags |= tileReLU
	}
}

// stripAdd runs tiles over n pixels from dst on, channels from j on. The destination begins as the residual: tiles read that in its place if its pixels
// are as far apart, else some pixels of it are copied at a time, just before they are computed.
func (e *conv) stripAdd(t *tile, from *float32, dst, j, n, vectors, pieces int, first bool) {
	step := t.cRow / 4                    // of the destination
	resStep := step / e.dstPix * e.resPix // of the residual
	res := dst / e.dstPix * e.resPix
	columns := (vectors-1)*e.lanes + t.tail
	if e.resPix == e.dstPix {
		to := e.dst[dst+j:]
		if first {
			t.from = bytesBetween(to, e.residual[res+j:])
		}
		e.strip(t, from, &to[0], n, vectors, pieces)
		t.from = 0
		return
	}
	for i := 0; i < n; i += residualRows {
		count := min(residualRows, n-i)
		to := e.dst[dst+i*step+j:]
		if first {
			if r := e.residual[res+i*resStep+j:]; !sameStart(r, to) {
				e.copyRows(to, step, r, resStep, count, columns)
			}
		}
		e.strip(t, addBytes(from, i*t.aRow), &to[0], count, vectors, pieces)
	}
}

// choose turns the direction along which tiles fit best into the innermost place, for a reduction of so many steps. One whose pixels lie
// further apart has to be better by a twentieth.
func (e *conv) choose(b *box, vectors, steps int) {
	best, bestCost := 2, 0
	for i := 2; i >= 0; i-- {
		if cost := e.boxCost(b.n, i, vectors, steps); i == 2 || cost < bestCost-bestCost/20 {
			best, bestCost = i, cost
		}
	}
	b.turn(best)
}

// What a tile and a call for a strip of tiles cost beside the reduction, in about the cycles of a step for one row of a tile.
const (
	tileCost = 32
	callCost = 48
)

// boxCost is about the cycles of strips of tiles along direction i of a box.
func (s *simd) boxCost(n [3]int, i, vectors, steps int) int {
	tiles := (n[i] + s.rows[vectors] - 1) / s.rows[vectors]
	return n[0] * n[1] * n[2] / max(n[i], 1) * (s.stripCost(n[i], vectors)*steps + tiles*tileCost + callCost)
}

// stripCost is about the cycles of one step of the reduction over n rows of tiles. A
// tile of few rows waits for its accumulators: four cycles, two operations a cycle.
func (s *simd) stripCost(n, vectors int) int {
	tiles := (n + s.rows[vectors] - 1) / s.rows[vectors]
	return tiles * max((n+tiles-1)/tiles, 8/vectors)
}

// weightsSteps is about how many pixels one call of the micro-kernel reduces in the
// gradient of the weights: enough to hide the loading and storing of accumulators, few
// enough for the pixels to stay in cache while all tiles pass over them.
const weightsSteps = 512

// shortRun is the number of pixels from which on a run is reduced as one piece.
const shortRun = 4

// addGradient adds the products of the pixels of a box: rows of tiles are taps and
// source channels, columns are output channels, and the reduction goes over pixels.
func (e *conv) addGradient(v, h *axisRun, b *box) {
	if v.taps*h.taps == 0 {
		return
	}
	b.merge()
	// Neighbours along a row are the nearest in memory; runs of a few only cost time between them.
	for i := 2; i >= 0; i-- {
		if b.n[i] >= shortRun || i == 0 {
			b.turn(i)
			break
		}
	}
	var pieces [tilePieces]tilePiece
	t := tile{
		pieces: &pieces[0],
		aRow:   4, cRow: 4 * e.gradientRow,
		aStep: 4 * b.src[2], bStep: 4 * b.dst[2],
		flags: tileBeta, beta: 1,
	}
	total := b.n[0] * b.n[1]
	for start := 0; start < b.n[2]; start += weightsSteps {
		t.length = min(weightsSteps, b.n[2]-start)
		atOnce := min(tilePieces, max(1, weightsSteps/t.length))
		for done := 0; done < total; done += atOnce {
			count := min(atOnce, total-done)
			for i := range count {
				outer, inner := (done+i)/b.n[1], (done+i)%b.n[1]
				pieces[i] = tilePiece{
					a: 4 * (outer*b.src[0] + inner*b.src[1] + start*b.src[2]),
					b: 4 * (outer*b.dst[0] + inner*b.dst[1] + start*b.dst[2]),
				}
			}
			e.gradientTiles(&t, v, h, b, count)
		}
	}
}

// gradientTiles runs the tiles of all taps of a region over some pieces of pixels.
func (e *conv) gradientTiles(t *tile, v, h *axisRun, b *box, count int) {
	taps, channels := h.taps, e.srcChan
	if e.contiguous(h) { // one strip for all taps of a kernel row
		taps, channels = 1, h.taps*e.srcChan
	}
	for p := range v.taps {
		for q := range taps {
			from := &e.src[b.src0+(p*v.srcTap*e.cols.in+q*h.srcTap)*e.srcPix]
			row := ((v.first+p)*e.cols.kernel + h.first + q) * e.srcChan
			for j := 0; j < e.dstChan; j += e.width() {
				vectors, tail := e.panel(j, e.dstChan)
				t.b, t.tail = &e.dst[b.dst0+j], tail
				e.strip(t, from, &e.gradient[row*e.gradientRow+j], channels, vectors, count)
			}
		}
	}
}
