package dataset

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"strings"
	"sync"
)

// Info describes a data set. Sizes and counts that depend on the user's files are zero
// in [List] and known after [Open].
type Info struct {
	Name                    string   // as [Open] takes it
	Title                   string   // one line for people
	Classes                 []string // names by label
	Height, Width, Channels int
	Train, Test             int // numbers of samples
	Licence                 string
	Source                  string // who made it, and where it is described
	HowToGet                string // a sentence part: how to get the files
	Location                string // where the files were found; "" in [List]

	// Pictures says how pictures became images: what of each was scaled, and to what size. It is "" where the files hold images.
	Pictures string

	// Notes say what was decided and what was left out when the files were read, a sentence without a full
	// stop each: what a person should see, though nothing is wrong. They are the same in every run.
	Notes []string
}

// Options says where and how to open a data set.
type Options struct {
	// Dir is looked in first. For named data sets it holds the files themselves or a
	// subfolder, named like the data set, that does; for digits it is a CSV file or a
	// folder with digits.csv; for images it is the folder of the classes.
	//
	// A ~ at its beginning is the user's home folder; see [ExpandHome].
	//
	// After Dir follow NASBENCH_DATA, [UserDir] and /usr/share/datasets. MNIST and
	// Fashion-MNIST have files of the same names, which is why files outside a
	// subfolder count only in Dir and NASBENCH_DATA, which the user has chosen.
	Dir string

	// Size is the height and width that the pictures of images are scaled to; zero
	// means 32. The other data sets have a size of their own.
	Size int

	// Fit says how the pictures of images that are not square become so; "" means FitCrop.
	Fit Fit

	// Background is what the transparent parts of the pictures of images show, and what FitPad puts beside them; nil means white.
	Background color.Color

	// SkipBad leaves out those pictures of images that cannot be read, and names them in Info.Notes. Without it they are
	// a *PicturesError. The data set is then what it would be if their files were not there.
	SkipBad bool

	// Label names the column of the labels in the header of digits, or its number, counted from 1;
	// "" looks for it.
	Label string

	// Header says whether the first line of digits is a header; the zero value finds out.
	Header Header

	// PixelScale is the value of a white pixel in digits: pixels are from 0 to it, and clipped. Zero finds out
	// whether it is 1, 16 or 255. It is not negative.
	PixelScale float64

	ctx context.Context // of OpenContext
}

// Dataset is an open data set: its train split, and the way to its test split.
type Dataset struct {
	info     Info
	train    *Split
	test     func() (*Split, error)
	contents contents

	digesting sync.Mutex
	digest    string // "" before it was asked for
}

// Info describes the data set, sizes and counts included.
func (d *Dataset) Info() Info { return d.info }

// Train returns the train split.
func (d *Dataset) Train() *Split { return d.train }

// Test returns the test split. The first call reads it; a search must not call it
// before it has chosen what to validate.
func (d *Dataset) Test() (*Split, error) { return d.test() }

// source is a kind of data set. List order is that of sources.
type source struct {
	info   Info
	locate func(info Info, o Options) (place string, err error)
	open   func(info Info, place string, o Options) (*Dataset, error)
}

func sources() []source {
	return []source{miniSource(), fashionSource(), mnistSource(), cifarSource(), digitsSource(), imagesSource()}
}

// Default is the name of the embedded data set.
const Default = "fashion-mnist-mini"

// List describes all data sets that [Open] knows.
func List() []Info {
	var out []Info
	for _, s := range sources() {
		out = append(out, s.info)
	}
	return out
}

// find returns the source of a name, and the options with a path taken from the name.
func find(name string, o Options) (source, Options, error) {
	base, path, hasPath := strings.Cut(name, ":")
	var known []string
	for _, s := range sources() {
		if s.info.Name == base {
			if hasPath {
				o.Dir = path
			}
			o.Dir = ExpandHome(o.Dir)
			if hasPath && path == "" {
				return source{}, o, fmt.Errorf("dataset %s: no path after the colon", base)
			}
			return s, o, nil
		}
		known = append(known, s.info.Name)
	}
	return source{}, o, fmt.Errorf("%w %q; known are %s", ErrUnknown, base, strings.Join(known, ", "))
}

// Locate says where [Open] would find a data set, without reading it. The error is
// that of Open if it is not there.
func Locate(name string, o Options) (string, error) {
	s, o, err := find(name, o)
	if err != nil {
		return "", err
	}
	return s.locate(s.info, o)
}

// Open finds a data set and reads its train split. The name is one of [List], possibly
// with a colon and a path that replaces Options.Dir: "digits:path/to.csv",
// "images:path/to/folder". The files of the test split are checked, their headers, sizes and labels, as far as that
// takes little time; what is in them is not kept.
func Open(name string, o Options) (*Dataset, error) {
	return OpenContext(context.Background(), name, o)
}

// OpenContext is [Open] that ends with the error of ctx: between two pictures, or within a CSV file. The test split, which is read when
// it is asked for, has no part in it.
func OpenContext(ctx context.Context, name string, o Options) (*Dataset, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.ctx = ctx
	s, o, err := find(name, o)
	if err != nil {
		return nil, err
	}
	place, err := s.locate(s.info, o)
	if err != nil {
		return nil, err
	}
	d, err := s.open(s.info, place, o)
	if err != nil {
		return nil, err
	}
	d.info.Location = place
	return d, nil
}

// newDataset checks the train split, which was read from file, and completes info with
// its sizes. The test split is read by the function at most once.
func newDataset(info Info, file string, train *Split, testCount int, test func() (*Split, error)) (*Dataset, error) {
	for label, n := range train.Counts() {
		if n == 0 {
			return nil, fileError(info, file, fmt.Errorf("class %q has no training samples", train.Classes[label]))
		}
	}
	info.Height, info.Width, info.Channels = train.Height, train.Width, train.Channels
	info.Classes = train.Classes
	info.Train, info.Test = train.Len(), testCount
	checked := func() (*Split, error) {
		s, err := test()
		if err != nil {
			return nil, err
		}
		if s.Height != train.Height || s.Width != train.Width || s.Channels != train.Channels {
			return nil, fileError(info, "", fmt.Errorf("the test images are %dx%dx%d, the training images %dx%dx%d",
				s.Height, s.Width, s.Channels, train.Height, train.Width, train.Channels))
		}
		if s.Len() == 0 {
			return nil, fileError(info, "", errors.New("the test split is empty"))
		}
		return s, nil
	}
	return &Dataset{info: info, train: train, test: sync.OnceValues(checked)}, nil
}

// contextReader is a reader that ends with the error of a context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
