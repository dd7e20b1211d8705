package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/tensor"
)

func named(t testing.TB, name string, data []float32, dims ...int) Tensor {
	t.Helper()
	v, err := tensor.FromSlice(data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return Tensor{Name: name, Value: v}
}

func sample(t testing.TB) ([]Tensor, map[string]string) {
	negativeZero := float32(math.Copysign(0, -1))
	return []Tensor{
		named(t, "conv.weight", []float32{1, -2, 3.5, negativeZero, float32(math.Inf(1)), math.SmallestNonzeroFloat32}, 1, 2, 3),
		named(t, "a scalar", []float32{math.MaxFloat32}),
		named(t, "velocity/ünïcode \"quoted\"", []float32{7, 8}, 2),
		named(t, "empty", nil, 0, 4),
	}, map[string]string{"step": "12", "note": "line\nbreak <tag>"}
}

// file builds a file from the text of a header and a number of data bytes.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func encode(t testing.TB) []byte {
	t.Helper()
	tensors, meta := sample(t)
	var b bytes.Buffer
	if err := Write(&b, tensors, meta); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWrittenBytesFollowTheFormat(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, []Tensor{named(t, "b", []float32{1, 2}, 2), named(t, "a", []float32{-0.5}, 1, 1)}, map[string]string{"z": "1", "k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"k":"v","nasbench.checksum":"CHECKSUM","z":"1"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}`
	// SHA-256 of "2 1 k 1 v 1 z 1 1 1 a 2 [1 1] " with that of a's bytes, and "1 b 1 [2] " with that of b's.
	header = strings.Replace(header, "CHECKSUM", "nasbench sha256 686e69676bc379f94ce8d6eac090e1a883b8a63205ba68c76ab27eeee2a79b9b", 1)
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	want = append(want, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0, 0xbf)
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("bytes\n%q\nwant\n%q", b.Bytes(), want)
	}
}

func TestReadingGivesBackWhatWasWritten(t *testing.T) {
	tensors, meta := sample(t)
	raw := encode(t)
	f, err := Read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(f.Metadata, meta) {
		t.Errorf("metadata %v, want %v", f.Metadata, meta)
	}
	if len(f.Tensors) != len(tensors) {
		t.Fatalf("tensors %v", f.Names())
	}
	for _, want := range tensors {
		got := f.Lookup(want.Name)
		if got == nil || !got.Shape().Equal(want.Value.Shape()) {
			t.Fatalf("%q: %v, want shape %v", want.Name, got, want.Value.Shape())
		}
		for i, v := range want.Value.Data() {
			if math.Float32bits(got.Data()[i]) != math.Float32bits(v) {
				t.Errorf("%q[%d] = %g, want %g", want.Name, i, got.Data()[i], v)
			}
		}
	}
	if f.Lookup("other") != nil {
		t.Error("Lookup finds a tensor that is not there")
	}
}

func TestHeaderOfAnotherWriterIsRead(t *testing.T) {
	header := ` {"b" : {"shape":[1], "data_offsets": [4 ,8],"dtype":"F32"}, "a":{"data_offsets":[0,4],"dtype":"F32","shape":[]}}  `
	raw := file(header[1:], 8)
	copy(raw[len(raw)-8:], []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40})
	f, err := Read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.Names(), []string{"a", "b"}) || f.Lookup("a").Data()[0] != 1 || f.Lookup("b").Data()[0] != 2 {
		t.Errorf("read %v, %v, %v", f.Names(), f.Lookup("a"), f.Lookup("b"))
	}
}

func TestBadFilesAreRefusedWithTheReason(t *testing.T) {
	one := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	two := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]},"b":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}}`
	oversize := binary.LittleEndian.AppendUint64(nil, MaxHeader+1)
	for _, tc := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "want 8 bytes of header length, have 0"},
		{"short length", []byte{1, 2, 3}, "have 3"},
		{"header past the end", append(binary.LittleEndian.AppendUint64(nil, 100), '{', '}'), "want 100 bytes of header, have 2"},
		{"header over the limit", oversize, "header of 100000001 bytes"},
		{"length with the top bit", []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, "the format allows"},
		{"no header", file("", 0), "want a JSON object"},
		{"header is an array", file("[]", 0), "want a JSON object"},
		{"leading space", file(" {}", 0), "want a JSON object"},
		{"unfinished", file(`{"a":`, 0), "JSON"},
		{"entry without fields", file(`{"a":{}}`, 0), "no dtype"},
		{"trailing comma", file(`{"a":{},}`, 0), "JSON"},
		{"trailing comma in metadata", file(`{"__metadata__":{"a":"b",}}`, 0), "JSON"},
		{"garbage after the object", file(one+"x", 4), "1 bytes after the object"},
		{"not UTF-8", file("{\"\xff\":1}", 0), "not UTF-8"},
		{"truncated data", file(one, 3), "the tensors have 4 bytes, the file has 3"},
		{"bytes after the data", file(one, 5), "the file has 5"},
		{"overlap", file(fmt.Sprintf(two, 0, 4, 2, 6), 6), `tensor "b": bytes 2 to 6 overlap`},
		{"same bytes twice", file(fmt.Sprintf(two, 0, 4, 0, 4), 4), "overlap"},
		{"hole", file(fmt.Sprintf(two, 0, 4, 8, 12), 12), "leave a hole after 4"},
		{"hole at the start", file(fmt.Sprintf(two, 4, 8, 8, 12), 12), "leave a hole after 0"},
		{"backwards", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "run backwards"},
		{"shape against offsets", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "shape 2 needs 8 bytes"},
		{"shape that overflows", file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too many elements"},
		{"dimension that overflows", file(`{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}}`, 0), "dimension 0"},
		{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "shape: json"},
		{"null dimension", file(`{"a":{"dtype":"F32","shape":[null],"data_offsets":[0,4]}}`, 4), "dimension 0"},
		{"other dtype", file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4), `dtype "F16" is not supported`},
		{"no dtype", file(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, 4), "no dtype"},
		{"dtype in another case", file(`{"a":{"Dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `unknown field "Dtype"`},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "no shape"},
		{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), "not a pair"},
		{"duplicate tensor", file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), `"a" occurs twice`},
		{"duplicate tensor by escape", file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), `"a" occurs twice`},
		{"duplicate field", file(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `"dtype" occurs twice`},
		{"metadata of numbers", file(`{"__metadata__":{"a":1}}`, 0), `__metadata__: "a" is not a string`},
		{"metadata of null", file(`{"__metadata__":{"a":null}}`, 0), `"a" is not a string`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "occurs twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(tc.raw), int64(len(tc.raw)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	raw := encode(t)
	for n := range raw {
		if _, err := Read(bytes.NewReader(raw[:n]), int64(n)); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a file", n, len(raw))
		}
		if _, err := Read(bytes.NewReader(raw[:n]), int64(len(raw))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a stream that ends after %d bytes: error %v", n, err)
		}
	}
}

func TestBadTensorsAreNotWritten(t *testing.T) {
	wide := tensor.New(2, 4)
	for _, tc := range []struct {
		name    string
		tensors []Tensor
		meta    map[string]string
		want    string
	}{
		{"no name", []Tensor{{"", wide}}, nil, "cannot be the name"},
		{"reserved name", []Tensor{{"__metadata__", wide}}, nil, "cannot be the name"},
		{"name not UTF-8", []Tensor{{"\xff", wide}}, nil, "cannot be the name"},
		{"duplicate", []Tensor{{"a", wide}, {"a", wide}}, nil, `"a" is given twice`},
		{"metadata not UTF-8", nil, map[string]string{"k": "\xff"}, `metadata "k"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, tc.tensors, tc.meta); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want it to contain %q", err, tc.want)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes were written", b.Len())
			}
		})
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	tensors, meta := sample(t)
	if err := WriteFile(path, tensors, meta); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, encode(t)) {
		t.Error("WriteFile and Write differ")
	}
	if err := WriteFile(path, append(tensors, tensors[0]), meta); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("duplicate tensor: error %v, want one that names %s", err, path)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a failed write changed the file (%v)", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := WriteFile(filepath.Join(dir, "missing", "x"), tensors, meta); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: error %v", err)
	}
}

func TestWriteFollowsLinksAndLeavesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	tensors, meta := sample(t)
	if err := WriteFile(dir, tensors, meta); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: error %v", err)
	}
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no links here:", err)
	}
	if err := WriteFile(link, tensors, meta); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
	if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, encode(t)) {
		t.Errorf("the target was not written (%v)", err)
	}
}

func TestReadFileNamesThePath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cut.safetensors")
	if err := os.WriteFile(path, encode(t)[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir, filepath.Join(dir, "none")} {
		if _, err := ReadFile(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %v does not name it", p, err)
		}
	}
}

// The script reads the file with the Python standard library alone, following the
// description of the format, and prints what it finds.
func TestPythonReadsTheFile(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	tensors := []Tensor{named(t, "b", []float32{1, 2, 3, 4, 5, 6}, 2, 3), named(t, "a", []float32{-0.5})}
	if err := WriteFile(path, tensors, map[string]string{"step": "3"}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, filepath.Join("testdata", "dump.py"), path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "metadata nasbench.checksum=nasbench sha256 SUM\nmetadata step=3\na [] -0.5\nb [2, 3] 1.0 2.0 3.0 4.0 5.0 6.0\n"
	got := regexp.MustCompile("sha256 [0-9a-f]{64}").ReplaceAllString(strings.ReplaceAll(string(out), "\r\n", "\n"), "sha256 SUM")
	if got != want {
		t.Errorf("Python reads\n%swant\n%s", got, want)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f))
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"__metadata__":{"a":"b"},"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}`, 0))
	f.Add(file(`{"a":{"dtype":"F32","shape":[2,-1],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := Read(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		if in.Lookup("") != nil { // readable, but Write refuses it
			return
		}
		var b bytes.Buffer
		if err := Write(&b, in.Tensors, in.Metadata); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Read(&b, int64(b.Len()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !slices.Equal(again.Names(), in.Names()) || !maps.Equal(again.Metadata, in.Metadata) {
			t.Fatalf("%v %v became %v %v", in.Names(), in.Metadata, again.Names(), again.Metadata)
		}
	})
}
