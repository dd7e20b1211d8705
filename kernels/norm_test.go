package kernels

import (
	"math"
	"testing"
)

// channelSizes are rows and channels around the sizes of tiles and chunks.
func channelSizes(f func(rows, c int)) {
	for c := 1; c <= 17; c++ {
		for rows := 0; rows <= 9; rows++ {
			f(rows, c)
		}
	}
	for _, c := range []int{31, 64, 65, 130} {
		for _, rows := range []int{1, 64, 129} {
			f(rows, c)
		}
	}
}

func TestChannelReductions(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("channels")
		channelSizes(func(rows, c int) {
			mem.reset()
			mem.atStart = rng.IntN(2) == 0
			x, dy, shift := mem.random(rng, rows*c), mem.random(rng, rows*c), mem.random(rng, c)
			mean, m2, sum, dot := mem.filled(c, nan32), mem.filled(c, nan32), mem.filled(c, nan32), mem.filled(c, nan32)
			wantMean, wantM2 := make([]exact, c), make([]exact, c)
			wantSum, wantSumX, wantDot := make([]exact, c), make([]exact, c), make([]exact, c)
			for i, v := range x {
				wantMean[i%c].add(float64(v) / float64(rows))
				wantSumX[i%c].add(float64(v))
				wantSum[i%c].add(float64(dy[i]))
				wantDot[i%c].add(float64(dy[i]) * (float64(v) - float64(shift[i%c])))
			}
			for i, v := range x {
				d := float64(v) - wantMean[i%c].value
				wantM2[i%c].add(d * d)
			}
			check := func(name string, got []float32, want []exact) {
				if err := closeTo(got, want, channelBound); err != nil {
					t.Fatalf("%d x %d: %s: %v", rows, c, name, err)
				}
			}
			table.ChannelMoments(mean, m2, x, rows, c)
			check("mean", mean, wantMean)
			check("m2", m2, wantM2)
			table.ChannelDot(sum, dot, dy, x, shift, rows, c)
			check("sum", sum, wantSum)
			check("dot", dot, wantDot)
			table.ChannelSum(sum, x, rows, c)
			check("channel sum", sum, wantSumX)
		})
	})
}

// The sum of squares of a mean of 10^4 times the deviation loses all digits in
// float32; the moments must keep them.
func TestMomentsOfLargeMeans(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		for _, mean := range []float32{1 << 13, -1 << 13, 1 << 20} {
			const rows, c = 1000, 5
			x := make([]float32, rows*c)
			for i := range x { // +-1 around the mean, which float32 holds exactly
				x[i] = mean + float32(i/c%2*2-1)
			}
			got, m2 := make([]float32, c), make([]float32, c)
			table.ChannelMoments(got, m2, x, rows, c)
			for i := range c {
				if got[i] != mean || math.Abs(float64(m2[i])-rows) > 1e-3*rows {
					t.Errorf("mean %v: got mean %v, sum of squared deviations %v, want %d", mean, got[i], m2[i], rows)
				}
			}
		}
	})
}

func TestMomentsOfConstantsAreExact(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		const rows, c = 77, 9
		x := make([]float32, rows*c)
		for i := range x {
			x[i] = 0.1 + float32(i%c)
		}
		mean, m2 := make([]float32, c), make([]float32, c)
		table.ChannelMoments(mean, m2, x, rows, c)
		if err := sameBits(mean, x[:c]); err != nil {
			t.Error(err)
		}
		if err := sameBits(m2, make([]float32, c)); err != nil {
			t.Error(err)
		}
	})
}

// TestChannelMaps checks the routines that map rows with a vector per channel, in
// place and not.
func TestChannelMaps(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("channel maps")
		channelSizes(func(rows, c int) {
			for _, place := range []string{"apart", "x", "dy"} {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				x, dy := mem.random(rng, rows*c), mem.random(rng, rows*c)
				mean, a, b, d := mem.random(rng, c), mem.random(rng, c), mem.random(rng, c), mem.random(rng, c)
				norm, combined, added := make([]exact, rows*c), make([]exact, rows*c), make([]exact, rows*c)
				for i, v := range x {
					ch := i % c
					m, s := float64(mean[ch]), float64(a[ch])
					norm[i] = exact{(float64(v)-m)*s + float64(d[ch]), (math.Abs(float64(v))+math.Abs(m))*math.Abs(s) + math.Abs(float64(d[ch]))}
					added[i].add(float64(v))
					added[i].add(float64(d[ch]))
					combined[i].add(s * float64(dy[i]))
					combined[i].add(float64(b[ch]) * float64(v))
					combined[i].add(float64(b[ch]) * -m)
					combined[i].add(float64(d[ch]))
				}
				out := func() (out, in []float32) {
					in = mem.clone(x)
					if place == "x" {
						return in, in
					}
					return mem.filled(rows*c, nan32), in
				}
				check := func(name string, got []float32, want []exact) {
					if err := closeTo(got, want, mapBound); err != nil {
						t.Fatalf("%d x %d, output %s: %s: %v", rows, c, place, name, err)
					}
				}
				y, in := out()
				table.Normalize(y, in, mean, a, d, rows, c)
				check("normalize", y, norm)
				y, in = out()
				table.AddRow(y, in, d, rows, c)
				check("add row", y, added)
				y, in = out()
				if place == "dy" {
					y = dy
				}
				table.ChannelCombine(y, dy, in, mean, a, b, d, rows, c)
				check("combine", y, combined)
			}
		})
	})
}

// TestNormalizationWithReLU holds the fused routines against the single ones: forward to the bit at every level, the sums of
// the gradient against the generic ones. Values at which the ReLU cuts are among them.
func TestNormalizationWithReLU(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("fused normalization")
		check := func(rows, c int, draw func(n int) []float32) {
			mem.reset()
			mem.atStart = rng.IntN(2) == 0
			n := rows * c
			x, dy, residual := draw(n), draw(n), draw(n)
			var p [6][]float32 // mean, scale, shift, a, b, d
			for i := range p {
				p[i] = draw(c)
			}
			mean, scale, shift := p[0], p[1], p[2]
			for i := range x {
				if i%5 == 0 { // the normalised value is the shift
					x[i] = mean[i%c]
				}
			}
			if c > 1 {
				shift[1] = 0
			}
			plain, relu, sum, sumRelu := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			table.Normalize(plain, x, mean, scale, shift, rows, c)
			table.Activate[ReLU](relu, plain)
			table.Add(sum, plain, residual)
			table.Activate[ReLU](sumRelu, sum)
			cut := make([]float32, n)
			table.ActivateGrad[ReLU](cut, dy, relu)
			combined := make([]float32, n)
			table.ChannelCombine(combined, cut, x, mean, p[3], p[4], p[5], rows, c)
			compare := func(name string, got, want []float32) {
				t.Helper()
				if err := sameFloats(got, want); err != nil {
					t.Fatalf("%d x %d: %s: %v", rows, c, name, err)
				}
			}
			y := mem.filled(n, 3)
			table.NormalizeReLU(y, x, mean, scale, shift, rows, c)
			compare("normalize and ReLU", y, relu)
			in := mem.clone(x)
			table.NormalizeReLU(in, in, mean, scale, shift, rows, c)
			compare("normalize and ReLU in place", in, relu)
			table.NormalizeAdd(y, x, residual, mean, scale, shift, rows, c)
			compare("normalize and add", y, sum)
			table.NormalizeAddReLU(y, x, residual, mean, scale, shift, rows, c)
			compare("normalize, add and ReLU", y, sumRelu)
			in = mem.clone(residual)
			table.NormalizeAddReLU(in, x, in, mean, scale, shift, rows, c)
			compare("normalize, add and ReLU over the residual", in, sumRelu)
			table.ChannelCombineReLU(y, dy, x, mean, scale, shift, p[3], p[4], p[5], rows, c)
			compare("combine", y, combined)
			in = mem.clone(dy)
			table.ChannelCombineReLU(in, in, x, mean, scale, shift, p[3], p[4], p[5], rows, c)
			compare("combine over the gradient", in, combined)

			got, want := [2][]float32{mem.filled(c, 3), mem.filled(c, 3)}, [2][]float32{make([]float32, c), make([]float32, c)}
			table.ChannelDotReLU(got[0], got[1], dy, x, mean, scale, shift, rows, c)
			genericChannelDot(want[0], want[1], cut, x, mean, rows, c)
			size := make([]exact, 2*c)
			for i, g := range cut {
				size[i%c].add(float64(g))
				size[c+i%c].add(float64(g) * (float64(x[i]) - float64(mean[i%c])))
			}
			for i := range want {
				for ch, v := range want[i] {
					size[i*c+ch].value = float64(v)
				}
				// One rounding to float32 on either side; the sums in float64 differ by less.
				if err := closeTo(got[i], size[i*c:(i+1)*c], 2); err != nil {
					t.Fatalf("%d x %d: sum %d of the gradient: %v", rows, c, i, err)
				}
			}
		}
		normal := func(n int) []float32 { return mem.random(rng, n) }
		channelSizes(func(rows, c int) { check(rows, c, normal) })
		for c := 1; c <= 140; c += 3 {
			check(29, c, normal)
		}
		check(3000, 3, normal)
		check(700, 16, normal)
		special := func(n int) []float32 { return mem.special(rng, n) }
		for range 100 {
			check(1+rng.IntN(40), 1+rng.IntN(70), special)
		}
	})
}

// TestNormalizationOfRowsApart holds rows with strides against rows without, bit for bit; what lies between them stays.
func TestNormalizationOfRowsApart(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("normalization of rows apart")
		check := func(rows, c int) {
			mem.reset()
			mem.atStart = rng.IntN(2) == 0
			x, residual := mem.random(rng, rows*c), mem.random(rng, rows*c)
			mean, scale, shift := mem.random(rng, c), mem.random(rng, c), mem.random(rng, c)
			spread := func(from []float32, stride int) []float32 {
				to := mem.filled(pixelFloats(rows, c, stride), between)
				for r := range rows {
					copy(to[r*stride:][:c], from[r*c:])
				}
				return to
			}
			for kind := range 4 {
				n := &Normalization{
					Rows: rows, C: c, ReLU: kind&1 != 0,
					XStride: c + rng.IntN(3), YStride: c + rng.IntN(2)*rng.IntN(40), RStride: c + rng.IntN(3),
				}
				want, add := make([]float32, rows*c), []float32(nil)
				switch kind {
				case 0:
					table.Normalize(want, x, mean, scale, shift, rows, c)
				case 1:
					table.NormalizeReLU(want, x, mean, scale, shift, rows, c)
				case 2:
					table.NormalizeAdd(want, x, residual, mean, scale, shift, rows, c)
				case 3:
					table.NormalizeAddReLU(want, x, residual, mean, scale, shift, rows, c)
				}
				if kind > 1 {
					add = spread(residual, n.RStride)
				}
				y := mem.filled(pixelFloats(rows, c, n.YStride), nan32)
				fillBetween(y, c, n.YStride)
				in := spread(x, n.XStride)
				table.NormalizeRows(n, y, in, add, mean, scale, shift)
				if err := sameFloats(y, spread(want, n.YStride)); err != nil {
					t.Fatalf("%+v: %v", *n, err)
				}
				same := *n
				same.YStride = n.XStride
				table.NormalizeRows(&same, in, in, add, mean, scale, shift)
				if err := sameFloats(in, spread(want, n.XStride)); err != nil {
					t.Fatalf("%+v, in place: %v", *n, err)
				}
				if add == nil {
					continue
				}
				same.XStride, same.YStride = c, n.RStride
				table.NormalizeRows(&same, add, x, add, mean, scale, shift)
				if err := sameFloats(add, spread(want, n.RStride)); err != nil {
					t.Fatalf("%+v, over the residual: %v", *n, err)
				}
			}
		}
		channelSizes(check)
		for c := 1; c <= 140; c += 3 {
			check(29, c)
		}
		for _, c := range []int{511, 512, 513, 700} {
			check(3, c)
		}
	})
}
