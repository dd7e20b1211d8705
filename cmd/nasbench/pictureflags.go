package main

import (
	"errors"
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/image/colornames"

	"github.com/nasbench-go/nasbench/dataset"
)

// pictureFlags say how the pictures of a folder become images.
type pictureFlags struct {
	fit        dataset.Fit
	background color.RGBA
	skipBad    bool
}

// pictureFlagNames are those of the flags, all of which decide what images there are.
func pictureFlagNames() []string { return []string{"fit", "background", "skip-bad"} }

func (p *pictureFlags) add(flags *pflag.FlagSet) {
	p.fit, p.background = dataset.FitCrop, colornames.White
	flags.Var(nameValue{p: (*string)(&p.fit), names: fitNames()}, "fit", "`NAME` of the way in which pictures of data set images become square: crop to the middle, stretch, or pad with the background")
	flags.Var(colourValue{&p.background}, "background", "`COLOUR` under transparent parts of pictures of data set images: a name or #rrggbb")
	flags.BoolVar(&p.skipBad, "skip-bad", false, "leave out pictures of data set images that cannot be read")
}

func fitNames() []string {
	var names []string
	for _, f := range dataset.Fits() {
		names = append(names, string(f))
	}
	return names
}

// set makes the flags options of the data set.
func (p *pictureFlags) set(o *dataset.Options) {
	o.Fit, o.Background, o.SkipBad = p.fit, p.background, p.skipBad
}

// colourValue is an opaque colour. It prints itself in one way, whatever way it was given: as a study records it.
type colourValue struct{ p *color.RGBA }

func (v colourValue) Type() string { return "colour" }
func (v colourValue) String() string {
	if v.p == nil {
		return ""
	}
	switch *v.p {
	case colornames.White:
		return "white"
	case colornames.Black:
		return "black"
	}
	return fmt.Sprintf("#%02x%02x%02x", v.p.R, v.p.G, v.p.B)
}

func (v colourValue) Set(s string) error {
	name := strings.ToLower(s)
	if c, ok := colornames.Map[name]; ok {
		*v.p = c
		return nil
	}
	digits := strings.TrimPrefix(name, "#") // without it the shell needs no quotes
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 24)
	if err != nil || len(digits) != 6 {
		return errors.New("want a name such as white or black, or #rrggbb" + didYouMean(name, colornames.Names))
	}
	*v.p = color.RGBA{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), A: 255}
	return nil
}
