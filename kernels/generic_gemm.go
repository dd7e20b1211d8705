package kernels

// Block sizes of GEMM in elements: a packed block of B (gemmKC x gemmNC) stays in
// the second-level cache while all rows of A pass over it; a block of transposed A
// (gemmMC x gemmKC) fits there beside it.
const (
	gemmKC = 256
	gemmNC = 256
	gemmMC = 32
)

func genericGEMMScratch(g *GEMM) int {
	kc := min(gemmKC, g.K)
	n := 0
	if !g.Packed {
		n = kc * roundUp(min(gemmNC, g.N))
	}
	if g.TransA {
		n += kc * min(gemmMC, g.M)
	}
	return n
}

func genericGEMM(g *GEMM, a, b, c, bias, scratch []float32) {
	genericGEMMAdd(g, a, b, c, bias, nil, scratch)
}

// genericGEMMAdd follows the loop nest of Goto and van de Geijn (2008): blocks of
// columns, blocks of the reduction, then rows. C begins as the residual.
func genericGEMMAdd(g *GEMM, a, b, c, bias, residual, scratch []float32) {
	if g.M <= 0 || g.N <= 0 {
		return
	}
	if residual != nil && !sameStart(residual, c) {
		genericCopyRows(c, g.LDC, residual, g.LDR, g.M, g.N)
	}
	if g.K <= 0 {
		gemmEmpty(g, c, bias)
		return
	}
	for jc := 0; jc < g.N; jc += gemmNC {
		nc := min(gemmNC, g.N-jc)
		for pc := 0; pc < g.K; pc += gemmKC {
			kc := min(gemmKC, g.K-pc)
			packed, rest := b, scratch
			if g.Packed {
				packed = b[packedBlock(g.LDB, roundUp, pc, kc, g.Column+jc):]
			} else {
				packed, rest = scratch[:kc*roundUp(nc)], scratch[kc*roundUp(nc):]
			}
			switch {
			case g.Packed:
			case g.TransB:
				packColumns(packed, b[jc*g.LDB+pc:], kc, nc, g.LDB, kc*panelWidth)
			default:
				packRows(packed, b[pc*g.LDB+jc:], kc, nc, g.LDB, kc*panelWidth)
			}
			e := gemmEpilogue{alpha: g.Alpha, beta: g.Beta}
			if pc > 0 {
				e.beta = 1
			}
			if pc+kc == g.K {
				e.relu = g.ReLU
				if bias != nil {
					e.bias = bias[jc : jc+nc]
				}
			}
			if !g.TransA {
				gemmBlock(a[pc:], packed, c[jc:], g.M, nc, kc, g.LDA, g.LDC, &e)
				continue
			}
			for ic := 0; ic < g.M; ic += gemmMC {
				mc := min(gemmMC, g.M-ic)
				rows := rest[:mc*kc]
				for p := range kc {
					for i, v := range a[(pc+p)*g.LDA+ic:][:mc] {
						rows[i*kc+p] = v
					}
				}
				gemmBlock(rows, packed, c[ic*g.LDC+jc:], mc, nc, kc, kc, g.LDC, &e)
			}
		}
	}
}

// packedBlock returns where the columns from j on of the rows pc..pc+kc of a packed matrix of so many columns start: it
// consists of blocks of rows, those of panels of columns.
func packedBlock(columns int, roundUp func(int) int, pc, kc, j int) int {
	return pc*roundUp(columns) + kc*j
}

func genericPackedGEMM(g *GEMM) int { return g.K * roundUp(g.N) }

func genericPackGEMM(g *GEMM, b, packed []float32) {
	for pc := 0; pc < g.K; pc += gemmKC {
		kc := min(gemmKC, g.K-pc)
		block := packed[pc*roundUp(g.N):][:kc*roundUp(g.N)]
		if g.TransB {
			packColumns(block, b[pc:], kc, g.N, g.LDB, kc*panelWidth)
		} else {
			packRows(block, b[pc*g.LDB:], kc, g.N, g.LDB, kc*panelWidth)
		}
	}
}

// sameStart reports whether two slices begin at one float.
func sameStart(a, b []float32) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// gemmEpilogue says how the product of one block enters C.
type gemmEpilogue struct {
	alpha, beta float32
	bias        []float32 // nil, or one float per column of the block
	relu        bool
}

// gemmBlock multiplies m rows of a by the packed panels of nc columns.
func gemmBlock(a, packed, c []float32, m, nc, kc, lda, ldc int, e *gemmEpilogue) {
	var acc [8]float32
	for i := 0; i < m; i += 2 {
		a0 := a[i*lda:][:kc]
		if i+1 == m {
			for j := 0; j < nc; j += panelWidth {
				acc = [8]float32{}
				tile1(&acc, a0, packed[j*kc:][:panelWidth*kc])
				e.store(c[i*ldc+j:i*ldc+min(j+panelWidth, nc)], acc[:4], j)
			}
			return
		}
		a1 := a[(i+1)*lda:][:kc]
		for j := 0; j < nc; j += panelWidth {
			end := min(j+panelWidth, nc)
			acc = [8]float32{}
			tile2(&acc, a0, a1, packed[j*kc:][:panelWidth*kc])
			e.store(c[i*ldc+j:i*ldc+end], acc[:4], j)
			e.store(c[(i+1)*ldc+j:(i+1)*ldc+end], acc[4:], j)
		}
	}
}

// store writes one row of a tile to c; j is its first column within the block.
func (e *gemmEpilogue) store(c, acc []float32, j int) {
	acc = acc[:len(c)]
	if e.beta == 0 { // C may hold anything, even NaN
		for i, v := range acc {
			c[i] = e.alpha * v
		}
	} else {
		for i, v := range acc {
			c[i] = e.alpha*v + e.beta*c[i]
		}
	}
	if e.bias != nil {
		for i, v := range e.bias[j : j+len(c)] {
			c[i] += v
		}
	}
	if e.relu {
		genericReLU(c, c)
	}
}

// gemmEmpty is the product over an empty reduction.
func gemmEmpty(g *GEMM, c, bias []float32) {
	e := gemmEpilogue{alpha: 0, beta: g.Beta, bias: bias, relu: g.ReLU}
	var zero [64]float32
	for i := range g.M {
		for j := 0; j < g.N; j += len(zero) {
			end := min(j+len(zero), g.N)
			e.store(c[i*g.LDC+j:i*g.LDC+end], zero[:end-j], j)
		}
	}
}
