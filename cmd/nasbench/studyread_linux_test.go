package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Root may write everywhere, so this is tried as somebody else.
func TestAStudyOfAnotherUserIsRead(t *testing.T) {
	dir, err := os.MkdirTemp("", "nasbench-other-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.db")
	succeed(t, "search", "--trials", "1", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--quiet", "--study", path)
	for name, mode := range map[string]os.FileMode{dir: 0o555, path: 0o444, path + ".lock": 0o600} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program") // the test's own folder is closed to others
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.WriteFile(program, data, 0o755); err != nil {
			t.Fatal(err)
		}
	} else {
		program = os.Args[0]
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("study", "show", path); err != nil || !strings.Contains(out, "1 trial, 1 complete") {
		t.Errorf("%v: %s", err, out)
	}
	// Going on with it says what is forbidden, by name.
	for _, lock := range []os.FileMode{0o600, 0o666} {
		if err := os.Chmod(path+".lock", lock); err != nil {
			t.Fatal(err)
		}
		if out, err := run("search", "--study", path, "--trials", "3"); err == nil || !strings.Contains(out, "nasbench: study "+path+" cannot be ") || !strings.Contains(out, ": permission denied") {
			t.Errorf("lock %v: %v: %s", lock, err, out)
		}
	}
}
