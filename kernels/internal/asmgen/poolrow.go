package asmgen

import (
	"fmt"
	"strings"
)

// Row poolings compute all outputs of a row, for one vector of channels, where windows have one of the common
// forms. What neighbouring windows share stays in registers: forward, the maximum or the sum of each column; backward,
// the gradients of the columns, which are loaded when the first window reaches them and stored when
// the last one leaves.
type rowPooling struct {
	name, doc     string
	max, backward bool
}

// windowForm is a form of windows: rows that lie inside the image, columns, and the stride in
// width.
type windowForm struct{ rows, cols, stride int }

// shared is the number of columns that a window shares with the next.
func (f windowForm) shared() int { return f.cols - f.stride }

// fresh is the number of the last rows of a window, with the same stride in height, that no earlier window reaches. The
// routines of gradients do not read what is there.
func (f windowForm) fresh() int {
	if f.rows < f.cols {
		return 0 // at a border, where that may differ
	}
	return f.stride
}

// windowForms are whole windows of 3x3 and 2x2 with strides 1 and 2, and 3x3 cut by a border above or below.
var windowForms = []windowForm{{3, 3, 1}, {2, 3, 1}, {3, 3, 2}, {2, 3, 2}, {2, 2, 1}, {2, 2, 2}}

var poolRowRecord = record{
	name: "poolRow",
	doc: "poolRow is one call of a row pooling: outputs of a row whose windows have the same rows. Steps are in bytes. The\n" +
		"first column of the first window lies start before x; where before is 1 that column is missing. Then follow\n" +
		"as many outputs as the windows that lack nothing, and if after is 1 one that lacks its last column. Windows that share no columns lack none.",
	fields: []field{
		{"x", "*float32", 8, "the first pixel of the first window that lies inside the image"},
		{"dx", "*float32", 8, "its gradient"},
		{"y", "*float32", 8, "the first output, or its gradient"},
		{"outputs", "int", 8, "outputs whose windows lack no column"},
		{"before", "int", 8, "1 if there is one before them whose window lacks the first column"},
		{"after", "int", 8, "1 if there is one after them whose window lacks the last column"},
		{"start", "int", 8, "from x to the first column of the first window, missing or not"},
		{"rowStep", "int", 8, "from row to row of x"},
		{"colStep", "int", 8, "from pixel to pixel of x"},
		{"nextX", "int", 8, "from window to window"},
		{"nextY", "int", 8, "from output to output"},
		{"tail", "int", 8, "channels, 1 to all lanes"},
		{"scale", "float32", 4, "of means: one over the pixels of a window"},
		{"edge", "float32", 4, "the same for windows that lack a column"},
		{"none", "float32", 4, "what a missing column counts: minus infinity, or 0 for sums"},
	},
}

func rowPoolings() []rowPooling {
	return []rowPooling{
		{name: "poolRowMax", max: true,
			doc: "y = the greatest X(r, s); of zeros, any. No X is NaN."},
		{name: "poolRowMean",
			doc: "y = scale * the sum over columns s of the sums over rows r of X(r, s)"},
		{name: "poolRowMaxGrad", max: true, backward: true,
			doc: "find the first maximum X(r, s) of the window, row by row; no X is NaN\nDX(r, s) += y // = in fresh rows"},
		{name: "poolRowMeanGrad", backward: true,
			doc: "DX(r, s) += scale * y for all taps of the window // = in fresh rows"},
	}
}

// General registers of a row pooling.
const (
	rowX     = Reg(0) // rows of x, then of dx
	rowDX    = Reg(3)
	rowCol   = Reg(6) // offsets of the columns of the window
	rowY     = Reg(9)
	rowNextY = Reg(10)
	rowLeft  = Reg(11) // outputs left; the record before and after
	rowNextX = Reg(12)
)

// Vectors. Forward: columns from 0. Backward: gradients of the taps from 0, then maxima of the columns.
const (
	rowWhole = Vec(3)
	rowEdge  = Vec(4)
	rowScale = Vec(5) // of the next output
	rowOut   = Vec(6)
	rowTmp   = Vec(7)

	rowTops = Vec(9)
	rowBest = Vec(12)
	rowRest = Vec(13) // gradient of channels whose maximum is still to be found
	rowTmp2 = Vec(14)

	rowGrad      = Vec(9)
	rowGradWhole = Vec(10)
	rowGradEdge  = Vec(11)
)

// rowBody emits a routine for whole vectors or for the tail.
type rowBody struct {
	poolBody
	of   *rowPooling
	form windowForm
}

func (b *rowBody) tap(base Reg, r, s int) Mem {
	return Mem{Base: base + Reg(r), Index: rowCol + Reg(s), Scale: 1}
}
func (b *rowBody) grad(r, s int) Vec { return Vec(r*b.form.cols + s) }

// keeps reports whether there are registers to keep the pixels of a window.
func (b *rowBody) keeps() bool { return b.Vectors() >= 24 }

func (b *rowBody) value(r, s int) Vec { return rowTmp2 + 1 + b.grad(r, s) }

// fold sets dst to the maximum or the sum of dst and v.
func (b *rowBody) fold(dst, v Vec) {
	if b.of.max {
		b.MaxVec(dst, v, dst)
	} else {
		b.AddVec(dst, dst, v)
	}
}

// column loads column s of the window.
func (b *rowBody) column(s int) {
	dst, tmp := Vec(s), rowTmp
	if b.of.backward {
		for r := range b.form.rows {
			if r < b.form.rows-b.form.fresh() {
				b.load(b.grad(r, s), b.tap(rowDX, r, s))
			} else {
				b.Zero(b.grad(r, s))
			}
		}
		if !b.of.max {
			return
		}
		dst = rowTops + Vec(s)
		if b.keeps() {
			for r := range b.form.rows {
				b.load(b.value(r, s), b.tap(rowX, r, s))
			}
			b.MaxVec(dst, b.value(0, s), b.value(1, s))
			for r := 2; r < b.form.rows; r++ {
				b.MaxVec(dst, dst, b.value(r, s))
			}
			return
		}
		tmp = rowBest
	}
	b.load(dst, b.tap(rowX, 0, s))
	for r := 1; r < b.form.rows; r++ {
		b.load(tmp, b.tap(rowX, r, s))
		b.fold(dst, tmp)
	}
}

// output emits one output whose window has columns from to to, and moves to the next window.
func (b *rowBody) output(from, to int) {
	if b.of.backward {
		b.spread(from, to)
	} else {
		b.Copy(rowOut, Vec(from))
		for s := from + 1; s < to; s++ {
			b.fold(rowOut, Vec(s))
		}
		if !b.of.max {
			scale := rowScale
			if to < b.form.cols {
				scale = rowEdge
			}
			b.MulVec(rowOut, rowOut, scale)
			b.Copy(rowScale, rowWhole)
		}
		b.store(At(rowY, 0), rowOut)
		for s := range b.form.shared() {
			b.Copy(Vec(s), Vec(s+b.form.stride))
		}
	}
	for s := range b.form.cols {
		b.Add(rowCol+Reg(s), rowNextX)
	}
	b.Add(rowY, rowNextY)
}

// spread adds the gradient of an output to those of its taps, and stores the columns that the next
// window does not share.
func (b *rowBody) spread(from, to int) {
	if b.of.max {
		b.spreadMax(from, to)
	} else {
		scale := rowGradWhole
		if to-from < b.form.cols {
			scale = rowGradEdge
		}
		b.load(rowGrad, At(rowY, 0))
		b.MulVec(rowGrad, rowGrad, scale)
		for r := range b.form.rows {
			for s := from; s < to; s++ {
				b.AddVec(b.grad(r, s), b.grad(r, s), rowGrad)
			}
		}
	}
	leaving := b.form.stride
	if to < b.form.cols {
		leaving = to // the last window
	}
	b.leave(from, leaving)
	for r := range b.form.rows {
		for s := range b.form.shared() {
			b.Copy(b.grad(r, s), b.grad(r, s+b.form.stride))
			if b.of.max && b.keeps() {
				b.Copy(b.value(r, s), b.value(r, s+b.form.stride))
			}
		}
	}
}

func (b *rowBody) spreadMax(from, to int) {
	b.Copy(rowBest, rowTops+Vec(from))
	for s := from + 1; s < to; s++ {
		b.MaxVec(rowBest, rowTops+Vec(s), rowBest)
	}
	for s := range b.form.shared() {
		b.Copy(rowTops+Vec(s), rowTops+Vec(s+b.form.stride))
	}
	const value = rowTops + 2
	b.load(rowRest, At(rowY, 0))
	for r := range b.form.rows {
		for s := from; s < to; s++ {
			if r == b.form.rows-1 && s == to-1 {
				b.AddVec(b.grad(r, s), b.grad(r, s), rowRest) // the maximum is nowhere else
				continue
			}
			if b.keeps() {
				b.TakeEqual(b.grad(r, s), rowRest, rowBest, b.value(r, s), rowTmp2)
				continue
			}
			b.load(value, b.tap(rowX, r, s))
			b.TakeEqual(b.grad(r, s), rowRest, rowBest, value, rowTmp2)
		}
	}
}

// leave stores the gradients of columns from to to.
func (b *rowBody) leave(from, to int) {
	for s := from; s < to; s++ {
		for r := range b.form.rows {
			b.store(b.tap(rowDX, r, s), b.grad(r, s))
		}
	}
}

// row emits everything after the tail is known.
func (b *rowBody) row() {
	at := func(name string) Mem { return At(rowLeft, poolRowRecord.offset(name)) }
	shared := b.form.shared()
	b.LoadInt(rowNextX, at("rowStep"))
	for _, base := range []struct {
		reg  Reg
		name string
	}{{rowX, "x"}, {rowDX, "dx"}} {
		if base.name == "dx" && !b.of.backward {
			continue
		}
		b.LoadInt(base.reg, at(base.name))
		for r := 1; r < b.form.rows; r++ {
			b.Move(base.reg+Reg(r), base.reg+Reg(r-1))
			b.Add(base.reg+Reg(r), rowNextX)
		}
	}
	b.LoadInt(rowCol, at("start"))
	b.LoadInt(rowNextX, at("colStep"))
	for s := 1; s < b.form.cols; s++ {
		b.Move(rowCol+Reg(s), rowCol+Reg(s-1))
		b.Add(rowCol+Reg(s), rowNextX)
	}
	b.LoadInt(rowY, at("y"))
	b.LoadInt(rowNextY, at("nextY"))
	b.LoadInt(rowNextX, at("nextX"))
	switch {
	case b.of.max:
	case b.of.backward:
		b.Broadcast(rowGradWhole, at("scale"))
		b.Broadcast(rowGradEdge, at("edge"))
	default:
		b.Broadcast(rowWhole, at("scale"))
		b.Broadcast(rowEdge, at("edge"))
		b.Copy(rowScale, rowWhole)
	}
	if shared > 0 {
		b.JumpMemZero(at("before"), b.label("whole"))
		if b.of.backward {
			b.LoadInt(rowLeft, at("outputs"))
			for s := 1; s < b.form.cols; s++ {
				b.column(s)
			}
			b.output(1, b.form.cols)
		} else {
			b.Broadcast(Vec(0), at("none"))
			if !b.of.max {
				b.Copy(rowScale, rowEdge)
			}
			b.LoadInt(rowLeft, at("outputs"))
			b.AddConst(rowLeft, 1) // the first one is like the others
			for s := 1; s < shared; s++ {
				b.column(s)
			}
		}
		b.Jump(b.label("started"))
	}
	b.Label(b.label("whole"))
	b.LoadInt(rowLeft, at("outputs"))
	for s := range shared {
		b.column(s)
	}
	b.Label(b.label("started"))
	b.JumpZero(rowLeft, b.label("last"))
	b.Align()
	b.Label(b.label("output"))
	for s := shared; s < b.form.cols; s++ {
		b.column(s)
	}
	b.output(0, b.form.cols)
	b.SubJumpNotZero(rowLeft, 1, b.label("output"))
	b.Label(b.label("last"))
	if shared > 0 {
		b.Param(rowLeft, "p")
		b.JumpMemZero(at("after"), b.label("done"))
		for s := shared; s < b.form.cols-1; s++ {
			b.column(s)
		}
		b.output(0, b.form.cols-1)
		b.Return()
		b.Label(b.label("done"))
		if b.of.backward {
			b.leave(0, shared)
		}
	}
	b.Return()
}

func (p *rowPooling) emit(m Machine, f windowForm) {
	m.Param(rowLeft, "p")
	m.LoadInt(rowX, At(rowLeft, poolRowRecord.offset("tail")))
	m.JumpLess(rowX, m.Lanes(), "partial")
	whole := rowBody{poolBody{Machine: m}, p, f}
	whole.row()
	m.Label("partial")
	m.SetTail(rowX)
	tail := rowBody{poolBody{Machine: m, tail: true}, p, f}
	tail.row()
}

func (p *rowPooling) function(l Level, f windowForm) Function {
	name := fmt.Sprintf("%s%dx%dStride%d%v", p.name, f.rows, f.cols, f.stride, l)
	return Function{
		Name: name,
		Doc: fmt.Sprintf("%s computes, for each of the outputs and of the tail channels (1 to %d):\n\n\t%s\n\nwhere r < %d and s < %d; see [poolRow].",
			name, l.machine(nil).Lanes(), strings.ReplaceAll(p.doc, "\n", "\n\t"), f.rows, f.cols),
		Params: []Param{{"p", "*poolRow"}},
		Body:   func(m Machine) { p.emit(m, f) },
	}
}

// rowPoolingSource declares the kinds and forms of row poolings on the other side, and the choice between levels.
func rowPoolingSource() string {
	var s strings.Builder
	s.WriteString("\n// The kinds of row poolings.\nconst (\n")
	for i, p := range rowPoolings() {
		s.WriteString("\t" + p.name)
		if i == 0 {
			s.WriteString(" = iota")
		}
		s.WriteString("\n")
	}
	s.WriteString(")\n\n// windowForm is a form of windows: rows, columns, and the stride in width.\ntype windowForm struct{ rows, cols, stride int }\n\n")
	s.WriteString("// index returns the number of a form that row poolings know, or -1.\nfunc (f windowForm) index() int {\n\tswitch f {\n")
	for i, f := range windowForms {
		fmt.Fprintf(&s, "\tcase windowForm{%d, %d, %d}:\n\t\treturn %d\n", f.rows, f.cols, f.stride, i)
	}
	fmt.Fprintf(&s, "\t}\n\treturn -1\n}\n\n// freshRows holds, by form, how many of the last rows the gradients overwrite rather than add to.\nvar freshRows = [...]int{")
	for _, f := range windowForms {
		fmt.Fprintf(&s, "%d, ", f.fresh())
	}
	fmt.Fprintf(&s, "}\n\n// poolRow calls the row pooling of a kind and of a form's index.\nfunc (s *simd) poolRow(kind, form int, p *poolRow) {\n\tat := kind*%d + form\n", len(windowForms))
	for _, l := range []Level{AVX512, AVX2} {
		fmt.Fprintf(&s, "\tif s.level == %v {\n\t\tswitch at {\n", l)
		for k, p := range rowPoolings() {
			for i, f := range windowForms {
				fmt.Fprintf(&s, "\t\tcase %d:\n\t\t\t%s(p)\n", k*len(windowForms)+i, p.function(l, f).Name)
			}
		}
		s.WriteString("\t\t}\n\t\treturn\n\t}\n")
	}
	s.WriteString("}\n")
	return s.String()
}

// findNaN is a routine that looks for NaN.
func findNaN(l Level) Function {
	name := "findNaN" + l.String()
	return Function{
		Name:    name,
		Doc:     name + " computes:\n\n\tfor i := range n {\n\t\tif x[i] != x[i] {\n\t\t\tfound = 1\n\t\t}\n\t}",
		Params:  []Param{{"x", "*float32"}, {"n", "int"}},
		Results: []Param{{"found", "int"}},
		Body: func(m Machine) {
			const x, left = Reg(0), Reg(1)
			size := 4 * m.Lanes()
			m.Param(x, "x")
			m.Param(left, "n")
			m.JumpLess(left, 4*m.Lanes(), "vectors")
			m.Align()
			m.Label("turn")
			for i := range 4 {
				m.Load(Vec(i), At(x, i*size))
			}
			m.JumpNumbers(t0, t1, t4, "first")
			m.Jump("nan")
			m.Label("first")
			m.JumpNumbers(t2, t3, t4, "second")
			m.Jump("nan")
			m.Label("second")
			m.AddConst(x, 4*size)
			m.SubJumpAtLeast(left, 4*m.Lanes(), "turn")
			m.Label("vectors")
			m.JumpLess(left, m.Lanes(), "rest")
			m.Label("vector")
			m.Load(t0, At(x, 0))
			m.JumpNumbers(t0, t0, t4, "third")
			m.Jump("nan")
			m.Label("third")
			m.AddConst(x, size)
			m.SubJumpAtLeast(left, m.Lanes(), "vector")
			m.Label("rest")
			m.JumpZero(left, "none")
			m.SetTail(left)
			m.LoadTail(t0, At(x, 0))
			m.JumpNumbers(t0, t0, t4, "none")
			m.Label("nan")
			m.MoveConst(x, 1)
			m.ReturnInt("found", x)
			m.Return()
			m.Label("none")
			m.MoveConst(x, 0)
			m.ReturnInt("found", x)
			m.Return()
		},
	}
}

// poolRowFile holds the row poolings of a level; that of AVX2 also the choice between levels and forms.
func poolRowFile(l Level) File {
	f := File{Name: "poolrow_" + strings.ToLower(l.String()), Level: l}
	if l == AVX2 {
		f.Go += poolRowRecord.source() + rowPoolingSource()
	}
	for _, p := range rowPoolings() {
		for _, form := range windowForms {
			f.Functions = append(f.Functions, p.function(l, form))
		}
	}
	f.Functions = append(f.Functions, findNaN(l))
	return f
}
