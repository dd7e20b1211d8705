package asmgen

import (
	"fmt"
	"strings"
)

// The gradient of depthwise weights: a tile is a rectangle of taps, one accumulator each,
// and the reduction goes over pixels. Where the pixels lie as far apart as the taps of
// a row, blocks of them keep their gradients in registers, so that each source pixel of a kernel
// row is loaded once for a block; other pixels go one at a time. Source pixels before the first block
// and after the last may not exist; they are left out.

var depthwiseGradientRecord = record{
	name: "depthwiseGradient",
	doc: "depthwiseGradient is one call of a routine for the gradient of depthwise weights: a rectangle of\n" +
		"taps, reduced over planes of lines of pixels, for one vector of channels. Steps are in bytes. Addresses as in\n" +
		"depthwiseTile.",
	fields: []field{
		{"x", "uintptr", 8, "address of the first tap of the first pixel; changed by the call"},
		{"dy", "uintptr", 8, "address of the first pixel; changed by the call"},
		{"dw", "*float32", 8, "the gradient of the first tap"},
		{"xRow", "int", 8, "from row to row of taps"},
		{"xCol", "int", 8, "from tap to tap in a row"},
		{"wRow", "int", 8, "from row to row of the gradient"},
		{"wCol", "int", 8, "from gradient to gradient in a row"},
		{"xPixel", "int", 8, "from the taps of a pixel to those of the next"},
		{"yPixel", "int", 8, "from pixel to pixel"},
		{"blocks", "int", 8, "in a line, blocks of pixels; all blocks need that xPixel is xCol"},
		{"pixels", "int", 8, "then single pixels"},
		{"last", "int", 8, "and then, if 1, a last block"},
		{"left", "int", 8, "source pixels at the left of a line that do not exist, no more than a block"},
		{"xLeft", "int", 8, "-left*xPixel; x is the first source pixel that exists"},
		{"end", "int", 8, "source pixels of the last block up to the last that exists, at least a block"},
		{"lines", "int", 8, "lines in a plane"},
		{"xLine", "int", 8, "from line to line"},
		{"yLine", "int", 8, "from line to line"},
		{"planes", "int", 8, "planes; changed by the call"},
		{"xPlane", "int", 8, "from plane to plane"},
		{"yPlane", "int", 8, "from plane to plane"},
		{"tail", "int", 8, "channels, 1 to all lanes"},
		{"xAtLine", "uintptr", 8, "for the routine's use, as all that follow: where it is, and what is left"},
		{"yAtLine", "uintptr", 8, "the line"},
		{"linesLeft", "int", 8, "in the plane"},
	},
}

// gradientBlock is the number of pixels in a block. It is small, so that narrow images have a block at either end.
const gradientBlock = 3

// gradientRows returns the largest number of rows of taps in a tile that is so many taps wide: what
// registers hold beside a block and a source pixel, and no more than three, whose bases leave a register free.
func gradientRows(l Level, cols int) int {
	return min(3, (l.machine(nil).Vectors()-gradientBlock-1)/cols)
}

// addDepthwiseGradients adds the routines and the choice between them.
func addDepthwiseGradients(f *File, l Level) {
	var cases, most strings.Builder
	for cols := 1; cols <= tileGroup; cols++ {
		for rows := 1; rows <= gradientRows(l, cols); rows++ {
			name := fmt.Sprintf("depthwiseGradient%vx%dx%d", l, rows, cols)
			f.Functions = append(f.Functions, Function{
				Name: name, Doc: gradientDoc(name, l, rows, cols), Params: []Param{{"t", "*depthwiseGradient"}},
				Body: func(m Machine) { gradientBody(m, rows, cols) },
			})
			fmt.Fprintf(&cases, "\tcase %d:\n\t\t%s(t)\n", rows*8+cols, name)
		}
		fmt.Fprintf(&most, "%d: %d, ", cols, gradientRows(l, cols))
	}
	f.Go += fmt.Sprintf(`
// depthwiseGradient%[1]v runs the routine for so many rows and columns of taps.
func depthwiseGradient%[1]v(rows, cols int, t *depthwiseGradient) {
	switch rows*8 + cols {
%[2]s	}
}

// gradientRows%[1]v returns the largest number of rows of taps for 1 to %[3]d columns.
func gradientRows%[1]v(cols int) int {
	return [...]int{%[4]s}[cols]
}
`, l, cases.String(), tileGroup, strings.TrimSuffix(most.String(), ", "))
}

func gradientDoc(name string, l Level, rows, cols int) string {
	return fmt.Sprintf(`%s adds to %d rows of %d taps, for t.tail channels (1 to %d):

	for r := range %[2]d {
		for s := range %[3]d {
			sum := 0
			for plane := range t.planes {
				for line := range t.lines {
					x, dy := plane*t.xPlane+line*t.xLine, plane*t.yPlane+line*t.yLine
					for p := range %[5]d*t.blocks + t.pixels + %[5]d*t.last {
						if p+s >= t.left && (t.last == 0 || p+s < %[5]d*t.blocks+t.pixels+t.end) {
							sum += X(x+(p-t.left)*t.xPixel+r*t.xRow+s*t.xCol) * DY(dy+p*t.yPixel) // fused
						}
					}
				}
			}
			DW(r*t.wRow+s*t.wCol) += sum
		}
	}`, name, rows, cols, l.machine(nil).Lanes(), gradientBlock)
}

// Registers of a gradient; those of [tileRow] are for the taps in a row, with a base for
// each row.
const (
	gradientArgs   = Reg(0)
	gradientDY     = Reg(1)
	gradientXPixel = Reg(2)
	gradientYPixel = Reg(3)
	gradientCount  = Reg(4)
	gradientTmp    = Reg(5) // and the source pixels that do not exist
	gradientEnd    = Reg(12)
)

func gradientArg(field string) Mem {
	return At(gradientArgs, depthwiseGradientRecord.offset(field))
}

func gradientBody(m Machine, rows, cols int) {
	m.Param(gradientArgs, "t")
	for i := range rows * cols {
		m.Zero(Vec(i))
	}
	m.LoadInt(gradientXPixel, gradientArg("xPixel"))
	m.LoadInt(gradientYPixel, gradientArg("yPixel"))
	stepMultiples(m, gradientArg("xCol"))
	m.LoadInt(gradientTmp, gradientArg("tail"))
	emitChannels(m, gradientTmp, func(c *channels) { gradientLines(c, rows, cols) })
}

func gradientLines(c *channels, rows, cols int) {
	copyArg := func(to, from string) {
		c.LoadInt(gradientTmp, gradientArg(from))
		c.StoreInt(gradientArg(to), gradientTmp)
	}
	advance := func(at, step string) {
		c.LoadInt(gradientTmp, gradientArg(at))
		c.AddMem(gradientTmp, gradientArg(step))
		c.StoreInt(gradientArg(at), gradientTmp)
	}
	bases := func(first, step string) {
		c.LoadInt(tileBase, gradientArg(first))
		for r := 1; r < rows; r++ {
			c.Move(tileBase+Reg(r), tileBase+Reg(r-1))
			c.AddMem(tileBase+Reg(r), gradientArg(step))
		}
	}
	at := func(r, i int) Mem {
		a := tileRow(i)
		a.Base = tileBase + Reg(r)
		return a
	}
	c.Label(c.label("plane"))
	copyArg("xAtLine", "x")
	copyArg("yAtLine", "dy")
	copyArg("linesLeft", "lines")
	c.Label(c.label("line"))
	bases("xAtLine", "xRow")
	for r := range rows {
		c.AddMem(tileBase+Reg(r), gradientArg("xLeft"))
	}
	c.LoadInt(gradientDY, gradientArg("yAtLine"))
	c.LoadInt(gradientTmp, gradientArg("left"))
	c.LoadInt(gradientCount, gradientArg("blocks"))
	c.JumpZero(gradientCount, c.label("singles"))
	c.Align()
	c.Label(c.label("block"))
	gradientPixels(c, rows, cols, false, at)
	c.MoveConst(gradientTmp, 0)
	c.SubJumpNotZero(gradientCount, 1, c.label("block"))

	c.Label(c.label("singles"))
	c.LoadInt(gradientCount, gradientArg("pixels"))
	c.JumpZero(gradientCount, c.label("last"))
	c.Label(c.label("single"))
	dy, tmp := Vec(rows*cols), Vec(rows*cols+1)
	c.load(dy, At(gradientDY, 0))
	c.Add(gradientDY, gradientYPixel)
	for r := range rows {
		for s := range cols {
			c.fma(Vec(r*cols+s), dy, at(r, s), tmp)
		}
		c.Add(tileBase+Reg(r), gradientXPixel)
	}
	c.SubJumpNotZero(gradientCount, 1, c.label("single"))

	c.Label(c.label("last"))
	c.JumpMemZero(gradientArg("last"), c.label("next"))
	c.LoadInt(gradientEnd, gradientArg("end"))
	gradientPixels(c, rows, cols, true, at)

	c.Label(c.label("next"))
	advance("xAtLine", "xLine")
	advance("yAtLine", "yLine")
	c.DecrementMem(gradientArg("linesLeft"), c.label("line"))
	advance("x", "xPlane")
	advance("dy", "yPlane")
	c.DecrementMem(gradientArg("planes"), c.label("plane"))
	bases("dw", "wRow")
	stepMultiples(c, gradientArg("wCol"))
	for r := range rows {
		for s := range cols {
			c.load(dy, at(r, s))
			c.AddVec(dy, dy, Vec(r*cols+s))
			c.store(at(r, s), dy)
		}
	}
	c.Return()
}

// gradientPixels emits a block of pixels: source pixel i of a row meets tap s for output i-s. It is entered at the first source pixel
// that exists and, if it is the last block, left after the last.
func gradientPixels(c *channels, rows, cols int, last bool, at func(r, i int) Mem) {
	dy, x := Vec(rows*cols), Vec(rows*cols+gradientBlock)
	label := func(name string) string {
		if last {
			name = "last" + name
		}
		return c.label(name)
	}
	source := func(i int) string { return label(fmt.Sprintf("source%d", i)) }
	entries := min(cols, gradientBlock+1)
	for p := range gradientBlock {
		c.load(dy+Vec(p), At(gradientDY, 0))
		c.Add(gradientDY, gradientYPixel)
	}
	for i := range entries - 1 {
		c.JumpLess(gradientTmp, i+1, source(i))
	}
	if entries > 1 {
		c.Jump(source(entries - 1))
	}
	for i := range gradientBlock + cols - 1 {
		if i < entries {
			c.Label(source(i))
		}
		if last && i >= gradientBlock {
			c.JumpLess(gradientEnd, i+1, label("blockDone"))
		}
		for r := range rows {
			if i == gradientBlock {
				stepForward(c, tileBase+Reg(r), tileBase+Reg(r), gradientBlock)
			}
			c.load(x, at(r, i-min(i/gradientBlock, 1)*gradientBlock))
			for s := range cols {
				if p := i - s; p >= 0 && p < gradientBlock {
					c.FMA(Vec(r*cols+s), x, dy+Vec(p))
				}
			}
		}
	}
	if cols == 1 { // the loop did not come to the next block
		for r := range rows {
			stepForward(c, tileBase+Reg(r), tileBase+Reg(r), gradientBlock)
		}
	}
	c.Label(label("blockDone"))
}
