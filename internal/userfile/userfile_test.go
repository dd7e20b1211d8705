package userfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAFileUpToTheLimitIsReadAndALargerOneNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.txt")
	for _, n := range []int{0, 1, 99, 100, 101, 5000} {
		want := bytes.Repeat([]byte("x"), n)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		read := map[string]func() ([]byte, error){
			"file":   func() ([]byte, error) { return Read(t.Context(), path, 100) },
			"reader": func() ([]byte, error) { return ReadFrom(t.Context(), bytes.NewReader(want), path, 100) },
		}
		for how, f := range read {
			got, err := f()
			if n <= 100 {
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s of %d bytes: %d bytes, %v", how, n, len(got), err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "some.txt: more than 100 bytes") {
				t.Errorf("%s of %d bytes: %v", how, n, err)
			}
		}
	}
}

// endless never ends.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestWhatNeverEndsTakesNoMoreThanTheLimit(t *testing.T) {
	var e endless
	if _, err := ReadFrom(t.Context(), &e, "zeros", 1<<16); err == nil || !strings.Contains(err.Error(), "zeros: more than 65536 bytes") {
		t.Errorf("%v", err)
	}
	if n := e.read.Load(); n > 1<<18 {
		t.Errorf("%d bytes were read", n)
	}
}

func TestAReadThatWaitsEndsWithItsContext(t *testing.T) {
	never, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := ReadFrom(ctx, never, "nobody", 100)
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

func TestARegularFileIsNotReadOnAfterItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.txt")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, path, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the error of the context", err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a folder": dir, "no such file": filepath.Join(dir, "missing")} {
		if _, err := Read(t.Context(), path, 100); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextIsUTF8WithOrWithoutAMark(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "\xef\xbb\xbfa": "a", "äöü€": "äöü€", "\xef\xbb\xbf": "", "\uFFFD": "\uFFFD",
	} {
		if got, err := Text([]byte(text)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"\xff\xfea\x00":             "UTF-16; save it as UTF-8",
		"\xfe\xff\x00a":             "UTF-16; save it as UTF-8",
		"\xff\xfe\x00\x00a\x00\x00": "UTF-32; save it as UTF-8",
		"a\x00b\x00":                "UTF-16; save it as UTF-8",
		"\x00a\x00b":                "UTF-16; save it as UTF-8",
		"caf\xe9":                   "byte 0xe9 at offset 3",
		"abcd\x00":                  "zero byte at offset 4",
		"\x1f\x8b\x08":              "byte 0x8b at offset 1",
	} {
		if got, err := Text([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %s", text, got, err, want)
		}
	}
}
