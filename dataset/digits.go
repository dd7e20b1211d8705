package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	digitsFile = "digits.csv"
	// The test split of digits and images must be the same in every run, so that what
	// one run trains on is never what another validates on. Its seed is fixed.
	testSeed       = 1
	digitsTestPart = 0.1
	maxClasses     = 1000
	maxCSVBytes    = 1 << 30
	maxCSVLine     = 1 << 24
)

// digitsSource reads a CSV file of flattened images.
//
// Separators are commas, semicolons or tabs; lines may end in CR LF. If the first line
// has a field that is not a number it is a header, and must name the label column:
// label, class or target, in any case, unless the options do. Labels may then be words. Without a header the
// label column is the first or the last, whichever holds whole numbers that are exactly
// 0, 1, ... up to some largest label; if both or none do, a header or the options must say which.
//
// All other columns are pixels, row by row: a square number of them for grey images,
// three times a square for colour (the three values of a pixel side by side). The
// values may be from 0 to 1, 0 to 16 or 0 to 255; the smallest of these ranges that
// holds all is scaled to 0..255. A tenth of each class is the test split.
func digitsSource() source {
	return source{
		info: Info{
			Name:     "digits",
			Title:    "any CSV file of flattened images with a label column",
			Licence:  "that of the file",
			Source:   "a file of yours; for instance the UCI handwritten digits, as scikit-learn has them",
			HowToGet: "name the file as digits:FILE or with --data-dir; every line holds a label and the pixels of one image",
		},
		locate: locateDigits,
		open:   openDigits,
	}
}

func locateDigits(info Info, o Options) (string, error) {
	if o.Dir != "" {
		if st, err := os.Stat(o.Dir); err == nil && st.Mode().IsRegular() {
			return o.Dir, nil
		} else if err != nil {
			return "", &Error{Dataset: info.Name, File: o.Dir, Err: fmt.Errorf("%w: %w", ErrMissing, plain(err)), Help: info.HowToGet}
		}
	}
	dir, err := locateFiles(info, folders(o, info.Name), []string{digitsFile})
	if err != nil {
		return "", err
	}
	return resolve(dir, digitsFile), nil
}

func openDigits(info Info, path string, o Options) (*Dataset, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(info, path, plain(err))
	}
	defer f.Close()
	in, err := newInput(f)
	if err != nil {
		return nil, fileError(info, path, err)
	}
	all, err := readDigits(in.r, o.Label)
	if err != nil {
		return nil, fileError(info, path, err)
	}
	labels := make([]int, all.Len())
	for i := range labels {
		labels[i] = all.Label(i)
	}
	inTrain, inTest, err := stratify(labels, all.Classes, digitsTestPart, testSeed)
	if err != nil {
		return nil, fileError(info, path, err)
	}
	train, err := all.Subset(inTrain)
	if err != nil {
		return nil, fileError(info, path, err)
	}
	d, err := newDataset(info, path, train, len(inTest), func() (*Split, error) { return all.Subset(inTest) })
	if err != nil {
		return nil, err
	}
	d.contents = contents{
		rule:  fmt.Sprintf("test %g, seed %d", digitsTestPart, testSeed),
		parts: []part{{role: digitsFile, file: path, packed: true}},
	}
	return d, nil
}

// table of numbers and words, as read.
type csvTable struct {
	width  int
	label  int       // column of the labels; -1 until decided
	values []float32 // all columns but a known label column
	words  []string  // labels of a known label column
}

// readDigits reads a CSV file as described at digitsSource.
func readDigits(r io.Reader, label string) (*Split, error) {
	t, err := readCSV(r, label)
	if err != nil {
		return nil, err
	}
	if t.label < 0 {
		if err := t.findLabels(); err != nil {
			return nil, err
		}
	}
	pixels := t.width - 1
	side, channels := squareSide(pixels)
	if side == 0 {
		return nil, fmt.Errorf("%d pixel columns; want a square number, or three times one", pixels)
	}
	labels, classes, err := rankLabels(t.words)
	if err != nil {
		return nil, err
	}
	if len(classes) == 1 {
		return nil, fmt.Errorf("only one label, %q", classes[0])
	}
	return NewSplit(scalePixels(t.values), labels, side, side, channels, classes)
}

func readCSV(r io.Reader, label string) (*csvTable, error) {
	b := bufio.NewReaderSize(&lineGuard{r: r}, 1<<16)
	if bom, err := b.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		b.Discard(3)
	}
	c := csv.NewReader(b)
	c.Comma = separator(b)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	t := &csvTable{label: -1}
	for first := true; ; first = false {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(err)
		}
		if first {
			t.width = len(record)
			header := isHeader(record)
			if t.label, err = labelColumn(record, header, label); err != nil {
				return nil, &placeError{"line 1", err}
			}
			if header {
				continue
			}
		}
		for i, field := range record {
			if i == t.label {
				word := strings.TrimSpace(field)
				if word == "" {
					return nil, fieldError(c, i, errors.New("the label is empty"))
				}
				t.words = append(t.words, word)
				continue
			}
			v, err := parsePixel(field)
			if err != nil {
				return nil, fieldError(c, i, err)
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
	if errors.Is(p.Err, csv.ErrFieldCount) {
		return &placeError{fmt.Sprintf("line %d", p.Line), errors.New("not as many fields as in the first line")}
	}
	return &placeError{fmt.Sprintf("line %d, column %d", p.Line, p.Column), p.Err}
}

// fieldError says in which field of the record just read something is wrong.
func fieldError(c *csv.Reader, field int, err error) error {
	line, column := c.FieldPos(field)
	return &placeError{fmt.Sprintf("line %d, column %d", line, column), fmt.Errorf("field %d: %w", field+1, err)}
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

func isHeader(record []string) bool {
	return slices.ContainsFunc(record, func(f string) bool {
		_, err := strconv.ParseFloat(strings.TrimSpace(f), 32)
		return err != nil
	})
}

// labelColumn returns the column of the labels by the first line and what the options say; -1 if neither does.
func labelColumn(record []string, header bool, label string) (int, error) {
	names := []string{"label", "class", "target"}
	if label != "" {
		if n, err := strconv.Atoi(label); err == nil {
			if n < 1 || n > len(record) {
				return 0, fmt.Errorf("there is no column %d for the labels; there are %d", n, len(record))
			}
			return n - 1, nil
		}
		if !header {
			return 0, fmt.Errorf("this is no header, so that none of its %d columns is named %q", len(record), label)
		}
		names = []string{strings.ToLower(label)}
	}
	if !header {
		return -1, nil
	}
	found := -1
	for i, f := range record {
		if slices.Contains(names, strings.ToLower(strings.TrimSpace(f))) {
			if found >= 0 {
				return 0, fmt.Errorf("fields %d and %d both name a label column", found+1, i+1)
			}
			found = i
		}
	}
	switch {
	case found < 0 && label != "":
		return 0, fmt.Errorf("this header names no column %q", label)
	case found < 0:
		return 0, errors.New("this header names no column label, class or target")
	}
	return found, nil
}

func parsePixel(field string) (float32, error) {
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
	if err != nil {
		return 0, fmt.Errorf("want a number, have %q", field)
	}
	if !(v >= 0 && v <= 255) {
		return 0, fmt.Errorf("want a number from 0 to 255, have %q", field)
	}
	return float32(v), nil
}

// findLabels decides between the first and the last column of a file without a header
// and moves the labels out of values.
func (t *csvTable) findLabels() error {
	if t.width < 2 {
		return errors.New("lines of one field; want a label and pixels")
	}
	first, last := t.countsUp(0), t.countsUp(t.width-1)
	switch {
	case first && last:
		return errors.New("both the first and the last column could be labels; add a header line with a column named label")
	case first:
		t.label = 0
	case last:
		t.label = t.width - 1
	default:
		return errors.New("neither the first nor the last column holds labels 0, 1, ...; add a header line with a column named label")
	}
	pixels := t.values[:0]
	for i, v := range t.values {
		if i%t.width == t.label {
			t.words = append(t.words, strconv.Itoa(int(v)))
		} else {
			pixels = append(pixels, v)
		}
	}
	t.values = pixels
	return nil
}

// countsUp reports whether the values of a column are exactly the numbers 0, 1, ... up
// to the largest, at least 0 and 1, each any number of times.
func (t *csvTable) countsUp(column int) bool {
	var seen [256]bool
	largest, distinct := 0, 0
	for i := column; i < len(t.values); i += t.width {
		v := int(t.values[i])
		if float32(v) != t.values[i] {
			return false
		}
		if !seen[v] {
			seen[v] = true
			distinct++
		}
		largest = max(largest, v)
	}
	return distinct == largest+1 && distinct > 1
}

// squareSide returns the side and the channels of an image of n values; a side of zero
// if it is no square.
func squareSide(n int) (side, channels int) {
	for _, channels := range []int{1, 3} {
		for side := 1; side*side*channels <= n; side++ {
			if side*side*channels == n {
				return side, channels
			}
		}
	}
	return 0, 0
}

// rankLabels turns label words into indices of the sorted distinct words; whole numbers
// are sorted as numbers.
func rankLabels(words []string) (labels []int, classes []string, err error) {
	index := map[string]int{}
	for _, w := range words {
		if _, ok := index[w]; !ok {
			index[w] = 0
			classes = append(classes, w)
		}
		if len(classes) > maxClasses {
			return nil, nil, fmt.Errorf("more than %d different labels; is this the label column?", maxClasses)
		}
	}
	sortClasses(classes)
	for i, c := range classes {
		index[c] = i
	}
	labels = make([]int, len(words))
	for i, w := range words {
		labels[i] = index[w]
	}
	return labels, classes, nil
}

func sortClasses(classes []string) {
	number := make(map[string]int, len(classes))
	for _, c := range classes {
		n, err := strconv.Atoi(c)
		if err != nil {
			slices.Sort(classes)
			return
		}
		number[c] = n
	}
	slices.SortFunc(classes, func(a, b string) int {
		if d := number[a] - number[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// scalePixels scales values to 0..255.
func scalePixels(values []float32) []byte {
	scale := float32(255)
	if largest := slices.Max(values); largest <= 1 {
		scale = 1
	} else if largest <= 16 {
		scale = 16
	}
	out := make([]byte, len(values))
	for i, v := range values {
		out[i] = byte(v/scale*255 + 0.5)
	}
	return out
}
