package asmgen

import (
	"fmt"
	"strings"
)

// Pooling routines work on a run of outputs whose windows have the same form, and on
// one vector of channels. Steps are in bytes.
type pooling struct {
	name, doc string
	pointers  []string // to floats of the first window, then of the first output
	scale     bool     // there is a float32 of that name
	body      func(p *poolBody)
}

// Registers of a pooling routine. Offsets count from the first window.
const (
	poolX      = Reg(iota) // x, or the only tensor of windows
	poolDX                 // dx, beside x
	poolY                  // the output
	poolRun                // outputs left
	poolOrigin             // offset of the window
	poolRow                // offset of the row of the window
	poolTap                // offset of the tap
	poolRows               // rows left
	poolCols               // taps left in the row
	poolRowStep
	poolColStep
	poolNextX
	poolNextY
)

// poolBody emits the loop over outputs, of a whole vector or of the tail.
type poolBody struct {
	Machine
	tail  bool
	loops int
}

func (p *poolBody) label(name string) string {
	if p.tail {
		return name + "Tail"
	}
	return name
}

func (p *poolBody) load(dst Vec, m Mem) {
	if p.tail {
		p.LoadTail(dst, m)
	} else {
		p.Load(dst, m)
	}
}

func (p *poolBody) store(m Mem, src Vec) {
	if p.tail {
		p.StoreTail(m, src)
	} else {
		p.Store(m, src)
	}
}

// taps emits a loop over the taps of the window.
func (p *poolBody) taps(body func()) { p.tapsByRow(func() {}, body, func() {}) }

// tapsByRow is taps with something before and after each row.
func (p *poolBody) tapsByRow(before, body, after func()) {
	p.loops++
	row, tap := p.label("row")+fmt.Sprint(p.loops), p.label("tap")+fmt.Sprint(p.loops)
	p.Param(poolRows, "rows")
	p.Move(poolRow, poolOrigin)
	p.Label(row)
	p.Move(poolTap, poolRow)
	p.Param(poolCols, "cols")
	before()
	p.Label(tap)
	body()
	p.Add(poolTap, poolColStep)
	p.SubJumpNotZero(poolCols, 1, tap)
	after()
	p.Add(poolRow, poolRowStep)
	p.SubJumpNotZero(poolRows, 1, row)
}

// tap is the address of a tap of a tensor, first that of the first one.
func tap(base Reg) Mem   { return Mem{Base: base, Index: poolTap, Scale: 1} }
func first(base Reg) Mem { return Mem{Base: base, Index: poolOrigin, Scale: 1} }

// Vectors that hold the same for all outputs; bodies use those between.
const (
	poolScale = Vec(0)
	poolOne   = Vec(10)
)

// ifNaN emits code that runs only if a sum of all taps is NaN: then one of them is,
// or both infinities are among them. Comparing without regard to NaN is faster.
func (p *poolBody) ifNaN(sum, tmp Vec, again func()) {
	label := p.label("numbers")
	p.JumpNumbers(sum, sum, tmp, label)
	again()
	p.Label(label)
}

func poolings() []pooling {
	const best, mark, v, number, tmp, tmp2, grad, sum = t1, t2, t3, t4, t4 + 1, t4 + 2, t4 + 3, t4 + 4
	const one = poolOne
	return []pooling{
		{
			name: "poolMax", pointers: []string{"x", "y"},
			doc: "y = X(0, 0)\nfor r := range rows {\n\tfor s := range cols {\n\t\ty = max(y, X(r, s)) // NaN if either is; of two zeros, one or the other\n\t}\n}",
			body: func(p *poolBody) {
				p.load(best, first(poolX))
				p.Zero(sum)
				p.taps(func() {
					p.load(v, tap(poolX))
					p.MaxVec(best, v, best)
					p.AddVec(sum, sum, v)
				})
				p.ifNaN(sum, tmp, func() {
					p.load(best, first(poolX))
					p.taps(func() {
						p.load(v, tap(poolX))
						p.MaxTotal(best, v, tmp, tmp2)
					})
				})
				p.store(At(poolY, 0), best)
			},
		},
		{
			name: "poolMaxGrad", pointers: []string{"x", "dx", "dy"},
			doc: "find the first maximum X(r, s) of the window, or its first NaN\nDX(r, s) += dy",
			body: func(p *poolBody) {
				p.load(best, first(poolX))
				p.Zero(mark)
				p.Zero(number)
				p.Zero(sum)
				p.taps(func() {
					p.load(v, tap(poolX))
					p.TakeGreaterNumber(best, mark, v, number, tmp)
					p.AddVec(sum, sum, v)
					p.AddVec(number, number, one)
				})
				p.ifNaN(sum, tmp, func() {
					p.load(best, first(poolX))
					p.Zero(mark)
					p.Zero(number)
					p.taps(func() {
						p.load(v, tap(poolX))
						p.TakeGreater(best, mark, v, number, tmp, tmp2)
						p.AddVec(number, number, one)
					})
				})
				p.load(grad, At(poolY, 0))
				p.Zero(number)
				p.taps(func() {
					p.ZeroIfNotEqual(tmp, grad, mark, number)
					p.load(v, tap(poolDX))
					p.AddVec(v, v, tmp)
					p.store(tap(poolDX), v)
					p.AddVec(number, number, one)
				})
			},
		},
		{
			name: "poolMean", pointers: []string{"x", "y"}, scale: true,
			doc: "sum := float32(0)\nfor r := range rows {\n\trow := float32(0)\n\tfor s := range cols {\n\t\trow += X(r, s)\n\t}\n\tsum += row\n}\ny = scale * sum",
			body: func(p *poolBody) {
				p.Zero(best)
				p.tapsByRow(func() { p.Zero(sum) }, func() {
					p.load(v, tap(poolX))
					p.AddVec(sum, sum, v)
				}, func() { p.AddVec(best, best, sum) })
				p.MulVec(best, best, poolScale)
				p.store(At(poolY, 0), best)
			},
		},
		{
			name: "poolMeanGrad", pointers: []string{"dx", "dy"}, scale: true,
			doc: "for r := range rows {\n\tfor s := range cols {\n\t\tDX(r, s) += scale * dy\n\t}\n}",
			body: func(p *poolBody) {
				p.load(grad, At(poolY, 0))
				p.MulVec(grad, grad, poolScale)
				p.taps(func() {
					p.load(v, tap(poolX))
					p.AddVec(v, v, grad)
					p.store(tap(poolX), v)
				})
			},
		},
	}
}

func (p *pooling) function(l Level) Function {
	name := p.name + l.String()
	f := Function{
		Name: name,
		Doc: fmt.Sprintf("%s computes, for each of the outputs and of the tail channels (1 to %d):\n\n\t%s\n\nTap (r, s) of a window lies r*rowStep + s*colStep after its first; windows are nextX apart and outputs nextY, all in bytes.",
			name, l.machine(nil).Lanes(), strings.ReplaceAll(p.doc, "\n", "\n\t")),
		Body: p.emit,
	}
	for _, s := range p.pointers {
		f.Params = append(f.Params, Param{s, "*float32"})
	}
	if p.scale {
		f.Params = append(f.Params, Param{"scale", "float32"})
	}
	for _, s := range []string{"outputs", "tail", "rows", "cols", "rowStep", "colStep", "nextX", "nextY"} {
		f.Params = append(f.Params, Param{s, "int"})
	}
	return f
}

func (p *pooling) emit(m Machine) {
	m.Param(poolX, p.pointers[0])
	if len(p.pointers) == 3 {
		m.Param(poolDX, p.pointers[1])
	}
	m.Param(poolY, p.pointers[len(p.pointers)-1])
	m.Param(poolRowStep, "rowStep")
	m.Param(poolColStep, "colStep")
	m.Param(poolNextX, "nextX")
	m.Param(poolNextY, "nextY")
	m.MoveConst(poolOrigin, 0)
	if p.scale {
		m.BroadcastParam(poolScale, "scale")
	}
	m.Ones(poolOne)
	m.Param(poolRun, "tail")
	m.JumpLess(poolRun, m.Lanes(), "partial")
	for _, b := range []*poolBody{{Machine: m}, {Machine: m, tail: true}} {
		if b.tail {
			m.Label("partial")
			m.SetTail(poolRun)
		}
		m.Param(poolRun, "outputs")
		m.Label(b.label("output"))
		p.body(b)
		m.Add(poolOrigin, poolNextX)
		m.Add(poolY, poolNextY)
		m.SubJumpNotZero(poolRun, 1, b.label("output"))
		m.Return()
	}
}

// poolFile holds the pooling routines of a level; that of AVX2 also the choice between
// levels.
func poolFile(l Level) File {
	f := File{Name: "pool_" + strings.ToLower(l.String()), Level: l}
	for _, p := range poolings() {
		fn := p.function(l)
		f.Functions = append(f.Functions, fn)
		if l == AVX2 {
			f.Go += choice(&fn, l)
		}
	}
	return f
}
