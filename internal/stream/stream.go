// Package stream derives independent random streams from one seed.
//
// Nothing in this module draws from a shared generator: every use names its seed,
// its purpose and the counters (trial, epoch, step, element ...) that it belongs to.
// Equal names give equal bits whatever ran before, on any number of threads.
package stream

import "math/rand/v2"

// Mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection on
// 64 bits in which every input bit changes about half of the output bits.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Seed derives the seed of one purpose and its counters.
func Seed(seed uint64, purpose string, counters ...uint64) uint64 {
	h := Mix(seed)
	for i := 0; i < len(purpose); i++ {
		h = Mix(h ^ uint64(purpose[i]))
	}
	h = Mix(h ^ uint64(len(purpose))<<32)
	for _, c := range counters {
		h = Mix(h ^ c)
	}
	return h
}

// New returns a generator for one purpose and its counters.
func New(seed uint64, purpose string, counters ...uint64) *rand.Rand {
	s := Seed(seed, purpose, counters...)
	return rand.New(rand.NewPCG(s, Mix(s)))
}
