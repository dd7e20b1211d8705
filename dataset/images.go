package dataset

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/image/draw"
)

const (
	imagesTestPart = 0.2
	defaultSize    = 32
	maxSize        = 1024
	maxPixels      = 1 << 26 // of one picture, 64 megapixels
)

// imagesSource reads a folder of pictures.
//
// The folder has one subfolder per class, which holds PNG and JPEG files; other files
// and names that begin with a dot are ignored. If there is a subfolder train, the
// classes are in it, and those in a subfolder test, if there is one, are the test
// split; otherwise a fifth of each class is. Classes and files are in the order of
// their names.
//
// Of each picture the largest square in its middle is scaled with the Catmull-Rom
// filter; transparent parts are black. The images are grey if all training pictures
// are, and have three channels otherwise.
func imagesSource() source {
	return source{
		info: Info{
			Name:     "images",
			Title:    "a folder with one subfolder of PNG or JPEG files per class",
			Licence:  "that of the files",
			Source:   "a folder of yours",
			HowToGet: "name the folder as images:FOLDER or with --data-dir; it has one subfolder of PNG or JPEG files per class",
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

// pictures are the files of a split.
type pictures struct {
	paths  []string
	labels []int
}

func openImages(info Info, dir string, o Options) (*Dataset, error) {
	size := o.Size
	if size == 0 {
		size = defaultSize
	}
	if size < 1 || size > maxSize {
		return nil, fileError(info, "", fmt.Errorf("a size of %d; want 1 to %d pixels", o.Size, maxSize))
	}
	root := dir
	if isDir(filepath.Join(dir, "train")) {
		root = filepath.Join(dir, "train")
	}
	classes, err := classFolders(root)
	if err != nil {
		return nil, fileError(info, root, err)
	}
	all, err := listPictures(info, root, classes)
	if err != nil {
		return nil, err
	}
	var train, test pictures
	if testRoot := filepath.Join(dir, "test"); root != dir && isDir(testRoot) {
		if test, err = listTestPictures(info, testRoot, classes); err != nil {
			return nil, err
		}
		train = all
	} else {
		inTrain, inTest, err := stratify(all.labels, classes, imagesTestPart, testSeed)
		if err != nil {
			return nil, fileError(info, root, err)
		}
		train, test = all.pick(inTrain), all.pick(inTest)
	}
	split, err := decodeAll(info, train, size, classes, 0)
	if err != nil {
		return nil, err
	}
	d, err := newDataset(info, root, split, len(test.paths), func() (*Split, error) {
		return decodeAll(info, test, size, classes, split.Channels)
	})
	if err != nil {
		return nil, err
	}
	d.contents = pictureContents(train, test)
	return d, nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// classFolders returns the names of the subfolders, sorted.
func classFolders(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, plain(err)
	}
	var classes []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && isDir(filepath.Join(root, e.Name())) {
			classes = append(classes, e.Name())
		}
	}
	switch {
	case len(classes) < 2:
		return nil, fmt.Errorf("want a subfolder for each of at least 2 classes, have %d", len(classes))
	case len(classes) > maxClasses:
		return nil, fmt.Errorf("want at most %d subfolders, have %d", maxClasses, len(classes))
	}
	return classes, nil
}

func listPictures(info Info, root string, classes []string) (pictures, error) {
	var p pictures
	for label, class := range classes {
		dir := filepath.Join(root, class)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fileError(info, dir, plain(err))
		}
		for _, e := range entries {
			switch strings.ToLower(filepath.Ext(e.Name())) {
			case ".png", ".jpg", ".jpeg":
				if !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
					p.paths = append(p.paths, filepath.Join(dir, e.Name()))
					p.labels = append(p.labels, label)
				}
			}
		}
	}
	return p, nil
}

// listTestPictures lists the folder test, which may lack classes but not add any.
func listTestPictures(info Info, root string, classes []string) (pictures, error) {
	known := map[string]bool{}
	for _, c := range classes {
		known[c] = true
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return pictures{}, fileError(info, root, plain(err))
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !known[e.Name()] {
			return pictures{}, fileError(info, filepath.Join(root, e.Name()), errors.New("a class that is not among those in train"))
		}
	}
	p, err := listPictures(info, root, classes)
	if err == nil && len(p.paths) == 0 {
		err = fileError(info, root, errors.New("no PNG or JPEG files in the class folders"))
	}
	return p, err
}

func (p pictures) pick(places []int) pictures {
	var out pictures
	for _, i := range places {
		out.paths = append(out.paths, p.paths[i])
		out.labels = append(out.labels, p.labels[i])
	}
	return out
}

// decodeAll decodes and scales pictures, a few at a time. With channels zero it makes
// grey images if all pictures are grey.
func decodeAll(info Info, p pictures, size int, classes []string, channels int) (*Split, error) {
	n, each := len(p.paths), 3*size*size
	if n > maxSplitBytes/each {
		return nil, fileError(info, "", fmt.Errorf("%d pictures at %dx%d take more than %d bytes; choose a smaller size", n, size, size, maxSplitBytes))
	}
	colour := make([]byte, n*each)
	grey := make([]bool, n)
	failed := make([]error, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				grey[i], failed[i] = decode(p.paths[i], size, colour[i*each:(i+1)*each])
			}
		})
	}
	workers.Wait()
	allGrey := true
	for i := range n {
		if failed[i] != nil {
			return nil, fileError(info, p.paths[i], failed[i])
		}
		allGrey = allGrey && grey[i]
	}
	if channels == 0 {
		channels = 3
		if allGrey {
			channels = 1
		}
	}
	if channels == 1 {
		for i := range n * size * size {
			c := color.RGBA{R: colour[3*i], G: colour[3*i+1], B: colour[3*i+2], A: 255}
			colour[i] = color.GrayModel.Convert(c).(color.Gray).Y
		}
		colour = colour[: n*size*size : n*size*size]
	}
	s, err := NewSplit(colour, p.labels, size, size, channels, classes)
	if err != nil {
		return nil, fileError(info, "", err)
	}
	return s, nil
}

// decode reads one picture into out, size x size x 3, and reports whether it is grey.
func decode(path string, size int, out []byte) (grey bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, plain(err)
	}
	defer f.Close()
	config, format, err := image.DecodeConfig(f)
	if err != nil {
		return false, fmt.Errorf("want a PNG or JPEG picture: %w", err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return false, fmt.Errorf("a picture of %dx%d; want at most %d pixels", config.Width, config.Height, maxPixels)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return false, plain(err)
	}
	picture, _, err := image.Decode(f)
	if err != nil {
		return false, fmt.Errorf("corrupt %s picture: %w", strings.ToUpper(format), err)
	}
	square := centre(picture.Bounds())
	scaled := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.Draw(scaled, scaled.Bounds(), image.Black, image.Point{}, draw.Src)
	if square.Dx() == size {
		draw.Draw(scaled, scaled.Bounds(), picture, square.Min, draw.Over)
	} else {
		draw.CatmullRom.Scale(scaled, scaled.Bounds(), picture, square, draw.Over, nil)
	}
	grey = true
	for i := range size * size {
		rgb := scaled.Pix[4*i : 4*i+3]
		copy(out[3*i:], rgb)
		grey = grey && rgb[0] == rgb[1] && rgb[1] == rgb[2]
	}
	return grey, nil
}

// centre returns the largest square in the middle of a rectangle.
func centre(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	x := r.Min.X + (r.Dx()-side)/2
	y := r.Min.Y + (r.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}
