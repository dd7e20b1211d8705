package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// tiny is a search of seconds.
func tiny(more ...string) []string {
	return append([]string{"search", "--trials", "3", "--epochs", "1", "--train-samples", "200", "--max-flops", "400k", "--final-epochs", "1", "--seed", "7"}, more...)
}

// lasting removes from JSON output what may differ from run to run.
func lasting(t *testing.T, stdout string) string {
	t.Helper()
	out := regexp.MustCompile(`,"timing":\{[^}]*\}`).ReplaceAllString(stdout, "")
	out = regexp.MustCompile(`,"run":\{[^}]*\}`).ReplaceAllString(out, "")
	if out == stdout {
		t.Fatalf("no timing in %s", stdout)
	}
	return out
}

// objects decodes JSON lines.
func objects(t *testing.T, stdout string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for lines := bufio.NewScanner(strings.NewReader(stdout)); lines.Scan(); {
		var o map[string]any
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		out = append(out, o)
	}
	return out
}

// inside returns the value at a path of names.
func inside(o map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		next, ok := o[name].(map[string]any)
		if !ok {
			return nil
		}
		o = next
	}
	return o[path[len(path)-1]]
}

func TestSearchGivesTheSameBytesForAnyThreadsAndWorkers(t *testing.T) {
	want := ""
	for _, c := range [][]string{{"1", "1"}, {"2", "1"}, {"1", "2"}, {"2", "3"}, {"0", "0"}} {
		r := succeed(t, tiny("--json", "--quiet", "--threads", c[0], "--workers", c[1])...)
		if r.stderr != "" {
			t.Errorf("--quiet prints %s", r.stderr)
		}
		got := lasting(t, r.stdout)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("threads %s, workers %s: got\n%s\nwant\n%s", c[0], c[1], got, want)
		}
	}
	if other := succeed(t, tiny("--json", "--quiet", "--seed", "8")...); lasting(t, other.stdout) == want {
		t.Error("another seed gives the same search")
	}
}

// The names in the summary are an interface: other programs read them.
func TestSummaryHasStableNames(t *testing.T) {
	lines := objects(t, succeed(t, tiny("--json")...).stdout)
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 3 trials and a summary", len(lines))
	}
	for i, line := range lines[:3] {
		if line["type"] != "trial" || line["index"] != float64(i) {
			t.Errorf("line %d is %v %v", i, line["type"], line["index"])
		}
	}
	s := lines[3]
	for _, path := range []string{
		"type", "settings space", "settings seed", "settings max-flops", "trials", "complete", "failed", "pruned", "reused", "stop",
		"best index", "best genome", "best architecture", "best metrics val_accuracy", "best metrics params",
		"final epochs", "final train_images", "final test_accuracy", "final test_loss", "final test_images",
		"run study", "run name", "run workers", "run threads", "run level", "run version", "run go_on", "run train",
		"timing search_seconds", "timing final_seconds", "timing total_seconds",
	} {
		if inside(s, strings.Fields(path)...) == nil {
			t.Errorf("the summary has no %s: %v", path, s)
		}
	}
	if s["type"] != "summary" || s["trials"] != 3.0 || s["complete"] != 3.0 || s["stop"] != "trials" || inside(s, "final", "test_images") != 2000.0 {
		t.Errorf("summary %v", s)
	}
}

func TestSearchPrintsLeaderboardBestAndCommands(t *testing.T) {
	study := filepath.Join(t.TempDir(), "s.db")
	r := succeed(t, tiny("--study", study, "--top", "2")...)
	for _, want := range []string{
		"3 trials: 3 complete, 0 failed in ", "RANK  TRIAL  ACCURACY  PARAMS", "\n1     ", "\n2     ", "best architecture, of trial ",
		`{"space":"chain","version":1,"layers":[`, "test accuracy 0.", "on 2,000 images, after 1 epoch on all 200 training images",
		"train --arch '", "search --study " + study + " --final-epochs 1 --trials 6",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "\n3     ") {
		t.Errorf("more than two rows in\n%s", r.stdout)
	}
	for _, want := range []string{"search: space chain, strategy random", "study: " + study, "(3 of 3): accuracy 0.", "best so far", "final training of trial "} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
	if strings.ContainsAny(r.stderr, "\r\x1b") {
		t.Errorf("control characters where there is no terminal: %q", r.stderr)
	}
}

func TestInterruptedSearchGoesOnToTheSameResult(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("quotes commands for another shell")
	}
	want := lasting(t, succeed(t, tiny("--json")...).stdout)
	study := filepath.Join(t.TempDir(), "s.db")
	r := interruptAt(t, "accuracy 0.", false, tiny("--workers", "1", "--study", study)...)
	if r.code != exitInterrupted {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	for _, s := range []string{"; interrupted\n", "1 trial: 1 complete", "RANK", "best architecture", "go on searching:"} {
		if !strings.Contains(r.stdout, s) {
			t.Errorf("no %q in\n%s", s, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "test accuracy") {
		t.Errorf("an interrupted search was validated:\n%s", r.stdout)
	}
	// The printed command, with the settings from the study.
	_, line, _ := strings.Cut(r.stdout, "go on searching:\n  ")
	_, args, _ := strings.Cut(strings.TrimSpace(line), "search ")
	resumed := succeed(t, append([]string{"search", "--json"}, strings.Fields(args)...)...)
	if got := lasting(t, resumed.stdout); got != want {
		t.Errorf("resumed\n%s\nuninterrupted\n%s", got, want)
	}
	if !strings.Contains(resumed.stderr, "goes on after 1 trial") {
		t.Error(resumed.stderr)
	}
}

func TestInterruptedFinalTrainingKeepsTheSearch(t *testing.T) {
	r := interruptAt(t, "final training", false, tiny("--final-epochs", "500")...)
	if r.code != exitInterrupted || !strings.Contains(r.stdout, "3 trials: 3 complete") || !strings.Contains(r.stdout, "; interrupted\n") {
		t.Errorf("exit code %d: %s", r.code, r.stdout)
	}
}

func TestStudyIsNotGoneOnWithOtherSettings(t *testing.T) {
	study := filepath.Join(t.TempDir(), "s.db")
	succeed(t, tiny("--study", study, "--final-epochs", "0")...)
	wantOneLine(t, nasbench(t, nil, "search", "--study", study, "--trials", "4", "--batch", "16"), exitUsage, "batch was 32, now 16")
	wantOneLine(t, nasbench(t, env{"NASBENCH_SEED": "9"}, "search", "--study", study, "--trials", "4"), exitUsage, "seed was 7, now 9")
	// Another name is another study in the same file.
	r := succeed(t, "search", "--study", study, "--name", "other", "--trials", "1", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--json")
	if s := objects(t, r.stdout); inside(s[1], "run", "name") != "other" || s[1]["final"] != nil {
		t.Errorf("%v", s[1])
	}
}

func TestStudyIsNotGoneOnWithAtAnotherLevel(t *testing.T) {
	dir := t.TempDir()
	begun, elsewhere := filepath.Join(dir, "begun.db"), filepath.Join(dir, "elsewhere.db")
	lines := objects(t, succeed(t, tiny("--study", begun, "--final-epochs", "0", "--json")...).stdout)
	s := lines[len(lines)-1]
	here := inside(s, "run", "level").(string)
	if inside(s, "settings", "level") != here {
		t.Fatalf("settings %v, level %s", s["settings"], here)
	}
	settings := study.Settings{"level": "sse9"}
	for name, value := range s["settings"].(map[string]any) {
		if name != "level" {
			settings[name] = value.(string)
		}
	}
	f, err := study.OpenFile(elsewhere, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Study("search", settings); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r := nasbench(t, nil, "search", "--study", elsewhere, "--trials", "4")
	wantOneLine(t, r, exitUsage, "other settings: level was sse9, now "+here+"; ")
	wantOneLine(t, r, exitUsage, "NASBENCH_LEVEL=sse9")
}

func TestSearchOfNothingLeavesNoStudyBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	nothing := []string{"search", "--study", path, "--trials", "1", "--train-samples", "100", "--max-params", "1"}
	wantOneLine(t, nasbench(t, nil, nothing...), exitFailure, "allow more with --max-flops")
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a study file was made")
	}
	succeed(t, tiny("--study", path, "--trials", "1", "--final-epochs", "0")...)
	wantOneLine(t, nasbench(t, nil, append(nothing, "--name", "other")...), exitFailure, "allow more with --max-flops")
	f, err := study.OpenFile(path, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	infos, err := f.Studies()
	if err != nil || len(infos) != 1 {
		t.Errorf("%v, studies %+v, want that of the name search alone", err, infos)
	}
}

func TestSearchInWhichAllTrialsFailFails(t *testing.T) {
	r := nasbench(t, nil, tiny("--lr", "1e30", "--warm-up", "0", "--clip", "0", "--quiet", "--study", filepath.Join(t.TempDir(), "s.db"))...)
	wantFailure := "no trial is complete; trial 0 failed: loss is "
	if r.code != exitFailure || !strings.Contains(r.stderr, wantFailure) || !strings.Contains(r.stdout, "no trial is complete") {
		t.Errorf("code %d, want %d and %q:\n%s%s", r.code, exitFailure, wantFailure, r.stdout, r.stderr)
	}
}

func TestMistakesLeaveNoStudyFile(t *testing.T) {
	study := filepath.Join(t.TempDir(), "s.db")
	for _, args := range [][]string{{"--dataset", "nope"}, {"--dataset", "mnist"}, {"--pad", "99"}, {"--strategy", "nope"}} {
		if r := nasbench(t, nil, append(tiny("--study", study), args...)...); r.code == exitOK {
			t.Errorf("%q succeeded", args)
		}
		if _, err := os.Stat(study); err == nil {
			t.Fatalf("%q made %s", args, study)
		}
	}
}

// A limit is kept, also where nothing comes of it.
func TestATimeTooShortForATrialIsAFailureThatSaysSo(t *testing.T) {
	r := nasbench(t, nil, "search", "--time", "1ms", "--train-samples", "100", "--max-flops", "300k", "--epochs", "1", "--json")
	wantOneLine(t, r, exitFailure, "the time of 1ms was used up before the first trial began")
}

// With trials, the time is a bound and no aim: the final training has as many epochs as without.
func TestASearchByTrialsThatHasTimeIsTheSame(t *testing.T) {
	args := []string{"search", "--trials", "2", "--train-samples", "100", "--max-flops", "300k", "--epochs", "1", "--json"}
	plain := objects(t, succeed(t, args...).stdout)
	timed := objects(t, succeed(t, append(args, "--time", "1h")...).stdout)
	a, b := plain[len(plain)-1], timed[len(timed)-1]
	if b["stop"] != "trials" || !reflect.DeepEqual(a["final"], b["final"]) || !reflect.DeepEqual(a["best"], b["best"]) {
		t.Errorf("%v\n%v", a, b)
	}
}

func TestProfilesAreWritten(t *testing.T) {
	dir := t.TempDir()
	var args []string
	for _, name := range []string{"cpuprofile", "memprofile", "trace"} {
		args = append(args, "--"+name, filepath.Join(dir, name))
	}
	check := func() {
		t.Helper()
		for _, name := range []string{"cpuprofile", "memprofile", "trace"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 100 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			os.Remove(filepath.Join(dir, name))
		}
	}
	succeed(t, tiny(args...)...)
	check()
	if r := interruptAt(t, "accuracy 0.", false, tiny(args...)...); r.code != exitInterrupted {
		t.Errorf("exit code %d", r.code)
	}
	check()
}

func TestSignalInterruptsTheProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C here")
	}
	cmd := exec.Command(os.Args[0], tiny("--trials", "1000")...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stdout strings.Builder
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, sent := bufio.NewScanner(stderr), false
	for lines.Scan() {
		if !sent && strings.HasPrefix(lines.Text(), "trial ") {
			sent = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // the exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stdout.String(), "go on searching:") {
		t.Errorf("exit code %d: %s", code, stdout.String())
	}
}

func TestSizesOfCellsAreSettingsOfAStudy(t *testing.T) {
	study := filepath.Join(t.TempDir(), "darts.db")
	args := []string{"search", "--space", "darts", "--study", study, "--trials", "1", "--train-samples", "100", "--final-epochs", "0", "--quiet"}
	first := nasbench(t, nil, append(args, "--channels", "2", "--cells", "3")...)
	if first.code != exitOK {
		t.Fatal(first.stderr)
	}
	again := nasbench(t, nil, args...)
	_, results, _ := strings.Cut(first.stdout, "\n") // the first line says how long it took
	if again.code != exitOK || !strings.HasSuffix(again.stdout, results) {
		t.Errorf("going on without the sizes gives code %d and\n%s%s, want\n%s", again.code, again.stdout, again.stderr, first.stdout)
	}
	other := nasbench(t, nil, append(args, "--cells", "4")...)
	wantOneLine(t, other, exitUsage, "cells was 3, now 4")
	wantOneLine(t, nasbench(t, nil, "search", "--cells", "4", "--trials", "1"), exitUsage, "a chain has no cells")
	wantOneLine(t, nasbench(t, nil, "search", "--space", "darts", "--cells", "1000", "--trials", "1"), exitUsage, "1000 cells; the most is 64")
}

func TestASpaceFromAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const text = "space: mine\nkind: chain\ndepth: [1, 2]\noperations:\n  conv: {type: conv, channels: [2, 4]}\n  skip: {type: skip}\n"
	write(text)
	args := []string{"search", "--space", file, "--study", filepath.Join(dir, "s.db"), "--trials", "2", "--train-samples", "100", "--final-epochs", "0", "--quiet"}
	if r := succeed(t, args...); !strings.Contains(r.stdout, "conv(channels=") {
		t.Errorf("no architecture of the file in\n%s", r.stdout)
	}
	succeed(t, "train", "--space", file, "--arch", "conv(channels=4), skip", "--epochs", "1", "--train-samples", "100", "--quiet")
	model := filepath.Join(dir, "model.safetensors")
	succeed(t, "train", "--space", file, "--arch", "conv(channels=2)", "--epochs", "1", "--train-samples", "100", "--quiet", "--out", model)
	succeed(t, "train", "--resume", model, "--quiet")
	write(strings.Replace(text, "[2, 4]", "[2, 8]", 1))
	wantOneLine(t, nasbench(t, nil, args...), exitUsage, `s.db: "search" was made with another space: `+file+" (digest ")
	wantOneLine(t, nasbench(t, nil, "train", "--resume", model, "--quiet"), exitUsage, "model.safetensors was made with another space: "+file+" (digest ")
	write(strings.Replace(text, "[2, 4]", "[2, x]", 1))
	wantOneLine(t, nasbench(t, nil, args[:3]...), exitUsage, `mine.yaml:5: conv: channels: want a whole number, not "x"`)
	wantOneLine(t, nasbench(t, nil, "search", "--space", filepath.Join(dir, "none.yaml")), exitUsage, "--space: ")
}

func TestSearchByGradients(t *testing.T) {
	dir := t.TempDir()
	args := func(study string, more ...string) []string {
		return append([]string{
			"search", "--strategy", "darts", "--space", "seed-cell", "--channels", "2", "--cells", "2", "--darts-channels", "2", "--darts-cells", "2",
			"--darts-epochs", "1", "--darts-batch", "16", "--train-samples", "200", "--final-epochs", "0", "--json", "--quiet", "--study", filepath.Join(dir, study),
		}, more...)
	}
	first := objects(t, succeed(t, args("a.db")...).stdout)
	kinds := map[any]int{}
	var found, trial any
	for _, o := range first {
		kinds[o["type"]]++
		switch o["type"] {
		case "darts":
			found = o["genome"]
		case "trial":
			trial = o["genome"]
		}
	}
	if kinds["darts"] != 4 || kinds["trial"] != 1 || kinds["summary"] != 1 || found == nil || found != trial {
		t.Errorf("objects %v, found %v, tried %v", kinds, found, trial)
	}
	// Again with other workers, from the record, and with what the mixture left behind gone.
	for _, c := range []struct {
		study   string
		workers string
		forget  bool
	}{{"b.db", "3", false}, {"a.db", "1", false}, {"a.db", "2", true}} {
		if c.forget {
			if err := os.Remove(filepath.Join(dir, c.study+".search.darts")); err != nil {
				t.Fatal(err)
			}
		}
		again := objects(t, succeed(t, args(c.study, "--workers", c.workers)...).stdout)
		for i := range first {
			for _, name := range []string{"genome", "alphas", "metrics", "entropy", "eigenvalue"} {
				if !reflect.DeepEqual(again[i][name], first[i][name]) {
					t.Errorf("%+v: %s of object %d is %v, was %v", c, name, i, again[i][name], first[i][name])
				}
			}
		}
	}
	wantOneLine(t, nasbench(t, nil, args("a.db", "--darts-order", "2")...), exitUsage, "darts-order was 1, now 2")
	for want, more := range map[string][]string{
		"space chain has no edges":                                    {"search", "--strategy", "darts", "--space", "chain"},
		"--darts-partial 3 does not divide the 8":                     {"search", "--strategy", "darts", "--space", "seed-cell", "--darts-partial", "3"},
		`--darts-order "3": must be at most 2`:                        {"search", "--darts-order", "3"},
		`--darts-max-skips "0": must be at least 1, or auto, or none`: {"search", "--darts-max-skips", "0"},
	} {
		wantOneLine(t, nasbench(t, nil, append(more, "--study", filepath.Join(dir, "new.db"))...), exitUsage, want)
	}
}

func TestFinalTrainingsOfSeveralSeedsGiveMeanAndDeviation(t *testing.T) {
	args := []string{"--final-epochs", "2", "--final-seeds", "3", "--quiet", "--study"}
	dir := t.TempDir()
	lines := objects(t, succeed(t, tiny(append(args, filepath.Join(dir, "a.db"), "--json")...)...).stdout)
	s := lines[len(lines)-1]
	runs, _ := inside(s, "final", "runs").([]any)
	if len(runs) != 3 {
		t.Fatalf("runs are %v", runs)
	}
	var accuracies []float64
	for i, r := range runs {
		run := r.(map[string]any)
		if run["seed"] != float64(7+i) {
			t.Errorf("seed %v of run %d", run["seed"], i)
		}
		accuracies = append(accuracies, run["test_accuracy"].(float64))
	}
	mean := (accuracies[0] + accuracies[1] + accuracies[2]) / 3
	squares := 0.0
	for _, a := range accuracies {
		squares += (a - mean) * (a - mean)
	}
	if got := inside(s, "final", "test_accuracy").(float64); math.Abs(got-mean) > 1e-12 {
		t.Errorf("mean %v, want %v", got, mean)
	}
	if got := inside(s, "final", "test_accuracy_deviation").(float64); math.Abs(got-math.Sqrt(squares/2)) > 1e-12 {
		t.Errorf("deviation %v, want %v", got, math.Sqrt(squares/2))
	}
	if accuracies[0] == accuracies[1] && accuracies[1] == accuracies[2] {
		t.Errorf("all seeds give %v", accuracies[0])
	}
	// The first is the training that train makes.
	genome := inside(s, "best", "genome").(string)
	r := objects(t, succeed(t, "train", "--arch", genome, "--epochs", "2", "--train-samples", "200", "--validation", "0", "--test", "--seed", "7", "--json", "--quiet").stdout)
	if got := r[len(r)-1]["test_accuracy"]; got != accuracies[0] {
		t.Errorf("train gives %v, the search %v", got, accuracies[0])
	}
	text := succeed(t, tiny(append(args, filepath.Join(dir, "b.db"))...)...).stdout
	for _, want := range []string{"test accuracy 0.", " ± 0.", "mean and standard deviation of 3 trainings: seed 7 0.", ", seed 8 0.", ", seed 9 0."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
}
