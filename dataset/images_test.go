package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"testing"
)

// picture returns a w x h picture of one colour with a border of black.
func picture(w, h int, c color.Color) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.Black)
			if x > 0 && y > 0 && x < w-1 && y < h-1 {
				m.Set(x, y, c)
			}
		}
	}
	return m
}

func pngBytes(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegBytes(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// twoClasses makes classes "cat" and "dog" with n pictures each, whose brightness tells
// the class and the number.
func twoClasses(t testing.TB, dir string, n int, paint func(class, i int) color.Color) {
	for class, name := range []string{"cat", "dog"} {
		for i := range n {
			m := picture(20+i, 24, paint(class, i))
			if i%2 == 0 {
				write(t, filepath.Join(dir, name, fmt.Sprintf("%02d.png", i)), pngBytes(t, m))
			} else {
				write(t, filepath.Join(dir, name, fmt.Sprintf("%02d.JPG", i)), jpegBytes(t, m))
			}
		}
	}
}

func grey(class, i int) color.Color { return color.Gray{Y: uint8(100*class + 5*i + 20)} }

func TestImagesAreScaledLabelledAndSplit(t *testing.T) {
	dir := t.TempDir()
	twoClasses(t, dir, 10, grey)
	write(t, filepath.Join(dir, "cat", "notes.txt"), []byte("not a picture"))
	write(t, filepath.Join(dir, "cat", ".hidden.png"), []byte("not a picture"))
	write(t, filepath.Join(dir, ".cache", "x.png"), []byte("not a picture"))
	write(t, filepath.Join(dir, "README"), []byte("not a folder"))
	d, err := Open("images:"+dir, Options{Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	if in := d.Info(); in.Train != 16 || in.Test != 4 || in.Height != 8 || in.Width != 8 || in.Channels != 1 || fmt.Sprint(in.Classes) != "[cat dog]" {
		t.Errorf("info %+v", in)
	}
	for _, s := range []*Split{d.Train(), test} {
		for i := range s.Len() {
			centre := int(s.Image(i)[8*4+4])
			if class := s.Label(i); centre < 100*class+15 || centre > 100*class+75 {
				t.Errorf("an image of class %d has brightness %d", class, centre)
			}
		}
	}
}

func TestImagesWithColourHaveThreeChannels(t *testing.T) {
	dir := t.TempDir()
	twoClasses(t, filepath.Join(dir, "train"), 2, grey)
	write(t, filepath.Join(dir, "train", "dog", "red.png"), pngBytes(t, picture(9, 9, color.RGBA{R: 200, A: 255})))
	twoClasses(t, filepath.Join(dir, "test"), 1, grey)
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	s := d.Train()
	if s.Len() != 5 || test.Len() != 2 || s.Channels != 3 || test.Channels != 3 || s.Height != 32 {
		t.Fatalf("%d + %d images of %dx%dx%d", s.Len(), test.Len(), s.Height, s.Width, s.Channels)
	}
	middle := s.Image(4)[3*(32*16+16):][:3]
	if middle[0] < 195 || middle[1] != 0 || middle[2] != 0 {
		t.Errorf("the middle of the red picture is %v", middle)
	}
}

func TestImagesOfTheTestFolderFollowTheTrainFolder(t *testing.T) {
	dir := t.TempDir()
	twoClasses(t, filepath.Join(dir, "train"), 2, grey)
	// Test pictures in colour of a data set that is grey become grey.
	write(t, filepath.Join(dir, "test", "dog", "red.png"), pngBytes(t, picture(9, 9, color.RGBA{R: 255, A: 255})))
	d, err := Open("images:"+dir, Options{Size: 9})
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	if test.Len() != 1 || test.Channels != 1 || test.Label(0) != 1 {
		t.Fatalf("%d test images of %d channels, label %d", test.Len(), test.Channels, test.Label(0))
	}
	if got := test.Image(0)[9*4+4]; got != 76 {
		t.Errorf("red became grey %d, want the luminance 76", got)
	}
	write(t, filepath.Join(dir, "test", "bird", "x.png"), nil)
	_, err = Open("images:"+dir, Options{})
	wantError(t, "unknown test class", err, "bird", "not among those in train")
}

func TestImagesAreTheSameAtEveryOpening(t *testing.T) {
	dir := t.TempDir()
	twoClasses(t, dir, 10, func(c, i int) color.Color { return color.RGBA{R: uint8(20 * i), G: uint8(90 * c), B: 50, A: 255} })
	a, err := Open("images:"+dir, Options{Size: 11})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open("images", Options{Dir: dir, Size: 11})
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Train().Len() {
		if !bytes.Equal(a.Train().Image(i), b.Train().Image(i)) {
			t.Fatalf("image %d differs", i)
		}
	}
}

func TestImagesErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(dir string)
		o       Options
		want    []string
	}{
		{"corrupt", func(d string) { write(t, filepath.Join(d, "dog", "bad.png"), []byte("\x89PNG\r\n\x1a\nrubbish")) }, Options{}, []string{"bad.png", "PNG"}},
		{"truncated", func(d string) {
			data := pngBytes(t, picture(40, 40, color.White))
			write(t, filepath.Join(d, "dog", "cut.png"), data[:len(data)-30])
		}, Options{}, []string{"cut.png", "corrupt PNG picture"}},
		{"not a picture", func(d string) { write(t, filepath.Join(d, "dog", "text.jpg"), []byte("hello")) }, Options{}, []string{"text.jpg", "want a PNG, JPEG, WebP", `begins with "hello"`}},
		{"huge", func(d string) {
			data := pngBytes(t, picture(4, 4, color.White))
			// The header says 16,384 x 8,192, with a checksum to match.
			copy(data[16:], []byte{0, 0, 0x40, 0, 0, 0, 0x20, 0})
			binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
			write(t, filepath.Join(d, "dog", "huge.png"), data)
		}, Options{}, []string{"huge.png", "a picture of 16384x8192"}},
		{"one class", func(d string) { write(t, filepath.Join(d, "train", "cat", "x.png"), nil) }, Options{}, []string{"at least 2 classes, have 1"}},
		{"a fit that is none", func(string) {}, Options{Fit: "zoom"}, []string{`a fit of "zoom"`, "crop, stretch or pad"}},
		{"size", func(string) {}, Options{Size: 2000}, []string{"a size of 2000"}},
		{"negative size", func(string) {}, Options{Size: -1}, []string{"a size of -1"}},
	} {
		dir := t.TempDir()
		// Unsplit, the picture under test may fall into the test split, which is not
		// read; a test folder avoids that.
		root := dir
		if c.name != "one class" {
			root = filepath.Join(dir, "train")
			twoClasses(t, filepath.Join(dir, "test"), 1, grey)
		}
		if c.name != "one class" {
			twoClasses(t, root, 2, grey)
			c.prepare(root)
		} else {
			c.prepare(dir)
		}
		c.o.Dir = dir
		_, err := Open("images", c.o)
		wantError(t, c.name, err, append(c.want, "dataset images")...)
	}
	_, err := Open("images", Options{})
	wantError(t, "no folder", err, "no folder is named", "images:FOLDER")
	_, err = Open("images:"+filepath.Join(t.TempDir(), "nothing"), Options{})
	wantError(t, "missing", err, "nothing", "not found")
	_, err = Open("images:"+write(t, filepath.Join(t.TempDir(), "file"), nil), Options{})
	wantError(t, "a file", err, "is not a folder")
}
