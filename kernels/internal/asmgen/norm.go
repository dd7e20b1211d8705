package asmgen

import (
	"fmt"
	"strings"
)

// normalized leaves (x-mean)*scale + shift in dst, x in x; tmp is overwritten. Streams of those names hold what is read.
func (s *mapStep) normalized(dst, x, tmp Vec) {
	s.load(x, "x")
	s.load(tmp, "mean")
	s.SubVec(dst, x, tmp)
	s.load(tmp, "scale")
	s.MulVec(dst, dst, tmp)
	s.load(tmp, "shift")
	s.AddVec(dst, dst, tmp)
}

// normMappings are the maps of a batch normalisation.
func normMappings() []mapping {
	const value = "float32((x[i]-mean[i])*scale[i]) + shift[i]"
	forward := func(name, doc string, add, relu bool) mapping {
		m := mapping{name: name, streams: []string{"y", "x"}, unroll: 2, doc: "y[i] = " + doc}
		if add {
			m.streams = append(m.streams, "residual")
		}
		m.streams = append(m.streams, "mean", "scale", "shift")
		m.body = func(s *mapStep) {
			s.normalized(t0, t0, t1)
			if add {
				s.load(t1, "residual")
				s.AddVec(t0, t0, t1)
			}
			if relu {
				s.positive(t0, t0)
			}
			s.store("y", t0)
		}
		return m
	}
	return []mapping{
		forward("normalize", value, false, false),
		forward("normalizeRelu", "max("+value+", 0)", false, true),
		forward("normalizeAdd", value+" + residual[i]", true, false),
		forward("normalizeAddRelu", "max("+value+" + residual[i], 0)", true, true),
		{
			name: "combine", streams: []string{"dst", "dy", "x", "mean", "a", "b", "d"}, unroll: 2,
			doc: "dst[i] = float32(float32(a[i]*dy[i])+float32(b[i]*(x[i]-mean[i]))) + d[i]",
			body: func(s *mapStep) {
				s.load(t0, "dy")
				s.load(t1, "x")
				combined(s)
			},
		},
		{
			name: "combineRelu", streams: []string{"dst", "dy", "x", "mean", "scale", "shift", "a", "b", "d"}, unroll: 2,
			doc: "g := dy[i]\nif " + value + " <= 0 {\n\tg = 0\n}\ndst[i] = float32(float32(a[i]*g)+float32(b[i]*(x[i]-mean[i]))) + d[i]",
			body: func(s *mapStep) {
				s.normalized(t2, t1, t3)
				s.load(t3, "dy")
				s.ZeroIfLessEqual(t0, t3, t2, s.zero())
				combined(s)
			},
		},
	}
}

// combined finishes a gradient from dy in t0 and x in t1.
func combined(s *mapStep) {
	s.load(t2, "a")
	s.MulVec(t0, t0, t2)
	s.load(t2, "mean")
	s.SubVec(t1, t1, t2)
	s.load(t2, "b")
	s.MulVec(t1, t1, t2)
	s.AddVec(t0, t0, t1)
	s.load(t1, "d")
	s.AddVec(t0, t0, t1)
	s.store("dst", t0)
}

// dotReluWide is the number of vectors of floats of a wide block of reduceDotRelu.
func dotReluWide(l Level) int {
	if l == AVX512 {
		return 2
	}
	return 1
}

// dotRelu is reduceDot with the gradient cut where a ReLU after the normalisation cuts: for a block of some whole vectors, or
// of one with tail channels.
func dotRelu(l Level, vectors int, tail bool) Function {
	lanes := l.machine(nil).Lanes()
	name, count := fmt.Sprintf("reduceDotRelu%vx%d", l, vectors), fmt.Sprint(vectors*lanes)
	params := []Param{{"sum", "*float64"}, {"dot", "*float64"}, {"means", "*float64"},
		{"mean", "*float32"}, {"scale", "*float32"}, {"shift", "*float32"},
		{"dy", "*float32"}, {"x", "*float32"}, {"rows", "int"}, {"step", "int"}}
	room := ""
	if tail {
		name, count = fmt.Sprintf("reduceDotRelu%vTail", l), "tail"
		params = append(params, Param{"tail", "int"})
		room = fmt.Sprintf(", tail from 1 to %d, and room for %[1]d numbers behind the pointers to those of channels", lanes)
	}
	return Function{
		Name: name,
		Doc: fmt.Sprintf("%s computes, where rows of dy and x are step bytes apart,\n\n\tfor r := range rows {\n\t\tfor i := range %s {\n\t\t\t"+
			"g := float64(dy(r, i))\n\t\t\tif float32((x(r, i)-mean[i])*scale[i])+shift[i] <= 0 {\n\t\t\t\tg = 0\n\t\t\t}\n\t\t\t"+
			"sum[i] += g\n\t\t\tdot[i] = math.FMA(g, float64(x(r, i))-means[i], dot[i])\n\t\t}\n\t}\n\nwith rows at least 1%s. means holds the numbers of mean.",
			name, count, room),
		Params: params,
		Body:   func(m Machine) { emitDotRelu(m, vectors, tail) },
	}
}

func emitDotRelu(m Machine, vectors int, tail bool) {
	const rows, step, pointer, dy, x = Reg(0), Reg(1), Reg(2), Reg(3), Reg(4)
	width := 4 * m.Lanes() // bytes of a vector, of either type
	units := 2 * vectors   // vectors of doubles
	doubles := []string{"sum", "dot", "means"}
	floats := []string{"mean", "scale", "shift"}
	kept := func(i, u int) Vec { return Vec(i*units + u) }
	fixed := func(i, v int) Vec { return Vec(3*units + i*vectors + v) }
	scratch := Vec(3*units + 3*vectors)
	zero, low, high, value, grad := scratch, scratch+1, scratch+2, scratch+3, scratch+4
	for i, s := range doubles {
		m.Param(pointer, s)
		for u := range units {
			m.Load(kept(i, u), At(pointer, u*width))
		}
	}
	for i, s := range floats {
		m.Param(pointer, s)
		for v := range vectors {
			m.Load(fixed(i, v), At(pointer, v*width))
		}
	}
	load := m.Load
	if tail {
		m.Param(rows, "tail")
		m.SetTail(rows)
		load = m.LoadTail
	}
	m.Param(dy, "dy")
	m.Param(x, "x")
	m.Param(step, "step")
	m.Param(rows, "rows")
	m.Zero(zero)
	m.Align()
	m.Label("row")
	for v := range vectors {
		load(high, At(x, v*width))
		m.SubVec(value, high, fixed(0, v))
		m.MulVec(value, value, fixed(1, v))
		m.AddVec(value, value, fixed(2, v))
		load(low, At(dy, v*width))
		m.ZeroIfLessEqual(grad, low, value, zero)
		m.Widen(value, grad) // the gradient is in both now
		m.Widen(low, high)   // and x in these
		for half, of := range [][2]Vec{{value, low}, {grad, high}} {
			u := 2*v + half
			m.AddDouble(kept(0, u), kept(0, u), of[0])
			m.SubDouble(of[1], of[1], kept(2, u))
			m.FMADouble(kept(1, u), of[0], of[1])
		}
	}
	m.Add(dy, step)
	m.Add(x, step)
	m.SubJumpNotZero(rows, 1, "row")
	for i, s := range doubles[:2] {
		m.Param(pointer, s)
		for u := range units {
			m.Store(At(pointer, u*width), kept(i, u))
		}
	}
	m.Return()
}

// dotReluChoice is a Go function that reduces a block of up to 64 channels at the level of a simd.
func dotReluChoice() string {
	var s strings.Builder
	s.WriteString(`
// reduceDotRelu adds up rows of n channels, n at most channelChunk, of streams whose rows are step floats apart.
func (s *simd) reduceDotRelu(sum, dot, means *[channelChunk]float64, mean, scale, shift *[channelChunk]float32, dy, x []float32, rows, step, n int) {
	for i := 0; i < n; {
		switch {
`)
	for _, l := range []Level{AVX512, AVX2} {
		lanes := l.machine(nil).Lanes()
		call := "%s(&sum[i], &dot[i], &means[i], &mean[i], &scale[i], &shift[i], &dy[i], &x[i], rows, 4*step"
		wide := dotReluWide(l)
		fmt.Fprintf(&s, "\t\tcase s.level == %v && n-i >= %d:\n\t\t\t"+call+")\n\t\t\ti += %[2]d\n", l, wide*lanes, dotRelu(l, wide, false).Name)
		fmt.Fprintf(&s, "\t\tcase s.level == %v:\n\t\t\t"+call+", min(%d, n-i))\n\t\t\ti += %[3]d\n", l, dotRelu(l, 1, true).Name, lanes)
	}
	s.WriteString("\t\t}\n\t}\n}\n")
	return s.String()
}
