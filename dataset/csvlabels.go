package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// findLabels decides between the first and the last column and moves the labels out of values.
func (t *csvTable) findLabels() error {
	width, first := t.width, 0
	if t.index >= 0 {
		width, first = width-1, 1
	}
	if width < 2 {
		return errors.New("lines of one field; want a label and pixels")
	}
	const advice = "say with --label-column which column it is, or add a header line with a column named label"
	notFirst, notLast := t.countsUp(0, width), t.countsUp(width-1, width)
	column := 0
	switch {
	case notFirst == nil && notLast == nil:
		return fmt.Errorf("both the first and the last column could be labels; %s", advice)
	case notFirst == nil:
		t.label = first
	case notLast == nil:
		t.label, column = first+width-1, width-1
	default:
		return fmt.Errorf("neither the first nor the last column holds labels 0, 1, ...: the first %w, the last %w; %s", notFirst, notLast, advice)
	}
	pixels := t.values[:0]
	for i, v := range t.values {
		if i%width == column {
			t.words = append(t.words, strconv.Itoa(int(v)))
		} else {
			pixels = append(pixels, v)
		}
	}
	t.values = pixels
	return nil
}

// countsUp returns nil if the values of a column are exactly the numbers 0, 1, ... up
// to the largest, at least 0 and 1, each any number of times. Otherwise it says why not.
func (t *csvTable) countsUp(column, width int) error {
	seen := map[int]bool{}
	largest := 0
	for i := column; i < len(t.values); i += width {
		v := t.values[i]
		if v != float32(math.Trunc(float64(v))) || v < 0 || v >= maxClasses {
			return fmt.Errorf("has %g in line %d", v, t.lines[i/width])
		}
		seen[int(v)] = true
		largest = max(largest, int(v))
	}
	for n := range largest + 1 {
		if !seen[n] {
			return fmt.Errorf("has a %d and no %d", largest, n)
		}
	}
	if largest == 0 {
		return errors.New("has zeros alone")
	}
	return nil
}

// rankLabels turns label words into indices of the sorted distinct words. If all are numbers they are sorted as numbers, and those of the
// same value are one class, named by the shortest of its spellings; they must be whole then. lines says where each stands.
func rankLabels(words []string, lines []int) (labels []int, classes []string, err error) {
	index := map[string]int{} // of the class of a spelling
	firsts := map[string]int{}
	for i, w := range words {
		if _, ok := index[w]; !ok {
			index[w], firsts[w] = 0, i
			classes = append(classes, w)
		}
		if len(classes) > 4*maxClasses {
			return nil, nil, tooManyLabels()
		}
	}
	if !slices.ContainsFunc(classes, func(c string) bool { return !isNumber(c) }) {
		values := make(map[string]int64, len(classes))
		for _, c := range classes {
			n, err := labelNumber(c)
			if err != nil {
				return nil, nil, &placeError{fmt.Sprintf("line %d", lines[firsts[c]]), err}
			}
			values[c] = n
		}
		slices.SortFunc(classes, func(a, b string) int {
			return cmp.Or(cmp.Compare(values[a], values[b]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		n := 0
		for i, c := range classes {
			if i == 0 || values[c] != values[classes[n-1]] {
				classes[n] = c
				n++
			}
			index[c] = n - 1
		}
		classes = classes[:n]
	} else {
		slices.Sort(classes)
		for i, c := range classes {
			index[c] = i
		}
	}
	if len(classes) > maxClasses {
		return nil, nil, tooManyLabels()
	}
	labels = make([]int, len(words))
	for i, w := range words {
		labels[i] = index[w]
	}
	return labels, classes, nil
}

func tooManyLabels() error {
	return fmt.Errorf("more than %d different labels; is this the label column?", maxClasses)
}

// labelNumber returns the whole number that a label is.
func labelNumber(word string) (int64, error) {
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, nil
	}
	if n, ok := whole(word); ok {
		return n, nil
	}
	return 0, fmt.Errorf("the label %s is not a whole number; labels that are all numbers are whole", word)
}
