package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestEveryFlippedBitIsAnError(t *testing.T) {
	raw := encode(t)
	if _, err := Read(bytes.NewReader(raw), int64(len(raw))); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			bad := slices.Clone(raw)
			bad[i] ^= 1 << bit
			if _, err := Read(bytes.NewReader(bad), int64(len(bad))); err == nil {
				t.Errorf("bit %d of byte %d (%q) is flipped: no error", bit, i, raw[i])
			}
		}
	}
}

func TestAChangedElementIsDamage(t *testing.T) {
	raw := encode(t)
	raw[len(raw)-1] ^= 1
	if _, err := Read(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v", err)
	}
	if bytes.Contains(raw, []byte(`\u00`)) {
		t.Error("the header has escapes, which are written in more than one way")
	}
}

// Two tensors of the same bytes under each other's names are other content.
func TestExchangedNamesAreDamage(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{named(t, "aa", []float32{1}, 1), named(t, "bb", []float32{2}, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"aa"`, `"bb"`, `"bb"`, `"aa"`).Replace(b.String())
	if _, err := Read(strings.NewReader(text), int64(len(text))); !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

func TestFilesWithoutAChecksumAndSortedOnesAreRead(t *testing.T) {
	tensors, meta := sample(t)
	var sorted bytes.Buffer // as another program may write the same content
	withSum, err := withChecksum(tensors, meta)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	for _, metadata := range []map[string]string{withSum, meta} {
		header, err := encodeHeader(tensors, metadata)
		if err != nil {
			t.Fatal(err)
		}
		sorted.Reset()
		sorted.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
		sorted.Write(header)
		for _, tensor := range tensors {
			for _, v := range tensor.Value.Data() {
				sorted.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		}
		f, err := Read(&sorted, int64(sorted.Len()))
		if err != nil || !maps.Equal(f.Metadata, meta) {
			t.Errorf("%v: %v", metadata, err)
		}
	}
}

func TestTheNameOfTheChecksumIsReserved(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, nil, map[string]string{checksumName: "x"}); err == nil {
		t.Error("a caller's checksum is written")
	}
}

func TestWhatIsNoSafetensorsFileIsSaidToBeNone(t *testing.T) {
	for _, text := range []string{"", "label,0,1,2\n1,0,0,0\n", "SQLite format 3\x00", "\x89PNG\r\n\x1a\n0000", "\x10\x00\x00\x00\x00\x00\x00\x00not a JSON object"} {
		if _, err := Read(strings.NewReader(text), int64(len(text))); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
