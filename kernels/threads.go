package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Threads runs the parts of one piece of work on a fixed set of goroutines. The
// caller of Run is worker 0 and takes parts like the others. A nil *Threads is
// valid and runs everything on the caller.
//
// Run is not reentrant: one Threads serves one caller at a time.
type Threads struct {
	workers []worker // those besides the caller; worker i+1 is workers[i]
	ended   sync.WaitGroup
	closed  atomic.Bool
	running atomic.Bool

	// f and parts are read only by a goroutine that holds a part that it has not
	// finished, and written only when no part is held.
	f     func(part, worker int)
	parts int64

	// left counts the parts not handed out yet. Taking a part is decrementing it to
	// a value that is not negative; it may sink below zero when nothing is left.
	_        [64]byte
	left     atomic.Int64
	_        [64]byte
	finished atomic.Int64
	_        [64]byte

	waiting atomic.Bool // the caller is about to sleep until wake
	wake    chan struct{}

	failure atomic.Pointer[any] // what the first part to panic panicked with
}

type worker struct {
	parked atomic.Bool // about to sleep until wake
	wake   chan struct{}
	_      [48]byte
}

// An idle goroutine looks for work spins times before it sleeps: some tens of
// microseconds, longer than the gaps between the operations of a program. It lets
// other goroutines run every spinYield times.
const (
	spins     = 1 << 13
	spinYield = 1 << 7
)

// NewThreads returns a pool of n workers: the caller of Run and n-1 goroutines, which
// live until Close. An n below 1 counts as 1.
func NewThreads(n int) *Threads {
	t := &Threads{workers: make([]worker, max(n, 1)-1), wake: make(chan struct{}, 1)}
	t.ended.Add(len(t.workers))
	for i := range t.workers {
		t.workers[i].wake = make(chan struct{}, 1)
		go t.serve(i)
	}
	return t
}

// Count returns the number of workers, the caller included.
func (t *Threads) Count() int {
	if t == nil {
		return 1
	}
	return len(t.workers) + 1
}

// Run calls f(part, worker) once for each part in 0..parts and returns when all calls
// have returned. Calls of one worker never overlap, so that worker may index scratch memory;
// which worker runs which part is not fixed. Run allocates nothing. If calls
// panic, the others still run and Run then panics with the value of one of them.
// After Close the caller does all the work.
func (t *Threads) Run(parts int, f func(part, worker int)) {
	if t == nil || len(t.workers) == 0 || parts <= 1 {
		for part := range parts {
			f(part, 0)
		}
		return
	}
	if !t.running.CompareAndSwap(false, true) {
		panic("kernels: Threads.Run is not reentrant")
	}
	t.f, t.parts = f, int64(parts)
	t.finished.Store(0)
	t.left.Store(int64(parts))
	wanted := parts - 1
	for i := range t.workers {
		if wanted == 0 {
			break
		}
		t.workers[i].rouse()
		wanted--
	}
	t.work(0)
	t.wait()
	t.f = nil
	failure := t.failure.Swap(nil)
	t.running.Store(false)
	if failure != nil {
		panic(*failure)
	}
}

// Close ends the goroutines and waits for them. It must not be called during Run;
// calling it again does nothing.
func (t *Threads) Close() {
	if t == nil || !t.closed.CompareAndSwap(false, true) {
		return
	}
	for i := range t.workers {
		t.workers[i].rouse()
	}
	t.ended.Wait()
}

// serve is the life of worker i+1.
func (t *Threads) serve(i int) {
	defer t.ended.Done()
	w := &t.workers[i]
	for {
		t.work(i + 1)
		for spin := 0; t.left.Load() <= 0; spin++ {
			if t.closed.Load() {
				return
			}
			if spin < spins {
				if spin%spinYield == spinYield-1 {
					runtime.Gosched()
				}
				continue
			}
			w.parked.Store(true)
			// Work that came before parked was set is seen here; for later work, or
			// if rouse was faster, there is a token in wake.
			if (t.left.Load() <= 0 && !t.closed.Load()) || !w.parked.CompareAndSwap(true, false) {
				<-w.wake
			}
			spin = 0
		}
	}
}

func (w *worker) rouse() {
	if w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// work takes parts until none is left.
func (t *Threads) work(worker int) {
	for {
		left := t.left.Add(-1)
		if left < 0 {
			return
		}
		t.call(worker, left)
	}
}

// call runs one part and counts it as finished even if it panics.
func (t *Threads) call(worker int, left int64) {
	parts := t.parts
	defer func() {
		if v := recover(); v != nil {
			failure := v // a copy, so that v need not live on the heap
			t.failure.CompareAndSwap(nil, &failure)
		}
		if t.finished.Add(1) == parts && t.waiting.CompareAndSwap(true, false) {
			t.wake <- struct{}{}
		}
	}()
	t.f(int(parts-1-left), worker)
}

// wait returns when every part has finished. A late worker may send a token for an
// earlier Run, hence the loop.
func (t *Threads) wait() {
	for spin := 0; t.finished.Load() != t.parts; spin++ {
		if spin < spins {
			if spin%spinYield == spinYield-1 {
				runtime.Gosched()
			}
			continue
		}
		t.waiting.Store(true)
		if t.finished.Load() != t.parts || !t.waiting.CompareAndSwap(true, false) {
			<-t.wake
		}
	}
}
