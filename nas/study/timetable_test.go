package study

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nasbench-go/nasbench/nas/space"
)

func TestTimetable(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	half := func(begun float64) runningTrial { return runningTrial{at(begun), 0.5} }
	none := timetable{start: start, limit: 100 * time.Second, reserve: 40 * time.Second}
	some := none
	some.complete, some.typical = true, 10*time.Second
	for _, c := range []struct {
		what         string
		table        timetable
		now          float64
		running      []runningTrial
		starts, over bool
	}{
		{"no limit", timetable{start: start}, 1e6, nil, true, false},
		{"the first trial, early", none, 59, nil, true, false},
		{"at the deadline without a result, what runs goes on", none, 61, []runningTrial{half(0)}, false, false},
		{"until the limit", none, 100, []runningTrial{half(50)}, false, true},
		{"a trial fits", some, 49, nil, true, false},
		{"a trial does not fit", some, 51, nil, false, false},
		{"the deadline", some, 60, nil, false, true},
		{"one that ends soon is waited for", some, 60, []runningTrial{half(52)}, false, false},
		{"one that ends too late is not", some, 60, []runningTrial{half(49)}, false, true},
		{"one that is soon over is enough", some, 60, []runningTrial{half(0), half(55)}, false, false},
		{"one of which nothing is known is not", some, 60, []runningTrial{{begun: at(59)}}, false, true},
		{"but not for ever", some, 70, []runningTrial{{at(60), 0.99}}, false, true},
	} {
		if starts, over := c.table.starts(at(c.now)), c.table.over(at(c.now), c.running); starts != c.starts || over != c.over {
			t.Errorf("%s: a trial starts: %t, the search is over: %t", c.what, starts, over)
		}
		if next, ok := c.table.wake(at(c.now)); ok && !c.over && !next.After(at(c.now)) {
			t.Errorf("%s: wakes at once", c.what)
		}
	}
	if got := need(at(10), []runningTrial{{at(0), 0}, {at(0), 0.1}, {at(5), 0.1}}); got != 50*time.Second {
		t.Errorf("a trial takes %v", got)
	}
}

// A trial that would be cut off is not begun.
func TestTrialsThatDoNotFitAreNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{mod: 0}, Time: 40 * time.Second})
		o.Trials, o.Evaluator = 0, fixed{4 * time.Second}
		begun, ended := 0, 0
		o.Observer = func(e Event) {
			switch e.Kind {
			case TrialStarted:
				begun++
			case TrialEnded:
				ended++
			}
		}
		o.Reserve = func(*Trial) time.Duration { return 10 * time.Second }
		out := mustRun(t, o)
		if out.Stop != StopTime || begun != 7 || ended != 7 || len(out.Trials) != 7 || out.Seconds != 28 {
			t.Errorf("%d begun, %d ended, %d on record, %q after %v s", begun, ended, len(out.Trials), out.Stop, out.Seconds)
		}
	})
}

// fixed takes so long for every trial.
type fixed struct{ takes time.Duration }

func (f fixed) Evaluate(ctx context.Context, job Job, _ func(Point) error) (Metrics, error) {
	select {
	case <-ctx.Done():
		return Metrics{}, ctx.Err()
	case <-time.After(f.takes):
	}
	return Metrics{ValAccuracy: float64(job.Index % 5), Params: 1, FLOPs: 2, MACs: 1, ActivationBytes: 4}, nil
}

// endless proposes in rounds of a million.
type endless struct {
	sweep
	asked int
}

func (*endless) Round() int { return 1_000_000 }
func (e *endless) Ask(n int) ([]space.Genome, error) {
	e.asked += n
	return e.sweep.Ask(n)
}

// A large round is asked for as it is needed, so that trials begin at once and an interruption is not waited for.
func TestLargeRoundsAreNotAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &endless{}
		o := filled(Options{Strategy: s, Space: numbers{}, Workers: 2})
		o.Trials = 10
		out := mustRun(t, o)
		if len(out.Trials) != 10 || s.asked != 10 {
			t.Errorf("%d trials, %d proposals", len(out.Trials), s.asked)
		}
	})
}

// stuck finds nothing until it is interrupted.
type stuck struct {
	sweep
	until func() error
}

func (s *stuck) Ask(int) ([]space.Genome, error) {
	for {
		if err := s.until(); err != nil {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLookingForProposalsIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		limited, stop := context.WithCancel(t.Context())
		defer stop()
		for want, until := range map[Stop]context.Context{StopTime: ctx, StopInterrupted: limited} {
			o := filled(Options{Strategy: &stuck{until: until.Err}, Space: numbers{}, Time: time.Hour})
			time.AfterFunc(2*time.Second, stop)
			run := t.Context()
			if want == StopInterrupted {
				run = limited
			}
			out, err := Run(run, o)
			if out == nil || out.Stop != want || (err != nil) != (want == StopInterrupted) {
				t.Errorf("%+v, %v; want %q", out, err, want)
			}
		}
	})
}
