package dataset

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// Fit says how a picture that is not square becomes so.
type Fit string

// The ways to fit a picture into a square.
const (
	FitCrop    Fit = "crop"    // the largest square in its middle: the default
	FitStretch Fit = "stretch" // all of it, with width and height scaled each as needed
	FitPad     Fit = "pad"     // all of it, undistorted, with the background at two sides
)

// Fits lists the ways.
func Fits() []Fit { return []Fit{FitCrop, FitStretch, FitPad} }

// scaler turns pictures into images of one size.
type scaler struct {
	size       int
	fit        Fit
	background color.Color
}

func newScaler(o Options) (scaler, error) {
	s := scaler{size: o.Size, fit: o.Fit, background: o.Background}
	if s.size == 0 {
		s.size = defaultSize
	}
	if s.size < 1 || s.size > maxSize {
		return s, fmt.Errorf("a size of %d; want 1 to %d pixels", o.Size, maxSize)
	}
	if s.fit == "" {
		s.fit = FitCrop
	}
	if !slices.Contains(Fits(), s.fit) {
		return s, fmt.Errorf("a fit of %q; want %s, %s or %s", o.Fit, FitCrop, FitStretch, FitPad)
	}
	if s.background == nil {
		s.background = white()
	}
	// Of a background that is transparent itself, the colour counts.
	c := color.NRGBAModel.Convert(s.background).(color.NRGBA)
	c.A = 255
	s.background = c
	return s, nil
}

// String says how pictures become images.
func (s scaler) String() string {
	size := fmt.Sprintf("%dx%d", s.size, s.size)
	switch s.fit {
	case FitStretch:
		return "all of each picture, stretched to " + size
	case FitPad:
		return fmt.Sprintf("all of each picture within %s, the rest is %s", size, s.colour())
	}
	return "the largest square in the middle of each picture, scaled to " + size
}

func (s scaler) colour() string {
	c := color.NRGBAModel.Convert(s.background).(color.NRGBA)
	switch c {
	case color.NRGBA{R: 255, G: 255, B: 255, A: 255}:
		return "white"
	case color.NRGBA{A: 255}:
		return "black"
	}
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}

// image scales a picture of an EXIF orientation into out, size x size x 3, and reports whether that is grey.
//
// What is cut off and where borders come is decided as the picture is seen. The pixels are turned last, when they are few.
func (s scaler) image(picture image.Image, turn orientation, out []byte) (grey bool) {
	all := picture.Bounds()
	w, h := turn.seen(all.Dx(), all.Dy())
	from, to := s.rectangles(w, h)
	from = turn.stored(from, w, h).Add(all.Min)
	to = turn.stored(to, s.size, s.size)
	scaled := image.NewRGBA(image.Rect(0, 0, s.size, s.size))
	draw.Draw(scaled, scaled.Bounds(), image.NewUniform(s.background), image.Point{}, draw.Src)
	if from.Size() == to.Size() {
		draw.Draw(scaled, to, picture, from.Min, draw.Over)
	} else {
		draw.CatmullRom.Scale(scaled, to, picture, from, draw.Over, nil)
	}
	grey = true
	for y := range s.size {
		for x := range s.size {
			u, v := turn.pixel(x, y, s.size)
			rgb := scaled.Pix[4*(v*s.size+u):][:3]
			copy(out[3*(y*s.size+x):], rgb)
			grey = grey && rgb[0] == rgb[1] && rgb[1] == rgb[2]
		}
	}
	return grey
}

// rectangles returns the part of a w x h picture that is scaled, and the part of the image that it fills.
func (s scaler) rectangles(w, h int) (from, to image.Rectangle) {
	from, to = image.Rect(0, 0, w, h), image.Rect(0, 0, s.size, s.size)
	switch s.fit {
	case FitCrop:
		side := min(w, h)
		from = middle(w, h, side, side)
	case FitPad:
		longer := float64(max(w, h))
		fill := func(side int) int { return max(int(math.Round(float64(side)*float64(s.size)/longer)), 1) }
		to = middle(s.size, s.size, fill(w), fill(h))
	}
	return from, to
}

// middle returns the rectangle of dx x dy in the middle of one of w x h.
func middle(w, h, dx, dy int) image.Rectangle {
	x, y := (w-dx)/2, (h-dy)/2
	return image.Rect(x, y, x+dx, y+dy)
}

// muchCropped is the share of a picture that is much to lose: more than that of 3:2, less than that of 16:9.
const muchCropped = 0.4

// loses reports whether much of a w x h picture is cut off.
func (s scaler) loses(w, h int) bool {
	return s.fit == FitCrop && float64(min(w, h)) < (1-muchCropped)*float64(max(w, h))
}

// notes says what scaling did to pictures.
func (a *album) notes(s scaler, of ...pictures) []string {
	transparent, cropped, all := 0, 0, 0
	for _, p := range of {
		for _, path := range p.paths {
			all++
			page := a.pages[a.places[path]]
			if page.transparent {
				transparent++
			}
			if page.cropped {
				cropped++
			}
		}
	}
	var notes []string
	if transparent > 0 {
		have := "have"
		if transparent == 1 {
			have = "has"
		}
		notes = append(notes, fmt.Sprintf("%s %s transparent parts, which are %s in the images (--background chooses)", number(transparent, "picture"), have, s.colour()))
	}
	if 10*cropped > all {
		notes = append(notes, fmt.Sprintf("%d of %s lose more than %.0f %% to cropping; --fit %s or %s keeps all of them",
			cropped, number(all, "picture"), 100*muchCropped, FitStretch, FitPad))
	}
	return notes
}
