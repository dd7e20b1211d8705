package safetensors

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/tensor"
)

// The checksum of a file is a member of its metadata, so that it is a file like any other to other readers. It covers the
// metadata, and names, shapes and elements of the tensors, not their order: a program that writes the same content
// again may sort it.
const (
	checksumName   = "nasbench.checksum"
	checksumPrefix = "nasbench sha256 "
)

// ErrDamaged is what reading returns, wrapped, when the checksum of a file says that it has other content than was written.
var ErrDamaged = errors.New("is damaged")

// tensorSum is what the checksum needs of a tensor.
type tensorSum struct {
	name  string
	shape tensor.Shape
	sum   [sha256.Size]byte // of the elements as they are in a file
}

// checksum returns the text of the checksum. The slice is sorted.
func checksum(tensors []tensorSum, metadata map[string]string) string {
	slices.SortFunc(tensors, func(a, b tensorSum) int { return cmp.Compare(a.name, b.name) })
	h := sha256.New()
	// Lengths come before texts, so that no two contents give the same bytes.
	text := func(s string) { fmt.Fprintf(h, "%d %s ", len(s), s) }
	fmt.Fprintf(h, "%d ", len(metadata))
	for _, k := range slices.Sorted(maps.Keys(metadata)) {
		text(k)
		text(metadata[k])
	}
	for _, t := range tensors {
		text(t.name)
		fmt.Fprintf(h, "%d %d ", len(t.shape), []int(t.shape))
		h.Write(t.sum[:])
	}
	return checksumPrefix + hex.EncodeToString(h.Sum(nil))
}

// sumOf returns the sum of a tensor in memory.
func sumOf(t Tensor, h hash.Hash) tensorSum {
	h.Reset()
	_ = writeFloats(h, t.Value.Data()) // a hash takes everything
	return tensorSum{t.Name, t.Value.Shape(), [sha256.Size]byte(h.Sum(nil))}
}

// withChecksum returns metadata with the checksum of a file of these tensors.
func withChecksum(tensors []Tensor, metadata map[string]string) (map[string]string, error) {
	if _, ok := metadata[checksumName]; ok {
		return nil, fmt.Errorf("metadata %q is written by itself", checksumName)
	}
	h := sha256.New()
	sums := make([]tensorSum, len(tensors))
	for i, t := range tensors {
		sums[i] = sumOf(t, h)
	}
	out := maps.Clone(metadata)
	if out == nil {
		out = map[string]string{}
	}
	out[checksumName] = checksum(sums, metadata)
	return out, nil
}

// verify takes the checksum out of the metadata of a file that was read, and holds it against the content. A file of another writer has
// none.
func verify(tensors []tensorSum, metadata map[string]string) error {
	want, ok := metadata[checksumName]
	if !ok {
		for name, value := range metadata {
			if strings.HasPrefix(value, checksumPrefix) {
				return fmt.Errorf("%w: a checksum has the name %q", ErrDamaged, name)
			}
		}
		return nil
	}
	delete(metadata, checksumName)
	if got := checksum(tensors, metadata); got != want {
		return fmt.Errorf("%w: its content does not match its checksum", ErrDamaged)
	}
	return nil
}

// encodeText writes JSON of a text or of texts as other writers do, without escapes that only HTML needs.
func encodeText(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
