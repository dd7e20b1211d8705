package asmgen

import (
	"fmt"
	"strings"
)

// A rowRoutine works on each of some rows of c floats on its own: it passes over the row several
// times, in whole vectors and a last one that is cut short.
type rowRoutine struct {
	name    string
	doc     string   // Go code for row r
	streams []string // pointers to rows x c floats
	numbers []Param  // pointers to a number of each row
	exp     bool     // takes exponentials
	body    func(s *rowStep)
}

// rowStep emits the work on one row.
type rowStep struct {
	Machine
	of    *rowRoutine
	loops int
	tail  bool
}

const (
	rowsIndex  = Reg(0) // bytes from the start of the row
	rowsLeft   = Reg(1) // whole vectors left in the row
	rowsCount  = Reg(2) // rows left
	rowsWhole  = Reg(3) // whole vectors of a row
	rowsTail   = Reg(4) // elements of the last one
	rowsBytes  = Reg(5)
	rowsExps   = Reg(6) // the numbers of exponentials
	rowsStream = Reg(7) // the first stream, then the other streams and the numbers
)

func (s *rowStep) register(name string) Reg {
	for i, n := range s.of.streams {
		if n == name {
			return rowsStream + Reg(i)
		}
	}
	for i, n := range s.of.numbers {
		if n.Name == name {
			return rowsStream + Reg(len(s.of.streams)+i)
		}
	}
	panic("asmgen: " + s.of.name + " has no " + name)
}

// at is the address of the current vector of a stream, number that of the row's number.
func (s *rowStep) at(stream string) Mem {
	return Mem{Base: s.register(stream), Index: rowsIndex, Scale: 1}
}
func (s *rowStep) number(name string) Mem { return At(s.register(name), 0) }

func (s *rowStep) load(dst Vec, stream string) {
	if s.tail {
		s.LoadTail(dst, s.at(stream))
	} else {
		s.Load(dst, s.at(stream))
	}
}

func (s *rowStep) store(stream string, src Vec) {
	if s.tail {
		s.StoreTail(s.at(stream), src)
	} else {
		s.Store(s.at(stream), src)
	}
}

// pass emits body for the vectors of the row.
func (s *rowStep) pass(body func()) {
	s.loops++
	label := func(name string) string { return fmt.Sprintf("%s%d", name, s.loops) }
	s.MoveConst(rowsIndex, 0)
	s.Move(rowsLeft, rowsWhole)
	s.JumpZero(rowsLeft, label("tail"))
	s.Label(label("vector"))
	body()
	s.AddConst(rowsIndex, 4*s.Lanes())
	s.SubJumpNotZero(rowsLeft, 1, label("vector"))
	s.Label(label("tail"))
	s.JumpZero(rowsTail, label("end"))
	s.tail = true
	body()
	s.tail = false
	s.Label(label("end"))
}

// The registers of the bodies. Those of sums hold doubles.
const (
	rowsMax = Vec(iota)
	rowsSum
	rowsSum2
	r0
	r1
	r2
	r3
)

// maximum leaves the greatest element of the row in all lanes of rowsMax; if one is NaN, anything.
func (s *rowStep) maximum(stream string) {
	first := At(s.register(stream), 0)
	s.Broadcast(rowsMax, first)
	s.pass(func() {
		if s.tail {
			s.Broadcast(r0, first)
			s.LoadTailOver(r0, s.at(stream), r1)
		} else {
			s.load(r0, stream)
		}
		s.MaxVec(rowsMax, rowsMax, r0)
	})
	s.MaxOfLanes(rowsMax, r0)
}

// add adds the floats in v, which it overwrites like r3, to the sums.
func (s *rowStep) add(v Vec) {
	if s.tail {
		s.ZeroBeyondTail(v)
	}
	s.Widen(r3, v)
	s.AddDouble(rowsSum, rowsSum, r3)
	s.AddDouble(rowsSum2, rowsSum2, v)
}

// exponentials leaves the sum over the row of exp(x - max) in lane 0 of rowsSum, and stores
// them to a stream unless its name is empty.
func (s *rowStep) exponentials(x, to string) {
	s.maximum(x)
	s.Zero(rowsSum)
	s.Zero(rowsSum2)
	s.pass(func() {
		s.load(r1, x)
		s.SubVec(r1, r1, rowsMax)
		exponential(s.Machine, rowsExps, r0, r1, r2, r3)
		if to != "" {
			s.store(to, r0)
		}
		s.add(r0)
	})
	s.SumOfDoubles(rowsSum, rowsSum2, r0)
}

func rowRoutines() []rowRoutine {
	maxima := []Param{{"maximum", "*float32"}, {"sum", "*float64"}}
	factors := []Param{{"a", "*float32"}, {"b", "*float32"}}
	finish := func(s *rowStep) {
		s.StoreFloat(s.number("maximum"), rowsMax)
		s.StoreDouble(s.number("sum"), rowsSum)
	}
	return []rowRoutine{
		{
			name: "rowsSoftmax", streams: []string{"y", "x"}, exp: true,
			doc: "m := maximum(x(r))\nfor i := range c {\n\ty(r, i) = exp(x(r, i) - m)\n\tsum += float64(y(r, i))\n}\nfor i := range c {\n\ty(r, i) *= 1 / float32(sum)\n}",
			body: func(s *rowStep) {
				s.exponentials("x", "y")
				s.BroadcastFromDouble(rowsSum, rowsSum)
				s.Ones(r0)
				s.DivVec(rowsSum, r0, rowsSum)
				s.pass(func() {
					s.load(r0, "y")
					s.MulVec(r0, r0, rowsSum)
					s.store("y", r0)
				})
			},
		},
		{
			name: "rowsSoftmaxGrad", streams: []string{"dx", "dy", "y"},
			doc: "for i := range c {\n\tdot += float64(dy(r, i)) * float64(y(r, i))\n}\nfor i := range c {\n\tdx(r, i) = y(r, i) * (dy(r, i) - float32(dot))\n}",
			body: func(s *rowStep) {
				s.Zero(rowsSum)
				s.Zero(rowsSum2)
				s.pass(func() {
					s.load(r1, "dy")
					s.load(r3, "y")
					s.Widen(r0, r1)
					s.Widen(r2, r3)
					s.FMADouble(rowsSum, r0, r2)
					s.FMADouble(rowsSum2, r1, r3)
				})
				s.SumOfDoubles(rowsSum, rowsSum2, r0)
				s.BroadcastFromDouble(rowsSum, rowsSum)
				s.pass(func() {
					s.load(r0, "dy")
					s.load(r1, "y")
					s.SubVec(r0, r0, rowsSum)
					s.MulVec(r0, r1, r0)
					s.store("dx", r0)
				})
			},
		},
		{
			name: "rowsLogSoftmaxGrad", streams: []string{"dx", "dy", "y"}, exp: true,
			doc: "for i := range c {\n\tsum += float64(dy(r, i))\n}\nfor i := range c {\n\tdx(r, i) = dy(r, i) - float32(exp(y(r, i))*float32(sum))\n}",
			body: func(s *rowStep) {
				s.Zero(rowsSum)
				s.Zero(rowsSum2)
				s.pass(func() {
					s.load(r0, "dy")
					s.add(r0)
				})
				s.SumOfDoubles(rowsSum, rowsSum2, r0)
				s.BroadcastFromDouble(rowsSum, rowsSum)
				s.pass(func() {
					s.load(r1, "y")
					exponential(s.Machine, rowsExps, r0, r1, r2, r3)
					s.MulVec(r0, r0, rowsSum)
					s.load(r1, "dy")
					s.SubVec(r0, r1, r0)
					s.store("dx", r0)
				})
			},
		},
		{
			name: "rowsExp", streams: []string{"y", "x"}, numbers: maxima, exp: true,
			doc: "maximum[r] = the greatest of x(r)\nfor i := range c {\n\ty(r, i) = exp(x(r, i) - maximum[r])\n\tsum[r] += float64(y(r, i))\n}",
			body: func(s *rowStep) {
				s.exponentials("x", "y")
				finish(s)
			},
		},
		{
			name: "rowsExpSum", streams: []string{"x"}, numbers: maxima, exp: true,
			doc: "maximum[r] = the greatest of x(r)\nfor i := range c {\n\tsum[r] += float64(exp(x(r, i) - maximum[r]))\n}",
			body: func(s *rowStep) {
				s.exponentials("x", "")
				finish(s)
			},
		},
		{
			name: "rowsScale", streams: []string{"y", "x"}, numbers: factors,
			doc: "for i := range c {\n\ty(r, i) = float32(x(r, i)*a[r]) - b[r]\n}",
			body: func(s *rowStep) {
				s.Broadcast(rowsMax, s.number("a"))
				s.Broadcast(rowsSum, s.number("b"))
				s.pass(func() {
					s.load(r0, "x")
					s.MulVec(r0, r0, rowsMax)
					s.SubVec(r0, r0, rowsSum)
					s.store("y", r0)
				})
			},
		},
		{
			name: "rowsShift", streams: []string{"y", "x"}, numbers: factors,
			doc: "for i := range c {\n\ty(r, i) = x(r, i) - a[r] - b[r]\n}",
			body: func(s *rowStep) {
				s.Broadcast(rowsMax, s.number("a"))
				s.Broadcast(rowsSum, s.number("b"))
				s.pass(func() {
					s.load(r0, "x")
					s.SubVec(r0, r0, rowsMax)
					s.SubVec(r0, r0, rowsSum)
					s.store("y", r0)
				})
			},
		},
	}
}

func (p *rowRoutine) function(l Level) Function {
	name := p.name + l.String()
	f := Function{
		Name: name,
		Doc: fmt.Sprintf("%s computes, for rows of c = %d*whole + tail floats, with tail below %[2]d and rows and c above 0:\n\n\tfor r := range rows {\n\t\t%s\n\t}\n\nSums are taken lane by lane, in the order of the vectors, and then over the lanes.",
			name, l.machine(nil).Lanes(), strings.ReplaceAll(p.doc, "\n", "\n\t\t")),
		Body: p.emit,
	}
	for _, s := range p.streams {
		f.Params = append(f.Params, Param{s, "*float32"})
	}
	f.Params = append(f.Params, p.numbers...)
	f.Params = append(f.Params, Param{"rows", "int"}, Param{"whole", "int"}, Param{"tail", "int"})
	return f
}

func (p *rowRoutine) emit(m Machine) {
	s := &rowStep{Machine: m, of: p}
	for _, name := range p.streams {
		m.Param(s.register(name), name)
	}
	for _, n := range p.numbers {
		m.Param(s.register(n.Name), n.Name)
	}
	if p.exp {
		m.DataAddress(rowsExps, "exponential", expNumbers())
	}
	m.Param(rowsWhole, "whole")
	m.Param(rowsTail, "tail")
	m.Move(rowsLeft, rowsTail)
	m.SetTail(rowsLeft)
	m.MoveConst(rowsBytes, 0)
	m.Address(rowsBytes, Mem{Base: rowsBytes, Index: rowsTail, Scale: 4})
	m.Move(rowsLeft, rowsWhole)
	for range m.Lanes() / 2 { // a vector is 4*lanes bytes, and an index counts for up to 8
		m.Address(rowsBytes, Mem{Base: rowsBytes, Index: rowsLeft, Scale: 8})
	}
	m.Param(rowsCount, "rows")
	m.Label("row")
	p.body(s)
	for _, name := range p.streams {
		m.Add(s.register(name), rowsBytes)
	}
	for _, n := range p.numbers {
		size := 4
		if n.Type == "*float64" {
			size = 8
		}
		m.AddConst(s.register(n.Name), size)
	}
	m.SubJumpNotZero(rowsCount, 1, "row")
	m.Return()
}

// rowFile holds the routines of rows of a level; that of AVX2 also the choice between levels.
func rowFile(l Level) File {
	f := File{Name: "rows_" + strings.ToLower(l.String()), Level: l}
	for _, p := range rowRoutines() {
		fn := p.function(l)
		f.Functions = append(f.Functions, fn)
		if l == AVX2 {
			f.Go += choice(&fn, l)
		}
	}
	f.Functions = append(f.Functions, groupExp(l), groupSoftmax(l))
	if l == AVX2 {
		f.Go += groupChoice()
	}
	return f
}
