package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// display shows progress on standard error: a bar that redraws itself on a terminal,
// plain lines elsewhere, and nothing if it is quiet.
type display struct {
	w      io.Writer
	quiet  bool
	colour bool
	bar    *progressbar.ProgressBar // nil unless on a terminal
	gate   *gate                    // between the bar and w
	width  func() int               // of the terminal in columns; 0 if unknown
	drawn  time.Time                // when the bar was last drawn
	length int                      // of the text on the line of the bar; 0 if the line is clear
	narrow int                      // columns drawn without a bar; 0 if the line is clear
}

// gate is a writer that drops what comes while it is shut. The bar draws itself at every
// change; only the last one is wanted.
type gate struct {
	w    io.Writer
	shut bool
}

func (g *gate) Write(p []byte) (int, error) {
	if g.shut {
		return len(p), nil
	}
	return g.w.Write(p)
}

const (
	barWidth    = 20
	barMargin   = 12 // columns for the percentage, the brackets and spaces
	barParts    = 1000
	barLeast    = 40 // columns; a narrower terminal has no bar, but the share and the text
	barInterval = 100 * time.Millisecond
)

// newDisplay returns a display on standard error.
func (a *app) newDisplay(quiet bool) *display {
	d := &display{w: a.stderr, quiet: quiet}
	if quiet || !a.terminal(a.stderr) {
		return d
	}
	d.colour = a.getenv("NO_COLOR") == ""
	if f, ok := a.stderr.(*os.File); ok {
		d.width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return columns
		}
	}
	d.startBar()
	return d
}

func (d *display) startBar() {
	theme := progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}
	if d.colour {
		theme.Saucer, theme.SaucerHead = "[green]=[reset]", "[green]>[reset]"
	}
	d.gate = &gate{w: d.w}
	d.bar = progressbar.NewOptions(barParts,
		progressbar.OptionSetWriter(d.gate),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetTheme(theme),
		progressbar.OptionEnableColorCodes(d.colour),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionUseANSICodes(false),
	)
}

// line prints a line, above the bar if there is one.
func (d *display) line(format string, args ...any) {
	if d.quiet {
		return
	}
	d.clear()
	fmt.Fprintf(d.w, format+"\n", args...)
	d.drawn = time.Time{}
}

// due reports whether the bar may be drawn again, so that the text need not be made in vain.
func (d *display) due() bool { return d.bar != nil && time.Since(d.drawn) >= barInterval }

// update draws the bar with a share done, 0 to 1, and a text after it.
func (d *display) update(share float64, text string) {
	if !d.due() {
		return
	}
	d.drawn = time.Now()
	columns := 0
	if d.width != nil {
		columns = d.width()
	}
	if columns > 0 && columns < barLeast {
		d.drawNarrow(columns, share, text)
		return
	}
	if room := columns - barWidth - barMargin; columns > 0 && len(text) > room {
		text = text[:room]
	}
	d.clearNarrow()
	if rest := d.length - len(text); rest > 0 {
		text += strings.Repeat(" ", rest) // over what is left of a longer text
	}
	d.length = len(text)
	// A full bar would end itself; it ends in clear. A line that cannot be drawn is no reason to stop.
	d.gate.shut = true
	_ = d.bar.Set(min(max(int(share*barParts), 0), barParts-1))
	d.gate.shut = false
	d.bar.Describe(text)
}

// drawNarrow draws the share done and as much of the text as there is room for; the last column stays free, for some
// terminals go to the next line there.
func (d *display) drawNarrow(columns int, share float64, text string) {
	d.clear()
	line := fmt.Sprintf("%3d%% %s", int(100*min(max(share, 0), 1)), text)
	line = line[:min(len(line), columns-1)]
	fmt.Fprintf(d.w, "\r%s", line)
	d.narrow = len(line)
}

func (d *display) clearNarrow() {
	if d.narrow > 0 {
		fmt.Fprintf(d.w, "\r%s\r", strings.Repeat(" ", d.narrow))
		d.narrow = 0
	}
}

// clear takes the bar off the line.
func (d *display) clear() {
	d.clearNarrow()
	if d.length > 0 {
		fmt.Fprintf(d.w, "\r%s\r", strings.Repeat(" ", barWidth+barMargin+d.length-1))
		d.length = 0
	}
}

// paint sets text off in green where colours are wanted.
func (d *display) paint(text string) string {
	if !d.colour {
		return text
	}
	return "\x1b[32m" + text + "\x1b[0m"
}

// meter measures a rate over the last seconds.
type meter struct {
	times  []time.Time
	totals []int
}

const meterWindow = 5 * time.Second

// add notes the total that is reached now.
func (m *meter) add(now time.Time, total int) {
	if n := len(m.times); n > 0 && now.Sub(m.times[n-1]) < barInterval {
		return
	}
	m.times, m.totals = append(m.times, now), append(m.totals, total)
	for len(m.times) > 2 && now.Sub(m.times[1]) > meterWindow {
		m.times, m.totals = m.times[1:], m.totals[1:]
	}
}

// rate returns units per second, 0 as long as it is unknown.
func (m *meter) rate() float64 {
	if len(m.times) < 2 {
		return 0
	}
	last := len(m.times) - 1
	return float64(m.totals[last]-m.totals[0]) / m.times[last].Sub(m.times[0]).Seconds()
}

// formatTime prints a duration to the second: 48s, 2m05s, 1h02m.
func formatTime(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// plural prints a count with its noun: "1 epoch", "2 epochs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
