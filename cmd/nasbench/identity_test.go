package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// putFile writes a file and the folders above it.
func putFile(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// digitsOf is a file of 8x8 images of some classes, made up.
func digitsOf(classes, images, salt int) []byte {
	var b bytes.Buffer
	b.WriteString("label")
	for i := range 64 {
		fmt.Fprintf(&b, ",p%d", i)
	}
	for n := range images {
		fmt.Fprintf(&b, "\n%d", n%classes)
		for i := range 64 {
			fmt.Fprintf(&b, ",%d", (17*(n%classes)+i*(n%classes+1)+n*salt)%256)
		}
	}
	b.WriteString("\n")
	return b.Bytes()
}

// pictureFolder is a folder of small pictures.
func pictureFolder(t testing.TB, dir string, classes ...string) string {
	t.Helper()
	for c, class := range classes {
		for n := range 8 {
			m := image.NewGray(image.Rect(0, 0, 8, 8))
			for i := range m.Pix {
				m.Pix[i] = byte(60*c + 3*n + i)
			}
			m.SetGray(0, 0, color.Gray{Y: byte(n)})
			var b bytes.Buffer
			if err := png.Encode(&b, m); err != nil {
				t.Fatal(err)
			}
			putFile(t, filepath.Join(dir, class, fmt.Sprintf("%d.png", n)), b.Bytes())
		}
	}
	return dir
}

// onDigits is a search of a moment.
func onDigits(study, data string, more ...string) []string {
	return append([]string{"search", "--study", study, "--dataset", data, "--trials", "2", "--max-flops", "300k", "--min-params", "none", "--final-epochs", "0", "--batch", "16"}, more...)
}

func recordedTrials(t *testing.T, path, name string) int {
	t.Helper()
	all, err := readStudies(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Name == name {
			return len(r.trials)
		}
	}
	return 0
}

func TestASearchIsNotGoneOnWithOnOtherData(t *testing.T) {
	dir := t.TempDir()
	file, study := filepath.Join(dir, "q.csv"), filepath.Join(dir, "s.db")
	putFile(t, file, digitsOf(4, 80, 3))
	succeed(t, onDigits(study, "digits:"+file)...)
	goOn := []string{"search", "--study", study, "--trials", "4"}
	for name, content := range map[string][]byte{
		"(digest [0-9a-f]{12}, 4 classes, 80 images), now digits:.*q.csv \\(digest [0-9a-f]{12}, 7 classes, 140 images\\)": digitsOf(7, 140, 3),
		"(digest [0-9a-f]{12}, 4 classes, 80 images), now digits:.*q.csv \\(digest [0-9a-f]{12}, 4 classes, 80 images\\)":  digitsOf(4, 80, 5),
	} {
		putFile(t, file, content)
		r := nasbench(t, nil, goOn...)
		wantOneLine(t, r, exitUsage, `s.db: "search" was made with another data set: digits:`+file)
		if want := strings.Replace(name, "(digest", `\(digest`, 1); !regexp.MustCompile(strings.Replace(want, "images)", `images\)`, 1)).MatchString(r.stderr) {
			t.Errorf("no %s in %s", name, r.stderr)
		}
		if n := recordedTrials(t, study, "search"); n != 2 {
			t.Errorf("%d trials on record", n)
		}
	}
	// Nor on another file that is named.
	other := putFile(t, filepath.Join(dir, "other.csv"), digitsOf(4, 80, 5))
	wantOneLine(t, nasbench(t, nil, append(goOn, "--dataset", "digits:"+other)...), exitUsage, ", now digits:"+other+" (digest ")
	putFile(t, file, digitsOf(4, 80, 3))
	succeed(t, goOn...)
	// What was typed wrong is named, not what follows from it.
	r := nasbench(t, nil, append(goOn, "--label-column", "2")...)
	if r.code == exitOK || strings.Contains(r.stderr, "another data set") {
		t.Errorf("another label column: %s", r.stderr)
	}
	wantOneLine(t, nasbench(t, nil, append(goOn, "--dataset", "fashion-mnist-mini")...), exitUsage, "dataset was digits:"+file+", now fashion-mnist-mini")
}

func TestAFolderOfPicturesThatHasChangedIsOtherData(t *testing.T) {
	dir := t.TempDir()
	folder, study := pictureFolder(t, filepath.Join(dir, "photos"), "cat", "dog", "emu"), filepath.Join(dir, "s.db")
	succeed(t, onDigits(study, "images:"+folder, "--image-size", "8")...)
	refused := func(what string) {
		t.Helper()
		r := nasbench(t, nil, "search", "--study", study, "--trials", "3")
		if r.code != exitUsage || !strings.Contains(r.stderr, "was made with another data set: images:"+folder) {
			t.Errorf("%s: code %d: %s", what, r.code, r.stderr)
		}
	}
	extra := filepath.Join(folder, "cat", "more.png")
	content, err := os.ReadFile(filepath.Join(folder, "dog", "1.png"))
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, extra, content)
	refused("a picture more")
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "emu"), filepath.Join(dir, "emu")); err != nil {
		t.Fatal(err)
	}
	refused("a class less")
	if err := os.Rename(filepath.Join(dir, "emu"), filepath.Join(folder, "gnu")); err != nil {
		t.Fatal(err)
	}
	refused("a class renamed")
	if err := os.Rename(filepath.Join(folder, "gnu"), filepath.Join(folder, "emu")); err != nil {
		t.Fatal(err)
	}
	succeed(t, "search", "--study", study, "--trials", "3")
}

// The files of darts and oneshot that lie beside a new study are of another one, whose study file is gone.
func TestANewStudyStartsAnewWhateverLiesBesideIt(t *testing.T) {
	for kind, more := range map[string][]string{
		"darts":   {"--strategy", "darts", "--space", "seed-cell", "--channels", "4", "--cells", "3", "--darts-epochs", "1", "--trials", "1", "--max-flops", "none"},
		"oneshot": {"--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "4"},
	} {
		dir := t.TempDir()
		first := putFile(t, filepath.Join(dir, "first.csv"), digitsOf(4, 80, 3))
		second := putFile(t, filepath.Join(dir, "second.csv"), digitsOf(4, 80, 7)) // as many images of as many classes
		search := func(study, data string) string {
			r := succeed(t, append(onDigits(study, "digits:"+data, "--json", "--quiet"), more...)...)
			return regexp.MustCompile(`,"seconds":[0-9.e-]+`).ReplaceAllString(lasting(t, r.stdout), "")
		}
		want := search(filepath.Join(dir, "fresh.db"), second)
		study := filepath.Join(dir, "s.db")
		for _, left := range []string{first, second, ""} {
			if left != "" {
				search(study, left)
			} else {
				putFile(t, study+".search."+kind, []byte("nothing of ours"))
			}
			for _, file := range []string{study, study + "-wal", study + "-shm"} {
				os.Remove(file)
			}
			if !exists(study + ".search." + kind) {
				t.Fatalf("nothing is left of %s", kind)
			}
			if got := search(study, second); got != want {
				t.Errorf("%s beside what was left of a study of %s:\n%s\nalone\n%s", kind, filepath.Base(left), got, want)
			}
			for _, file := range []string{study, study + "-wal", study + "-shm"} {
				os.Remove(file)
			}
		}
		// A study that was moved to the place of another does not take over its files either.
		search(study, second)
		if err := os.Rename(filepath.Join(dir, "fresh.db"), study); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(study + ".search." + kind)
		if err != nil {
			t.Fatal(err)
		}
		if got := search(study, second); got != want {
			t.Errorf("%s in the place of another study:\n%s\nwant\n%s", kind, got, want)
		}
		if after, err := os.ReadFile(study + ".search." + kind); err != nil || bytes.Equal(before, after) {
			t.Errorf("%s of another study is gone on with (%v)", kind, err)
		}
	}
}

func TestPathsMeanTheSameFromEverywhere(t *testing.T) {
	dir := t.TempDir()
	data, elsewhere := filepath.Join(dir, "data"), t.TempDir()
	putFile(t, filepath.Join(data, "q.csv"), digitsOf(4, 80, 3))
	pictureFolder(t, filepath.Join(data, "photos"), "cat", "dog")
	for _, c := range []struct{ kind, path string }{{"digits:", "q.csv"}, {"images:", "photos"}} {
		study := filepath.Join(dir, c.path+".db")
		at := filepath.Join(data, c.path)
		t.Chdir(data)
		r := succeed(t, onDigits(study, c.kind+c.path, "--json")...)
		lines := objects(t, r.stdout)
		if got := inside(lines[len(lines)-1], "settings", "dataset"); got != c.kind+at {
			t.Errorf("the data set is on record as %v, want %s", got, c.kind+at)
		}
		if train := inside(lines[len(lines)-1], "run", "train").(string); !strings.Contains(train, "--dataset "+quoteArg(c.kind+at)) {
			t.Errorf("%s", train)
		}
		t.Chdir(elsewhere)
		goOn := func(more ...string) {
			t.Helper()
			succeed(t, append([]string{"search", "--study", study, "--trials", "3"}, more...)...)
		}
		goOn()
		goOn("--dataset", c.kind+at)
		goOn("--dataset", c.kind+filepath.Join(data, "..", "data", c.path))
		rel, err := filepath.Rel(elsewhere, at)
		if err != nil {
			t.Fatal(err)
		}
		goOn("--dataset", c.kind+rel)
		if link := filepath.Join(dir, "link"); os.Symlink(data, link) == nil {
			goOn("--dataset", c.kind+filepath.Join(link, c.path))
			goOn() // by the link, which is on record now
			if err := os.Remove(link); err != nil {
				t.Fatal(err)
			}
		}
		moved := filepath.Join(dir, "moved "+c.path)
		if err := os.Rename(at, moved); err != nil {
			t.Fatal(err)
		}
		wantOneLine(t, nasbench(t, nil, "search", "--study", study, "--trials", "3"), exitUsage, "say where it is now with --dataset "+c.kind+"PATH")
		goOn("--dataset", c.kind+moved)
		goOn()
		if err := os.Rename(moved, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheFolderOfADataSetIsRemembered(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	putFile(t, filepath.Join(dir, "data", "digits.csv"), digitsOf(4, 80, 3))
	study := filepath.Join(dir, "s.db")
	t.Chdir(dir)
	succeed(t, onDigits(study, "digits", "--data-dir", "data")...)
	t.Chdir(elsewhere)
	succeed(t, "search", "--study", study, "--trials", "3")
	if err := os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if r := nasbench(t, nil, "search", "--study", study, "--trials", "4"); r.code == exitOK || !strings.Contains(r.stderr, "digits.csv not found") {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
	succeed(t, "search", "--study", study, "--trials", "4", "--data-dir", filepath.Join(dir, "moved"))
	succeed(t, "search", "--study", study, "--trials", "5")
}

func TestSpacesAndTablesMayBeMoved(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	data := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3))
	putFile(t, "mine.yaml", []byte("space: mine\nkind: chain\ndepth: [1, 2]\noperations:\n  conv: {type: conv, channels: [2, 4]}\n  skip: {type: skip}\n"))
	table, err := os.ReadFile(writeTable(t))
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, "table.csv", table)
	study := filepath.Join(dir, "s.db")
	succeed(t, onDigits(study, "digits:"+data, "--space", "mine.yaml")...)
	succeed(t, lookingUp("table.csv", "--study", study, "--name", "table", "--trials", "5", "--quiet")...)
	for flag, c := range map[string]struct {
		file string
		args []string
	}{
		"--space": {"mine.yaml", []string{"search", "--study", study, "--trials", "3"}},
		"--table": {"table.csv", []string{"search", "--study", study, "--name", "table", "--trials", "7"}},
	} {
		t.Chdir(elsewhere)
		succeed(t, c.args...)
		moved := filepath.Join(dir, "moved-"+c.file)
		if err := os.Rename(filepath.Join(dir, c.file), moved); err != nil {
			t.Fatal(err)
		}
		wantOneLine(t, nasbench(t, nil, c.args...), exitUsage, "say where it is now with "+flag+" PATH")
		succeed(t, append(c.args, flag, moved)...)
		succeed(t, c.args...)
		t.Chdir(dir)
		succeed(t, append(c.args, flag, filepath.Base(moved))...)
	}
}

// copyV1 copies the records of the first version.
func copyV1(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "v1"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// generic runs the program in a folder with the kernels that the records of the first version were made with, and wants exit code 0 or the one given.
func generic(t *testing.T, code int, folder string, args ...string) ran {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), asProgram+"=1", "NASBENCH_LEVEL=generic")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%q: exit code %d (%v): %s", args, got, err, stderr.String())
	}
	return ran{code, stdout.String(), stderr.String()}
}

func TestRecordsWithoutADigestAreAdopted(t *testing.T) {
	dir := copyV1(t)
	q, elsewhere, file := filepath.Join(dir, "q.csv"), t.TempDir(), filepath.Join(dir, "digits.db")
	goOn := func(code, trials int, more ...string) ran {
		t.Helper()
		return generic(t, code, elsewhere, append([]string{"search", "--study", file, "--trials", fmt.Sprint(trials), "--final-epochs", "0"}, more...)...)
	}
	const words = "has no digest of its data set, "
	r := goOn(exitOK, 4) // the relative path on record is found beside the study
	if want := words + "digits:q.csv: it is taken to be digits:" + q + " (digest "; !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, ", 4 classes, 120 images)\n") {
		t.Errorf("no %q in %s", want, r.stderr)
	}
	if r := goOn(exitOK, 4); strings.Contains(r.stderr, words) {
		t.Errorf("adopted again: %s", r.stderr)
	}
	putFile(t, q, digitsOf(4, 120, 3))
	wantOneLine(t, goOn(exitUsage, 5), exitUsage, "was made with another data set")

	// What cannot be the data set is refused without a digest, too.
	dir = copyV1(t)
	q, file = filepath.Join(dir, "q.csv"), filepath.Join(dir, "digits.db")
	putFile(t, q, digitsOf(7, 140, 3))
	wantOneLine(t, goOn(exitUsage, 5), exitUsage, "7 classes, 140 images): the network of trial 0 had ")

	// A data set that is nowhere is asked for.
	dir = copyV1(t)
	file = filepath.Join(dir, "digits.db")
	if err := os.Rename(filepath.Join(dir, "q.csv"), filepath.Join(dir, "moved.csv")); err != nil {
		t.Fatal(err)
	}
	wantOneLine(t, goOn(exitUsage, 4), exitUsage,
		"was begun with --dataset digits:q.csv, which is not there any more, neither in this folder nor in that of digits.db: say where it is now with --dataset digits:PATH")
	goOn(exitOK, 4, "--dataset", "digits:"+filepath.Join(dir, "moved.csv"))
	goOn(exitOK, 5)
}

// The supernet that the first version left beside its study goes on: nothing is trained or measured again.
func TestSideFilesOfTheFirstVersionGoOn(t *testing.T) {
	dir := copyV1(t)
	file := filepath.Join(dir, "study.db")
	read := func(kind string) []byte {
		t.Helper()
		b, err := os.ReadFile(file + ".one." + kind)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	supernet, paths := read("oneshot"), read("oneshot.paths")
	r := generic(t, exitOK, dir, "search", "--study", file, "--name", "one", "--trials", "2", "--final-epochs", "0")
	if !bytes.Equal(read("oneshot"), supernet) || !bytes.Equal(read("oneshot.paths"), paths) || strings.Contains(r.stderr, "removed") {
		t.Errorf("the supernet was trained anew: %s", r.stderr)
	}
	if n := recordedTrials(t, file, "one"); n != 2 {
		t.Errorf("%d trials", n)
	}
}

func TestTrainingIsNotGoneOnWithOnOtherData(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	putFile(t, "q.csv", digitsOf(4, 80, 3))
	model := filepath.Join(dir, "m.safetensors")
	train := []string{"train", "--arch", "conv3x3(16), pool3x3(max), skip", "--epochs", "2", "--dataset", "digits:q.csv", "--batch", "16", "--json", "--quiet"}
	want := succeed(t, train...).stdout
	r := interruptAt(t, `"epoch":1`, true, append(train, "--out", "m.safetensors")...)
	if r.code != exitInterrupted || !strings.Contains(r.stderr, "train --resume "+quoteArg(model)) {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
	t.Chdir(elsewhere)
	putFile(t, filepath.Join(dir, "q.csv"), digitsOf(7, 140, 3))
	refused := nasbench(t, nil, "train", "--resume", model)
	wantOneLine(t, refused, exitUsage, "--resume: "+model+" was made with another data set: digits:"+filepath.Join(dir, "q.csv")+" (digest ")
	wantOneLine(t, refused, exitUsage, ", 4 classes, 80 images), now ")
	wantOneLine(t, refused, exitUsage, ", 7 classes, 140 images)")
	putFile(t, filepath.Join(dir, "moved.csv"), digitsOf(4, 80, 3))
	wantOneLine(t, nasbench(t, nil, "train", "--resume", model, "--dataset", "fashion-mnist-mini"), exitUsage, "dataset was digits:")
	rest := succeed(t, "train", "--resume", model, "--dataset", "digits:"+filepath.Join(dir, "moved.csv"), "--json", "--quiet").stdout
	if got := lasting(t, r.stdout) + lasting(t, rest); got != lasting(t, want) {
		t.Errorf("got\n%s\nwant\n%s", got, lasting(t, want))
	}
	// It is on record where the data lies now.
	succeed(t, "train", "--resume", model, "--quiet")
}

func TestACheckpointOfTheFirstVersionIsAdopted(t *testing.T) {
	dir := copyV1(t)
	model := filepath.Join(dir, "training.safetensors")
	const words = "has no digest of its data set, fashion-mnist-mini: it is taken to be fashion-mnist-mini (digest 61ed53fe9184, 10 classes, 12000 images)"
	r := generic(t, exitOK, dir, "train", "--resume", model, "--json")
	if !strings.Contains(r.stderr, "--resume: "+model+" "+words) {
		t.Errorf("no %q in %s", words, r.stderr)
	}
	lines := objects(t, r.stdout)
	if a, ok := lines[len(lines)-1]["val_accuracy"].(float64); !ok || a <= 0 {
		t.Errorf("the finished training has reached %v", lines[len(lines)-1]["val_accuracy"])
	}
	if r := generic(t, exitOK, dir, "train", "--resume", model); strings.Contains(r.stderr, words) {
		t.Errorf("adopted again: %s", r.stderr)
	}
}

func TestAFinishedTrainingSaysWhatItReached(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.safetensors")
	all := objects(t, succeed(t, tinyTrain("--epochs", "2", "--out", model)...).stdout)
	again := objects(t, succeed(t, "train", "--resume", model, "--json", "--quiet").stdout)
	want, got := all[len(all)-1]["val_accuracy"], again[len(again)-1]["val_accuracy"]
	if want == nil || got != want {
		t.Errorf("val_accuracy %v, want %v", got, want)
	}
}

func TestWhatIsNoCheckpointIsSaidToBeNone(t *testing.T) {
	file := putFile(t, filepath.Join(t.TempDir(), "digits.csv"), digitsOf(4, 80, 3))
	wantOneLine(t, nasbench(t, nil, "train", "--resume", file), exitFailure, "--resume: "+file+" is not a checkpoint of nasbench train")
}

func TestAFlippedBitInACheckpointIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.safetensors")
	succeed(t, tinyTrain("--epochs", "1", "--out", model)...)
	study := filepath.Join(dir, "s.db")
	data := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3))
	search := onDigits(study, "digits:"+data, "--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "4")
	succeed(t, search...)
	for file, args := range map[string][]string{
		model:                                {"train", "--resume", model},
		study + ".search.oneshot":            search,
		study + ".search.oneshot" + ".paths": search,
	} {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{3, 40, len(good) / 3, len(good) / 2, len(good) - 20} {
			bad := slices.Clone(good)
			bad[at] ^= 4
			putFile(t, file, bad)
			if r := nasbench(t, nil, args...); r.code != exitFailure || !strings.Contains(r.stderr, filepath.Base(file)) {
				t.Errorf("%s: byte %d: code %d: %s", filepath.Base(file), at, r.code, r.stderr)
			}
		}
		putFile(t, file, good)
	}
}

func TestARankingIsNotGoneOnWithOnOtherData(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	file, study := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3)), filepath.Join(dir, "r.db")
	rank := []string{"rank", "--study", "r.db", "--dataset", "digits:q.csv", "--architectures", "3", "--seeds", "2", "--epochs", "1", "--oneshot-epochs", "1", "--max-flops", "300k", "--min-params", "none", "--json", "--quiet"}
	want := succeed(t, rank...)
	t.Chdir(elsewhere)
	goOn := []string{"rank", "--study", study, "--architectures", "3", "--seeds", "2", "--json", "--quiet"}
	if got := succeed(t, goOn...); strings.ReplaceAll(got.stdout, study, "r.db") != want.stdout {
		t.Errorf("gone on with\n%s\nfirst\n%s", got.stdout, want.stdout)
	}
	putFile(t, file, digitsOf(4, 80, 5))
	wantOneLine(t, nasbench(t, nil, goOn...), exitUsage, `r.db: "rank.1" was made with another data set: digits:`+file+" (digest ")
	// What is left of the ranking is not taken over by a new one.
	for _, name := range []string{study, study + "-wal", study + "-shm"} {
		os.Remove(name)
	}
	t.Chdir(dir)
	left := succeed(t, rank...)
	if err := os.Mkdir(filepath.Join(dir, "alone"), 0o755); err != nil {
		t.Fatal(err)
	}
	alone := slices.Clone(rank)
	alone[2] = filepath.Join("alone", "r.db")
	if fresh := succeed(t, alone...); strings.ReplaceAll(fresh.stdout, filepath.Join("alone", "r.db"), "r.db") != left.stdout {
		t.Errorf("beside a supernet that was left\n%s\nalone\n%s", left.stdout, fresh.stdout)
	}
}

func TestAWarmStartFromOtherDataIsSaid(t *testing.T) {
	dir := t.TempDir()
	first := putFile(t, filepath.Join(dir, "a.csv"), digitsOf(4, 80, 3))
	second := putFile(t, filepath.Join(dir, "b.csv"), digitsOf(4, 80, 5))
	same := putFile(t, filepath.Join(dir, "c.csv"), digitsOf(4, 80, 3))
	earlier := filepath.Join(dir, "earlier.db")
	succeed(t, onDigits(earlier, "digits:"+first)...)
	t.Chdir(dir)
	warm := func(study, data string) string {
		return succeed(t, onDigits(study, "digits:"+data, "--strategy", "evolution", "--population", "4", "--warm-start", "earlier.db")...).stderr
	}
	const words = "the scores of the two may not be comparable"
	if got := warm("s.db", second); !strings.Contains(got, "warm start: the data set was digits:"+first+" (digest ") || !strings.Contains(got, words) {
		t.Errorf("another data set: %s", got)
	}
	if got := warm("t.db", same); strings.Contains(got, words) {
		t.Errorf("the same data set elsewhere: %s", got)
	}
	// The path means the same from everywhere, and a copy elsewhere is the same search.
	t.Chdir(t.TempDir())
	goOn := []string{"search", "--study", filepath.Join(dir, "t.db"), "--trials", "3"}
	succeed(t, goOn...)
	succeed(t, append(goOn, "--warm-start", earlier)...)
	if err := os.Rename(earlier, filepath.Join(dir, "moved.db")); err != nil {
		t.Fatal(err)
	}
	succeed(t, append(goOn, "--warm-start", filepath.Join(dir, "moved.db"))...)
	succeed(t, goOn...)
}

func TestNamesOfSideFiles(t *testing.T) {
	for name, want := range map[string]string{
		"search": "s.db.search.oneshot", "Größe 2": "s.db.Größe 2.oneshot", "a.b": "s.db.a.b.oneshot", "..": "s.db....oneshot",
	} {
		if got := sideFile("s.db", name, oneshotStrategy); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"../../evil", "../../evi/", "..\x00..", "a\nb", "a_b", strings.Repeat("n", 300), strings.Repeat("n", 301), strings.Repeat("ü", 200), "/etc/x"} {
		got := sideFile(filepath.Join("folder", "s.db"), name, oneshotStrategy)
		if filepath.Dir(got) != "folder" || len(filepath.Base(got)) > 200 || strings.ContainsAny(got, "\x00\n") || seen[got] != "" {
			t.Errorf("%q: %q, also of %q", name, got, seen[got])
		}
		seen[got] = name
	}
}

// A study is the same by whatever link it is reached, with what lies beside it.
func TestALinkToAStudyGoesOnWithItsSideFiles(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.db"), filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(real, link); err != nil {
		t.Skip("no links here:", err)
	}
	data := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3))
	search := func(study string) {
		t.Helper()
		succeed(t, onDigits(study, "digits:"+data, "--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "4")...)
	}
	search(real)
	before, err := os.ReadFile(real + ".search.oneshot")
	if err != nil {
		t.Fatal(err)
	}
	search(link)
	after, err := os.ReadFile(real + ".search.oneshot")
	if err != nil || !bytes.Equal(before, after) || exists(link+".search.oneshot") {
		t.Errorf("the supernet was trained anew (%v)", err)
	}
	for _, name := range []string{real, real + "-wal", real + "-shm"} {
		os.Remove(name)
	}
	putFile(t, link+".search.oneshot", []byte("left"))
	search(link)
	if exists(link + ".search.oneshot") {
		t.Error("what was left beside the link is still there")
	}
}

func TestWhatKilledProcessesLeftIsRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no locks")
	}
	dir := t.TempDir()
	model, file := filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "s.db")
	data := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3))
	left := []string{
		putFile(t, model+".tmp-123", []byte("x")),
		putFile(t, file+".search.oneshot.tmp-5", []byte("x")),
		putFile(t, file+".d.darts.tmp-77", []byte("x")),
		putFile(t, file+".search.final.tmp-8", []byte("x")),
	}
	succeed(t, tinyTrain("--epochs", "1", "--out", model)...)
	succeed(t, onDigits(file, "digits:"+data, "--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "4", "--final-epochs", "1")...)
	succeed(t, onDigits(file, "digits:"+data, "--name", "d", "--strategy", "darts", "--space", "seed-cell", "--channels", "4", "--cells", "3", "--darts-epochs", "1", "--trials", "1", "--max-flops", "none")...)
	for _, path := range left {
		if exists(path) {
			t.Errorf("%s is still there", filepath.Base(path))
		}
	}
	// Also where all is done and nothing is left to write.
	again := putFile(t, left[1], []byte("x"))
	succeed(t, onDigits(file, "digits:"+data, "--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "4", "--final-epochs", "1")...)
	if exists(again) {
		t.Errorf("%s is still there", filepath.Base(again))
	}
}

// A study keeps its identity and digest when the same command is given again.
func TestTheSameCommandGoesOn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s.db")
	data := putFile(t, filepath.Join(dir, "q.csv"), digitsOf(4, 80, 3))
	identity := func() string {
		f, err := study.OpenFile(file, study.FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, ok, err := f.Find("search")
		if err != nil || !ok || len(info.Settings[dataSetting]) != 64 {
			t.Fatalf("%v, %v, %v", info, ok, err)
		}
		return info.Identity()
	}
	succeed(t, onDigits(file, "digits:"+data)...)
	before := identity()
	succeed(t, onDigits(file, "digits:"+data)...)
	if after := identity(); after != before || after == "" {
		t.Errorf("identity %q, then %q", before, after)
	}
}

// Pictures were read in one way before data sets had digests: what was transparent became black.
func TestAnOldStudyOfPicturesReadsThemAsThen(t *testing.T) {
	dir := t.TempDir()
	folder, file := pictureFolder(t, filepath.Join(dir, "photos"), "cat", "dog"), filepath.Join(dir, "s.db")
	search := func(more ...string) ran {
		t.Helper()
		return nasbench(t, nil, append([]string{"search", "--study", file, "--final-epochs", "0", "--trials"}, more...)...)
	}
	succeed(t, onDigits(file, "images:"+folder, "--image-size", "8", "--background", "black")...)
	f, err := study.OpenFile(file, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Amend("search", study.Settings{"background": "", dataSetting: "", contentsSetting: ""}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantOneLine(t, search("3", "--background", "white"), exitUsage, "background was black, now ")
	for trials := 3; trials < 5; trials++ {
		r := search(fmt.Sprint(trials), "--json")
		if r.code != exitOK {
			t.Fatal(r.stderr)
		}
		lines := objects(t, r.stdout)
		if got := inside(lines[len(lines)-1], "settings", "background"); got != "black" || strings.Contains(r.stderr, "is taken to be") != (trials == 3) {
			t.Errorf("background %v: %s", got, r.stderr)
		}
	}
}
