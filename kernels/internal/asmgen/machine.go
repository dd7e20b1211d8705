package asmgen

// Reg is a general register, 0 to [NumRegs]-1.
type Reg int

// NumRegs is the number of general registers that a body may use.
const NumRegs = 13

// NoReg marks an address without an index.
const NoReg Reg = -1

// Vec is a vector register, 0 to [Machine.Vectors]-1. The highest ones may be taken
// by the tail; see there.
type Vec int

// Mem is the address Base + Index*Scale + Disp, in bytes.
type Mem struct {
	Base, Index Reg
	Scale       int // 1, 2, 4 or 8
	Disp        int
}

// At returns the address disp bytes after a register.
func At(base Reg, disp int) Mem { return Mem{Base: base, Index: NoReg, Disp: disp} }

// Plus returns the address disp bytes further.
func (m Mem) Plus(disp int) Mem { m.Disp += disp; return m }

// Machine emits instructions for one CPU level. In all methods the destination comes first.
type Machine interface {
	// Lanes is the number of floats in a vector, and Vectors that of registers which
	// are free whether there is a tail or not.
	Lanes() int
	Vectors() int

	// Param loads an integer or pointer parameter, BroadcastParam a float32 into all lanes.
	// Parts of slices are named as Go assembly does: x_base, x_len.
	Param(dst Reg, name string)
	BroadcastParam(dst Vec, name string)
	// ReturnFloat stores lane 0 of a vector as the float32 result of that name.
	ReturnFloat(name string, src Vec)
	ReturnInt(name string, src Reg)
	Return()

	// General registers.
	LoadInt(dst Reg, m Mem)
	StoreInt(m Mem, src Reg)
	Move(dst, src Reg)
	MoveConst(dst Reg, value int)
	Add(dst, src Reg)
	AddConst(dst Reg, value int)
	AddMem(dst Reg, m Mem)                            // dst += the integer at m
	Sub(dst, src Reg)                                 // dst -= src
	Address(dst Reg, m Mem)                           // dst = the address itself
	DataAddress(dst Reg, name string, words []uint32) // dst = the address of read-only words, the same for each use of the name
	DecrementMem(m Mem, label string)                 // subtract one from the integer at m; jump if it is not zero then

	// Control. Labels are local to the routine.
	Label(name string)
	Align() // the next instruction starts a block of code that the CPU fetches at once
	Jump(label string)
	JumpZero(r Reg, label string)
	JumpLess(r Reg, value int, label string)       // signed
	JumpBitClear(r Reg, bit int, label string)     // bit number
	SubJumpNotZero(r Reg, value int, label string) // r -= value; jump if it is not zero
	SubJumpAtLeast(r Reg, value int, label string) // r -= value; jump if r >= value then
	JumpMemZero(m Mem, label string)               // the integer at m

	// Whole vectors. Addresses need no alignment.
	Load(dst Vec, m Mem)
	Store(m Mem, src Vec)
	StoreStream(m Mem, src Vec) // past the caches; the address is a multiple of the size of a vector
	PrefetchOnce(m Mem)         // asks for the cache line at m, to be used once; it need not exist
	Prefetch(m Mem)             // asks for the cache line at m; it need not exist
	StreamFence()               // what was stored so comes before all stores that follow
	Broadcast(dst Vec, m Mem)
	Zero(dst Vec)
	Copy(dst, src Vec)
	AddVec(dst, a, b Vec)
	SubVec(dst, a, b Vec)
	MulVec(dst, a, b Vec)
	MaxVec(dst, a, b Vec)                    // NaN in b gives NaN; of two zeros, b
	FMA(acc, a, b Vec)                       // acc += a*b, rounded once
	FMALoad(acc, b Vec, m Mem, tmp Vec)      // acc += b * the vector at m; tmp may be overwritten
	FMABroadcast(acc, b Vec, m Mem, tmp Vec) // acc += b * the float at m; tmp may be overwritten
	arithmetic

	// SetTail takes the number of lanes, 1 to Lanes, from a register that it overwrites; it
	// stays set to the end of the routine. Lanes beyond are loaded as zero and never
	// stored, and their memory is not touched.
	SetTail(n Reg)
	LoadTail(dst Vec, m Mem)
	StoreTail(m Mem, src Vec)
	FMALoadTail(acc, b Vec, m Mem, tmp Vec) // FMALoad of the tail; other lanes of acc may become anything
	// FreeTail reports whether the tail, also if it is all lanes, costs no more than whole vectors do.
	FreeTail() bool
}
