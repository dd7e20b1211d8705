// Package wholefile replaces files as a whole: whatever happens, a path holds its old content or the new one, complete and on the disk.
//
// The new content is written to a file beside it, whose name has ".tmp-" and a number appended, and then renamed. A process that is killed on the way leaves that file
// behind; [RemoveLeftovers] removes it. A file that is being written is locked where the system has such locks, so that it is never
// taken for one that was left.
package wholefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mark comes between the name of a file and the number of what is written in its place.
const mark = ".tmp-"

// Writer writes the new content of a file. Nothing is seen of it before Commit.
type Writer struct {
	*os.File
	target string
}

// Create begins the new content of the file at path. A link is followed; what is neither a file nor missing is refused. Either Commit or Discard
// must follow.
func Create(path string) (*Writer, error) {
	path = follow(path)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	dir, base := split(path)
	for try := 0; ; try++ {
		f, err := os.CreateTemp(dir, base+mark+"*")
		if err != nil {
			return nil, err
		}
		// Another process may have taken the file for a left one before it was locked. Then it is gone.
		if own(f) || try == 100 {
			return &Writer{f, path}, nil
		}
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

// own locks a file, and reports whether its name is still its own. Where there are no locks, it is.
func own(f *os.File) bool {
	if errors.Is(lock(f), errLocked) {
		return false
	}
	here, err := f.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.Name())
	return err == nil && os.SameFile(here, there)
}

func follow(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

func split(path string) (dir, base string) {
	dir, base = filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return dir, base
}

// Commit puts the new content in place, readable by all. If it fails, the old one stays.
func (w *Writer) Commit() error {
	err := w.Sync()
	if err == nil {
		err = os.Chmod(w.Name(), 0o644) // CreateTemp makes it private
	}
	if !renamesOpen {
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		err = os.Rename(w.Name(), w.target)
	}
	if err != nil {
		return errors.Join(err, w.Discard())
	}
	if renamesOpen {
		_ = w.Close() // all is on the disk
	}
	syncDir(filepath.Dir(w.target))
	return nil
}

// Discard gives the new content up.
func (w *Writer) Discard() error {
	_ = w.Close()
	if err := os.Remove(w.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes a rename durable where the system allows to sync a directory. Where it does
// not, the file is complete all the same, so errors do not matter.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// RemoveLeftovers removes what killed processes have left of new contents of the file at path. What another process is writing stays. A file that
// cannot be removed is no error: it costs space, nothing else.
func RemoveLeftovers(path string) {
	if path == "" {
		return
	}
	dir, base := split(follow(path))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), base+mark)
		if !ok || number == "" || strings.Trim(number, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		removeLeft(filepath.Join(dir, e.Name()))
	}
}

// idle is how long a file is not written to that is taken for a left one where there are no locks to tell.
const idle = time.Hour

func removeLeft(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	switch err := lock(f); {
	case errors.Is(err, errors.ErrUnsupported):
		if info, err := f.Stat(); err != nil || time.Since(info.ModTime()) < idle {
			return
		}
		_ = f.Close()
	case err != nil:
		return
	}
	_ = os.Remove(path)
}
