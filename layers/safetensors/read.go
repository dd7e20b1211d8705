package safetensors

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/nasbench-go/nasbench/tensor"
)

// File is the content of a safetensors file.
type File struct {
	Tensors  []Tensor // in the order of their elements in the file
	Metadata map[string]string
}

// Lookup returns the tensor of this name, or nil.
func (f *File) Lookup(name string) *tensor.Tensor {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t.Value
		}
	}
	return nil
}

// Names returns the names of the tensors in the order of the file.
func (f *File) Names() []string {
	names := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		names[i] = t.Name
	}
	return names
}

// ErrFormat is what reading returns, wrapped, for what is no safetensors file by its first bytes.
var ErrFormat = errors.New("is not a safetensors file")

// ReadFile reads a whole file. If the file has a checksum and another content, the error is [ErrDamaged].
func ReadFile(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if !info.Mode().IsRegular() { // before it is opened, which would wait for who writes to a pipe
		return nil, fmt.Errorf("safetensors %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	out, err := decode(bufio.NewReaderSize(f, 1<<16), info.Size())
	if err != nil {
		return nil, fmt.Errorf("safetensors %s: %w", path, err)
	}
	return out, nil
}

// Read reads a file of the given number of bytes. It reads no more than that.
func Read(r io.Reader, size int64) (*File, error) {
	out, err := decode(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return out, nil
}

func decode(r io.Reader, size int64) (*File, error) {
	var length [8]byte
	if size < int64(len(length)) {
		return nil, fmt.Errorf("%w: offset 0: want 8 bytes of header length, have %d", ErrFormat, size)
	}
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, readError("header length", 0, err)
	}
	n, rest := binary.LittleEndian.Uint64(length[:]), uint64(size)-8
	switch {
	case n > MaxHeader: // as of the first letters of a text
		return nil, fmt.Errorf("%w: offset 0: a header of %d bytes, the format allows %d", ErrFormat, n, MaxHeader)
	case n > rest:
		return nil, fmt.Errorf("offset 8: want %d bytes of header, have %d", n, rest)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, readError("header", 8, err)
	}
	if n > 0 && header[0] != '{' {
		return nil, fmt.Errorf("%w: header: want a JSON object at its start", ErrFormat)
	}
	entries, metadata, err := decodeHeader(header, rest-n)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	out := &File{Metadata: metadata}
	h := sha256.New()
	var sums []tensorSum
	for _, e := range entries {
		t := tensor.New(e.shape...)
		h.Reset()
		if err := readFloats(io.TeeReader(r, h), t.Data()); err != nil {
			return nil, readError(fmt.Sprintf("tensor %q", e.name), 8+n+e.start, err)
		}
		sums = append(sums, tensorSum{e.name, e.shape, [sha256.Size]byte(h.Sum(nil))})
		out.Tensors = append(out.Tensors, Tensor{Name: e.name, Value: t})
	}
	if err := verify(sums, metadata); err != nil {
		return nil, err
	}
	return out, nil
}

// readFloats reads elements as they are in a file.
func readFloats(r io.Reader, dst []float32) error {
	var block [1 << 15]byte
	for len(dst) > 0 {
		n := min(len(dst), len(block)/4)
		if _, err := io.ReadFull(r, block[:4*n]); err != nil {
			return err
		}
		for i := range dst[:n] {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(block[4*i:]))
		}
		dst = dst[n:]
	}
	return nil
}

// readError names the place of a failed read. A file that ends early, although its size
// promised more, was cut while it was read.
func readError(what string, offset uint64, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s at offset %d: %w", what, offset, err)
}
