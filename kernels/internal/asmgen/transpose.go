package asmgen

// transposeFile holds what packing needs at both levels of amd64. Exchanging lanes has no common
// form among instruction sets, so the body is written for one.
func transposeFile() File {
	return File{
		Name:  "transpose_avx2",
		Level: AVX2,
		Functions: []Function{{
			Name: "transposeAVX2",
			Doc: `transposeAVX2 turns eight rows of 8*blocks floats into 8*blocks rows of eight. Steps are in
bytes between rows; blocks is at least 1:

	for i := range 8 * blocks {
		for j := range 8 {
			dst[i*dstStep/4+j] = src[j*srcStep/4+i]
		}
	}`,
			Params: []Param{{"dst", "*float32"}, {"src", "*float32"}, {"blocks", "int"}, {"dstStep", "int"}, {"srcStep", "int"}},
			Body:   func(m Machine) { transposeBody(m.(*avx2)) },
		}},
	}
}

func transposeBody(m *avx2) {
	const (
		src, src4, srcStep, srcStep3 = Reg(0), Reg(1), Reg(2), Reg(3)
		dst, dst4, dstStep, dstStep3 = Reg(4), Reg(5), Reg(6), Reg(7)
		blocks                       = Reg(8)
	)
	row := func(base, step Reg, i int) Mem { // base+1 points four rows further, step+1 is three steps
		at := At(base+Reg(i/4), 0)
		if i %= 4; i > 0 {
			at.Index, at.Scale = step+Reg(i/3), [...]int{1: 1, 2: 2, 3: 1}[i]
		}
		return at
	}
	for _, side := range []struct {
		base, step    Reg
		name, stepArg string
	}{{src, srcStep, "src", "srcStep"}, {dst, dstStep, "dst", "dstStep"}} {
		m.Param(side.base, side.name)
		m.Param(side.step, side.stepArg)
		m.Address(side.step+1, Mem{Base: side.step, Index: side.step, Scale: 2})
		m.Address(side.base+1, Mem{Base: side.base, Index: side.step, Scale: 4})
	}
	m.Param(blocks, "blocks")
	m.Label("block")
	for i := range 8 {
		m.Load(Vec(i), row(src, srcStep, i))
	}
	// Pairs of rows, then fours, within halves of registers; then the halves.
	for i := range 4 {
		m.emit("VUNPCKLPS", Vec(2*i+1), Vec(2*i), Vec(8+2*i))
		m.emit("VUNPCKHPS", Vec(2*i+1), Vec(2*i), Vec(9+2*i))
	}
	for i := range 4 {
		x := Vec(8 + i/2*4 + i%2) // rows 0-1 or 4-5; x+2 the two after them
		m.emit("VSHUFPS", 0x44, x+2, x, Vec(i/2*4+i%2*2))
		m.emit("VSHUFPS", 0xee, x+2, x, Vec(i/2*4+i%2*2+1))
	}
	for i := range 4 {
		m.emit("VPERM2F128", 0x20, Vec(4+i), Vec(i), Vec(8+i))
		m.emit("VPERM2F128", 0x31, Vec(4+i), Vec(i), Vec(12+i))
	}
	for i := range 8 {
		m.Store(row(dst, dstStep, i), Vec(8+i))
	}
	for _, r := range []Reg{src, src4} {
		m.AddConst(r, 32)
	}
	for _, r := range []Reg{dst, dst4} {
		m.Address(r, Mem{Base: r, Index: dstStep, Scale: 8})
	}
	m.SubJumpNotZero(blocks, 1, "block")
	m.Return()
}
