package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/nas/study"
)

// hint returns the arguments of the command that a search or show prints to go on; none if it prints none.
func hint(t *testing.T, stdout string) []string {
	t.Helper()
	_, line, ok := strings.Cut(stdout, "go on searching:\n  ")
	if !ok {
		return nil
	}
	line, _, _ = strings.Cut(line, "\n")
	_, line, ok = strings.Cut(line, " search ")
	if !ok || strings.ContainsAny(line, `'"`) {
		t.Fatalf("no command in %q", line)
	}
	return append([]string{"search"}, strings.Fields(line)...)
}

// trialsOf returns how many trials of a study are on record, and how many final trainings.
func trialsOf(t *testing.T, path, name string) (trials, finals int) {
	t.Helper()
	f, err := study.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tt, err := f.Trials(name)
	if err != nil {
		t.Fatal(err)
	}
	ff, err := f.Finals(name)
	if err != nil {
		t.Fatal(err)
	}
	return len(tt), len(ff)
}

// However a search ends, what it prints to go on has something to do, and where nothing is left it prints no command.
func TestTheCommandToGoOnHasSomethingToDo(t *testing.T) {
	dir := t.TempDir()
	small := "--train-samples 100 --max-flops 300k --min-params none --final-epochs 0"
	for name, c := range map[string]struct {
		args  []string // searches, one after the other
		until string   // interrupts the last when it appears on standard error
		left  bool     // whether there is something left
	}{
		"trials":           {args: []string{"--trials 2 " + small}, left: true},
		"fewer trials":     {args: []string{"--trials 3 " + small, "--trials 1 --final-epochs 0"}, left: true},
		"evolution":        {args: []string{"--strategy evolution --population 4 --trials 2 " + small}, left: true},
		"interrupted":      {args: []string{"--trials 50 " + small}, until: "trial 2", left: true},
		"final":            {args: []string{"--trials 2 --train-samples 100 --max-flops 300k --final-epochs 2"}, until: "final training of", left: true},
		"exhausted":        {args: []string{"--trials 500 --space few.yaml " + small}},
		"exhausted by all": {args: []string{"--time 20s --space few.yaml " + small}},
		"darts":            {args: []string{"--strategy darts --space nb201 --channels 4 --cells 3 --darts-epochs 1 --trials 1 --train-samples 100 --final-epochs 0"}},
		"darts, time":      {args: []string{"--strategy darts --space nb201 --channels 4 --cells 3 --darts-epochs 1 --time 1m --train-samples 100 --final-epochs 0"}},
		"oneshot":          {args: []string{"--strategy oneshot --oneshot-epochs 1 --oneshot-paths 4 --oneshot-finalists 2 --trials 2 " + small}},
		"oneshot, few":     {args: []string{"--strategy oneshot --oneshot-epochs 1 --oneshot-paths 4 --oneshot-finalists 2 --trials 1 " + small}, left: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "_")+".db")
			var r ran
			for i, text := range c.args {
				text = strings.ReplaceAll(text, "few.yaml", fewArchitectures(t))
				args := append([]string{"search", "--study", file}, strings.Fields(text)...)
				if c.until != "" && i == len(c.args)-1 {
					r = interruptAt(t, c.until, false, args...)
				} else {
					r = succeed(t, args...)
				}
			}
			trials, finals := trialsOf(t, file, "search")
			next := hint(t, r.stdout)
			if (next != nil) != c.left || c.left == strings.Contains(r.stdout, "nothing is left to search") {
				t.Fatalf("something left: %t; printed\n%s", c.left, r.stdout)
			}
			shown := hint(t, succeed(t, "study", "show", file).stdout)
			if (shown != nil) != c.left {
				t.Errorf("something left: %t; study show prints %q", c.left, shown)
			}
			if next == nil {
				return
			}
			for _, command := range [][]string{next, shown} {
				if n, err := strconv.Atoi(after(command, "--trials")); c.until == "" && (err != nil || n <= trials) {
					t.Errorf("%q names no more than the %d trials on record", command, trials)
				}
			}
			succeed(t, append(next, "--quiet")...)
			if now, finalsNow := trialsOf(t, file, "search"); now == trials && finalsNow == finals {
				t.Errorf("%q did nothing: %d trials and %d final trainings", next, now, finalsNow)
			}
		})
	}
}

// after returns the argument after another; "" if there is none.
func after(args []string, flag string) string {
	for i, a := range args[:len(args)-1] {
		if a == flag {
			return args[i+1]
		}
	}
	return ""
}

// A study that a Go program recorded, in a space of its own, is gone on with from there.
func TestAStudyOfAGoProgramHasNoCommandToGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	f, err := study.OpenFile(path, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string]study.Settings{
		"own space": {"space": "mine", "strategy": "random", "seed": "1"}, "own strategy": {"space": "chain", "strategy": "mine", "seed": "1"},
		"own settings": {"space": "chain", "strategy": "random", "seed": "1"}, "none": nil,
	} {
		if _, err := f.Study(name, settings); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"own space", "own strategy", "own settings", "none"} {
		out := succeed(t, "study", "show", path, "--name", name).stdout
		if !strings.Contains(out, "it goes on from the Go program that recorded it") || strings.Contains(out, " search --study") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestNamesOfStudiesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"../../evil": "may have letters, digits, spaces and", "a/b": "'/'", `a\b`: `'\\'`, "a\x1b[31m": `'\x1b'`, "a\nb": `'\n'`, ".hidden": "must not begin with a dot",
		strings.Repeat("x", 300): "at most 120 bytes; this one has 300", strings.Repeat("x", 101): "at most 100 bytes; this one has 101", "-x": "must not begin with a dot or a hyphen",
		"a\xff": "must be UTF-8", " ": "nor begin or end with a space", "a:b": "':'", "a*": "'*'",
	} {
		for _, command := range []string{"search --trials 1", "rank --architectures 3"} {
			file := filepath.Join(dir, "new.db")
			wantOneLine(t, nasbench(t, nil, append(strings.Fields(command), "--name="+name, "--study", file)...), exitUsage, want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v is left", err, entries)
	}
	file := filepath.Join(dir, "s.db")
	for _, name := range []string{"Vergleich № 1"[:10] + "1", "été (2)", "a.b-c_d+e,f=g@h#i%j~k[l]"} {
		if err := study.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	succeed(t, "search", "--trials", "1", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--quiet", "--study", file, "--name", "été (2)")
	wantOneLine(t, nasbench(t, nil, "search", "--trials", "1", "--study", file, "--name", "../evil"), exitUsage, "may have letters")
	wantOneLine(t, nasbench(t, nil, "study", "show", file, "--name", "../evil"), exitUsage, "there is no study")
}

// fewArchitectures describes a space of two networks.
func fewArchitectures(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "few.yaml")
	const text = "space: few\nkind: chain\ndepth: [1, 1]\noperations:\n  conv: {type: conv, kernel: 3, channels: [4, 8], stride: 2}\nconnections: [sequential]\n"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestATimeInWhichNothingWasDoneIsNotSuggestedAgain(t *testing.T) {
	for _, c := range []struct{ limit, need, want time.Duration }{
		{10 * time.Second, 0, 20 * time.Second},
		{10 * time.Second, 7 * time.Second, 20 * time.Second},
		{10 * time.Second, 20*time.Second + 1, 41 * time.Second},
	} {
		if got := longer(c.limit, c.need); got != c.want {
			t.Errorf("%v, a trial takes %v: %v, want %v", c.limit, c.need, got, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "s.db")
	r := nasbench(t, nil, "search", "--study", file, "--time", "1ms", "--quiet")
	if next := hint(t, r.stdout); next != nil {
		if d, err := time.ParseDuration(after(next, "--time")); err != nil || d <= time.Millisecond {
			t.Errorf("%q", next)
		}
	}
}
