package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// softmax64 returns log(sum exp x) relative to the maximum, the maximum, and the probabilities.
func softmax64(x []float32) (logSum, m float64, p []float64) {
	m = math.Inf(-1)
	for _, v := range x {
		m = max(m, float64(v))
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - m)
	}
	for _, v := range x {
		p = append(p, math.Exp(float64(v)-m)/sum)
	}
	return math.Log(sum), m, p
}

// spread bounds the effect of rounding the arguments of exp: |x-max| half eps each.
func spread(x []float32, m float64) float64 {
	s := 1.0
	for _, v := range x {
		s = max(s, math.Abs(float64(v)-m))
	}
	return s
}

func TestSoftmax(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("softmax")
		for c := 1; c <= 35; c++ {
			for _, rows := range []int{0, 1, 3} {
				for _, scale := range []float32{0.1, 1, 30} {
					for _, inPlace := range []bool{false, true} {
						checkSoftmax(t, mem, rng, table, rows, c, scale, inPlace)
					}
				}
			}
		}
	})
}

// checkSoftmax compares softmax, log-softmax and their gradients with their definition.
func checkSoftmax(t *testing.T, mem *guards, rng *rand.Rand, table *Table, rows, c int, scale float32, inPlace bool) {
	t.Helper()
	mem.reset()
	mem.atStart = rng.IntN(2) == 0
	n := rows * c
	x, dy := mem.random(rng, n), mem.random(rng, n)
	table.Scal(x, x, scale)
	prob, logProb := make([]exact, n), make([]exact, n)
	for r := range rows {
		row := x[r*c : (r+1)*c]
		logSum, m, p := softmax64(row)
		for i, v := range row {
			prob[r*c+i] = exact{p[i], p[i] * spread(row, m)}
			logProb[r*c+i] = exact{float64(v) - m - logSum, 1 + spread(row, m)}
		}
	}
	check := func(name string, got []float32, want []exact) {
		if err := closeTo(got, want, expBound); err != nil {
			t.Fatalf("%s of %d x %d times %v: %v", name, rows, c, scale, err)
		}
	}
	out := func() (y, in []float32) {
		in = mem.clone(x)
		if inPlace {
			return in, in
		}
		return mem.filled(n, nan32), in
	}
	y, in := out()
	table.Softmax(y, in, rows, c)
	check("softmax", y, prob)
	logY, in := out()
	table.LogSoftmax(logY, in, rows, c)
	check("log-softmax", logY, logProb)

	// The gradients are functions of the rounded outputs.
	grad, logGrad := make([]exact, n), make([]exact, n)
	for r := range rows {
		var dot, sum exact
		for i := r * c; i < (r+1)*c; i++ {
			dot.add(float64(dy[i]) * float64(y[i]))
			sum.add(float64(dy[i]))
		}
		for i := r * c; i < (r+1)*c; i++ {
			p := float64(y[i])
			grad[i] = exact{p * (float64(dy[i]) - dot.value), p * (math.Abs(float64(dy[i])) + dot.size)}
			e := math.Exp(float64(logY[i]))
			logGrad[i] = exact{float64(dy[i]) - e*sum.value, math.Abs(float64(dy[i])) + e*sum.size}
		}
	}
	dx := mem.filled(n, nan32)
	table.SoftmaxGrad(dx, dy, y, rows, c)
	check("softmax gradient", dx, grad)
	table.LogSoftmaxGrad(dx, dy, logY, rows, c)
	check("log-softmax gradient", dx, logGrad)
}

func TestCrossEntropy(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("cross-entropy")
		for c := 1; c <= 35; c++ {
			for _, smoothing := range []float32{0, 0.1, 1} {
				for _, scale := range []float32{0.1, 1, 30} {
					mem.reset()
					const rows = 3
					x, labels := mem.random(rng, rows*c), mem.floats(rows)
					table.Scal(x, x, scale)
					loss, dx := mem.filled(rows, nan32), mem.filled(rows*c, nan32)
					wantLoss, wantGrad := make([]exact, rows), make([]exact, rows*c)
					for r := range rows {
						labels[r] = float32(rng.IntN(c))
						row := x[r*c : (r+1)*c]
						logSum, m, p := softmax64(row)
						for i, v := range row {
							target := float64(smoothing) / float64(c)
							if i == int(labels[r]) {
								target += 1 - float64(smoothing)
							}
							wantLoss[r].value += target * (logSum + m - float64(v))
							wantGrad[r*c+i] = exact{0.25 * (p[i] - target), 0.25 * (p[i]*spread(row, m) + target)}
						}
						wantLoss[r].size = 1 + spread(row, m)
					}
					table.CrossEntropy(loss, x, labels, smoothing, rows, c)
					if err := closeTo(loss, wantLoss, expBound); err != nil {
						t.Fatalf("%d classes, smoothing %v: %v", c, smoothing, err)
					}
					table.CrossEntropyGrad(dx, x, labels, smoothing, 0.25, rows, c)
					if err := closeTo(dx, wantGrad, expBound); err != nil {
						t.Fatalf("gradient, %d classes, smoothing %v: %v", c, smoothing, err)
					}
				}
			}
		}
	})
}

// Logits far apart overflow exp unless the maximum is subtracted; a NaN makes its
// own row NaN and no other.
func TestSoftmaxOfExtremes(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		x := []float32{1e30, -1e30, 0, -inf32, 5, 5, 1, nan32, 2}
		y := make([]float32, 9)
		table.Softmax(y, x, 3, 3)
		want := []exact{{1, 1}, {0, 1}, {0, 1}, {0, 1}, {0.5, 1}, {0.5, 1}, {value: math.NaN()}, {value: math.NaN()}, {value: math.NaN()}}
		if err := closeTo(y, want, 1); err != nil {
			t.Error(err)
		}
		table.LogSoftmax(y, x, 3, 3)
		half := -math.Ln2
		inf := math.Inf(-1)
		want = []exact{{0, 1}, {-2e30, 2e30}, {-1e30, 1e30}, {inf, 1}, {half, 1}, {half, 1}, {value: math.NaN()}, {value: math.NaN()}, {value: math.NaN()}}
		if err := closeTo(y, want, 2); err != nil {
			t.Error(err)
		}
		loss := make([]float32, 3)
		table.CrossEntropy(loss, x, []float32{0, 1, 0}, 0, 3, 3)
		if err := closeTo(loss, []exact{{0, 1}, {math.Ln2, 1}, {value: math.NaN()}}, 2); err != nil {
			t.Error(err)
		}
	})
}

// TestSoftmaxOfWideRows takes rows of many vectors, whose sums have many terms: the
// bounds are the same, since the sums are in float64.
func TestSoftmaxOfWideRows(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("softmax of wide rows")
		for _, c := range []int{64, 100, 127, 1000, 4097, 70001} {
			mem.reset()
			mem.atStart = rng.IntN(2) == 0
			const rows = 3
			x, y, loss, labels := mem.random(rng, rows*c), mem.filled(rows*c, nan32), mem.floats(rows), mem.floats(rows)
			prob, logProb, losses := make([]exact, rows*c), make([]exact, rows*c), make([]exact, rows)
			grad := make([]exact, rows*c)
			for r := range rows {
				row := x[r*c : (r+1)*c]
				labels[r] = float32(rng.IntN(c))
				logSum, m, p := softmax64(row)
				s := spread(row, m)
				for i, v := range row {
					at := r*c + i
					prob[at] = exact{p[i], p[i] * s}
					logProb[at] = exact{float64(v) - m - logSum, 1 + s + logSum}
					target := 0.1 / float64(c)
					if i == int(labels[r]) {
						target += 0.9
						losses[r] = exact{-logProb[at].value, logProb[at].size}
					}
					grad[at] = exact{p[i] - target, p[i]*s + target}
				}
			}
			table.Softmax(y, x, rows, c)
			if err := closeTo(y, prob, 8); err != nil {
				t.Fatalf("softmax of %d: %v", c, err)
			}
			table.LogSoftmax(y, x, rows, c)
			if err := closeTo(y, logProb, 8); err != nil {
				t.Fatalf("log-softmax of %d: %v", c, err)
			}
			table.CrossEntropy(loss, x, labels, 0, rows, c)
			if err := closeTo(loss, losses, 8); err != nil {
				t.Fatalf("cross-entropy of %d: %v", c, err)
			}
			table.CrossEntropyGrad(y, x, labels, 0.1, 1, rows, c)
			if err := closeTo(y, grad, 8); err != nil {
				t.Fatalf("gradient of cross-entropy of %d: %v", c, err)
			}
		}
	})
}

// TestSoftmaxOfPartsOfRows holds each routine over all rows against the same in parts, bit by bit, and
// over more rows than are taken at once.
func TestSoftmaxOfPartsOfRows(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		rng := newRand("softmax of parts")
		mem := newGuards(t)
		for _, c := range []int{1, 3, 8, 10, 16, 17, 100} {
			mem.reset()
			rows := 200
			x, dy, labels := mem.special(rng, rows*c), mem.random(rng, rows*c), make([]float32, rows)
			for r := range labels {
				labels[r] = float32(rng.IntN(c))
			}
			for name, f := range map[string]func(y []float32, lo, hi int){
				"softmax":      func(y []float32, lo, hi int) { table.Softmax(y[lo*c:hi*c], x[lo*c:hi*c], hi-lo, c) },
				"softmax grad": func(y []float32, lo, hi int) { table.SoftmaxGrad(y[lo*c:hi*c], dy[lo*c:hi*c], x[lo*c:hi*c], hi-lo, c) },
				"log-softmax":  func(y []float32, lo, hi int) { table.LogSoftmax(y[lo*c:hi*c], x[lo*c:hi*c], hi-lo, c) },
				"log-softmax grad": func(y []float32, lo, hi int) {
					table.LogSoftmaxGrad(y[lo*c:hi*c], dy[lo*c:hi*c], x[lo*c:hi*c], hi-lo, c)
				},
				"cross-entropy": func(y []float32, lo, hi int) {
					table.CrossEntropy(y[lo:hi], x[lo*c:hi*c], labels[lo:hi], 0.1, hi-lo, c)
				},
				"cross-entropygrad": func(y []float32, lo, hi int) {
					table.CrossEntropyGrad(y[lo*c:hi*c], x[lo*c:hi*c], labels[lo:hi], 0.1, 0.5, hi-lo, c)
				},
			} {
				whole, parts := make([]float32, rows*c), make([]float32, rows*c)
				f(whole, 0, rows)
				for lo := 0; lo < rows; {
					hi := min(rows, lo+rng.IntN(40))
					f(parts, lo, hi)
					lo = hi
				}
				if err := sameFloats(parts, whole); err != nil {
					t.Fatalf("%s of rows of %d: %v", name, c, err)
				}
			}
		}
	})
}
