package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settled returns a command after its flags were read from all sources.
func settled(t *testing.T, e env, args ...string) (*cobra.Command, error) {
	t.Helper()
	a := &app{stdout: io.Discard, stderr: io.Discard, getenv: e.get}
	cmd, rest, err := a.newRoot().Find(args)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	cmd.SetContext(t.Context())
	return cmd, a.settle(cmd)
}

func writeConfig(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nasbench.yaml")
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	path := writeConfig(t, "# a comment\ntrials: 3\nepochs: 4\nbatch: 16\nmax-flops: 2.5M\ntime: 1m30s\nflip: true\nlr: 0.25\nseed: 18446744073709551615\narch: skip\n")
	e := env{"NASBENCH_TRIALS": "5", "NASBENCH_EPOCHS": "6", "NASBENCH_DATA_DIR": "/data", "NASBENCH_LABEL_SMOOTHING": "0.1"}
	cmd, err := settled(t, e, "search", "--trials", "7", "--config", path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"trials": "7", "epochs": "6", "batch": "16", "max-flops": "2500k", "time": "1m30s", "flip": "true", "lr": "0.25",
		"seed": "18446744073709551615", "data-dir": "/data", "label-smoothing": "0.1", "dataset": "fashion-mnist-mini", "max-params": "none",
	} {
		if got := cmd.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestTheEnvironmentNamesTheFile(t *testing.T) {
	e := env{"NASBENCH_CONFIG": writeConfig(t, "trials: 3")}
	cmd, err := settled(t, e, "search")
	if err != nil {
		t.Fatal(err)
	}
	if got := cmd.Flags().Lookup("trials").Value.String(); got != "3" {
		t.Errorf("trials is %s", got)
	}
}

func TestEveryFlagCanBeSetByEnvironmentAndFile(t *testing.T) {
	for _, command := range []string{"search", "rank", "train", "data list", "data info", "data fetch"} {
		args := strings.Fields(command)
		cmd, err := settled(t, nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		e, file := env{}, ""
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || f.Name == "config" {
				return
			}
			value := "1"
			switch f.Value.Type() {
			case "duration":
				value = "1s"
			case "number":
				value = "0.5"
			case "bool":
				value = "true"
			case "task":
				value = "8x8x1x2"
			case "colour":
				value = "white"
			case "name":
				value = f.Value.(nameValue).names[0]
			}
			e[envName(f.Name)] = value
			file += f.Name + ": " + value + "\n"
		})
		fromEnv, err := settled(t, e, args...)
		if err != nil {
			t.Fatal(err)
		}
		path := writeConfig(t, file)
		fromFile, err := settled(t, nil, append(args, "--config", path)...)
		if err != nil {
			t.Fatal(err)
		}
		for name := range flagNames(cmd) {
			if !fromEnv.Flags().Changed(name) || !fromFile.Flags().Changed(name) {
				t.Errorf("%s --%s: set by the environment: %v, by the file: %v", command, name, fromEnv.Flags().Changed(name), fromFile.Flags().Changed(name))
			}
		}
	}
}

func TestMistakesInTheFileNameFileAndLine(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"trials: 3\ntrails: 4\n", `nasbench.yaml:2: unknown key "trails", did you mean "trials"?`},
		{"data_dir: /x\n", `nasbench.yaml:1: unknown key "data_dir", did you mean "data-dir"?`},
		{"config: other.yaml\n", `nasbench.yaml:1: unknown key "config"`},
		{"help: true\n", `nasbench.yaml:1: unknown key "help"`},
		{"trials: 3\n\ntrials: 4\n", `nasbench.yaml:3: key "trials" is already set in line 1`},
		{"epochs: 2\ntrials: 0\n", `nasbench.yaml:2: trials "0": must be at least 1`},
		{"trials: [1, 2]\n", `nasbench.yaml:1: key "trials": want one value`},
		{"trials:\n", `nasbench.yaml:1: key "trials": want one value`},
		{"- trials\n", "nasbench.yaml:1: want a mapping"},
		{"trials\n", "nasbench.yaml:1: want a mapping"},
		{"trials: 3\n---\ntrials: 4\n", "want one YAML document"},
		{"trials: \"3\n", "nasbench.yaml: line"},
		{"trials: 3\n\tepochs: 4\n", "nasbench.yaml: line 2"},
		{"time: soon\n", "want a duration such as"},
		{"json: maybe\n", "want true or false"},
	} {
		wantOneLine(t, nasbench(t, nil, "search", "--config", writeConfig(t, c.content)), exitUsage, c.want)
	}
}

func TestFilesWithoutSettingsSetNothing(t *testing.T) {
	for _, content := range []string{"", "# nothing\n", "---\n", "null\n", "arch: skip\nresume: x\n"} {
		cmd, err := settled(t, nil, "search", "--config", writeConfig(t, content))
		if err != nil {
			t.Errorf("%q: %v", content, err)
			continue
		}
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if f.Name != "config" {
				t.Errorf("%q sets --%s", content, f.Name)
			}
		})
	}
}

func TestMistakesInTheEnvironmentNameTheVariable(t *testing.T) {
	e := env{"NASBENCH_TRIALS": "0", "NASBENCH_TIME": "later", "NASBENCH_SEED": "x", "NASBENCH_JSON": "7", "NASBENCH_SPACE": "nope"}
	for name, value := range e {
		want := name + ` "` + value + `": `
		if name == "NASBENCH_SPACE" {
			want = `unknown space "nope"`
		}
		wantOneLine(t, nasbench(t, env{name: value}, "search"), exitUsage, want)
	}
}

// A record is only good for going on if it holds every setting that decides results. A new flag
// has to be put on one of the two lists.
func TestEveryFlagThatDecidesResultsIsRecorded(t *testing.T) {
	others := []string{"help", "config", "threads", "memory", "json", "quiet", "cpuprofile", "memprofile", "trace"}
	for _, c := range []struct {
		command          string
		recorded, others []string
	}{
		{"search", slices.Concat(searchSettings(), tabularSettings()), append([]string{"trials", "time", "final-epochs", "final-seeds", "workers", "study", "name", "top"}, others...)},
		{"train", trainSettings(), append([]string{"test", "out", "resume"}, others...)},
	} {
		cmd, err := settled(t, nil, c.command)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if slices.Contains(c.recorded, f.Name) == slices.Contains(c.others, f.Name) {
				t.Errorf("%s --%s is on both lists or on none", c.command, f.Name)
			}
		})
		for _, name := range c.recorded {
			if cmd.Flags().Lookup(name) == nil {
				t.Errorf("%s records %s, which is no flag", c.command, name)
			}
		}
	}
}
