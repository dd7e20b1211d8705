//go:build linux || darwin

package kernels

import (
	"math"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guards hands out memory that touches a page which may not be read or written, so
// that a routine that leaves its slices crashes the test. The other side of a slice has canaries.
// Between every fourth reset and the next, slices lie some floats off the page, so that they start anywhere
// in a cache line; then both sides have canaries.
type guards struct {
	t          testing.TB
	atStart    bool // the forbidden page lies before the floats, else after them
	resets     int
	free, used [][]byte
	fences     []fence
}

// fence is the memory on one side of a slice that must stay as it is.
type fence struct {
	canaries []float32
	of       int // length of the slice
}

func newGuards(t testing.TB) *guards { return &guards{t: t} }

// floats returns n floats of any value, valid until reset.
func (g *guards) floats(n int) []float32 {
	g.t.Helper()
	page, skip := unix.Getpagesize(), skew(g.resets)
	mem := g.take(4*(n+skip), page)
	g.used = append(g.used, mem)
	if n == 0 {
		return []float32{}
	}
	all := unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), (len(mem)-2*page)/4)
	at := len(all) - skip - n
	if g.atStart {
		at = skip
	}
	for _, side := range [][]float32{all[max(0, at-canaries):at], all[at+n : min(at+n+canaries, len(all))]} {
		for i := range side {
			side[i] = math.Float32frombits(canary)
		}
		g.fences = append(g.fences, fence{side, n})
	}
	return all[at : at+n : at+n]
}

// reset checks the canaries and makes the memory handed out so far free for others.
func (g *guards) reset() {
	g.t.Helper()
	for _, f := range g.fences {
		for _, v := range f.canaries {
			if math.Float32bits(v) != canary {
				g.t.Errorf("%v was written beside a slice of %d", v, f.of)
			}
		}
	}
	g.fences = g.fences[:0]
	g.free = append(g.free, g.used...)
	g.used = g.used[:0]
	g.resets++
}

// take returns a mapping with room for size bytes between its first and last page.
func (g *guards) take(size, page int) []byte {
	for i, mem := range g.free {
		if len(mem)-2*page >= size {
			g.free = append(g.free[:i], g.free[i+1:]...)
			return mem
		}
	}
	size = (max(size, 1<<16) + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		g.reset()
		if err := unix.Munmap(mem); err != nil {
			g.t.Error(err)
		}
	})
	for _, guard := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	return mem
}
