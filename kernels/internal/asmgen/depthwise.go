package asmgen

import (
	"fmt"
	"strings"
)

// Depthwise convolutions have no reduction over channels, so the lanes are channels
// and a routine works on one vector of them. Forward and for the gradient of the input, a
// tile is some pixels, one accumulator each, which see the same taps. There are two
// kinds. The one for any taps and steps reads a pixel for each product. The other, dense,
// is for kernels of a given width whose taps lie as far apart as the pixels of the tile: then
// neighbours share what they read, so each source pixel of a kernel row is loaded once. Source pixels
// at either end of a dense tile may not exist; they are left out.
//
// Pixels of a tile are addressed as rows of a matrix tile are; see [tileRow].

var depthwiseRecord = record{
	name: "depthwiseTile",
	doc: "depthwiseTile is one call of a depthwise routine: planes of lines of tiles of pixels, for one\n" +
		"vector of channels. Steps are in bytes. What the call moves are addresses rather than pointers: they end behind the tensors, where no\n" +
		"pointer may lie when the garbage collector looks.",
	fields: []field{
		{"x", "uintptr", 8, "address of the first tap of the first pixel; changed by the call"},
		{"y", "uintptr", 8, "address of the first pixel; changed by the call"},
		{"w", "*float32", 8, "the weights of the first tap"},
		{"bias", "*float32", 8, "or nil"},
		{"rows", "int", 8, "taps; none if zero"},
		{"cols", "int", 8, "taps in a row"},
		{"xRow", "int", 8, "from row to row of taps"},
		{"xCol", "int", 8, "from tap to tap in a row"},
		{"wRow", "int", 8, "from row to row of weights"},
		{"wCol", "int", 8, "from weight to weight in a row"},
		{"xPixel", "int", 8, "from the taps of a pixel to those of the next"},
		{"yPixel", "int", 8, "from pixel to pixel"},
		{"tiles", "int", 8, "tiles in a line"},
		{"xTile", "int", 8, "from tile to tile"},
		{"yTile", "int", 8, "from tile to tile"},
		{"lines", "int", 8, "lines in a plane"},
		{"xLine", "int", 8, "from line to line"},
		{"yLine", "int", 8, "from line to line"},
		{"planes", "int", 8, "planes; changed by the call"},
		{"xPlane", "int", 8, "from plane to plane"},
		{"yPlane", "int", 8, "from plane to plane"},
		{"tail", "int", 8, "channels, 1 to all lanes"},
		{"left", "int", 8, "of a dense tile: source pixels at its left that do not exist, fewer than taps"},
		{"xLeft", "int", 8, "of a dense tile: -left*xPixel; x is the first source pixel that exists"},
		{"end", "int", 8, "of a dense tile: source pixels up to the last that exists, at least its pixels"},
		{"relu", "int", 8, "not zero if what is negative is replaced by zero"},
		{"ahead", "int", 8, "cache lines of source and destination that are asked for at the start of a line of pixels"},
		{"xAhead", "int", 8, "from the first tap of the line to the first of them"},
		{"yAhead", "int", 8, "from its first pixel to the first of them"},
		{"xAtLine", "uintptr", 8, "for the routine's use, as all that follow: where it is, and what is left"},
		{"yAtLine", "uintptr", 8, "the line"},
		{"xAtTile", "uintptr", 8, "the tile"},
		{"yAtTile", "uintptr", 8, "the tile"},
		{"linesLeft", "int", 8, "in the plane"},
		{"tilesLeft", "int", 8, "in the line"},
		{"rowsLeft", "int", 8, "in the tile"},
	},
}

// Sizes of tiles. Dense ones of fewer pixels than depthwiseDenseLeast would save little.
const (
	depthwisePixels     = 2 * tileGroup
	depthwiseDenseLeast = 2
)

// depthwiseTaps are the kernel widths that have dense routines.
var depthwiseTaps = []int{2, 3, 5, 7}

// depthwiseMost returns the largest number of pixels of a tile, dense for a number of taps or, for 0,
// not. Beside the accumulators there are the weights of a row, or one, and a source pixel.
func depthwiseMost(l Level, taps int) int {
	return min(depthwisePixels, l.machine(nil).Vectors()-max(taps, 1)-1)
}

// depthwiseFile holds the depthwise routines of a level.
func depthwiseFile(l Level) File {
	f := File{Name: "depthwise_" + strings.ToLower(l.String()), Level: l}
	if l == AVX2 {
		f.Go = depthwiseRecord.source() + "\n" + depthwiseGradientRecord.source()
		f.Go += fmt.Sprintf("\nconst (\n\tdepthwiseDenseLeast = %d // pixels of the smallest dense tile\n\tdepthwiseTapCols = %d // columns of taps of the widest tile of a gradient\n\tgradientBlock = %d // pixels of a block of a gradient\n)\n",
			depthwiseDenseLeast, tileGroup, gradientBlock)
	}
	var cases strings.Builder
	add := func(taps, pixels int) {
		name := fmt.Sprintf("depthwise%v", l)
		if taps > 0 {
			name += fmt.Sprintf("Dense%d", taps)
		}
		name += fmt.Sprintf("x%d", pixels)
		f.Functions = append(f.Functions, Function{
			Name: name, Doc: depthwiseDoc(name, l, taps, pixels), Params: []Param{{"t", "*depthwiseTile"}},
			Body: func(m Machine) { depthwiseBody(m, taps, pixels) },
		})
		fmt.Fprintf(&cases, "\tcase %d:\n\t\t%s(t)\n", taps*32+pixels, name)
	}
	for pixels := 1; pixels <= depthwiseMost(l, 0); pixels++ {
		add(0, pixels)
	}
	var most strings.Builder
	for _, taps := range depthwiseTaps {
		for pixels := depthwiseDenseLeast; pixels <= depthwiseMost(l, taps); pixels++ {
			add(taps, pixels)
		}
		fmt.Fprintf(&most, "\tcase %d:\n\t\treturn %d\n", taps, depthwiseMost(l, taps))
	}
	f.Go += fmt.Sprintf(`
// depthwise%[1]v runs tiles of pixels, dense ones of that many taps or, for 0, any.
func depthwise%[1]v(taps, pixels int, t *depthwiseTile) {
	switch taps*32 + pixels {
%[2]s	}
}

// depthwiseMost%[1]v returns the largest number of pixels of a tile: of a dense one of that
// many taps, 0 if there are none, or for 0 of any other.
func depthwiseMost%[1]v(taps int) int {
	switch taps {
	case 0:
		return %[3]d
%[4]s	}
	return 0
}
`, l, cases.String(), depthwiseMost(l, 0), most.String())
	addDepthwiseGradients(&f, l)
	return f
}

func depthwiseDoc(name string, l Level, taps, pixels int) string {
	m := l.machine(nil)
	lanes, loop, x := fmt.Sprintf("t.tail channels (1 to %d)", m.Lanes()), "s := range t.cols", "i*t.xPixel+r*t.xRow+s*t.xCol"
	if taps > 0 {
		if !m.FreeTail() {
			lanes = fmt.Sprintf("%d channels", m.Lanes())
		}
		loop = fmt.Sprintf("s := max(0, t.left-i); s < min(%d, t.end-i); s++", taps)
		x = "(i+s-t.left)*t.xPixel+r*t.xRow"
	}
	return fmt.Sprintf(`%s computes tiles of %d pixels, for %s:

	for plane := range t.planes {
		for line := range t.lines {
			for tile := range t.tiles {
				x, y := plane*t.xPlane+line*t.xLine+tile*t.xTile, plane*t.yPlane+line*t.yLine+tile*t.yTile
				for i := range %[2]d {
					sum := bias // or 0
					for r := range t.rows {
						for %[4]s {
							sum += X(x+%[5]s) * W(r*t.wRow+s*t.wCol) // fused
						}
					}
					if t.relu != 0 {
						sum = max(sum, 0)
					}
					Y(y+i*t.yPixel) = sum
				}
			}
		}
	}`, name, pixels, lanes, loop, x)
}

// Registers of a depthwise tile; tileStep1 and the two after it, and the three from tileBase on
// are those of [tileRow].
const (
	depthwiseArgs = Reg(0)
	depthwiseW    = Reg(1)
	depthwiseXCol = Reg(2) // of a dense tile depthwiseEnd
	depthwiseEnd  = Reg(2)
	depthwiseWCol = Reg(3)
	depthwiseCols = Reg(4)
	depthwiseRow  = Reg(5)  // source of the row of taps
	depthwiseWRow = Reg(12) // weights of the row of taps
)

// stepMultiples loads a step and what [tileRow] needs of its multiples.
func stepMultiples(m Machine, step Mem) {
	m.LoadInt(tileStep1, step)
	for _, odd := range []int{3, 5} {
		m.Address(tileStep1+Reg(odd/2), Mem{Base: tileStep1, Index: tileStep1, Scale: odd - 1})
	}
}

// stepForward adds n steps, 1 to tileGroup, to a register.
func stepForward(m Machine, dst, src Reg, n int) {
	last := tileRow(min(n, tileGroup-1))
	last.Base = src
	m.Address(dst, last)
	if n == tileGroup {
		m.Add(dst, tileStep1)
	}
}

// spread sets the bases of groups 1.. from the base of the first.
func spread(m Machine, rows int) {
	for g := 1; g*tileGroup < rows; g++ {
		stepForward(m, tileBase+Reg(g), tileBase+Reg(g-1), tileGroup)
	}
}

// channels emits loads and stores of one vector of channels, whole or only the tail.
type channels struct {
	Machine
	tail bool
}

func (c *channels) label(name string) string {
	if c.tail {
		return name + "Tail"
	}
	return name
}

func (c *channels) load(dst Vec, m Mem) {
	if c.tail {
		c.LoadTail(dst, m)
	} else {
		c.Load(dst, m)
	}
}

func (c *channels) store(m Mem, src Vec) {
	if c.tail {
		c.StoreTail(m, src)
	} else {
		c.Store(m, src)
	}
}

func (c *channels) fma(acc, b Vec, m Mem, tmp Vec) {
	if c.tail {
		c.FMALoadTail(acc, b, m, tmp)
	} else {
		c.FMALoad(acc, b, m, tmp)
	}
}

// emitChannels emits a body for whole vectors and one for the tail, whose length is in n, or one for both.
func emitChannels(m Machine, n Reg, body func(c *channels)) {
	if !m.FreeTail() {
		m.JumpLess(n, m.Lanes(), "partial")
		body(&channels{Machine: m})
		m.Label("partial")
	}
	m.SetTail(n)
	body(&channels{Machine: m, tail: true})
}

func depthwiseBody(m Machine, taps, pixels int) {
	m.Param(depthwiseArgs, "t")
	if taps > 0 && !m.FreeTail() {
		depthwiseLines(&channels{Machine: m}, taps, pixels)
		return
	}
	m.LoadInt(depthwiseCols, depthwiseArg("tail"))
	emitChannels(m, depthwiseCols, func(c *channels) { depthwiseLines(c, taps, pixels) })
}

func depthwiseArg(field string) Mem { return At(depthwiseArgs, depthwiseRecord.offset(field)) }

func depthwiseLines(c *channels, taps, pixels int) {
	arg, tmp := depthwiseArg, depthwiseCols
	copyArg := func(to, from string) {
		c.LoadInt(tmp, arg(from))
		c.StoreInt(arg(to), tmp)
	}
	advance := func(at, step string) {
		c.LoadInt(tmp, arg(at))
		c.AddMem(tmp, arg(step))
		c.StoreInt(arg(at), tmp)
	}
	if taps == 0 {
		c.LoadInt(depthwiseXCol, arg("xCol"))
	} else {
		c.LoadInt(depthwiseEnd, arg("end"))
	}
	c.LoadInt(depthwiseWCol, arg("wCol"))
	c.Label(c.label("plane"))
	copyArg("xAtLine", "x")
	copyArg("yAtLine", "y")
	copyArg("linesLeft", "lines")

	c.Label(c.label("line"))
	copyArg("xAtTile", "xAtLine")
	copyArg("yAtTile", "yAtLine")
	copyArg("tilesLeft", "tiles")
	askAhead(c)

	c.Label(c.label("tile"))
	depthwiseStart(c, pixels)
	c.LoadInt(tmp, arg("rows"))
	c.JumpZero(tmp, c.label("store"))
	c.StoreInt(arg("rowsLeft"), tmp)
	stepMultiples(c, arg("xPixel"))
	c.LoadInt(depthwiseRow, arg("xAtTile"))
	c.LoadInt(depthwiseWRow, arg("w"))

	c.Align()
	c.Label(c.label("row"))
	c.Move(tileBase, depthwiseRow)
	c.Move(depthwiseW, depthwiseWRow)
	if taps == 0 {
		depthwiseAny(c, pixels)
	} else {
		depthwiseDense(c, taps, pixels)
	}
	c.AddMem(depthwiseRow, arg("xRow"))
	c.AddMem(depthwiseWRow, arg("wRow"))
	c.DecrementMem(arg("rowsLeft"), c.label("row"))

	depthwiseStore(c, pixels)
	advance("xAtTile", "xTile")
	advance("yAtTile", "yTile")
	c.DecrementMem(arg("tilesLeft"), c.label("tile"))
	advance("xAtLine", "xLine")
	advance("yAtLine", "yLine")
	c.DecrementMem(arg("linesLeft"), c.label("line"))
	advance("x", "xPlane")
	advance("y", "yPlane")
	c.DecrementMem(arg("planes"), c.label("plane"))
	c.Return()
}

// askAhead asks for cache lines of source and destination that a later line of pixels needs. The CPU itself does not ask early enough:
// it is busy with the products of the few bytes of a line.
func askAhead(c *channels) {
	count, x, y := depthwiseCols, depthwiseRow, depthwiseWRow
	c.LoadInt(count, depthwiseArg("ahead"))
	c.JumpZero(count, c.label("asked"))
	c.LoadInt(x, depthwiseArg("xAtLine"))
	c.AddMem(x, depthwiseArg("xAhead"))
	c.LoadInt(y, depthwiseArg("yAtLine"))
	c.AddMem(y, depthwiseArg("yAhead"))
	c.Label(c.label("ask"))
	c.Prefetch(At(x, 0))
	c.Prefetch(At(y, 0))
	c.AddConst(x, cacheLine)
	c.AddConst(y, cacheLine)
	c.SubJumpNotZero(count, 1, c.label("ask"))
	c.Label(c.label("asked"))
}

// depthwiseStart sets the accumulators to the bias or zero.
func depthwiseStart(c *channels, pixels int) {
	c.Zero(0)
	c.LoadInt(depthwiseW, depthwiseArg("bias"))
	c.JumpZero(depthwiseW, c.label("noBias"))
	c.load(0, At(depthwiseW, 0))
	c.Label(c.label("noBias"))
	for i := 1; i < pixels; i++ {
		c.Copy(Vec(i), 0)
	}
}

// depthwiseAny emits a row of taps, one source pixel for each product.
func depthwiseAny(c *channels, pixels int) {
	w, tmp := Vec(pixels), Vec(pixels+1)
	spread(c, pixels)
	c.LoadInt(depthwiseCols, depthwiseArg("cols"))
	c.Label(c.label("tap"))
	c.load(w, At(depthwiseW, 0))
	for i := range pixels {
		c.fma(Vec(i), w, tileRow(i), tmp)
	}
	for g := 0; g*tileGroup < pixels; g++ {
		c.Add(tileBase+Reg(g), depthwiseXCol)
	}
	c.Add(depthwiseW, depthwiseWCol)
	c.SubJumpNotZero(depthwiseCols, 1, c.label("tap"))
}

// depthwiseDense emits a row of taps that loads each source pixel once: code for one after the other, which is
// entered at the first that exists and left after the last.
func depthwiseDense(c *channels, taps, pixels int) {
	x, left := Vec(pixels+taps), depthwiseCols
	source := func(i int) string { return fmt.Sprintf("source%d", i) }
	c.AddMem(tileBase, depthwiseArg("xLeft"))
	spread(c, pixels+taps-1)
	c.LoadInt(left, depthwiseArg("left"))
	for s := range taps {
		c.load(Vec(pixels+s), At(depthwiseW, 0))
		if s+1 < taps {
			c.Add(depthwiseW, depthwiseWCol)
		}
	}
	for i := range taps - 1 {
		c.JumpLess(left, i+1, source(i))
	}
	c.Jump(source(taps - 1))
	for i := range pixels + taps - 1 {
		if i < taps {
			c.Label(source(i))
		}
		if i >= pixels {
			c.JumpLess(depthwiseEnd, i+1, "rowDone")
		}
		c.load(x, tileRow(i))
		for s := range taps {
			if p := i - s; p >= 0 && p < pixels {
				c.FMA(Vec(p), x, Vec(pixels+s))
			}
		}
	}
	c.Label("rowDone")
}

// depthwiseStore finishes the accumulators and stores them.
func depthwiseStore(c *channels, pixels int) {
	zero := Vec(pixels)
	c.Label(c.label("store"))
	c.LoadInt(tileBase, depthwiseArg("yAtTile"))
	stepMultiples(c, depthwiseArg("yPixel"))
	spread(c, pixels)
	c.JumpMemZero(depthwiseArg("relu"), c.label("linear"))
	c.Zero(zero)
	for i := range pixels {
		c.MaxVec(Vec(i), zero, Vec(i))
	}
	c.Label(c.label("linear"))
	for i := range pixels {
		c.store(tileRow(i), Vec(i))
	}
}
