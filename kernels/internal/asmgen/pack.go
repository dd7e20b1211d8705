package asmgen

import (
	"fmt"
	"strings"
)

// packFile holds the copying of columns of B into panels.
func packFile(l Level) File {
	f := File{Name: "pack_" + strings.ToLower(l.String()), Level: l}
	lanes := l.machine(nil).Lanes()
	for vectors := 1; vectors <= 2; vectors++ {
		name := fmt.Sprintf("pack%vx%d", l, vectors)
		f.Functions = append(f.Functions, Function{
			Name: name,
			Doc: fmt.Sprintf(`%s copies rows of n = %d+tail floats into rows of %d, filled up with zeros. The step is
in bytes; there is at least one row, and tail is 1 to %d:

	for i := range rows {
		clear(dst[i*%[3]d:][:%[3]d])
		copy(dst[i*%[3]d:], src[i*step/4:][:n])
	}`, name, (vectors-1)*lanes, vectors*lanes, lanes),
			Params: []Param{{"dst", "*float32"}, {"src", "*float32"}, {"rows", "int"}, {"step", "int"}, {"tail", "int"}},
			Body:   func(m Machine) { packBody(m, vectors) },
		})
	}
	return f
}

func packBody(m Machine, vectors int) {
	const dst, src, rows, step, tail = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4)
	width := 4 * m.Lanes()
	m.Param(dst, "dst")
	m.Param(src, "src")
	m.Param(rows, "rows")
	m.Param(step, "step")
	m.Param(tail, "tail")
	m.SetTail(tail)
	m.Label("row")
	for v := range vectors {
		if v == vectors-1 {
			m.LoadTail(Vec(v), At(src, v*width))
		} else {
			m.Load(Vec(v), At(src, v*width))
		}
	}
	for v := range vectors {
		m.Store(At(dst, v*width), Vec(v))
	}
	m.Add(src, step)
	m.AddConst(dst, vectors*width)
	m.SubJumpNotZero(rows, 1, "row")
	m.Return()
}
