package kernels

import (
	"fmt"
	"math/rand/v2"
)

// convForm is a convolution by its parameters alone; geometry fills in the rest.
type convForm struct {
	n, h, w, c, k    int
	r, s             int
	strideH, strideW int
	padH, padW       int
	dilH, dilW       int
	groups           int
	wideX, wideY     int // floats between pixels beyond the channels
	relu             bool
}

func (f convForm) String() string {
	return fmt.Sprintf("%dx%dx%dx%d to %d, kernel %dx%d, stride %d,%d, padding %d,%d, dilation %d,%d, groups %d, wide %d,%d",
		f.n, f.h, f.w, f.c, f.k, f.r, f.s, f.strideH, f.strideW, f.padH, f.padW, f.dilH, f.dilW, f.groups, f.wideX, f.wideY)
}

// geometry returns the kernel's view of the form; ok is false if there is no output.
func (f convForm) geometry() (g *Conv, ok bool) {
	roomH := f.h + 2*f.padH - (f.r-1)*f.dilH - 1
	roomW := f.w + 2*f.padW - (f.s-1)*f.dilW - 1
	if roomH < 0 || roomW < 0 {
		return nil, false
	}
	return &Conv{
		N: f.n, H: f.h, W: f.w, C: f.c, K: f.k, R: f.r, S: f.s,
		StrideH: f.strideH, StrideW: f.strideW, PadTop: f.padH, PadLeft: f.padW,
		DilationH: f.dilH, DilationW: f.dilW, Groups: f.groups,
		Ho: roomH/f.strideH + 1, Wo: roomW/f.strideW + 1,
		XStride: f.c + f.wideX, YStride: f.k + f.wideY, ReLU: f.relu,
	}, true
}

// pixelFloats returns the length of a tensor of n pixels of c channels, stride apart.
func pixelFloats(n, c, stride int) int {
	if n == 0 {
		return 0
	}
	return (n-1)*stride + c
}

// eachProduct calls f with the offsets of every product that a convolution sums:
// x[xi]*w[wi] enters y[yi].
func eachProduct(g *Conv, f func(xi, wi, yi int)) {
	cg, kg := g.C/g.Groups, g.K/g.Groups
	for n := range g.N {
		for ho := range g.Ho {
			for wo := range g.Wo {
				for r := range g.R {
					for s := range g.S {
						h, w := ho*g.StrideH-g.PadTop+r*g.DilationH, wo*g.StrideW-g.PadLeft+s*g.DilationW
						if h < 0 || h >= g.H || w < 0 || w >= g.W {
							continue
						}
						for k := range g.K {
							for c := range cg {
								f(((n*g.H+h)*g.W+w)*g.XStride+k/kg*cg+c, ((r*g.S+s)*cg+c)*g.K+k, ((n*g.Ho+ho)*g.Wo+wo)*g.YStride+k)
							}
						}
					}
				}
			}
		}
	}
}

// convData is a convolution's operands, with canaries between pixels.
type convData struct {
	g                   *Conv
	x, w, bias, y, dy   []float32
	residual            []float32
	dx, dw, scratch     []float32
	wantY, wantX, wantW []exact
	wantAdd             []exact // of y with the residual
}

const between = 12345 // what lies between the channels of wide pixels

func newConvData(mem *guards, rng *rand.Rand, table *Table, g *Conv, withBias bool) *convData {
	nx := pixelFloats(g.N*g.H*g.W, g.C, g.XStride)
	ny := pixelFloats(g.N*g.Ho*g.Wo, g.K, g.YStride)
	nw := g.R * g.S * g.C / g.Groups * g.K
	g.RStride = g.K + g.H%3 // apart from YStride
	d := &convData{
		g: g, x: mem.random(rng, nx), w: mem.random(rng, nw), dy: mem.random(rng, ny),
		y: mem.filled(ny, nan32), dx: mem.filled(nx, nan32), dw: mem.random(rng, nw),
		scratch: mem.filled(table.ConvScratch(g), nan32),
		wantY:   make([]exact, ny), wantX: make([]exact, nx), wantW: make([]exact, nw),
	}
	d.residual = mem.random(rng, pixelFloats(g.N*g.Ho*g.Wo, g.K, g.RStride))
	fillBetween(d.residual, g.K, g.RStride)
	fillBetween(d.y, g.K, g.YStride)
	fillBetween(d.dx, g.C, g.XStride)
	if withBias {
		d.bias = mem.random(rng, g.K)
	}
	for i, v := range d.dw {
		d.wantW[i].add(float64(v))
	}
	eachProduct(g, func(xi, wi, yi int) {
		d.wantY[yi].add(float64(d.x[xi]) * float64(d.w[wi]))
		d.wantX[xi].add(float64(d.dy[yi]) * float64(d.w[wi]))
		d.wantW[wi].add(float64(d.dy[yi]) * float64(d.x[xi]))
	})
	finish := func(want []exact, channels, stride int, f func(e *exact, c int)) {
		for i := range want {
			if c := i % stride; c >= channels {
				want[i] = exact{value: between}
			} else {
				f(&want[i], c)
			}
		}
	}
	finish(d.wantX, g.C, g.XStride, func(*exact, int) {})
	d.wantAdd = append(d.wantAdd, d.wantY...)
	for i := range d.wantAdd {
		if pixel, k := i/g.YStride, i%g.YStride; k < g.K {
			d.wantAdd[i].add(float64(d.residual[pixel*g.RStride+k]))
		}
	}
	epilogue := func(e *exact, k int) {
		if d.bias != nil {
			e.add(float64(d.bias[k]))
		}
		if g.ReLU {
			e.value = max(e.value, 0)
		}
	}
	finish(d.wantY, g.K, g.YStride, epilogue)
	finish(d.wantAdd, g.K, g.YStride, epilogue)
	return d
}

func fillBetween(x []float32, c, stride int) {
	for i := range x {
		if i%stride >= c {
			x[i] = between
		}
	}
}

// at returns the operands for another level: those that are computed are new.
func (d *convData) at(mem *guards, table *Table) *convData {
	e := *d
	e.y, e.dx, e.dw = mem.clone(d.y), mem.clone(d.dx), mem.clone(d.dw)
	e.scratch = mem.filled(table.ConvScratch(d.g), nan32)
	return &e
}

// checkEpilogue runs the forward pass with weights packed before, to the bit as without, and with a residual, beside y and in it.
func (d *convData) checkEpilogue(table *Table, rng *rand.Rand) error {
	g := d.g
	before := *g
	before.Packed = true
	packed := make([]float32, table.PackedConv(g))
	weights := packed
	if len(packed) == 0 {
		weights = d.w
	}
	table.PackConv(g, d.w, packed)
	again := fresh(d.y, g.K, g.YStride)
	inParts(rng, g.N*g.Ho, func(lo, hi int) { table.ConvForward(&before, d.x, weights, d.bias, again, d.scratch, lo, hi) })
	if err := sameFloats(again, d.y); err != nil {
		return fmt.Errorf("forward, packed before: %w", err)
	}
	bound := products(g.R * g.S * g.C / g.Groups)
	y := fresh(d.y, g.K, g.YStride)
	inParts(rng, g.N*g.Ho, func(lo, hi int) {
		table.ConvForwardAdd(&before, d.x, weights, d.bias, d.residual, y, d.scratch, lo, hi)
	})
	if err := closeTo(y, d.wantAdd, bound); err != nil {
		return fmt.Errorf("forward with a residual: %w", err)
	}
	for i := range y {
		if k := i % g.YStride; k < g.K {
			y[i] = d.residual[i/g.YStride*g.RStride+k]
		}
	}
	same := *g
	same.RStride = g.YStride
	inParts(rng, g.N*g.Ho, func(lo, hi int) { table.ConvForwardAdd(&same, d.x, d.w, d.bias, y, y, d.scratch, lo, hi) })
	if err := closeTo(y, d.wantAdd, bound); err != nil {
		return fmt.Errorf("forward, added to y: %w", err)
	}
	return nil
}

// fresh returns an output like y whose channels are NaN. It is on the Go heap, where the garbage collector fails if a routine leaves a
// pointer behind it.
func fresh(y []float32, c, stride int) []float32 {
	x := make([]float32, len(y))
	for i := range x {
		x[i] = nan32
	}
	fillBetween(x, c, stride)
	return x
}

// check runs the three routines in parts and compares them with the definition.
func (d *convData) check(table *Table, rng *rand.Rand) error {
	g := d.g
	taps := g.R * g.S
	inParts(rng, g.N*g.Ho, func(lo, hi int) { table.ConvForward(g, d.x, d.w, d.bias, d.y, d.scratch, lo, hi) })
	if err := closeTo(d.y, d.wantY, products(taps*g.C/g.Groups)); err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	if err := d.checkEpilogue(table, rng); err != nil {
		return err
	}
	inParts(rng, g.N*g.H, func(lo, hi int) { table.ConvBackwardData(g, d.dy, d.w, d.dx, d.scratch, lo, hi) })
	if err := closeTo(d.dx, d.wantX, products(taps*g.K/g.Groups)); err != nil {
		return fmt.Errorf("backward data: %w", err)
	}
	inParts(rng, g.N*g.Ho, func(lo, hi int) { table.ConvBackwardWeights(g, d.x, d.dy, d.dw, d.scratch, lo, hi) })
	if err := closeTo(d.dw, d.wantW, products(g.N*g.Ho*g.Wo)); err != nil {
		return fmt.Errorf("backward weights: %w", err)
	}
	return nil
}

// inParts calls f on consecutive ranges that cover 0..n, sometimes an empty one.
func inParts(rng *rand.Rand, n int, f func(lo, hi int)) {
	lo := 0
	for lo < n {
		hi := min(n, lo+rng.IntN(n+1))
		f(lo, hi)
		lo = hi
	}
}
