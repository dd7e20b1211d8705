//go:build !purego

package kernels

// builtLevels returns the levels that this build has routines for, Generic first.
func builtLevels() []Level { return []Level{Generic, AVX2, AVX512} }

// override puts the routines of a built level above Generic into a table that holds
// the generic ones.
func override(l Level, t *Table) {
	s := &simdAVX2
	if l == AVX512 {
		s = &simdAVX512
	}
	t.GEMM, t.GEMMScratch = s.gemm, s.gemmScratch
	t.GEMMAdd, t.PackGEMM, t.PackedGEMM = s.gemmAdd, s.packGEMM, s.packedGEMM
	t.ConvForwardAdd, t.PackConv, t.PackedConv = s.convForwardAdd, s.packConv, s.packedConv
	t.ConvForward, t.ConvBackwardData, t.ConvBackwardWeights = s.convForward, s.convBackwardData, s.convBackwardWeights
	t.ConvScratch = s.convScratch
	s.overrideMaps(t)
	s.overrideReductions(t)
	s.overrideRows(t)
	s.overridePools(t)
	t.CopyRows = s.copyRows
	t.FMALoop = s.fmaLoop

	streaming, past := *t, *s
	past.lastCache = 0
	past.overrideMaps(&streaming)
	t.Streaming, t.LastCache = &streaming, 4*s.lastCache
}
