package study

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// Earlier versions took any name.
func TestStudiesOfAnyNameOpen(t *testing.T) {
	f := mustOpen(t, filepath.Join(t.TempDir(), "s.db"))
	for _, name := range []string{"../../evil", "a\nb", "", string(make([]byte, 300))} {
		if _, err := f.Study(name, nil); err == nil {
			t.Fatalf("%q: a new study was made", name)
		}
		err := f.change(func(tx *sql.Tx) error {
			s := studyRow{name: name, created: "2026-11-28T12:00:00Z", settings: "{}"}
			return s.insert(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		store := mustStudy(t, f, name, nil)
		if err := store.Append(sampleTrials(t)[1]); err != nil {
			t.Fatal(err)
		}
		if trials, err := store.Trials(); err != nil || len(trials) != 1 {
			t.Errorf("%q: %v, %d trials", name, err, len(trials))
		}
	}
}
