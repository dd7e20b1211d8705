package dataset

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
)

const (
	imagesTestPart = 0.2
	defaultSize    = 32
	maxSize        = 1024
	// Of all pictures of a folder, decoded: as much as a train and a test split may take.
	maxPictureBytes = min(math.MaxInt, 2*maxSplitBytes)
)

// imagesSource reads a folder of pictures.
//
// The folder has one subfolder per class. What is below a class folder, at any depth, belongs to the class. Folders named train, val and
// test, in any capitalisation, are splits if they hold such class folders; [layoutOf] has the rules. Without a test split a fifth of each
// class is. Classes and pictures are in the order of their names.
//
// Pictures are PNG, JPEG, WebP, BMP, TIFF (the first page) and GIF (the first frame), told by their content. They are turned as their EXIF
// orientation says, transparent parts show Options.Background, and Options.Fit says how they become square; they are scaled with the
// Catmull-Rom filter. The images are grey if all training pictures are, and have three channels otherwise.
//
// The test pictures are decoded on opening, like the others: a picture that cannot be read is found before a search, not after it.
func imagesSource() source {
	return source{
		info: Info{
			Name:     "images",
			Title:    "a folder with one subfolder of pictures per class",
			Licence:  "that of the files",
			Source:   "a folder of yours",
			HowToGet: "name the folder as images:FOLDER or with --data-dir; it has one subfolder of PNG, JPEG, WebP, BMP, TIFF or GIF files per class",
		},
		locate: locateImages,
		open:   openImages,
	}
}

func locateImages(info Info, o Options) (string, error) {
	if o.Dir == "" {
		return "", &Error{Dataset: info.Name, Err: errors.New("no folder is named"), Help: info.HowToGet}
	}
	st, err := os.Stat(o.Dir)
	switch {
	case err != nil:
		return "", &Error{Dataset: info.Name, File: o.Dir, Err: fmt.Errorf("%w: %w", ErrMissing, plain(err)), Help: info.HowToGet}
	case !st.IsDir():
		return "", &Error{Dataset: info.Name, File: o.Dir, Err: errors.New("is not a folder"), Help: info.HowToGet}
	}
	return o.Dir, nil
}

// pictures are the files of a split, in the order of their classes and, within a class, of their paths.
type pictures struct {
	paths  []string
	labels []int
}

func (p *pictures) add(q pictures) {
	p.paths = append(p.paths, q.paths...)
	p.labels = append(p.labels, q.labels...)
}

func (p pictures) pick(places []int) pictures {
	var out pictures
	for _, i := range places {
		out.paths = append(out.paths, p.paths[i])
		out.labels = append(out.labels, p.labels[i])
	}
	return out
}

// folderError is an error in a folder of pictures that is there: how to get one is no help.
func folderError(info Info, file string, err error) error {
	return &Error{Dataset: info.Name, File: file, Err: err}
}

func openImages(info Info, dir string, o Options) (*Dataset, error) {
	scale, err := newScaler(o)
	if err != nil {
		return nil, folderError(info, "", err)
	}
	tree, left, err := listFolder(dir)
	if err != nil {
		return nil, folderError(info, dir, err)
	}
	var l *layout
	var train, test pictures
	var decoded *album
	var bad []BadPicture
	for {
		if l, err = layoutOf(tree); err != nil {
			if summary := left.String(); len(tree.pictures()) == 0 && summary != "" {
				err = fmt.Errorf("%w; %s", err, summary)
			}
			return nil, folderError(info, dir, err)
		}
		if train, test, err = l.divide(); err != nil {
			return nil, folderError(info, dir, err)
		}
		if decoded.has(train) && decoded.has(test) {
			break
		}
		var failed []BadPicture
		if decoded, failed, err = decodeAll(o.ctx, slices.Concat(train.paths, test.paths), scale); err != nil {
			return nil, folderError(info, dir, err)
		}
		if len(failed) > 0 && !o.SkipBad {
			return nil, badPictures(info, dir, failed, len(train.paths)+len(test.paths))
		}
		// Everything is as if the pictures that cannot be read were not there.
		tree.remove(failed)
		bad = append(bad, failed...)
	}
	info.Notes = slices.Concat(l.notes, left.notes(), decoded.notes(scale, train, test), skipNotes(dir, bad))
	info.Pictures = scale.String()
	trainSplit, testSplit, err := decoded.splits(train, test, l.classes)
	if err != nil {
		return nil, folderError(info, dir, err)
	}
	d, err := newDataset(info, dir, trainSplit, testSplit.Len(), func() (*Split, error) { return testSplit, nil })
	if err != nil {
		return nil, err
	}
	d.contents = pictureContents(train, test)
	return d, nil
}

// BadPicture is a picture that cannot be read, and why.
type BadPicture struct {
	Path string
	Err  error
}

// PicturesError says which pictures of a folder cannot be read.
type PicturesError struct {
	Pictures []BadPicture
	Of       int // pictures that were looked at
	dir      string
}

// Error names the first ten.
func (e *PicturesError) Error() string {
	return fmt.Sprintf("%d of %d pictures cannot be read: %s", len(e.Pictures), e.Of, listBad(e.dir, e.Pictures, 10))
}

// badPictures returns the error about pictures that cannot be read.
func badPictures(info Info, dir string, bad []BadPicture, of int) error {
	return &Error{Dataset: info.Name, File: dir, Err: &PicturesError{Pictures: bad, Of: of, dir: dir}, Help: "--skip-bad goes on without them"}
}

// skipNotes names the pictures that were left out.
func skipNotes(dir string, bad []BadPicture) []string {
	if len(bad) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("left out %s that cannot be read: %s", number(len(bad), "picture"), listBad(dir, bad, 10))}
}

// listBad lists the first few pictures with the reasons.
func listBad(dir string, bad []BadPicture, most int) string {
	var list []string
	for _, b := range bad {
		list = append(list, fmt.Sprintf("%s (%v)", relative(dir, b.Path), b.Err))
	}
	return firstOf(list, most)
}

// white is what transparent parts of pictures show unless Options.Background says otherwise.
func white() color.Color { return color.RGBA{R: 255, G: 255, B: 255, A: 255} }
