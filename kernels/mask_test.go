package kernels

import (
	"testing"
	"unsafe"
)

// bytes returns n bytes that touch the forbidden page.
func (g *guards) bytes(n int) []byte {
	x := g.floats((n + 3) / 4)
	if n == 0 {
		return nil
	}
	all := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
	if g.atStart {
		return all[:n:n]
	}
	return all[len(all)-n:]
}

// TestMaskAndBytesAreExact holds both against generic, bit by bit: all short lengths, values of all kinds, any place in a mask, and
// more than one chunk.
func TestMaskAndBytesAreExact(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem, rng := newGuards(t), newRand("exact masks and bytes")
		lengths := []int{1<<16 + 3, 1<<17 + 40}
		for n := range 140 {
			lengths = append(lengths, n)
		}
		for _, n := range lengths {
			for _, keep := range []float32{0, 0.3, 0.9, 1} {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				x, got, want := mem.special(rng, n), mem.filled(n, nan32), make([]float32, n)
				key, first := rng.Uint64(), rng.IntN(1<<40)
				genericMask(want, x, key, first, keep)
				table.Mask(got, x, key, first, keep)
				if err := sameFloats(got, want); err != nil {
					t.Fatalf("mask, keep %v: %v", keep, err)
				}
				table.Mask(x, x, key, first, keep)
				if err := sameFloats(x, want); err != nil {
					t.Fatalf("mask in place, keep %v: %v", keep, err)
				}
			}
			for _, c := range []int{1, 3, 4, 7, 16, 33, 600} {
				mem.reset()
				mem.atStart = rng.IntN(2) == 0
				src := mem.bytes(n)
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
				scale, shift := mem.random(rng, c), mem.random(rng, c)
				got, want := mem.filled(n, nan32), make([]float32, n)
				genericBytes(want, src, scale, shift, c)
				table.Bytes(got, src, scale, shift, c)
				if err := sameFloats(got, want); err != nil {
					t.Fatalf("bytes of %d channels: %v", c, err)
				}
			}
		}
	})
}
