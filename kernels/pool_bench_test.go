package kernels

import (
	"fmt"
	"testing"
)

// BenchmarkPoolShapes measures pooling of square images with windows of 3x3 (padded) and 2x2, in bytes of inputs and outputs.
func BenchmarkPoolShapes(b *testing.B) {
	shapes := []struct{ n, side, c, window, stride int }{
		{64, 32, 16, 3, 1}, {64, 32, 16, 3, 2}, {64, 32, 16, 2, 2}, {64, 32, 16, 2, 1},
		{64, 32, 1, 3, 1}, {64, 32, 3, 3, 1}, {64, 32, 8, 3, 1}, {64, 32, 17, 3, 1}, {64, 32, 24, 3, 1}, {64, 32, 40, 3, 1},
		{64, 7, 64, 3, 1}, {64, 14, 40, 3, 2}, {7, 19, 24, 3, 1}, {1, 33, 17, 3, 2}, {1, 33, 64, 3, 1},
		{64, 32, 3, 3, 2}, {64, 32, 3, 2, 2},
	}
	for _, f := range shapes {
		pad := f.window / 3
		out := (f.side+2*pad-f.window)/f.stride + 1
		p := &Pool{N: f.n, H: f.side, W: f.side, C: f.c, R: f.window, S: f.window, StrideH: f.stride, StrideW: f.stride,
			PadTop: pad, PadLeft: pad, Ho: out, Wo: out, XStride: f.c, YStride: f.c}
		x, y := uniform(p.N*p.H*p.W*p.C), uniform(p.N*p.Ho*p.Wo*p.C)
		dx := make([]float32, len(x))
		routines := []struct {
			name   string
			floats int
			f      func(t *Table)
		}{
			{"max", len(x) + len(y), func(t *Table) { t.MaxPoolForward(p, x, y, 0, p.N*p.Ho) }},
			{"maxgrad", 2*len(x) + len(y), func(t *Table) { t.MaxPoolBackward(p, x, y, dx, 0, p.N) }},
			{"avg", len(x) + len(y), func(t *Table) { t.AvgPoolForward(p, x, y, 0, p.N*p.Ho) }},
			{"avggrad", len(x) + len(y), func(t *Table) { t.AvgPoolBackward(p, y, dx, 0, p.N) }},
		}
		for _, r := range routines {
			name := fmt.Sprintf("%s/%dx%dx%dx%d/window=%d/stride=%d", r.name, f.n, f.side, f.side, f.c, f.window, f.stride)
			forEachLevelBench(b, name, func(b *testing.B, table *Table) { measureBytes(b, r.floats, func() { r.f(table) }) })
		}
	}
}
