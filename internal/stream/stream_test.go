package stream

import (
	"math/bits"
	"testing"
)

func TestDifferentNamesGiveDifferentSeeds(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, s uint64) {
		if old, ok := seen[s]; ok {
			t.Fatalf("%s and %s have the same seed", old, name)
		}
		seen[s] = name
	}
	add("a", Seed(1, "a"))
	add("a 0", Seed(1, "a", 0))
	add("a 0 0", Seed(1, "a", 0, 0))
	add("a 1", Seed(1, "a", 1))
	add("b 1", Seed(1, "b", 1))
	add("seed 2", Seed(2, "a"))
	add("ab", Seed(1, "ab"))
	add("ba", Seed(1, "ba"))
}

func TestSameNameGivesSameStream(t *testing.T) {
	a, b := New(7, "init", 3), New(7, "init", 3)
	for range 100 {
		if x, y := a.Uint64(), b.Uint64(); x != y {
			t.Fatalf("%x != %x", x, y)
		}
	}
}

func TestMixChangesAboutHalfOfTheBits(t *testing.T) {
	total := 0
	for bit := range 64 {
		for x := range uint64(64) {
			total += bits.OnesCount64(Mix(x) ^ Mix(x^1<<bit))
		}
	}
	if mean := float64(total) / (64 * 64); mean < 31 || mean > 33 {
		t.Fatalf("%.2f of 64 bits change on average", mean)
	}
}
