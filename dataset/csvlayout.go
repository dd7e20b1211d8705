package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Header says whether the first line of a CSV file names the columns.
type Header string

// The values of [Header]. HeaderAuto, which is also what "" means, finds out.
const (
	HeaderAuto Header = "auto"
	HeaderYes  Header = "yes"
	HeaderNo   Header = "no"
)

// Headers returns the values of [Header].
func Headers() []Header { return []Header{HeaderAuto, HeaderYes, HeaderNo} }

// csvLayout says what the first line and the columns of a CSV file are.
type csvLayout struct {
	width  int
	header bool
	told   bool     // that there is a header, or none
	names  []string // of the columns, if there is a header
	label  int      // column of the labels; -1 until found by values
	index  int      // column that only numbers the lines; -1 if there is none
}

// newLayout decides by the first lines of a file and by what the options say.
func newLayout(head []csvRow, o Options) (csvLayout, error) {
	first, rest := head[0].fields, head[1:]
	l := csvLayout{width: len(first), label: -1, index: -1, told: true}
	switch o.Header {
	case HeaderYes, HeaderNo:
		l.header = o.Header == HeaderYes
	case HeaderAuto, "":
		l.told = false
		l.header = l.findHeader(first, rest, o.Label)
	}
	body := head
	if l.header {
		body = rest
		for _, name := range first {
			l.names = append(l.names, strings.TrimSpace(name))
		}
	}
	var err error
	if l.label, err = l.labelColumn(body, o.Label); err != nil {
		return l, err
	}
	l.index = l.indexColumn(body)
	return l, nil
}

// pixels returns the number of pixel columns.
func (l *csvLayout) pixels() int {
	if l.index >= 0 {
		return l.width - 2
	}
	return l.width - 1
}

func isNumber(field string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// whole returns the whole number in a field.
func whole(field string) (int64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, false
	}
	return int64(v), true
}

// wordy reports whether a column has words in more than half of the rows.
func wordy(rows []csvRow, column int) bool {
	n := 0
	for _, r := range rows {
		if f := r.fields[column]; strings.TrimSpace(f) != "" && !isNumber(f) {
			n++
		}
	}
	return 2*n > len(rows)
}

func isLabelName(name string) bool {
	return slices.Contains([]string{"label", "class", "target"}, strings.ToLower(strings.TrimSpace(name)))
}

// isIndexName reports whether data frames write such a name over the numbers of the lines.
func isIndexName(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return name == "" || name == "index" || name == "id" || strings.HasPrefix(name, "unnamed: ")
}

// findHeader reports whether the first line is a header, by comparing it with those that follow. It is one if it has words where they
// have numbers, and most of its fields are words, or one of them is a name of a label column, or its numbers are names of columns (see
// numbered); with no such words, if its numbers are names of columns, or many with the same step between all, and those of the lines
// that follow are neither such nor the same. A name of a label column over words is one unless it is one of these words.
//
// One word among other numbers is therefore a mistake in an image, and not a header that hides it; and words over words are classes.
func (l *csvLayout) findHeader(first []string, rest []csvRow, label string) bool {
	var numbers []string // fields of the first line that are numbers, but not of an index without a name
	words, over := 0, 0  // words, and those over numbers
	named := false       // whether a word over numbers is a name that is expected
	classes := false     // whether a word over words is not
	for i, f := range first {
		if isNumber(f) {
			numbers = append(numbers, f)
			continue
		}
		words++
		expected := isLabelName(f) || label != "" && strings.EqualFold(strings.TrimSpace(f), strings.TrimSpace(label))
		if len(rest) == 0 || !wordy(rest, i) {
			over++
			named = named || expected || strconv.Itoa(i+1) == label
		} else if !expected || slices.ContainsFunc(rest, func(r csvRow) bool { return r.fields[i] == f }) {
			classes = true
		}
	}
	names := (numbered(numbers) || words == 0 && len(numbers) >= manyColumns && evenly(numbers)) && !l.alike(first, rest)
	switch {
	case over > 0:
		return named || names || 2*words > len(first) || len(numbers) == 0
	case len(rest) == 0:
		return false
	case words == 0:
		return names && (len(numbers) >= manyColumns || len(numbers) >= 4 && labelled(rest, 0))
	case !classes:
		return true
	}
	return names && len(numbers) >= manyColumns
}

// labelled reports whether the first column of some rows, or the last, holds labels 0, 1, ...
func labelled(rows []csvRow, first int) bool {
	for _, column := range []int{first, len(rows[0].fields) - 1} {
		seen, largest := map[int64]bool{}, int64(0)
		for _, r := range rows {
			n, ok := whole(r.fields[column])
			if !ok || n < 0 {
				n = math.MaxInt64
			}
			seen[n] = true
			largest = max(largest, n)
		}
		if largest > 0 && largest == int64(len(seen))-1 {
			return true
		}
	}
	return false
}

// alike reports whether most rows have numbers with the same step between all too, or those of the first line, so that these tell nothing.
func (l *csvLayout) alike(first []string, rest []csvRow) bool {
	n := 0
	for _, r := range rest {
		var numbers []string
		same := 0
		for i, f := range r.fields {
			if isNumber(first[i]) {
				numbers = append(numbers, f)
				if f == first[i] {
					same++
				}
			}
		}
		if 2*same > len(numbers) || evenly(numbers) {
			n++
		}
	}
	return 2*n > len(rest)
}

// manyColumns are more than could be what numbered looks for by chance.
const manyColumns = 9

// numbered reports whether fields are numbers that columns have for names: 0, 1, 2, ... or 1, 2, 3, ...; if there are many, from
// any number on; or such as a data frame makes different from each other when it takes a line of pixels for a header, the second 0 to
// 0.1, the third to 0.2.
func numbered(fields []string) bool {
	if countUp(fields) {
		first, _ := strconv.ParseFloat(strings.TrimSpace(fields[0]), 64)
		return first == 0 || first == 1 || len(fields) >= manyColumns
	}
	return toldApart(fields)
}

// countUp reports whether each field is the number that follows the one before.
func countUp(fields []string) bool {
	previous := int64(0)
	for i, f := range fields {
		n, ok := whole(f)
		if !ok || i > 0 && n != previous+1 {
			return false
		}
		previous = n
	}
	return len(fields) > 0
}

// evenly reports whether fields are numbers with the same step between all, which is not 0.
func evenly(fields []string) bool {
	var first, step float64
	for i, f := range fields {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		switch {
		case err != nil || v-v != 0:
			return false
		case i == 0:
			first = v
		case i == 1:
			step = v - first
		case math.Abs(v-(first+step*float64(i))) > 1e-6*float64(i)*math.Abs(step):
			return false
		}
	}
	return step != 0
}

// toldApart reports whether at least three fields of many are like 0.1 and 0.2 after a 0, all others are whole, and none stands twice.
func toldApart(fields []string) bool {
	if len(fields) < manyColumns {
		return false
	}
	seen := map[string]int{} // fields that stand for this one
	marked := 0
	for _, f := range fields {
		f = strings.TrimSpace(f)
		if seen[f] > 0 {
			return false
		}
		if _, ok := whole(f); !ok || strings.Contains(f, ".") { // the tenth is 0.10, which is not 0.1
			base, mark, _ := strings.Cut(f, ".")
			if k, err := strconv.Atoi(mark); err != nil || seen[base] != k || k < 1 {
				return false
			}
			seen[base]++
			marked++
		}
		seen[f]++
	}
	return marked >= 3
}

// labelColumn returns the column of the labels by what the options say, by the header or by the words in it; -1 if these say nothing.
func (l *csvLayout) labelColumn(body []csvRow, label string) (int, error) {
	if n, err := strconv.Atoi(label); err == nil {
		if n < 1 || n > l.width {
			return 0, fmt.Errorf("there is no column %d for the labels; there are %d", n, l.width)
		}
		return n - 1, nil
	}
	is := isLabelName
	if label != "" {
		if !l.header {
			return 0, fmt.Errorf("this is no header, so that none of its %d columns is named %q", l.width, label)
		}
		is = func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(label)) }
	}
	switch found := places(l.names, is); {
	case len(found) > 1:
		return 0, fmt.Errorf("fields %d and %d both name a label column", found[0]+1, found[1]+1)
	case len(found) == 1:
		return found[0], nil
	case label != "":
		return 0, fmt.Errorf("this header names no column %q", label)
	}
	var words []int
	for i := range l.width {
		if len(body) > 0 && wordy(body, i) && !slices.ContainsFunc(body, func(r csvRow) bool { return strings.TrimSpace(r.fields[i]) == "" }) {
			words = append(words, i)
		}
	}
	switch {
	case len(words) == 1:
		return words[0], nil
	case len(words) > 1:
		return 0, fmt.Errorf("columns %d and %d both hold words; say with --label-column which are the labels", words[0]+1, words[1]+1)
	case !l.header:
		return -1, nil
	}
	odd := places(l.names, func(name string) bool { return name == "" || name[len(name)-1] < '0' || name[len(name)-1] > '9' })
	if len(odd) > 0 && odd[0] == 0 && isIndexName(l.names[0]) {
		odd = odd[1:]
	}
	switch {
	case len(odd) == 0:
		return -1, nil // numbers alone: the values say
	case len(odd) == 1 && l.width-len(odd) >= 4 && !slices.ContainsFunc(body, func(r csvRow) bool { _, ok := whole(r.fields[odd[0]]); return !ok }):
		return odd[0], nil
	}
	return 0, errors.New("this header names no column label, class or target; --label-column says which it is")
}

// places returns the places of the names that are so.
func places(names []string, so func(name string) bool) []int {
	var found []int
	for i, n := range names {
		if so(n) {
			found = append(found, i)
		}
	}
	return found
}

// indexColumn returns the first column if it only numbers the lines: if its numbers are whole and none stands twice, the header says
// nothing else, and the pixels are those of an image without it. Without a header the numbers must be in order. It is -1 otherwise.
func (l *csvLayout) indexColumn(body []csvRow) int {
	with, _ := squareSide(l.width - 1)
	without, _ := squareSide(l.width - 2)
	unnamed := l.header && l.names[0] == ""
	switch {
	case l.label == 0 || len(body) == 0 || without == 0,
		with != 0 && !unnamed, // a pixel, unless no pixel would be without a name
		l.header && !isIndexName(l.names[0]) && !isNumber(l.names[0]),
		l.label < 0 && !l.header && !labelled(body, 1):
		return -1
	}
	seen := map[int64]bool{}
	previous := int64(-1)
	for i, r := range body {
		n, ok := whole(r.fields[0])
		if !ok || n < 0 || seen[n] || !l.header && i > 0 && n != previous+1 {
			return -1
		}
		seen[n], previous = true, n
	}
	return 0
}

// notes say what was decided.
func (l *csvLayout) notes() []string {
	first := "there is no header: the first line is an image like those that follow"
	switch {
	case l.told && l.header:
		first = "the first line is a header, as told"
	case l.told:
		first = "there is no header, as told"
	case l.header:
		first = "the first line is a header: it differs from those that follow"
	}
	notes := []string{first}
	column := fmt.Sprintf("the labels are in column %d of %d", l.label+1, l.width)
	if l.header && l.names[l.label] != "" {
		column += fmt.Sprintf(", %q", l.names[l.label])
	}
	notes = append(notes, column)
	if l.index >= 0 {
		notes = append(notes, "column 1 only numbers the lines and is left out")
	}
	return notes
}
