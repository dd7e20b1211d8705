package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// special returns n floats, some of which are NaN, infinite, zero of either sign, subnormal,
// huge, or at the limits of activations.
func (g *guards) special(rng *rand.Rand, n int) []float32 {
	values := []float32{nan32, inf32, -inf32, 0, float32(math.Copysign(0, -1)), 0x1p-149, -0x1p-140, math.MaxFloat32, -math.MaxFloat32, 6, -3, 3, 3 - 0x1p-22, -3 + 0x1p-22}
	x := g.random(rng, n)
	for i := range x {
		if rng.IntN(3) == 0 {
			x[i] = values[rng.IntN(len(values))]
		}
	}
	return x
}

// sameFloats is sameBits, but any NaN equals any other.
func sameFloats(got, want []float32) error {
	for i, g := range got {
		if g != g && want[i] != want[i] {
			continue
		}
		if math.Float32bits(g) != math.Float32bits(want[i]) {
			return fmt.Errorf("element %d of %d: %v (%#x), want %v (%#x)", i, len(got), g, math.Float32bits(g), want[i], math.Float32bits(want[i]))
		}
	}
	return nil
}

// plain is a table of the definitions of maps, in which each operation is rounded on
// its own: the conversions keep the compiler from fusing.
func plain() *Table {
	t := genericTable()
	t.Axpy = func(dst, x []float32, alpha float32) {
		for i, v := range x {
			dst[i] += float32(alpha * v)
		}
	}
	t.Lerp = func(dst, x []float32, s float32) {
		for i, v := range x {
			dst[i] += float32(s * (v - dst[i]))
		}
	}
	t.WSum = func(dst []float32, xs [][]float32, w []float32) {
		for i := range dst {
			sum := float32(0)
			for j, x := range xs {
				sum += float32(w[j] * x[i])
			}
			dst[i] = sum
		}
	}
	t.Normalize = func(y, x, mean, scale, shift []float32, rows, c int) {
		for i := range rows * c {
			y[i] = float32((x[i]-mean[i%c])*scale[i%c]) + shift[i%c]
		}
	}
	t.ChannelCombine = func(dst, dy, x, mean, a, b, d []float32, rows, c int) {
		for i := range rows * c {
			dst[i] = float32(a[i%c]*dy[i]) + float32(b[i%c]*(x[i]-mean[i%c])) + d[i%c]
		}
	}
	t.SGD = func(w, grad, velocity []float32, p *SGDStep) {
		for i := range w {
			g := float32(p.GradScale*grad[i]) + float32(p.WeightDecay*w[i])
			v := float32(p.Momentum*velocity[i]) + g
			velocity[i] = v
			if p.Nesterov {
				v = g + float32(p.Momentum*v)
			}
			w[i] -= float32(p.LR * v)
		}
	}
	t.AdamW = func(w, grad, m, v []float32, p *AdamWStep) {
		for i := range w {
			g := p.GradScale * grad[i]
			m[i] = float32(p.Beta1*m[i]) + float32((1-p.Beta1)*g)
			v[i] = float32(p.Beta2*v[i]) + float32((1-p.Beta2)*g*g)
			root := float32(math.Sqrt(float64(v[i] * p.Correct2)))
			w[i] -= float32(p.LR * (m[i]*p.Correct1/(root+p.Eps) + float32(p.WeightDecay*w[i])))
		}
	}
	return t
}

// TestMapsAreExact holds every map of elements against its definition, bit by bit, on
// special values, at all short lengths and around the sizes of chunks. (Levels written in
// assembly do not fuse; whether the compiler does depends on its target.)
func TestMapsAreExact(t *testing.T) {
	binary := func(pick func(t *Table) func(dst, a, b []float32)) func(t *Table, p, q, r []float32) {
		return func(t *Table, p, q, r []float32) { pick(t)(p, q, r) }
	}
	maps := []struct {
		name string
		run  func(t *Table, p, q, r []float32) // p is overwritten
	}{
		{"add", binary(func(t *Table) func(dst, a, b []float32) { return t.Add })},
		{"sub", binary(func(t *Table) func(dst, a, b []float32) { return t.Sub })},
		{"mul", binary(func(t *Table) func(dst, a, b []float32) { return t.Mul })},
		{"div", binary(func(t *Table) func(dst, a, b []float32) { return t.Div })},
		{"relugrad", binary(func(t *Table) func(dst, a, b []float32) { return t.ActivateGrad[ReLU] })},
		{"relu6grad", binary(func(t *Table) func(dst, a, b []float32) { return t.ActivateGrad[ReLU6] })},
		{"hardswishgrad", binary(func(t *Table) func(dst, a, b []float32) { return t.ActivateGrad[HardSwish] })},
		{"hardswish", func(t *Table, p, q, _ []float32) { t.Activate[HardSwish](p, q) }},
		{"relu", func(t *Table, p, q, _ []float32) { t.Activate[ReLU](p, q) }},
		{"relu6", func(t *Table, p, q, _ []float32) { t.Activate[ReLU6](p, q) }},
		{"axpy", func(t *Table, p, q, _ []float32) { t.Axpy(p, q, 0.3) }},
		{"scal", func(t *Table, p, q, _ []float32) { t.Scal(p, q, 0.3) }},
		{"lerp", func(t *Table, p, q, _ []float32) { t.Lerp(p, q, 0.3) }},
		{"wsum of one", func(t *Table, p, q, _ []float32) { t.WSum(p, [][]float32{q}, []float32{-1}) }},
		{"wsum of five", func(t *Table, p, q, r []float32) {
			t.WSum(p, [][]float32{q, r, q, r, q}, []float32{0.3, 0.7, 1, -0.2, 0.1})
		}},
	}
	for _, l := range Available()[1:] {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			mem, rng, want := newGuards(t), newRand("exact maps"), plain()
			check := func(name string, n int, run func(t *Table, p, q, r []float32)) {
				for range 3 {
					if n > 1<<16 && rng.IntN(3) > 0 { // one draw of many elements is enough
						continue
					}
					mem.reset()
					mem.atStart = rng.IntN(2) == 0
					p, q, r := mem.special(rng, n), mem.special(rng, n), mem.special(rng, n)
					switch rng.IntN(4) { // in place
					case 0:
						p = q
					case 1:
						p = r
					}
					before := append([]float32(nil), p...)
					run(table, p, q, r)
					got := append([]float32(nil), p...)
					copy(p, before)
					run(want, p, q, r)
					if err := sameFloats(got, p); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			for _, m := range maps {
				for n := range 132 {
					if inShort(n%3 == 0 || n < 34) {
						check(m.name, n, m.run)
					}
				}
				for _, n := range []int{1 << 16, 1<<16 + 1, 1<<17 - 3} {
					if inShort(false) {
						check(m.name, n, m.run)
					}
				}
			}
		})
	}
}

// TestUpdatesAreExact holds the optimisers against their definitions, bit by bit.
func TestUpdatesAreExact(t *testing.T) {
	for _, l := range Available()[1:] {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			mem, rng, want := newGuards(t), newRand("exact updates"), plain()
			adam := &AdamWStep{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.25, Correct1: 10, Correct2: 1000}
			for i := range 300 {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				n := i
				if i == 299 {
					n = 1<<16 + 37
				}
				var got, expect [4][]float32
				for j := range got {
					got[j] = mem.special(rng, n)
					expect[j] = append([]float32(nil), got[j]...)
				}
				update := func(t *Table, x [4][]float32) {
					t.SGD(x[0], x[1], x[2], &SGDStep{LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, GradScale: 0.5, Nesterov: i%2 == 0})
					t.AdamW(x[0], x[1], x[2], x[3], adam)
				}
				update(table, got)
				update(want, expect)
				for j := range got {
					if err := sameFloats(got[j], expect[j]); err != nil {
						t.Fatalf("array %d: %v", j, err)
					}
				}
			}
		})
	}
}

// TestChannelMapsAreExact holds maps of channels against their definitions, bit by bit,
// where parameters are repeated and where they are not.
func TestChannelMapsAreExact(t *testing.T) {
	for _, l := range Available()[1:] {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			mem, rng, want := newGuards(t), newRand("exact channel maps"), plain()
			check := func(rows, c int) {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				x, dy := mem.special(rng, rows*c), mem.special(rng, rows*c)
				mean, a, b, d := mem.special(rng, c), mem.special(rng, c), mem.special(rng, c), mem.special(rng, c)
				got, expect := mem.filled(rows*c, 3), make([]float32, rows*c)
				compare := func(name string) {
					if err := sameFloats(got, expect); err != nil {
						t.Fatalf("%d x %d: %s: %v", rows, c, name, err)
					}
				}
				table.Normalize(got, x, mean, a, d, rows, c)
				want.Normalize(expect, x, mean, a, d, rows, c)
				compare("normalize")
				table.AddRow(got, x, d, rows, c)
				want.AddRow(expect, x, d, rows, c)
				compare("add row")
				table.ChannelCombine(got, dy, x, mean, a, b, d, rows, c)
				want.ChannelCombine(expect, dy, x, mean, a, b, d, rows, c)
				compare("combine")
			}
			for c := range 70 {
				for _, rows := range []int{0, 1, 2, 3, 7, 16, 33, 70} {
					check(rows, c)
				}
			}
			for _, c := range []int{255, 256, 257, 510, 512, 513, 1000} {
				for rows := range 6 {
					check(rows, c)
				}
			}
		})
	}
}
