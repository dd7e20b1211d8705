//go:build amd64 && !purego

package kernels

import (
	"runtime"
	"unsafe"
)

const (
	// depthwiseBytes is how much of the images is worked on at once, all regions and channels of it, so
	// that it stays in the second-level cache.
	depthwiseBytes = 256 << 10
	// depthwiseProducts is about how many vectors of products one call of a routine makes at most; it
	// then takes some ten thousand cycles.
	depthwiseProducts = 32 << 10
	// depthwisePastCache is how large source and destination together have to be to be asked for before they are needed, and
	// depthwiseAhead how far ahead, in bytes.
	depthwisePastCache = 1 << 20
	depthwiseAhead     = 2048
)

// simdIsDepthwise reports whether the routines for depthwise convolutions serve: every channel has one filter. More filters
// to a channel are left to the generic routine.
func simdIsDepthwise(g *Conv) bool { return genericIsDepthwise(g) && g.K == g.C }

func (s *simd) depthwiseForward(g *Conv, x, w, bias, y []float32, lo, hi int) {
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.XStride, dstPix: g.YStride, srcChan: g.C, dstChan: g.C,
		src: x, dst: y, relu: g.ReLU, weights: w[:g.R*g.S*g.C],
	}
	if bias != nil {
		e.bias = bias[:g.C]
	}
	e.rows, e.cols = forwardAxes(g)
	e.runDepthwise(lo, hi)
}

// depthwiseRows is the number of rows of the output that are computed apart before a residual is added.
func depthwiseRows(g *Conv) int { return min(g.N*g.Ho, max(1, depthwiseBytes/8/max(1, g.Wo*g.K))) }

// depthwiseForwardAdd computes some rows at a time in the scratch, because y may be the residual.
func (s *simd) depthwiseForwardAdd(g *Conv, x, w, bias, residual, y, scratch []float32, lo, hi int) {
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.XStride, dstPix: g.K, srcChan: g.C, dstChan: g.C,
		src: x, dst: scratch[:depthwiseRows(g)*g.Wo*g.K], weights: w[:g.R*g.S*g.C],
	}
	if bias != nil {
		e.bias = bias[:g.C]
	}
	e.rows, e.cols = forwardAxes(g)
	for lo < hi {
		e.firstRow = lo
		lo = min(hi, lo+depthwiseRows(g))
		e.runDepthwise(e.firstRow, lo)
		s.addPixels(g, y, e.dst, residual, e.firstRow*g.Wo, lo*g.Wo)
	}
}

// addPixels computes pixels lo..hi of y as the sum of sums, which begin with pixel lo, and the residual.
func (s *simd) addPixels(g *Conv, y, sums, residual []float32, lo, hi int) {
	if lo == hi {
		return
	}
	y, residual = y[lo*g.YStride:(hi-1)*g.YStride+g.K], residual[lo*g.RStride:(hi-1)*g.RStride+g.K]
	pixels, floats := hi-lo, g.K // at once
	if g.YStride == g.K && g.RStride == g.K {
		pixels, floats = 1, (hi-lo)*g.K
	}
	for i := range pixels {
		to := y[i*g.YStride:][:floats]
		s.mapAdd(&to[0], &sums[i*floats], &residual[i*g.RStride], 0, floats)
		if g.ReLU {
			s.mapRelu(&to[0], &to[0], 0, floats)
		}
	}
}

func (s *simd) depthwiseBackwardData(g *Conv, dy, w, dx []float32, lo, hi int) {
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.YStride, dstPix: g.XStride, srcChan: g.C, dstChan: g.C,
		src: dy, dst: dx, weights: w[:g.R*g.S*g.C],
	}
	e.rows, e.cols = backwardAxes(g)
	e.runDepthwise(lo, hi)
}

func (s *simd) depthwiseBackwardWeights(g *Conv, x, dy, dw []float32, lo, hi int) {
	e := conv{
		simd: s, batch: g.N,
		srcPix: g.XStride, dstPix: g.YStride, srcChan: g.C, dstChan: g.C,
		src: x, dst: dy, gradient: dw[:g.R*g.S*g.C],
	}
	e.rows, e.cols = forwardAxes(g)
	e.runDepthwise(lo, hi)
}

// runDepthwise works on rows lo..hi, some images at a time.
func (e *conv) runDepthwise(lo, hi int) {
	e.depthwise = true
	image := 4 * (e.rows.in*e.cols.in*e.srcPix + e.rows.out*e.cols.out*e.dstPix)
	block := e.rows.out * max(1, depthwiseBytes/max(image, 1)) // rows
	for lo < hi {
		next := min(hi, (lo/block+1)*block)
		e.run(lo, next)
		lo = next
	}
}

// tapGrid is a rectangle of taps: in each direction their number, and the steps of
// source and weights in floats, and the first weight.
type tapGrid struct {
	rows, cols int
	xRow, xCol int
	wRow, wCol int
	w          int
}

func (e *conv) tapGrid(v, h *axisRun) tapGrid {
	t := tapGrid{
		rows: v.taps, cols: h.taps,
		xRow: v.srcTap * e.cols.in * e.srcPix, xCol: h.srcTap * e.srcPix,
		wRow: e.rows.tapStep() * e.cols.kernel * e.dstChan, wCol: e.cols.tapStep() * e.dstChan,
	}
	if t.rows == 0 || t.cols == 0 {
		t.rows = 0
		return t
	}
	r, _, _ := e.rows.tapOrder(v.first)
	q, _, _ := e.cols.tapOrder(h.first)
	t.w = (r*e.cols.kernel + q) * e.dstChan
	return t
}

// lanesAt returns the level whose routine takes the channels from j of n on, and the number of lanes. At AVX512 the routines of AVX2
// take what fits half a vector.
func (s *simd) lanesAt(j, n int) (v *simd, tail int) {
	half := &simdAVX2
	if s.level == AVX512 && n >= half.lanes && (n < s.lanes || n-j <= half.lanes) {
		s = half
	}
	return s, min(s.lanes, n-j)
}

// interleave returns the part of a box whose pixels along the last direction are equal to i modulo n.
func (b *box) interleave(i, n int) box {
	part := *b
	part.src0 += i * b.src[2]
	part.dst0 += i * b.dst[2]
	part.n[2] = (b.n[2] - i + n - 1) / n
	part.src[2] *= n
	part.dst[2] *= n
	return part
}

// strides returns over how many outputs a step from tap to tap goes, or 0 if it is no multiple. Outputs so
// far apart share what they read.
func strides(srcTap, srcStep int) int {
	if srcStep == 0 || srcTap%srcStep != 0 {
		return 0
	}
	return srcTap / srcStep
}

// sharing returns, for the outputs of a run that are equal to i modulo strides, their number, and of the source pixels that
// any of them reads how many do not exist at the left, and how many there are up to the last that exists.
func (e *conv) sharing(h *axisRun, i, strides int) (n, left, end int) {
	n = (h.n - i + strides - 1) / strides
	base := h.src + i*h.srcStep
	left = max(0, (h.srcTap-1-base)/h.srcTap)
	if room := e.cols.in - 1 - base; room >= 0 {
		end = room/h.srcTap + 1
	}
	return n, left, end
}

// wholeRows reports whether the routines take whole rows of the outputs of a group, leaving out themselves what does
// not exist of the source. Neighbours have to share what they read, and to be enough.
func (e *conv) wholeRows(g *axisGroup) bool {
	strides := strides(g.srcTap, g.srcStep)
	if !e.depthwise || strides == 0 || g.taps > depthwiseTapCols {
		return false
	}
	if e.gradient == nil && (e.level == AVX2 && e.dstChan < e.lanes || e.depthwiseMost(g.taps) == 0) {
		return false // there are no dense tiles
	}
	h := g.whole()
	for i := range strides {
		n, left, end := e.sharing(&h, i, strides)
		if left >= min(g.taps, end) || end < n || n < depthwiseDenseLeast {
			return false
		}
		if e.gradient != nil && (left > gradientBlock || n+g.taps-1-end > gradientBlock || n != gradientBlock && n < 2*gradientBlock) {
			return false
		}
	}
	return true
}

// inPieces calls f for parts of a box that have at most about depthwiseProducts for so many taps and, if they have several
// lines, fit the cache with all their channels. Whole lines are not divided.
func (e *conv) inPieces(b *box, taps int, whole bool, f func(b box)) {
	limit := max(1, depthwiseProducts/max(taps, 1))
	pixels := b.n[2]
	if !whole {
		pixels = min(pixels, limit)
	}
	lines := min(b.n[1], max(1, min(limit, depthwiseBytes/8/e.dstChan)/pixels))
	planes := 1
	if lines == b.n[1] {
		planes = min(b.n[0], max(1, limit/(pixels*lines)))
	}
	for plane := 0; plane < b.n[0]; plane += planes {
		for line := 0; line < b.n[1]; line += lines {
			for pixel := 0; pixel < b.n[2]; pixel += pixels {
				part := *b
				part.src0 += plane*b.src[0] + line*b.src[1] + pixel*b.src[2]
				part.dst0 += plane*b.dst[0] + line*b.dst[1] + pixel*b.dst[2]
				part.n = [3]int{min(planes, b.n[0]-plane), min(lines, b.n[1]-line), min(pixels, b.n[2]-pixel)}
				f(part)
			}
		}
	}
}

// filter computes the pixels of a box of a depthwise convolution. They may be whole rows; see there.
func (e *conv) filter(v, h *axisRun, b *box, wholeRows bool) {
	t := e.tapGrid(v, h)
	if !wholeRows {
		b.merge()
		e.chooseTiles(b)
		e.inPieces(b, t.rows*t.cols, false, func(b box) { e.filterPiece(&t, &b, 0, 0, 0, false) })
		return
	}
	strides := strides(h.srcTap, h.srcStep)
	for i := range strides {
		part := b.interleave(i, strides)
		_, left, end := e.sharing(h, i, strides)
		e.inPieces(&part, t.rows*t.cols, true, func(b box) { e.filterPiece(&t, &b, h.taps, left, end, i == 0) })
	}
}

// askAhead lets t ask, at the start of each line of a box of whole rows, for the memory of its like some lines later, or in the next plane where
// planes have one line.
func (e *conv) askAhead(t *depthwiseTile, grid *tapGrid, b *box) {
	image := 4 * (e.rows.in*e.cols.in*e.srcPix + e.rows.out*e.cols.out*e.dstPix)
	if image*e.batch < depthwisePastCache {
		return
	}
	to := 1
	if b.n[1] == 1 {
		to = 0
	}
	n := 1
	if b.src[to] > 0 {
		n = (depthwiseAhead/4 + b.src[to] - 1) / b.src[to]
	}
	t.ahead = (4*b.n[2]*b.src[2] + 63) / 64
	t.xAhead, t.yAhead = 4*(n*b.src[to]+(grid.rows-1)*grid.xRow), 4*n*b.dst[to]
}

// chooseTiles turns the direction along which tiles fit best into the innermost place.
func (e *conv) chooseTiles(b *box) {
	most := e.depthwiseMost(0)
	best, bestCost := 2, 0
	for i := 2; i >= 0; i-- {
		tiles := (b.n[i] + most - 1) / most
		// A tile of few pixels waits for its accumulators.
		cost := b.n[0] * b.n[1] * b.n[2] / b.n[i] * tiles * max((b.n[i]+tiles-1)/tiles, 8)
		if i == 2 || cost < bestCost {
			best, bestCost = i, cost
		}
	}
	b.turn(best)
}

// filterPiece runs the tiles of a part of a box, all channels: dense ones of so many taps, or for 0 any. Source pixels before left
// and from end on do not exist. It may ask for the memory of parts to come.
func (e *conv) filterPiece(grid *tapGrid, b *box, taps, left, end int, ask bool) {
	t := depthwiseTile{
		rows: grid.rows, cols: grid.cols,
		xRow: 4 * grid.xRow, xCol: 4 * grid.xCol, wRow: 4 * grid.wRow, wCol: 4 * grid.wCol,
		xPixel: 4 * b.src[2], yPixel: 4 * b.dst[2],
		xLine: 4 * b.src[1], yLine: 4 * b.dst[1], lines: b.n[1],
		xPlane: 4 * b.src[0], yPlane: 4 * b.dst[0],
	}
	if e.relu {
		t.relu = 1
	}
	for j := 0; j < e.dstChan; {
		s, tail := e.lanesAt(j, e.dstChan)
		c := j
		j += s.lanes
		if tail < s.lanes && e.dstChan >= s.lanes { // compute some channels again
			c, tail = e.dstChan-s.lanes, s.lanes
		}
		t.tail = tail
		t.ahead = 0
		if ask && c == 0 { // the other channels lie between
			e.askAhead(&t, grid, b)
		}
		t.w = &e.weights[grid.w+c]
		if e.bias != nil {
			t.bias = &e.bias[c]
		}
		most := s.depthwiseMost(taps)
		tiles := (b.n[2] + most - 1) / most
		for tile, first := 0, 0; tile < tiles; {
			// Tiles of one size that have all their source pixels go together.
			pixels := b.n[2] / tiles
			together := tiles - tile
			if longer := b.n[2] % tiles; tile < longer { // the first tiles have a pixel more
				pixels++
				together = longer - tile
			}
			t.left, t.end = max(0, left-first), min(pixels+taps-1, end-first)
			if taps > 0 {
				if t.left > 0 {
					together = 1
				}
				together = max(1, min(together, (end-first-taps+1)/pixels))
			}
			together = min(together, max(1, depthwiseProducts/(pixels*max(1, grid.rows*grid.cols))))
			t.y = address(&e.dst[b.dst0+first*b.dst[2]+c])
			t.x = t.y // not read
			if grid.rows > 0 {
				t.x = address(&e.src[b.src0+(first+t.left)*b.src[2]+c])
			}
			t.tiles, t.planes = together, b.n[0]
			t.xTile, t.yTile, t.xLeft = pixels*t.xPixel, pixels*t.yPixel, -t.left*t.xPixel
			s.depthwiseTiles(taps, pixels, &t)
			first += together * pixels
			tile += together
		}
	}
	runtime.KeepAlive(e)
}

// addFilterGradient adds the products of the pixels of a box to the gradient of depthwise weights. They may be whole
// rows; see there.
func (e *conv) addFilterGradient(v, h *axisRun, b *box, wholeRows bool) {
	t := e.tapGrid(v, h)
	if t.rows == 0 {
		return
	}
	if wholeRows {
		strides := strides(h.srcTap, h.srcStep)
		for i := range strides {
			part := b.interleave(i, strides)
			n, left, end := e.sharing(h, i, strides)
			line := gradientLine{blocks: (n - gradientBlock) / gradientBlock, pixels: n % gradientBlock, last: 1, left: left, end: end - n + gradientBlock}
			e.inPieces(&part, t.rows*t.cols, true, func(b box) { e.addFilterPiece(&t, &b, &line) })
		}
		return
	}
	b.merge()
	if b.n[1] > b.n[2] && b.n[2] < shortRun || t.cols == 1 && t.rows > 1 {
		b.turn(1)
		t.rows, t.cols, t.xRow, t.xCol, t.wRow, t.wCol = t.cols, t.rows, t.xCol, t.xRow, t.wCol, t.wRow
	}
	if b.n[0] > b.n[2] && b.n[2] < shortRun {
		b.turn(0)
	}
	parts := 1
	if b.src[2] > 0 {
		parts = min(max(1, strides(t.xCol, b.src[2])), b.n[2])
	}
	for i := range parts {
		part := b.interleave(i, parts)
		e.inPieces(&part, t.rows*t.cols, false, func(b box) {
			line := gradientLine{pixels: b.n[2]}
			if b.src[2] == t.xCol {
				line.blocks, line.pixels = b.n[2]/gradientBlock, b.n[2]%gradientBlock
			}
			e.addFilterPiece(&t, &b, &line)
		})
	}
}

// gradientLine says how a routine goes through the pixels of a line; see [depthwiseGradient].
type gradientLine struct{ blocks, pixels, last, left, end int }

// addFilterPiece adds a part of a box, all taps and channels.
func (e *conv) addFilterPiece(grid *tapGrid, b *box, line *gradientLine) {
	t := depthwiseGradient{
		xRow: 4 * grid.xRow, xCol: 4 * grid.xCol, wRow: 4 * grid.wRow, wCol: 4 * grid.wCol,
		xPixel: 4 * b.src[2], yPixel: 4 * b.dst[2],
		blocks: line.blocks, pixels: line.pixels, last: line.last,
		xLine: 4 * b.src[1], yLine: 4 * b.dst[1], lines: b.n[1],
		xPlane: 4 * b.src[0], yPlane: 4 * b.dst[0],
	}
	for j := 0; j < e.dstChan; {
		s, tail := e.lanesAt(j, e.dstChan)
		t.tail = tail
		strips := (grid.cols + depthwiseTapCols - 1) / depthwiseTapCols
		for strip := range strips {
			col, colEnd := Range(strip, strips, grid.cols)
			most := s.gradientRows(colEnd - col)
			tiles := (grid.rows + most - 1) / most
			for tile := range tiles {
				row, rowEnd := Range(tile, tiles, grid.rows)
				t.x = address(&e.src[b.src0+row*grid.xRow+line.left*b.src[2]+col*grid.xCol+j])
				t.left, t.xLeft, t.end = line.left, -line.left*t.xPixel, line.end
				t.dy = address(&e.dst[b.dst0+j])
				t.dw = &e.gradient[grid.w+row*grid.wRow+col*grid.wCol+j]
				t.planes = b.n[0]
				s.depthwiseGradient(rowEnd-row, colEnd-col, &t)
			}
		}
		j += s.lanes
	}
	runtime.KeepAlive(e)
}

// address returns where p points. What it points to has to be kept alive by other means.
func address(p *float32) uintptr { return uintptr(unsafe.Pointer(p)) }

// The routines of the level.

func (s *simd) depthwiseTiles(taps, pixels int, t *depthwiseTile) {
	if s.level == AVX512 {
		depthwiseAVX512(taps, pixels, t)
	} else {
		depthwiseAVX2(taps, pixels, t)
	}
}

func (s *simd) depthwiseMost(taps int) int {
	if s.level == AVX512 {
		return depthwiseMostAVX512(taps)
	}
	return depthwiseMostAVX2(taps)
}

func (s *simd) depthwiseGradient(rows, cols int, g *depthwiseGradient) {
	if s.level == AVX512 {
		depthwiseGradientAVX512(rows, cols, g)
	} else {
		depthwiseGradientAVX2(rows, cols, g)
	}
}

func (s *simd) gradientRows(cols int) int {
	if s.level == AVX512 {
		return gradientRowsAVX512(cols)
	}
	return gradientRowsAVX2(cols)
}
