package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

const (
	maxPixels      = 1 << 26       // of one picture, 64 megapixels
	maxPixelsInUse = 4 * maxPixels // of all pictures that are being decoded
	maxPictureFile = 1 << 30       // bytes
	sniffed        = 32            // bytes that tell the format
)

// album is a number of decoded pictures.
type album struct {
	size   int
	pixels []byte // size x size x 3 each
	places map[string]int
	pages  []page
}

// page is what is remembered of a picture.
type page struct {
	grey        bool
	transparent bool // in parts
	cropped     bool // by much
}

// has reports whether all pictures were decoded.
func (a *album) has(p pictures) bool {
	for _, path := range p.paths {
		if a == nil {
			return false
		}
		if _, ok := a.places[path]; !ok {
			return false
		}
	}
	return a != nil
}

// decodeAll decodes and scales pictures, as many at a time as there are processors. Those that cannot be read come back, in the order of paths.
// The error may be that of ctx.
func decodeAll(ctx context.Context, paths []string, s scaler) (*album, []BadPicture, error) {
	n, each := len(paths), 3*s.size*s.size
	if n > maxPictureBytes/each {
		return nil, nil, fmt.Errorf("%d pictures at %dx%d take more than %d bytes; choose a smaller size", n, s.size, s.size, maxPictureBytes)
	}
	a := &album{size: s.size, pixels: make([]byte, n*each), places: make(map[string]int, n), pages: make([]page, n)}
	failed := make([]error, n)
	room := newPixelRoom(maxPixelsInUse)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			d := decoder{scaler: s, room: room}
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				a.pages[i], failed[i] = d.decode(paths[i], a.pixels[i*each:(i+1)*each])
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var bad []BadPicture
	for i, path := range paths {
		if failed[i] != nil {
			bad = append(bad, BadPicture{path, failed[i]})
			continue
		}
		a.places[path] = i
	}
	return a, bad, nil
}

// splits makes the splits. They share their storage.
func (a *album) splits(train, test pictures, classes []string) (trainSplit, testSplit *Split, err error) {
	labels := make([]int, len(a.pages))
	channels := 1
	inTrain, inTest := make([]int, len(train.paths)), make([]int, len(test.paths))
	for i, path := range train.paths {
		inTrain[i] = a.places[path]
		labels[inTrain[i]] = train.labels[i]
		if !a.pages[inTrain[i]].grey {
			channels = 3
		}
	}
	for i, path := range test.paths {
		inTest[i] = a.places[path]
		labels[inTest[i]] = test.labels[i]
	}
	pixels := a.pixels
	if channels == 1 {
		for i := range len(pixels) / 3 {
			c := color.RGBA{R: pixels[3*i], G: pixels[3*i+1], B: pixels[3*i+2], A: 255}
			pixels[i] = color.GrayModel.Convert(c).(color.Gray).Y
		}
		pixels = slices.Clone(pixels[:len(pixels)/3])
	}
	all, err := NewSplit(pixels, labels, a.size, a.size, channels, classes)
	if err != nil {
		return nil, nil, err
	}
	if trainSplit, err = all.Subset(inTrain); err != nil {
		return nil, nil, err
	}
	testSplit, err = all.Subset(inTest)
	return trainSplit, testSplit, err
}

// pixelRoom bounds the pixels in memory, however many processors decode at the same time.
type pixelRoom struct {
	mu   sync.Mutex
	more sync.Cond
	left int
}

func newPixelRoom(n int) *pixelRoom {
	r := &pixelRoom{left: n}
	r.more.L = &r.mu
	return r
}

// take waits until there is room.
func (r *pixelRoom) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.left < n {
		r.more.Wait()
	}
	r.left -= n
}

func (r *pixelRoom) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	r.more.Broadcast()
}

// decoder decodes one picture after the other.
type decoder struct {
	scaler
	room *pixelRoom
	file bytes.Buffer // the file of the picture, in memory that is used again
}

// decode reads one picture into out, size x size x 3.
func (d *decoder) decode(path string, out []byte) (page, error) {
	if err := readPictureFile(path, &d.file); err != nil {
		return page{}, err
	}
	data := d.file.Bytes()
	f, err := readPictureHead(data)
	if err != nil {
		return page{}, err
	}
	d.room.take(f.Width * f.Height)
	defer d.room.give(f.Width * f.Height)
	picture, err := f.picture()
	if err != nil {
		return page{}, err
	}
	opaque, ok := picture.(interface{ Opaque() bool })
	p := page{transparent: ok && !opaque.Opaque(), cropped: d.loses(f.Width, f.Height)}
	p.grey = d.image(picture, exifOrientation(data), out)
	return p, nil
}

// readPictureFile reads a regular file whole. Anything else, such as a pipe, is not opened, for that may wait for ever.
func readPictureFile(path string, into *bytes.Buffer) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return plain(err)
	case !st.Mode().IsRegular():
		return errors.New("is not a regular file")
	case st.Size() > maxPictureFile:
		return fmt.Errorf("a file of %d bytes; want at most %d", st.Size(), maxPictureFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	into.Reset()
	into.Grow(int(st.Size()) + bytes.MinRead) // the end is found without growing once more
	n, err := into.ReadFrom(io.LimitReader(f, maxPictureFile+1))
	switch {
	case err != nil:
		return plain(err)
	case n > maxPictureFile:
		return fmt.Errorf("a file of more than %d bytes", maxPictureFile)
	case n == 0:
		return errors.New("an empty file")
	}
	return nil
}

// pictureFormat is a format and its decoder. Formats are chosen here, not by what packages happen to have registered.
type pictureFormat struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formatOf tells the format of a picture by its first bytes; nil if it is none that is read.
func formatOf(head []byte) *pictureFormat {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case has("\xff\xd8\xff"):
		return &pictureFormat{"JPEG", jpeg.DecodeConfig, jpeg.Decode}
	case has("\x89PNG\r\n\x1a\n"):
		return &pictureFormat{"PNG", png.DecodeConfig, png.Decode}
	case has("GIF87a"), has("GIF89a"):
		return &pictureFormat{"GIF", gif.DecodeConfig, gif.Decode}
	case has("II*\x00"), has("MM\x00*"):
		return &pictureFormat{"TIFF", tiff.DecodeConfig, tiff.Decode}
	case has("RIFF") && len(head) >= 12 && string(head[8:12]) == "WEBP":
		return &pictureFormat{"WebP", webp.DecodeConfig, webp.Decode}
	case has("BM") && len(head) >= 18 && string(head[6:10]) == "\x00\x00\x00\x00" && string(head[15:18]) == "\x00\x00\x00":
		return &pictureFormat{"BMP", bmp.DecodeConfig, bmp.Decode} // the two letters alone begin many a text
	}
	return nil
}

// pictureFile is a file of which the head has been read.
type pictureFile struct {
	*pictureFormat
	image.Config
	open func() io.Reader
}

// readPictureHead reads the format and the size of a picture, which must be such as can be decoded.
func readPictureHead(data []byte) (f *pictureFile, err error) {
	format := formatOf(data[:min(len(data), sniffed)])
	if format == nil {
		return nil, fmt.Errorf("want a PNG, JPEG, WebP, BMP, TIFF or GIF picture, have %s", contentName(data))
	}
	if animated(data) {
		return nil, errors.New("an animated WebP picture, which is not read")
	}
	defer format.guard(&err)
	f = &pictureFile{pictureFormat: format, open: func() io.Reader { return bytes.NewReader(data) }}
	if format.name == "JPEG" {
		if head := readJPEG(data); head.components == 4 && !head.adobe {
			f.open = func() io.Reader { return inkJPEG(data) }
		}
	}
	if f.Config, err = f.config(f.open()); err != nil {
		return nil, format.failed(err)
	}
	if f.Width < 1 || f.Height < 1 || f.Width > maxPixels/f.Height {
		return nil, fmt.Errorf("a picture of %dx%d; want at most %d pixels", f.Width, f.Height, maxPixels)
	}
	return f, nil
}

// picture decodes the file.
func (f *pictureFile) picture() (picture image.Image, err error) {
	defer f.guard(&err)
	if picture, err = f.decode(f.open()); err != nil {
		return nil, f.failed(err)
	}
	if whole := image.Rect(0, 0, f.Width, f.Height); picture.Bounds() != whole {
		// The first frame of a GIF may cover a part of the screen.
		canvas := image.NewNRGBA(whole)
		draw.Draw(canvas, picture.Bounds(), picture, picture.Bounds().Min, draw.Src)
		picture = canvas
	}
	return picture, nil
}

// guard makes an error of a decoder's panic: the decoders are not ours, and one picture must not end the program.
func (f *pictureFormat) guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("corrupt %s picture: the decoder failed: %v", f.name, r)
	}
}

// failed tells what is corrupt from what the decoder does not do.
func (f *pictureFormat) failed(err error) error {
	var j jpeg.UnsupportedError
	var p png.UnsupportedError
	var t tiff.UnsupportedError
	if errors.As(err, &j) || errors.As(err, &p) || errors.As(err, &t) || errors.Is(err, bmp.ErrUnsupported) {
		return fmt.Errorf("a %s picture of a kind that is not read: %w", f.name, err)
	}
	return fmt.Errorf("corrupt %s picture: %w", f.name, err)
}

// inkJPEG gives a JPEG file of four components the marker that says that they are cyan, magenta, yellow and black, inverted, as they are
// in files with the marker and are taken to be by common viewers in files without.
func inkJPEG(data []byte) io.Reader {
	const marker = "\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
	return io.MultiReader(strings.NewReader(marker), bytes.NewReader(data[2:]))
}

// animated reports whether a file is an animated WebP picture, by the flags of its first chunk.
func animated(data []byte) bool {
	const flag = 1 << 1
	return len(data) > 20 && string(data[:4]) == "RIFF" && string(data[8:16]) == "WEBPVP8X" && data[20]&flag != 0
}

// contentName says in words what the first bytes of a file are that is no picture of a known format.
func contentName(data []byte) string {
	head := data[:min(len(data), 512)]
	brand := ""
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		brand = string(head[8:12])
	}
	text := strings.ToLower(strings.TrimSpace(string(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))))
	switch {
	case brand == "avif" || brand == "avis":
		return "AVIF"
	case slices.Contains([]string{"heic", "heix", "hevc", "hevx", "mif1", "msf1", "heim", "heis"}, brand):
		return "HEIC"
	case brand != "":
		return "a video or another file of its kind"
	case bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cjP  ")), bytes.HasPrefix(head, []byte("\xff\x4f\xff\x51")):
		return "JPEG 2000"
	case bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cJXL ")), bytes.HasPrefix(head, []byte("\xff\x0a")):
		return "JPEG XL"
	case bytes.HasPrefix(head, []byte("8BPS")):
		return "a Photoshop document"
	case bytes.HasPrefix(head, []byte("%PDF")):
		return "PDF"
	case bytes.HasPrefix(head, []byte("II+\x00")), bytes.HasPrefix(head, []byte("MM\x00+")):
		return "BigTIFF"
	case strings.HasPrefix(text, "<svg"), strings.HasPrefix(text, "<?xml") && strings.Contains(text, "<svg"):
		return "SVG"
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "a web page"
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "a pointer of Git LFS instead of the file"
	}
	return fmt.Sprintf("a file that begins with %q", head[:min(len(head), 8)])
}
