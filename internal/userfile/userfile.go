// Package userfile reads files that a user names: whole ones with a limit, and pipes and devices without getting stuck in them.
//
// A name that a user gives may be that of anything: of a pipe into which nobody writes, of a device without end. A read here ends
// when its context does, and never takes more memory than its limit.
package userfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// Limits of texts that are read whole: far more than anybody writes by hand.
const (
	MaxArchitecture = 1 << 20
	MaxDescription  = 1 << 20
	MaxConfig       = 1 << 20
)

// Open opens a file for reading. Where it is not a regular file, opening and reading may have to wait for somebody else; both then end
// with the error of ctx when ctx does. What waits in the background is given up.
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is a folder")}
	case st.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return &checked{ctx, f}, nil
	}
	return pump(ctx, func() (io.ReadCloser, error) { return os.Open(path) }), nil
}

// Reader returns what r has. A read that waits ends with the error of ctx when ctx does.
func Reader(ctx context.Context, r io.Reader) io.ReadCloser {
	return pump(ctx, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
}

// checked is a regular file.
type checked struct {
	ctx context.Context
	*os.File
}

func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.File.Read(p)
}

// pump copies from a source that may wait, in the background.
func pump(ctx context.Context, open func() (io.ReadCloser, error)) io.ReadCloser {
	out, in := io.Pipe()
	stop := context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		source, err := open()
		if err != nil {
			in.CloseWithError(err)
			return
		}
		defer source.Close()
		_, err = io.Copy(in, source)
		in.CloseWithError(err)
	}()
	return out
}

// Read reads a whole file of at most limit bytes. Its errors name the file.
func Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

// ReadFrom reads all that r has, at most limit bytes; name stands for it in errors.
func ReadFrom(ctx context.Context, r io.Reader, name string, limit int64) ([]byte, error) {
	in := Reader(ctx, r)
	defer in.Close()
	return readAll(in, name, limit)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case err != nil:
		if _, named := errors.AsType[*fs.PathError](err); named {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s: more than %d bytes, which is the limit for such a file", name, limit)
	}
	return data, nil
}

// Text returns data without a byte order mark. It fails unless it is UTF-8, the only form that is read, and says which other form
// it seems to be.
func Text(data []byte) ([]byte, error) {
	if form := WideText(data); form != "" {
		return nil, fmt.Errorf("the text is %s; save it as UTF-8", form)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return nil, fmt.Errorf("byte %#02x at offset %d is not UTF-8 text", data[i], i)
		}
		if r == 0 {
			return nil, fmt.Errorf("a zero byte at offset %d; want UTF-8 text", i)
		}
		i += n
	}
	return data, nil
}

// WideText says whether a text that begins with head is in UTF-16 or UTF-32, by its byte order mark or by the zeros beside its first
// letters, and in which; otherwise it is "".
func WideText(head []byte) string {
	has := func(mark string) bool { return bytes.HasPrefix(head, []byte(mark)) }
	zero := func(i int) bool { return i < len(head) && head[i] == 0 }
	letter := func(i int) bool { return i < len(head) && head[i] != 0 && head[i] < utf8.RuneSelf }
	switch {
	case has("\xff\xfe\x00\x00"), has("\x00\x00\xfe\xff"):
		return "UTF-32"
	case has("\xff\xfe"), has("\xfe\xff"):
		return "UTF-16"
	case letter(0) && zero(1) && letter(2) && zero(3), zero(0) && letter(1) && zero(2) && letter(3):
		return "UTF-16"
	}
	return ""
}
