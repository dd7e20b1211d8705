package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallFile makes a file of two studies with everything that a file can have, in pages of 512 bytes. If inLog is set, all of it is in the
// write-ahead log, as after a kill.
func smallFile(t *testing.T, inLog bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	database(t, path, "PRAGMA page_size=512; VACUUM")
	f := mustOpen(t, path)
	for _, name := range []string{"one", "two"} {
		store := mustStudy(t, f, name, Settings{"dataset": "digits", "seed": name})
		for _, trial := range sampleTrials(t)[:3] {
			if trial.Metrics != nil {
				trial.Metrics.ValAccuracy = 0.25 + float64(trial.Index)/8
			}
			for i := range trial.Curve {
				trial.Curve[i].ValAccuracy = 0.25
			}
			if err := store.Append(trial); err != nil {
				t.Fatal(err)
			}
		}
		m, err := f.Measurements(name, "latency")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Add("k", 1.0/3); err != nil {
			t.Fatal(err)
		}
	}
	if !inLog {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(t.TempDir(), "s.db")
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + end)
		if err != nil || len(data) == 0 {
			t.Fatalf("%s: %d bytes, %v", end, len(data), err)
		}
		if err := os.WriteFile(other+end, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// reading returns what is read from a file, or the error.
func reading(t *testing.T, path string) (string, error) {
	f, err := OpenReadOnly(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Studies(); err != nil {
		return "", err
	}
	for _, name := range []string{"one", "two"} {
		if _, err := f.Trials(name); err != nil {
			return "", err
		}
		if _, err := (&Measurements{file: f, study: name, what: "latency"}).All(); err != nil {
			return "", err
		}
	}
	return contents(t, f), nil
}

// Whatever bit of a file is another, what is read from it is what was written, or an error.
func TestAFlippedBitNeverGivesOtherValues(t *testing.T) {
	for name, inLog := range map[string]bool{"database": false, "log": true} {
		t.Run(name, func(t *testing.T) {
			path := smallFile(t, inLog)
			want, err := reading(t, path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := path
			if inLog {
				damaged += "-wal"
			}
			whole, err := os.ReadFile(damaged)
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.OpenFile(damaged, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			// A flip in the last transaction of a log looks like a machine that died in it: the transactions before stand.
			end := len(whole)
			if inLog {
				end = lastTransaction(t, whole)
			}
			stride := 7
			if testing.Short() {
				stride = 29
			}
			found, same := 0, 0
			for i := 0; i < end; i += stride {
				bit := byte(1) << ((i*5 + 3) % 8)
				if _, err := out.WriteAt([]byte{whole[i] ^ bit}, int64(i)); err != nil {
					t.Fatal(err)
				}
				switch got, err := reading(t, path); {
				case err != nil:
					found++
				case got == want:
					same++
				default:
					t.Fatalf("bit %#02x of byte %d: read\n%s\nwant\n%s", bit, i, got, want)
				}
				if _, err := out.WriteAt(whole[i:i+1], int64(i)); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d of %d flips are errors, %d change nothing that is read", found, found+same, same)
			if found < (found+same)/3 {
				t.Errorf("only %d of %d flips were found", found, found+same)
			}
		})
	}
}

// lastTransaction returns where the last transaction of a log begins.
func lastTransaction(t *testing.T, log []byte) int {
	t.Helper()
	length := frameHeader + 512
	begins := []int{walHeader}
	for at := walHeader; at+length <= len(log); at += length {
		if log[at+4]|log[at+5]|log[at+6]|log[at+7] != 0 {
			begins = append(begins, at+length)
		}
	}
	if len(begins) < 3 {
		t.Fatal("there are fewer than two transactions")
	}
	return begins[len(begins)-2]
}

func TestRowsThatWereChangedMovedOrRemovedAreNamed(t *testing.T) {
	for _, c := range []struct{ change, want string }{
		{`UPDATE trial SET record = replace(record, '0.375', '0.376') WHERE study = 2 AND number = 1`, `is damaged: trial 1 of "two"`},
		{`UPDATE trial SET number = 9 WHERE study = 1 AND number = 2`, `is damaged: trial 9 of "one"`},
		{`UPDATE trial SET study = 2, number = 7 WHERE study = 1 AND number = 2`, `is damaged: study "one" has 3 entries where 4 were recorded`},
		{`UPDATE trial SET record = (SELECT record FROM trial WHERE study = 2 AND number = 1), checksum = (SELECT checksum FROM trial WHERE study = 2 AND number = 1) WHERE study = 1 AND number = 1`, `is damaged: trial 1 of "one"`},
		{`DELETE FROM trial WHERE study = 1 AND number = 2`, `is damaged: study "one" has 3 entries where 4 were recorded`},
		{`DELETE FROM measurement WHERE study = 2`, `is damaged: study "two" has 3 entries where 4 were recorded`},
		{`UPDATE measurement SET value = 7 WHERE study = 2`, `is damaged: latency of k of "two"`},
		{`UPDATE study SET settings = replace(settings, 'digits', 'digit') WHERE id = 1`, `is damaged: study "one"`},
		{`UPDATE study SET name = 'eno' WHERE id = 1`, `is damaged: study "eno"`},
		{`PRAGMA foreign_keys=OFF; UPDATE study SET id = 3 WHERE id = 1`, `is damaged: a row of table`},
		{`PRAGMA user_version=1`, `is damaged: its tables are not those of file format 1`},
	} {
		path := smallFile(t, false)
		database(t, path, c.change)
		if _, err := reading(t, path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "study "+path+" is damaged") {
			t.Errorf("%s: want %q, got %v", c.change, c.want, err)
		}
		// Whoever goes on with it is told the same.
		f, err := OpenFile(path, FileOptions{})
		if err == nil {
			for _, name := range []string{"one", "two"} {
				store := &Record{file: f, name: name}
				if _, e := store.Trials(); err == nil {
					err = e
				}
				if _, e := (&Measurements{file: f, study: name, what: "latency"}).All(); err == nil {
					err = e
				}
			}
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, opened to write: want %q, got %v", c.change, c.want, err)
		}
	}
}
