package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// forEachLevelBench runs a benchmark once for each level of this machine and build.
func forEachLevelBench(b *testing.B, name string, bench func(b *testing.B, table *Table)) {
	for _, l := range Available() {
		table, err := ForLevel(l)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%s/level=%v", name, l), func(b *testing.B) { bench(b, table) })
	}
}

// measure times f, which does the given floating-point operations.
func measure(b *testing.B, flops float64, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(flops*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

func uniform(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = rng.Float32() - 0.5
	}
	return x
}

func BenchmarkGEMM(b *testing.B) {
	forms := []gemmForm{
		{m: 256, n: 256, k: 256, alpha: 1},
		{m: 256, n: 256, k: 256, alpha: 1, transA: true},
		{m: 256, n: 256, k: 256, alpha: 1, transB: true},
		{m: 64, n: 10, k: 1568, alpha: 1},
		{m: 1568, n: 10, k: 64, alpha: 1, transA: true},
		{m: 64, n: 1568, k: 10, alpha: 1, transB: true},
	}
	for _, f := range forms {
		g := f.geometry()
		name := fmt.Sprintf("m=%d/n=%d/k=%d/transA=%v/transB=%v", f.m, f.n, f.k, f.transA, f.transB)
		forEachLevelBench(b, name, func(b *testing.B, table *Table) {
			x, y, z := uniform(f.m*f.k), uniform(f.k*f.n), make([]float32, f.m*f.n)
			scratch := make([]float32, table.GEMMScratch(g))
			measure(b, 2*float64(f.m*f.n*f.k), func() { table.GEMM(g, x, y, z, nil, scratch) })
		})
	}
}

// benchForms are the convolutions of small networks; padding keeps the size.
func benchForms() []convForm {
	forms := []convForm{
		{n: 8, h: 28, w: 28, c: 1, k: 16, r: 3},
		{n: 8, h: 28, w: 28, c: 16, k: 16, r: 3},
		{n: 8, h: 14, w: 14, c: 32, k: 64, r: 3},
		{n: 8, h: 7, w: 7, c: 64, k: 64, r: 3},
		{n: 8, h: 28, w: 28, c: 16, k: 16, r: 5},
		{n: 8, h: 14, w: 14, c: 32, k: 64, r: 1},
		{n: 8, h: 28, w: 28, c: 16, k: 32, r: 3, strideH: 2},
		{n: 8, h: 28, w: 28, c: 16, k: 16, r: 3, groups: 16},
		{n: 8, h: 14, w: 14, c: 64, k: 64, r: 5, groups: 64},
	}
	for i := range forms {
		f := &forms[i]
		f.s, f.padH, f.padW, f.dilH, f.dilW = f.r, f.r/2, f.r/2, 1, 1
		f.strideH, f.groups = max(f.strideH, 1), max(f.groups, 1)
		f.strideW = f.strideH
	}
	return forms
}

func benchConv(b *testing.B, forms []convForm) {
	for _, f := range forms {
		g, _ := f.geometry()
		flops := 2 * float64(g.N*g.Ho*g.Wo*g.K*g.R*g.S*g.C/g.Groups) // padded taps counted
		shape := fmt.Sprintf("%dx%dx%dx%d/k=%d/kernel=%d/stride=%d/dilation=%d/groups=%d", f.n, f.h, f.w, f.c, f.k, f.r, f.strideH, f.dilH, f.groups)
		x, y := uniform(g.N*g.H*g.W*g.C), uniform(g.N*g.Ho*g.Wo*g.K)
		w := uniform(g.R * g.S * g.C / g.Groups * g.K)
		routine := func(name string, f func(table *Table, scratch []float32)) {
			forEachLevelBench(b, shape+"/"+name, func(b *testing.B, table *Table) {
				scratch := make([]float32, table.ConvScratch(g))
				measure(b, flops, func() { f(table, scratch) })
			})
		}
		routine("forward", func(table *Table, scratch []float32) { table.ConvForward(g, x, w, nil, y, scratch, 0, g.N*g.Ho) })
		dx := make([]float32, len(x))
		routine("data", func(table *Table, scratch []float32) { table.ConvBackwardData(g, y, w, dx, scratch, 0, g.N*g.H) })
		dw := make([]float32, len(w))
		routine("weights", func(table *Table, scratch []float32) {
			table.ConvBackwardWeights(g, x, y, dw, scratch, 0, g.N*g.Ho)
		})
	}
}

// depthwiseForms are depthwise convolutions of cells and of mobile networks, and some of odd sizes; padding keeps the size.
func depthwiseForms() []convForm {
	forms := []convForm{
		{n: 64, h: 32, c: 16, r: 3},
		{n: 64, h: 32, c: 16, r: 5},
		{n: 64, h: 32, c: 16, r: 7},
		{n: 64, h: 32, c: 16, r: 3, dilH: 2},
		{n: 64, h: 32, c: 16, r: 5, dilH: 2},
		{n: 64, h: 32, c: 16, r: 3, strideH: 2},
		{n: 64, h: 32, c: 16, r: 5, strideH: 2},
		{n: 64, h: 16, c: 32, r: 3},
		{n: 64, h: 8, c: 64, r: 5},
		{n: 7, h: 19, c: 17, r: 3},
		{n: 7, h: 33, c: 24, r: 5},
		{n: 7, h: 14, c: 40, r: 3},
		{n: 1, h: 14, c: 48, r: 5, strideH: 2},
		{n: 1, h: 7, c: 48, r: 7},
		{n: 64, h: 7, c: 17, r: 5, dilH: 2},
		{n: 1, h: 56, c: 144, r: 3},
		{n: 64, h: 28, c: 8, r: 3},
		{n: 64, h: 28, c: 4, r: 3},
		{n: 7, h: 33, c: 48, r: 9},
	}
	for i := range forms {
		f := &forms[i]
		f.w, f.s, f.k, f.groups = f.h, f.r, f.c, f.c
		f.strideH, f.dilH = max(f.strideH, 1), max(f.dilH, 1)
		f.strideW, f.dilW = f.strideH, f.dilH
		f.padH = f.r / 2 * f.dilH
		f.padW = f.padH
	}
	return forms
}

func BenchmarkConv(b *testing.B) { benchConv(b, benchForms()) }

func BenchmarkDepthwise(b *testing.B) { benchConv(b, depthwiseForms()) }

func BenchmarkPool(b *testing.B) {
	p := &Pool{N: 8, H: 28, W: 28, C: 16, R: 2, S: 2, StrideH: 2, StrideW: 2, Ho: 14, Wo: 14, XStride: 16, YStride: 16}
	x, y := uniform(p.N*p.H*p.W*p.C), uniform(p.N*p.Ho*p.Wo*p.C)
	dx := make([]float32, len(x))
	work := float64(len(x)) // one comparison or addition per input
	routines := []struct {
		name string
		f    func(t *Table)
	}{
		{"max", func(t *Table) { t.MaxPoolForward(p, x, y, 0, p.N*p.Ho) }},
		{"maxgrad", func(t *Table) { t.MaxPoolBackward(p, x, y, dx, 0, p.N) }},
		{"avg", func(t *Table) { t.AvgPoolForward(p, x, y, 0, p.N*p.Ho) }},
		{"avggrad", func(t *Table) { t.AvgPoolBackward(p, y, dx, 0, p.N) }},
	}
	for _, r := range routines {
		forEachLevelBench(b, r.name, func(b *testing.B, table *Table) { measure(b, work, func() { r.f(table) }) })
	}
}

func BenchmarkNorm(b *testing.B) {
	const rows, c = 8 * 28 * 28, 16
	x, dy, out := uniform(rows*c), uniform(rows*c), make([]float32, rows*c)
	v := make([][]float32, 6)
	for i := range v {
		v[i] = uniform(c)
	}
	routines := []struct {
		name  string
		flops float64 // per element
		f     func(t *Table)
	}{
		{"moments", 3, func(t *Table) { t.ChannelMoments(v[0], v[1], x, rows, c) }},
		{"normalize", 3, func(t *Table) { t.Normalize(out, x, v[0], v[1], v[2], rows, c) }},
		{"sum", 1, func(t *Table) { t.ChannelSum(v[0], x, rows, c) }},
		{"dot", 4, func(t *Table) { t.ChannelDot(v[0], v[1], dy, x, v[2], rows, c) }},
		{"combine", 5, func(t *Table) { t.ChannelCombine(out, dy, x, v[2], v[3], v[4], v[5], rows, c) }},
		{"addrow", 1, func(t *Table) { t.AddRow(out, x, v[2], rows, c) }},
	}
	for _, r := range routines {
		forEachLevelBench(b, r.name, func(b *testing.B, table *Table) {
			measure(b, r.flops*rows*c, func() { r.f(table) })
		})
	}
}

func BenchmarkElementwise(b *testing.B) {
	const n = 1 << 16
	x, y, out := uniform(n), uniform(n), make([]float32, n)
	sgd := &SGDStep{LR: 0.1, Momentum: 0.9, WeightDecay: 1e-4, GradScale: 1}
	m, vel := make([]float32, n), make([]float32, n)
	both, weights := [][]float32{x, y}, []float32{1, 2}
	adam := &AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1, Correct1: 1, Correct2: 1}
	routines := []struct {
		name string
		f    func(t *Table)
	}{
		{"add", func(t *Table) { t.Add(out, x, y) }},
		{"axpy", func(t *Table) { t.Axpy(out, x, 1e-9) }},
		{"relu", func(t *Table) { t.Activate[ReLU](out, x) }},
		{"relugrad", func(t *Table) { t.ActivateGrad[ReLU](out, y, x) }},
		{"silu", func(t *Table) { t.Activate[SiLU](out, x) }},
		{"hardswish", func(t *Table) { t.Activate[HardSwish](out, x) }},
		{"wsum", func(t *Table) { t.WSum(out, both, weights) }},
		{"mask", func(t *Table) { t.Mask(out, x, 1, 0, 0.8) }},
		{"sum", func(t *Table) { t.Sum(x) }},
		{"dot", func(t *Table) { t.Dot(x, y) }},
		{"softmax", func(t *Table) { t.Softmax(out, x, n/16, 16) }},
		{"sgd", func(t *Table) { t.SGD(out, x, m, sgd) }},
		{"adamw", func(t *Table) { t.AdamW(out, x, m, vel, adam) }},
	}
	for _, r := range routines {
		forEachLevelBench(b, r.name, func(b *testing.B, table *Table) { measure(b, n, func() { r.f(table) }) })
	}
}

// BenchmarkResidual is a convolution with bias, residual and ReLU at once, and by three routines.
func BenchmarkResidual(b *testing.B) {
	forms := []convForm{{n: 8, h: 32, w: 32, c: 16, k: 16, r: 3}, {n: 8, h: 16, w: 16, c: 64, k: 256, r: 1}, {n: 8, h: 16, w: 16, c: 64, k: 64, r: 3, groups: 64}}
	for _, f := range forms {
		f.s, f.padH, f.padW, f.dilH, f.dilW, f.strideH, f.strideW, f.groups = f.r, f.r/2, f.r/2, 1, 1, 1, 1, max(f.groups, 1)
		g, _ := f.geometry()
		g.RStride = g.K
		flops := 2 * float64(g.N*g.Ho*g.Wo*g.K*g.R*g.S*g.C/g.Groups)
		x, y, residual := uniform(g.N*g.H*g.W*g.C), uniform(g.N*g.Ho*g.Wo*g.K), uniform(g.N*g.Ho*g.Wo*g.K)
		w, bias := uniform(g.R*g.S*g.C/g.Groups*g.K), uniform(g.K)
		name := fmt.Sprintf("%dx%dx%dx%d/k=%d/kernel=%d/groups=%d", f.n, f.h, f.w, f.c, f.k, f.r, f.groups)
		forEachLevelBench(b, name+"/fused", func(b *testing.B, table *Table) {
			scratch, relu := make([]float32, table.ConvScratch(g)), *g
			relu.ReLU = true
			measure(b, flops, func() { table.ConvForwardAdd(&relu, x, w, bias, residual, y, scratch, 0, g.N*g.Ho) })
		})
		forEachLevelBench(b, name+"/apart", func(b *testing.B, table *Table) {
			scratch := make([]float32, table.ConvScratch(g))
			measure(b, flops, func() {
				table.ConvForward(g, x, w, bias, y, scratch, 0, g.N*g.Ho)
				table.Add(y, y, residual)
				table.Activate[ReLU](y, y)
			})
		})
	}
}
