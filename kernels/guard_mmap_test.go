//go:build linux || darwin

package kernels

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guards hands out memory that touches a page which may not be read or written, so
// that a routine that leaves its slices crashes the test.
type guards struct {
	t          testing.TB
	atStart    bool // the forbidden page lies before the floats, else after them
	free, used [][]byte
}

func newGuards(t testing.TB) *guards { return &guards{t: t} }

// floats returns n floats of any value, valid until reset.
func (g *guards) floats(n int) []float32 {
	g.t.Helper()
	page := unix.Getpagesize()
	mem := g.take(4*n, page)
	g.used = append(g.used, mem)
	if n == 0 {
		return []float32{}
	}
	at := len(mem) - page - 4*n
	if g.atStart {
		at = page
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[at])), n)
}

// reset makes the memory handed out so far free for others.
func (g *guards) reset() {
	g.free = append(g.free, g.used...)
	g.used = g.used[:0]
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
