package dataset

import (
	"fmt"
	"math"
)

// Pixels may leave their range a little, by rounding or because an image was interpolated. What is outside is clipped.
const (
	overOne  = 1.25  // of 0 to 1, between which and 16 no other range lies
	overMore = 1.001 // times the end of the others
)

// pixelRange returns the least and the largest value that a pixel may have. Where the scale is told, it is the scale that says what is clipped.
func pixelRange(scale float64) (least, most float32) {
	if scale > 0 {
		return -math.MaxFloat32, math.MaxFloat32
	}
	return 1 - overOne, 255 * overMore
}

// scaleFacts are what the scale of pixels is told by.
type scaleFacts struct {
	images, values int     // that are above the range
	within         int     // values within the range that are not 0
	line           int     // of the first value above
	value, largest float32 // the first value above, and the largest
}

// above finds out what is above a range.
func above(values []float32, pixels int, lines []int, end, tolerated float32) scaleFacts {
	var f scaleFacts
	for i := 0; i < len(values); i += pixels {
		n := 0
		for _, v := range values[i : i+pixels] {
			switch {
			case v > tolerated:
				if f.values+n == 0 {
					f.line, f.value = lines[i/pixels], v
				}
				n++
				f.largest = max(f.largest, v)
			case v > 0:
				f.within++
			}
		}
		if n > 0 {
			f.images++
			f.values += n
		}
	}
	return f
}

// findScale returns the end of the smallest range, of 0 to 1, 0 to 16 and 0 to 255, that holds all values. If a range holds all but a
// few, it is not clear what these are: whether it was one image or not more than a twentieth of all that has them, and ten times as
// many values, or more, are not 0 and within. That is an error, so that a few wrong values never change all others. Values a little
// above a range count as its end.
func findScale(values []float32, pixels int, lines []int) (float32, error) {
	images := len(values) / pixels
	for _, end := range []float32{1, 16} {
		tolerated := end * overMore
		if end == 1 {
			tolerated = overOne
		}
		f := above(values, pixels, lines, end, tolerated)
		if f.values == 0 {
			return end, nil
		}
		if f.images <= max(1, images/20) && 10*f.values <= f.within {
			return 0, &placeError{fmt.Sprintf("line %d", f.line), fmt.Errorf(
				"%d of %d pixels, in %d of %d images, are above %g, here %g, the largest %g, and all others are from 0 to %g; say with --pixel-scale which value is white (%g clips those above)",
				f.values, len(values), f.images, images, end, f.value, f.largest, end, end)}
		}
	}
	return 255, nil
}

// scalePixels scales values to 0..255: from 0 to scale or, if that is 0, from a range that findScale tells. It says what it did.
func scalePixels(values []float32, pixels int, lines []int, scale float64) (out []byte, notes []string, err error) {
	end, how := float32(scale), ", as told"
	if scale == 0 {
		how = ": of 1, 16 and 255 the smallest that holds all"
		if end, err = findScale(values, pixels, lines); err != nil {
			return nil, nil, err
		}
	}
	out = make([]byte, len(values))
	below, over := 0, 0
	least, most := float32(0), end
	for i, v := range values {
		switch {
		case v < 0:
			below++
			least, v = min(least, v), 0
		case v > end:
			over++
			most, v = max(most, v), end
		}
		out[i] = byte(v/end*255 + 0.5)
	}
	notes = append(notes, fmt.Sprintf("pixels are from 0 to %g%s", end, how))
	if below > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d pixels are below 0, the least %g, and count as 0", below, len(values), least))
	}
	if over > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d pixels are above %g, the largest %g, and count as %g", over, len(values), end, most, end))
	}
	return out, notes, nil
}
