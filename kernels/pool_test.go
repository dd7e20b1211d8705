package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// randomPool returns a small pooling geometry whose windows all touch the image.
func randomPool(rng *rand.Rand) *Pool {
	for {
		p := &Pool{
			N: 1 + rng.IntN(3), H: 1 + rng.IntN(9), W: 1 + rng.IntN(9), C: 1 + rng.IntN(20),
			R: 1 + rng.IntN(4), S: 1 + rng.IntN(4), StrideH: 1 + rng.IntN(3), StrideW: 1 + rng.IntN(3),
		}
		p.PadTop, p.PadLeft = rng.IntN(p.R), rng.IntN(p.S)
		roomH, roomW := p.H+2*p.PadTop-p.R, p.W+2*p.PadLeft-p.S
		if roomH < 0 || roomW < 0 {
			continue
		}
		p.Ho, p.Wo = roomH/p.StrideH+1, roomW/p.StrideW+1
		p.XStride, p.YStride = p.C+rng.IntN(3), p.C+rng.IntN(3)
		if rng.IntN(8) == 0 { // more channels than a routine keeps on the stack
			p.C = 70
			p.XStride, p.YStride = 70, 75
		}
		return p
	}
}

// eachWindow calls f for every output element with the input elements of its window
// in row-major order.
func eachWindow(p *Pool, f func(yi int, window []int)) {
	var window []int
	for n := range p.N {
		for ho := range p.Ho {
			for wo := range p.Wo {
				for c := range p.C {
					window = window[:0]
					for r := range p.R {
						for s := range p.S {
							h, w := ho*p.StrideH-p.PadTop+r, wo*p.StrideW-p.PadLeft+s
							if h >= 0 && h < p.H && w >= 0 && w < p.W {
								window = append(window, ((n*p.H+h)*p.W+w)*p.XStride+c)
							}
						}
					}
					f(((n*p.Ho+ho)*p.Wo+wo)*p.YStride+c, window)
				}
			}
		}
	}
}

func TestPooling(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		rng := newRand("pool")
		for i := range 1000 {
			if !inShort(i%8 == 0) {
				continue
			}
			p := randomPool(rng)
			if i < 280 { // every number of channels
				p.C = 1 + i/4
				p.XStride, p.YStride = p.C+rng.IntN(3), p.C+rng.IntN(3)
			}
			checkPool(t, mem, rng, table, p)
		}
	})
}

// checkPool compares the four routines with their definition.
func checkPool(t *testing.T, mem *guards, rng *rand.Rand, table *Table, p *Pool) {
	t.Helper()
	mem.reset()
	mem.atStart = rng.IntN(2) == 0
	nx, ny := pixelFloats(p.N*p.H*p.W, p.C, p.XStride), pixelFloats(p.N*p.Ho*p.Wo, p.C, p.YStride)
	x, dy := mem.random(rng, nx), mem.random(rng, ny)
	for i := range x { // coarse values make ties
		x[i] = float32(math.Round(float64(x[i]) * 2))
		switch rng.IntN(40) {
		case 0:
			x[i] = nan32
		case 1:
			x[i] = -inf32
		case 2:
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	wantMax, wantAvg := make([]exact, ny), make([]exact, ny)
	wantMaxGrad, wantAvgGrad := make([]exact, nx), make([]exact, nx)
	eachWindow(p, func(yi int, window []int) {
		best := window[0]
		for _, xi := range window {
			v, m := x[xi], x[best]
			if m == m && (v > m || v != v) {
				best = xi
			}
			wantAvg[yi].add(float64(v) / float64(len(window)))
			wantAvgGrad[xi].add(float64(dy[yi]) / float64(len(window)))
		}
		wantMax[yi].value = float64(x[best])
		wantMaxGrad[best].add(float64(dy[yi]))
	})
	for _, want := range [][]exact{wantMax, wantAvg} {
		setBetween(want, p.C, p.YStride)
	}
	for _, want := range [][]exact{wantMaxGrad, wantAvgGrad} {
		setBetween(want, p.C, p.XStride)
	}
	y, dx := mem.filled(ny, 3), mem.filled(nx, 3)
	fillBetween(y, p.C, p.YStride)
	fillBetween(dx, p.C, p.XStride)

	check := func(name string, got []float32, want []exact) {
		if err := closeTo(got, want, products(p.R*p.S)); err != nil {
			t.Fatalf("%+v: %s: %v", *p, name, err)
		}
	}
	inParts(rng, p.N*p.Ho, func(lo, hi int) { table.MaxPoolForward(p, x, y, lo, hi) })
	check("max", y, wantMax)
	inParts(rng, p.N*p.Ho, func(lo, hi int) { table.AvgPoolForward(p, x, y, lo, hi) })
	check("average", y, wantAvg)
	inParts(rng, p.N, func(lo, hi int) { table.MaxPoolBackward(p, x, dy, dx, lo, hi) })
	check("max gradient", dx, wantMaxGrad)
	inParts(rng, p.N, func(lo, hi int) { table.AvgPoolBackward(p, dy, dx, lo, hi) })
	check("average gradient", dx, wantAvgGrad)
}

func setBetween(want []exact, c, stride int) {
	for i := range want {
		if i%stride >= c {
			want[i] = exact{value: between}
		}
	}
}

// A window that lies in the padding alone gives zero and takes no gradient.
func TestPoolingOfPaddingAlone(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		p := &Pool{N: 1, H: 1, W: 1, C: 2, R: 1, S: 1, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, Ho: 3, Wo: 3, XStride: 2, YStride: 2}
		x, dy, y, dx := []float32{-3, 4}, make([]float32, 18), make([]float32, 18), make([]float32, 2)
		for i := range dy {
			dy[i] = float32(i + 1)
		}
		for name, run := range map[string]func(){
			"max": func() { table.MaxPoolForward(p, x, y, 0, 3); table.MaxPoolBackward(p, x, dy, dx, 0, 1) },
			"avg": func() { table.AvgPoolForward(p, x, y, 0, 3); table.AvgPoolBackward(p, dy, dx, 0, 1) },
		} {
			run()
			want := make([]float32, 18)
			copy(want[8:], x)
			if err := sameBits(y, want); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := fmt.Sprint(dx); got != "[9 10]" {
				t.Errorf("%s gradient: %v, want [9 10]", name, got)
			}
		}
	})
}
