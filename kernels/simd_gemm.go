//go:build amd64 && !purego

package kernels

// Block sizes of GEMM: a packed block of B (simdKC x simdNC) stays in the second-level
// cache while all rows of A pass over it; a tile of A (simdKC deep) stays in the first
// while the panels of B pass over it.
const (
	simdKC = 384
	simdNC = 256
	simdMC = 112
)

// Rows of A whose distance in floats is a multiple of simdAliasA share the sets of the
// first-level cache. A tile of more rows than a set has lines (8 to 12 on amd64) would
// drop its own rows, so such blocks of A are copied; for tiles of fewer it does not pay.
const (
	simdAliasA = 1024
	simdWaysL1 = 8
)

// gemmPlan says what is packed and how the reduction is cut, by shape alone. The cuts
// depend on K only, so that results do not depend on how rows are divided.
type gemmPlan struct {
	kc           int // longest block of the reduction
	packA, packB bool
}

func (s *simd) gemmPlan(g *GEMM) gemmPlan {
	blocks := (g.K + simdKC - 1) / simdKC
	aliased := g.LDA%simdAliasA == 0 && s.rows[2] > simdWaysL1
	packRows := s.packRows
	if g.LDB%simdAliasA == 0 {
		packRows = s.packRowsAliased
	}
	return gemmPlan{
		kc:    (g.K + blocks - 1) / max(blocks, 1),
		packA: (g.TransA || aliased) && g.N > s.width(),
		packB: !g.Packed && (g.TransB || g.M > packRows),
	}
}

func (s *simd) gemmScratch(g *GEMM) int {
	if g.K <= 0 {
		return 0
	}
	p := s.gemmPlan(g)
	n := 0
	if p.packB {
		n += p.kc * s.roundUp(min(simdNC, g.N))
	}
	if p.packA {
		n += p.kc * min(simdMC, g.M)
	}
	return n
}

func (s *simd) gemm(g *GEMM, a, b, c, bias, scratch []float32) {
	s.gemmAdd(g, a, b, c, bias, nil, scratch)
}

// gemmAdd follows the loop nest of Goto and van de Geijn (2008): blocks of columns,
// blocks of the reduction, blocks of rows. C begins as the residual: tiles read it in place of C if its rows are as far apart, else rows of it are
// copied just before they are computed.
func (s *simd) gemmAdd(g *GEMM, a, b, c, bias, residual, scratch []float32) {
	if g.M <= 0 || g.N <= 0 {
		return
	}
	if residual != nil {
		if sameStart(residual, c) || g.Beta == 0 {
			residual = nil
		} else {
			_ = residual[lastElement(false, g.M, g.N, g.LDR)]
		}
	}
	if g.K <= 0 {
		if residual != nil {
			s.copyRows(c, g.LDC, residual, g.LDR, g.M, g.N)
		}
		gemmEmpty(g, c, bias)
		return
	}
	_ = a[lastElement(g.TransA, g.M, g.K, g.LDA)]
	if g.Packed {
		_ = b[g.K*s.roundUp(g.LDB)-1]
	} else {
		_ = b[lastElement(g.TransB, g.K, g.N, g.LDB)]
	}
	_ = c[lastElement(false, g.M, g.N, g.LDC)]
	if bias != nil {
		bias = bias[:g.N]
	}
	plan := s.gemmPlan(g)
	packedB := 0
	if plan.packB {
		packedB = plan.kc * s.roundUp(min(simdNC, g.N))
	}
	blockB, blockA := scratch[:packedB], scratch[packedB:]

	var piece tilePiece
	t := tile{pieces: &piece, alpha: g.Alpha, cRow: 4 * g.LDC}
	for jc := 0; jc < g.N; jc += simdNC {
		nc := min(simdNC, g.N-jc)
		for pc := 0; pc < g.K; pc += plan.kc {
			kc := min(plan.kc, g.K-pc)
			t.length = kc
			s.gemmEpilogue(g, &t, pc == 0, pc+kc == g.K, bias != nil)
			m := matrixB{b: blockB, packed: plan.packB}
			t.from = 0
			switch {
			case g.Packed:
				m.b, m.packed = b[packedBlock(g.LDB, s.roundUp, pc, kc, g.Column+jc):], true
			case g.TransB:
				s.packTransposed(blockB, b[jc*g.LDB+pc:], 0, kc, kc, nc, g.LDB)
			case plan.packB:
				s.packPanels(blockB, b[pc*g.LDB+jc:], kc, nc, g.LDB)
			default:
				m.b, m.ld = b[pc*g.LDB+jc:], g.LDB
			}
			if bias != nil {
				m.bias = bias[jc : jc+nc]
			}
			switch {
			case residual == nil || pc > 0:
			case g.LDR == g.LDC:
				t.from = bytesBetween(c, residual)
			default:
				m.residual, m.ldr, m.ldc = residual[jc:], g.LDR, g.LDC
			}
			if !plan.packA {
				t.aRow, t.aStep = 4*g.LDA, 4
				at := pc
				if g.TransA {
					t.aRow, t.aStep = 4, 4*g.LDA
					at = pc * g.LDA
				}
				s.gemmRows(&t, &a[at], c[jc:], &m, g.M, nc, kc)
				continue
			}
			for ic := 0; ic < g.M; ic += simdMC {
				mc := min(simdMC, g.M-ic)
				if g.TransA {
					for p := range kc {
						copy(blockA[p*mc:][:mc], a[(pc+p)*g.LDA+ic:])
					}
					t.aRow, t.aStep = 4, 4*mc
				} else {
					for i := range mc {
						copy(blockA[i*kc:][:kc], a[(ic+i)*g.LDA+pc:])
					}
					t.aRow, t.aStep = 4*kc, 4
				}
				s.gemmRows(&t, &blockA[0], c[ic*g.LDC+jc:], &m, mc, nc, kc)
				if m.residual != nil && ic+mc < g.M {
					m.residual = m.residual[mc*g.LDR:]
				}
			}
		}
	}
}

// matrixB is a block of B as it is or packed, the bias of its columns, and what C begins as.
type matrixB struct {
	b, bias  []float32
	ld       int
	packed   bool
	residual []float32 // nil if it is there already
	ldr, ldc int
}

// begin copies columns first..last of rows lo..hi of the residual to C.
func (b *matrixB) begin(s *simd, c []float32, lo, hi, first, last int) {
	if b.residual != nil && first < last {
		s.copyRows(c[lo*b.ldc+first:], b.ldc, b.residual[lo*b.ldr+first:], b.ldr, hi-lo, last-first)
	}
}

// residualRows is the number of rows of a residual that are copied at once.
const residualRows = 168

// gemmEpilogue sets what happens to the product of one block of the reduction.
func (s *simd) gemmEpilogue(g *GEMM, t *tile, first, last, bias bool) {
	t.flags, t.beta = 0, 1
	if first {
		t.beta = g.Beta
	}
	if g.Alpha != 1 {
		t.flags |= tileAlpha
	}
	if t.beta != 0 { // else C may hold anything, even NaN
		t.flags |= tileBeta
	}
	if last && bias {
		t.flags |= tileBias
	}
	if last && g.ReLU {
		t.flags |= tileReLU
	}
}

// gemmRows multiplies m rows of A by the panels of nc columns of B.
func (s *simd) gemmRows(t *tile, a *float32, c []float32, b *matrixB, m, nc, kc int) {
	columns := func(j int) int {
		vectors, tail := s.panel(j, nc)
		at := j
		t.bStep = 4 * b.ld
		if b.packed {
			at = j * kc
			t.bStep = 4 * vectors * s.lanes
		}
		t.b, t.tail = &b.b[at], tail
		if b.bias != nil {
			t.bias = &b.bias[j]
		}
		return vectors
	}
	last := nc // start of a panel of one vector
	if rest := nc % s.width(); rest > 0 && rest <= s.lanes {
		last = nc - rest
	}
	tiles := (m + s.rows[2] - 1) / s.rows[2]
	step := (m + tiles - 1) / tiles
	for i := 0; i < m; i += step {
		b.begin(s, c, i, min(i+step, m), 0, last)
		for j := 0; j < last; {
			vectors, count := columns(j), 1
			if t.tail == s.lanes { // more whole panels follow
				count = min(s.together(kc), (last-j)/s.width())
				t.aTile, t.bTile, t.cTile, t.biasTile = 0, 4*s.width(), 4*s.width(), 4*s.width()
				if b.packed {
					t.bTile *= kc
				}
			}
			s.tiles(t, addBytes(a, i*t.aRow), addBytes(&c[0], i*t.cRow+4*j), min(step, m-i), vectors, 1, count)
			j += count * s.width()
		}
	}
	if last == nc {
		return
	}
	step = m
	if b.residual != nil {
		step = residualRows
	}
	vectors := columns(last)
	for i := 0; i < m; i += step {
		b.begin(s, c, i, min(i+step, m), last, nc)
		s.strip(t, addBytes(a, i*t.aRow), addBytes(&c[0], i*t.cRow+4*last), min(step, m-i), vectors, 1)
	}
}

// lastElement returns the index of the last element of op(X), rows x cols.
func lastElement(trans bool, rows, cols, ld int) int {
	if trans {
		rows, cols = cols, rows
	}
	return (rows-1)*ld + cols - 1
}

func (s *simd) packedGEMM(g *GEMM) int { return g.K * s.roundUp(g.N) }

func (s *simd) packGEMM(g *GEMM, b, packed []float32) {
	if g.N <= 0 || g.K <= 0 {
		return
	}
	plan := s.gemmPlan(g)
	for pc := 0; pc < g.K; pc += plan.kc {
		kc := min(plan.kc, g.K-pc)
		block := packed[packedBlock(g.N, s.roundUp, pc, kc, 0):][:kc*s.roundUp(g.N)]
		if g.TransB {
			s.packTransposed(block, b[pc:], 0, kc, kc, g.N, g.LDB)
		} else {
			s.packPanels(block, b[pc*g.LDB:], kc, g.N, g.LDB)
		}
	}
}
