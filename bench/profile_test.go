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

func TestRooflinesOfABusyMachine(t *testing.T) {
	for _, c := range []struct {
		all         Rooflines
		best, least Roofline
		calm        bool
	}{
		{nil, Roofline{}, Roofline{}, true},
		{Rooflines{{100, 10}}, Roofline{100, 10}, Roofline{100, 10}, true},
		{Rooflines{{100, 10}, {95, 9.5}, {101, 9}}, Roofline{101, 10}, Roofline{95, 9}, true},
		{Rooflines{{100, 10}, {72, 10}, {118, 11}}, Roofline{118, 11}, Roofline{72, 10}, false},
		{Rooflines{{100, 10}, {100, 5}}, Roofline{100, 10}, Roofline{100, 5}, false},
	} {
		if c.all.Best() != c.best || c.all.Least() != c.least || c.all.Calm() != c.calm {
			t.Errorf("%v: best %v, least %v, calm %v", c.all, c.all.Best(), c.all.Least(), c.all.Calm())
		}
	}
}

// The rows of a profile account for all work and, with the time of one run each, for the time of a run.
func TestProfileProgram(t *testing.T) {
	for _, m := range Models() {
		m.Input[0] = 2
		for _, mode := range []Mode{Train, Infer} {
			t.Run(m.Name+"/"+string(mode), func(t *testing.T) {
				s := newSubject(t, m, mode, nil)
				order := ""
				p := ProfileProgram(s.Program(), ProfileOptions{
					Length: time.Nanosecond, Break: func() { order += "b" }, Stop: func() bool { order += "r"; return false },
				})
				if p.Runs != 3 || order != "brbrbrb" {
					t.Errorf("%d runs, breaks and runs %s", p.Runs, order)
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

// A profile that is stopped ends with the run, breaks do not count as time, and the last one is always made.
func TestProfileStops(t *testing.T) {
	s := newSubject(t, Models()[0], Infer, nil)
	breaks, runs := 0, 0
	p := ProfileProgram(s.Program(), ProfileOptions{Length: time.Hour, Break: func() { breaks++ }, Stop: func() bool { runs++; return runs == 2 }})
	if p.Runs != 2 || breaks != 2 {
		t.Errorf("%d runs, %d breaks, want 2 and 2", p.Runs, breaks)
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
