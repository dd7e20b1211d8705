package study

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func mustOpen(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenFile(path, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func mustStudy(t *testing.T, f *File, name string, s Settings) *Record {
	t.Helper()
	store, err := f.Study(name, s)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// sampleTrials are trials in every state that is recorded.
func sampleTrials(t *testing.T) []Trial {
	o := filled(Options{Strategy: &sweep{}, Space: numbers{mod: 12}, Pruner: MedianPruner(0, 2)})
	o.Evaluator = fake{nan: multipleOf(6)}
	return mustRun(t, o).Trials
}

func TestStoresReturnWhatWasAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name ?#%&=.db")
	file := mustOpen(t, path)
	want := sampleTrials(t)
	for name, store := range map[string]Store{"memory": &Memory{}, "file": mustStudy(t, file, "a", nil)} {
		for i := range want { // from last to first: Trials sorts
			if err := store.Append(want[len(want)-1-i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Append(want[3]); err == nil {
			t.Errorf("%s: trial 3 was recorded twice", name)
		}
		got, err := store.Trials()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, normal(want)) && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// normal returns trials as they come back from JSON, where no curve is an empty one.
func normal(trials []Trial) []Trial {
	out := append([]Trial(nil), trials...)
	for i := range out {
		if out[i].Curve == nil {
			out[i].Curve = []Point{}
		}
	}
	return out
}

func TestAFileKeepsSeveralStudies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	f := mustOpen(t, path)
	trials := sampleTrials(t)
	before := time.Now().Add(-time.Minute)
	for i, name := range []string{"b", "a"} {
		store := mustStudy(t, f, name, Settings{"seed": name})
		for _, trial := range trials[:i+1] {
			if err := store.Append(trial); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mustOpen(t, path)
	infos, err := f.Studies()
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != 2 || infos[0].Name != "b" || infos[1].Name != "a" || infos[1].Trials != 2 ||
		infos[1].Settings["seed"] != "a" || infos[0].Created.Before(before) {
		t.Errorf("%+v", infos)
	}
	got, err := mustStudy(t, f, "a", Settings{"seed": "a"}).Trials()
	if err != nil || text(t, got) != text(t, trials[:2]) {
		t.Errorf("%v: %s", err, text(t, got))
	}
	if _, err := f.Study("", nil); err == nil {
		t.Error("a study without a name was made")
	}
}

func TestOtherSettingsAreRefusedByName(t *testing.T) {
	f := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	mustStudy(t, f, "a", Settings{"epochs": "3", "seed": "1", "clip": "5", "space": "chain"})
	_, err := f.Study("a", Settings{"epochs": "5", "seed": "1", "batch": "64", "space": "chain"})
	var mismatch *SettingsError
	if !errors.As(err, &mismatch) || len(mismatch.Differences) != 3 {
		t.Fatalf("%v", err)
	}
	want := `study "a" was made with other settings: batch was not set, now 64; clip was 5, now not set; epochs was 3, now 5`
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	mustStudy(t, f, "a", Settings{"epochs": "3", "seed": "1", "clip": "5", "space": "chain"})
}

func TestAFileIsOpenedOnce(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "s.db")
	f := mustOpen(t, path)
	names := []string{path}
	if runtime.GOOS != "windows" {
		link := filepath.Join(folder, "link.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		names = append(names, link)
	}
	for _, name := range names {
		_, err := OpenFile(name, FileOptions{})
		if !errors.Is(err, ErrInUse) || err.Error() != "study "+name+" is in use by another process" {
			t.Errorf("%v", err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

// database makes an SQLite file by the given statements.
func database(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoStudyFileIsRefusedAndLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name, want string
		make       func(path string)
	}{
		{"text", "is not a study file (not an SQLite database)", func(p string) { os.WriteFile(p, []byte(strings.Repeat("hello ", 500)), 0o666) }},
		{"short", "is not a study file (not an SQLite database)", func(p string) { os.WriteFile(p, []byte("hi"), 0o666) }},
		{"folder", "is a folder", func(p string) { os.Mkdir(p, 0o777) }},
		{"foreign", "another program", func(p string) { database(t, p, "CREATE TABLE songs (name TEXT)") }},
		{"newer", "written by a newer version of nasbench (file format 3; this version knows 2)", func(p string) {
			f := mustOpen(t, p)
			f.db.Exec("PRAGMA user_version=3")
			f.Close()
		}},
		{"older", "is damaged: file format 0", func(p string) {
			f := mustOpen(t, p)
			f.db.Exec("PRAGMA user_version=0")
			f.Close()
		}},
		{"header only", "is damaged", func(p string) { os.WriteFile(p, []byte("SQLite format 3\x00"), 0o666) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			c.make(path)
			before, _ := os.ReadFile(path)
			_, err := OpenFile(path, FileOptions{})
			if err == nil || !strings.HasPrefix(err.Error(), "study "+path+" ") || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("want %q, got %v", c.want, err)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestDamageIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	f := mustOpen(t, path)
	store := mustStudy(t, f, "a", nil)
	for _, trial := range sampleTrials(t) {
		if err := store.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	if len(whole) < 4*page {
		t.Fatalf("the file has only %d bytes", len(whole))
	}
	for name, damaged := range map[string][]byte{
		"truncated":   whole[:len(whole)-page],
		"overwritten": append(append(append([]byte(nil), whole[:page]...), make([]byte, page)...), whole[2*page:]...),
	} {
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path, FileOptions{}); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record that no trial can have is refused even where its checksum is right.
func TestRecordsThatNoTrialCanHaveAreRefused(t *testing.T) {
	f := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	const good = `{"type":"trial","index":0,"genome":"p0","architecture":null,"key":"0","state":"complete","seed":"7","metrics":{"val_accuracy":0.5,"epochs":1},"curve":[],"timing":{"seconds":1}}`
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, record := range map[string]string{
		"cut":               `{"index":0`,
		"wrong index":       change(`"index":0`, `"index":7`),
		"two values":        good + good,
		"accuracy above 1":  change(`0.5`, `5.0`),
		"negative accuracy": change(`0.5`, `-0.5`),
		"unknown state":     change(`complete`, `foo`),
		"stopped":           change(`complete`, `stopped`),
		"failed, metrics":   change(`complete`, `failed`),
		"no metrics":        change(`{"val_accuracy":0.5,"epochs":1}`, `null`),
		"negative time":     change(`"seconds":1`, `"seconds":-1`),
		"negative epochs":   change(`"epochs":1`, `"epochs":-1`),
		"not UTF-8":         change(`"p0"`, "\"p\xff\""),
		"of a later trial":  change(`"seed"`, `"reused_from":3,"seed"`),
		"bad curve":         change(`[]`, `[{"epoch":1,"val_accuracy":2}]`),
		"":                  good,
	} {
		if name == "" {
			name = "good"
		}
		store := mustStudy(t, f, name, Settings{"dataset": "digits"})
		if err := store.append(tableTrial, numbered{0, record}); err != nil {
			t.Fatal(err)
		}
		_, err := store.Trials()
		if name == "good" && err != nil || name != "good" && (err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "trial 0")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPathsThatCannotBeWrittenAreErrors(t *testing.T) {
	folder := t.TempDir()
	plain := filepath.Join(folder, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(folder, "no", "such", "s.db")
	cases := map[string]string{
		"":                             "needs a file name",
		missing:                        "the folder " + filepath.Dir(missing) + " does not exist",
		filepath.Join(plain, "s.db"):   "",
		folder:                         "is a folder",
		filepath.Join(folder, "\x00"):  "",
		filepath.Join(folder, "a\x00"): "",
	}
	if runtime.GOOS == "linux" {
		cases["/proc/nasbench-study.db"] = "cannot be locked" // a file system in which no file can be made
	}
	for path, want := range cases {
		_, err := OpenFile(path, FileOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "study "+path+" ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", path, want, err)
		}
	}
	f, err := OpenFile(missing, FileOptions{MakeFolders: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestAFullDiskIsAnErrorAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	f := mustOpen(t, path)
	o := filled(Options{Strategy: &sweep{}, Space: numbers{}})
	o.Store, o.Trials, o.Evaluator = mustStudy(t, f, "a", nil), 1000, fake{}
	if _, err := f.db.Exec("PRAGMA max_page_count=20"); err != nil { // SQLite then reports a full disk
		t.Fatal(err)
	}
	ended := 0
	o.Observer = func(e Event) {
		if e.Kind == TrialEnded {
			ended++
		}
	}
	out, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), path) {
		t.Fatalf("%v", err)
	}
	if len(out.Trials) != ended || ended == 0 || out.Stop != StopError {
		t.Errorf("%d of %d ended trials are on record", len(out.Trials), ended)
	}
	f.Close()
	f = mustOpen(t, path)
	trials, err := mustStudy(t, f, "a", nil).Trials()
	if err != nil || text(t, trials) != text(t, out.Trials) {
		t.Errorf("%v: %d trials after reopening", err, len(trials))
	}
}

func TestMeasurementsLastBesideTheTrials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	for pass := range 2 {
		f, err := OpenFile(path, FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Measurements("none", "latency"); err == nil {
			t.Error("a study that is not there has measurements")
		}
		for _, name := range []string{"one", "two"} {
			if _, err := f.Study(name, Settings{"a": "b"}); err != nil {
				t.Fatal(err)
			}
		}
		of := func(study, what string) *Measurements {
			m, err := f.Measurements(study, what)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := of("one", "latency")
		if pass == 0 {
			for key, v := range map[string]float64{"k1": 1.25e6, "k2": 1.0 / 3} {
				if err := m.Add(key, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := m.Add("k1", 7); err == nil {
			t.Error("a key is recorded twice")
		}
		all, err := m.All()
		if err != nil || len(all) != 2 || all["k1"] != 1.25e6 || all["k2"] != 1.0/3 {
			t.Errorf("pass %d: %v, %v", pass, all, err)
		}
		for _, other := range []*Measurements{of("two", "latency"), of("one", "energy")} {
			if all, err := other.All(); err != nil || len(all) != 0 {
				t.Errorf("pass %d: %v, %v of another study or kind", pass, all, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
