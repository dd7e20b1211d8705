package main

import (
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Size of a plot.
const (
	plotWidth  = 7 * vg.Inch
	plotHeight = 5 * vg.Inch
)

// checkPlot finds out before any time is spent whether a plot can be written.
func checkPlot(path string) error {
	if path == "" {
		return nil
	}
	if !strings.HasSuffix(path, ".svg") {
		return usagef("--plot %q: the name must end in .svg", path)
	}
	if err := writable(path); err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	return nil
}

// writePlot draws the curve of every strategy but for its first twentieth, the mean as a line in the band between the quartiles, as SVG.
func (o *compareOptions) writePlot(r *comparisonReport) error {
	p := plot.New()
	p.X.Label.Text = "evaluations"
	p.Y.Label.Text = fmt.Sprintf("%s of the best by %s", o.report, o.metric)
	p.Title.Text = fmt.Sprintf("%s, mean and quartiles", plural(o.runs, "run"))
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(-8), vg.Points(8)
	p.Add(plotter.NewGrid())
	for i, c := range r.Strategies {
		var mean, upper, lower plotter.XYs
		for _, s := range c.Curve {
			if s.Evaluations <= o.trials/20 {
				continue // so far below that all else would be pressed together
			}
			x := float64(s.Evaluations)
			mean = append(mean, plotter.XY{X: x, Y: s.Mean})
			upper = append(upper, plotter.XY{X: x, Y: s.Q3})
			lower = append(lower, plotter.XY{X: x, Y: s.Q1})
		}
		slices.Reverse(lower)
		band, err := plotter.NewPolygon(slices.Concat(upper, lower))
		if err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
		line, err := plotter.NewLine(mean)
		if err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
		line.Color = plotutil.Color(i)
		line.Width = vg.Points(1.5)
		red, green, blue, _ := line.Color.RGBA()
		band.Color = color.NRGBA{uint8(red >> 8), uint8(green >> 8), uint8(blue >> 8), 48}
		band.LineStyle.Width = 0
		p.Add(band, line)
		p.Legend.Add(c.Strategy, line)
	}
	canvas := vgsvg.New(plotWidth, plotHeight)
	p.Draw(draw.New(canvas))
	return writeOut("--plot", o.plot, func(w io.Writer) error {
		_, err := canvas.WriteTo(w)
		return err
	})
}
