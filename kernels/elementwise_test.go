package kernels

import (
	"fmt"
	"math"
	"testing"
)

// vectorLengths are all short lengths, and some beyond every block.
func vectorLengths(f func(n int)) {
	for n := range 68 {
		f(n)
	}
	for _, n := range []int{127, 255, 256, 257, 1000} {
		f(n)
	}
}

func TestElementwise(t *testing.T) {
	const s = float32(0.3)
	type operation struct {
		name string
		run  func(t *Table, dst, a, b []float32)
		want func(dst, a, b float64) float64
		size func(dst, a, b float64) float64
	}
	pair := func(pick func(t *Table) func(dst, a, b []float32)) func(t *Table, dst, a, b []float32) {
		return func(t *Table, dst, a, b []float32) { pick(t)(dst, a, b) }
	}
	sum := func(_, a, b float64) float64 { return math.Abs(a) + math.Abs(b) }
	operations := []operation{
		{"add", pair(func(t *Table) func(dst, a, b []float32) { return t.Add }), func(_, a, b float64) float64 { return a + b }, sum},
		{"sub", pair(func(t *Table) func(dst, a, b []float32) { return t.Sub }), func(_, a, b float64) float64 { return a - b }, sum},
		{"mul", pair(func(t *Table) func(dst, a, b []float32) { return t.Mul }), func(_, a, b float64) float64 { return a * b }, nil},
		{"div", pair(func(t *Table) func(dst, a, b []float32) { return t.Div }), func(_, a, b float64) float64 { return a / b }, nil},
		{"scal", func(t *Table, dst, a, _ []float32) { t.Scal(dst, a, s) }, func(_, a, _ float64) float64 { return a * float64(s) }, nil},
		{"axpy", func(t *Table, dst, a, _ []float32) { t.Axpy(dst, a, s) },
			func(d, a, _ float64) float64 { return d + float64(s)*a }, func(d, a, _ float64) float64 { return math.Abs(d) + math.Abs(a) }},
		{"lerp", func(t *Table, dst, a, _ []float32) { t.Lerp(dst, a, s) },
			func(d, a, _ float64) float64 { return d + float64(s)*(a-d) }, func(d, a, _ float64) float64 { return 2*math.Abs(d) + math.Abs(a) }},
		{"wsum of none", func(t *Table, dst, _, _ []float32) { t.WSum(dst, nil, nil) }, func(_, _, _ float64) float64 { return 0 }, nil},
		{"wsum of one", func(t *Table, dst, a, _ []float32) { t.WSum(dst, [][]float32{a}, []float32{s}) },
			func(_, a, _ float64) float64 { return float64(s) * a }, nil},
		{"wsum of three", func(t *Table, dst, a, b []float32) { t.WSum(dst, [][]float32{a, b, a}, []float32{s, 2, -1}) },
			func(_, a, b float64) float64 { return (float64(s)-1)*a + 2*b }, func(_, a, b float64) float64 { return 2*math.Abs(a) + 2*math.Abs(b) }},
	}
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("elementwise")
		for _, op := range operations {
			vectorLengths(func(n int) {
				for _, place := range []string{"apart", "a", "b"} {
					mem.reset()
					mem.atStart = rng.IntN(2) == 0
					a, b, dst := mem.random(rng, n), mem.random(rng, n), mem.random(rng, n)
					switch place {
					case "a":
						dst = a
					case "b":
						dst = b
					}
					want := make([]exact, n)
					for i := range want {
						d, x, y := float64(dst[i]), float64(a[i]), float64(b[i])
						v := op.want(d, x, y)
						want[i] = exact{v, math.Abs(v)}
						if op.size != nil {
							want[i].size = op.size(d, x, y)
						}
					}
					op.run(table, dst, a, b)
					if err := closeTo(dst, want, mapBound); err != nil {
						t.Fatalf("%s of %d, output %s: %v", op.name, n, place, err)
					}
				}
			})
		}
	})
}

func TestReductions(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("reductions")
		vectorLengths(func(n int) {
			mem.reset()
			mem.atStart = rng.IntN(2) == 0
			x, y := mem.random(rng, n), mem.random(rng, n)
			var sum, dot, squares exact
			for i, v := range x {
				sum.add(float64(v))
				dot.add(float64(v) * float64(y[i]))
				squares.add(float64(v) * float64(v))
			}
			for _, r := range []struct {
				name string
				got  float64
				want exact
			}{{"sum", table.Sum(x), sum}, {"dot", table.Dot(x, y), dot}, {"sum of squares", table.SumSquares(x), squares}} {
				// n roundings in float64, n <= 1000.
				if !(math.Abs(r.got-r.want.value) <= 1e-12*r.want.size) {
					t.Errorf("%s of %d: %v, want %v", r.name, n, r.got, r.want.value)
				}
			}
		})
	})
}

// In float32 this sum would stop growing at 2^24.
func TestReductionsOfManyElements(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		x := make([]float32, 1<<25+3)
		if testing.Short() {
			x = x[:1<<16+3]
		}
		for i := range x {
			x[i] = 1
		}
		for name, got := range map[string]float64{"sum": table.Sum(x), "dot": table.Dot(x, x), "squares": table.SumSquares(x)} {
			if got != float64(len(x)) {
				t.Errorf("%s of %d ones: %v", name, len(x), got)
			}
		}
	})
}

func TestMask(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		const n = 20000
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i + 1)
		}
		for _, keep := range []float32{0, 0.1, 0.5, 0.9, 1} {
			whole := make([]float32, n)
			table.Mask(whole, x, 42, 100, keep)
			kept := 0
			for i, v := range whole {
				if v == 0 {
					continue
				}
				kept++
				if v != x[i]/keep {
					t.Fatalf("keep %v: element %d is %v, want 0 or %v", keep, i, v, x[i]/keep)
				}
			}
			// Five standard deviations of the binomial distribution.
			mean := n * float64(keep)
			if dev := math.Sqrt(mean * (1 - float64(keep))); math.Abs(float64(kept)-mean) > 5*dev {
				t.Errorf("keep %v: %d of %d kept", keep, kept, n)
			}
			parts := append([]float32(nil), x...)
			for lo := 0; lo < n; {
				hi := min(n, lo+1+lo%37)
				table.Mask(parts[lo:hi], parts[lo:hi], 42, 100+lo, keep) // in place
				lo = hi
			}
			if err := sameBits(parts, whole); err != nil {
				t.Errorf("keep %v, in parts: %v", keep, err)
			}
		}
		// Neighbouring keys and elements give independent bits: about half agree.
		a, b := make([]float32, n), make([]float32, n)
		for _, other := range []struct {
			name  string
			key   uint64
			first int
		}{{"next key", 43, 100}, {"next element", 42, 101}} {
			table.Mask(a, x, 42, 100, 0.5)
			table.Mask(b, x, other.key, other.first, 0.5)
			agree := 0
			for i := range a {
				if (a[i] == 0) == (b[i] == 0) {
					agree++
				}
			}
			if math.Abs(float64(agree)-n/2) > 5*math.Sqrt(n)/2 {
				t.Errorf("%s: %d of %d bits agree", other.name, agree, n)
			}
		}
	})
}

func TestBytes(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("bytes")
		for c := 1; c <= 5; c++ {
			vectorLengths(func(n int) {
				mem.reset()
				src := make([]byte, n)
				scale, shift := mem.random(rng, c), mem.random(rng, c)
				dst := mem.filled(n, nan32)
				want := make([]exact, n)
				for i := range src {
					src[i] = byte(rng.Uint32())
					want[i].add(float64(src[i]) * float64(scale[i%c]))
					want[i].add(float64(shift[i%c]))
				}
				table.Bytes(dst, src, scale, shift, c)
				if err := closeTo(dst, want, mapBound); err != nil {
					t.Fatalf("%d bytes, %d channels: %v", n, c, err)
				}
			})
		}
	})
}

func TestSGD(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("sgd")
		for _, p := range []SGDStep{
			{LR: 0.1, GradScale: 1},
			{LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, GradScale: 0.5},
			{LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, GradScale: 0.5, Nesterov: true},
		} {
			vectorLengths(func(n int) {
				mem.reset()
				w, grad, vel := mem.random(rng, n), mem.random(rng, n), mem.random(rng, n)
				wantW, wantV := make([]exact, n), make([]exact, n)
				for i := range w {
					lr, mu := float64(p.LR), float64(p.Momentum)
					g := float64(p.GradScale)*float64(grad[i]) + float64(p.WeightDecay)*float64(w[i])
					v := mu*float64(vel[i]) + g
					step := v
					if p.Nesterov {
						step = g + mu*v
					}
					size := math.Abs(float64(vel[i])) + math.Abs(float64(grad[i])) + math.Abs(float64(w[i]))
					wantV[i] = exact{v, size}
					wantW[i] = exact{float64(w[i]) - lr*step, size}
				}
				table.SGD(w, grad, vel, &p)
				if err := closeTo(vel, wantV, 4); err != nil {
					t.Fatalf("%+v, velocity of %d: %v", p, n, err)
				}
				if err := closeTo(w, wantW, 4); err != nil {
					t.Fatalf("%+v, weights of %d: %v", p, n, err)
				}
			})
		}
	})
}

func TestAdamW(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("adamw")
		for step := 1; step <= 3; step++ {
			p := AdamWStep{
				LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.25,
				Correct1: float32(1 / (1 - math.Pow(0.9, float64(step)))), Correct2: float32(1 / (1 - math.Pow(0.999, float64(step)))),
			}
			vectorLengths(func(n int) {
				mem.reset()
				w, grad, m, v := mem.random(rng, n), mem.random(rng, n), mem.random(rng, n), mem.random(rng, n)
				wantW, wantM, wantV := make([]exact, n), make([]exact, n), make([]exact, n)
				for i := range w {
					v[i] = v[i] * v[i]
					g := float64(p.GradScale) * float64(grad[i])
					// The complements are taken in float32, as the definition's are numbers of the step.
					m1 := float64(p.Beta1)*float64(m[i]) + float64(1-p.Beta1)*g
					v1 := float64(p.Beta2)*float64(v[i]) + float64(1-p.Beta2)*g*g
					ratio := m1 * float64(p.Correct1) / (math.Sqrt(v1*float64(p.Correct2)) + float64(p.Eps))
					wantM[i] = exact{m1, math.Abs(float64(m[i])) + math.Abs(g)}
					wantV[i] = exact{v1, v1}
					noise := wantM[i].size * float64(p.Correct1) / math.Sqrt(v1*float64(p.Correct2))
					lr := float64(p.LR)
					wantW[i] = exact{float64(w[i]) - lr*(ratio+float64(p.WeightDecay)*float64(w[i])), math.Abs(float64(w[i])) + lr*noise}
				}
				table.AdamW(w, grad, m, v, &p)
				for name, err := range map[string]error{"m": closeTo(m, wantM, 4), "v": closeTo(v, wantV, 6), "w": closeTo(w, wantW, 8)} {
					if err != nil {
						t.Fatalf("step %d, %s of %d: %v", step, name, n, err)
					}
				}
			})
		}
	})
}

func ExampleTable() {
	table, err := ForLevel(Generic)
	if err != nil {
		panic(err)
	}
	// A 2x3 matrix times a 3x2 matrix, plus a bias per column.
	a := []float32{1, 2, 3, 4, 5, 6}
	b := []float32{1, 0, 0, 1, 1, 1}
	c := make([]float32, 4)
	g := &GEMM{M: 2, N: 2, K: 3, Alpha: 1, LDA: 3, LDB: 2, LDC: 2}
	table.GEMM(g, a, b, c, []float32{10, 20}, make([]float32, table.GEMMScratch(g)))
	fmt.Println(c)
	// Output: [14 25 20 31]
}
