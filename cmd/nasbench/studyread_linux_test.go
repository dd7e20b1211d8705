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
	cmd := exec.Command(program, "study", "show", path)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 trial, 1 complete") {
		t.Errorf("%v: %s", err, out)
	}
}
