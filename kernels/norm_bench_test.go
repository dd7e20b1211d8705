package kernels

import (
	"fmt"
	"testing"
)

// BenchmarkBatchNorm measures the passes of a batch normalisation in training over 64 images of 32x32, in bytes of what
// they read and write: forward is moments and normalize, backward is dot and combine.
func BenchmarkBatchNorm(b *testing.B) {
	for _, c := range []int{1, 3, 8, 16, 17, 64} {
		const rows = 64 * 32 * 32
		n := rows * c
		x, y, dy, residual := uniform(n), uniform(n), uniform(n), uniform(n)
		var v [6][]float32
		for i := range v {
			v[i] = uniform(c)
		}
		routines := []struct {
			name    string
			streams int
			f       func(t *Table)
		}{
			{"moments", 1, func(t *Table) { t.ChannelMoments(v[0], v[1], x, rows, c) }},
			{"normalize", 2, func(t *Table) { t.Normalize(y, x, v[2], v[3], v[4], rows, c) }},
			{"dot", 2, func(t *Table) { t.ChannelDot(v[0], v[1], dy, x, v[2], rows, c) }},
			{"normalizerelu", 2, func(t *Table) { t.NormalizeReLU(y, x, v[2], v[3], v[4], rows, c) }},
			{"normalizeaddrelu", 3, func(t *Table) { t.NormalizeAddReLU(y, x, residual, v[2], v[3], v[4], rows, c) }},
			{"dotrelu", 2, func(t *Table) { t.ChannelDotReLU(v[0], v[1], dy, x, v[2], v[3], v[4], rows, c) }},
			{"combinerelu", 3, func(t *Table) { t.ChannelCombineReLU(y, dy, x, v[2], v[3], v[4], v[5], v[5], v[5], rows, c) }},
			{"combine", 3, func(t *Table) { t.ChannelCombine(y, dy, x, v[2], v[3], v[4], v[5], rows, c) }},
		}
		for _, r := range routines {
			forEachLevelBench(b, fmt.Sprintf("%s/c=%d", r.name, c), func(b *testing.B, table *Table) {
				measureBytes(b, r.streams*n, func() { r.f(table) })
			})
		}
	}
}
