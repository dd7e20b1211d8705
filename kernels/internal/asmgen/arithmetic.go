package asmgen

import "fmt"

// arithmetic is the part of [Machine] that maps, reductions and pooling need beside
// what tiles do.
type arithmetic interface {
	DivVec(dst, a, b Vec)
	SqrtVec(dst, a Vec)
	MinVec(dst, a, b Vec) // NaN in b gives NaN; of two zeros, b
	Ones(dst Vec)         // the float 1 in all lanes
	// ZeroIfLessEqual copies src to dst where not a <= b, so also for NaN; other lanes
	// become zero. dst is another register than the rest.
	ZeroIfLessEqual(dst, src, a, b Vec)
	// CopyUnlessLessEqual copies src to dst where not a <= b, so also for NaN; dst keeps
	// its other lanes. tmp may be overwritten.
	CopyUnlessLessEqual(dst, src, a, b, tmp Vec)
	// ZeroIfNotEqual copies src to dst where a == b; other lanes become zero. dst is
	// another register than the rest.
	ZeroIfNotEqual(dst, src, a, b Vec)
	// MaxTotal sets best to the greater of best and v; NaN is greater than all and
	// stays; of equals best stays. The temporaries may be overwritten.
	MaxTotal(best, v, tmp, tmp2 Vec)
	// TakeGreater sets best to v and mark to number where MaxTotal would take v.
	TakeGreater(best, mark, v, number, tmp, tmp2 Vec)
	// TakeGreaterNumber is TakeGreater where neither best nor v is NaN; else mark and best
	// may become anything.
	TakeGreaterNumber(best, mark, v, number, tmp Vec)
	// TakeEqual adds src to acc and sets it to zero in the lanes where v equals best. v and tmp may be overwritten.
	TakeEqual(acc, src, best, v, tmp Vec)
	// JumpNumbers jumps unless a lane of a or of b is NaN.
	JumpNumbers(a, b, tmp Vec, label string)

	// Vectors of doubles have half as many lanes; Load, Store and Zero serve them too.
	// LoadDoubles widens half a vector of floats; LoadDoublesTail both halves of the tail.
	LoadDoubles(dst Vec, m Mem)
	LoadDoublesTail(low, high Vec, m Mem)
	// Widen converts the floats in high to doubles, the first half in low.
	Widen(low, high Vec)
	AddDouble(dst, a, b Vec)
	SubDouble(dst, a, b Vec)
	FMADouble(acc, a, b Vec) // acc += a*b, rounded once
	exponentials
	integers
}

func (a *amd64) DivVec(dst, x, y Vec) { a.emit("VDIVPS", y, x, dst) }
func (a *amd64) SqrtVec(dst, x Vec)   { a.emit("VSQRTPS", x, dst) }
func (a *amd64) MinVec(dst, x, y Vec) { a.emit("VMINPS", y, x, dst) }

// Ones shifts all bits set to those of the float.
func (a *avx2) Ones(dst Vec) {
	a.emit("VPCMPEQD", dst, dst, dst)
	a.emit("VPSRLD", 25, dst, dst)
	a.emit("VPSLLD", 23, dst, dst)
}

func (a *avx512) Ones(dst Vec) {
	a.emit("VPTERNLOGD", 0xff, dst, dst, dst)
	a.emit("VPSRLD", 25, dst, dst)
	a.emit("VPSLLD", 23, dst, dst)
}

func (a *amd64) LoadDoubles(dst Vec, m Mem) { a.emit("VCVTPS2PD", m, dst) }
func (a *amd64) AddDouble(dst, x, y Vec)    { a.emit("VADDPD", y, x, dst) }
func (a *amd64) SubDouble(dst, x, y Vec)    { a.emit("VSUBPD", y, x, dst) }
func (a *amd64) FMADouble(acc, x, y Vec)    { a.emit("VFMADD231PD", y, x, acc) }

// widen converts the halves of the vector in high; extract and half are the instruction
// and the registers of half a vector.
func (a *amd64) widen(low, high Vec, extract, half string) {
	part := fmt.Sprintf("%s%d", half, int(high))
	a.emit("VCVTPS2PD", part, low)
	a.emit(extract, 1, high, part)
	a.emit("VCVTPS2PD", part, high)
}

func (a *avx2) Widen(low, high Vec)   { a.widen(low, high, "VEXTRACTF128", "X") }
func (a *avx512) Widen(low, high Vec) { a.widen(low, high, "VEXTRACTF64X4", "Y") }

func (a *avx2) LoadDoublesTail(low, high Vec, m Mem) {
	a.LoadTail(high, m)
	a.Widen(low, high)
}

func (a *avx512) LoadDoublesTail(low, high Vec, m Mem) {
	a.LoadTail(high, m)
	a.Widen(low, high)
}

// notLessEqual is the comparison predicate "not less or equal, or unordered", quiet.
const notLessEqual = 0x16

func (a *avx2) CopyUnlessLessEqual(dst, src, x, y, tmp Vec) {
	a.emit("VCMPPS", notLessEqual, y, x, tmp)
	a.emit("VBLENDVPS", tmp, src, dst, dst)
}

func (a *avx512) CopyUnlessLessEqual(dst, src, x, y, _ Vec) {
	a.emit("VCMPPS", notLessEqual, y, x, "K2")
	a.emit("VMOVAPS", src, "K2", dst)
}

// Predicates for "no operand is NaN", "an operand is NaN", and "equal, and none is NaN".
const (
	ordered   = 0x7
	unordered = 0x3
	equal     = 0x0
)

func (a *avx2) TakeGreaterNumber(best, mark, v, number, tmp Vec) {
	a.emit("VCMPPS", notLessEqual, best, v, tmp)
	a.MaxVec(best, v, best)
	a.emit("VBLENDVPS", tmp, number, mark, mark)
}

func (a *avx512) TakeGreaterNumber(best, mark, v, number, _ Vec) {
	a.emit("VCMPPS", notLessEqual, best, v, "K3")
	a.MaxVec(best, v, best)
	a.emit("VMOVAPS", number, "K3", mark)
}

func (a *avx2) JumpNumbers(x, y, tmp Vec, label string) {
	a.emit("VCMPPS", unordered, y, x, tmp)
	a.emit("VTESTPS", tmp, tmp)
	a.emit("JZ", label)
}

func (a *avx512) JumpNumbers(x, y, _ Vec, label string) {
	a.emit("VCMPPS", unordered, y, x, "K2")
	a.emit("KORTESTW", "K2", "K2")
	a.emit("JZ", label)
}

func (a *avx2) TakeEqual(acc, src, best, v, tmp Vec) {
	a.emit("VCMPPS", equal, v, best, v)
	a.emit("VANDPS", src, v, tmp)
	a.AddVec(acc, acc, tmp)
	a.emit("VANDNPS", src, v, src)
}

func (a *avx512) TakeEqual(acc, src, best, v, _ Vec) {
	a.emit("VCMPPS", equal, v, best, "K2")
	a.emit("VADDPS", src, acc, "K2", acc)
	a.emit("VXORPS", src, src, "K2", src)
}

func (a *avx2) ZeroIfNotEqual(dst, src, x, y Vec) {
	a.emit("VCMPPS", equal, y, x, dst)
	a.emit("VANDPS", src, dst, dst)
}

func (a *avx512) ZeroIfNotEqual(dst, src, x, y Vec) {
	a.emit("VCMPPS", equal, y, x, "K2")
	a.emit("VMOVAPS.Z", src, "K2", dst)
}

func (a *avx2) MaxTotal(best, v, tmp, tmp2 Vec) {
	a.takes(best, v, tmp, tmp2)
	a.emit("VBLENDVPS", tmp, v, best, best)
}

func (a *avx2) TakeGreater(best, mark, v, number, tmp, tmp2 Vec) {
	a.takes(best, v, tmp, tmp2)
	a.emit("VBLENDVPS", tmp, v, best, best)
	a.emit("VBLENDVPS", tmp, number, mark, mark)
}

// takes sets the lanes of mask where v is greater or NaN, and best is not NaN.
func (a *avx2) takes(best, v, mask, tmp Vec) {
	a.emit("VCMPPS", notLessEqual, best, v, mask)
	a.emit("VCMPPS", ordered, best, best, tmp)
	a.emit("VANDPS", tmp, mask, mask)
}

func (a *avx512) MaxTotal(best, v, _, _ Vec) {
	a.takes(best, v)
	a.emit("VMOVAPS", v, "K3", best)
}

func (a *avx512) TakeGreater(best, mark, v, number, _, _ Vec) {
	a.takes(best, v)
	a.emit("VMOVAPS", v, "K3", best)
	a.emit("VMOVAPS", number, "K3", mark)
}

func (a *avx512) takes(best, v Vec) {
	a.emit("VCMPPS", ordered, best, best, "K2")
	a.emit("VCMPPS", notLessEqual, best, v, "K2", "K3")
}

func (a *avx2) ZeroIfLessEqual(dst, src, x, y Vec) {
	a.emit("VCMPPS", notLessEqual, y, x, dst)
	a.emit("VANDPS", src, dst, dst)
}

func (a *avx512) ZeroIfLessEqual(dst, src, x, y Vec) {
	a.emit("VCMPPS", notLessEqual, y, x, "K2")
	a.emit("VMOVAPS.Z", src, "K2", dst)
}
