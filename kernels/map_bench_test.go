package kernels

import (
	"fmt"
	"testing"
)

// measureBytes times f, which reads and writes the given number of floats.
func measureBytes(b *testing.B, floats int, f func()) {
	for b.Loop() {
		f()
	}
	b.ReportMetric(4*float64(floats)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
}

// BenchmarkTraffic measures the memory traffic of maps, and that of copying beside it, on arrays
// in the first-level cache, in the second-level cache and beyond all caches. What a routine updates in place counts twice.
func BenchmarkTraffic(b *testing.B) {
	for _, n := range []int{1 << 11, 1 << 15, 1 << 24} {
		x, y, z, w, v := uniform(n), uniform(n), uniform(n), uniform(n), uniform(n) // written, so that their pages exist
		b.Run(fmt.Sprintf("copy/floats=%d", n), func(b *testing.B) { measureBytes(b, 2*n, func() { copy(z, x) }) })
		channel, other := uniform(16), uniform(16)
		sgd := &SGDStep{LR: 1e-9, Momentum: 0.9, WeightDecay: 1e-4, GradScale: 1}
		adamw := &AdamWStep{LR: 1e-9, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, GradScale: 1, Correct1: 1, Correct2: 1}
		for i := range v {
			v[i] *= v[i]
		}
		three, weights := [][]float32{x, y, w}, []float32{1, 2, 3}
		maps := []struct {
			name    string
			streams int // arrays read and written
			f       func(t *Table)
		}{
			{"relu", 2, func(t *Table) { t.Activate[ReLU](z, x) }},
			{"relugrad", 3, func(t *Table) { t.ActivateGrad[ReLU](z, x, y) }},
			{"add", 3, func(t *Table) { t.Add(z, x, y) }},
			{"mul", 3, func(t *Table) { t.Mul(z, x, y) }},
			{"scal", 2, func(t *Table) { t.Scal(z, x, 0.5) }},
			{"lerp", 3, func(t *Table) { t.Lerp(z, x, 1e-9) }},
			{"exp", 2, func(t *Table) { t.Activate[Exp](z, x) }},
			{"sigmoid", 2, func(t *Table) { t.Activate[Sigmoid](z, x) }},
			{"silugrad", 3, func(t *Table) { t.ActivateGrad[SiLU](z, x, y) }},
			{"mask", 2, func(t *Table) { t.Mask(z, x, 1, 0, 0.9) }},
			{"axpy", 3, func(t *Table) { t.Axpy(z, x, 1e-9) }},
			{"wsum", 4, func(t *Table) { t.WSum(z, three, weights) }},
			{"normalize", 2, func(t *Table) { t.Normalize(z, x, channel, channel, channel, n/16, 16) }},
			{"combine", 3, func(t *Table) { t.ChannelCombine(z, x, y, channel, channel, channel, channel, n/16, 16) }},
			{"moments", 1, func(t *Table) { t.ChannelMoments(channel, other, x, n/16, 16) }},
			{"sgd", 5, func(t *Table) { t.SGD(z, x, w, sgd) }},
			{"adamw", 7, func(t *Table) { t.AdamW(z, x, w, v, adamw) }},
		}
		for _, m := range maps {
			forEachLevelBench(b, fmt.Sprintf("%s/floats=%d", m.name, n), func(b *testing.B, table *Table) {
				measureBytes(b, m.streams*n, func() { m.f(table) })
			})
		}
	}
}

// BenchmarkPool3x3 measures pooling of padded 3x3 windows, in bytes of inputs and outputs.
func BenchmarkPool3x3(b *testing.B) {
	for _, stride := range []int{1, 2} {
		p := &Pool{N: 64, H: 32, W: 32, C: 16, R: 3, S: 3, StrideH: stride, StrideW: stride, PadTop: 1, PadLeft: 1, Ho: 32 / stride, Wo: 32 / stride, XStride: 16, YStride: 16}
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
			forEachLevelBench(b, fmt.Sprintf("%s/stride=%d", r.name, stride), func(b *testing.B, table *Table) {
				measureBytes(b, r.floats, func() { r.f(table) })
			})
		}
	}
}

// BenchmarkSoftmax measures the softmax family on rows of few and of many classes, in bytes of inputs and outputs.
func BenchmarkSoftmax(b *testing.B) {
	for _, c := range []int{10, 16, 100, 1000} {
		rows := 1 << 14 / c
		n := rows * c
		x, dy, y, loss, labels := uniform(n), uniform(n), uniform(n), uniform(rows), make([]float32, rows)
		routines := []struct {
			name   string
			floats int
			f      func(t *Table)
		}{
			{"softmax", 2 * n, func(t *Table) { t.Softmax(y, x, rows, c) }},
			{"softmaxgrad", 3 * n, func(t *Table) { t.SoftmaxGrad(y, dy, x, rows, c) }},
			{"logsoftmax", 2 * n, func(t *Table) { t.LogSoftmax(y, x, rows, c) }},
			{"logsoftmaxgrad", 3 * n, func(t *Table) { t.LogSoftmaxGrad(y, dy, x, rows, c) }},
			{"crossentropy", n, func(t *Table) { t.CrossEntropy(loss, x, labels, 0, rows, c) }},
			{"crossentropygrad", 2 * n, func(t *Table) { t.CrossEntropyGrad(y, x, labels, 0.1, 1, rows, c) }},
		}
		for _, r := range routines {
			forEachLevelBench(b, fmt.Sprintf("%s/classes=%d", r.name, c), func(b *testing.B, table *Table) {
				measureBytes(b, r.floats, func() { r.f(table) })
			})
		}
	}
}
