package kernels

import "testing"

func TestFMALoop(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		if got := table.FMALoop(0); got != 0 {
			t.Errorf("no rounds are %d FLOPs", got)
		}
		one := table.FMALoop(1)
		if one < 16 || one%16 != 0 {
			t.Errorf("one round is %d FLOPs, want a multiple of 16", one)
		}
		if got := table.FMALoop(100000); got != 100000*one {
			t.Errorf("100000 rounds are %d FLOPs, one is %d", got, one)
		}
	})
}

func BenchmarkFMALoop(b *testing.B) {
	forEachLevelBench(b, "fma", func(b *testing.B, table *Table) {
		flops := 0
		for b.Loop() {
			flops += table.FMALoop(1000)
		}
		b.ReportMetric(float64(flops)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}
