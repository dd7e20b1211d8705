package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/internal/userfile"
)

const (
	maxCSVBytes = 1 << 30
	maxCSVLine  = 1 << 24

	// Lines by which the layout of a file is told: so many, or fewer of that many bytes in all.
	headLines = 64
	headBytes = 1 << 22
)

// csvTable are numbers and words, as read.
type csvTable struct {
	csvLayout
	values []float32 // of all columns but the index and a known label column
	words  []string  // labels of a known label column
	lines  []int     // where each row stands, from 1
}

// csvRow is one record of a file.
type csvRow struct {
	fields  []string
	line    int
	columns []int // of the fields, from 1; nil if the reader still has them
}

// csvRows gives the records of a file, the first of them again.
type csvRows struct {
	*csv.Reader
	head []csvRow
}

func (r *csvRows) read() (csvRow, error) {
	record, err := r.Read()
	if err != nil {
		if parse, ok := errors.AsType[*csv.ParseError](err); ok && errors.Is(parse.Err, csv.ErrFieldCount) {
			return csvRow{}, &placeError{fmt.Sprintf("line %d", parse.Line), fmt.Errorf("not as many fields as in the first line: %d, not %d", len(record), r.FieldsPerRecord)}
		}
		return csvRow{}, csvError(err)
	}
	line, _ := r.FieldPos(0)
	return csvRow{fields: record, line: line}, nil
}

// readHead reads the lines by which the layout is told. An error ends it: it comes again when the rows are read.
func (r *csvRows) readHead() error {
	size := 0
	for len(r.head) < headLines && size < headBytes {
		row, err := r.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row.fields = slices.Clone(row.fields)
		row.columns = make([]int, len(row.fields))
		for i := range row.columns {
			_, row.columns[i] = r.FieldPos(i)
			size += len(row.fields[i])
		}
		r.head = append(r.head, row)
	}
	return nil
}

// next returns the next row, those of the head first.
func (r *csvRows) next() (csvRow, error) {
	if len(r.head) > 0 {
		row := r.head[0]
		r.head = r.head[1:]
		return row, nil
	}
	return r.read()
}

// fieldError says in which field of a row something is wrong; names are those of the columns, if there are any.
func (r *csvRows) fieldError(row csvRow, field int, names []string, err error) error {
	line, column := row.line, 0
	if row.columns != nil {
		column = row.columns[field]
	} else {
		line, column = r.FieldPos(field)
	}
	name := ""
	if names != nil && names[field] != "" {
		name = fmt.Sprintf(", %q", names[field])
	}
	return &placeError{fmt.Sprintf("line %d, column %d", line, column), fmt.Errorf("field %d%s: %w", field+1, name, err)}
}

func readCSV(r io.Reader, o Options) (*csvTable, error) {
	b := bufio.NewReaderSize(&lineGuard{r: r}, 1<<16)
	if head, _ := b.Peek(4); userfile.WideText(head) != "" {
		return nil, fmt.Errorf("the text is %s; save it as UTF-8", userfile.WideText(head))
	}
	if bom, err := b.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		b.Discard(3)
	}
	rows := &csvRows{Reader: csv.NewReader(b)}
	rows.Comma = separator(b)
	rows.ReuseRecord = true
	rows.TrimLeadingSpace = rows.Comma != '\t' // which is a space too: an empty field would be lost
	broken := rows.readHead()
	t := &csvTable{}
	if len(rows.head) > 0 {
		var err error
		if t.csvLayout, err = newLayout(rows.head, o); err != nil {
			return nil, &placeError{fmt.Sprintf("line %d", rows.head[0].line), err}
		}
		if t.header {
			rows.head = rows.head[1:]
		}
	}
	least, most := pixelRange(o.PixelScale)
	for {
		row, err := csvRow{}, broken
		if len(rows.head) > 0 || broken == nil {
			row, err = rows.next()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.lines = append(t.lines, row.line)
		for i, field := range row.fields {
			switch i {
			case t.label:
				word := strings.TrimSpace(field)
				if word == "" {
					return nil, rows.fieldError(row, i, t.names, errors.New("the label is empty"))
				}
				t.words = append(t.words, word)
				continue
			case t.index:
				continue
			}
			v, err := parsePixel(field, least, most)
			if err != nil {
				return nil, rows.fieldError(row, i, t.names, err)
			}
			t.values = append(t.values, v)
		}
	}
	if len(t.values) == 0 {
		return nil, errors.New("no lines of pixels")
	}
	return t, nil
}

// separator returns the most frequent of comma, semicolon and tab in the first line,
// as far as it is buffered.
func separator(b *bufio.Reader) rune {
	head, _ := b.Peek(4096)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, s := range []rune{';', '\t'} {
		if n := strings.Count(line, string(s)); n > most {
			best, most = s, n
		}
	}
	return best
}

func csvError(err error) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return err
	}
	return &placeError{fmt.Sprintf("line %d, column %d", p.Line, p.Column), p.Err}
}

// lineGuard bounds the bytes and the length of lines that come from r, because the
// CSV reader holds a whole line in memory and a small gzipped file can be very long.
type lineGuard struct {
	r           io.Reader
	total, line int
}

func (g *lineGuard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.total += n
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		g.line = n - i - 1
	} else {
		g.line += n
	}
	switch {
	case g.total > maxCSVBytes:
		return n, fmt.Errorf("more than %d bytes of text", maxCSVBytes)
	case g.line > maxCSVLine:
		return n, fmt.Errorf("a line of more than %d bytes", maxCSVLine)
	}
	return n, err
}

// parsePixel returns the number in a field, which must be from least to most.
func parsePixel(field string, least, most float32) (float32, error) {
	field = strings.TrimSpace(field)
	if n := len(field); n > 0 && n <= 3 {
		v := 0
		for i := range n {
			d := field[i] - '0'
			if d > 9 {
				v = -1
				break
			}
			v = 10*v + int(d)
		}
		if v >= 0 && v <= 255 {
			return float32(v), nil
		}
	}
	v, err := strconv.ParseFloat(field, 32)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("want a number, have %q", field)
	case v-v != 0: // not finite
		return 0, fmt.Errorf("want a finite number from 0 to 255, have %q", field)
	case float32(v) < least || float32(v) > most:
		return 0, fmt.Errorf("want a number from 0 to 255, have %q; --pixel-scale gives another range, from 0 on, and clips", field)
	}
	return float32(v), nil
}
