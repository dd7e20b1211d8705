package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/nasbench-go/nasbench/internal/wholefile"
)

// outFile is a file that a flag names to be written. A plain file is there as a whole when finish has returned nil, and as it was
// before otherwise; a device or a pipe is written as it is. The first error of writing is kept for those who write and do not look at errors, such as
// profiles.
type outFile struct {
	checkedWriter
	whole *wholefile.Writer // nil for a device or a pipe
	plain *os.File
	flag  string
	path  string
}

// newOutFile begins a file.
func newOutFile(flag, path string) (*outFile, error) {
	o := &outFile{flag: flag, path: path}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: %s is a folder", flag, path)
	case err == nil && !info.Mode().IsRegular():
		o.plain, err = os.OpenFile(path, os.O_WRONLY, 0)
		o.w = o.plain
	default:
		wholefile.RemoveLeftovers(path)
		o.whole, err = wholefile.Create(path)
		if err == nil {
			o.w = o.whole
		}
	}
	if err != nil {
		return nil, o.named(err)
	}
	return o, nil
}

// finish puts the file in place, unless writing it failed, before or with this error.
func (o *outFile) finish(err error) error {
	if err == nil {
		err = o.err
	}
	switch {
	case o.whole == nil:
		err = errors.Join(err, o.plain.Close())
	case err != nil:
		err = errors.Join(err, o.whole.Discard())
	default:
		err = o.whole.Commit()
	}
	return o.named(err)
}

// named puts flag and file before an error, rather than the name under which the file is written at first.
func (o *outFile) named(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %s %s: %w", o.flag, p.Op, o.path, p.Err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.flag, err)
	}
	return nil
}

// writeOut writes the file that a flag names.
func writeOut(flag, path string, write func(io.Writer) error) error {
	o, err := newOutFile(flag, path)
	if err != nil {
		return err
	}
	return o.finish(write(o))
}

// writeNewOut writes a file that must not be there yet.
func writeNewOut(flag, path string, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %s is there already", flag, path)
	}
	return writeOut(flag, path, write)
}
