package kernels

// Matrix products and convolutions share one micro-kernel: a tile of one or two
// rows of A by a panel of four columns of B, whose accumulators stay in registers
// over the whole reduction. Eight accumulators, four values of B and two of A fill
// the sixteen floating-point registers of amd64; a larger tile spills.
//
// Each accumulator adds its products in order of the reduction index, whatever the
// number of rows, so that a result does not depend on how rows are paired.

// panelWidth is the number of columns of B that are packed side by side.
const panelWidth = 4

// roundUp returns the smallest multiple of panelWidth that is at least n.
func roundUp(n int) int { return (n + panelWidth - 1) &^ (panelWidth - 1) }

// tile2 adds a0*b to acc[0:4] and a1*b to acc[4:8], where b is a panel of
// len(a0) rows of four floats and a1 is as long as a0.
func tile2(acc *[8]float32, a0, a1, b []float32) {
	c00, c01, c02, c03 := acc[0], acc[1], acc[2], acc[3]
	c10, c11, c12, c13 := acc[4], acc[5], acc[6], acc[7]
	a1 = a1[:len(a0)]
	for i, x := range a0 {
		y := a1[i]
		w := b[4*i : 4*i+4 : 4*i+4]
		// Loading the row first keeps the compiler from spilling an accumulator.
		b0, b1, b2, b3 := w[0], w[1], w[2], w[3]
		c00 += x * b0
		c10 += y * b0
		c01 += x * b1
		c11 += y * b1
		c02 += x * b2
		c12 += y * b2
		c03 += x * b3
		c13 += y * b3
	}
	acc[0], acc[1], acc[2], acc[3] = c00, c01, c02, c03
	acc[4], acc[5], acc[6], acc[7] = c10, c11, c12, c13
}

// tile1 adds a*b to acc[0:4].
func tile1(acc *[8]float32, a, b []float32) {
	c0, c1, c2, c3 := acc[0], acc[1], acc[2], acc[3]
	for i, x := range a {
		w := b[4*i : 4*i+4 : 4*i+4]
		c0 += x * w[0]
		c1 += x * w[1]
		c2 += x * w[2]
		c3 += x * w[3]
	}
	acc[0], acc[1], acc[2], acc[3] = c0, c1, c2, c3
}

// packRows copies n columns of rows of b, ldb apart, into panels of four columns:
// panel p starts at p*panelStride and holds the rows one after the other. Columns
// past n are zero.
func packRows(dst, b []float32, rows, n, ldb, panelStride int) {
	for j := 0; j < n; j += panelWidth {
		d := dst[j/panelWidth*panelStride:][:rows*panelWidth]
		if j+panelWidth <= n {
			for i := 0; i < rows; i++ {
				*(*[4]float32)(d[4*i:]) = [4]float32(b[i*ldb+j:])
			}
			continue
		}
		for i := 0; i < rows; i++ {
			out := d[4*i : 4*i+4]
			clear(out)
			copy(out, b[i*ldb+j:i*ldb+n])
		}
	}
}

// packColumns packs like packRows from the transpose: column j of the result is
// row j of b.
func packColumns(dst, b []float32, rows, n, ldb, panelStride int) {
	for j := 0; j < n; j += panelWidth {
		d := dst[j/panelWidth*panelStride:][:rows*panelWidth]
		if n-j < panelWidth {
			clear(d)
		}
		for jj := range min(panelWidth, n-j) {
			src := b[(j+jj)*ldb:][:rows]
			for i, v := range src {
				d[4*i+jj] = v
			}
		}
	}
}

// put4 stores the four results of a row of a tile.
func put4(dst []float32, a, b, c, d float32) {
	dst = dst[:4]
	dst[0], dst[1], dst[2], dst[3] = a, b, c, d
}
