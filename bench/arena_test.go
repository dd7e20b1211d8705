package bench

import (
	"math"
	"testing"
)

// The planned memory of a training step is what it uses: a run writes to nearly all of the arena, and the values that are needed at the same time nearly fill it.
func TestPlannedMemoryIsUsed(t *testing.T) {
	const pattern = 0x7fa5a5a5 // a NaN that no operation makes
	for _, m := range Models() {
		m.Input[0] = 4
		s, err := NewSubject(m, Train, 10, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Program()
		arena := p.Arena()
		for _, piece := range arena {
			for i := range piece {
				piece[i] = math.Float32frombits(pattern)
			}
		}
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		touched := 0
		for _, piece := range arena {
			for _, v := range piece {
				if math.Float32bits(v) != pattern {
					touched++
				}
			}
		}
		live := int64(0)
		for _, b := range p.LiveBytes() {
			live = max(live, b)
		}
		used, packed := float64(4*touched)/float64(p.ArenaBytes()), float64(live)/float64(p.ArenaBytes())
		t.Logf("%s: %.1f MB, %.1f %% written to, %.1f %% needed at the same time", m.Name, float64(p.ArenaBytes())/1e6, 100*used, 100*packed)
		if used < 0.95 {
			t.Errorf("%s: %.1f %% of the planned memory is used", m.Name, 100*used)
		}
	}
}
