package strategy

import (
	"errors"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

var errStop = errors.New("stop")

// after returns a function that fails from its nth call on, and the number of calls.
func after(n int) (func() error, *int) {
	calls := 0
	return func() error {
		if calls++; calls > n {
			return errStop
		}
		return nil
	}, &calls
}

// Looking for a proposal ends when it is interrupted, wherever it is, and goes on as if it had not been.
func TestAskIsInterruptedAndGoesOn(t *testing.T) {
	s := nb201Space(t)
	for _, name := range []string{"random", "grid", "evolution"} {
		whole, err := New(name, Options{Space: s, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		asks, interrupt := 0, error(nil)
		parts, err := New(name, Options{Space: s, Seed: 3, Interrupt: func() error {
			if asks++; asks%2 == 0 {
				return interrupt
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		met := 0
		for trial := range 60 {
			want := ask(t, whole, 1)[0]
			interrupt = errStop
			got, err := parts.Ask(1)
			if err != nil {
				if !errors.Is(err, errStop) {
					t.Fatal(err)
				}
				met++
				interrupt = nil
				got = ask(t, parts, 1)
			}
			if got[0].String() != want.String() {
				t.Fatalf("%s: proposal %d is %v, want %v", name, trial, got[0], want)
			}
			result := Result{Trial: trial, Genome: want, Score: float64(trial % 7)}
			whole.Tell(result)
			parts.Tell(result)
		}
		if met == 0 && name != "grid" {
			t.Errorf("%s was never interrupted", name)
		}
	}
}

// A grid of which nothing is allowed is left when that is asked for.
func TestAGridWithoutGenomesIsInterrupted(t *testing.T) {
	s, err := space.New("nb201", space.Task{Height: 8, Width: 8, Channels: 1, Classes: 2}, space.Constraints{MaxParams: 1})
	if err != nil {
		t.Fatal(err)
	}
	interrupt, calls := after(3)
	g, err := NewGrid(Options{Space: s, Interrupt: interrupt})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Ask(1); !errors.Is(err, errStop) || *calls != 4 {
		t.Errorf("%v after %d calls", err, *calls)
	}
}

// A draw under constraints that allow nothing, or whose latencies are all too long, ends when that is asked for.
func TestDrawsAreInterrupted(t *testing.T) {
	slow := func(space.Genome) (time.Duration, error) { return time.Hour, nil }
	for name, c := range map[string]space.Constraints{"nothing": {MaxParams: 1}, "latency": {MaxLatency: time.Second, Latency: slow}} {
		interrupt, calls := after(3)
		c.Interrupt = interrupt
		if _, err := chainSpace(t, c).Random(stream.New(1, "draws")); !errors.Is(err, errStop) || *calls != 4 {
			t.Errorf("%s: %v after %d calls", name, err, *calls)
		}
		r := NewRandom(Options{Space: chainSpace(t, space.Constraints{MaxParams: 1, Interrupt: interrupt})})
		if _, err := r.Ask(1); !errors.Is(err, errStop) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
