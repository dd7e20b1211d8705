package kernels

import "testing"

// The routines that store past the caches give the same bits as the others.
func TestStreamingTable(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		if table.Streaming == nil {
			if table.Level != Generic {
				t.Error("there is none")
			}
			return
		}
		if table.LastCache < 1<<20 || table.Streaming.Level != table.Level {
			t.Errorf("last cache of %d bytes, level %v", table.LastCache, table.Streaming.Level)
		}
		mem, rng := newGuards(t), newRand("streaming")
		for _, n := range []int{1, 15, 16, 17, 100, 1000, 70001} {
			mem.reset()
			a, b := mem.random(rng, n), mem.random(rng, n)
			want, got := mem.filled(n, 0), mem.filled(n, 0)
			table.Add(want, a, b)
			table.Streaming.Add(got, a, b)
			if err := sameBits(got, want); err != nil {
				t.Fatalf("%d sums: %v", n, err)
			}
			table.Streaming.Add(a, a, b)
			if err := sameBits(a, want); err != nil {
				t.Fatalf("%d sums in place: %v", n, err)
			}
			table.Activate[SiLU](want, b)
			table.Streaming.Activate[SiLU](got, b)
			if err := sameBits(got, want); err != nil {
				t.Fatalf("%d SiLUs: %v", n, err)
			}
		}
	})
}
