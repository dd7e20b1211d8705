//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAnInterruptEndsWaitingForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	for _, args := range [][]string{
		{"train", "--arch", "@" + pipe},
		{"profile", "--arch", "@" + pipe},
		{"search", "--space", pipe},
		{"rank", "--space", pipe},
		{"compare", "--space", pipe, "--table", "t", "--metric", "m"},
		{"compare", "--space", "macro", "--table", pipe, "--metric", "m"},
		{"data", "list", "--config", pipe},
	} {
		interruptWaiting(t, strings.NewReader(""), args...)
	}
	wantOneLine(t, nasbench(t, nil, "train", "--resume", pipe), exitFailure, "not a regular file")
	wantOneLine(t, nasbench(t, nil, "train", "--arch", "@/dev/zero"), exitUsage, "/dev/zero: more than 1048576 bytes")
}
