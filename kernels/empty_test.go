package kernels

import "testing"

// TestConvolutionOfEmptyDimensions takes images, rows, columns, input and output channels away, one by one and together. What is left of the outputs
// is the bias, and of the gradients of the inputs zero; that of the weights gains nothing.
func TestConvolutionOfEmptyDimensions(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem, rng := newGuards(t), newRand("empty conv")
		for i := range 12 {
			for without := 1; without < 1<<5; without++ {
				f := randomForm(rng)
				if i%3 == 0 {
					f.c, f.k = f.c*5, f.k*5
					if f.groups == f.c/5 {
						f.groups = f.c
					}
				}
				for bit, dimension := range []*int{&f.n, &f.h, &f.w, &f.c, &f.k} {
					if without>>bit&1 != 0 {
						*dimension = 0
					}
				}
				if f.h == 0 { // the windows lie in the padding
					f.padH = f.r * f.dilH
				}
				if f.w == 0 {
					f.padW = f.s * f.dilW
				}
				g, ok := f.geometry()
				if !ok {
					continue
				}
				mem.reset()
				d := newConvData(mem, rng, table, g, i%2 == 0)
				if err := d.check(table, rng); err != nil {
					t.Fatalf("%v: %v", f, err)
				}
				// No rows at all, which parts of nothing leave out.
				table.ConvForward(g, d.x, d.w, d.bias, d.y, d.scratch, 0, 0)
				table.ConvForwardAdd(g, d.x, d.w, d.bias, d.residual, d.y, d.scratch, 0, 0)
				table.ConvBackwardData(g, d.dy, d.w, d.dx, d.scratch, 0, 0)
				table.ConvBackwardWeights(g, d.x, d.dy, d.dw, d.scratch, 0, 0)
				if err := closeTo(d.dw, d.wantW, products(g.N*g.Ho*g.Wo)); err != nil {
					t.Fatalf("%v: backward weights of no rows: %v", f, err)
				}
			}
		}
		// All rows of these outputs are empty, but there are some.
		f := convForm{n: 2, h: 3, w: 0, c: 4, k: 3, r: 1, s: 2, strideH: 1, strideW: 1, dilH: 1, dilW: 1, groups: 1}
		g := &Conv{
			N: f.n, H: f.h, C: f.c, K: f.k, R: 1, S: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
			Ho: f.h, XStride: f.c, YStride: f.k,
		}
		mem.reset()
		if err := newConvData(mem, rng, table, g, true).check(table, rng); err != nil {
			t.Errorf("%v: no output columns: %v", f, err)
		}
	})
}

// TestProductsOfEmptyDimensions takes rows, columns and the reduction away. A sum of nothing is zero, to which beta*C, residual and bias are added.
func TestProductsOfEmptyDimensions(t *testing.T) {
	mem, tables := newGuards(t), allLevels(t)
	for _, size := range []int{1, 5, 33, 70} {
		for without := 1; without < 1<<3; without++ {
			for flags := range 1 << 5 {
				f := gemmForm{
					m: size, n: size + 1, k: size + 2, transA: flags&1 != 0, transB: flags&2 != 0, alpha: 1, wide: 3 * (flags >> 2 & 1),
					bias: flags&8 != 0, relu: flags&8 != 0, beta: float32(flags >> 4),
				}
				for bit, dimension := range []*int{&f.m, &f.n, &f.k} {
					if without>>bit&1 != 0 {
						*dimension = 0
					}
				}
				if err := checkGEMMs(mem, tables, f, uint64(size), uint64(without), uint64(flags)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestPoolingOfEmptyDimensions takes images, rows, columns and channels away. A window without a pixel gives 0 and passes nothing on.
func TestPoolingOfEmptyDimensions(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem, rng := newGuards(t), newRand("empty pool")
		for range 20 {
			for without := 1; without < 1<<5; without++ {
				p := randomPool(rng)
				if without >= 1<<4 { // the padding takes the windows in
					p.PadTop += p.H + 4*p.R
					p.Ho = min(p.Ho, 2)
				}
				for bit, dimension := range []*int{&p.N, &p.H, &p.W, &p.C} {
					if without>>bit&1 != 0 {
						*dimension = 0
					}
				}
				if p.C == 0 {
					p.XStride, p.YStride = rng.IntN(2), rng.IntN(2)
				}
				mem.reset()
				nx, ny := pixelFloats(p.N*p.H*p.W, p.C, p.XStride), pixelFloats(p.N*p.Ho*p.Wo, p.C, p.YStride)
				x, dy := mem.random(rng, nx), mem.random(rng, ny)
				for name, forward := range map[string]func(p *Pool, x, y []float32, lo, hi int){"max": table.MaxPoolForward, "average": table.AvgPoolForward} {
					y := mem.filled(ny, nan32)
					fillBetween(y, p.C, p.YStride)
					forward(p, x, y, 0, p.N*p.Ho)
					for i, v := range y {
						if channel := i % p.YStride; channel < p.C && v != 0 || channel >= p.C && v != between {
							t.Fatalf("%s %+v: output %d is %v", name, p, i, v)
						}
					}
				}
				for name, backward := range map[string]func(dx []float32){
					"max":     func(dx []float32) { table.MaxPoolBackward(p, x, dy, dx, 0, p.N) },
					"average": func(dx []float32) { table.AvgPoolBackward(p, dy, dx, 0, p.N) },
				} {
					dx := mem.filled(nx, nan32)
					fillBetween(dx, p.C, p.XStride)
					backward(dx)
					for i, v := range dx {
						if channel := i % p.XStride; channel < p.C && v != 0 || channel >= p.C && v != between {
							t.Fatalf("%s gradient %+v: element %d is %v", name, p, i, v)
						}
					}
				}
			}
		}
	})
}

// TestRowsOfEmptyDimensions runs the routines over rows of channels, and those over whole slices, on nothing: sums of no rows are zero, and
// nothing else is touched.
func TestRowsOfEmptyDimensions(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		for _, size := range [][2]int{{0, 0}, {0, 1}, {0, 7}, {0, 33}, {0, 100}, {1, 0}, {40, 0}} {
			rows, c := size[0], size[1]
			mem := newGuards(t)
			rng := newRand("empty rows")
			none := mem.floats(0)
			per := func() []float32 { return mem.random(rng, c) }
			mean, scale, shift := per(), per(), per()
			zero := func(name string, sums ...[]float32) {
				t.Helper()
				for _, s := range sums {
					for i, v := range s {
						if v != 0 {
							t.Errorf("%s of %dx%d: channel %d is %v", name, rows, c, i, v)
						}
					}
				}
			}
			s, q := per(), per()
			table.ChannelMoments(s, q, none, rows, c)
			zero("ChannelMoments", s, q)
			s, q = per(), per()
			table.ChannelSum(s, none, rows, c)
			zero("ChannelSum", s)
			table.ChannelDot(s, q, none, none, mean, rows, c)
			zero("ChannelDot", s, q)
			s, q = per(), per()
			table.ChannelDotReLU(s, q, none, none, mean, scale, shift, rows, c)
			zero("ChannelDotReLU", s, q)

			table.Normalize(none, none, mean, scale, shift, rows, c)
			table.NormalizeReLU(none, none, mean, scale, shift, rows, c)
			table.NormalizeAdd(none, none, none, mean, scale, shift, rows, c)
			table.NormalizeAddReLU(none, none, none, mean, scale, shift, rows, c)
			for _, relu := range []bool{false, true} {
				for _, stride := range []int{c, c + 3} {
					n := &Normalization{Rows: rows, C: c, XStride: stride, YStride: stride, RStride: stride, ReLU: relu}
					x := mem.random(rng, pixelFloats(rows, c, stride))
					y := mem.filled(len(x), between)
					for _, residual := range [][]float32{nil, x} {
						table.NormalizeRows(n, y, x, residual, mean, scale, shift)
					}
					for i, v := range y {
						if v != between {
							t.Errorf("NormalizeRows of %dx%d wrote %v to %d", rows, c, v, i)
						}
					}
				}
			}
			table.ChannelCombine(none, none, none, mean, scale, shift, shift, rows, c)
			table.ChannelCombineReLU(none, none, none, mean, scale, shift, scale, shift, mean, rows, c)
			table.AddRow(none, none, mean, rows, c)
			table.CopyRows(none, c, none, c, rows, c)
			table.CopyRows(mem.filled(pixelFloats(rows, c, c+2), 0), c+2, mem.filled(pixelFloats(rows, c, c+1), 0), c+1, rows, c)
			table.Bytes(none, nil, scale, shift, c)

			table.Softmax(none, none, rows, c)
			table.SoftmaxGrad(none, none, none, rows, c)
			table.LogSoftmax(none, none, rows, c)
			table.LogSoftmaxGrad(none, none, none, rows, c)
			if rows == 0 { // a label needs a class
				table.CrossEntropy(none, none, none, 0.1, rows, c)
				table.CrossEntropyGrad(none, none, none, 0.1, 0.5, rows, c)
			}
		}
		var none []float32
		for i := range NumActivations {
			table.Activate[i](none, none)
			table.ActivateGrad[i](none, none, none)
		}
		for _, binary := range []func(dst, a, b []float32){table.Add, table.Sub, table.Mul, table.Div} {
			binary(none, none, none)
		}
		for _, unary := range []func(dst, x []float32, v float32){table.Axpy, table.Scal, table.Lerp} {
			unary(none, none, 0.5)
		}
		table.Mask(none, none, 1, 2, 0.5)
		table.WSum(none, [][]float32{none, none}, []float32{1, 2})
		for name, sum := range map[string]float64{"Sum": table.Sum(none), "Dot": table.Dot(none, none), "SumSquares": table.SumSquares(none)} {
			if sum != 0 {
				t.Errorf("%s of nothing is %v", name, sum)
			}
		}
		table.SGD(none, none, none, &SGDStep{LR: 1})
		table.AdamW(none, none, none, none, &AdamWStep{LR: 1})

		// A sum of no terms is zero everywhere.
		sum := newGuards(t).filled(40, nan32)
		table.WSum(sum, nil, nil)
		for i, v := range sum {
			if v != 0 {
				t.Fatalf("WSum of no inputs: element %d is %v", i, v)
			}
		}
	})
}
