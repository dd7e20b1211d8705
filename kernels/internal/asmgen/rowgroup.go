package asmgen

import (
	"fmt"
	"strings"
)

// Exponentials of rows of few columns: each row is a chain of instructions that wait for each other, from its maximum to its sum, and one row
// after the other leaves the CPU idle. So some rows are taken at once, which also share the numbers of the exponential.

// groupRows is the number of rows of a group. Their maxima, minima and one temporary each, and two sums of doubles each, fit 15 registers.
const groupRows = 4

// expLimit is the greatest distance from the maximum of a row for which 2^n can be made from its exponent: with n of at least -125 the product is a normal
// number and so exact.
const expLimit = 86

// grouped is the part of [Machine] for groups of rows.
type grouped interface {
	FMAInto(p, r, c Vec)                                               // p = p*r + c, rounded once
	MaxUnsigned(dst, a, b Vec)                                         // of the bits of each lane
	ShiftLeft(v Vec, bits int)                                         // of each lane
	AddInt(dst, a, b Vec)                                              // of each lane
	JumpAboveInt(v Vec, limit Mem, tmp Vec, scratch Reg, label string) // jumps if the bits of a lane of v, which is overwritten, are above the word, unsigned
}

func (a *amd64) FMAInto(p, r, c Vec)       { a.emit("VFMADD213PS", c, r, p) }
func (a *amd64) MaxUnsigned(dst, x, y Vec) { a.emit("VPMAXUD", y, x, dst) }
func (a *amd64) ShiftLeft(v Vec, bits int) { a.emit("VPSLLD", bits, v, v) }
func (a *amd64) AddInt(dst, x, y Vec)      { a.emit("VPADDD", y, x, dst) }

func (a *avx2) JumpAboveInt(v Vec, limit Mem, tmp Vec, scratch Reg, label string) {
	a.Broadcast(tmp, limit)
	a.MaxUnsigned(v, v, tmp)
	a.emit("VPCMPEQD", v, tmp, v)
	a.emit("VMOVMSKPS", v, scratch)
	a.emit("CMPQ", scratch, 255)
	a.emit("JNE", label)
}

func (a *avx512) JumpAboveInt(v Vec, limit Mem, _ Vec, _ Reg, label string) {
	const greater = 6
	a.emit("VPCMPUD.BCST", greater, limit, v, "K2")
	a.emit("KORTESTW", "K2", "K2")
	a.emit("JNZ", label)
}

// Registers of a group.
const (
	groupAt      = Reg(iota) // the current vector of x of the first row
	groupLeft                // vectors left in the rows
	groupCount               // groups left
	groupWhole               // whole vectors of a row
	groupTail                // elements of the last one
	groupStep                // bytes of a row
	groupExps                // the numbers of exponentials
	groupStep3               // bytes of three rows
	groupX                   // the first row of the group
	groupY                   // of y
	groupMaximum             // its number
	groupSum                 // its number
	groupTo                  // the current vector of y of the first row
)

// groupRow is the address of the vector of row i of a group.
func groupRow(at Reg, i int) Mem {
	switch i {
	case 0:
		return At(at, 0)
	case 3:
		return Mem{Base: at, Index: groupStep3, Scale: 1}
	}
	return Mem{Base: at, Index: groupStep, Scale: i}
}

// groupSoftmax is the routine that goes on to the softmax of the rows.
func groupSoftmax(l Level) Function {
	f := groupExp(l)
	name := "rowsSoftmaxGroups" + l.String()
	f.Doc = fmt.Sprintf(`%s is rowsExpGroups%v, but multiplies each row of y by 1 / float32(sum[r]) at the end, and leaves anything in sum.
It gives the same bits as rowsSoftmax%[2]v.`, name, l)
	f.Name = name
	f.Body = func(m Machine) { groupBody(m, groupScaled) }
	return f
}

func groupExp(l Level) Function {
	name := "rowsExpGroups" + l.String()
	lanes := l.machine(nil).Lanes()
	return Function{
		Name: name,
		Doc: fmt.Sprintf(`%s computes, for groups of %d rows of c = %d*whole + tail floats, with tail below %[3]d and groups and c above 0:

	for r := range %[2]d * groups {
		maximum[r] = the greatest of x(r)
		for i := range c {
			y(r, i) = exp(x(r, i) - maximum[r])
			sum[r] += float64(y(r, i))
		}
	}

It gives the same bits as rowsExp%[4]v. It stops before a group one of whose rows holds infinities or numbers more than %[5]d apart, and returns the number of
groups that are left. Rows with NaN have NaN for their sum, and anything as their maximum.`, name, groupRows, lanes, l, expLimit),
		Params: []Param{{"y", "*float32"}, {"x", "*float32"}, {"maximum", "*float32"}, {"sum", "*float64"},
			{"groups", "int"}, {"whole", "int"}, {"tail", "int"}},
		Results: []Param{{"left", "int"}},
		Body:    func(m Machine) { groupBody(m, groupSums) },
	}
}

// groupPass emits body for the vectors of the rows, whole ones and the tail, from the addresses in at.
func groupPass(m Machine, name string, body func(tail bool), at ...Reg) {
	m.Move(groupLeft, groupWhole)
	m.JumpZero(groupLeft, name+"Tail")
	m.Label(name)
	body(false)
	for _, r := range at {
		m.AddConst(r, 4*m.Lanes())
	}
	m.SubJumpNotZero(groupLeft, 1, name)
	m.Label(name + "Tail")
	m.JumpZero(groupTail, name+"End")
	body(true)
	m.Label(name + "End")
}

// groupBody emits the loop over groups, of which finish emits what follows the exponentials.
func groupBody(m Machine, finish func(m Machine)) {
	m.Param(groupX, "x")
	m.Param(groupY, "y")
	m.Param(groupMaximum, "maximum")
	m.Param(groupSum, "sum")
	m.DataAddress(groupExps, "exponential", expNumbers())
	m.Param(groupWhole, "whole")
	m.Param(groupTail, "tail")
	m.Move(groupLeft, groupTail)
	m.SetTail(groupLeft)
	m.MoveConst(groupStep, 0)
	m.Address(groupStep, Mem{Base: groupStep, Index: groupTail, Scale: 4})
	m.Move(groupLeft, groupWhole)
	for range m.Lanes() / 2 { // a vector is 4*lanes bytes, and an index counts for up to 8
		m.Address(groupStep, Mem{Base: groupStep, Index: groupLeft, Scale: 8})
	}
	m.Move(groupStep3, groupStep)
	m.Address(groupStep3, Mem{Base: groupStep3, Index: groupStep, Scale: 2})
	m.Param(groupCount, "groups")
	m.Label("group")
	groupMaxima(m)
	groupExponentials(m)
	finish(m)
	m.Address(groupX, Mem{Base: groupX, Index: groupStep, Scale: groupRows})
	m.Address(groupY, Mem{Base: groupY, Index: groupStep, Scale: groupRows})
	m.AddConst(groupMaximum, 4*groupRows)
	m.AddConst(groupSum, 8*groupRows)
	m.SubJumpNotZero(groupCount, 1, "group")
	m.Label("stop")
	m.ReturnInt("left", groupCount)
	m.Return()
}

// groupMaxima stores the maxima, or jumps to stop. Lanes that no vector has hold the first element of the row.
func groupMaxima(m Machine) {
	const apart = 3 // maximum, minimum and a temporary
	most := func(i int) Vec { return Vec(i * apart) }
	least := func(i int) Vec { return Vec(i*apart + 1) }
	tmp := func(i int) Vec { return Vec(i*apart + 2) }
	const spare = Vec(groupRows * apart)
	m.Move(groupAt, groupX)
	for i := range groupRows {
		m.Broadcast(most(i), groupRow(groupAt, i))
		m.Copy(least(i), most(i))
	}
	groupPass(m, "maxima", func(tail bool) {
		for i := range groupRows {
			if tail {
				m.Copy(tmp(i), most(i))
				m.LoadTailOver(tmp(i), groupRow(groupAt, i), spare)
				m.MaxVec(most(i), most(i), tmp(i))
				m.Copy(tmp(i), least(i))
				m.LoadTailOver(tmp(i), groupRow(groupAt, i), spare)
			} else {
				m.Load(tmp(i), groupRow(groupAt, i))
				m.MaxVec(most(i), most(i), tmp(i))
			}
			m.MinVec(least(i), least(i), tmp(i))
		}
	}, groupAt)
	for i := range groupRows {
		m.MaxOfLanes(most(i), tmp(i))
	}
	for i := range groupRows {
		m.StoreFloat(At(groupMaximum, 4*i), most(i))
		m.SubVec(least(i), most(i), least(i))
	}
	// Distances are not negative, so their bits are in the order of the numbers, and infinity and NaN are greater.
	m.MaxUnsigned(least(0), least(0), least(1))
	m.MaxUnsigned(least(2), least(2), least(3))
	m.MaxUnsigned(least(0), least(0), least(2))
	m.JumpAboveInt(least(0), expAt(groupExps, expDistance), spare, groupLeft, "stop")
}

// groupExponentials stores the exponentials: what [exponential] computes, for a narrower range.
func groupExponentials(m Machine) {
	const apart, constant = 3, Vec(groupRows * 3)
	x := func(i int) Vec { return Vec(i * apart) }
	power := func(i int) Vec { return Vec(i*apart + 1) }
	p := func(i int) Vec { return Vec(i*apart + 2) }
	with := func(number int, f func(i int)) {
		m.Broadcast(constant, expAt(groupExps, number))
		for i := range groupRows {
			f(i)
		}
	}
	m.Move(groupAt, groupX)
	m.Move(groupTo, groupY)
	groupPass(m, "exponentials", func(tail bool) {
		for i := range groupRows {
			if tail {
				m.LoadTail(x(i), groupRow(groupAt, i))
			} else {
				m.Load(x(i), groupRow(groupAt, i))
			}
			m.Broadcast(p(i), At(groupMaximum, 4*i))
			m.SubVec(x(i), x(i), p(i))
		}
		with(expRound, func(i int) { m.Copy(power(i), constant) })
		with(expLog2E, func(i int) { m.FMA(power(i), x(i), constant) })
		with(expRound, func(i int) { m.SubVec(p(i), power(i), constant) })
		with(expMinusLn2High, func(i int) { m.FMA(x(i), p(i), constant) })
		with(expMinusLn2Low, func(i int) { m.FMA(x(i), p(i), constant) })
		with(expC6, func(i int) { m.Copy(p(i), constant) })
		for _, c := range []int{expC5, expC4, expC3, expC2, expOne} {
			with(c, func(i int) { m.FMAInto(p(i), x(i), constant) })
		}
		for i := range groupRows { // the constant is one
			m.FMAInto(p(i), x(i), constant)
			// The integer n is in the low bits. A NaN stays one in the product.
			m.ShiftLeft(power(i), 23)
			m.AddInt(power(i), power(i), constant)
			m.MulVec(p(i), p(i), power(i))
			if tail {
				m.StoreTail(groupRow(groupTo, i), p(i))
			} else {
				m.Store(groupRow(groupTo, i), p(i))
			}
		}
	}, groupAt, groupTo)
}

// groupSums stores the sums of y.
func groupSums(m Machine) {
	groupAdd(m)
	for i := range groupRows {
		m.StoreDouble(At(groupSum, 8*i), groupTotal(i))
	}
}

// groupScaled divides the rows of y by their sums.
func groupScaled(m Machine) {
	const one, value = Vec(2 * groupRows), Vec(2*groupRows + 1)
	groupAdd(m)
	m.Ones(one)
	for i := range groupRows {
		m.BroadcastFromDouble(groupTotal(i), groupTotal(i))
		m.DivVec(groupTotal(i), one, groupTotal(i))
	}
	m.Move(groupTo, groupY)
	groupPass(m, "scaled", func(tail bool) {
		for i := range groupRows {
			v, at := value+Vec(i), groupRow(groupTo, i)
			if tail {
				m.LoadTail(v, at)
			} else {
				m.Load(v, at)
			}
			m.MulVec(v, v, groupTotal(i))
			if tail {
				m.StoreTail(at, v)
			} else {
				m.Store(at, v)
			}
		}
	}, groupTo)
}

// groupTotal is the register whose lane 0 groupAdd leaves the sum of row i in.
func groupTotal(i int) Vec { return Vec(2 * i) }

// groupAdd adds up the rows of y.
func groupAdd(m Machine) {
	low := groupTotal
	high := func(i int) Vec { return Vec(2*i + 1) }
	const a, b = Vec(2 * groupRows), Vec(2*groupRows + 1)
	m.Move(groupTo, groupY)
	for i := range 2 * groupRows {
		m.Zero(Vec(i))
	}
	groupPass(m, "sums", func(tail bool) {
		for i := range groupRows {
			at := groupRow(groupTo, i)
			if tail {
				m.LoadDoublesTail(a, b, at)
			} else {
				m.LoadDoubles(a, at)
				m.LoadDoubles(b, at.Plus(2*m.Lanes()))
			}
			m.AddDouble(low(i), low(i), a)
			m.AddDouble(high(i), high(i), b)
		}
	}, groupTo)
	for i := range groupRows {
		m.SumOfDoubles(low(i), high(i), a+Vec(i))
	}
}

// groupChoice are the Go functions that choose the level.
func groupChoice() string {
	var b strings.Builder
	for _, name := range []string{"rowsExpGroups", "rowsSoftmaxGroups"} {
		fmt.Fprintf(&b, `
func (s *simd) %[1]s(y, x, maximum *float32, sum *float64, groups, whole, tail int) (left int) {
	if s.level == AVX512 {
		return %[1]sAVX512(y, x, maximum, sum, groups, whole, tail)
	}
	return %[1]sAVX2(y, x, maximum, sum, groups, whole, tail)
}
`, name)
	}
	fmt.Fprintf(&b, "\n// groupRows is the number of rows of a group.\nconst groupRows = %d\n", groupRows)
	return b.String()
}
