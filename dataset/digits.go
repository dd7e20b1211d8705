package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

const (
	digitsFile = "digits.csv"
	// The test split of digits and images must be the same in every run, so that what
	// one run trains on is never what another validates on. Its seed is fixed.
	testSeed       = 1
	digitsTestPart = 0.1
	maxClasses     = 1000
)

// digitsSource reads a CSV file of flattened images.
//
// Separators are commas, semicolons or tabs; lines may end in CR LF. Whether the first line is a header is told by comparing it with those
// that follow (see [csvLayout.findHeader]), unless the options say. A header names the label column: label, class or target, in any case,
// or what the options say; or it has numbered names for all columns but one. A column of words is that of the labels, with a header or
// without. Otherwise the label column is the first or the last, whichever holds whole numbers that are exactly 0, 1, ... up to some largest
// label; if both or none do, a header or the options must say which. Labels that are all numbers are whole numbers, and those of the same
// value are one class however they are written. A first column that numbers the lines, as data frames write it, is left out.
//
// All other columns are pixels, row by row: a square number of them for grey images,
// three times a square for colour (the three values of a pixel side by side). The
// values may be from 0 to 1, 0 to 16 or 0 to 255; the smallest of these ranges that
// holds all is scaled to 0..255 (see [findScale] for values that do not fit the others), unless the options say which. A tenth of each
// class is the test split.
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
		st, err := os.Stat(o.Dir)
		switch {
		case err != nil:
			return "", &Error{Dataset: info.Name, File: o.Dir, Err: fmt.Errorf("%w: %w", ErrMissing, plain(err)), Help: info.HowToGet}
		case st.Mode().IsRegular():
			return o.Dir, nil
		case !st.IsDir():
			return "", fileError(info, o.Dir, errors.New("is neither a regular file nor a folder"))
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
	all, notes, err := readDigits(contextReader{o.ctx, in.r}, o)
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
	d.info.Notes = notes
	d.contents = contents{
		rule:  fmt.Sprintf("test %g, seed %d", digitsTestPart, testSeed),
		parts: []part{{role: digitsFile, file: path, packed: true}},
	}
	return d, nil
}

// readDigits reads a CSV file as described at digitsSource, and says what it decided.
func readDigits(r io.Reader, o Options) (s *Split, notes []string, err error) {
	if !slices.Contains(Headers(), cmp.Or(o.Header, HeaderAuto)) {
		return nil, nil, fmt.Errorf("a header of %q; want %s, %s or %s", o.Header, HeaderAuto, HeaderYes, HeaderNo)
	}
	if !(o.PixelScale >= 0 && o.PixelScale <= math.MaxFloat32) {
		return nil, nil, fmt.Errorf("a pixel scale of %g; want a number above 0, or 0 to find out", o.PixelScale)
	}
	t, err := readCSV(r, o)
	if err != nil {
		return nil, nil, err
	}
	if t.label < 0 {
		if err := t.findLabels(); err != nil {
			return nil, nil, err
		}
	}
	pixels := t.pixels()
	side, channels := squareSide(pixels)
	if side == 0 {
		hint := ""
		if side, channels := squareSide(pixels - 1); side > 0 {
			hint = fmt.Sprintf("; without one of them they would be %dx%dx%d: does a column number the lines?", side, side, channels)
		}
		return nil, nil, fmt.Errorf("%d pixel columns; want a square number, or three times one%s", pixels, hint)
	}
	labels, classes, err := rankLabels(t.words, t.lines)
	if err != nil {
		return nil, nil, err
	}
	if len(classes) == 1 {
		return nil, nil, fmt.Errorf("only one label, %q", classes[0])
	}
	images, scaled, err := scalePixels(t.values, pixels, t.lines, o.PixelScale)
	if err != nil {
		return nil, nil, err
	}
	if s, err = NewSplit(images, labels, side, side, channels, classes); err != nil {
		return nil, nil, err
	}
	return s, append(t.notes(), scaled...), nil
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
