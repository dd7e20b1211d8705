package darts

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
)

// searched leaves the checkpoint of a search of one epoch.
func searched(t *testing.T, data, study string) (o Options, r *Result) {
	t.Helper()
	o = small(t, "mine")
	o.Epochs, o.Data, o.Study = 1, data, study
	o.Checkpoint = filepath.Join(t.TempDir(), "search.darts")
	return o, mustSearch(t, o)
}

func TestACheckpointOfOtherDataIsRefused(t *testing.T) {
	o, want := searched(t, "aaaa", "")
	o.Data = "bbbb"
	_, err := Search(t.Context(), o)
	var other *dataset.DigestError
	if !errors.As(err, &other) || other.Recorded != "aaaa" || other.Given != "bbbb" || !strings.Contains(err.Error(), o.Checkpoint) {
		t.Errorf("error %v", err)
	}
	for _, data := range []string{"aaaa", ""} { // "": a program that does not know
		o.Data = data
		if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// A checkpoint of before there were digests and identities goes on where a study without an identity is gone on with.
func TestACheckpointWithoutIdentityGoesOn(t *testing.T) {
	o, want := searched(t, "", "")
	o.Data = "aaaa"
	o.Progress = func(Step) { t.Error("a step after the end") }
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What was left by another study is not gone on with, whatever data it was of, and nothing of it is reported.
func TestACheckpointOfAnotherStudyIsReplaced(t *testing.T) {
	for _, left := range [][2]string{{"aaaa", "first"}, {"bbbb", "first"}, {"", ""}} {
		o, _ := searched(t, left[0], left[1])
		o.Data, o.Study = "aaaa", "second"
		o.Seed++ // so that the results differ
		points, steps := 0, 0
		o.Report = func(Point) { points++ }
		o.Progress = func(Step) { steps++ }
		got := mustSearch(t, o)
		fresh := o
		fresh.Checkpoint, fresh.Report, fresh.Progress = "", nil, nil
		if want := mustSearch(t, fresh); steps == 0 || points != len(want.Trajectory) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v with %d points after %d steps, want %+v", left, got, points, steps, want)
		}
		steps = 0
		if again := mustSearch(t, o); steps > 0 || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: gone on with after %d steps: %+v, want %+v", left, steps, again, got)
		}
	}
}

func TestAFlippedBitIsAnError(t *testing.T) {
	o, _ := searched(t, "aaaa", "first")
	good, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 1 + len(good)/100 {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(o.Checkpoint, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := newSearch(t.Context(), o)
		if s != nil {
			s.close()
		}
		if err == nil || !strings.Contains(err.Error(), o.Checkpoint) {
			t.Errorf("byte %d of %d: error %v, want one that names %s", i, len(good), err, o.Checkpoint)
		}
	}
}
