package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/image/draw"
)

// pixel returns a pixel of a decoded picture of the default size.
func pixel(out []byte, x, y int) [3]byte { return [3]byte(out[3*(defaultSize*y+x):]) }

func TestPicturesAreReadByTheirContent(t *testing.T) {
	blue := color.RGBA{R: 10, G: 20, B: 200, A: 255}
	m := image.NewRGBA(image.Rect(0, 0, 30, 30))
	for i := range 900 {
		m.Set(i%30, i/30, blue)
	}
	files := map[string][]byte{
		"PNG": pngBytes(t, m), "JPEG": jpegBytes(t, m), "BMP": bmpBytes(t, m), "TIFF": tiffBytes(m, 1), "packed TIFF": packedTIFF(t, m),
		"WebP": webpBytes(t, m, 0, "", ""), "extended WebP": webpBytes(t, m, 1<<4, "", ""), "GIF": gifBytes(t, 30, 30, frame(m.Rect, blue), frame(m.Rect, color.White)),
	}
	for name, data := range files {
		out, p := reading(t, data, Options{})
		got := pixel(out, 16, 16)
		for i, v := range []int{10, 20, 200} {
			if d := int(got[i]) - v; d > 3 || d < -3 {
				t.Errorf("%s: %v", name, got)
				break
			}
		}
		if p.transparent || p.grey || p.cropped {
			t.Errorf("%s: %+v", name, p)
		}
	}
	// The extension decides what should be a picture, not how it is read.
	dir := t.TempDir()
	for i, ext := range []string{".jpg", ".JPE", ".jfif", ".webp", ".bmp", ".tif", ".TIFF", ".gif", ".png", ""} {
		for _, class := range []string{"a", "b"} {
			for name, data := range files {
				write(t, filepath.Join(dir, class, fmt.Sprint(name, i, ext)), data)
			}
		}
	}
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if in := d.Info(); in.Train+in.Test != 2*10*len(files) || len(in.Notes) > 0 {
		t.Errorf("%d pictures of %d; notes %q", in.Train+in.Test, 2*10*len(files), in.Notes)
	}
}

func TestTransparentPartsShowTheBackground(t *testing.T) {
	// A black disc on a transparent ground: what shows is the ground.
	icon := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for y := 8; y < 24; y++ {
		for x := 8; x < 24; x++ {
			icon.SetNRGBA(x, y, color.NRGBA{A: 255})
		}
	}
	shown := frame(image.Rect(8, 8, 24, 24), color.Black)
	for name, data := range map[string][]byte{"PNG": pngBytes(t, icon), "WebP": webpBytes(t, icon, 1<<4, "", ""), "GIF": gifBytes(t, 32, 32, shown)} {
		for _, c := range []struct {
			background color.Color
			want       [3]byte
		}{{nil, [3]byte{255, 255, 255}}, {color.Black, [3]byte{}}, {color.RGBA{R: 200, G: 100, B: 50, A: 255}, [3]byte{200, 100, 50}}} {
			for _, fit := range Fits() {
				out, p := reading(t, data, Options{Background: c.background, Fit: fit})
				if pixel(out, 16, 16) != [3]byte{} || pixel(out, 1, 1) != c.want || !p.transparent {
					t.Errorf("%s on %v: %v in the middle, %v beside it, want %v; %+v", name, c.background, pixel(out, 16, 16), pixel(out, 1, 1), c.want, p)
				}
			}
		}
	}
	half := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range 32 * 32 {
		half.SetNRGBA(i%32, i/32, color.NRGBA{A: 51})
	}
	if out, _ := reading(t, pngBytes(t, half), Options{}); pixel(out, 5, 5) != [3]byte{204, 204, 204} {
		t.Errorf("a fifth of black on white is %v, want 204", pixel(out, 5, 5))
	}
	dir := photos(t, t.TempDir(), "a:4", "b:5")
	write(t, filepath.Join(dir, "a", "icon1.png"), pngBytes(t, icon))
	write(t, filepath.Join(dir, "a", "icon2.png"), pngBytes(t, icon))
	write(t, filepath.Join(dir, "a", "icon3.png"), pngBytes(t, icon))
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Info().Notes; len(n) != 1 || !strings.Contains(n[0], "3 pictures have transparent parts, which are white") {
		t.Errorf("notes %q", n)
	}
}

func TestInkWithoutTheMarkerOfAdobeIsRead(t *testing.T) {
	// There is no encoder of four components: one of three is given a fourth, of whose blocks there are none but 0.
	data := inkBytes(t, false)
	without, _ := reading(t, data, Options{})
	with, _ := reading(t, inkBytes(t, true), Options{})
	if !bytes.Equal(without, with) {
		t.Errorf("%v without the marker, %v with it", pixel(without, 3, 3), pixel(with, 3, 3))
	}
	if got := pixel(without, 16, 16); got[0] < 60 || got[0] > 68 || got[1] != got[0] || got[2] != got[0] {
		t.Errorf("half of each ink gives %v, want 64", got)
	}
}

// inkBytes is a JPEG file of 8 x 8 pixels of four components, each 128 throughout.
func inkBytes(t testing.TB, adobe bool) []byte {
	t.Helper()
	b := []byte{0xff, 0xd8}
	if adobe {
		b = append(b, "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"...)
	}
	b = append(b, 0xff, 0xdb, 0, 67, 0)
	b = append(b, bytes.Repeat([]byte{1}, 64)...)
	b = append(b, 0xff, 0xc0, 0, 8+3*4, 8, 0, 8, 0, 8, 4)
	for i := range byte(4) {
		b = append(b, i+1, 0x11, 0)
	}
	for _, class := range []byte{0x00, 0x10} { // one code of one bit, for no difference and for the end of a block
		b = append(b, 0xff, 0xc4, 0, 2+1+16+1, class, 1)
		b = append(b, make([]byte, 16)...)
	}
	b = append(b, 0xff, 0xda, 0, 6+2*4, 4)
	for i := range byte(4) {
		b = append(b, i+1, 0)
	}
	return append(b, 0, 63, 0, 0x00, 0xff, 0xd9) // eight bits of 0: a difference and an end for each
}

func TestFitsKeepWhatTheySay(t *testing.T) {
	wide := image.NewRGBA(image.Rect(0, 0, 90, 30)) // red, green, blue thirds
	for y := range 30 {
		for x := range 90 {
			wide.SetRGBA(x, y, []color.RGBA{{R: 255, A: 255}, {G: 255, A: 255}, {B: 255, A: 255}}[x/30])
		}
	}
	red, green, blue, white := [3]byte{255, 0, 0}, [3]byte{0, 255, 0}, [3]byte{0, 0, 255}, [3]byte{255, 255, 255}
	for _, c := range []struct {
		fit  Fit
		want [5][3]byte // left, middle, right, top, bottom
	}{
		{"", [5][3]byte{green, green, green, green, green}},
		{FitCrop, [5][3]byte{green, green, green, green, green}},
		{FitStretch, [5][3]byte{red, green, blue, green, green}},
		{FitPad, [5][3]byte{red, green, blue, white, white}},
	} {
		out, p := reading(t, pngBytes(t, wide), Options{Fit: c.fit})
		have := [5][3]byte{pixel(out, 2, 16), pixel(out, 16, 16), pixel(out, 29, 16), pixel(out, 16, 2), pixel(out, 16, 29)}
		if have != c.want {
			t.Errorf("%s: %v, want %v", c.fit, have, c.want)
		}
		if crop := c.fit == "" || c.fit == FitCrop; p.cropped != crop {
			t.Errorf("%s: cropped %v", c.fit, p.cropped)
		}
	}
	thin := image.NewGray(image.Rect(0, 0, 1000, 1))
	for _, fit := range Fits() {
		reading(t, pngBytes(t, thin), Options{Fit: fit}) // a line of one pixel is a picture, too
	}
	dir := photos(t, t.TempDir(), "a:5", "b:5")
	for i := range 5 {
		write(t, filepath.Join(dir, "a", fmt.Sprint("wide", i, ".png")), pngBytes(t, wide))
	}
	for fit, want := range map[Fit]string{FitCrop: "largest square", FitStretch: "stretched to 32x32", FitPad: "within 32x32, the rest is white"} {
		d, err := Open("images:"+dir, Options{Fit: fit})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(d.Info().Pictures, want) {
			t.Errorf("%s: %q", fit, d.Info().Pictures)
		}
		if notes := strings.Join(d.Info().Notes, "\n"); strings.Contains(notes, "5 of 15 pictures lose more than 40 %") != (fit == FitCrop) {
			t.Errorf("%s: notes %q", fit, notes)
		}
	}
}

// badFiles writes pictures that cannot be read, and returns what is said of each.
func badFiles(t testing.TB, dir string) map[string]string {
	t.Helper()
	m := picture(40, 40, color.White)
	cut := pngBytes(t, m)
	huge := pngBytes(t, picture(4, 4, color.White))
	copy(huge[16:], []byte{0, 0, 0x40, 0, 0, 0, 0x20, 0})
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	solid := image.NewGray(image.Rect(0, 0, 8, 8))
	files := map[string][]byte{
		"cut.png": cut[:len(cut)-30], "huge.png": huge, "empty.jpg": nil, "text.jpg": []byte("hello, world"), "page.gif": []byte("<!DOCTYPE html><html>"),
		"apple.jpg": []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), "moving.webp": webpBytes(t, solid, 1<<1, "", ""), "cut.tiff": []byte("II*\x00\x08\x00\x00\x00\x05\x00"),
		"cut.bmp": bmpBytes(t, m)[:60], "cut.webp": webpBytes(t, solid, 0, "", "")[:24], "lfs.png": []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
	}
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
	return map[string]string{
		"cut.png": "corrupt PNG picture", "huge.png": "a picture of 16384x8192; want at most", "empty.jpg": "an empty file", "text.jpg": `begins with "hello, w"`,
		"page.gif": "a web page", "apple.jpg": "HEIC", "moving.webp": "an animated WebP", "cut.tiff": "corrupt TIFF picture", "cut.bmp": "corrupt BMP picture",
		"cut.webp": "corrupt WebP picture", "lfs.png": "a pointer of Git LFS",
	}
}

func TestAllPicturesThatCannotBeReadAreNamed(t *testing.T) {
	good, dir := photos(t, t.TempDir(), "a:9", "b:9"), photos(t, t.TempDir(), "a:9", "b:9")
	want := badFiles(t, filepath.Join(dir, "a"))
	_, err := Open("images:"+dir, Options{})
	wantError(t, "bad", err, "11 of 29 pictures cannot be read: a/apple.jpg (", "and 1 more", "--skip-bad goes on without them")
	var all *PicturesError
	if !errors.As(err, &all) || len(all.Pictures) != len(want) || all.Of != 29 {
		t.Fatalf("%+v", all)
	}
	for _, b := range all.Pictures {
		if text := want[filepath.Base(b.Path)]; text == "" || !strings.Contains(b.Err.Error(), text) {
			t.Errorf("%s: %v, want %q", b.Path, b.Err, text)
		}
	}
	d, err := Open("images:"+dir, Options{SkipBad: true})
	if err != nil {
		t.Fatal(err)
	}
	wantNotes(t, d, "left out 11 pictures that cannot be read: a/apple.jpg (")
	same(t, d, "images:"+good, Options{})
}

// same checks that a data set equals another one.
func same(t testing.TB, d *Dataset, name string, o Options) {
	t.Helper()
	other, err := Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	dTest, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	otherTest, err := other.Test()
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*Split{{d.Train(), other.Train()}, {dTest, otherTest}} {
		a, b := pair[0], pair[1]
		if a.Len() != b.Len() || a.Channels != b.Channels || fmt.Sprint(a.Classes) != fmt.Sprint(b.Classes) {
			t.Fatalf("%s, %d channels; want %s, %d channels", perClass(a), a.Channels, perClass(b), b.Channels)
		}
		for i := range a.Len() {
			if a.Label(i) != b.Label(i) || !bytes.Equal(a.Image(i), b.Image(i)) {
				t.Fatalf("sample %d differs", i)
			}
		}
	}
}

func TestAClassOfBadPicturesIsLikeAnEmptyOne(t *testing.T) {
	dir := photos(t, t.TempDir(), "train/a:3", "train/b:3", "test/a:2", "test/b:2")
	badFiles(t, filepath.Join(dir, "train", "0bad"))
	d, err := Open("images:"+dir, Options{SkipBad: true})
	if err != nil {
		t.Fatal(err)
	}
	if have := perClass(d.Train()); have != "a 3, b 3" {
		t.Error(have)
	}
	wantNotes(t, d, "left out train/0bad: it holds no pictures", "left out 11 pictures that cannot be read")
	for _, split := range []string{"train", "test"} {
		if err := os.RemoveAll(filepath.Join(dir, split, "b")); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Open("images:"+dir, Options{SkipBad: true})
	wantError(t, "one class left", err, "at least 2 classes, have 1 (train/a); without pictures: train/0bad")
}

func TestABadTestPictureIsFoundOnOpening(t *testing.T) {
	dir := photos(t, t.TempDir(), "train/a:3", "train/b:3", "test/a:2", "test/b:2")
	write(t, filepath.Join(dir, "test", "b", "cut.png"), pngBytes(t, picture(40, 40, color.White))[:90])
	_, err := Open("images:"+dir, Options{})
	wantError(t, "test", err, "1 of 11 pictures cannot be read: test/b/cut.png (corrupt PNG picture")
}

func FuzzDecodePicture(f *testing.F) {
	m := corners()
	for _, data := range [][]byte{
		pngBytes(f, m), jpegBytes(f, m), bmpBytes(f, m), tiffBytes(m, 6), packedTIFF(f, m), webpBytes(f, m, 0, "", ""), webpBytes(f, m, 1<<4, "", ""),
		gifBytes(f, 9, 9, frame(image.Rect(2, 2, 8, 8), color.White)), inkBytes(f, false),
	} {
		f.Add(data)
	}
	s, err := newScaler(Options{Size: 4})
	if err != nil {
		f.Fatal(err)
	}
	out := make([]byte, 3*4*4)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := readPictureHead(data)
		if err != nil || file.Width*file.Height > 1<<20 {
			return
		}
		m, err := file.picture()
		if err != nil {
			return
		}
		if b := m.Bounds(); b.Dx() != file.Width || b.Dy() != file.Height {
			t.Fatalf("%v, the head says %d x %d", b, file.Width, file.Height)
		}
		s.image(m, exifOrientation(data), out)
	})
}

func TestADecoderThatPanicsIsAnError(t *testing.T) {
	f := pictureFile{pictureFormat: &pictureFormat{name: "XYZ", decode: func(io.Reader) (image.Image, error) { panic("out of range") }}, open: func() io.Reader { return nil }}
	_, err := f.picture()
	if err == nil || err.Error() != "corrupt XYZ picture: the decoder failed: out of range" {
		t.Error(err)
	}
}

func TestPixelsInUseAreBounded(t *testing.T) {
	room := newPixelRoom(10)
	var inUse, most atomic.Int64
	var workers sync.WaitGroup
	for i := range 20 {
		workers.Go(func() {
			n := 1 + i%10
			room.take(n)
			now := inUse.Add(int64(n))
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			inUse.Add(-int64(n))
			room.give(n)
		})
	}
	workers.Wait()
	if most.Load() > 10 || room.left != 10 {
		t.Errorf("%d in use, %d left of 10", most.Load(), room.left)
	}
}

func TestTheMiddleOfAPictureIsScaledByCatmullRomAsEver(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 61, 47))
	for y := range 47 {
		for x := range 61 {
			m.SetRGBA(x, y, color.RGBA{R: uint8(5 * x * y), G: uint8(x*x + y), B: uint8(7*y - x), A: 255})
		}
	}
	for _, size := range []int{5, 16, 32, 47, 64} {
		for name, data := range map[string][]byte{"PNG": pngBytes(t, m), "JPEG": jpegBytes(t, m)} {
			picture, _, err := image.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			square, want := image.Rect(7, 0, 54, 47), image.NewRGBA(image.Rect(0, 0, size, size))
			if size == 47 {
				draw.Draw(want, want.Bounds(), picture, square.Min, draw.Src)
			} else {
				draw.CatmullRom.Scale(want, want.Bounds(), picture, square, draw.Src, nil)
			}
			got, _ := reading(t, data, Options{Size: size})
			for i := range size * size {
				if !bytes.Equal(got[3*i:3*i+3], want.Pix[4*i:4*i+3]) {
					t.Fatalf("%s, size %d: pixel %d is %v, want %v", name, size, i, got[3*i:3*i+3], want.Pix[4*i:4*i+3])
				}
			}
		}
	}
}
