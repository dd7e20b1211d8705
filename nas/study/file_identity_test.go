package study

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAStudyHasAnIdentityThatLastsAndThatNoOtherHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	seen := map[string]bool{}
	for range 3 { // studies of one name and path, one after the other
		f := mustOpen(t, path)
		for _, name := range []string{"a", "b"} {
			mustStudy(t, f, name, nil)
			info, ok, err := f.Find(name)
			if err != nil || !ok || info.Identity() == "" || seen[info.Identity()] {
				t.Fatalf("%q: %v, %v, %v; seen %v", info.Identity(), info, ok, err, seen)
			}
			seen[info.Identity()] = true
		}
		before, _, err := f.Find("a")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = mustOpen(t, path)
		after, _, err := f.Find("a")
		if err != nil || after.Identity() != before.Identity() {
			t.Errorf("%q became %q (%v)", before.Identity(), after.Identity(), err)
		}
		f.Close()
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			os.Remove(file)
		}
	}
	if _, ok, err := mustOpen(t, path).Find("c"); ok || err != nil {
		t.Errorf("a study that is not there was found (%v)", err)
	}
}

func TestAmendingChangesTheSettingsNamedAndNoTrial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	f := mustOpen(t, path)
	store := mustStudy(t, f, "a", Settings{"dataset": "old", "seed": "1", "gone": "x"})
	mustStudy(t, f, "b", Settings{"dataset": "old"})
	want := sampleTrials(t)
	for _, trial := range want {
		if err := store.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Amend("a", Settings{"dataset": "new", "digest": "12", "gone": ""}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Settings{"a": {"dataset": "new", "seed": "1", "digest": "12"}, "b": {"dataset": "old"}} {
		if info, _, err := f.Find(name); err != nil || !reflect.DeepEqual(info.Settings, s) {
			t.Errorf("%s: settings %v, want %v (%v)", name, info.Settings, s, err)
		}
	}
	got, err := mustStudy(t, f, "a", Settings{"dataset": "new", "seed": "1", "digest": "12"}).Trials()
	if err != nil || !reflect.DeepEqual(got, normal(want)) {
		t.Errorf("trials %+v, want %+v (%v)", got, want, err)
	}
	if err := f.Amend("c", Settings{"x": "y"}); err == nil || !strings.Contains(err.Error(), `no study "c"`) {
		t.Errorf("a study that is not there: %v", err)
	}
}
