package dataset

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// ErrUnknown is what [Open], [Fetch] and others return, wrapped, for a name that is
// not a data set.
var ErrUnknown = errors.New("unknown data set")

// ErrMissing is what [Open] returns, wrapped, if the files of a data set are not
// there.
var ErrMissing = errors.New("not found")

// Error says what is wrong with a data set and where.
type Error struct {
	Dataset string // name of the data set
	File    string // path of the file or folder; "" if no single one is at fault
	Place   string // place in the file, such as "offset 16" or "line 3, column 7"; may be ""
	Err     error  // what was expected and what was found
	Help    string // how to get the data set; may be ""
}

// Error gives everything in one line. Of the file, it names the folder after the
// problem, so that the line begins with what matters.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dataset %s: ", e.Dataset)
	if e.File != "" {
		fmt.Fprintf(&b, "%s: ", filepath.Base(e.File))
	}
	if e.Place != "" {
		fmt.Fprintf(&b, "%s: ", e.Place)
	}
	b.WriteString(e.Err.Error())
	if dir := filepath.Dir(e.File); e.File != "" && dir != "." {
		fmt.Fprintf(&b, " (in %s)", dir)
	}
	if e.Help != "" {
		fmt.Fprintf(&b, "; %s", e.Help)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// placeError is an error at a place in a file that the caller knows.
type placeError struct {
	place string
	err   error
}

func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

// at returns an error at a byte offset; offsets of gzipped files count uncompressed
// bytes.
func at(offset int64, format string, args ...any) error {
	return &placeError{fmt.Sprintf("offset %d", offset), fmt.Errorf(format, args...)}
}

// fileError wraps err with the data set and the file.
func fileError(info Info, file string, err error) error {
	e := &Error{Dataset: info.Name, File: file, Err: err, Help: info.HowToGet}
	var p *placeError
	if errors.As(err, &p) {
		e.Place, e.Err = p.place, p.err
	}
	return e
}
