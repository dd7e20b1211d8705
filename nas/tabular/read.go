package tabular

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/nasbench-go/nasbench/internal/userfile"
	"github.com/nasbench-go/nasbench/nas/space"
)

// maxBytes bounds an unpacked table: far more than any published one, and less than what a small gzip file can swell to.
const maxBytes = 1 << 30

// Read reads a table of genomes of the space, as CSV or JSON, packed by gzip or not; which of these, its first bytes say.
//
// CSV has a line with the names of the columns. genome is the name of the column with the genomes, in any form that the space parses; if it is
// "", it is the first one whose first value is a genome of the space. The others are metrics.
//
// JSON is one object of genomes, each with an object of metrics, the same for all; an array of numbers makes a metric of each, such as
// test_acc.0. NAS-Bench-Macro is published like this:
//
//	{"22212202": {"test_acc": [93.1, 93.2, 93.1], "mean_acc": 93.13, "params": 3396698}}
//
// It fails at what is malformed, at what the space does not parse and at a genome that stands twice; the error names line
// and column. name stands for the table in errors.
func Read(r io.Reader, name string, s space.Space, genome string) (*Table, error) {
	return readTable(context.Background(), r, name, s, genome)
}

func readTable(ctx context.Context, r io.Reader, name string, s space.Space, genome string) (*Table, error) {
	data, err := unpack(r)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	if form := userfile.WideText(data); form != "" {
		return nil, fmt.Errorf("table %s: the text is %s; save it as UTF-8", name, form)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // a byte order mark
	var t *Table
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		t, err = readJSON(ctx, data, name, s)
	} else {
		t, err = readCSV(ctx, data, name, s, genome)
	}
	if err != nil {
		return nil, err
	}
	t.digest = hex.EncodeToString(sum[:8])
	return t, nil
}

// unpack reads everything, through gzip if it is packed.
func unpack(r io.Reader) ([]byte, error) {
	b := bufio.NewReader(r)
	r = b
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		r = z
	}
	text := bufio.NewReader(r)
	if head, _ := text.Peek(512); bytes.IndexByte(head, 0) >= 0 && userfile.WideText(head) == "" {
		return nil, fmt.Errorf("a zero byte at offset %d; want CSV or JSON", bytes.IndexByte(head, 0)) // before much is read
	}
	data, err := io.ReadAll(io.LimitReader(text, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("more than %d bytes", maxBytes)
	}
	return data, err
}

func readCSV(ctx context.Context, data []byte, name string, s space.Space, genome string) (*Table, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord = true
	fail := func(err error) (*Table, error) {
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, placed(name, place{parse.Line, parse.Column}, parse.Err)
		}
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	at := func(field int) place {
		line, column := r.FieldPos(field)
		return place{line, column}
	}
	first, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("table %s: the file is empty", name)
	}
	if err != nil {
		return fail(err)
	}
	header := append([]string(nil), first...)
	seen := map[string]bool{}
	for i, h := range header {
		if h == "" {
			return nil, placed(name, at(i), errors.New("a column has no name"))
		}
		if seen[h] {
			return nil, placed(name, at(i), fmt.Errorf("column %q stands twice", h))
		}
		seen[h] = true
	}
	if genome != "" && !seen[genome] {
		return nil, fmt.Errorf("table %s: there is no column %q", name, genome)
	}

	var b *builder
	genomes := -1
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, csv.ErrFieldCount) {
			return nil, placed(name, at(len(record)-1), fmt.Errorf("%d fields; the first line has %d", len(record), len(header)))
		}
		if err != nil {
			return fail(err)
		}
		if b == nil {
			if genomes = genomeColumn(header, record, s, genome); genomes < 0 {
				return nil, placed(name, at(0), fmt.Errorf("no field is a genome of space %s", s.Name()))
			}
			b = newBuilder(ctx, name, s, without(header, genomes))
		}
		if err := b.genome(record[genomes], at(genomes)); err != nil {
			return nil, err
		}
		for i, text := range record {
			switch {
			case i < genomes:
				b.value(i, text, at(i))
			case i > genomes:
				b.value(i-1, text, at(i))
			}
		}
	}
	if b == nil {
		return nil, fmt.Errorf("table %s: there are no rows", name)
	}
	return b.table()
}

// genomeColumn returns the number of the column with the genomes; -1 if there is none.
func genomeColumn(header, record []string, s space.Space, genome string) int {
	for i, text := range record {
		if genome != "" && header[i] == genome {
			return i
		}
		if genome == "" {
			if _, err := s.Parse(text); err == nil {
				return i
			}
		}
	}
	return -1
}

// without returns the names but that of number i.
func without(names []string, i int) []string {
	return append(append([]string(nil), names[:i]...), names[i+1:]...)
}

// objectReader reads a table as JSON.
type objectReader struct {
	*json.Decoder
	data []byte
	name string

	// The last place that was counted, from which the next one is.
	counted int
	at      place
}

// metric is a value in a row.
type metric struct {
	name, value string
	at          place
}

func readJSON(ctx context.Context, data []byte, name string, s space.Space) (*Table, error) {
	r := &objectReader{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, name: name, at: place{1, 1}}
	r.UseNumber()
	var b *builder
	err := r.object("the table", func(genome string, at place) error {
		row, err := r.row()
		if err != nil {
			return err
		}
		if b == nil {
			var names []string
			for _, m := range row {
				names = append(names, m.name)
			}
			b = newBuilder(ctx, name, s, names)
		}
		if err := b.genome(genome, at); err != nil {
			return err
		}
		return b.join(row, at)
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, placed(name, r.here(), errors.New("the table ends before this"))
	}
	if b == nil {
		return nil, fmt.Errorf("table %s: there are no rows", name)
	}
	return b.table()
}

// join adds the values of a row, which stand in any order.
func (b *builder) join(row []metric, at place) error {
	for i, c := range b.columns {
		k := i // where it stands if all rows are written alike
		if k >= len(row) || row[k].name != c.name {
			for k = 0; k < len(row) && row[k].name != c.name; k++ {
			}
		}
		if k == len(row) {
			return b.fail(at, "the genome has no %q", c.name)
		}
		b.value(i, row[k].value, row[k].at)
	}
	if len(row) == len(b.columns) {
		return nil
	}
	known := map[string]bool{}
	for _, c := range b.columns {
		known[c.name] = true
	}
	for _, m := range row {
		if !known[m.name] {
			return b.fail(m.at, "%q is no metric of the genome in line %d", m.name, b.lines[0])
		}
	}
	return nil
}

// here is the place behind the last token.
func (r *objectReader) here() place {
	end := min(int(r.InputOffset()), len(r.data))
	for _, c := range r.data[r.counted:max(end, r.counted)] {
		r.at.column++
		if c == '\n' {
			r.at = place{r.at.line + 1, 1}
		}
	}
	r.counted = max(end, r.counted)
	return r.at
}

// next reads a token.
func (r *objectReader) next() (json.Token, error) {
	token, err := r.Token()
	if err == nil {
		return token, nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the file ends within the table")
	}
	return nil, placed(r.name, r.here(), err)
}

// object reads an object; entry reads each of its values.
func (r *objectReader) object(what string, entry func(key string, at place) error) error {
	token, err := r.next()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return placed(r.name, r.here(), fmt.Errorf("%s is no object", what))
	}
	for r.More() {
		key, err := r.next()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return placed(r.name, r.here(), fmt.Errorf("%v is no name", key))
		}
		if err := entry(name, r.here()); err != nil {
			return err
		}
	}
	_, err = r.next()
	return err
}

// row reads the metrics of a genome.
func (r *objectReader) row() ([]metric, error) {
	var row []metric
	seen := map[string]bool{}
	add := func(name string, token json.Token, at place) error {
		if _, ok := token.(json.Delim); ok {
			return placed(r.name, at, fmt.Errorf("%q is neither a number nor an array of numbers", name))
		}
		if seen[name] {
			return placed(r.name, at, fmt.Errorf("%q stands twice", name))
		}
		seen[name] = true
		row = append(row, metric{name, fmt.Sprint(token), at})
		return nil
	}
	err := r.object("the value of a genome", func(name string, _ place) error {
		token, err := r.next()
		if err != nil {
			return err
		}
		if token != json.Delim('[') {
			return add(name, token, r.here())
		}
		for i := 0; r.More(); i++ {
			if token, err = r.next(); err != nil {
				return err
			}
			if err := add(name+"."+strconv.Itoa(i), token, r.here()); err != nil {
				return err
			}
		}
		_, err = r.next()
		return err
	})
	return row, err
}
