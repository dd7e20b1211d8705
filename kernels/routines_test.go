package kernels

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
)

// operands draws the arguments of a call of a routine.
type operands struct {
	mem          *guards
	rng          *rand.Rand
	outs, before [][]float32
	scratches    [][]float32
}

// in returns n floats that are only read.
func (o *operands) in(n int) []float32 { return o.mem.random(o.rng, n) }

// out returns n floats that are overwritten or updated; recall brings back what they were.
func (o *operands) out(n int) []float32 {
	x := o.mem.random(o.rng, n)
	o.outs, o.before = append(o.outs, x), append(o.before, append([]float32(nil), x...))
	return x
}

func (o *operands) scratch(n int) []float32 {
	x := o.mem.floats(n)
	o.scratches = append(o.scratches, x)
	return x
}

// recall makes the operands ready for another call, with junk in the scratch.
func (o *operands) recall(junk float32) {
	for i, x := range o.outs {
		copy(x, o.before[i])
	}
	for _, x := range o.scratches {
		for i := range x {
			x[i] = junk
		}
	}
}

// routines has a call of every routine of a table, of about the given size, by the name of its field.
func routines(t *Table, o *operands, size int) map[string][]func() {
	calls := map[string][]func(){}
	n, c := size*size, size
	add := func(name string, call func()) { calls[name] = append(calls[name], call) }

	for trans := range 4 {
		f := gemmForm{m: size, n: size + 1, k: 2 * size, transA: trans&1 != 0, transB: trans&2 != 0, alpha: 0.5, beta: 0.5, wide: 3, relu: trans == 3}
		g := f.geometry()
		a, b := o.in(storedFloats(f.transA, f.m, f.k, g.LDA)), o.in(storedFloats(f.transB, f.k, f.n, g.LDB))
		y, bias, scratch := o.out(pixelFloats(f.m, f.n, g.LDC)), o.in(f.n), o.scratch(t.GEMMScratch(g))
		add("GEMM", func() { t.GEMM(g, a, b, y, bias, scratch) })
		residual, sum, packed := o.in(len(y)), o.out(len(y)), o.out(t.PackedGEMM(g))
		g.LDR = g.LDC
		add("GEMMAdd", func() { t.GEMMAdd(g, a, b, sum, bias, residual, scratch) })
		add("PackGEMM", func() { t.PackGEMM(g, b, packed) })
	}
	for _, groups := range []int{1, c} {
		f := convForm{
			n: min(size, 2), h: 7, w: 6, c: c, k: c, r: 3, s: 3, strideH: 1, strideW: 2,
			padH: 1, padW: 1, dilH: 1, dilW: 1, groups: max(groups, 1), wideX: 1, wideY: 2, relu: true,
		}
		g, _ := f.geometry()
		nx, ny, nw := pixelFloats(g.N*g.H*g.W, c, g.XStride), pixelFloats(g.N*g.Ho*g.Wo, c, g.YStride), 9*c*c/max(groups, 1)
		x, w, dy, bias := o.in(nx), o.in(nw), o.in(ny), o.in(c)
		y, dx, dw, scratch := o.out(ny), o.out(nx), o.out(nw), o.scratch(t.ConvScratch(g))
		add("ConvForward", func() { t.ConvForward(g, x, w, bias, y, scratch, 0, g.N*g.Ho) })
		residual, sum, packed := o.in(ny), o.out(ny), o.out(t.PackedConv(g))
		g.RStride = g.YStride
		add("ConvForwardAdd", func() { t.ConvForwardAdd(g, x, w, bias, residual, sum, scratch, 0, g.N*g.Ho) })
		add("PackConv", func() { t.PackConv(g, w, packed) })
		add("ConvBackwardData", func() { t.ConvBackwardData(g, dy, w, dx, scratch, 0, g.N*g.H) })
		add("ConvBackwardWeights", func() { t.ConvBackwardWeights(g, x, dy, dw, scratch, 0, g.N*g.Ho) })
	}
	p := &Pool{
		N: min(size, 2), H: 7, W: 6, C: c, R: 3, S: 3, StrideH: 1, StrideW: 2, PadTop: 1, PadLeft: 1,
		Ho: 7, Wo: 3, XStride: c + 1, YStride: c + 2,
	}
	nx, ny := pixelFloats(p.N*p.H*p.W, c, p.XStride), pixelFloats(p.N*p.Ho*p.Wo, c, p.YStride)
	px, pdy := o.in(nx), o.in(ny)
	my, mdx, ay, adx := o.out(ny), o.out(nx), o.out(ny), o.out(nx)
	add("MaxPoolForward", func() { t.MaxPoolForward(p, px, my, 0, p.N*p.Ho) })
	add("MaxPoolBackward", func() { t.MaxPoolBackward(p, px, pdy, mdx, 0, p.N) })
	add("AvgPoolForward", func() { t.AvgPoolForward(p, px, ay, 0, p.N*p.Ho) })
	add("AvgPoolBackward", func() { t.AvgPoolBackward(p, pdy, adx, 0, p.N) })

	x, dy, z := o.in(n), o.in(n), o.in(n)
	mean, scale, shift, a, b, d := o.in(c), o.in(c), o.in(c), o.in(c), o.in(c), o.in(c)
	// Of each routine below, y is an output of n floats and s, q are some of c.
	each := func(name string, call func(y, s, q []float32)) {
		y, s, q := o.out(n), o.out(c), o.out(c)
		add(name, func() { call(y, s, q) })
	}
	each("ChannelMoments", func(_, s, q []float32) { t.ChannelMoments(s, q, x, size, c) })
	each("ChannelSum", func(_, s, _ []float32) { t.ChannelSum(s, x, size, c) })
	each("ChannelDot", func(_, s, q []float32) { t.ChannelDot(s, q, dy, x, mean, size, c) })
	each("ChannelDotReLU", func(_, s, q []float32) { t.ChannelDotReLU(s, q, dy, x, mean, scale, shift, size, c) })
	each("Normalize", func(y, _, _ []float32) { t.Normalize(y, x, mean, scale, shift, size, c) })
	each("NormalizeReLU", func(y, _, _ []float32) { t.NormalizeReLU(y, x, mean, scale, shift, size, c) })
	each("NormalizeAdd", func(y, _, _ []float32) { t.NormalizeAdd(y, x, z, mean, scale, shift, size, c) })
	each("NormalizeAddReLU", func(y, _, _ []float32) { t.NormalizeAddReLU(y, x, z, mean, scale, shift, size, c) })
	for _, relu := range []bool{false, true} {
		spread := &Normalization{Rows: size, C: c / 2, XStride: c, YStride: c, RStride: c, ReLU: relu}
		each("NormalizeRows", func(y, _, _ []float32) { t.NormalizeRows(spread, y, x, z, mean, scale, shift) })
	}
	each("ChannelCombine", func(y, _, _ []float32) { t.ChannelCombine(y, dy, x, mean, a, b, d, size, c) })
	each("ChannelCombineReLU", func(y, _, _ []float32) { t.ChannelCombineReLU(y, dy, x, mean, scale, shift, a, b, d, size, c) })
	each("AddRow", func(y, _, _ []float32) { t.AddRow(y, x, a, size, c) })
	for i := range NumActivations {
		each("Activate", func(y, _, _ []float32) { t.Activate[i](y, x) })
		each("ActivateGrad", func(y, _, _ []float32) { t.ActivateGrad[i](y, dy, x) })
	}
	each("Add", func(y, _, _ []float32) { t.Add(y, x, z) })
	each("Sub", func(y, _, _ []float32) { t.Sub(y, x, z) })
	each("Mul", func(y, _, _ []float32) { t.Mul(y, x, z) })
	each("Div", func(y, _, _ []float32) { t.Div(y, x, z) })
	each("Axpy", func(y, _, _ []float32) { t.Axpy(y, x, 0.3) })
	each("Scal", func(y, _, _ []float32) { t.Scal(y, x, 0.3) })
	each("Lerp", func(y, _, _ []float32) { t.Lerp(y, x, 0.3) })
	xs, weights := [][]float32{x, dy, z}, []float32{0.3, 0.5, -1}
	each("WSum", func(y, _, _ []float32) { t.WSum(y, xs, weights) })
	each("Mask", func(y, _, _ []float32) { t.Mask(y, x, 42, 7, 0.5) })
	each("CopyRows", func(y, _, _ []float32) { t.CopyRows(y, c, x, c, size, c) })
	sums := func(sum func() float64) func(_, s, _ []float32) {
		return func(_, s, _ []float32) {
			if v := sum(); len(s) > 0 {
				s[0] = float32(v)
			}
		}
	}
	each("Sum", sums(func() float64 { return t.Sum(x) }))
	each("Dot", sums(func() float64 { return t.Dot(x, z) }))
	each("SumSquares", sums(func() float64 { return t.SumSquares(x) }))
	labels := o.in(size)
	for i := range labels {
		labels[i] = float32(i * 7 % c)
	}
	each("Softmax", func(y, _, _ []float32) { t.Softmax(y, x, size, c) })
	each("SoftmaxGrad", func(y, _, _ []float32) { t.SoftmaxGrad(y, dy, x, size, c) })
	each("LogSoftmax", func(y, _, _ []float32) { t.LogSoftmax(y, x, size, c) })
	each("LogSoftmaxGrad", func(y, _, _ []float32) { t.LogSoftmaxGrad(y, dy, x, size, c) })
	each("CrossEntropy", func(_, s, _ []float32) { t.CrossEntropy(s, x, labels, 0.1, size, c) })
	each("CrossEntropyGrad", func(y, _, _ []float32) { t.CrossEntropyGrad(y, x, labels, 0.1, 0.5, size, c) })
	w, m, v := o.out(n), o.out(n), o.out(n)
	sgd := &SGDStep{LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, GradScale: 0.5, Nesterov: true}
	adam := &AdamWStep{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.25, Correct1: 10, Correct2: 1000}
	each("SGD", func(y, _, _ []float32) { t.SGD(y, x, w, sgd) })
	each("AdamW", func(y, _, _ []float32) { t.AdamW(y, x, m, v, adam) })
	pixels := make([]byte, n)
	for i := range pixels {
		pixels[i] = byte(i * 37)
	}
	each("Bytes", func(y, _, _ []float32) { t.Bytes(y, pixels, scale, shift, c) })
	return calls
}

// TestRoutinesListIsComplete holds the list against the fields of the table.
func TestRoutinesListIsComplete(t *testing.T) {
	table := genericTable()
	calls := routines(table, &operands{mem: newGuards(t), rng: newRand("list")}, 3)
	v := reflect.ValueOf(*table)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Level", "Streaming", "LastCache", "GEMMScratch", "ConvScratch", "PackedGEMM", "PackedConv", "FMALoop": // no outputs
		default:
			if len(calls[name]) == 0 {
				t.Errorf("%s has no call", name)
			}
		}
	}
}

// TestRoutinesDependOnTheirInputsAlone calls every routine again with other junk in the scratch, and on operands that lie elsewhere and
// start at odd floats: the same bits, and no allocation. Size 0 is among the sizes.
func TestRoutinesDependOnTheirInputsAlone(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		for _, size := range []int{0, 1, 2, 7, 15, 16, 17, 33, 50} {
			if !inShort(size < 8 || size == 17) {
				continue
			}
			var want [][]float32
			for place := range 4 { // the third is skewed, see guards
				mem.reset()
				mem.atStart = place == 1
				o := &operands{mem: mem, rng: newRand("routines", uint64(size))}
				calls := routines(table, o, size)
				for _, junk := range []float32{nan32, 1e30} {
					o.recall(junk)
					for _, list := range calls {
						for _, call := range list {
							call()
						}
					}
					for i, x := range o.outs {
						if len(want) < len(o.outs) {
							want = append(want, append([]float32(nil), x...))
						}
						if err := sameFloats(x, want[i]); err != nil {
							t.Fatalf("size %d, place %d, junk %v, output %d: %v", size, place, junk, i, err)
						}
					}
				}
				if size != 17 || place > 0 {
					continue
				}
				for name, list := range calls {
					for _, call := range list {
						if allocs := testing.AllocsPerRun(2, call); allocs != 0 {
							t.Errorf("%s: %v allocations", name, allocs)
						}
					}
				}
			}
		}
	})
}

// deep calls f at the bottom of a stack that has to grow on the way.
func deep(levels int, f func()) byte {
	var frame [512]byte
	if levels == 0 {
		f()
		return frame[0]
	}
	frame[levels%len(frame)] = deep(levels-1, f)
	return frame[levels*7%len(frame)]
}

// TestRoutinesWhileStacksGrow calls every routine on goroutines whose stacks grow and shrink while garbage is collected.
func TestRoutinesWhileStacksGrow(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		const goroutines, size = 4, 40
		var wait sync.WaitGroup
		results := make([][][]float32, goroutines)
		for i := range goroutines {
			o := &operands{mem: newGuards(t), rng: newRand("stacks")}
			calls := routines(table, o, size)
			results[i] = o.outs
			wait.Go(func() {
				for _, list := range calls {
					for j, call := range list {
						deep((i+1)*(j+1)*3, call)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wait.Wait(); close(done) }()
		for running := true; running; {
			runtime.GC()
			select {
			case <-done:
				running = false
			default:
			}
		}
		for i, outs := range results {
			for j, x := range outs {
				if err := sameFloats(x, results[0][j]); err != nil {
					t.Fatalf("goroutine %d, output %d: %v", i, j, err)
				}
			}
		}
	})
}
