package study

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Reading sees whole transactions only, each in its turn, whatever the writer does meanwhile: it copies its log into the database after every
// second page here, and begins it anew.
func TestAFileIsReadWhileItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	database(t, path, "PRAGMA page_size=512; VACUUM")
	f := mustOpen(t, path)
	if _, err := f.db.Exec("PRAGMA wal_autocheckpoint=2; PRAGMA synchronous=OFF"); err != nil {
		t.Fatal(err)
	}
	store := mustStudy(t, f, "one", nil)
	trial := sampleTrials(t)[1]
	trial.Genome = strings.Repeat("long ", 300)
	done := make(chan error)
	const trials, between = 400, 40
	read := make(chan struct{}, 1) // so that there are reads all the way, however fast the writer is
	go func() {
		for i := range trials {
			if i%between == 0 {
				<-read
			}
			trial.Index = i
			if err := store.Append(trial); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	reads, least := 0, 0
	for running := true; running; reads++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Trials("one")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < least || len(got) > 0 && got[len(got)-1].Index != len(got)-1 {
			t.Fatalf("%d trials after %d", len(got), least)
		}
		least = len(got)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case read <- struct{}{}:
		default:
		}
	}
	if least != trials || reads < trials/between {
		t.Errorf("%d trials at the end of %d reads", least, reads)
	}
}

func TestReadingLeavesNothingAndNeedsNothingToWrite(t *testing.T) {
	for name, inLog := range map[string]bool{"closed": false, "left by a crash": true} {
		path := smallFile(t, inLog)
		if !inLog {
			os.Remove(path + ".lock")
		}
		folder := filepath.Dir(path)
		before := listing(t, folder)
		// As root this forbids nothing; what matters then is that nothing is changed.
		for _, entry := range before {
			os.Chmod(filepath.Join(folder, entry.Name()), 0o444)
		}
		os.Chmod(folder, 0o555)
		defer os.Chmod(folder, 0o777)
		if _, err := reading(t, path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after := listing(t, folder)
		if len(after) != len(before) {
			t.Fatalf("%s: %v, before %v", name, after, before)
		}
		for i := range after {
			a, _ := after[i].Info()
			b, _ := before[i].Info()
			if a.Name() != b.Name() || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
				t.Errorf("%s: %s has changed", name, a.Name())
			}
		}
	}
}

func listing(t *testing.T, folder string) []fs.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestAFileOpenedForReadingIsNotWritten(t *testing.T) {
	path := smallFile(t, false)
	f, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	infos, err := f.Studies()
	if err != nil {
		t.Fatal(err)
	}
	store, err := f.Study("one", infos[0].Settings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.Measurements("one", "latency")
	if err != nil {
		t.Fatal(err)
	}
	_, newStudy := f.Study("three", nil)
	for name, err := range map[string]error{
		"Append": store.Append(sampleTrials(t)[5]), "Study": newStudy, "Add": m.Add("x", 1), "Amend": f.Amend("one", Settings{"a": "b"}),
	} {
		if !errors.Is(err, errReadOnly) || !strings.HasPrefix(err.Error(), "study "+path+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for path, want := range map[string]string{filepath.Join(t.TempDir(), "none.db"): "no such file", t.TempDir(): "is a folder"} {
		if _, err := OpenReadOnly(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	none, err := OpenReadOnly(empty)
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if infos, err := none.Studies(); err != nil || len(infos) > 0 {
		t.Errorf("%v, %v", infos, err)
	}
}

func TestAChangeThatWasCutOffIsNotReadAsDone(t *testing.T) {
	path := smallFile(t, false)
	if err := os.WriteFile(path+"-journal", []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and more"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := reading(t, path); err == nil || !strings.Contains(err.Error(), "s.db-journal") {
		t.Errorf("%v", err)
	}
}
