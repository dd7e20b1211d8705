package dataset

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// corners is a picture of 40 x 24 whose corners are white, red, green and black, clockwise from top left, so that it looks different however it is turned.
func corners() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 40, 24))
	for y := range 24 {
		for x := range 40 {
			c := color.RGBA{A: 255}
			switch {
			case x < 20 && y < 12:
				c = color.RGBA{R: 255, G: 255, B: 255, A: 255}
			case y < 12:
				c.R = 255
			case x >= 20:
				c.G = 255
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// turned returns how m is stored if it is seen through an orientation.
func turned(m image.Image, o orientation) *image.RGBA {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	sw, sh := o.seen(w, h) // turning back swaps the sides just so
	out := image.NewRGBA(image.Rect(0, 0, sw, sh))
	for y := range h {
		for x := range w {
			at := o.stored(image.Rect(x, y, x+1, y+1), w, h).Min
			out.Set(at.X, at.Y, m.At(x, y))
		}
	}
	return out
}

// exif returns the orientation as a TIFF directory, which EXIF is.
func exif(o orientation, order binary.AppendByteOrder) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, tag := range []uint16{0x0100, 0x0112} { // the width, and the orientation
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, uint16(o))
		b = order.AppendUint16(b, 0)
	}
	return order.AppendUint32(b, 0)
}

// jpegWithSegment puts a segment after the first two bytes of a JPEG file.
func jpegWithSegment(data []byte, marker byte, body []byte) []byte {
	out := append([]byte{0xff, 0xd8, 0xff, marker}, 0, 0)
	binary.BigEndian.PutUint16(out[4:], uint16(len(body)+2))
	return append(append(out, body...), data[2:]...)
}

// pngWithChunk puts a chunk after the header of a PNG file.
func pngWithChunk(data []byte, name string, body []byte) []byte {
	const header = 8 + 25
	out := binary.BigEndian.AppendUint32(bytes.Clone(data[:header]), uint32(len(body)))
	out = append(append(out, name...), body...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[header+4:]))
	return append(out, data[header:]...)
}

// tiffBytes writes a TIFF file without compression, with its orientation.
func tiffBytes(m *image.RGBA, o orientation) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("II*\x00"), uint32(8+4*w*h))
	b = append(b, m.Pix...)
	at := uint32(len(b))
	tags := [][3]uint32{{256, 4, uint32(w)}, {257, 4, uint32(h)}, {258, 3, at + 2 + 10*12 + 4}, {259, 3, 1}, {262, 3, 2}, {273, 4, 8}, {274, 3, uint32(o)}, {277, 3, 4}, {279, 4, uint32(4 * w * h)}, {338, 3, 1}}
	b = le.AppendUint16(b, uint16(len(tags)))
	for _, t := range tags {
		count := uint32(1)
		if t[0] == 258 {
			count = 4
		}
		b = le.AppendUint16(le.AppendUint16(b, uint16(t[0])), uint16(t[1]))
		b = le.AppendUint32(le.AppendUint32(b, count), t[2])
	}
	b = le.AppendUint32(b, 0)
	for range 4 {
		b = le.AppendUint16(b, 8)
	}
	return b
}

// bitWriter writes numbers of a few bits each, the lowest bit first, as WebP does.
type bitWriter struct {
	out  []byte
	used int
}

func (b *bitWriter) put(v, n int) {
	for i := range n {
		if b.used%8 == 0 {
			b.out = append(b.out, 0)
		}
		b.out[len(b.out)-1] |= byte(v >> i & 1 << (b.used % 8))
		b.used++
	}
}

// webpBytes writes a WebP file without loss of a picture whose channels have at most two values each. chunks go before and after the pixels, in an extended file.
func webpBytes(t testing.TB, m image.Image, flags byte, before, after string) []byte {
	t.Helper()
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	values := [4][]byte{} // green, red, blue, alpha
	at := func(x, y int) [4]byte {
		c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
		return [4]byte{c.G, c.R, c.B, c.A}
	}
	for y := range h {
		for x := range w {
			for i, v := range at(x, y) {
				if bytes.IndexByte(values[i], v) < 0 {
					values[i] = append(values[i], v)
				}
			}
		}
	}
	var b bitWriter
	b.put(0x2f, 8)
	b.put(w-1, 14)
	b.put(h-1, 14)
	b.put(1, 1) // there is alpha
	b.put(0, 3+1+1+1)
	for i := range values {
		if len(values[i]) > 2 {
			t.Fatalf("a channel with %d values", len(values[i]))
		}
		if len(values[i]) == 2 && values[i][0] > values[i][1] {
			values[i][0], values[i][1] = values[i][1], values[i][0]
		}
		b.put(1, 1)
		b.put(len(values[i])-1, 1)
		b.put(1, 1)
		for _, v := range values[i] {
			b.put(int(v), 8)
		}
	}
	b.put(1, 1) // distances: one symbol of one bit
	b.put(0, 3)
	for y := range h {
		for x := range w {
			for i, v := range at(x, y) {
				if len(values[i]) == 2 {
					b.put(bytes.IndexByte(values[i], v), 1)
				}
			}
		}
	}
	body := "WEBP"
	if flags != 0 {
		extended := []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0}
		body += chunk("VP8X", extended)
	}
	body += before + chunk("VP8L", b.out) + after
	return []byte(chunk("RIFF", []byte(body)))
}

func chunk(name string, body []byte) string {
	s := name + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + string(body)
	if len(body)%2 == 1 {
		s += "\x00"
	}
	return s
}

func bmpBytes(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bmp.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packedTIFF(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tiff.Encode(&b, m, &tiff.Options{Compression: tiff.Deflate, Predictor: true}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gifBytes writes frames after one another on a screen of w x h.
func gifBytes(t testing.TB, w, h int, frames ...*image.Paletted) []byte {
	t.Helper()
	var b bytes.Buffer
	g := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Config: image.Config{Width: w, Height: h}}
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// frame is a frame of one colour.
func frame(r image.Rectangle, c color.Color) *image.Paletted {
	m := image.NewPaletted(r, color.Palette{c, color.RGBA{}})
	return m
}

// reading decodes a picture with the default background.
func reading(t testing.TB, data []byte, o Options) ([]byte, page) {
	t.Helper()
	s, err := newScaler(o)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, t.TempDir()+"/picture", data)
	out := make([]byte, 3*s.size*s.size)
	d := decoder{scaler: s, room: newPixelRoom(maxPixelsInUse)}
	p, err := d.decode(path, out)
	if err != nil {
		t.Fatal(err)
	}
	return out, p
}
