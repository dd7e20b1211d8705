package dataset

import (
	"fmt"
	"math/bits"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// Augment says how training images are varied. The zero value leaves them as they are.
// What happens to a sample depends on the seed, the epoch and its place in the split,
// never on the order of work.
type Augment struct {
	// Pad is the number of black pixels added on every side before an image of the
	// original size is cut out at a random place.
	Pad int
	// Flip mirrors every second image, chosen at random, left to right.
	Flip bool
	// Cutout is the side, in pixels, of a square around a random pixel that is set to
	// the mean; the part outside the image is lost (DeVries and Taylor 2017,
	// arXiv:1708.04552).
	Cutout int
}

func (a Augment) check(height, width int) error {
	switch {
	case a.Pad < 0 || a.Pad > min(height, width):
		return fmt.Errorf("dataset: a padding of %d pixels for %dx%d images", a.Pad, height, width)
	case a.Cutout < 0 || a.Cutout > 2*max(height, width):
		return fmt.Errorf("dataset: a cutout of %d pixels for %dx%d images", a.Cutout, height, width)
	}
	return nil
}

// choice is what happens to one image.
type choice struct {
	dy, dx      int // the image is moved down and right by this
	flip        bool
	top, bottom int  // the rows of the cutout
	left, right int  // and its columns
	plain       bool // nothing happens
}

// choose draws the variation of one sample.
func (a Augment) choose(seed, epoch uint64, sample, height, width int) choice {
	if a == (Augment{}) {
		return choice{plain: true}
	}
	key := stream.Seed(seed, "dataset/augment", epoch, uint64(sample))
	// One draw per decision, whether used or not, keeps decisions independent of each
	// other's settings.
	draw := func(purpose uint64, n int) int {
		high, _ := bits.Mul64(stream.Mix(key+purpose), uint64(n))
		return int(high)
	}
	var c choice
	c.dy = draw(0, 2*a.Pad+1) - a.Pad
	c.dx = draw(1, 2*a.Pad+1) - a.Pad
	c.flip = a.Flip && draw(2, 2) == 1
	if a.Cutout > 0 {
		c.top = draw(3, height) - a.Cutout/2
		c.left = draw(4, width) - a.Cutout/2
		c.bottom = min(c.top+a.Cutout, height)
		c.right = min(c.left+a.Cutout, width)
		c.top, c.left = max(c.top, 0), max(c.left, 0)
	}
	return c
}

// render writes one image, varied and normalised, to out (H x W x C).
func (c choice) render(out []float32, image []byte, height, width, channels int, table []float32) {
	if c.plain {
		normalise(out, image, channels, table)
		return
	}
	row := width * channels
	// The columns of the output that show the image; black ones are on the left and on
	// the right of them. A flip mirrors what the move has made.
	dx := c.dx
	if c.flip {
		dx = -dx
	}
	lo, hi := min(max(dx, 0), width), max(min(width+dx, width), 0)
	for y := range height {
		dst := out[y*row : (y+1)*row]
		from := y - c.dy
		if from < 0 || from >= height || lo >= hi {
			blacken(dst, channels, table)
			continue
		}
		src := image[from*row : (from+1)*row]
		blacken(dst[:lo*channels], channels, table)
		blacken(dst[hi*channels:], channels, table)
		if !c.flip {
			normalise(dst[lo*channels:hi*channels], src[(lo-dx)*channels:(hi-dx)*channels], channels, table)
			continue
		}
		for x := lo; x < hi; x++ {
			pixel := src[(width-1-x+dx)*channels:][:channels]
			for k, v := range pixel {
				dst[x*channels+k] = table[256*k+int(v)]
			}
		}
	}
	for y := c.top; y < c.bottom; y++ {
		clear(out[y*row+c.left*channels : y*row+c.right*channels])
	}
}

// blacken writes black pixels.
func blacken(out []float32, channels int, table []float32) {
	for i := range out {
		out[i] = table[256*(i%channels)]
	}
}

// normalise writes pixels through the table.
func normalise(out []float32, image []byte, channels int, table []float32) {
	if channels == 1 {
		table = table[:256]
		for i, v := range image {
			out[i] = table[v]
		}
		return
	}
	for k := range channels {
		values := table[256*k : 256*(k+1)]
		for i := k; i < len(image); i += channels {
			out[i] = values[image[i]]
		}
	}
}
