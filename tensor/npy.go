package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"codeberg.org/sbinet/npyio/npy"
)

// maxNPYHeader bounds the header of a .npy file, in bytes. The header of a float
// array of 32 dimensions takes under a thousand.
const maxNPYHeader = 1 << 16

// npyHeader is what NumPy writes for a plain array. The npy library takes such a
// header apart by searching for its keys and slicing between them, which goes wrong
// with other texts, so that only this form reaches it.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^'{}]{1,20})', 'fortran_order': (?:True|False), 'shape': \((?:\d+, ?)*\d*\), \} *\n$`)

// ReadNPY reads an array in NumPy's .npy format (versions 1 and 2) of little-endian
// float32 or float64 elements in C order; float64 is rounded to float32. Anything
// else, and a stream that ends early, is an error. Memory grows with the data that
// really come, not with what the header claims. Bytes after the array are left unread.
func ReadNPY(r io.Reader) (*Tensor, error) {
	t, err := readNPY(r)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return t, nil
}

func readNPY(r io.Reader) (*Tensor, error) {
	header, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	meta, err := npy.NewReader(bytes.NewReader(header))
	if err != nil {
		return nil, err
	}
	descr := meta.Header.Descr
	size := 0
	switch descr.Type {
	case "'<f4'":
		size = 4
	case "'<f8'":
		size = 8
	default:
		return nil, fmt.Errorf("elements of type %s; only little-endian float32 ('<f4') and float64 ('<f8') can be read", descr.Type)
	}
	if descr.Fortran {
		return nil, errors.New("the array is in Fortran order; save it with numpy.ascontiguousarray")
	}
	shape := Shape(descr.Shape)
	if err := shape.Check(); err != nil {
		return nil, err
	}
	n := shape.Elements()
	if n > math.MaxInt/size {
		return nil, fmt.Errorf("shape %v has too many elements", shape)
	}

	want := int64(n) * int64(size)
	data, err := io.ReadAll(io.LimitReader(r, want))
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", len(header)+len(data), err)
	}
	if int64(len(data)) != want {
		return nil, fmt.Errorf("offset %d: shape %v wants %d bytes of elements, have %d", len(header), shape, want, len(data))
	}
	t := New(shape...)
	if n == 0 {
		return t, nil
	}
	body, err := npy.NewReader(io.MultiReader(bytes.NewReader(header), bytes.NewReader(data)))
	if err != nil {
		return nil, err
	}
	if size == 4 {
		return t, body.Read(&t.data)
	}
	wide := make([]float64, n)
	if err := body.Read(&wide); err != nil {
		return nil, err
	}
	for i, v := range wide {
		t.data[i] = float32(v)
	}
	return t, nil
}

// readNPYHeader reads everything before the elements and checks its form.
func readNPYHeader(r io.Reader) ([]byte, error) {
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("offset 0: want a header: %w", noEOF(err))
	}
	if string(head[:6]) != "\x93NUMPY" {
		return nil, fmt.Errorf("offset 0: not a .npy file: begins with %q", head[:6])
	}
	length := uint32(binary.LittleEndian.Uint16(head[8:]))
	switch head[6] {
	case 1:
	case 2:
		head = append(head, 0, 0)
		if _, err := io.ReadFull(r, head[10:]); err != nil {
			return nil, fmt.Errorf("offset 10: want the header's length: %w", noEOF(err))
		}
		length = binary.LittleEndian.Uint32(head[8:])
	default:
		return nil, fmt.Errorf("offset 6: format version %d.%d; 1 and 2 can be read", head[6], head[7])
	}
	if length > maxNPYHeader {
		return nil, fmt.Errorf("offset 8: a header of %d bytes; at most %d are read", length, maxNPYHeader)
	}
	start := len(head)
	head = append(head, make([]byte, length)...)
	if _, err := io.ReadFull(r, head[start:]); err != nil {
		return nil, fmt.Errorf("offset %d: want %d bytes of header: %w", start, length, noEOF(err))
	}
	if !npyHeader.Match(head[start:]) {
		return nil, fmt.Errorf("offset %d: not the header of an array of floats: %q", start, head[start:min(len(head), start+100)])
	}
	return head, nil
}

// noEOF makes an early end look like one, at the first byte too.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteNPY writes the elements as a little-endian float32 array in C order in
// NumPy's .npy format, version 1. The npy library derives shapes from Go's array
// types, which are fixed at compile time, so that the header is written here.
func (t *Tensor) WriteNPY(w io.Writer) error {
	var dims strings.Builder
	for _, d := range t.shape {
		fmt.Fprintf(&dims, "%d, ", d)
	}
	tuple := strings.TrimSuffix(dims.String(), " ")
	if len(t.shape) > 1 {
		tuple = strings.TrimSuffix(tuple, ",")
	}
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", tuple)
	// The elements begin at a multiple of 64 bytes, so that the file can be mapped.
	if rest := (10 + len(text) + 1) % 64; rest != 0 {
		text += strings.Repeat(" ", 64-rest)
	}
	text += "\n"
	if len(text) > maxNPYHeader-1 {
		return fmt.Errorf("npy: %d dimensions are too many for a header", len(t.shape))
	}
	buf := append([]byte("\x93NUMPY\x01\x00"), byte(len(text)), byte(len(text)>>8))
	buf = append(buf, text...)
	const chunk = 1 << 15
	for i := range t.rows() {
		for _, v := range t.Row(i) {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			if len(buf) >= chunk {
				if _, err := w.Write(buf); err != nil {
					return fmt.Errorf("npy: %w", err)
				}
				buf = buf[:0]
			}
		}
	}
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return nil
}
