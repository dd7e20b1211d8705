package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// randomDepthwise returns a depthwise convolution of c channels, small in all the rest.
func randomDepthwise(rng *rand.Rand, c int) convForm {
	f := convForm{
		n: 1 + rng.IntN(3), h: 1 + rng.IntN(9), w: 1 + rng.IntN(18), c: c, k: c, groups: c,
		r: 1 + rng.IntN(7), s: 1 + rng.IntN(7), relu: rng.IntN(4) == 0,
		strideH: 1 + rng.IntN(3), strideW: 1 + rng.IntN(3), dilH: 1 + rng.IntN(3), dilW: 1 + rng.IntN(3),
	}
	if rng.IntN(2) == 0 { // what networks have
		f.strideH, f.strideW, f.dilH, f.dilW = 1+rng.IntN(2), 1+rng.IntN(2), 1, 1
	}
	f.padH, f.padW = f.r/2*f.dilH, f.s/2*f.dilW
	if rng.IntN(3) == 0 {
		f.padH, f.padW = rng.IntN(8), rng.IntN(8)
	}
	if rng.IntN(3) == 0 {
		f.wideX, f.wideY = rng.IntN(9), rng.IntN(9)
	}
	return f
}

func TestDepthwiseChannels(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("depthwise channels")
		for c := 2; c <= 70; c++ {
			for range 5 {
				checkForm(t, mem, rng, table, randomDepthwise(rng, c))
			}
		}
	})
}

// TestDepthwiseGeometry sweeps kernels, strides, dilations and paddings of rows.
func TestDepthwiseGeometry(t *testing.T) {
	channels := []int{5, 8, 16, 19}
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("depthwise geometry")
		for s := 1; s <= 9; s++ {
			for stride := 1; stride <= 3; stride++ {
				for dil := 1; dil <= 3; dil++ {
					for _, pad := range []int{0, 1, s / 2 * dil, (s - 1) * dil} {
						for range 4 {
							f := randomDepthwise(rng, channels[rng.IntN(len(channels))])
							f.w, f.s, f.strideW, f.dilW, f.padW = 1+rng.IntN(40), s, stride, dil, pad
							f.h, f.r = 1+rng.IntN(4), 1+rng.IntN(4)
							f.padH = min(f.padH, 3)
							checkForm(t, mem, rng, table, f)
						}
					}
				}
			}
		}
	})
}

// TestDepthwiseSizes runs shapes beyond what the routines do at once.
func TestDepthwiseSizes(t *testing.T) {
	forms := []convForm{
		{n: 1, h: 2, w: 700, c: 9, r: 3},
		{n: 1, h: 300, w: 3, c: 17, r: 3},
		{n: 1, h: 24, w: 65, c: 48, r: 5},
		{n: 5, h: 32, w: 32, c: 16, r: 3, dilH: 2},
		{n: 70, h: 4, w: 7, c: 24, r: 3},
		{n: 3, h: 33, w: 31, c: 16, r: 3, strideH: 2},
		{n: 1, h: 14, w: 14, c: 40, r: 11},
		{n: 2, h: 64, w: 64, c: 16, r: 1},
		{n: 1, h: 8, w: 8, c: 300, r: 7},
		// beyond depthwisePastCache
		{n: 9, h: 28, w: 28, c: 20, r: 3},
		{n: 23, h: 28, w: 28, c: 8, r: 5, dilH: 2},
		{n: 45, h: 3, w: 31, c: 35, r: 3},
	}
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("depthwise sizes")
		for _, f := range forms {
			f.s, f.k, f.groups = f.r, f.c, f.c
			f.strideH, f.dilH = max(f.strideH, 1), max(f.dilH, 1)
			f.strideW, f.dilW = f.strideH, f.dilH
			f.padH, f.padW = f.r/2*f.dilH, f.r/2*f.dilH
			checkForm(t, mem, rng, table, f)
		}
	})
}

// TestDepthwiseDoesNotDependOnPartition is about many channels and whole rows, where several routines share the work.
func TestDepthwiseDoesNotDependOnPartition(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("depthwise partition")
		for range 300 {
			f := randomDepthwise(rng, 2+rng.IntN(40))
			g, ok := f.geometry()
			if !ok {
				continue
			}
			mem.reset()
			d := newConvData(mem, rng, table, g, true)
			y, dx := mem.clone(d.y), mem.clone(d.dx)
			table.ConvForward(g, d.x, d.w, d.bias, y, d.scratch, 0, g.N*g.Ho)
			table.ConvBackwardData(g, d.dy, d.w, dx, d.scratch, 0, g.N*g.H)
			inParts(rng, g.N*g.Ho, func(lo, hi int) { table.ConvForward(g, d.x, d.w, d.bias, d.y, d.scratch, lo, hi) })
			inParts(rng, g.N*g.H, func(lo, hi int) { table.ConvBackwardData(g, d.dy, d.w, d.dx, d.scratch, lo, hi) })
			if err := sameBits(d.y, y); err != nil {
				t.Fatalf("%v: forward: %v", f, err)
			}
			if err := sameBits(d.dx, dx); err != nil {
				t.Fatalf("%v: backward data: %v", f, err)
			}
		}
	})
}

// NaN and infinities in any operand reach exactly the results that they belong to, also at the border.
func TestDepthwiseSpecialValues(t *testing.T) {
	generic, err := ForLevel(Generic)
	if err != nil {
		t.Fatal(err)
	}
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("depthwise special values")
		spoil := func(x []float32) []float32 {
			for range 1 + len(x)/40 {
				x[rng.IntN(len(x))] = []float32{nan32, inf32, -inf32}[rng.IntN(3)]
			}
			return x
		}
		for range 400 {
			f := randomDepthwise(rng, 2+rng.IntN(40))
			f.wideX, f.wideY, f.relu = 0, 0, false
			g, ok := f.geometry()
			if !ok {
				continue
			}
			mem.reset()
			x, w, dy := mem.random(rng, g.N*g.H*g.W*g.C), mem.random(rng, g.R*g.S*g.C), mem.random(rng, g.N*g.Ho*g.Wo*g.C)
			for _, operand := range [][]float32{x, w, dy} {
				if rng.IntN(2) == 0 {
					spoil(operand)
				}
			}
			results := func(table *Table) [3][]float32 {
				y, dx, dw := mem.floats(len(dy)), mem.floats(len(x)), mem.filled(len(w), 0)
				scratch := mem.floats(table.ConvScratch(g))
				table.ConvForward(g, x, w, nil, y, scratch, 0, g.N*g.Ho)
				table.ConvBackwardData(g, dy, w, dx, scratch, 0, g.N*g.H)
				table.ConvBackwardWeights(g, x, dy, dw, scratch, 0, g.N*g.Ho)
				return [3][]float32{y, dx, dw}
			}
			got, want := results(table), results(generic)
			for i, name := range []string{"forward", "backward data", "backward weights"} {
				if err := sameSpecial(got[i], want[i]); err != nil {
					t.Fatalf("%v: %s: %v", f, name, err)
				}
			}
		}
	})
}

// sameSpecial reports the first element that is NaN, or an infinity, in one of got and want only.
func sameSpecial(got, want []float32) error {
	class := func(v float32) int {
		switch f := float64(v); {
		case math.IsNaN(f):
			return 2
		case math.IsInf(f, 1):
			return 1
		case math.IsInf(f, -1):
			return -1
		}
		return 0
	}
	for i := range got {
		if class(got[i]) != class(want[i]) {
			return fmt.Errorf("element %d: %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}
