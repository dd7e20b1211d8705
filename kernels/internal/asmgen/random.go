package asmgen

import "fmt"

// integers is the part of [Machine] for random bits and pixels. Vectors of 64-bit integers have half as many
// lanes as those of floats.
type integers interface {
	BroadcastLong(dst Vec, m Mem)
	AddLong(dst, a, b Vec)
	XorShifted(v Vec, bits int, tmp Vec) // v ^= v >> bits
	ShiftLong(v Vec, bits int)           // v >>= bits
	HighHalves(dst, src Vec)             // src >> 32, as MulLong wants it beside a factor
	MulLong(v, b, bHigh, tmp, tmp2 Vec)  // v *= b, modulo 2^64
	// KeepBelow copies src to dst in lanes whose number is below limit, and sets others to zero. The numbers
	// are below 2^63, in the order of [randomOrder], and may be overwritten.
	KeepBelow(dst, src, low, high, limit Vec)
	LoadBytes(dst Vec, m Mem) // as floats
}

func (a *amd64) BroadcastLong(dst Vec, m Mem) { a.emit("VPBROADCASTQ", m, dst) }
func (a *amd64) AddLong(dst, x, y Vec)        { a.emit("VPADDQ", y, x, dst) }
func (a *amd64) ShiftLong(v Vec, bits int)    { a.emit("VPSRLQ", bits, v, v) }
func (a *amd64) HighHalves(dst, src Vec)      { a.emit("VPSRLQ", 32, src, dst) }

func (a *avx2) XorShifted(v Vec, bits int, tmp Vec) {
	a.emit("VPSRLQ", bits, v, tmp)
	a.emit("VPXOR", tmp, v, v)
}

func (a *avx512) XorShifted(v Vec, bits int, tmp Vec) {
	a.emit("VPSRLQ", bits, v, tmp)
	a.emit("VPXORQ", tmp, v, v)
}

// MulLong adds the products of halves that matter.
func (a *avx2) MulLong(v, b, bHigh, tmp, tmp2 Vec) {
	a.emit("VPSRLQ", 32, v, tmp)
	a.emit("VPMULUDQ", b, tmp, tmp)
	a.emit("VPMULUDQ", bHigh, v, tmp2)
	a.emit("VPADDQ", tmp2, tmp, tmp)
	a.emit("VPSLLQ", 32, tmp, tmp)
	a.emit("VPMULUDQ", b, v, v)
	a.emit("VPADDQ", tmp, v, v)
}

func (a *avx512) MulLong(v, b, _, _, _ Vec) { a.emit("VPMULLQ", b, v, v) }

func (a *avx2) KeepBelow(dst, src, low, high, limit Vec) {
	a.emit("VPCMPGTQ", low, limit, low)
	a.emit("VPCMPGTQ", high, limit, high)
	a.emit("VSHUFPS", 0x88, high, low, low)
	a.emit("VANDPS", low, src, dst)
}

func (a *avx512) KeepBelow(dst, src, low, high, limit Vec) {
	const less = 1
	a.emit("VPCMPUQ", less, limit, low, "K2")
	a.emit("VPCMPUQ", less, limit, high, "K3")
	a.emit("KUNPCKBW", "K2", "K3", "K2")
	a.emit("VMOVAPS.Z", src, "K2", dst)
}

func (a *amd64) LoadBytes(dst Vec, m Mem) {
	a.emit("VPMOVZXBD", m, dst)
	a.emit("VCVTDQ2PS", dst, dst)
}

// randomOrder returns which element each 64-bit number of two vectors belongs to.
func randomOrder(l Level) []int {
	if l == AVX2 { // whose shuffles stay within halves of a register
		return []int{0, 1, 4, 5, 2, 3, 6, 7}
	}
	order := make([]int, l.machine(nil).Lanes())
	for i := range order {
		order[i] = i
	}
	return order
}

// maskRoutine is dropout by SplitMix64 in counter mode.
func maskRoutine(l Level) Function {
	lanes := l.machine(nil).Lanes()
	name := "mapMask" + l.String()
	return Function{
		Name: name,
		Doc: fmt.Sprintf(`%s computes, where numbers holds %d states, how far they move, two factors and a limit,

	states, step, factor := numbers[:%[2]d], numbers[%[2]d], numbers[%[2]d+1:]
	for i := range n {
		z := states[place[i%%%[2]d]] + uint64(i/%[2]d)*step
		z = (z ^ z>>30) * factor[0]
		z = (z ^ z>>27) * factor[1]
		if (z^z>>31)>>40 < factor[2] {
			dst[i] = x[i] / keep
		} else {
			dst[i] = 0
		}
	}

and element i of the first %[2]d has place[i], such that the elements of the states are %[3]v.`, name, lanes, randomOrder(l)),
		Params: []Param{{"dst", "*float32"}, {"x", "*float32"}, {"numbers", "*uint64"}, {"keep", "float32"}, {"n", "int"}},
		Body:   maskBody,
	}
}

func maskBody(m Machine) {
	const (
		dst, x, numbers, left, index             = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4)
		low, high, a, b, c, d                    = Vec(0), Vec(1), Vec(2), Vec(3), Vec(4), Vec(5)
		step, first, firstHigh, second, secondHi = Vec(6), Vec(7), Vec(8), Vec(9), Vec(10)
		limit, keep                              = Vec(11), Vec(12)
	)
	lanes := m.Lanes()
	m.Param(dst, "dst")
	m.Param(x, "x")
	m.Param(numbers, "numbers")
	m.Load(low, At(numbers, 0))
	m.Load(high, At(numbers, 4*lanes))
	for i, v := range []Vec{step, first, second, limit} {
		m.BroadcastLong(v, At(numbers, 8*(lanes+i)))
	}
	m.HighHalves(firstHigh, first)
	m.HighHalves(secondHi, second)
	m.BroadcastParam(keep, "keep")
	m.Param(left, "n")
	m.MoveConst(index, 0)
	vector := func(tail bool) {
		m.Copy(a, low)
		m.Copy(b, high)
		for _, v := range []Vec{a, b} {
			m.XorShifted(v, 30, c)
			m.MulLong(v, first, firstHigh, c, d)
			m.XorShifted(v, 27, c)
			m.MulLong(v, second, secondHi, c, d)
			m.XorShifted(v, 31, c)
			m.ShiftLong(v, 40)
		}
		m.AddLong(low, low, step)
		m.AddLong(high, high, step)
		from, to := Mem{Base: x, Index: index, Scale: 1}, Mem{Base: dst, Index: index, Scale: 1}
		if tail {
			m.LoadTail(c, from)
		} else {
			m.Load(c, from)
		}
		m.DivVec(c, c, keep)
		m.KeepBelow(c, c, a, b, limit)
		if tail {
			m.StoreTail(to, c)
		} else {
			m.Store(to, c)
		}
		m.AddConst(index, 4*lanes)
	}
	m.JumpLess(left, lanes, "tail")
	m.Align()
	m.Label("vector")
	vector(false)
	m.SubJumpAtLeast(left, lanes, "vector")
	m.Label("tail")
	m.JumpZero(left, "done")
	m.SetTail(left)
	vector(true)
	m.Label("done")
	m.Return()
}

// bytesRoutine converts and normalises pixels.
func bytesRoutine(l Level) Function {
	name := "mapBytes" + l.String()
	return Function{
		Name: name,
		Doc: fmt.Sprintf(`%s computes, with n a multiple of %d above 0:

	for i := range n {
		dst[i] = float32(float32(src[i])*scale[i]) + shift[i]
	}`, name, l.machine(nil).Lanes()),
		Params: []Param{{"dst", "*float32"}, {"src", "*byte"}, {"scale", "*float32"}, {"shift", "*float32"}, {"n", "int"}},
		Body: func(m Machine) {
			const dst, src, scale, shift, left, index = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4), Reg(5)
			for i, p := range []string{"dst", "src", "scale", "shift", "n"} {
				m.Param(dst+Reg(i), p)
			}
			m.MoveConst(index, 0)
			at := func(base Reg) Mem { return Mem{Base: base, Index: index, Scale: 4} }
			m.Label("vector")
			m.LoadBytes(t0, Mem{Base: src, Index: index, Scale: 1})
			m.Load(t1, at(scale))
			m.MulVec(t0, t0, t1)
			m.Load(t1, at(shift))
			m.AddVec(t0, t0, t1)
			m.Store(at(dst), t0)
			m.AddConst(index, m.Lanes())
			m.SubJumpNotZero(left, m.Lanes(), "vector")
			m.Return()
		},
	}
}
