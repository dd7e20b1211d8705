package study

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// golden copies a file of version 1, which the first version of the program made.
func golden(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "cmd", "nasbench", "testdata", "v1", "study.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s.db")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents is all that a file has on its studies.
func contents(t *testing.T, f *File) string {
	t.Helper()
	infos, err := f.Studies()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, i := range infos {
		trials, err := f.Trials(i.Name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.Measurements(i.Name, "latency")
		if err != nil {
			t.Fatal(err)
		}
		all, err := m.All()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{i, trials, all})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.String()
}

func TestAFileOfTheFirstVersionIsMigratedWhenItIsGoneOnWith(t *testing.T) {
	path := golden(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, path)
	infos, err := f.Studies()
	if err != nil || len(infos) != 4 || infos[0].Trials != 6 {
		t.Fatalf("%v: %+v", err, infos)
	}
	want := contents(t, f)
	if _, err := f.Study(infos[0].Name, Settings{"seed": "none"}); err == nil {
		t.Fatal("other settings were taken")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("%v: a file that was only looked at has changed", err)
	}

	f = mustOpen(t, path)
	mustStudy(t, f, infos[1].Name, infos[1].Settings)
	if got := contents(t, f); got != want {
		t.Errorf("migrated to\n%s\nfrom\n%s", got, want)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mustOpen(t, path)
	if f.version != schemaVersion {
		t.Errorf("version %d", f.version)
	}
	if got := contents(t, f); got != want {
		t.Errorf("reopened as\n%s\nmigrated from\n%s", got, want)
	}
}

// A damaged file stays as it is, rather than being given right checksums.
func TestADamagedFileIsNotMigrated(t *testing.T) {
	path := golden(t)
	f := mustOpen(t, path)
	infos, err := f.Studies()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Exec(`UPDATE trial SET record = replace(record, '"complete"', '"foo"') WHERE study = 2`); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Study(infos[0].Name, infos[0].Settings); err == nil || !strings.Contains(err.Error(), `is damaged: trial 0 of "evo": the state is "foo"`) {
		t.Errorf("%v", err)
	}
	if f.version != 1 {
		t.Errorf("version %d", f.version)
	}
}

// migrating, in the environment, makes the test binary a process that migrates a file and is killed.
const migrating = "NASBENCH_TEST_MIGRATE_FILE"

func TestKillingTheProcessWhileItMigratesLosesNothing(t *testing.T) {
	if path := os.Getenv(migrating); path != "" {
		f, err := OpenFile(path, FileOptions{})
		if err == nil {
			var infos []Info
			if infos, err = f.Studies(); err == nil {
				fmt.Println("begin")
				_, err = f.Study(infos[0].Name, infos[0].Settings)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	path := golden(t)
	f := mustOpen(t, path)
	for n := range 1500 { // so that it takes a while
		if _, err := f.db.Exec(`INSERT INTO trial SELECT study, ?1, replace(record, '"index":0,', '"index":' || ?1 || ',') FROM trial WHERE study = 1 AND number = 0`, 10+n); err != nil {
			t.Fatal(err)
		}
	}
	want := contents(t, f)
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for kill := range 10 {
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
		child := exec.Command(os.Args[0], "-test.run=^TestKillingTheProcessWhileItMigratesLosesNothing$")
		child.Env = append(os.Environ(), migrating+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(1<<kill/2) * 200 * time.Microsecond)
		_ = child.Process.Kill() // it may have ended
		if err := child.Wait(); err != nil {
			killed++
		}
		f := mustOpen(t, path)
		if got := contents(t, f); got != want {
			t.Fatalf("kill %d: the file has other contents", kill)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
}
