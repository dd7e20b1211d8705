//go:build amd64 && !purego

package kernels

// peakRounds bounds the rounds of one call, so that it returns in well under a millisecond.
const peakRounds = 1 << 12

// fmaLoop calls the loop of the level.
func (s *simd) fmaLoop(rounds int) (flops int) {
	for left := rounds; left > 0; left -= peakRounds {
		if s.level == AVX512 {
			peakAVX512(min(left, peakRounds))
		} else {
			peakAVX2(min(left, peakRounds))
		}
	}
	// 12 sums, 4 times in a round, a multiplication and an addition in each lane.
	return max(rounds, 0) * 12 * 4 * 2 * s.lanes
}
