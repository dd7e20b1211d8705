package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/nas/study"
)

// withFinal is a small search with a final training of three epochs.
func withFinal(file string, args ...string) []string {
	return append([]string{"search", "--study", file, "--trials", "2", "--train-samples", "300", "--max-flops", "400k", "--max-activation", "1600k", "--seed", "7",
		"--final-epochs", "3", "--json", "--quiet"}, args...)
}

// finalOf returns the final training of a search's summary.
func finalOf(t *testing.T, r ran) map[string]any {
	t.Helper()
	lines := objects(t, r.stdout)
	f, ok := lines[len(lines)-1]["final"].(map[string]any)
	if !ok {
		t.Fatalf("no final training in %s", r.stdout)
	}
	return f
}

// finalOnRecord reports whether nothing was trained for the final training of a summary.
func finalOnRecord(t *testing.T, r ran) bool {
	t.Helper()
	lines := objects(t, r.stdout)
	return inside(lines[len(lines)-1], "run", "final_on_record") == true
}

func finalsOf(t *testing.T, path string) []study.Final {
	t.Helper()
	f, err := study.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	finals, err := f.Finals("search")
	if err != nil {
		t.Fatal(err)
	}
	return finals
}

func TestFinalTrainingsAreOnRecord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.db")
	r := succeed(t, withFinal(file)...)
	first := finalOf(t, r)
	if finalOnRecord(t, r) {
		t.Errorf("%v", first)
	}
	finals := finalsOf(t, file)
	if len(finals) != 1 || finals[0].TestAccuracy != first["test_accuracy"] || finals[0].TestLoss != first["test_loss"] || finals[0].Epochs != 3 || finals[0].Seed != 7 ||
		finals[0].TrainImages != 300 || !(finals[0].Timing.Seconds > 0) {
		t.Fatalf("%+v is on record of %v", finals, first)
	}
	if _, err := os.Stat(file + ".search.final"); err == nil {
		t.Error("the checkpoint is left")
	}

	// Opened again, it is what it was, without being trained again; so it is where there is to be none.
	for _, args := range [][]string{withFinal(file), withFinal(file, "--final-epochs", "0")} {
		r := succeed(t, args...)
		again := finalOf(t, r)
		if !finalOnRecord(t, r) {
			t.Errorf("%q: trained again", args)
		}
		if !reflect.DeepEqual(again, first) {
			t.Errorf("%q: %v, was %v", args, again, first)
		}
	}
	if r := succeed(t, "search", "--study", file, "--trials", "2", "--final-epochs", "3"); !strings.Contains(r.stderr, "on record, not trained again") || !strings.Contains(r.stdout, "(on record)") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}

	// Other seeds are trained beside it, other epochs anew.
	three := finalOf(t, succeed(t, withFinal(file, "--final-seeds", "3")...))
	runs := three["runs"].([]any)
	if len(finalsOf(t, file)) != 3 || len(runs) != 3 || runs[0].(map[string]any)["test_accuracy"] != first["test_accuracy"] {
		t.Errorf("%v", three)
	}
	r = succeed(t, withFinal(file, "--final-epochs", "1")...)
	if f := finalOf(t, r); f["epochs"] != 1.0 || finalOnRecord(t, r) {
		t.Errorf("%v", f)
	}

	show := succeed(t, "study", "show", file).stdout
	if !strings.Contains(show, "\nfinal trainings:\nTRIAL  SEED  EPOCHS  TEST ACCURACY") || strings.Count(show, "  300  ") < 4 {
		t.Errorf("show: %s", show)
	}
	shown := objects(t, succeed(t, "study", "show", file, "--json").stdout)[0]["finals"].([]any)
	if len(shown) != 4 || shown[0].(map[string]any)["test_accuracy"] != first["test_accuracy"] {
		t.Errorf("show --json: %v", shown)
	}
	exported := objects(t, succeed(t, "study", "export", file, "--json").stdout)
	if len(exported) != 2+4 || !reflect.DeepEqual(exported[2], shown[0]) || exported[2]["type"] != "final" {
		t.Errorf("export --json: %v", exported)
	}
	rows, err := csv.NewReader(strings.NewReader(succeed(t, "study", "export", file, "--finals", "--columns", "seed,epochs,test_accuracy").stdout)).ReadAll()
	if err != nil || len(rows) != 5 || rows[1][0] != "7" || rows[2][0] != "8" || rows[4][1] != "1" || rows[1][2] != exact(finals[0].TestAccuracy) {
		t.Errorf("export --finals: %v, %v", err, rows)
	}
	text := succeed(t, "study", "export", file).stdout
	if !strings.Contains(text, ",test_accuracy,test_loss,final_epochs,final_trainings\n") {
		t.Errorf("export: %s", text)
	}
}

func TestAnInterruptedFinalTrainingGoesOnToTheSameBits(t *testing.T) {
	dir := t.TempDir()
	want := finalOf(t, succeed(t, withFinal(filepath.Join(dir, "whole.db"), "--final-seeds", "2")...))
	file := filepath.Join(dir, "cut.db")
	loud := withFinal(file, "--final-seeds", "2")
	loud = loud[:len(loud)-3] // shows its progress
	loud = append(loud, "--json", "--final-seeds", "2")
	for _, at := range []string{"final training of trial", "final training 1 of 2"} {
		r := interruptAt(t, at, false, loud...)
		if r.code != exitInterrupted {
			t.Fatalf("exit code %d: %s", r.code, r.stderr)
		}
	}
	if n := len(finalsOf(t, file)); n != 1 {
		t.Errorf("%d final trainings on record", n)
	}
	if got := finalOf(t, succeed(t, loud...)); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, undisturbed %v", got, want)
	}
}

func TestKillingAFinalTrainingLosesAtMostAnEpoch(t *testing.T) {
	dir := t.TempDir()
	args := func(name string) []string { return withFinal(filepath.Join(dir, name), "--final-epochs", "30") }
	want := finalOf(t, succeed(t, args("whole.db")...))
	file := killFinal(t, filepath.Join(dir, "killed"), args)
	left := file + ".search.final"
	r := succeed(t, append(args(filepath.Base(file)), "--quiet=false")...)
	if !strings.Contains(r.stderr, "final training: goes on in epoch ") {
		t.Errorf("nothing was gone on with: %s", r.stderr)
	}
	if got := finalOf(t, r); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, undisturbed %v", got, want)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("the checkpoint is left")
	}
}

// killFinal kills a search when the first epoch of its final training is kept, and returns its study. One that was too fast is left for another.
func killFinal(t *testing.T, name string, args func(string) []string) (file string) {
	t.Helper()
	for try := range 10 {
		file = fmt.Sprintf("%s-%d.db", name, try)
		cmd := exec.Command(os.Args[0], args(filepath.Base(file))...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for {
			if _, err := os.Stat(file + ".search.final"); err == nil {
				_ = cmd.Process.Kill() // it may have ended
				<-ended
				if _, err := os.Stat(file + ".search.final"); err == nil {
					return file
				}
				break
			}
			if len(ended) > 0 {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
	t.Fatal("every search ended before it was killed")
	return ""
}

// A checkpoint that lies about is not taken for one of this study.
func TestAForeignOrDamagedCheckpointOfAFinalTrainingIsNotGoneOnWith(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s.db")
	r := interruptAt(t, "final training of trial", false, append(withFinal(file), "--quiet=false")...)
	if r.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	left, err := os.ReadFile(file + ".search.final")
	if err != nil {
		t.Fatal(err)
	}
	want := finalOf(t, succeed(t, withFinal(filepath.Join(dir, "whole.db"))...))
	other := append([]byte(nil), left...)
	other[len(other)-3] ^= 0x40
	for name, data := range map[string][]byte{"foreign": left, "damaged": other, "no": []byte("no checkpoint")} {
		path := filepath.Join(dir, name+".db")
		if err := os.WriteFile(path+".search.final", data, 0o666); err != nil {
			t.Fatal(err)
		}
		r := succeed(t, withFinal(path, "--quiet=false")...)
		if got := finalOf(t, r); !reflect.DeepEqual(got, want) || strings.Contains(r.stderr, "goes on in") {
			t.Errorf("%s: %v, want %v: %s", name, got, want, r.stderr)
		}
	}
}

// What the time cut off is on record, and neither stands for a whole training nor is averaged with one.
func TestWhatTheTimeCutOffIsNoWholeTraining(t *testing.T) {
	whole := study.Final{Trial: 1, Genome: "g", Seed: 1, Epochs: 4, EpochsAsked: 4, TestAccuracy: 0.5, TestImages: 10}
	cut, other := whole, whole
	cut.CutOff, cut.TestAccuracy = 2.5, 0.25
	other.Seed, other.TestAccuracy = 2, 0.75
	plan := &finalPlan{best: &study.Trial{Index: 1, Genome: "g"}, epochs: 4}
	if plan.recorded([]study.Final{cut}, 1) != nil || plan.recorded([]study.Final{cut, whole}, 1).TestAccuracy != 0.5 {
		t.Error("a training that was cut off stands for a whole one")
	}
	groups := groupFinals([]study.Final{whole, cut, other})
	if len(groups) != 2 || len(groups[0]) != 1 || groups[0][0].CutOff != 2.5 || len(groups[1]) != 2 {
		t.Fatalf("%v", groups)
	}
	if f := summarizeFinal(groups[1]); f.Accuracy != 0.625 || f.CutOff != 0 || len(f.Runs) != 2 {
		t.Errorf("%+v", f)
	}
	if f := summarizeFinal(groups[0]); f.Accuracy != 0.25 || f.CutOff != 2.5 {
		t.Errorf("%+v", f)
	}
}
