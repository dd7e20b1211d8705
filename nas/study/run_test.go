package study

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// searches are the kinds of search that the properties below hold for.
var searches = []struct {
	name string
	make func(t *testing.T) Options
}{
	{"no rounds", func(*testing.T) Options {
		return Options{Strategy: &sweep{}, Space: numbers{}}
	}},
	{"no rounds, repetitions", func(*testing.T) Options {
		return Options{Strategy: &sweep{}, Space: numbers{mod: 5}}
	}},
	{"rounds", func(t *testing.T) Options {
		return Options{Strategy: &learner{t: t, round: 4}, Space: numbers{}}
	}},
	{"rounds in pieces, repetitions", func(t *testing.T) Options {
		return Options{Strategy: &learner{t: t, round: 5, limit: 2}, Space: numbers{mod: 9}}
	}},
	{"pruner, no rounds", func(*testing.T) Options {
		return Options{Strategy: &sweep{}, Space: numbers{}, Pruner: MedianPruner(0, 2)}
	}},
	{"pruner, rounds", func(t *testing.T) Options {
		return Options{Strategy: &learner{t: t, round: 3}, Space: numbers{mod: 50}, Pruner: MedianPruner(1, 2)}
	}},
}

// filled completes the options: 14 trials of three epochs, some of which fail.
func filled(o Options) Options {
	o.Store, o.Trials, o.Epochs, o.Seed = &Memory{}, 14, 3, 11
	o.Evaluator = fake{pace: time.Second, nan: multipleOf(6)}
	return o
}

func TestAnyNumberOfWorkersGivesTheSameTrials(t *testing.T) {
	for _, c := range searches {
		t.Run(c.name, func(t *testing.T) {
			want := ""
			for _, workers := range []int{0, 1, 2, 5, 20} {
				synctest.Test(t, func(t *testing.T) {
					o := filled(c.make(t))
					o.Workers = workers
					out := mustRun(t, o)
					got := text(t, out.Trials)
					if len(out.Trials) != 14 || out.Stop != StopTrials {
						t.Fatalf("%d trials, stopped by %q", len(out.Trials), out.Stop)
					}
					if want == "" {
						want = got
					}
					if got != want {
						t.Fatalf("%d workers:\n%s\none worker:\n%s", workers, got, want)
					}
				})
			}
		})
	}
}

func TestPruningHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Pruner: MedianPruner(0, 2)})
		pruned := 0
		for _, trial := range mustRun(t, o).Trials {
			if trial.State == Pruned {
				pruned++
				if trial.Index < pruningRound {
					t.Errorf("trial %d was pruned in the first round", trial.Index)
				}
				if trial.Metrics.Epochs != len(trial.Curve) || len(trial.Curve) == 3 || !strings.Contains(trial.Reason, "median") {
					t.Errorf("pruned trial %d: %d epochs, %d points, reason %q", trial.Index, trial.Metrics.Epochs, len(trial.Curve), trial.Reason)
				}
			}
		}
		if pruned == 0 {
			t.Error("no trial was pruned")
		}
	})
}

// Without rounds no worker waits for a slower one: a trial starts at the instant at which another ends.
func TestWithoutRoundsEveryWorkerIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		var free time.Time // when a worker last became free
		started := 0
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Workers: workers})
		o.Evaluator = fake{pace: time.Second}
		o.Observer = func(e Event) {
			switch e.Kind {
			case TrialStarted:
				if started++; started > workers && !time.Now().Equal(free) {
					t.Errorf("trial %d starts %v after a worker became free", e.Index, time.Since(free))
				}
			case TrialEnded:
				free = time.Now()
			}
		}
		mustRun(t, o)
		if started <= workers {
			t.Errorf("only %d trials", started)
		}
	})
}

func TestRepetitionsAreNotEvaluated(t *testing.T) {
	for _, workers := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			evaluated := make(chan int, 100)
			o := filled(Options{Strategy: &sweep{}, Space: numbers{mod: 3}, Workers: workers})
			o.Evaluator = fake{pace: time.Second, nan: func(p int) bool { return p == 1 }, seen: func(j Job) { evaluated <- j.Index }}
			out := mustRun(t, o)
			if len(evaluated) != 3 {
				t.Fatalf("%d evaluations of 3 networks", len(evaluated))
			}
			for i, trial := range out.Trials {
				origin := out.Trials[i%3]
				if i < 3 {
					if trial.ReusedFrom != nil {
						t.Errorf("trial %d is a repetition", i)
					}
					continue
				}
				if trial.ReusedFrom == nil || *trial.ReusedFrom != origin.Index {
					t.Fatalf("trial %d does not repeat trial %d", i, origin.Index)
				}
				if trial.State != origin.State || trial.Reason != origin.Reason || (trial.Metrics == nil) != (i%3 == 1) {
					t.Errorf("trial %d: %s %q, first was %s %q", i, trial.State, trial.Reason, origin.State, origin.Reason)
				}
				if trial.Genome != fmt.Sprintf("p%d", i) || trial.Timing.Seconds != 0 {
					t.Errorf("trial %d: genome %s, %v seconds", i, trial.Genome, trial.Timing.Seconds)
				}
			}
			if board := Leaderboard(out.Trials, 0); len(board) != 2 {
				t.Errorf("the leaderboard has %d entries", len(board))
			}
		})
	}
}

func TestFailuresDoNotEndTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Workers: 2})
		o.Evaluator = fake{
			nan:  multipleOf(4),
			fail: func(p int) error { return failIf(p%4 == 1, fmt.Errorf("wrapped: %w", &Failure{Reason: "too heavy"})) },
		}
		out := mustRun(t, o)
		for i, trial := range out.Trials {
			want, reason := Complete, ""
			switch i % 4 {
			case 0:
				want, reason = Failed, "train loss is NaN at epoch 1"
			case 1:
				want, reason = Failed, "too heavy"
			}
			if trial.State != want || trial.Reason != reason || (trial.Metrics == nil) != (want == Failed) {
				t.Errorf("trial %d: %s, %q", i, trial.State, trial.Reason)
			}
		}
	})
}

func failIf(condition bool, err error) error {
	if condition {
		return err
	}
	return nil
}

func TestMetricsThatAreNotFiniteFailTheTrial(t *testing.T) {
	o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
	o.Trials = 1
	zero := 0.0
	o.Evaluator = evaluatorFunc(func() (Metrics, error) {
		return Metrics{Other: map[string]float64{"latency": 1 / zero, "energy": 1}}, nil
	})
	trial := mustRun(t, o).Trials[0]
	if trial.State != Failed || trial.Reason != "latency is infinite" {
		t.Errorf("%s, %q", trial.State, trial.Reason)
	}
}

type evaluatorFunc func() (Metrics, error)

func (f evaluatorFunc) Evaluate(context.Context, Job, func(Point) error) (Metrics, error) { return f() }

func TestOtherErrorsEndTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the data set is gone")
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}, Workers: 3})
		o.Evaluator = fake{pace: time.Second, fail: func(p int) error { return failIf(p == 7, broken) }}
		out, err := Run(t.Context(), o)
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "trial 7, p7") {
			t.Fatalf("error %v", err)
		}
		if out.Stop != StopError || len(out.Trials) == 0 || len(out.Trials) > 10 {
			t.Errorf("stopped by %q with %d trials", out.Stop, len(out.Trials))
		}
		for _, trial := range out.Trials {
			if trial.State != Complete {
				t.Errorf("trial %d is on record as %s", trial.Index, trial.State)
			}
		}
	})
}

// odd is a strategy that misbehaves.
type odd struct {
	sweep
	ask func(n int) ([]space.Genome, error)
}

func (o *odd) Ask(n int) ([]space.Genome, error) { return o.ask(n) }

type foreign struct{ point }

func TestMisbehavingStrategiesAreErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		ask  func(n int) ([]space.Genome, error)
	}{
		{"proposed 0", func(int) ([]space.Genome, error) { return nil, nil }},
		{"proposed 2", func(int) ([]space.Genome, error) { return []space.Genome{point(1), point(2)}, nil }},
		{"no luck", func(int) ([]space.Genome, error) { return nil, errors.New("no luck") }},
		{"not of the space", func(int) ([]space.Genome, error) { return []space.Genome{foreign{}}, nil }},
	} {
		o := filled(Options{Strategy: &odd{ask: c.ask}, Space: numbers{}})
		out, err := Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Stop != StopError {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestAnExhaustedStrategyEndsTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := filled(Options{Strategy: &sweep{end: 5}, Space: numbers{}, Workers: 2})
		if out := mustRun(t, o); out.Stop != StopExhausted || len(out.Trials) != 5 {
			t.Errorf("stopped by %q with %d trials", out.Stop, len(out.Trials))
		}
	})
}

func TestBudgetsAreChecked(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"epochs", func(o *Options) { o.Epochs = 0 }},
		{"epochs", func(o *Options) { o.Epochs = -1 }},
		{"trials", func(o *Options) { o.Trials = -1 }},
		{"time", func(o *Options) { o.Time = -time.Second }},
		{"neither", func(o *Options) { o.Trials = 0 }},
		{"workers", func(o *Options) { o.Workers = -2 }},
		{"needed", func(o *Options) { o.Store = nil }},
	} {
		o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
		c.change(&o)
		if out, err := Run(t.Context(), o); err == nil || out != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

func TestEventsTellTheStoryOfEachTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		story := map[int]string{}
		best := -1.0
		o := filled(Options{Strategy: &sweep{}, Space: numbers{mod: 13}, Workers: 3})
		o.Observer = func(e Event) {
			story[e.Index] += [...]string{"start ", "step ", "epoch ", "end "}[e.Kind]
			if e.Genome != fmt.Sprintf("p%d", e.Index) {
				t.Errorf("trial %d has genome %s", e.Index, e.Genome)
			}
			if e.Kind == TrialEnded && e.Best != nil {
				if e.Best.Metrics.ValAccuracy < best {
					t.Error("the best got worse")
				}
				best = e.Best.Metrics.ValAccuracy
			}
		}
		out := mustRun(t, o)
		for i := range 14 {
			want := "start step epoch step epoch step epoch end "
			switch i {
			case 0, 6, 12: // the loss is NaN
				want = "start step end "
			case 13: // a repetition of 0
				want = "end "
			}
			if story[i] != want {
				t.Errorf("trial %d: %s", i, story[i])
			}
		}
		if b := Leaderboard(out.Trials, 1)[0]; out.Best.Index != b.Index || best != b.Metrics.ValAccuracy {
			t.Errorf("best is trial %d, the leaderboard has %d", out.Best.Index, b.Index)
		}
		if s := out.Trials[1].Timing; s.Seconds != 6 || s.ImagesPerSecond != 5 {
			t.Errorf("30 images in 3 epochs of 2 seconds: %+v", s)
		}
	})
}

func TestTrialSeedsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[uint64]bool{}
		for _, seed := range []uint64{1, 2} {
			o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
			o.Seed = seed
			for _, trial := range mustRun(t, o).Trials {
				if seen[trial.Seed] {
					t.Fatalf("seed %d appears twice", trial.Seed)
				}
				seen[trial.Seed] = true
			}
		}
	})
}

var _ strategy.Strategy = (*learner)(nil)
