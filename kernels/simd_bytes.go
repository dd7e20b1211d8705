//go:build amd64 && !purego

package kernels

import "github.com/nasbench-go/nasbench/internal/stream"

// The elements of the states of the mask routines.
var (
	maskOrderAVX2   = [16]uint8{0, 1, 4, 5, 2, 3, 6, 7}
	maskOrderAVX512 = [16]uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
)

// mask takes the finaliser of SplitMix64 apart: the states include its first step, and its factors are in the numbers.
func (s *simd) mask(dst, x []float32, key uint64, first int, keep float32) {
	x = x[:len(dst)]
	order := &maskOrderAVX512
	if s.level == AVX2 {
		order = &maskOrderAVX2
	}
	base := stream.Mix(key) + uint64(first)*golden
	var numbers [20]uint64
	copy(numbers[s.lanes:], []uint64{uint64(s.lanes) * golden, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, maskLimit(keep)})
	for i := 0; i < len(dst); i += mapChunk {
		for j := range s.lanes {
			numbers[j] = base + uint64(i+int(order[j])+1)*golden
		}
		s.mapMask(&dst[i], &x[i], &numbers[0], keep, min(mapChunk, len(dst)-i))
	}
}

// bytes repeats the parameters as maps of channels do.
func (s *simd) bytes(dst []float32, src []byte, scale, shift []float32, c int) {
	src = src[:len(dst)]
	scale, shift = scale[:c], shift[:c]
	if len(dst) == 0 {
		return
	}
	var room [2]mapRoom
	period := channelPeriod((len(dst)+c-1)/c, c)
	scale, shift = repeat(&room[0], scale, period), repeat(&room[1], shift, period)
	for i := 0; i < len(dst); i += period {
		n := min(period, len(dst)-i)
		whole := n / s.lanes * s.lanes
		if whole > 0 {
			s.mapBytes(&dst[i], &src[i], &scale[0], &shift[0], whole)
		}
		for j := whole; j < n; j++ {
			dst[i+j] = float32(float32(src[i+j])*scale[j]) + shift[j]
		}
	}
}
