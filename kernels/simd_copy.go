//go:build amd64 && !purego

package kernels

// copyFloats bounds what one call of a routine copies, so that it returns in well under a millisecond.
const copyFloats = 1 << 14

func (s *simd) copyRows(dst []float32, to int, src []float32, from, rows, c int) {
	if rows <= 0 || c <= 0 {
		return
	}
	dst, src = dst[:(rows-1)*to+c], src[:(rows-1)*from+c]
	step := max(1, copyFloats/c)
	for lo := 0; lo < rows; lo += step {
		n := min(step, rows-lo)
		d, x := dst[lo*to:], src[lo*from:]
		j := 0
		for _, vectors := range [...]int{4, 2, 1} {
			for ; c-j >= vectors*s.lanes; j += vectors * s.lanes {
				s.copyWhole(vectors, &d[j], &x[j], n, 4*to, 4*from)
			}
		}
		switch {
		case j == c:
		case s.level == AVX512:
			copyRowsAVX512Tail(&d[j], &x[j], n, 4*to, 4*from, c-j)
		case c > s.lanes: // masked stores are slow in AVX2, so the last vector overlaps the one before
			s.copyWhole(1, &d[c-s.lanes], &x[c-s.lanes], n, 4*to, 4*from)
		default:
			copyRowsAVX2Tail(&d[j], &x[j], n, 4*to, 4*from, c-j)
		}
	}
}

// copyWhole copies rows of whole vectors.
func (s *simd) copyWhole(vectors int, dst, src *float32, rows, to, from int) {
	switch {
	case s.level == AVX512 && vectors == 4:
		copyRowsAVX512x4(dst, src, rows, to, from)
	case s.level == AVX512 && vectors == 2:
		copyRowsAVX512x2(dst, src, rows, to, from)
	case s.level == AVX512:
		copyRowsAVX512x1(dst, src, rows, to, from)
	case vectors == 4:
		copyRowsAVX2x4(dst, src, rows, to, from)
	case vectors == 2:
		copyRowsAVX2x2(dst, src, rows, to, from)
	default:
		copyRowsAVX2x1(dst, src, rows, to, from)
	}
}
