package dataset

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// debianDir is where Debian's data set packages install.
const debianDir = "/usr/share/datasets"

// maxInflation is the largest ratio of uncompressed to compressed size that deflate
// can reach (RFC 1951: a 258-byte match takes at least two bits), rounded up.
const maxInflation = 1040

// maxSplitBytes bounds what one split may take in memory: 2 GiB less one, the largest
// slice of a 32-bit machine.
const maxSplitBytes = 1<<31 - 1

// UserDir returns the folder that [Fetch] installs to: nasbench in the user's data
// directory, which is $XDG_DATA_HOME or ~/.local/share, ~/Library/Application Support
// on macOS and %LocalAppData% on Windows. It is "" if the environment names none.
func UserDir() string {
	return userDir(runtime.GOOS, os.Getenv)
}

func userDir(goos string, getenv func(string) string) string {
	join := func(root string, more ...string) string {
		if root == "" {
			return ""
		}
		return filepath.Join(append([]string{root}, more...)...)
	}
	switch goos {
	case "windows":
		return join(getenv("LocalAppData"), "nasbench")
	case "darwin", "ios":
		return join(getenv("HOME"), "Library", "Application Support", "nasbench")
	}
	// The specification asks to ignore a relative XDG_DATA_HOME.
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return join(dir, "nasbench")
	}
	return join(getenv("HOME"), ".local", "share", "nasbench")
}

// ExpandHome replaces a ~ that a path begins with, alone or before a slash, by the user's home folder. A shell does so at the beginning of
// a word, but not in images:~/photos or --data-dir=~/data. Without a home folder the path stays as it is.
func ExpandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "~"+string(filepath.Separator)) {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, path[1:])
}

// folders returns the folders that may hold the files of a data set, in search order.
// subs are its subfolders; files directly in a root count in the user's own roots only.
func folders(o Options, subs ...string) []string {
	var out []string
	add := func(root string, direct bool) {
		if root == "" {
			return
		}
		for _, s := range subs {
			out = append(out, filepath.Join(root, s))
		}
		if direct {
			out = append(out, root)
		}
	}
	add(o.Dir, true)
	add(ExpandHome(os.Getenv("NASBENCH_DATA")), true)
	add(UserDir(), false)
	if runtime.GOOS != "windows" {
		add(debianDir, false)
	}
	return out
}

// locateFiles returns the first folder that has any of the files, gzipped or not. It
// is an error if another of them is missing there: files of different folders are
// never mixed.
func locateFiles(info Info, dirs, files []string) (string, error) {
	for _, dir := range dirs {
		var missing []string
		for _, f := range files {
			if resolve(dir, f) == "" {
				missing = append(missing, f)
			}
		}
		switch {
		case len(missing) == 0:
			return dir, nil
		case len(missing) < len(files):
			return "", &Error{Dataset: info.Name, File: filepath.Join(dir, missing[0]), Help: info.HowToGet,
				Err: fmt.Errorf("%w, though other files of the data set are there", ErrMissing)}
		}
	}
	return "", &Error{Dataset: info.Name, Help: info.HowToGet,
		Err: fmt.Errorf("%s %w in %s", files[0], ErrMissing, strings.Join(dirs, ", "))}
}

// resolve returns the path of a file in a folder, with or without .gz; "" if neither
// is there.
func resolve(dir, file string) string {
	for _, name := range []string{file, file + ".gz"} {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// input is a file being read, uncompressed on the way.
type input struct {
	r      io.Reader
	file   fs.File
	packed bool  // by gzip
	limit  int64 // no more than this many bytes can come; the size of a file that is not packed
	close  func() error
}

// openInput opens a file of fsys. Whether it is gzipped is told by its first bytes.
func openInput(fsys fs.FS, name string) (*input, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	in, err := newInput(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return in, nil
}

func newInput(f fs.File) (*input, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, plain(err)
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	r := bufio.NewReaderSize(f, 1<<16)
	in := &input{r: r, file: f, limit: st.Size(), close: f.Close}
	if magic, err := r.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, at(0, "bad gzip header: %w", err)
		}
		in.r, in.packed = z, true
		in.limit = min(st.Size(), 1<<50) * maxInflation
	}
	return in, nil
}

// plain takes the path out of an error of package os: the caller names the file.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readExactly reads what bytes at offset. Before it takes memory it checks that they
// can come; a gzipped file that promises more than it holds costs at most twice what
// has really come.
func (in *input) readExactly(offset, n int64, what string) ([]byte, error) {
	if n > maxSplitBytes || n > in.limit-offset {
		return nil, at(offset, "want %d bytes of %s, the file can hold at most %d", n, what, min(max(in.limit-offset, 0), maxSplitBytes))
	}
	buf := make([]byte, min(n, 1<<20))
	have := int64(0)
	for {
		k, err := io.ReadFull(in.r, buf[have:])
		have += int64(k)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, at(offset, "want %d bytes of %s, have %d", n, what, have)
		case err != nil:
			return nil, at(offset+have, "want %d more bytes of %s: %w", n-have, what, err)
		}
		if have == n {
			return buf, nil
		}
		grown := make([]byte, min(n, 2*have))
		copy(grown, buf)
		buf = grown
	}
}

// end checks that nothing follows, which also verifies the checksum of a gzipped file.
func (in *input) end(offset int64) error {
	var one [1]byte
	n, err := io.ReadFull(in.r, one[:])
	switch {
	case n > 0:
		return at(offset, "want the end of the file, more bytes follow")
	case !errors.Is(err, io.EOF):
		return at(offset, "want the end of the file: %w", err)
	}
	return nil
}
