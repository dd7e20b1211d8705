package study

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Interrupting a search at each of its events, and going on, leaves the same record as
// never having interrupted it.
func TestInterruptionAnywhereLeavesNoTrace(t *testing.T) {
	for _, c := range searches {
		t.Run(c.name, func(t *testing.T) {
			events, want := 0, ""
			synctest.Test(t, func(t *testing.T) {
				o := filled(c.make(t))
				o.Observer = func(Event) { events++ }
				want = text(t, mustRun(t, o).Trials)
			})
			for _, workers := range []int{1, 3} {
				for at := 1; at < events; at++ {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						o := filled(c.make(t))
						o.Workers = workers
						seen := 0
						o.Observer = func(Event) {
							if seen++; seen == at {
								cancel()
							}
						}
						out, err := Run(ctx, o)
						if err == nil && len(out.Trials) == o.Trials {
							return // cancelled when all was done
						}
						if !errors.Is(err, ErrInterrupted) || out.Stop != StopInterrupted {
							t.Fatalf("event %d: %v", at, err)
						}
						again := filled(c.make(t))
						again.Store, again.Workers = o.Store, 4-workers
						if got := text(t, mustRun(t, again).Trials); got != want {
							t.Fatalf("interrupted at event %d of %d:\n%s\nwant:\n%s", at, events, got, want)
						}
					})
				}
			}
		})
	}
}

func TestAHigherLimitGoesOnAsIfItHadBeenThereFromTheStart(t *testing.T) {
	for _, c := range searches {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := text(t, mustRun(t, filled(c.make(t))).Trials)
				store := &Memory{}
				for limit := 1; limit <= 14; limit += 3 {
					o := filled(c.make(t))
					o.Store, o.Trials = store, limit
					if out := mustRun(t, o); len(out.Trials) != limit {
						t.Fatalf("%d trials, want %d", len(out.Trials), limit)
					}
				}
				o := filled(c.make(t))
				o.Store = store
				if got := text(t, mustRun(t, o).Trials); got != want {
					t.Fatalf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		})
	}
}

func TestAFinishedStudyIsNotEvaluatedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
		first := mustRun(t, o)
		o.Strategy = &sweep{}
		o.Evaluator = evaluatorFunc(func() (Metrics, error) { return Metrics{}, errors.New("evaluated") })
		again := mustRun(t, o)
		if again.Best == nil || again.Best.Index != first.Best.Index || len(again.Trials) != 14 {
			t.Errorf("%d trials, best %v", len(again.Trials), again.Best)
		}
	})
}

func TestAStudyOfAnotherSearchIsRefused(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"trial 0 is on record as p0, but strategy sweep now proposes p1", func(o *Options) { o.Strategy = &sweep{next: 1} }},
		{"trial 0 is on record with seed", func(o *Options) { o.Seed++ }},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
			mustRun(t, o)
			o.Strategy = &sweep{}
			c.change(&o)
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

// failing is a store that breaks at one trial.
type failing struct {
	Memory
	at int
}

var errDisk = errors.New("disk full")

func (f *failing) Append(t Trial) error {
	if t.Index == f.at {
		return errDisk
	}
	return f.Memory.Append(t)
}

func TestATrialThatCannotBeRecordedEndsTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Workers: 2})
		o.Store = &failing{at: 5}
		out, err := Run(t.Context(), o)
		if !errors.Is(err, errDisk) || out.Stop != StopError || len(out.Trials) > 7 {
			t.Errorf("%v, %d trials", err, len(out.Trials))
		}
	})
}

func TestTimeCutsTrialsOffAndResumesThem(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			want := text(t, mustRun(t, filled(Options{Strategy: &sweep{}, Space: numbers{}})).Trials)
			store := &Memory{}
			const limit = 25*time.Second + time.Millisecond // no trial ends just then
			calls, stopped := 0, 0
			for {
				o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Workers: workers, Time: limit})
				o.Store = store
				o.Observer = func(e Event) {
					if e.Kind == TrialEnded && e.Trial.State == Stopped {
						stopped++
					}
				}
				start := time.Now()
				out := mustRun(t, o)
				if took := time.Since(start); took > limit || out.Seconds != took.Seconds() {
					t.Fatalf("took %v, reported %v s", took, out.Seconds)
				}
				calls++
				if out.Stop == StopTrials {
					break
				}
				if out.Stop != StopTime {
					t.Fatalf("stopped by %q", out.Stop)
				}
			}
			trials, _ := store.Trials()
			if got := text(t, trials); got != want || calls < 2 || stopped == 0 {
				t.Fatalf("%d calls, %d trials cut off by %d workers, got:\n%s\nwant:\n%s", calls, stopped, workers, got, want)
			}
		})
	}
}

// A limit is kept even if nothing comes of it, and what one trial would take is known.
func TestATimeTooShortForATrialIsKept(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			o := filled(Options{Strategy: &sweep{next: 1}, Space: numbers{}, Workers: workers, Time: 5 * time.Second})
			out := mustRun(t, o) // the first of three epochs of 2 s and more
			if out.Stop != StopTime || len(out.Trials) != 0 || out.Best != nil || out.Seconds != 5 || out.Need < 6*time.Second || out.Need > 8*time.Second {
				t.Errorf("%d trials, best %v, %v s, one takes %v", len(out.Trials), out.Best, out.Seconds, out.Need)
			}
		})
	}
}

func TestTimeEndsTrialsThatTakeForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Time: 50 * time.Second})
		o.Trials, o.Evaluator = 0, fake{pace: time.Hour}
		if out := mustRun(t, o); out.Stop != StopTime || len(out.Trials) != 0 || out.Seconds != 50 || out.Need != 0 {
			t.Errorf("stopped by %q with %d trials after %v s", out.Stop, len(out.Trials), out.Seconds)
		}
	})
}

func TestTimeEndsASearchInWhichEveryTrialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Time: 30 * time.Second})
		o.Trials = 0
		o.Evaluator = fake{pace: time.Second, nan: multipleOf(1)}
		out := mustRun(t, o)
		if out.Stop != StopTime || out.Best != nil || len(out.Trials) == 0 || out.Seconds > 37 {
			t.Errorf("stopped by %q, %d trials, %v s", out.Stop, len(out.Trials), out.Seconds)
		}
	})
}

func TestReserveIsKeptBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Time: 60 * time.Second})
		o.Trials = 0
		asked, improved := 0, 0
		best := -1
		o.Observer = func(e Event) {
			if e.Best != nil && e.Best.Index != best {
				best = e.Best.Index
				improved++
			}
		}
		o.Reserve = func(best *Trial) time.Duration {
			asked++
			if best == nil {
				return 10 * time.Second
			}
			return 35 * time.Second
		}
		if out := mustRun(t, o); out.Stop != StopTime || out.Seconds < 18 || out.Seconds > 25+0.25*35 || asked != 1+improved || improved == 0 {
			t.Errorf("stopped by %q after %v s", out.Stop, out.Seconds)
		}
	})
}
