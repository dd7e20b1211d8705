package bench

import (
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
)

func TestRoofline(t *testing.T) {
	r := Roofline{FLOPS: 100e9, Bandwidth: 10e9}
	compute := autograd.Work{FLOPs: 1e9, Bytes: 1e6}
	memory := autograd.Work{FLOPs: 1e6, Bytes: 1e9}
	if got := r.Least(compute); got != 10*time.Millisecond {
		t.Errorf("compute-bound work takes %v at least, want 10ms", got)
	}
	if got := r.Least(memory); got != 100*time.Millisecond {
		t.Errorf("memory-bound work takes %v at least, want 100ms", got)
	}
	if got := r.Share(memory, 200*time.Millisecond); got != 0.5 {
		t.Errorf("share %v, want 0.5", got)
	}
	if got := r.Share(memory, 0); got != 0 {
		t.Errorf("share of no time %v, want 0", got)
	}
}

// The rows of a profile account for all work and, with the time of one run each, for the time of a run.
func TestProfileProgram(t *testing.T) {
	for _, m := range Models() {
		m.Input[0] = 4
		for _, mode := range []Mode{Train, Infer} {
			t.Run(m.Name+"/"+string(mode), func(t *testing.T) {
				s := newSubject(t, m, mode, nil)
				stopped := 0
				p := ProfileProgram(s.Program(), time.Nanosecond, func() bool { stopped++; return false })
				if p.Runs != 3 || stopped != 3 {
					t.Errorf("%d runs, %d questions, want 3", p.Runs, stopped)
				}
				if got, want := p.Work(), s.Program().Work(); got.FLOPs != want.FLOPs || got.MACs != want.MACs {
					t.Errorf("work %+v, want %+v", got, want)
				}
				if p.PeakLive() <= 0 || p.PeakLive() > p.Arena {
					t.Errorf("%d bytes live of %d", p.PeakLive(), p.Arena)
				}
				layers := map[string]bool{}
				backward := false
				for _, r := range p.Rows {
					layers[r.Layer] = true
					backward = backward || r.Backward
					if r.Time < 0 || r.Op == "" || r.Shape == "" || r.Calls != 1 {
						t.Errorf("row %+v", r)
					}
				}
				if !layers["head"] {
					t.Errorf("no row for the classifier among %v", layers)
				}
				if backward != (mode == Train) {
					t.Errorf("backward rows: %v", backward)
				}
				for name, key := range map[string]func(ProfileRow) ProfileRow{"layer": ByLayer, "op": ByOp} {
					var sum Profile
					groups := p.Groups(key)
					for i, g := range groups {
						sum.Rows = append(sum.Rows, g)
						if i > 0 && g.Time > groups[i-1].Time {
							t.Errorf("by %s: row %d takes longer than the one before", name, i)
						}
					}
					if sum.Work() != p.Work() || len(groups) >= len(p.Rows) {
						t.Errorf("by %s: %d groups of %d rows with %+v", name, len(groups), len(p.Rows), sum.Work())
					}
				}
			})
		}
	}
}

func TestNewSubjectErrors(t *testing.T) {
	m := Models()[0]
	if _, err := NewSubject(m, "sleep", classes, nil, nil); err == nil {
		t.Error("an unknown mode is accepted")
	}
	m.Input[1] = 9 // the classifier wants 28x28
	if _, err := NewSubject(m, Train, classes, nil, nil); err == nil {
		t.Error("an image that does not fit is accepted")
	}
}
