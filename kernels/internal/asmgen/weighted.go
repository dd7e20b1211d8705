package asmgen

import "fmt"

// weightedSum returns the routine of the weighted sum of any number of slices.
func weightedSum(l Level) Function {
	name := "mapWeighted" + l.String()
	return Function{
		Name: name,
		Doc: name + ` computes, with count > 0:

	xs, w := unsafe.Slice(xs, count), unsafe.Slice(w, count)
	for i := first; i < first+n; i++ {
		sum := float32(0)
		for j, x := range xs {
			sum += float32(w[j] * x[i])
		}
		dst[i] = sum
	}

If past is not 0 it stores groups of whole vectors past the caches, and the address of
dst[first] must be a multiple of 64.`,
		Params: []Param{{"dst", "*float32"}, {"xs", "*[]float32"}, {"w", "*float32"}, {"count", "int"}, {"first", "int"}, {"past", "int"}, {"n", "int"}},
		Body:   weightedBody,
	}
}

func weightedBody(m Machine) {
	const (
		index, left, dst, xs, w, count = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4), Reg(5)
		header, weight, more, x, past  = Reg(6), Reg(7), Reg(8), Reg(9), Reg(10)
		sliceHeader                    = 24 // bytes; the pointer comes first
		group                          = 4  // vectors summed at once
		factor, term                   = Vec(group), Vec(group + 1)
	)
	lanes := m.Lanes()
	loops := 0
	sum := func(vectors int, store func(m Mem, src Vec), tail bool) {
		loops++
		inner := fmt.Sprintf("inner%d", loops)
		for v := range vectors {
			m.Zero(Vec(v))
		}
		m.Move(header, xs)
		m.Move(weight, w)
		m.Move(more, count)
		m.Label(inner)
		m.LoadInt(x, At(header, 0))
		m.Broadcast(factor, At(weight, 0))
		for v := range vectors {
			at := Mem{Base: x, Index: index, Scale: 1, Disp: 4 * lanes * v}
			if tail {
				m.LoadTail(term, at)
			} else {
				m.Load(term, at)
			}
			m.MulVec(term, term, factor)
			m.AddVec(Vec(v), Vec(v), term)
		}
		m.AddConst(header, sliceHeader)
		m.AddConst(weight, 4)
		m.SubJumpNotZero(more, 1, inner)
		for v := range vectors {
			store(Mem{Base: dst, Index: index, Scale: 1, Disp: 4 * lanes * v}, Vec(v))
		}
		m.AddConst(index, 4*lanes*vectors)
	}
	m.Param(dst, "dst")
	m.Param(xs, "xs")
	m.Param(w, "w")
	m.Param(count, "count")
	m.Param(left, "first")
	m.MoveConst(index, 0)
	m.Address(index, Mem{Base: index, Index: left, Scale: 4})
	m.Param(left, "n")
	m.JumpLess(left, group*lanes, "vectors")
	m.Param(past, "past")
	m.JumpZero(past, "near")
	m.Label("groupsPast")
	sum(group, m.StoreStream, false)
	m.SubJumpAtLeast(left, group*lanes, "groupsPast")
	m.StreamFence()
	m.Label("near")
	m.JumpLess(left, group*lanes, "vectors")
	m.Label("groups")
	sum(group, m.Store, false)
	m.SubJumpAtLeast(left, group*lanes, "groups")
	m.Label("vectors")
	m.JumpLess(left, lanes, "tail")
	m.Label("vector")
	sum(1, m.Store, false)
	m.SubJumpAtLeast(left, lanes, "vector")
	m.Label("tail")
	m.JumpZero(left, "done")
	m.SetTail(left)
	sum(1, m.StoreTail, true)
	m.Label("done")
	m.Return()
}
