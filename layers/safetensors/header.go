package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/nasbench-go/nasbench/tensor"
)

// entry is one tensor of a header. Its elements are bytes start..end after the header.
type entry struct {
	name       string
	shape      tensor.Shape
	start, end uint64
}

// decodeHeader checks a header against the number of bytes that follow it and returns its
// tensors in the order of their elements.
func decodeHeader(header []byte, data uint64) ([]entry, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, errors.New("not UTF-8")
	}
	header = bytes.TrimRight(header, " ")
	fields, err := members(header)
	if err != nil {
		return nil, nil, err
	}
	var entries []entry
	metadata := map[string]string{}
	for _, f := range fields {
		if f.name == metadataName {
			if err := decodeMetadata(f.value, metadata); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataName, err)
			}
			continue
		}
		e, err := decodeEntry(f.value)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", f.name, err)
		}
		e.name = f.name
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	at := uint64(0)
	for _, e := range entries {
		switch {
		case e.start < at:
			return nil, nil, fmt.Errorf("tensor %q: bytes %d to %d overlap the tensor before, which ends at %d", e.name, e.start, e.end, at)
		case e.start > at:
			return nil, nil, fmt.Errorf("tensor %q: bytes %d to %d leave a hole after %d", e.name, e.start, e.end, at)
		}
		at = e.end
	}
	if at != data {
		return nil, nil, fmt.Errorf("the tensors have %d bytes, the file has %d after the header", at, data)
	}
	return entries, metadata, nil
}

func decodeMetadata(raw []byte, into map[string]string) error {
	fields, err := members(raw)
	if err != nil {
		return err
	}
	for _, f := range fields {
		var s *string
		if err := json.Unmarshal(f.value, &s); err != nil || s == nil {
			return fmt.Errorf("%q is not a string", f.name)
		}
		into[f.name] = *s
	}
	return nil
}

func decodeEntry(raw []byte) (entry, error) {
	fields, err := members(raw)
	if err != nil {
		return entry{}, err
	}
	var (
		e       entry
		dtype   *string
		dims    []*uint64
		offsets []*uint64
	)
	for _, f := range fields {
		var into any
		switch f.name {
		case "dtype":
			into = &dtype
		case "shape":
			into = &dims
		case "data_offsets":
			into = &offsets
		default:
			return e, fmt.Errorf("unknown field %q", f.name)
		}
		if err := json.Unmarshal(f.value, into); err != nil {
			return e, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	switch {
	case dtype == nil:
		return e, errors.New("no dtype")
	case *dtype != "F32":
		return e, fmt.Errorf("dtype %q is not supported, want \"F32\"", *dtype)
	case dims == nil:
		return e, errors.New("no shape")
	case len(offsets) != 2 || offsets[0] == nil || offsets[1] == nil:
		return e, errors.New("data_offsets is not a pair of numbers")
	}
	e.shape = make(tensor.Shape, len(dims))
	for i, d := range dims {
		if d == nil || *d > math.MaxInt {
			return e, fmt.Errorf("dimension %d is not a number that fits", i)
		}
		e.shape[i] = int(*d)
	}
	if err := e.shape.Check(); err != nil {
		return e, err
	}
	e.start, e.end = *offsets[0], *offsets[1]
	if e.end < e.start {
		return e, fmt.Errorf("data_offsets %d to %d run backwards", e.start, e.end)
	}
	if want := 4 * uint64(e.shape.Elements()); e.end-e.start != want {
		return e, fmt.Errorf("shape %v needs %d bytes, data_offsets %d to %d hold %d", e.shape, want, e.start, e.end, e.end-e.start)
	}
	return e, nil
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members splits a JSON object. Unlike decoding into a map it refuses a name that occurs
// twice, and unlike decoding into a struct it tells upper from lower case.
func members(raw []byte) ([]member, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("want a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	var out []member
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("JSON: %w", err)
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("JSON: %v is not a name", key)
		}
		m := member{name: name}
		if seen[m.name] {
			return nil, fmt.Errorf("%q occurs twice", m.name)
		}
		seen[m.name] = true
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("JSON: %q: %w", m.name, err)
		}
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	if rest := raw[d.InputOffset():]; len(rest) > 0 {
		return nil, fmt.Errorf("JSON: %d bytes after the object", len(rest))
	}
	return out, nil
}
