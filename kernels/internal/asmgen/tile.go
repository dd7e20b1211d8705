package asmgen

import (
	"fmt"
	"strings"
)

// Matrix products and convolutions share one micro-kernel: a tile of rows of A by one
// or two vectors of columns of B, whose accumulators stay in registers over the whole
// reduction. Everything has a step of its own: rows of A may be pixels, channels or
// rows of a matrix; the reduction goes over pieces that may lie anywhere, such as the
// rows of a convolution kernel; and B may be packed or not. One family of routines,
// one for each number of rows, so serves all directions without padding.

// tileGroup is the number of rows addressed from one base register, by the step
// times 0 to 6, for which three index registers (1, 3 and 5 steps) are enough.
const tileGroup = 7

// tileBases is the largest number of groups.
const tileBases = 4

// tilePieces is the number of pieces of the reduction that callers collect at once.
const tilePieces = 64

var tileRecord = record{
	name: "tile",
	doc: "tile is one call of the micro-kernel: rows of A times one or two vectors of columns\n" +
		"of B. Steps are in bytes. Row i belongs to group i/tileGroup.",
	fields: []field{
		{"a", "[tileBases]*float32", 8 * tileBases, "A of the first row of each group"},
		{"c", "[tileBases]*float32", 8 * tileBases, "C of the first row of each group"},
		{"b", "*float32", 8, "B"},
		{"bias", "*float32", 8, "one float per column, if flags has tileBias"},
		{"pieces", "*tilePiece", 8, "pieces of the reduction, in order"},
		{"count", "int", 8, "number of pieces; zero after the call, and set by it where it runs several tiles"},
		{"length", "int", 8, "steps of the reduction in each piece"},
		{"aRow", "int", 8, "from row to row of A within a group"},
		{"cRow", "int", 8, "from row to row of C within a group"},
		{"aStep", "int", 8, "of A along the reduction"},
		{"bStep", "int", 8, "of B along the reduction"},
		{"tail", "int", 8, "columns of the last vector, 1 to all lanes"},
		{"flags", "int", 8, "the epilogue"},
		{"alpha", "float32", 4, "factor of the product, if flags has tileAlpha"},
		{"beta", "float32", 4, "factor of C, if flags has tileBeta"},
		{"from", "int", 8, "bytes from C to what is read in its place, if flags has tileBeta"},
		{"tiles", "int", 8, "of routines that run several, those that are left; zero after the call"},
		{"reduced", "int", 8, "number of pieces, of each of them"},
		{"aTile", "int", 8, "from tile to tile of A"},
		{"bTile", "int", 8, "of B"},
		{"cTile", "int", 8, "of C"},
		{"biasTile", "int", 8, "of the bias"},
		{"aAt", "int", 8, "what the tile is beyond the first, zero before the call"},
		{"bAt", "int", 8, "of B"},
		{"cAt", "int", 8, "of C"},
		{"biasAt", "int", 8, "of the bias"},
	},
}

// tilesTogether reports whether a call runs several tiles of one size, whose operands are equal steps apart: between two of
// them the CPU then goes on multiplying.
func tilesTogether(l Level) bool { return l == AVX2 }

const tileGo = `
const (
	tileGroup  = %d // rows of A addressed from one base
	tileBases  = %d // groups in a tile
	tilePieces = %d // pieces of the reduction collected at once
)

// The epilogue of a tile, in this order.
const (
	tileAlpha = 1 << iota // multiply by alpha
	tileBeta              // add beta*C, or beta times what lies t.from bytes further
	tileBias              // add the bias
	tileReLU              // replace what is negative by zero
)

// tilePiece is a piece of the reduction: where it starts in bytes after the bases of A and after B.
type tilePiece struct{ a, b int }
`

// tileRows returns the largest number of rows of a tile of vectors: what registers hold beside
// the vectors of B and a broadcast element of A.
func tileRows(l Level, vectors int) int {
	switch {
	case l == AVX512 && vectors == 1:
		return 28
	case l == AVX512:
		return 14
	case vectors == 1:
		return 12
	}
	return 6
}

func tileFile(l Level) File {
	f := File{Name: "tile_" + strings.ToLower(l.String()), Level: l}
	if l == AVX2 {
		f.Go = fmt.Sprintf(tileGo, tileGroup, tileBases, tilePieces) + "\n" + tileRecord.source()
	}
	var cases strings.Builder
	for vectors := 1; vectors <= 2; vectors++ {
		for rows := 1; rows <= tileRows(l, vectors); rows++ {
			name := fmt.Sprintf("tile%vx%dx%d", l, rows, vectors)
			f.Functions = append(f.Functions, Function{
				Name:   name,
				Doc:    tileDoc(name, l, rows, vectors),
				Params: []Param{{"t", "*tile"}},
				Body:   func(m Machine) { tileBody(m, rows, vectors, tilesTogether(l)) },
			})
			fmt.Fprintf(&cases, "\tcase %d:\n\t\t%s(t)\n", vectors*32+rows, name)
		}
	}
	f.Go += fmt.Sprintf("\n// tile%v runs a tile of 1 to %d rows by one vector, or 1 to %d rows by two.\nfunc tile%[1]v(rows, vectors int, t *tile) {\n\tswitch vectors*32 + rows {\n%[4]s\t}\n}\n",
		l, tileRows(l, 1), tileRows(l, 2), cases.String())
	return f
}

func tileDoc(name string, l Level, rows, vectors int) string {
	lanes := l.machine(nil).Lanes()
	more := ""
	if tilesTogether(l) {
		more = "\n\nand so for t.tiles tiles, with t.reduced for t.count, whose A, B, C and bias lie t.aTile, t.bTile, t.cTile and t.biasTile bytes further each."
	}
	return fmt.Sprintf(`%s computes %d rows of a tile of %d-%d columns, n = %d+t.tail:

	for i := range %[2]d {
		for j := range n {
			sum := 0
			for _, p := range t.pieces[:t.count] {
				for k := range t.length {
					sum += A(i, p.a+k*t.aStep) * B(p.b+k*t.bStep+4*j) // fused
				}
			}
			C(i, j) = epilogue(sum)
		}
	}`, name, rows, (vectors-1)*lanes+1, vectors*lanes, (vectors-1)*lanes) + more
}

// Registers of a tile.
const (
	tileArgs   = Reg(0)
	tileB      = Reg(1)
	tileAStep  = Reg(2)
	tileBStep  = Reg(3)
	tileLength = Reg(4)
	tilePiece  = Reg(5)
	tileStep1  = Reg(6) // one step, then three and five
	tileBase   = Reg(9) // tileBases of them
)

// tileRow returns the address of row i, from the base of its group.
func tileRow(i int) Mem {
	m := At(tileBase+Reg(i/tileGroup), 0)
	if i %= tileGroup; i > 0 {
		m.Index = tileStep1 + [...]Reg{1: 0, 2: 0, 3: 1, 4: 0, 5: 2, 6: 1}[i]
		m.Scale = [...]int{1: 1, 2: 2, 3: 1, 4: 4, 5: 1, 6: 2}[i]
	}
	return m
}

// tileIndex loads a step and its multiples.
func tileIndex(m Machine, field string) {
	m.LoadInt(tileStep1, At(tileArgs, tileRecord.offset(field)))
	for _, odd := range []int{3, 5} {
		m.Address(tileStep1+Reg(odd/2), Mem{Base: tileStep1, Index: tileStep1, Scale: odd - 1})
	}
}

// tileArg returns the address of a field.
func tileArg(field string) Mem { return At(tileArgs, tileRecord.offset(field)) }

// tileBody emits the routine twice: for a last vector that is whole, as most are, and for one of which some columns are missing.
// Loads and stores under a mask cost several times those of whole vectors on many CPUs.
func tileBody(m Machine, rows, vectors int, together bool) {
	m.Param(tileArgs, "t")
	m.LoadInt(tileLength, tileArg("tail"))
	m.JumpLess(tileLength, m.Lanes(), "masked")
	whole := &tileEmitter{m, rows, vectors, false, together}
	whole.emit()
	m.Label("masked")
	m.SetTail(tileLength)
	masked := &tileEmitter{m, rows, vectors, true, together}
	masked.emit()
}

// tileEmitter emits one of the two bodies of a tile.
type tileEmitter struct {
	m             Machine
	rows, vectors int
	masked        bool // of the last vector, only the columns of the tail are there
	together      bool // see tilesTogether
}

// label returns the name of a label in this body.
func (e *tileEmitter) label(name string) string {
	if e.masked {
		return name + "Masked"
	}
	return name
}

// load loads vector v of a row that starts at an address.
func (e *tileEmitter) load(dst Vec, at Mem, v int) {
	at = at.Plus(v * 4 * e.m.Lanes())
	if e.masked && v == e.vectors-1 {
		e.m.LoadTail(dst, at)
	} else {
		e.m.Load(dst, at)
	}
}

func (e *tileEmitter) store(at Mem, src Vec, v int) {
	at = at.Plus(v * 4 * e.m.Lanes())
	if e.masked && v == e.vectors-1 {
		e.m.StoreTail(at, src)
	} else {
		e.m.Store(at, src)
	}
}

func (e *tileEmitter) emit() {
	m, rows, vectors := e.m, e.rows, e.vectors
	acc := func(i, v int) Vec { return Vec(i*vectors + v) }
	b := func(v int) Vec { return Vec(rows*vectors + v) }
	tmp := Vec(m.Vectors() - 1)
	groups := (rows + tileGroup - 1) / tileGroup

	if e.together {
		m.Label(e.label("tile"))
		m.LoadInt(tileLength, tileArg("reduced"))
		m.StoreInt(tileArg("count"), tileLength)
	}
	for i := range rows * vectors {
		m.Zero(Vec(i))
	}
	m.JumpMemZero(tileArg("count"), e.label("epilogue"))
	m.JumpMemZero(tileArg("length"), e.label("epilogue"))
	tileIndex(m, "aRow")
	m.LoadInt(tileAStep, tileArg("aStep"))
	m.LoadInt(tileBStep, tileArg("bStep"))
	m.LoadInt(tilePiece, tileArg("pieces"))

	m.Label(e.label("piece"))
	for g := range groups {
		m.LoadInt(tileBase+Reg(g), tileArg("a").Plus(8*g))
	}
	m.LoadInt(tileB, tileArg("b"))
	m.LoadInt(tileLength, At(tilePiece, 0))
	if e.together {
		m.AddMem(tileLength, tileArg("aAt"))
		m.AddMem(tileB, tileArg("bAt"))
	}
	for g := range groups {
		m.Add(tileBase+Reg(g), tileLength)
	}
	m.AddMem(tileB, At(tilePiece, 8))
	m.AddConst(tilePiece, 16)
	m.LoadInt(tileLength, tileArg("length"))
	m.Align()
	m.Label(e.label("step"))
	for v := range vectors {
		e.load(b(v), At(tileB, 0), v)
	}
	for i := range rows {
		if vectors == 1 {
			m.FMABroadcast(acc(i, 0), b(0), tileRow(i), tmp)
			continue
		}
		m.Broadcast(tmp-Vec(i%2*spare(m, rows, vectors)), tileRow(i))
		for v := range vectors {
			m.FMA(acc(i, v), b(v), tmp-Vec(i%2*spare(m, rows, vectors)))
		}
	}
	for g := range groups {
		m.Add(tileBase+Reg(g), tileAStep)
	}
	m.Add(tileB, tileBStep)
	m.SubJumpNotZero(tileLength, 1, e.label("step"))
	m.DecrementMem(tileArg("count"), e.label("piece"))

	m.Label(e.label("epilogue"))
	e.epilogue()
}

// spare is 1 if there is a second register for broadcast elements, else 0.
func spare(m Machine, rows, vectors int) int {
	return min(1, m.Vectors()-(rows+1)*vectors-1)
}

// epilogue finishes the accumulators and stores them.
func (e *tileEmitter) epilogue() {
	const flags = tileLength
	m, rows, vectors := e.m, e.rows, e.vectors
	x, y := Vec(rows*vectors), Vec(rows*vectors+1)
	each := func(f func(acc Vec, i, v int)) {
		for i := range rows {
			for v := range vectors {
				f(Vec(i*vectors+v), i, v)
			}
		}
	}
	groups := (rows + tileGroup - 1) / tileGroup
	tileIndex(m, "cRow")
	for g := range groups {
		m.LoadInt(tileBase+Reg(g), tileArg("c").Plus(8*g))
		if e.together {
			m.AddMem(tileBase+Reg(g), tileArg("cAt"))
		}
	}
	m.LoadInt(flags, tileArg("flags"))
	m.JumpZero(flags, e.label("store"))

	m.JumpBitClear(flags, 0, e.label("beta"))
	m.Broadcast(x, tileArg("alpha"))
	each(func(acc Vec, _, _ int) { m.MulVec(acc, acc, x) })

	m.Label(e.label("beta"))
	m.JumpBitClear(flags, 1, e.label("bias"))
	m.Broadcast(x, tileArg("beta"))
	m.LoadInt(tileB, tileArg("from"))
	for g := range groups {
		m.Add(tileBase+Reg(g), tileB)
	}
	each(func(acc Vec, i, v int) {
		e.load(y, tileRow(i), v)
		m.FMA(acc, y, x)
	})
	for g := range groups {
		m.Sub(tileBase+Reg(g), tileB)
	}

	m.Label(e.label("bias"))
	m.JumpBitClear(flags, 2, e.label("relu"))
	m.LoadInt(tileB, tileArg("bias"))
	if e.together {
		m.AddMem(tileB, tileArg("biasAt"))
	}
	for v := range vectors {
		e.load(x, At(tileB, 0), v)
		for i := range rows {
			acc := Vec(i*vectors + v)
			m.AddVec(acc, acc, x)
		}
	}

	m.Label(e.label("relu"))
	m.JumpBitClear(flags, 3, e.label("store"))
	m.Zero(x)
	each(func(acc Vec, _, _ int) { m.MaxVec(acc, x, acc) })

	m.Label(e.label("store"))
	each(func(acc Vec, i, v int) { e.store(tileRow(i), acc, v) })
	if e.together {
		for _, operand := range []string{"a", "b", "c", "bias"} {
			at := tileArg(operand + "At")
			m.LoadInt(tileLength, at)
			m.AddMem(tileLength, tileArg(operand+"Tile"))
			m.StoreInt(at, tileLength)
		}
		m.DecrementMem(tileArg("tiles"), e.label("tile"))
	}
	m.Return()
}
