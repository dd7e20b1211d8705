package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestConvolutionGeometry sweeps strides, paddings and dilations of small kernels,
// each over random sizes, channels, groups and pixel strides.
func TestConvolutionGeometry(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("conv geometry")
		for kernel := 1; kernel <= 5; kernel++ {
			for stride := 1; stride <= 4; stride++ {
				for pad := 0; pad <= 4; pad++ {
					for dil := 1; dil <= 4; dil++ {
						for i := range 6 {
							if !inShort(i == 0) {
								break
							}
							f := randomForm(rng)
							f.r, f.s = kernel, 1+(kernel+rng.IntN(3))%5
							f.strideH, f.padH, f.dilH = stride, pad, dil
							if rng.IntN(2) == 0 {
								f.strideW, f.padW, f.dilW = stride, pad, dil
								f.s = kernel
							}
							checkForm(t, mem, rng, table, f)
						}
					}
				}
			}
		}
	})
}

// randomForm returns a small convolution of random size, channels and groups.
func randomForm(rng *rand.Rand) convForm {
	f := convForm{
		n: 1 + rng.IntN(3), h: 1 + rng.IntN(9), w: 1 + rng.IntN(9), r: 1 + rng.IntN(4), s: 1 + rng.IntN(4),
		strideH: 1 + rng.IntN(3), strideW: 1 + rng.IntN(3), padH: rng.IntN(4), padW: rng.IntN(4),
		dilH: 1 + rng.IntN(3), dilW: 1 + rng.IntN(3), groups: 1, relu: rng.IntN(4) == 0,
	}
	f.c, f.k = 1+rng.IntN(6), 1+rng.IntN(9)
	switch rng.IntN(4) {
	case 0: // groups
		f.groups = 1 + rng.IntN(3)
		f.c, f.k = f.groups*(1+rng.IntN(3)), f.groups*(1+rng.IntN(6))
	case 1: // depthwise
		f.c = 2 + rng.IntN(8)
		f.groups, f.k = f.c, f.c*(1+rng.IntN(2))
	}
	if rng.IntN(3) == 0 {
		f.wideX, f.wideY = rng.IntN(4), rng.IntN(4)
	}
	return f
}

func checkForm(t *testing.T, mem *guards, rng *rand.Rand, table *Table, f convForm) {
	t.Helper()
	g, ok := f.geometry()
	if !ok {
		return
	}
	mem.reset()
	mem.atStart = rng.IntN(2) == 0
	if err := newConvData(mem, rng, table, g, rng.IntN(2) == 0).check(table, rng); err != nil {
		t.Fatalf("%v: %v", f, err)
	}
}

// checkForms checks a convolution at each of the levels.
func checkForms(t *testing.T, mem *guards, rng *rand.Rand, tables []*Table, f convForm) {
	t.Helper()
	g, ok := f.geometry()
	if !ok {
		return
	}
	mem.reset()
	mem.atStart = rng.IntN(2) == 0
	d := newConvData(mem, rng, tables[0], g, rng.IntN(2) == 0)
	for _, table := range tables {
		if err := d.at(mem, table).check(table, rng); err != nil {
			t.Fatalf("%v: %v: %v", table.Level, f, err)
		}
	}
}

// TestConvolutionChannels runs every number of channels to 70, in and out, and depthwise, with every fourth of the other's; what else there
// is to a convolution is drawn at random.
func TestConvolutionChannels(t *testing.T) {
	mem, tables, rng := newGuards(t), allLevels(t), newRand("conv channels")
	for c := 1; c <= 70; c++ {
		for k := 1 + c%4; k <= 70; k += 4 {
			if !inShort((c+k/4)%9 == 0) {
				continue
			}
			f := randomForm(rng)
			f.n, f.h, f.w = 1+rng.IntN(2), 1+rng.IntN(5), 1+rng.IntN(5)
			f.c, f.k, f.groups = c, k, 1
			if both := gcd(c, k); both > 1 && rng.IntN(3) == 0 {
				f.groups = both
			}
			checkForms(t, mem, rng, tables, f)
		}
		for range 8 {
			if !inShort(c%4 == 0) {
				break
			}
			f := randomForm(rng)
			f.r, f.s = 1+rng.IntN(7), 1+rng.IntN(7)
			f.h, f.w = 1+rng.IntN(12), 1+rng.IntN(12)
			if rng.IntN(2) == 0 { // the usual ones
				f.r = 3 + 2*rng.IntN(3)
				f.s, f.strideW, f.dilH, f.dilW = f.r, f.strideH, 1+rng.IntN(2), 1+rng.IntN(2)
				f.padH, f.padW = f.r/2, f.r/2
			}
			f.c, f.groups = c, c
			f.k = c
			if rng.IntN(8) == 0 {
				f.k *= 2
			}
			checkForms(t, mem, rng, tables, f)
		}
	}
}

// TestConvolutionRandomSizes draws channels and images of up to a hundred or so.
func TestConvolutionRandomSizes(t *testing.T) {
	mem, tables, rng := newGuards(t), allLevels(t), newRand("conv random sizes")
	size := func(most float64) int { return int(math.Exp(rng.Float64() * math.Log(most))) }
	for i := range 120 {
		f := randomForm(rng)
		f.n, f.h, f.w = size(8), size(60), size(60)
		f.c, f.k = size(160), size(160)
		f.r, f.s = size(8), size(8)
		f.groups = 1
		if rng.IntN(4) == 0 {
			f.groups = f.c
			f.k = f.c
		}
		if f.n*f.h*f.w*f.c*f.k/f.groups*f.r*f.s > 2e6 || !inShort(i%8 == 0) {
			continue
		}
		checkForms(t, mem, rng, tables, f)
	}
}

// TestConvolutionSizes runs the shapes of ordinary networks, larger than the blocks
// and tiles of the routines.
func TestConvolutionSizes(t *testing.T) {
	forms := []convForm{
		{n: 2, h: 28, w: 28, c: 1, k: 16, r: 3, s: 3, padH: 1, padW: 1},
		{n: 2, h: 14, w: 14, c: 16, k: 32, r: 3, s: 3, padH: 1, padW: 1},
		{n: 1, h: 9, w: 7, c: 33, k: 17, r: 5, s: 5, padH: 2, padW: 2},
		{n: 2, h: 8, w: 8, c: 64, k: 32, r: 1, s: 1},
		{n: 1, h: 15, w: 15, c: 32, k: 64, r: 3, s: 3, padH: 1, padW: 1, strideH: 2, strideW: 2},
		{n: 1, h: 15, w: 16, c: 32, k: 24, r: 1, s: 1, strideH: 2, strideW: 2},
		{n: 1, h: 33, w: 31, c: 3, k: 8, r: 7, s: 7, padH: 3, padW: 3, strideH: 2, strideW: 2},
		{n: 1, h: 4, w: 300, c: 3, k: 5, r: 3, s: 3, padH: 1, padW: 1},
		{n: 1, h: 16, w: 16, c: 24, k: 24, r: 5, s: 5, padH: 2, padW: 2, groups: 24},
		{n: 1, h: 16, w: 16, c: 24, k: 24, r: 3, s: 3, padH: 2, padW: 2, dilH: 2, dilW: 2, groups: 24, wideX: 8, wideY: 4},
		{n: 1, h: 16, w: 16, c: 32, k: 32, r: 3, s: 3, padH: 1, padW: 1, groups: 4},
		// more than some images at a time
		{n: 32, h: 28, w: 28, c: 1, k: 64, r: 3, s: 3, padH: 1, padW: 1},
		{n: 37, h: 27, w: 28, c: 2, k: 65, r: 1, s: 1},
		{n: 41, h: 29, w: 27, c: 66, k: 2, r: 3, s: 3, padH: 1, padW: 1, strideH: 2, strideW: 2},
	}
	mem, tables, rng := newGuards(t), allLevels(t), newRand("conv sizes")
	for i, f := range forms {
		f.strideH, f.strideW = max(f.strideH, 1), max(f.strideW, 1)
		f.dilH, f.dilW, f.groups = max(f.dilH, 1), max(f.dilW, 1), max(f.groups, 1)
		f.relu = i%2 == 0
		if inShort(f.groups > 1 || f.r == 1) {
			checkForms(t, mem, rng, tables, f)
		}
	}
}

// TestConvolutionDoesNotDependOnPartition holds the outputs computed row by row
// against those computed at once, bit for bit.
func TestConvolutionDoesNotDependOnPartition(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("conv partition")
		for i := range 300 {
			if !inShort(i < 40) {
				break
			}
			f := randomForm(rng)
			f.c, f.k = f.c*3, f.k*3
			if i%50 == 0 { // more than some images at a time
				f = convForm{n: 29 + i/50, h: 30, w: 31, c: 1, k: 60, r: 3, s: 3, padH: 1, padW: 1, strideH: 1, strideW: 1, dilH: 1, dilW: 1, groups: 1}
			}
			if f.groups == f.c/3 {
				f.groups = f.c
				f.k = f.c
			}
			g, ok := f.geometry()
			if !ok {
				continue
			}
			mem.reset()
			d := newConvData(mem, rng, table, g, true)
			y, dx := mem.clone(d.y), mem.clone(d.dx)
			table.ConvForward(g, d.x, d.w, d.bias, y, d.scratch, 0, g.N*g.Ho)
			table.ConvBackwardData(g, d.dy, d.w, dx, d.scratch, 0, g.N*g.H)
			for row := range g.N * g.Ho {
				table.ConvForward(g, d.x, d.w, d.bias, d.y, d.scratch, row, row+1)
			}
			for row := range g.N * g.H {
				table.ConvBackwardData(g, d.dy, d.w, d.dx, d.scratch, row, row+1)
			}
			if err := sameBits(d.y, y); err != nil {
				t.Fatalf("%v: forward: %v", f, err)
			}
			if err := sameBits(d.dx, dx); err != nil {
				t.Fatalf("%v: backward data: %v", f, err)
			}
		}
	})
}

// An infinite weight under the padding must not turn the border into NaN, and a NaN pixel
// reaches exactly the outputs whose windows hold it.
func TestConvolutionLeavesPaddingOut(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		for _, groups := range []int{1, 4} {
			f := convForm{n: 1, h: 4, w: 6, c: 4, k: 4, r: 3, s: 3, strideH: 1, strideW: 1, padH: 1, padW: 1, dilH: 1, dilW: 1, groups: groups}
			g, _ := f.geometry()
			mem := newGuards(t)
			scratch := mem.filled(table.ConvScratch(g), nan32)
			x, w, y := mem.filled(4*6*4, 1), mem.filled(3*3*4/groups*4, 1), mem.filled(4*6*4, 0)
			for i := range 4 / groups * 4 { // the first tap, up and to the left
				w[i] = inf32
			}
			table.ConvForward(g, x, w, nil, y, scratch, 0, 4)
			for i, v := range y {
				row, col := i/4/6, i/4%6
				if outside := row == 0 || col == 0; outside == (v == inf32) || v != v {
					t.Errorf("groups %d: output %d,%d is %v", groups, row, col, v)
				}
			}
			dw := mem.filled(len(w), 0)
			dy := mem.filled(len(y), 1)
			for i := range 4 {
				dy[i] = inf32 // the first tap never meets the first pixel
			}
			table.ConvBackwardWeights(g, x, dy, dw, scratch, 0, 4)
			for i, v := range dw {
				r, s := i/(4/groups*4)/3, i/(4/groups*4)%3
				if meets := r > 0 && s > 0; meets != (v == inf32) || v != v {
					t.Errorf("groups %d: gradient of tap %d,%d is %v", groups, r, s, v)
				}
			}
			for i := range w {
				w[i] = 1
			}
			x[(1*6+2)*4] = nan32
			table.ConvForward(g, x, w, nil, y, scratch, 0, 4)
			for i, v := range y {
				row, col := i/4/6, i/4%6
				near := row <= 2 && col >= 1 && col <= 3 && (groups == 1 || i%4 == 0)
				if near != (v != v) {
					t.Errorf("groups %d: output %d,%d channel %d is %v", groups, row, col, i%4, v)
				}
			}
		}
	})
}

func TestConvolutionAllocatesNothing(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		for _, groups := range []int{1, 8} {
			f := convForm{n: 1, h: 9, w: 9, c: 8, k: 8, r: 3, s: 3, strideH: 2, strideW: 2, padH: 1, padW: 1, dilH: 1, dilW: 1, groups: groups}
			g, _ := f.geometry()
			d := newConvData(newGuards(t), newRand("allocations"), table, g, true)
			allocs := testing.AllocsPerRun(10, func() {
				table.ConvForward(g, d.x, d.w, d.bias, d.y, d.scratch, 0, g.N*g.Ho)
				table.ConvBackwardData(g, d.dy, d.w, d.dx, d.scratch, 0, g.N*g.H)
				table.ConvBackwardWeights(g, d.x, d.dy, d.dw, d.scratch, 0, g.N*g.Ho)
			})
			if allocs != 0 {
				t.Errorf("groups %d: %v allocations", groups, allocs)
			}
		}
	})
}
