package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npy"
)

// npyFile is a .npy file as NumPy writes it.
func npyFile(header string, data ...byte) []byte {
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(out, header...), data...)
}

func floats64(v ...float64) []byte {
	var out []byte
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestNPYRoundTripKeepsBitsAndShape(t *testing.T) {
	odd, _ := FromSlice([]float32{float32(math.NaN()), float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, float32(math.Inf(1))}, 2, 2)
	for _, x := range []*Tensor{New(), Full(2, 1), count(5), count(2, 3), count(2, 3, 4, 5, 6), New(0), New(3, 0, 2), odd, count(70, 1000), count(3, 4, 8).Channels(1, 4)} {
		var b bytes.Buffer
		if err := x.WriteNPY(&b); err != nil {
			t.Errorf("%v: %v", x.Shape(), err)
			continue
		}
		if start := b.Len() - 4*x.Len(); start%64 != 0 {
			t.Errorf("%v: elements begin at byte %d", x.Shape(), start)
		}
		b.WriteString("next")
		got, err := ReadNPY(&b)
		if err != nil {
			t.Errorf("%v: %v", x.Shape(), err)
			continue
		}
		if !got.Shape().Equal(x.Shape()) || !slices.EqualFunc(elements(got), elements(x), sameBits) {
			t.Errorf("%v came back as %v, or with other elements", x.Shape(), got.Shape())
		}
		if b.String() != "next" {
			t.Errorf("%v: %q is left, want what follows the array", x.Shape(), b.String())
		}
	}
}

func TestNPYReadsWhatTheLibraryWrites(t *testing.T) {
	for _, c := range []struct {
		v    any
		dims Shape
	}{{[]float32{1, 2, 3}, Shape{3}}, {[2][3]float64{{1, 2, 3}, {4, 5, 6}}, Shape{2, 3}}, {float32(1), Shape{}}} {
		var b bytes.Buffer
		if err := npy.Write(&b, c.v); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPY(&b)
		if err != nil {
			t.Errorf("%v: %v", c.v, err)
			continue
		}
		want := count(c.dims...)
		for i := range want.Data() {
			want.Data()[i]++
		}
		if !got.Shape().Equal(c.dims) || !slices.Equal(got.Data(), want.Data()) {
			t.Errorf("%v read as %v", c.v, got)
		}
	}
}

func TestNPYIsReadByTheLibrary(t *testing.T) {
	var b bytes.Buffer
	if err := count(2, 3).WriteNPY(&b); err != nil {
		t.Fatal(err)
	}
	var v []float32
	if err := npy.Read(&b, &v); err != nil || !slices.Equal(v, []float32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("%v %v", v, err)
	}
}

func TestNPYVersionTwo(t *testing.T) {
	header := "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }   \n"
	file := append([]byte("\x93NUMPY\x02\x00"), byte(len(header)), 0, 0, 0)
	file = append(append(file, header...), floats64(1.5, -2)...)
	got, err := ReadNPY(bytes.NewReader(file))
	if err != nil || !slices.Equal(got.Data(), []float32{1.5, -2}) {
		t.Errorf("%v %v", got, err)
	}
}

func TestNPYErrorsSayWhatIsWrong(t *testing.T) {
	good := npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }\n", floats64(1, 2)...)
	huge := append([]byte("\x93NUMPY\x02\x00"), 0xff, 0xff, 0xff, 0xff)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "unexpected EOF"},
		{"not npy", []byte("PK\x03\x04 a zip file"), "not a .npy file"},
		{"version 9", append([]byte("\x93NUMPY\x09\x00"), 1, 1), "format version 9.0"},
		{"huge header", huge, "header of 4294967295 bytes"},
		{"cut header", good[:30], "bytes of header"},
		{"cut elements", good[:len(good)-3], "wants 16 bytes of elements, have 13"},
		{"no elements", good[:len(good)-16], "have 0"},
		{"Fortran", npyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }\n", 0, 0, 0, 0), "Fortran order"},
		{"integers", npyFile("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0), "'<i4'"},
		{"big-endian", npyFile("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0), "'>f4'"},
		{"negative", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n"), "not the header"},
		{"absurd size", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 5), }\n"), "have 0"},
		{"overflow", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 2000000000), }\n"), "too many elements"},
		{"dimension overflow", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }\n"), "out of range"},
		{"keys astray", npyFile("}'shape': (1,), 'fortran_order': False, 'descr': '<f4'{\n"), "not the header"},
		{"no newline", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 0, 0, 0, 0), "not the header"},
		{"records", npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0), "not the header"},
	} {
		_, err := ReadNPY(bytes.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

type failingWriter struct{ room int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestNPYWriteReportsTheWritersError(t *testing.T) {
	for _, room := range []int{0, 40000, 399999} {
		if err := New(100000).WriteNPY(&failingWriter{room}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	for _, x := range []*Tensor{New(), count(3), count(2, 3), New(0, 7)} {
		var b bytes.Buffer
		if err := x.WriteNPY(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", floats64(1, 2)...))
	f.Add(npyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (9999999999999,0), }\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		x, err := ReadNPY(bytes.NewReader(file))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := x.WriteNPY(&b); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		y, err := ReadNPY(&b)
		if err != nil || !y.Shape().Equal(x.Shape()) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		_ = y.String()
	})
}

func ExampleTensor_WriteNPY() {
	x, _ := FromSlice([]float32{1, 2, 3, 4}, 2, 2)
	var file bytes.Buffer
	if err := x.WriteNPY(&file); err != nil {
		fmt.Println(err)
		return
	}
	y, err := ReadNPY(&file)
	fmt.Println(y, err)
	// Output:
	// 2x2
	// [[1 2]
	//  [3 4]] <nil>
}
