//go:build unix

package dataset

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPipesAndSocketsAreNotOpened(t *testing.T) {
	dir := photos(t, t.TempDir(), "a:5", "b:5")
	if err := syscall.Mkfifo(filepath.Join(dir, "a", "pipe.png"), 0o666); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir) // paths of sockets are short
	l, err := net.Listen("unix", "b/socket.png")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	if err := syscall.Symlink("/dev/zero", filepath.Join(dir, "b", "zero.png")); err != nil {
		t.Skip(err)
	}
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Info().Train != 8 || d.Info().Test != 2 {
		t.Errorf("%+v", d.Info())
	}
	wantNotes(t, d, "left out 3 that are no files: a/pipe.png (named pipe), b/socket.png (socket), b/zero.png (device)")
}
