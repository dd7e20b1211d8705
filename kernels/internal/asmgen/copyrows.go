package asmgen

import (
	"fmt"
	"strings"
)

// copyFile holds the copying of rows that lie apart on either side.
func copyFile(l Level) File {
	f := File{Name: "copy_" + strings.ToLower(l.String()), Level: l}
	lanes := l.machine(nil).Lanes()
	for _, vectors := range []int{1, 2, 4} {
		name := fmt.Sprintf("copyRows%vx%d", l, vectors)
		f.Functions = append(f.Functions, Function{
			Name: name,
			Doc: fmt.Sprintf(`%s copies rows of %d floats. The steps are in bytes; there is at least one row:

	for i := range rows {
		copy(dst[i*to/4:][:%[2]d], src[i*from/4:])
	}`, name, vectors*lanes),
			Params: []Param{{"dst", "*float32"}, {"src", "*float32"}, {"rows", "int"}, {"to", "int"}, {"from", "int"}},
			Body:   func(m Machine) { copyBody(m, vectors, false) },
		})
	}
	name := fmt.Sprintf("copyRows%vTail", l)
	f.Functions = append(f.Functions, Function{
		Name: name,
		Doc: fmt.Sprintf(`%s copies rows of tail floats, 1 to %d. The steps are in bytes; there is at least one row:

	for i := range rows {
		copy(dst[i*to/4:][:tail], src[i*from/4:])
	}`, name, lanes),
		Params: []Param{{"dst", "*float32"}, {"src", "*float32"}, {"rows", "int"}, {"to", "int"}, {"from", "int"}, {"tail", "int"}},
		Body:   func(m Machine) { copyBody(m, 1, true) },
	})
	return f
}

func copyBody(m Machine, vectors int, tail bool) {
	const dst, src, rows, to, from, columns = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4), Reg(5)
	width := 4 * m.Lanes()
	m.Param(dst, "dst")
	m.Param(src, "src")
	m.Param(rows, "rows")
	m.Param(to, "to")
	m.Param(from, "from")
	if tail {
		m.Param(columns, "tail")
		m.SetTail(columns)
	}
	m.Align()
	m.Label("row")
	for v := range vectors {
		if tail {
			m.LoadTail(Vec(v), At(src, v*width))
		} else {
			m.Load(Vec(v), At(src, v*width))
		}
	}
	for v := range vectors {
		if tail {
			m.StoreTail(At(dst, v*width), Vec(v))
		} else {
			m.Store(At(dst, v*width), Vec(v))
		}
	}
	m.Add(dst, to)
	m.Add(src, from)
	m.SubJumpNotZero(rows, 1, "row")
	m.Return()
}
