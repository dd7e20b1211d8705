package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

func TestMistakesGiveOneLineAndCode2(t *testing.T) {
	const arch = "conv3x3(16), skip, skip"
	for _, c := range []struct {
		args string // separated by |
		want string
	}{
		{"serach|--trials|3", `unknown command "serach" for "nasbench", did you mean "search"? (run 'nasbench --help')`},
		{"data|lst", `unknown command "lst" for "nasbench data", did you mean "list"?`},
		{"help|serch", `unknown command "serch"`},
		{"--bogus", "unknown flag --bogus"},
		{"-x", "unknown flag -x"},
		{"search|--trails|3", `unknown flag --trails, did you mean "--trials"? (run 'nasbench search --help')`},
		{"version|--trials|3", "unknown flag --trials"},
		{"train|--workers|2", "unknown flag --workers"},
		{"search|extra", `unexpected argument "extra"`},
		{"version|extra", `unexpected argument "extra"`},
		{"search|--trials", "flag needs an argument"},
		{"search|--trials|0", `--trials "0": must be at least 1`},
		{"search|--trials|-3", `--trials "-3": must be at least 1`},
		{"search|--trials|many", `--trials "many": want a whole number`},
		{"search|--trials|99999999999999999999", "out of range"},
		{"search|--time|0s", `--time "0s": must be more than 0s`},
		{"search|--time|-5m", "must be more than 0s"},
		{"search|--time|5", "want a duration such as"},
		{"search|--epochs|0", `--epochs "0": must be at least 1`},
		{"search|--batch|0", "must be at least 1"},
		{"search|--final-epochs|-1", "must be at least 0"},
		{"search|--final-seeds|0", "must be at least 1"},
		{"search|--schedule|cosin", `unknown schedule "cosin", did you mean "cosine"?`},
		{"search|--optimizer|adam", `unknown optimizer "adam", did you mean "adamw"?`},
		{"search|--threads|-1", "must be at least 0"},
		{"search|--workers|-1", "must be at least 0"},
		{"search|--top|0", "must be at least 1"},
		{"search|--seed|-1", `--seed "-1": want a whole number of at least 0`},
		{"search|--lr|0", "must be more than 0"},
		{"search|--lr|NaN", "want a finite number"},
		{"search|--momentum|1", "must be less than 1"},
		{"search|--validation|0", "must be more than 0"},
		{"search|--max-flops|0", "must be at least 1"},
		{"search|--threads|5000", "--threads \"5000\": must be at most 1024"},
		{"search|--workers|9223372036854775807", "must be at most 1024"},
		{"search|--max-params|lots", "want a number such as 250000, 250k or 2.5M"},
		{"search|--max-params|-5k", "must be at least 1"},
		{"search|--pad|40|--trials|1", "--pad 40 is more than the 28 pixels"},
		{"search|--cutout|90|--trials|1", "--cutout 90"},
		{"search|--json=perhaps", `--json "perhaps": want true or false`},
		{"search|--name=|--trials|1", "--name must not be empty"},
		{"search|--space|chian", `unknown space "chian", did you mean "chain"?; known: chain`},
		{"search|--strategy|randon", `unknown strategy "randon", did you mean "random"?`},
		{"search|--dataset|fashion-mnist-mimi", `unknown data set "fashion-mnist-mimi"; known are`},
		{"data|info|mnits", `did you mean "mnist"?`},
		{"data|info", "the name of a data set is missing"},
		{"data|info|mnist|more", `unexpected argument "more"`},
		{"data|fetch|nothing", `unknown data set "nothing"`},
		{"train", "--arch or --resume is needed"},
		{"train|--arch|conv3x3(16), skip", "--arch: "},
		{"train|--arch|conv7x7(16), skip, skip", "conv7x7"},
		{"train|--arch|conv3x3(17), skip, skip", "17"},
		{"train|--arch|{\"space\":", "--arch: "},
		{"train|--arch|@" + filepath.Join("no", "such", "file"), "--arch: "},
		{"train|--arch|@-", "--arch: standard input is empty"},
		{"train|--arch|" + arch + "|--epochs|0", "must be at least 1"},
		{"train|--arch|" + arch + "|--schedule|cosin", `unknown schedule "cosin", did you mean "cosine"?`},
		{"train|--arch|" + arch + "|--optimizer|adam", `unknown optimizer "adam", did you mean "adamw"?`},
		{"train|--arch|" + arch + "|--ema|1", "must be less than 1"},
		{"train|--arch|" + arch + "|--memory|none", `--memory "none": want a number of bytes such as 500M or 2G`},
		{"search|--memory|much", `--memory "much": want a number of bytes such as 500M or 2G`},
		{"search|--trials|1|--train-samples|200|--epochs|9223372036854775807", "--epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"search|--trials|1|--train-samples|200|--final-epochs|9223372036854775807", "--final-epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"search|--train-samples|200|--strategy|darts|--space|nb201|--darts-epochs|9223372036854775807", "--darts-epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"search|--train-samples|200|--strategy|oneshot|--oneshot-epochs|9223372036854775807", "--oneshot-epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"rank|--train-samples|200|--epochs|9223372036854775807", "--epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"rank|--train-samples|200|--oneshot-epochs|9223372036854775807", "--oneshot-epochs: 9223372036854775807 epochs of 200 images are too many to count"},
		{"train|--train-samples|200|--epochs|9223372036854775807|--arch|" + arch, "epochs of 160 images are too many to count"},
		{"train|--warm-up|1e300|--arch|" + arch, "must be at most 3.4e+38 in size"},
		{"search|--lr|1e39", "must be at most 3.4e+38 in size"},
		{"search|--strategy|darts|--darts-lr|1e39", "must be at most 3.4e+38 in size"},
		{"search|--max-macs|0", "must be at least 1"},
		{"search|--config|" + filepath.Join("no", "such", "file"), "--config: "},
	} {
		t.Run(c.args, func(t *testing.T) {
			wantOneLine(t, nasbench(t, nil, strings.Split(c.args, "|")...), exitUsage, c.want)
		})
	}
}

func TestFailuresGiveOneLineAndCode1(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	truncated := filepath.Dir(write("truncated/train-images-idx3-ubyte", "\x00\x00\x08\x03\x00\x00\xea\x60\x00\x00\x00\x1c\x00\x00\x00\x1cshort"))
	for _, name := range []string{"train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"} {
		write("truncated/"+name, "\x00\x00\x08\x01\x00\x00\x00\x01\x00")
	}
	text := write("text.db", "this is no study")
	locked, err := study.OpenFile(filepath.Join(dir, "locked.db"), study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	const small = "|--trials|1|--epochs|1|--train-samples|100"
	const arch = "train|--arch|conv3x3(16), skip, skip|--train-samples|100"
	for _, c := range []struct{ args, want string }{
		{"search|--dataset|mnist" + small, "nasbench data fetch mnist"},
		{"search|--dataset|cifar10" + small, "dataset cifar10: "},
		{"search|--dataset|mnist:" + truncated + small, "train-images-idx3-ubyte: offset 16: "},
		{"data|info|mnist:" + truncated, "offset 16: "},
		{"data|info|mnist|--data-dir|" + filepath.Join(dir, "nowhere"), "--data-dir: "},
		{"data|info|digits:" + text, "dataset digits: text.db: line 1"},
		{"data|fetch|cifar10", "cannot be fetched"},
		{"search|--study|" + filepath.Join(dir, "no", "folder.db") + small, "does not exist"},
		{"search|--study|" + dir + small, "is a folder"},
		{"search|--study|" + text + small, "is not a study file"},
		{"search|--study|" + filepath.Join(dir, "locked.db") + small, "in use by another process"},
		{"search|--cpuprofile|" + filepath.Join(dir, "no", "cpu.prof") + small, "--cpuprofile: "},
		{"search|--quiet|--max-params|1" + small, "allow more with --max-flops"},
		{arch + "|--out|" + filepath.Join(dir, "no", "model.safetensors"), "--out: "},
		{arch + "|--out|" + dir, "is a folder"},
		{"train|--resume|" + filepath.Join(dir, "no.safetensors"), "--resume: "},
		{"train|--resume|" + text, "--resume: "},
	} {
		t.Run(c.args, func(t *testing.T) {
			wantOneLine(t, nasbench(t, nil, strings.Split(c.args, "|")...), exitFailure, c.want)
		})
	}
}

// A level that cannot be had is found by the kernels, which look at the process's own environment.
func TestUnavailableLevelIsAMistake(t *testing.T) {
	for _, command := range []string{"info", "search --trials 1", "train --arch skip"} {
		for _, level := range []string{"sse9", "neon avx2"} {
			cmd := exec.Command(os.Args[0], strings.Fields(command)...)
			cmd.Env = append(os.Environ(), asProgram+"=1", "NASBENCH_LEVEL="+level)
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the exit code is looked at below
			wantOneLine(t, ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, exitUsage, "NASBENCH_LEVEL="+level)
		}
	}
}

func TestHelpSucceeds(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "nasbench [command]"},
		{"--help", "nasbench [command]"},
		{"help", "nasbench [command]"},
		{"help|search", "--final-epochs"},
		{"search|-h", "--final-epochs"},
		{"help|data|info", "nasbench data info NAME"},
		{"help|config", "NASBENCH_DATA_DIR"},
		{"data", "fetch"},
		{"completion|bash", "bash completion"},
		{"__complete|search|--space|", "chain"},
	} {
		args := strings.Split(c.args, "|")
		if c.args == "" {
			args = nil
		}
		if r := nasbench(t, nil, args...); r.code != exitOK || !strings.Contains(r.stdout, c.want) {
			t.Errorf("%q: exit code %d, %s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestSuggestions(t *testing.T) {
	options := []string{"search", "train", "info", "data"}
	for word, want := range map[string]string{
		"serach": `, did you mean "search"?`, "trian": `, did you mean "train"?`, "nfo": `, did you mean "info"?`,
		"evolution": "", "x": "", "": "",
	} {
		if got := didYouMean(word, options); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// failingWriter is a full disk.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestLostOutputIsAFailure(t *testing.T) {
	for _, args := range []string{"version", "info --json", "data list", "help"} {
		var stderr strings.Builder
		code := run(t.Context(), strings.Fields(args), nil, failingWriter{}, &stderr, env{}.get)
		wantOneLine(t, ran{code, "", stderr.String()}, exitFailure, "file already closed")
	}
}
