package kernels

import "testing"

// TestPoolingIsExact holds the pooling of a level against the generic one, bit by bit,
// on special values: sums of infinities of both signs, NaN, and none of both. Which zero
// is the maximum of two is left open.
func TestPoolingIsExact(t *testing.T) {
	generic := genericTable()
	plainZero := func(x []float32) []float32 {
		for i := range x {
			x[i] += 0
		}
		return x
	}
	for _, l := range Available()[1:] {
		t.Run(l.String(), func(t *testing.T) {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			mem, rng := newGuards(t), newRand("exact pooling")
			for i := range 1500 {
				if !inShort(i%9 == 0) {
					continue
				}
				p := randomPool(rng)
				if i%4 == 0 {
					p.R, p.S = p.R+3, p.S+3 // windows that reach over both borders
				}
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				nx, ny := pixelFloats(p.N*p.H*p.W, p.C, p.XStride), pixelFloats(p.N*p.Ho*p.Wo, p.C, p.YStride)
				x, dy := mem.special(rng, nx), mem.special(rng, ny)
				if i%2 == 0 {
					x = mem.random(rng, nx)
				}
				y, dx := mem.filled(ny, 3), mem.filled(nx, 3)
				wantY, wantDX := mem.filled(ny, 3), mem.filled(nx, 3)
				compare := func(name string, got, want []float32) {
					if err := sameFloats(got, want); err != nil {
						t.Fatalf("%+v: %s: %v", *p, name, err)
					}
				}
				table.AvgPoolForward(p, x, y, 0, p.N*p.Ho)
				generic.AvgPoolForward(p, x, wantY, 0, p.N*p.Ho)
				compare("average", y, wantY)
				table.AvgPoolBackward(p, dy, dx, 0, p.N)
				generic.AvgPoolBackward(p, dy, wantDX, 0, p.N)
				compare("average gradient", dx, wantDX)
				table.MaxPoolForward(p, x, y, 0, p.N*p.Ho)
				generic.MaxPoolForward(p, x, wantY, 0, p.N*p.Ho)
				compare("max", plainZero(y), plainZero(wantY))
				table.MaxPoolBackward(p, x, dy, dx, 0, p.N)
				generic.MaxPoolBackward(p, x, dy, wantDX, 0, p.N)
				compare("max gradient", dx, wantDX)
			}
		})
	}
}
