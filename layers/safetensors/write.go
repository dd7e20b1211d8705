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
	"unicode/utf8"

	"github.com/nasbench-go/nasbench/internal/wholefile"
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

// Write writes the tensors in the given order, and the metadata with a checksum added. Equal arguments give
// equal bytes. It returns an error if a name is empty, reserved, not UTF-8 or used twice, or
// a tensor is nil or not contiguous.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	err := check(tensors, metadata)
	if err == nil {
		metadata, err = withChecksum(tensors, metadata)
	}
	var header []byte
	if err == nil {
		header, err = encodeHeader(tensors, metadata)
	}
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
	for _, t := range tensors {
		if err := writeFloats(w, t.Value.Data()); err != nil {
			return err
		}
	}
	return nil
}

// writeFloats writes elements as they are in a file.
func writeFloats(w io.Writer, data []float32) error {
	var block [1 << 15]byte
	for len(data) > 0 {
		n := min(len(data), len(block)/4)
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(block[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(block[:4*n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// check finds names and tensors that cannot be written.
func check(tensors []Tensor, metadata map[string]string) error {
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("metadata %q: not UTF-8", k)
		}
	}
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		switch {
		case t.Name == "" || t.Name == metadataName || !utf8.ValidString(t.Name):
			return fmt.Errorf("%q cannot be the name of a tensor", t.Name)
		case seen[t.Name]:
			return fmt.Errorf("tensor %q is given twice", t.Name)
		case t.Value == nil:
			return fmt.Errorf("tensor %q has no value", t.Name)
		case !t.Value.Contiguous():
			return fmt.Errorf("tensor %q is not contiguous", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// encodeHeader returns the header of tensors and metadata that were checked.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(metadata) > 0 {
		m, err := encodeText(metadata) // sorts the keys
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", metadataName, m)
	}
	offset := 0
	for _, t := range tensors {
		name, err := encodeText(t.Name)
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
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	if err := writeFile(path, tensors, metadata); err != nil {
		return fmt.Errorf("safetensors %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, tensors []Tensor, metadata map[string]string) error {
	f, err := wholefile.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = Write(w, tensors, metadata)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}

// RemoveLeftovers removes what processes that were killed in [WriteFile] have left beside the file at path. What another
// process is writing stays. Whoever is going to write a file calls it at the start.
func RemoveLeftovers(path string) { wholefile.RemoveLeftovers(path) }
