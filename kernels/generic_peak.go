package kernels

// genericFMALoop adds to eight sums in registers; their dependencies leave room for as many multiply-adds at a time as
// plain Go can start.
func genericFMALoop(rounds int) (flops int) {
	var s0, s1, s2, s3, s4, s5, s6, s7, a, b float32
	for range rounds {
		s0 += a * b
		s1 += a * b
		s2 += a * b
		s3 += a * b
		s4 += a * b
		s5 += a * b
		s6 += a * b
		s7 += a * b
		a += s0 // so that the products cannot be computed once and for all
	}
	if s0+s1+s2+s3+s4+s5+s6+s7 != 0 {
		return 0 // never: it is here to use the sums
	}
	return rounds * 8 * 2
}
