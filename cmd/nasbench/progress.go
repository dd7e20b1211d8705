package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
)

// display shows progress on standard error: a line that redraws itself on a terminal,
// plain lines elsewhere, and nothing if it is quiet.
type display struct {
	w      io.Writer
	quiet  bool
	live   bool // on a terminal
	colour bool
	width  func() int // of the terminal in columns; nil or 0 if unknown
	drawn  time.Time  // when the line was last drawn
	length int        // columns drawn; 0 if the line is clear
}

// What the redrawn line has beside its text: the share done, and a bar, which is short where there is little room and missing where there is less.
const (
	barLong     = 20
	barShort    = 10
	barLeast    = 70 // columns of a terminal with a bar
	barWide     = 120
	barDefault  = 80 // columns if they are unknown
	barInterval = 100 * time.Millisecond
)

// newDisplay returns a display on standard error.
func (a *app) newDisplay(quiet bool) *display {
	d := &display{w: a.stderr, quiet: quiet}
	if quiet || !a.terminal(a.stderr) {
		return d
	}
	d.live, d.colour = true, a.getenv("NO_COLOR") == ""
	if f := fileOf(a.stderr); f != nil {
		d.width = func() int {
			// COLUMNS may make the line shorter, but never longer than what can be redrawn.
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return min(columns, a.columns(f))
		}
	}
	return d
}

// short prints a line like line does, but on a terminal no longer than its width.
func (d *display) short(text string) {
	text = escaped(text)
	if room := d.room(); room > 0 {
		text = cutEnd(text, room)
	}
	d.line("%s", strings.Replace(text, bestSoFar, d.paint(bestSoFar), 1))
}

// line prints a line, above the one that redraws itself.
func (d *display) line(format string, args ...any) {
	if d.quiet {
		return
	}
	d.clear()
	text := fmt.Sprintf(format, args...)
	if strings.ContainsAny(text, "\n\r\t") {
		text = escaped(text) // a name in it pretends to be a line
	}
	fmt.Fprintln(d.w, text)
	d.drawn = time.Time{}
}

// lines prints some texts, a line each.
func (d *display) lines(texts []string) {
	for _, text := range texts {
		d.line("%s", text)
	}
}

// due reports whether the line may be drawn again, so that the text need not be made in vain.
func (d *display) due() bool { return d.live && time.Since(d.drawn) >= barInterval }

// room returns the columns that a line may take; the last one stays free, for some terminals go on to the next line there. It is 0 if
// there is no bound.
func (d *display) room() int {
	if !d.live {
		return 0
	}
	columns := barDefault
	if d.width != nil {
		if n := d.width(); n > 0 {
			columns = n
		}
	}
	return max(columns-1, 1)
}

// update draws the share done, 0 to 1, a bar, and after it as many of the parts as there is room for, of which the most important comes first.
func (d *display) update(share float64, parts ...string) {
	if !d.due() {
		return
	}
	d.drawn = time.Now()
	share = min(max(share, 0), 1)
	room := d.room()
	head := fmt.Sprintf("%3d%% ", int(100*share))
	bar := 0
	switch {
	case room+1 >= barWide:
		bar = barLong
	case room+1 >= barLeast:
		bar = barShort
	}
	if bar > 0 {
		head += d.bar(share, bar) + " "
	}
	plain := 5
	if bar > 0 {
		plain += bar + 3
	}
	text := fitParts(parts, room-plain)
	length := plain + textWidth(text)
	if length > room { // not even the share fits
		head, length = cutEnd(head, room), room
	}
	// Spaces go over what is left of a longer line.
	fmt.Fprintf(d.w, "\r%s%s%s", head, text, strings.Repeat(" ", max(min(d.length, room)-length, 0)))
	d.length = max(length, min(d.length, room))
}

// bar returns a bar of so many columns between brackets.
func (d *display) bar(share float64, width int) string {
	done := int(share * float64(width))
	head := ""
	if done < width {
		head = ">"
	}
	return "[" + d.paint(strings.Repeat("=", done)+head) + strings.Repeat(" ", width-done-len(head)) + "]"
}

// fitParts joins parts until there is no room for the next one. The first and the last part are rather cut than left out.
func fitParts(parts []string, room int) string {
	text := ""
	for i, part := range parts {
		if part == "" {
			continue
		}
		part = escaped(part)
		if text != "" {
			part = ", " + part
		}
		left := room - textWidth(text)
		switch {
		case textWidth(part) <= left:
			text += part
		case text == "" || i == len(parts)-1 && left >= cutLeast:
			return text + cutEnd(part, left)
		default:
			return text
		}
	}
	return text
}

// cutLeast is the room from which a cut part says something.
const cutLeast = 12

// clear takes what is drawn off its line.
func (d *display) clear() {
	if d.length > 0 {
		fmt.Fprintf(d.w, "\r%s\r", strings.Repeat(" ", min(d.length, d.room())))
		d.length = 0
	}
}

// paint sets text off in green where colours are wanted.
func (d *display) paint(text string) string {
	if !d.colour {
		return text
	}
	return colourGreen + text + colourOff
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
