package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// alone keeps the machine's own data sets out of a test.
func alone(t testing.TB) {
	t.Setenv("NASBENCH_DATA", "")
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("LocalAppData", t.TempDir())
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// idx is an IDX file of bytes.
func idx(data []byte, dims ...uint32) []byte {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, data...)
}

// pixels returns n bytes that differ from their neighbours.
func pixels(n, from int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(7*i + from)
	}
	return out
}

// cycle returns n labels 0, 1, ... k-1, 0, ...
func cycle(n, k int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i % k)
	}
	return out
}

// smallIDX returns the four files of a data set of 28x28 images with 10 classes.
func smallIDX(train, test int) map[string][]byte {
	return map[string][]byte{
		idxTrainImages: idx(pixels(train*784, 0), uint32(train), 28, 28),
		idxTrainLabels: idx(cycle(train, 10), uint32(train)),
		idxTestImages:  idx(pixels(test*784, 1), uint32(test), 28, 28),
		idxTestLabels:  idx(cycle(test, 10), uint32(test)),
	}
}

func writeAll(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
}

// testSplit returns n coloured h x w images of k classes.
func testSplit(t testing.TB, n, h, w, c, k int) *Split {
	t.Helper()
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % k
	}
	classes := strings.Split(strings.Repeat("class ", k), " ")[:k]
	s, err := NewSplit(pixels(n*h*w*c, 3), labels, h, w, c, classes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantError checks that err is one line that holds all texts, and an [*Error].
func wantError(t *testing.T, name string, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %q", name, texts)
		return
	}
	var typed *Error
	if !errors.As(err, &typed) {
		t.Errorf("%s: %T is not an *Error", name, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: error %q does not hold %q", name, err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: error of several lines: %q", name, err)
	}
}
