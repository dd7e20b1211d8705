package study

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childFile, in the environment, makes the test binary the process that gets killed.
const childFile = "NASBENCH_TEST_STUDY_FILE"

func killOptions(store Store) Options {
	return Options{
		Strategy: &sweep{}, Space: numbers{mod: 100}, Evaluator: fake{pace: 50 * time.Microsecond, nan: multipleOf(6)},
		Store: store, Epochs: 2, Seed: 3, Trials: 1 << 30, Workers: 3,
	}
}

// runChild records trials without end and prints the index of each that is on record.
func runChild(path string) error {
	f, err := OpenFile(path, FileOptions{})
	if err != nil {
		return err
	}
	store, err := f.Study("killed", Settings{"seed": "3"})
	if err != nil {
		return err
	}
	o := killOptions(store)
	o.Observer = func(e Event) {
		if e.Kind == TrialEnded {
			fmt.Println(e.Index)
		}
	}
	_, err = Run(context.Background(), o)
	return err
}

// A process that is killed leaves every trial that it called finished; the next one goes
// on from there, and the record in the end is that of a search without accidents.
func TestKillingTheProcessLosesNoFinishedTrial(t *testing.T) {
	if path := os.Getenv(childFile); path != "" {
		if err := runChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "s.db")
	printed := map[int]bool{}
	for kill := range 4 {
		child := exec.Command(os.Args[0], "-test.run=^TestKillingTheProcessLosesNoFinishedTrial$")
		child.Env = append(os.Environ(), childFile+"="+path)
		var complaints strings.Builder
		child.Stderr = &complaints
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			i, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the child printed %q", lines.Text())
			}
			printed[i] = true
			if n == 10+13*kill {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || complaints.Len() > 0 {
			t.Fatalf("the child was not killed: %v: %s", err, complaints.String())
		}

		f := mustOpen(t, path)
		trials, err := mustStudy(t, f, "killed", Settings{"seed": "3"}).Trials()
		if err != nil {
			t.Fatal(err)
		}
		recorded := map[int]bool{}
		for _, trial := range trials {
			recorded[trial.Index] = true
		}
		for i := range printed {
			if !recorded[i] {
				t.Errorf("kill %d: trial %d was finished and is lost", kill, i)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}

	f := mustOpen(t, path)
	resumed := killOptions(mustStudy(t, f, "killed", Settings{"seed": "3"}))
	whole := killOptions(&Memory{})
	most := 0
	for i := range printed {
		most = max(most, i)
	}
	// A few more than the highest, because the child may have recorded what it could not print.
	resumed.Trials, whole.Trials = most+20, most+20
	got, want := mustRun(t, resumed).Trials, mustRun(t, whole).Trials
	if n := len(want); len(got) < n || text(t, got[:n]) != text(t, want) {
		t.Errorf("the record differs from that of a search without accidents")
	}
}
