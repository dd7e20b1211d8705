package main

import (
	"errors"
	"math"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
)

// csvFlags say how a CSV file becomes images.
type csvFlags struct {
	label  string
	header dataset.Header
	scale  float64
}

// csvFlagNames are those of the flags, all of which decide what images there are.
func csvFlagNames() []string { return []string{"label-column", "header", "pixel-scale"} }

func (c *csvFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.label, "label-column", "", "`NAME` in the header, or number from 1, of the column with the labels of data set digits (default found by itself)")
	c.header = dataset.HeaderAuto
	flags.Var(nameValue{p: (*string)(&c.header), names: headerNames()}, "header", "`ANSWER` to whether the first line of data set digits is a header: yes, no, or auto to find out")
	flags.Var(scaleValue{&c.scale}, "pixel-scale", "`VALUE` of a white pixel of data set digits, above which pixels are clipped: 1, 16, 255 or any other, or auto to find out which of the three")
}

func headerNames() []string {
	var names []string
	for _, h := range dataset.Headers() {
		names = append(names, string(h))
	}
	return names
}

// set makes the flags options of the data set.
func (c *csvFlags) set(o *dataset.Options) {
	o.Label, o.Header, o.PixelScale = c.label, c.header, c.scale
}

// scaleValue is the value of a white pixel, or auto, which is 0.
type scaleValue struct{ p *float64 }

func (v scaleValue) Type() string { return "value" }
func (v scaleValue) String() string {
	if v.p == nil || *v.p == 0 {
		return "auto"
	}
	return strconv.FormatFloat(*v.p, 'g', -1, 64)
}

func (v scaleValue) Set(s string) error {
	if s == "auto" {
		*v.p = 0
		return nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= math.SmallestNonzeroFloat32 && x <= math.MaxFloat32) {
		return errors.New("want auto or a number above 0, such as 1, 16 or 255")
	}
	*v.p = x
	return nil
}
