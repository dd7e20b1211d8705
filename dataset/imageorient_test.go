package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"testing"
)

func TestPicturesAreTurnedAsTheirOrientationSays(t *testing.T) {
	seen := corners()
	for _, fit := range Fits() {
		for _, size := range []int{7, 16, 64} {
			o := Options{Size: size, Fit: fit}
			want, _ := reading(t, pngBytes(t, seen), o)
			for turn := upright; turn <= 8; turn++ {
				stored := turned(seen, turn)
				tag := exif(turn, binary.BigEndian)
				for format, data := range map[string][]byte{
					"JPEG":           jpegWithSegment(jpegBytes(t, stored), 0xe1, append([]byte("Exif\x00\x00"), tag...)),
					"JPEG after XMP": jpegWithSegment(jpegWithSegment(jpegBytes(t, stored), 0xe1, append([]byte("Exif\x00\x00"), exif(turn, binary.LittleEndian)...)), 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00<x/>")),
					"PNG":            pngWithChunk(pngBytes(t, stored), "eXIf", tag),
					"TIFF":           tiffBytes(stored, turn),
					"WebP":           webpBytes(t, stored, 1<<4|1<<3, "", chunk("EXIF", tag)),
					"WebP, as JPEG":  webpBytes(t, stored, 1<<4|1<<3, "", chunk("EXIF", append([]byte("Exif\x00\x00"), tag...))),
				} {
					got, _ := reading(t, data, o)
					// Halves may be rounded up or down. Blocks of JPEG do not end where the corners do.
					close, most := 1, 0
					if format[0] == 'J' {
						close, most = 2, len(want)/4
					}
					far := 0
					for i := range want {
						if d := int(got[i]) - int(want[i]); d > close || d < -close {
							far++
						}
					}
					if far > most {
						t.Errorf("%s, %s, size %d, orientation %d: %d of %d values differ from those of the picture as it is seen", format, fit, size, turn, far, len(want))
					}
				}
			}
		}
	}
}

func TestCornersOfTurnedJPEGs(t *testing.T) {
	// What is where, without any of the code under test: the stored picture is the same, and only the tag differs.
	stored := image.NewRGBA(image.Rect(0, 0, 32, 32))
	for y := range 32 {
		for x := range 32 {
			stored.SetRGBA(x, y, corners().RGBAAt(x*40/32, y*24/32))
		}
	}
	// Corners clockwise from top left: white, red, green, black.
	for turn, want := range map[orientation]string{1: "wrgk", 2: "rwkg", 3: "gkwr", 4: "kgrw", 5: "wkgr", 6: "kwrg", 7: "grwk", 8: "rgkw", 0: "wrgk", 9: "wrgk"} {
		data := jpegWithSegment(jpegBytes(t, stored), 0xe1, append([]byte("Exif\x00\x00"), exif(turn, binary.LittleEndian)...))
		got, _ := reading(t, data, Options{Size: 16})
		name := func(x, y int) string {
			p := got[3*(16*y+x):][:3]
			switch {
			case p[0] > 200 && p[1] > 200:
				return "w"
			case p[0] > 200:
				return "r"
			case p[1] > 200:
				return "g"
			}
			return "k"
		}
		if have := name(2, 2) + name(13, 2) + name(13, 13) + name(2, 13); have != want {
			t.Errorf("orientation %d: corners %s, want %s", turn, have, want)
		}
	}
}

func TestOrientationsThatMakeNoSenseAreNone(t *testing.T) {
	tag := exif(6, binary.LittleEndian)
	for i := range tag {
		cut := exifOrientation(tag[:i])
		if cut != upright && i < len(tag)-8 {
			t.Errorf("the first %d of %d bytes give orientation %d", i, len(tag), cut)
		}
	}
	far := bytes.Clone(tag)
	binary.LittleEndian.PutUint32(far[4:], 0xfffffff0)
	count := bytes.Clone(tag)
	binary.LittleEndian.PutUint32(count[26:], 2)
	for name, data := range map[string][]byte{"a directory past the end": far, "two orientations": count, "nothing": nil} {
		if o := exifOrientation(data); o != upright {
			t.Errorf("%s: orientation %d", name, o)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	m := corners()
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		tag := exif(6, order)
		f.Add(tag)
		f.Add(jpegWithSegment(jpegBytes(f, m), 0xe1, append([]byte("Exif\x00\x00"), tag...)))
		f.Add(pngWithChunk(pngBytes(f, m), "eXIf", tag))
		f.Add(webpBytes(f, m, 1<<4|1<<3, "", chunk("EXIF", tag)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := exifOrientation(data); o < 1 || o > 8 {
			t.Fatal(fmt.Sprint("orientation ", int(o)))
		}
	})
}
