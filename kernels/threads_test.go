package kernels

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestThreadsRunEveryPartOnce(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 3, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			threads := NewThreads(n)
			defer threads.Close()
			if got, want := threads.Count(), max(n, 1); got != want {
				t.Fatalf("Count() = %d, want %d", got, want)
			}
			for parts := range 100 {
				counts := make([]atomic.Int32, parts)
				busy := make([]atomic.Int32, threads.Count())
				threads.Run(parts, func(part, worker int) {
					if busy[worker].Add(1) != 1 {
						t.Errorf("calls of worker %d overlap", worker)
					}
					counts[part].Add(1)
					busy[worker].Add(-1)
				})
				for i := range counts {
					if c := counts[i].Load(); c != 1 {
						t.Fatalf("%d parts: part %d ran %d times", parts, i, c)
					}
				}
			}
		})
	}
}

// Plain writes by the parts must be visible to the caller, and the caller's to the
// parts; the race detector checks it.
func TestThreadsOrderMemory(t *testing.T) {
	threads := NewThreads(4)
	defer threads.Close()
	values := make([]int, 37)
	for round := range 2000 {
		threads.Run(len(values), func(part, worker int) { values[part]++ })
		for i, v := range values {
			if v != round+1 {
				t.Fatalf("round %d: part %d: %d", round, i, v)
			}
		}
		if round%500 == 0 {
			time.Sleep(2 * time.Millisecond) // long enough for the workers to sleep
		}
	}
}

func TestThreadsUseAllWorkers(t *testing.T) {
	const n = 3
	threads := NewThreads(n)
	defer threads.Close()
	for range 20 { // each part waits until all have started, which takes n workers
		var started atomic.Int32
		threads.Run(n, func(part, worker int) {
			started.Add(1)
			for started.Load() < n {
				runtime.Gosched()
			}
		})
		time.Sleep(time.Millisecond)
	}
}

func TestNilThreadsRunInline(t *testing.T) {
	var threads *Threads
	var order []int
	threads.Run(3, func(part, worker int) {
		if worker != 0 {
			t.Errorf("worker %d", worker)
		}
		order = append(order, part)
	})
	if fmt.Sprint(order) != "[0 1 2]" || threads.Count() != 1 {
		t.Errorf("order %v, count %d", order, threads.Count())
	}
	threads.Close()
}

func TestThreadsRunAllocatesNothing(t *testing.T) {
	threads := NewThreads(2)
	defer threads.Close()
	var sum atomic.Int64
	f := func(part, worker int) { sum.Add(int64(part)) }
	if n := testing.AllocsPerRun(200, func() { threads.Run(16, f) }); n != 0 {
		t.Errorf("%v allocations per Run", n)
	}
}

func TestThreadsPanicReachesTheCaller(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		threads := NewThreads(n)
		for bad := range 8 {
			var ran atomic.Int32
			got := func() (v any) {
				defer func() { v = recover() }()
				threads.Run(8, func(part, worker int) {
					if part == bad {
						panic(fmt.Sprint("part ", part))
					}
					ran.Add(1)
				})
				return nil
			}()
			if want := fmt.Sprint("part ", bad); got != want {
				t.Errorf("%d workers: recovered %v, want %v", n, got, want)
			}
			if n > 1 && ran.Load() != 7 {
				t.Errorf("%d workers: %d other parts ran, want 7", n, ran.Load())
			}
		}
		var sum atomic.Int32
		threads.Run(5, func(part, worker int) { sum.Add(1) })
		if sum.Load() != 5 {
			t.Errorf("after panics %d of 5 parts ran", sum.Load())
		}
		threads.Close()
	}
}

func TestThreadsAreNotReentrant(t *testing.T) {
	threads := NewThreads(2)
	defer threads.Close()
	defer func() {
		if recover() == nil {
			t.Error("a nested Run did not panic")
		}
	}()
	threads.Run(2, func(part, worker int) { threads.Run(2, func(part, worker int) {}) })
}

func TestCloseEndsTheGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	threads := NewThreads(9)
	threads.Run(4, func(part, worker int) {})
	threads.Close()
	threads.Close()
	for range 1000 { // a goroutine may be counted a moment after its last instruction
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
	var sum atomic.Int32
	threads.Run(5, func(part, worker int) { sum.Add(1) })
	if sum.Load() != 5 {
		t.Errorf("after Close %d of 5 parts ran", sum.Load())
	}
}
