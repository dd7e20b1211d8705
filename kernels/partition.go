package kernels

// Split returns into how many parts n items of work are divided when one part should
// have about grain items. It depends on the shape alone, never on the number of
// threads, so that results are the same bits for any number of threads.
func Split(n, grain int) int {
	if n <= 0 {
		return 0
	}
	return (n + grain - 1) / max(grain, 1)
}

// Range returns the half-open range of items of one part out of parts over n items.
// The ranges of all parts cover 0..n once; their lengths differ by at most one.
func Range(part, parts, n int) (lo, hi int) {
	return part * n / parts, (part + 1) * n / parts
}
