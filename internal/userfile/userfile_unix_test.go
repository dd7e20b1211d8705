//go:build unix

package userfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	return path
}

func TestANamedPipeIsReadToItsEnd(t *testing.T) {
	path := pipe(t)
	want := strings.Repeat("through a pipe ", 10000)
	go func() { _ = os.WriteFile(path, []byte(want), 0o600) }()
	got, err := Read(t.Context(), path, 1<<20)
	if err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Opening such a pipe waits for somebody who writes.
func TestANamedPipeWithoutAWriterEndsWithItsContext(t *testing.T) {
	path := pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := Read(ctx, path, 100)
		ended <- err
	}()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the error of the context", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the read still waits")
	}
}
