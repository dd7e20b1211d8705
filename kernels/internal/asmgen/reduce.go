package asmgen

import (
	"fmt"
	"strings"
)

// A reduction goes over rows that lie step bytes apart and keeps sums of a block of
// channels in doubles, in registers: either of some whole vectors, or of one vector of
// floats that may be cut short. The sums come from memory and go back, so that blocks
// of rows may follow each other, in the order of the rows.
type reduction struct {
	name    string
	doc     string   // the body of the Go loop over rows r and channels i
	sums    []string // *float64
	streams []string // *float32, rows x channels
	fixed   string   // *float64, a number of each channel; "" if there is none
	// body adds a vector of doubles of each stream, which it may overwrite, to the sums.
	body func(m Machine, sums, values []Vec, fixed Vec)
}

func reductions() []reduction {
	return []reduction{
		{
			name: "reduceSum", sums: []string{"sum"}, streams: []string{"x"},
			doc:  "sum[i] += float64(x(r, i))",
			body: func(m Machine, sums, v []Vec, _ Vec) { m.AddDouble(sums[0], sums[0], v[0]) },
		},
		{
			name: "reduceMoments", sums: []string{"sum", "squares"}, streams: []string{"x"}, fixed: "shift",
			doc: "d := float64(x(r, i)) - shift[i]\nsum[i] += d\nsquares[i] = math.FMA(d, d, squares[i])",
			body: func(m Machine, sums, v []Vec, shift Vec) {
				m.SubDouble(v[0], v[0], shift)
				m.AddDouble(sums[0], sums[0], v[0])
				m.FMADouble(sums[1], v[0], v[0])
			},
		},
		{
			name: "reduceDot", sums: []string{"sum", "dot"}, streams: []string{"dy", "x"}, fixed: "mean",
			doc: "g := float64(dy(r, i))\nsum[i] += g\ndot[i] = math.FMA(g, float64(x(r, i))-mean[i], dot[i])",
			body: func(m Machine, sums, v []Vec, mean Vec) {
				m.AddDouble(sums[0], sums[0], v[0])
				m.SubDouble(v[1], v[1], mean)
				m.FMADouble(sums[1], v[0], v[1])
			},
		},
	}
}

// reduceWide is the number of vectors of floats of a wide block.
func reduceWide(l Level) int {
	if l == AVX512 {
		return 4
	}
	return 2
}

// function returns the routine for a block of vectors of floats; if it is one, of tail
// channels.
func (p *reduction) function(l Level, vectors int) Function {
	lanes := l.machine(nil).Lanes()
	name, count := fmt.Sprintf("%s%vx%d", p.name, l, vectors), fmt.Sprint(vectors*lanes)
	if vectors == 1 {
		count = "tail"
	}
	doc := fmt.Sprintf("%s computes, where rows of streams are step bytes apart,\n\n\tfor r := range rows {\n\t\tfor i := range %s {\n\t\t\t%s\n\t\t}\n\t}",
		name, count, strings.ReplaceAll(p.doc, "\n", "\n\t\t\t"))
	if vectors == 1 {
		doc += fmt.Sprintf("\n\nwith tail from 1 to %d, rows at least 1, and room for %[1]d doubles behind the pointers to those.", lanes)
	} else {
		doc += "\n\nwith rows at least 1."
	}
	f := Function{Name: name, Doc: doc, Body: func(m Machine) { p.emit(m, vectors) }}
	for _, s := range p.doubles() {
		f.Params = append(f.Params, Param{s, "*float64"})
	}
	for _, s := range p.streams {
		f.Params = append(f.Params, Param{s, "*float32"})
	}
	f.Params = append(f.Params, Param{"rows", "int"}, Param{"step", "int"})
	if vectors == 1 {
		f.Params = append(f.Params, Param{"tail", "int"})
	}
	return f
}

// doubles names what is kept per channel: the sums, then what is fixed.
func (p *reduction) doubles() []string {
	if p.fixed == "" {
		return p.sums
	}
	return append(p.sums[:len(p.sums):len(p.sums)], p.fixed)
}

func (p *reduction) emit(m Machine, vectors int) {
	const rows, step, pointer, stream = Reg(0), Reg(1), Reg(2), Reg(3)
	halves := 2 // registers that a stream takes: both halves of the tail come at once
	if vectors > 1 {
		halves = 1
	}
	var (
		units   = 2 * vectors // vectors of doubles
		doubles = p.doubles()
		scratch = Vec(units * len(doubles))
		width   = 4 * m.Lanes()                                                        // bytes of a vector, of either type
		kept    = func(i, unit int) Vec { return Vec(i*units + unit) }                 // of doubles
		value   = func(i, unit int) Vec { return scratch + Vec(i*halves+unit%halves) } // of a stream
	)
	for i, s := range doubles {
		m.Param(pointer, s)
		for u := range units {
			m.Load(kept(i, u), At(pointer, u*width))
		}
	}
	for i, s := range p.streams {
		m.Param(stream+Reg(i), s)
	}
	m.Param(step, "step")
	pass := func(label string, tail bool) {
		m.Param(rows, "rows")
		m.Align()
		m.Label(label)
		for u := range units {
			var sums, values []Vec
			for i := range p.sums {
				sums = append(sums, kept(i, u))
			}
			for i := range p.streams {
				from := At(stream+Reg(i), u*width/2)
				if !tail {
					m.LoadDoubles(value(i, u), from)
				} else if u == 0 {
					m.LoadDoublesTail(value(i, 0), value(i, 1), from)
				}
				values = append(values, value(i, u))
			}
			p.body(m, sums, values, kept(len(p.sums), u))
		}
		for i := range p.streams {
			m.Add(stream+Reg(i), step)
		}
		m.SubJumpNotZero(rows, 1, label)
		for i, s := range p.sums {
			m.Param(pointer, s)
			for u := range units {
				m.Store(At(pointer, u*width), kept(i, u))
			}
		}
		m.Return()
	}
	if vectors > 1 {
		pass("row", false)
		return
	}
	m.Param(rows, "tail")
	m.JumpLess(rows, m.Lanes(), "partial")
	pass("row", false)
	m.Label("partial")
	m.SetTail(rows)
	pass("rowTail", true)
}

// reduceFile holds the reductions of a level; that of AVX2 also the choice between levels
// and blocks.
func reduceFile(l Level) File {
	f := File{Name: "reduce_" + strings.ToLower(l.String()), Level: l}
	f.Functions = append(f.Functions, dotRelu(l, dotReluWide(l), false), dotRelu(l, 1, true))
	if l == AVX2 {
		f.Go += dotReluChoice()
	}
	for _, p := range reductions() {
		f.Functions = append(f.Functions, p.function(l, 1), p.function(l, reduceWide(l)))
		if l == AVX2 {
			f.Go += p.choice()
		}
	}
	return f
}

// choice is a Go function that reduces a block of up to 64 channels at the level of a simd.
func (p *reduction) choice() string {
	var params, at []string
	for _, s := range p.doubles() {
		params = append(params, s+" *[channelChunk]float64")
		at = append(at, "&"+s+"[i]")
	}
	for _, s := range p.streams {
		params = append(params, s+" []float32")
		at = append(at, "&"+s+"[i]")
	}
	list := strings.Join(at, ", ")
	return fmt.Sprintf(`
// %[1]s adds up rows of n channels, n at most channelChunk, of streams whose rows are step floats apart.
func (s *simd) %[1]s(%[2]s, rows, step, n int) {
	for i := 0; i < n; {
		switch {
		case s.level == AVX512 && n-i >= %[5]d:
			%[1]sAVX512x4(%[3]s, rows, 4*step)
			i += %[5]d
		case s.level == AVX512:
			%[1]sAVX512x1(%[3]s, rows, 4*step, min(16, n-i))
			i += 16
		case n-i >= %[4]d:
			%[1]sAVX2x2(%[3]s, rows, 4*step)
			i += %[4]d
		default:
			%[1]sAVX2x1(%[3]s, rows, 4*step, min(8, n-i))
			i += 8
		}
	}
}
`, p.name, strings.Join(params, ", "), list, reduceWide(AVX2)*8, reduceWide(AVX512)*16)
}
