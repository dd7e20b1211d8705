package kernels

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// gemmForm is a product by its parameters alone.
type gemmForm struct {
	m, n, k        int
	transA, transB bool
	alpha, beta    float32
	wide           int // floats between rows beyond the columns
	bias, relu     bool
}

func (f gemmForm) geometry() *GEMM {
	g := &GEMM{
		M: f.m, N: f.n, K: f.k, TransA: f.transA, TransB: f.transB, Alpha: f.alpha, Beta: f.beta,
		LDA: f.k, LDB: f.n, LDC: f.n + f.wide, ReLU: f.relu,
	}
	if f.transA {
		g.LDA = f.m
	}
	if f.transB {
		g.LDB = f.k
	}
	g.LDA += f.wide
	g.LDB += f.wide
	return g
}

// opStrides returns the strides of op(X) by row and by column.
func opStrides(trans bool, ld int) (row, col int) {
	if trans {
		return 1, ld
	}
	return ld, 1
}

// storedFloats returns the floats that op(X) of rows x cols occupies.
func storedFloats(trans bool, rows, cols, ld int) int {
	if trans {
		rows, cols = cols, rows
	}
	return pixelFloats(rows, cols, ld)
}

// checkGEMM compares a product with its definition.
func checkGEMM(mem *guards, table *Table, f gemmForm, counters ...uint64) error {
	return checkGEMMs(mem, []*Table{table}, f, counters...)
}

// checkGEMMs compares a product at each of the levels with its definition: as it is, with the right side packed before, with a residual beside C, and
// with C as its own residual.
func checkGEMMs(mem *guards, tables []*Table, f gemmForm, counters ...uint64) error {
	mem.reset()
	rng := newRand("gemm", counters...)
	mem.atStart = rng.IntN(2) == 0
	g := f.geometry()
	a := mem.random(rng, storedFloats(f.transA, f.m, f.k, g.LDA))
	b := mem.random(rng, storedFloats(f.transB, f.k, f.n, g.LDB))
	c := mem.random(rng, pixelFloats(f.m, f.n, g.LDC))
	if f.beta == 0 { // must not be read
		for i := range c {
			c[i] = nan32
		}
	}
	fillBetween(c, f.n, g.LDC)
	var bias []float32
	if f.bias {
		bias = mem.random(rng, f.n)
	}

	// The residual's rows lie further apart than those of C.
	g.LDR = g.LDC + f.m%3
	residual := mem.random(rng, pixelFloats(f.m, f.n, g.LDR))
	fillBetween(residual, f.n, g.LDR)

	want, wantAdd := make([]exact, len(c)), make([]exact, len(c))
	ar, ac := opStrides(f.transA, g.LDA)
	br, bc := opStrides(f.transB, g.LDB)
	for i := range want {
		row, col := i/g.LDC, i%g.LDC
		if col >= f.n {
			want[i], wantAdd[i] = exact{value: between}, exact{value: between}
			continue
		}
		e := &want[i]
		for p := range f.k {
			e.add(float64(f.alpha) * float64(a[row*ar+p*ac]) * float64(b[p*br+col*bc]))
		}
		wantAdd[i] = *e
		if f.beta != 0 {
			e.add(float64(f.beta) * float64(c[i]))
			wantAdd[i].add(float64(f.beta) * float64(residual[row*g.LDR+col]))
		}
		for _, e := range []*exact{e, &wantAdd[i]} {
			if f.bias {
				e.add(float64(bias[col]))
			}
			if f.relu {
				e.value = max(e.value, 0)
			}
		}
	}
	for _, table := range tables {
		got := mem.clone(c)
		table.GEMM(g, a, b, got, bias, mem.filled(table.GEMMScratch(g), nan32))
		if err := closeTo(got, want, products(f.k)); err != nil {
			return fmt.Errorf("%v: %+v: %w", table.Level, f, err)
		}
		if f.m == 0 || f.n == 0 {
			continue
		}
		packed := mem.filled(table.PackedGEMM(g), nan32)
		table.PackGEMM(g, b, packed)
		before := *g
		before.Packed, before.LDB = true, g.N
		again := mem.clone(c)
		table.GEMM(&before, a, packed, again, bias, mem.filled(table.GEMMScratch(&before), nan32))
		if err := sameFloats(again, got); err != nil {
			return fmt.Errorf("%v: %+v: packed before: %w", table.Level, f, err)
		}
		got = mem.filled(len(c), nan32) // not read
		fillBetween(got, f.n, g.LDC)
		table.GEMMAdd(g, a, b, got, bias, residual, mem.filled(table.GEMMScratch(g), nan32))
		if err := closeTo(got, wantAdd, products(f.k)); err != nil {
			return fmt.Errorf("%v: %+v: with a residual: %w", table.Level, f, err)
		}
		same := before
		same.LDR = g.LDC
		got = mem.clone(c)
		table.GEMMAdd(&same, a, packed, got, bias, got, mem.filled(table.GEMMScratch(&same), nan32))
		if err := sameFloats(got, again); err != nil {
			return fmt.Errorf("%v: %+v: with C as its residual: %w", table.Level, f, err)
		}
	}
	return nil
}

// TestPackedGEMMByColumns multiplies by a packed matrix in parts of columns: the same bits as by all of it.
func TestPackedGEMMByColumns(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem, rng := newGuards(t), newRand("gemm columns")
		for _, size := range [][3]int{{3, 200, 5}, {20, 321, 400}, {7, 577, 1000}, {1, 64, 1}, {13, 70, 129}} {
			for _, trans := range []bool{false, true} {
				mem.reset()
				m, n, k := size[0], size[1], size[2]
				g := gemmForm{m: m, n: n, k: k, transB: trans, alpha: 1, bias: true, relu: true, wide: 1}.geometry()
				a, b, bias := mem.random(rng, storedFloats(false, m, k, g.LDA)), mem.random(rng, storedFloats(trans, k, n, g.LDB)), mem.random(rng, n)
				whole, parts := mem.filled(pixelFloats(m, n, g.LDC), 7), mem.filled(pixelFloats(m, n, g.LDC), 7)
				table.GEMM(g, a, b, whole, bias, mem.floats(table.GEMMScratch(g)))
				packed := mem.filled(table.PackedGEMM(g), nan32)
				table.PackGEMM(g, b, packed)
				for first := 0; first < n; {
					part := *g
					part.Packed, part.LDB, part.Column = true, n, first
					part.N = min(64*(1+rng.IntN(5)), n-first)
					table.GEMM(&part, a, packed, parts[first:], bias[first:], mem.floats(table.GEMMScratch(&part)))
					first += part.N
				}
				if err := sameBits(parts, whole); err != nil {
					t.Errorf("%v, transposed %v: %v", size, trans, err)
				}
			}
		}
	})
}

// TestGEMMSmallSizes runs all sizes to 17 in three dimensions, then all pairs of sizes to 70 in any two of them: a Latin
// square gives the third.
func TestGEMMSmallSizes(t *testing.T) {
	mem, tables := newGuards(t), allLevels(t)
	scalars := []float32{0, 1, -1, 0.5}
	i := 0
	check := func(m, n, k int) {
		i++
		f := gemmForm{
			m: m, n: n, k: k, transA: i&1 != 0, transB: i&2 != 0, wide: i % 3,
			alpha: scalars[i/4%4], beta: scalars[i/16%4], bias: i%5 == 0, relu: i%7 == 0,
		}
		if err := checkGEMMs(mem, tables, f, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for m := range 18 {
		for n := range 18 {
			for k := range 18 {
				if inShort((m+n+k)%5 == 0) {
					check(m, n, k)
				}
			}
		}
	}
	for m := range 71 {
		for n := range 71 {
			if inShort((m+n)%12 == 0) {
				check(m, n, (3*m+7*n)%71)
			}
		}
	}
}

func TestGEMMSizesBeyondBlocks(t *testing.T) {
	mem, tables := newGuards(t), allLevels(t)
	sizes := [][3]int{{1, 1, 1000}, {3, 300, 5}, {70, 5, 300}, {33, 259, 257}, {130, 10, 784}, {2, 520, 513}, {115, 67, 1024}, {1, 1000, 64}}
	for i, s := range sizes {
		for trans := range 4 {
			f := gemmForm{
				m: s[0], n: s[1], k: s[2], transA: trans&1 != 0, transB: trans&2 != 0,
				alpha: 0.5, beta: float32(i % 2), bias: true, relu: trans == 0, wide: i % 2,
			}
			if !inShort((i+trans)%4 == 0) {
				continue
			}
			if err := checkGEMMs(mem, tables, f, 1000, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestGEMMRandomSizes draws sizes of up to some hundreds, most of them flat, tall or thin.
func TestGEMMRandomSizes(t *testing.T) {
	mem, tables, rng := newGuards(t), allLevels(t), newRand("gemm sizes")
	size := func() int { return int(math.Exp(rng.Float64() * math.Log(900))) }
	for i := range 60 {
		f := gemmForm{
			m: size(), n: size(), k: size(), transA: rng.IntN(2) == 0, transB: rng.IntN(2) == 0, wide: rng.IntN(2) * rng.IntN(20),
			alpha: 1 + float32(rng.IntN(2)), beta: float32(rng.IntN(3)) / 2, bias: rng.IntN(2) == 0, relu: rng.IntN(4) == 0,
		}
		if f.m*f.n*f.k > 2e6 || !inShort(i%6 == 0) {
			continue
		}
		if err := checkGEMMs(mem, tables, f, 2000, uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGEMMAgreesWithGonum holds all transpositions against an independent library.
func TestGEMMAgreesWithGonum(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("gonum")
		for _, size := range []int{1, 5, 16, 67, 150} {
			if !inShort(size < 67) {
				continue
			}
			for trans := range 4 {
				for _, beta := range []float32{0, 1, -0.25} {
					mem.reset()
					f := gemmForm{
						m: size, n: size + 3, k: 2*size - 1, transA: trans&1 != 0, transB: trans&2 != 0,
						alpha: 1.5, beta: beta, wide: 2,
					}
					g := f.geometry()
					a := mem.random(rng, storedFloats(f.transA, f.m, f.k, g.LDA))
					b := mem.random(rng, storedFloats(f.transB, f.k, f.n, g.LDB))
					c := mem.random(rng, pixelFloats(f.m, f.n, g.LDC))
					theirs := mem.clone(c)
					op := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
					gonum.Implementation{}.Sgemm(op[f.transA], op[f.transB], f.m, f.n, f.k, f.alpha, a, g.LDA, b, g.LDB, f.beta, theirs, g.LDC)
					table.GEMM(g, a, b, c, nil, mem.filled(table.GEMMScratch(g), nan32))
					// Normal deviates: each sum of k products has size about k*1.5 at most 6k.
					want := make([]exact, len(c))
					for i, v := range theirs {
						want[i] = exact{value: float64(v), size: 6 * float64(f.k+2)}
					}
					if err := closeTo(c, want, products(f.k)); err != nil {
						t.Fatalf("%+v: %v", f, err)
					}
				}
			}
		}
	})
}

func TestGEMMDoesNotDependOnPartition(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("gemm partition")
		for _, transA := range []bool{false, true} {
			f := gemmForm{m: 37, n: 19, k: 300, transA: transA, alpha: 1, bias: true}
			g := f.geometry()
			a := mem.random(rng, storedFloats(transA, f.m, f.k, g.LDA))
			b := mem.random(rng, f.k*f.n)
			bias := mem.random(rng, f.n)
			whole, rows := mem.floats(f.m*f.n), mem.floats(f.m*f.n)
			scratch := mem.floats(table.GEMMScratch(g))
			table.GEMM(g, a, b, whole, bias, scratch)
			for lo := 0; lo < f.m; {
				part := *g
				part.M = min(1+rng.IntN(5), f.m-lo)
				step, _ := opStrides(transA, g.LDA)
				table.GEMM(&part, a[lo*step:], b, rows[lo*f.n:], bias, scratch)
				lo += part.M
			}
			if err := sameBits(rows, whole); err != nil {
				t.Errorf("transA %v: %v", transA, err)
			}
		}
	})
}

// A NaN or infinity reaches exactly the results that depend on it.
func TestGEMMSpreadsNaN(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		for _, bad := range []float32{nan32, inf32} {
			for n := 1; n <= 9; n++ {
				mem.reset()
				g := gemmForm{m: 5, n: n, k: 7, alpha: 1, relu: true}.geometry()
				a, b := mem.filled(5*7, 1), mem.filled(7*n, 1)
				c := mem.filled(5*n, 0)
				a[2*7+3] = bad
				table.GEMM(g, a, b, c, nil, mem.filled(table.GEMMScratch(g), nan32))
				for i, v := range c {
					want := float32(7)
					if i/n == 2 {
						want = bad
					}
					if fmt.Sprint(v) != fmt.Sprint(want) {
						t.Errorf("n=%d: element %d is %v, want %v", n, i, v, want)
					}
				}
			}
		}
	})
}
