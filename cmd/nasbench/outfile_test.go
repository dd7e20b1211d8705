package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A file whose writing fails is as it was, or not there, and so can be written when there is room again.
func TestAnOutputThatFailsLeavesNothingCut(t *testing.T) {
	for _, before := range []string{"", "what was there"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "out")
		if before != "" {
			if err := os.WriteFile(path, []byte(before), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for _, fails := range []func(io.Writer) error{
			func(w io.Writer) error {
				_, _ = io.WriteString(w, "half")
				return &os.PathError{Op: "write", Path: path + ".tmp-1", Err: syscall.ENOSPC}
			},
			func(w io.Writer) error { // as profiles do, which look at no errors
				o := w.(*outFile)
				o.whole.File.Close()
				_, _ = io.WriteString(w, "half")
				return nil
			},
		} {
			err := writeOut("--flag", path, fails)
			if err == nil || !strings.HasPrefix(err.Error(), "--flag: write "+path+": ") {
				t.Errorf("%v", err)
			}
			if data, _ := os.ReadFile(path); string(data) != before {
				t.Errorf("%q is left of %q", data, before)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > len(before)/len("what was there") {
				t.Errorf("%v is left", entries)
			}
		}
		if err := writeOut("--flag", path, func(w io.Writer) error { _, err := io.WriteString(w, "all"); return err }); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile(path); string(data) != "all" {
			t.Errorf("%q, %v", data, err)
		}
	}
}

func TestProfilesThatCannotBeWrittenAreFailures(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	for _, flag := range []string{"--cpuprofile", "--memprofile", "--trace"} {
		for _, command := range []string{"train --arch conv3x3(16),pool3x3(max),conv3x3(16) --train-samples 100 --epochs 1 --quiet", "search --trials 1 --train-samples 100 --final-epochs 0 --quiet"} {
			r := nasbench(t, nil, append(strings.Fields(command), flag, "/dev/full")...)
			if r.code != exitFailure || r.stderr != "nasbench: "+flag+": write /dev/full: no space left on device\n" {
				t.Errorf("%s %s: exit code %d: %s", command, flag, r.code, r.stderr)
			}
		}
	}
}
