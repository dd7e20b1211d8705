package asmgen

import (
	"fmt"
	"strings"
)

// amd64 emits what the levels of the architecture have in common.
type amd64 struct {
	out    strings.Builder
	layout *layout
	vector string   // prefix of vector registers: Y or Z
	data   []string // definitions of symbols
}

// regNames leaves out SP, BP (the frame pointer) and R15 (used by dynamic linking).
var regNames = [NumRegs]string{"AX", "BX", "CX", "DX", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14"}

func (r Reg) amd64() string { return regNames[r] }

func (m Mem) amd64() string {
	s := "(" + m.Base.amd64() + ")"
	if m.Disp != 0 {
		s = fmt.Sprint(m.Disp) + s
	}
	if m.Index != NoReg {
		s += fmt.Sprintf("(%s*%d)", m.Index.amd64(), m.Scale)
	}
	return s
}

func (a *amd64) emit(op string, operands ...any) {
	a.out.WriteString("\t" + op)
	for i, o := range operands {
		a.out.WriteString([]string{" ", ", "}[min(i, 1)])
		switch o := o.(type) {
		case Reg:
			a.out.WriteString(o.amd64())
		case Mem:
			a.out.WriteString(o.amd64())
		case Vec:
			fmt.Fprintf(&a.out, "%s%d", a.vector, int(o))
		case int:
			fmt.Fprintf(&a.out, "$%d", o)
		default:
			fmt.Fprint(&a.out, o)
		}
	}
	a.out.WriteString("\n")
}

func (a *amd64) text() string { return a.out.String() }

func (a *amd64) Param(dst Reg, name string) { a.emit("MOVQ", a.layout.operand(name), dst) }
func (a *amd64) BroadcastParam(dst Vec, name string) {
	a.emit("VBROADCASTSS", a.layout.operand(name), dst)
}
func (a *amd64) ReturnFloat(name string, src Vec) {
	a.emit("VMOVSS", fmt.Sprintf("X%d", int(src)), a.layout.operand(name))
}
func (a *amd64) ReturnInt(name string, src Reg) { a.emit("MOVQ", src, a.layout.operand(name)) }
func (a *amd64) Return() {
	a.emit("VZEROUPPER")
	a.emit("RET")
}

func (a *amd64) LoadInt(dst Reg, m Mem)       { a.emit("MOVQ", m, dst) }
func (a *amd64) StoreInt(m Mem, src Reg)      { a.emit("MOVQ", src, m) }
func (a *amd64) Move(dst, src Reg)            { a.emit("MOVQ", src, dst) }
func (a *amd64) MoveConst(dst Reg, value int) { a.emit("MOVQ", value, dst) }
func (a *amd64) Add(dst, src Reg)             { a.emit("ADDQ", src, dst) }
func (a *amd64) AddConst(dst Reg, value int)  { a.emit("ADDQ", value, dst) }
func (a *amd64) AddMem(dst Reg, m Mem)        { a.emit("ADDQ", m, dst) }
func (a *amd64) Sub(dst, src Reg)             { a.emit("SUBQ", src, dst) }
func (a *amd64) Address(dst Reg, m Mem)       { a.emit("LEAQ", m, dst) }
func (a *amd64) DecrementMem(m Mem, label string) {
	a.emit("DECQ", m)
	a.emit("JNZ", label)
}

func (a *amd64) Label(name string) { a.out.WriteString("\n" + name + ":\n") }
func (a *amd64) Align()            { a.emit("PCALIGN", 64) }
func (a *amd64) Jump(label string) { a.emit("JMP", label) }
func (a *amd64) JumpZero(r Reg, label string) {
	a.emit("TESTQ", r, r)
	a.emit("JZ", label)
}
func (a *amd64) JumpLess(r Reg, value int, label string) {
	a.emit("CMPQ", r, value)
	a.emit("JLT", label)
}
func (a *amd64) JumpBitClear(r Reg, bit int, label string) {
	a.emit("TESTQ", 1<<bit, r)
	a.emit("JZ", label)
}
func (a *amd64) SubJumpNotZero(r Reg, value int, label string) {
	a.emit("SUBQ", value, r)
	a.emit("JNZ", label)
}
func (a *amd64) SubJumpAtLeast(r Reg, value int, label string) {
	a.emit("SUBQ", value, r)
	a.emit("CMPQ", r, value)
	a.emit("JGE", label)
}
func (a *amd64) JumpMemZero(m Mem, label string) {
	a.emit("CMPQ", m, 0)
	a.emit("JEQ", label)
}

func (a *amd64) Load(dst Vec, m Mem)        { a.emit("VMOVUPS", m, dst) }
func (a *amd64) Store(m Mem, src Vec)       { a.emit("VMOVUPS", src, m) }
func (a *amd64) StoreStream(m Mem, src Vec) { a.emit("VMOVNTPS", src, m) }
func (a *amd64) PrefetchOnce(m Mem)         { a.emit("PREFETCHNTA", m) }
func (a *amd64) Prefetch(m Mem)             { a.emit("PREFETCHT0", m) }
func (a *amd64) StreamFence()               { a.emit("SFENCE") }
func (a *amd64) Broadcast(dst Vec, m Mem)   { a.emit("VBROADCASTSS", m, dst) }
func (a *amd64) Copy(dst, src Vec)          { a.emit("VMOVAPS", src, dst) }
func (a *amd64) AddVec(dst, x, y Vec)       { a.emit("VADDPS", y, x, dst) }
func (a *amd64) SubVec(dst, x, y Vec)       { a.emit("VSUBPS", y, x, dst) }
func (a *amd64) MulVec(dst, x, y Vec)       { a.emit("VMULPS", y, x, dst) }
func (a *amd64) MaxVec(dst, x, y Vec)       { a.emit("VMAXPS", y, x, dst) }
func (a *amd64) FMA(acc, x, y Vec)          { a.emit("VFMADD231PS", y, x, acc) }
func (a *amd64) FMALoad(acc, b Vec, m Mem, _ Vec) {
	a.emit("VFMADD231PS", m, b, acc)
}

// avx2 is AVX2 with FMA: 16 registers of 8 floats, of which the tail takes one.
type avx2 struct{ amd64 }

func newAVX2(l *layout) *avx2 { return &avx2{amd64{layout: l, vector: "Y"}} }

const avx2Tail = Vec(15)

func (*avx2) Lanes() int   { return 8 }
func (*avx2) Vectors() int { return 15 }

func (a *avx2) Zero(dst Vec) { a.emit("VXORPS", dst, dst, dst) }
func (a *avx2) FMABroadcast(acc, b Vec, m Mem, tmp Vec) {
	a.Broadcast(tmp, m)
	a.FMA(acc, b, tmp)
}

// SetTail compares n with the numbers of the lanes.
func (a *avx2) SetTail(n Reg) {
	a.laneNumbers(a.Lanes())
	a.emit("VMOVQ", n, "X15")
	a.emit("VPBROADCASTD", "X15", avx2Tail)
	a.emit("VPCMPGTD", "tailLanes<>(SB)", avx2Tail, avx2Tail)
}
func (a *avx2) LoadTail(dst Vec, m Mem)  { a.emit("VMASKMOVPS", m, avx2Tail, dst) }
func (a *avx2) StoreTail(m Mem, src Vec) { a.emit("VMASKMOVPS", src, avx2Tail, m) }
func (a *avx2) FMALoadTail(acc, b Vec, m Mem, tmp Vec) {
	a.LoadTail(tmp, m)
	a.FMA(acc, b, tmp)
}
func (a *avx2) FreeTail() bool { return false }

// laneNumbers defines the numbers of the lanes, which SetTail compares with.
func (a *amd64) laneNumbers(lanes int) {
	numbers := make([]uint32, lanes)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	a.define("tailLanes", numbers)
}

// define adds read-only data under a name that other files do not see.
func (a *amd64) define(name string, words []uint32) {
	var s strings.Builder
	for i, w := range words {
		fmt.Fprintf(&s, "DATA %s<>+%d(SB)/4, $%d\n", name, 4*i, w)
	}
	fmt.Fprintf(&s, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 4*len(words))
	a.data = append(a.data, s.String())
}

func (a *amd64) symbols() []string { return a.data }

func (a *amd64) DataAddress(dst Reg, name string, words []uint32) {
	a.define(name, words)
	a.emit("LEAQ", name+"<>(SB)", dst)
}

// avx512 is AVX-512 F, BW, DQ and VL: 32 registers of 16 floats; the tail takes K1.
type avx512 struct{ amd64 }

func newAVX512(l *layout) *avx512 { return &avx512{amd64{layout: l, vector: "Z"}} }

func (*avx512) Lanes() int   { return 16 }
func (*avx512) Vectors() int { return 32 }

func (a *avx512) Zero(dst Vec) { a.emit("VPXORD", dst, dst, dst) }
func (a *avx512) FMABroadcast(acc, b Vec, m Mem, _ Vec) {
	a.emit("VFMADD231PS.BCST", m, b, acc)
}

// SetTail compares n with the numbers of the lanes.
func (a *avx512) SetTail(n Reg) {
	a.laneNumbers(a.Lanes())
	a.emit("VPBROADCASTD", n, Vec(31))
	a.emit("VPCMPGTD", "tailLanes<>(SB)", Vec(31), "K1")
}
func (a *avx512) LoadTail(dst Vec, m Mem)  { a.emit("VMOVUPS.Z", m, "K1", dst) }
func (a *avx512) StoreTail(m Mem, src Vec) { a.emit("VMOVUPS", src, "K1", m) }
func (a *avx512) FMALoadTail(acc, b Vec, m Mem, _ Vec) {
	a.emit("VFMADD231PS", m, b, "K1", acc)
}
func (a *avx512) FreeTail() bool { return true }
