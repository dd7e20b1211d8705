package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation is how a stored picture is turned to be seen, 1 to 8: tag Orientation of EXIF and TIFF. 1 leaves it as it is; 2 mirrors left and right;
// 3 turns by 180 degrees; 4 mirrors top and bottom; 5 mirrors at the diagonal from top left; 6 turns clockwise; 7 mirrors at the other
// diagonal; 8 turns counterclockwise.
type orientation int

const upright orientation = 1

// seen returns width and height of a stored w x h picture as it is seen.
func (o orientation) seen(w, h int) (int, int) {
	if o >= 5 {
		return h, w
	}
	return w, h
}

// stored returns where a rectangle of a picture that is seen as w x h is stored.
func (o orientation) stored(r image.Rectangle, w, h int) image.Rectangle {
	x0, y0, x1, y1 := r.Min.X, r.Min.Y, r.Max.X, r.Max.Y
	switch o {
	case 2:
		return image.Rect(w-x1, y0, w-x0, y1)
	case 3:
		return image.Rect(w-x1, h-y1, w-x0, h-y0)
	case 4:
		return image.Rect(x0, h-y1, x1, h-y0)
	case 5:
		return image.Rect(y0, x0, y1, x1)
	case 6:
		return image.Rect(y0, w-x1, y1, w-x0)
	case 7:
		return image.Rect(h-y1, w-x1, h-y0, w-x0)
	case 8:
		return image.Rect(h-y1, x0, h-y0, x1)
	}
	return r
}

// pixel returns where the pixel that is seen at x, y in a square of n x n is stored.
func (o orientation) pixel(x, y, n int) (int, int) {
	r := o.stored(image.Rect(x, y, x+1, y+1), n, n)
	return r.Min.X, r.Min.Y
}

// exifOrientation returns the orientation of a picture in a JPEG, PNG, WebP or TIFF file; upright if the file tells none that makes sense.
func exifOrientation(data []byte) orientation {
	var found orientation
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		found = readJPEG(data).orientation
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		found = pngOrientation(data)
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		found = webpOrientation(data)
	default:
		found = tiffOrientation(data)
	}
	if found == 0 {
		return upright
	}
	return found
}

// tiffOrientation finds the tag in the first directory of a TIFF file, which is also what the other formats wrap; 0 if it is not there.
func tiffOrientation(data []byte) orientation {
	if len(data) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return 0
	}
	entries := data[at+2:]
	for range order.Uint16(data[at:]) {
		if len(entries) < 12 {
			return 0
		}
		e := entries[:12]
		entries = entries[12:]
		const tag, short, long = 0x0112, 3, 4
		if order.Uint16(e) != tag || order.Uint32(e[4:]) != 1 {
			continue
		}
		v := uint32(0)
		switch order.Uint16(e[2:]) {
		case short:
			v = uint32(order.Uint16(e[8:]))
		case long:
			v = order.Uint32(e[8:])
		}
		if v >= 1 && v <= 8 {
			return orientation(v)
		}
		return 0
	}
	return 0
}

// jpegHead is what the segments of a JPEG file say before its first scan.
type jpegHead struct {
	orientation orientation // 0 if there is none
	components  int         // of the frame; 0 if there is none
	adobe       bool        // whether a marker of Adobe tells what the components are
}

// readJPEG reads the segments of a JPEG file (ITU T.81, annex B) as far as they make sense.
func readJPEG(data []byte) (head jpegHead) {
	for at := 2; at+4 <= len(data); {
		marker := data[at+1]
		switch {
		case data[at] != 0xff, marker == 0xff: // rubbish between segments, or filling
			at++
			continue
		case marker == 0, marker == 0x01, marker >= 0xd0 && marker <= 0xd8: // these have no length
			at += 2
			continue
		case marker == 0xd9, marker == 0xda: // the end, or pixels
			return head
		}
		end := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if end < at+4 || end > len(data) {
			return head
		}
		body := data[at+4 : end]
		switch {
		case marker == 0xe1 && head.orientation == 0:
			if tiff, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok {
				head.orientation = tiffOrientation(tiff)
			}
		case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe":
			head.adobe = true
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc && len(body) >= 6:
			head.components = int(body[5])
		}
		at = end
	}
	return head
}

// pngOrientation finds chunk eXIf of a PNG file.
func pngOrientation(data []byte) orientation {
	for at := uint64(8); at+12 <= uint64(len(data)); {
		length := uint64(binary.BigEndian.Uint32(data[at:]))
		end := at + 8 + length
		if end > uint64(len(data)) {
			return 0
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return tiffOrientation(data[at+8 : end])
		}
		at = end + 4 // the checksum
	}
	return 0
}

// webpOrientation finds chunk EXIF of a WebP file. Some programs write the header of JPEG before it.
func webpOrientation(data []byte) orientation {
	for at := uint64(12); at+8 <= uint64(len(data)); {
		length := uint64(binary.LittleEndian.Uint32(data[at+4:]))
		end := at + 8 + length
		if end > uint64(len(data)) {
			return 0
		}
		if string(data[at:at+4]) == "EXIF" {
			return tiffOrientation(bytes.TrimPrefix(data[at+8:end], []byte("Exif\x00\x00")))
		}
		at = end + length%2
	}
	return 0
}
