package kernels

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func TestRangesCoverEachItemOnce(t *testing.T) {
	for n := range 60 {
		for parts := 1; parts <= 60; parts++ {
			next := 0
			for part := range parts {
				lo, hi := Range(part, parts, n)
				if lo != next || hi-lo < n/parts || hi-lo > n/parts+1 {
					t.Fatalf("part %d of %d over %d items is %d..%d", part, parts, n, lo, hi)
				}
				next = hi
			}
			if next != n {
				t.Fatalf("%d parts over %d items end at %d", parts, n, next)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ n, grain, want int }{
		{0, 4, 0}, {-1, 4, 0}, {1, 4, 1}, {4, 4, 1}, {5, 4, 2}, {8, 4, 2}, {3, 1, 3},
	} {
		if got := Split(c.n, c.grain); got != c.want {
			t.Errorf("Split(%d, %d) = %d, want %d", c.n, c.grain, got, c.want)
		}
	}
}

func BenchmarkThreads(b *testing.B) {
	threads := NewThreads(2)
	defer threads.Close()
	var sum atomic.Int64
	f := func(part, worker int) { sum.Add(1) }
	for _, parts := range []int{2, 64} {
		b.Run(fmt.Sprintf("parts=%d", parts), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				threads.Run(parts, f)
			}
		})
	}
}

// The parts depend on the work alone, so that the result is the same bits for any
// number of threads.
func ExampleThreads() {
	threads := NewThreads(2)
	defer threads.Close()
	x := make([]float32, 1000)
	parts := Split(len(x), 256)
	sums := make([]float64, parts)
	threads.Run(parts, func(part, worker int) {
		lo, hi := Range(part, parts, len(x))
		for i := lo; i < hi; i++ {
			x[i] = float32(i)
		}
		sums[part] = genericSum(x[lo:hi])
	})
	fmt.Println(parts, "parts:", sums)
	// Output: 4 parts: [31125 93625 156125 218625]
}
