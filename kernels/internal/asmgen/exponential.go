package asmgen

import (
	"fmt"
	"math"
)

// exponentials is the part of [Machine] for exponentials and rows that are reduced.
type exponentials interface {
	grouped
	OrVec(dst, a, b Vec)                  // bit by bit
	FMAAddend(p, r Vec, m Mem, tmp Vec)   // p = p*r + the float at m, rounded once; tmp may be overwritten
	ScaleByPower(p, n, tmp, tmp2 Vec)     // p *= 2^n, rounded once; n is an integer, -150 to 128, and p in (1/2, 2); the rest may be overwritten
	LoadTailOver(dst Vec, m Mem, tmp Vec) // LoadTail, but lanes beyond keep what dst holds
	ZeroBeyondTail(v Vec)
	MaxOfLanes(v, tmp Vec)            // all lanes become the greatest
	SumOfDoubles(low, high, tmp Vec)  // lane 0 of low becomes the sum of all lanes of both
	StoreDouble(m Mem, src Vec)       // lane 0
	StoreFloat(m Mem, src Vec)        // lane 0
	BroadcastFromDouble(dst, src Vec) // lane 0, rounded to a float, in all lanes
}

// part names the lower lanes of a vector, in an X or Y register.
func part(prefix string, v Vec) string { return fmt.Sprintf("%s%d", prefix, int(v)) }

func (a *amd64) OrVec(dst, x, y Vec) { a.emit("VORPS", y, x, dst) }

func (a *avx2) FMAAddend(p, r Vec, m Mem, tmp Vec) {
	a.Broadcast(tmp, m)
	a.emit("VFMADD213PS", tmp, r, p)
}

func (a *avx512) FMAAddend(p, r Vec, m Mem, _ Vec) { a.emit("VFMADD213PS.BCST", m, r, p) }

// ScaleByPower multiplies by 2^(n/2) and 2^(n-n/2), both made from their exponent. Both are
// normal numbers and the first product is exact, so that it rounds once, as AVX-512 does.
func (a *avx2) ScaleByPower(p, n, tmp, tmp2 Vec) {
	a.emit("VCVTPS2DQ", n, n)
	a.emit("VPSRAD", 1, n, tmp)
	a.emit("VPSUBD", tmp, n, n)
	a.Ones(tmp2)
	for _, half := range []Vec{tmp, n} {
		a.emit("VPSLLD", 23, half, half)
		a.emit("VPADDD", tmp2, half, half)
		a.MulVec(p, p, half)
	}
}

func (a *avx512) ScaleByPower(p, n, _, _ Vec) { a.emit("VSCALEFPS", n, p, p) }

func (a *avx2) LoadTailOver(dst Vec, m Mem, tmp Vec) {
	a.LoadTail(tmp, m)
	a.emit("VBLENDVPS", avx2Tail, tmp, dst, dst)
}

func (a *avx512) LoadTailOver(dst Vec, m Mem, _ Vec) { a.emit("VMOVUPS", m, "K1", dst) }

func (a *avx2) ZeroBeyondTail(v Vec)   { a.emit("VANDPS", avx2Tail, v, v) }
func (a *avx512) ZeroBeyondTail(v Vec) { a.emit("VMOVAPS.Z", v, "K1", v) }

// MaxOfLanes compares each lane with that half a vector away, then a quarter, and so on.
func (a *avx2) MaxOfLanes(v, tmp Vec) {
	a.emit("VPERM2F128", 1, v, v, tmp)
	a.MaxVec(v, v, tmp)
	a.maxWithin(v, tmp)
}

func (a *avx512) MaxOfLanes(v, tmp Vec) {
	for _, order := range []int{0x4e, 0xb1} {
		a.emit("VSHUFF32X4", order, v, v, tmp)
		a.MaxVec(v, v, tmp)
	}
	a.maxWithin(v, tmp)
}

// maxWithin does so within groups of four lanes.
func (a *amd64) maxWithin(v, tmp Vec) {
	for _, order := range []int{0x4e, 0xb1} {
		a.emit("VPERMILPS", order, v, tmp)
		a.MaxVec(v, v, tmp)
	}
}

func (a *avx2) SumOfDoubles(low, high, tmp Vec) {
	a.AddDouble(low, low, high)
	a.foldDoubles(low, tmp)
}

func (a *avx512) SumOfDoubles(low, high, tmp Vec) {
	a.AddDouble(low, low, high)
	a.emit("VEXTRACTF64X4", 1, low, part("Y", tmp))
	a.emit("VADDPD", part("Y", tmp), part("Y", low), part("Y", low))
	a.foldDoubles(low, tmp)
}

// foldDoubles adds up four doubles.
func (a *amd64) foldDoubles(v, tmp Vec) {
	x, t := part("X", v), part("X", tmp)
	a.emit("VEXTRACTF128", 1, part("Y", v), t)
	a.emit("VADDPD", t, x, x)
	a.emit("VPERMILPD", 1, x, t)
	a.emit("VADDSD", t, x, x)
}

func (a *amd64) StoreDouble(m Mem, src Vec) { a.emit("VMOVSD", part("X", src), m) }
func (a *amd64) StoreFloat(m Mem, src Vec)  { a.emit("VMOVSS", part("X", src), m) }

func (a *amd64) BroadcastFromDouble(dst, src Vec) {
	x := part("X", dst)
	a.emit("VCVTSD2SS", part("X", src), x, x)
	a.emit("VBROADCASTSS", x, dst)
}

// The words that [exponential] reads, by their place.
const (
	expLowest = iota
	expHighest
	expRound
	expLog2E
	expMinusLn2High
	expMinusLn2Low
	expC6
	expC5
	expC4
	expC3
	expC2
	expOne
	expSign
	expDistance
)

// expNumbers are the numbers of the exponential. Below the lowest it is zero and above the
// highest infinite; round is 1.5*2^23. ln 2 is split in two so that n times the first part is
// exact (Cody and Waite 1980). The coefficients are those of 1 + r + r^2*q(r) where q interpolates
// at the Chebyshev points of |r| <= ln(2)/2; it is off by 1e-8 at most, an eighth of a unit in the last place.
func expNumbers() []uint32 {
	high := 0.693359375
	numbers := []float32{
		expLowest: -104, expHighest: 89, expRound: 3 << 22, expLog2E: math.Log2E,
		expMinusLn2High: float32(-high), expMinusLn2Low: float32(high - math.Ln2),
		expC6: 0.00139261759, expC5: 0.00836317334, expC4: 0.0416665561, expC3: 0.166665778, expC2: 0.5, expOne: 1,
		expSign: float32(math.Copysign(0, -1)), expDistance: expLimit,
	}
	words := make([]uint32, len(numbers))
	for i, v := range numbers {
		words[i] = math.Float32bits(v)
	}
	return words
}

// expAt returns the address of one of the numbers.
func expAt(numbers Reg, which int) Mem { return At(numbers, 4*which) }

// exponential sets p to e to the x in each lane, with an error of less than one unit in the last
// place (of the subnormal numbers too), and overwrites the rest. numbers holds the address of [expNumbers].
// x = n*ln(2) + r leaves |r| <= ln(2)/2; adding round and subtracting it again rounds to the integer n.
func exponential(m Machine, numbers Reg, p, x, n, tmp Vec) {
	m.Broadcast(tmp, expAt(numbers, expLowest))
	m.MaxVec(x, tmp, x)
	m.Broadcast(tmp, expAt(numbers, expHighest))
	m.MinVec(x, tmp, x)
	m.Broadcast(p, expAt(numbers, expRound))
	m.Copy(n, p)
	m.FMABroadcast(n, x, expAt(numbers, expLog2E), tmp)
	m.SubVec(n, n, p)
	m.FMABroadcast(x, n, expAt(numbers, expMinusLn2High), tmp)
	m.FMABroadcast(x, n, expAt(numbers, expMinusLn2Low), tmp)
	m.Broadcast(p, expAt(numbers, expC6))
	for _, c := range []int{expC5, expC4, expC3, expC2, expOne, expOne} {
		m.FMAAddend(p, x, expAt(numbers, c), tmp)
	}
	m.ScaleByPower(p, n, tmp, x)
}
