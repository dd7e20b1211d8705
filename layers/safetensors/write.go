package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/nasbench-go/nasbench/tensor"
)

// metadataName is the name in the header that is no tensor.
const metadataName = "__metadata__"

// MaxHeader is the largest header that the format allows, in bytes.
const MaxHeader = 100_000_000

// Tensor is a tensor with the name that it has in a file.
type Tensor struct {
	Name  string
	Value *tensor.Tensor
}

// Write writes the tensors in the given order, and the metadata if there is any. Equal arguments give
// equal bytes. It returns an error if a name is empty, reserved, not UTF-8 or used twice, or
// a tensor is not contiguous.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(header)))
	if _, err := w.Write(length[:]); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	var block [1 << 15]byte
	for _, t := range tensors {
		for data := t.Value.Data(); len(data) > 0; {
			n := min(len(data), len(block)/4)
			for i, v := range data[:n] {
				binary.LittleEndian.PutUint32(block[4*i:], math.Float32bits(v))
			}
			if _, err := w.Write(block[:4*n]); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	return nil
}

func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q: not UTF-8", k)
			}
		}
		m, err := json.Marshal(metadata) // sorts the keys
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", metadataName, m)
	}
	seen := make(map[string]bool, len(tensors))
	offset := 0
	for _, t := range tensors {
		switch {
		case t.Name == "" || t.Name == metadataName || !utf8.ValidString(t.Name):
			return nil, fmt.Errorf("%q cannot be the name of a tensor", t.Name)
		case seen[t.Name]:
			return nil, fmt.Errorf("tensor %q is given twice", t.Name)
		case !t.Value.Contiguous():
			return nil, fmt.Errorf("tensor %q is not contiguous", t.Name)
		}
		seen[t.Name] = true
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal([]int(append(tensor.Shape{}, t.Value.Shape()...)))
		if err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		end := offset + 4*t.Value.Len()
		fmt.Fprintf(&b, `%s:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, offset, end)
		offset = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > MaxHeader {
		return nil, fmt.Errorf("the header would have %d bytes, the format allows %d", b.Len(), MaxHeader)
	}
	return b.Bytes(), nil
}

// WriteFile writes a file with [Write] and puts it in place only when it is complete and on the
// disk: whatever happens, path holds its old content or the new one. A link is followed; what is neither a file nor
// missing is refused.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("safetensors %s: not a regular file", path)
	}
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, base+".tmp-*")
	if err != nil {
		return fmt.Errorf("safetensors %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("safetensors %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	err = Write(w, tensors, metadata)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Chmod(f.Name(), 0o644); err != nil { // CreateTemp makes it private
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(dir)
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
