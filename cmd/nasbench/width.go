package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// ellipsis stands where text was cut.
const ellipsis = "…"

// textWidth returns the columns that text takes on a terminal: two for wide characters, none for marks that combine with the one before.
func textWidth(text string) int { return uniseg.StringWidth(text) }

// cutEnd returns as much of the beginning of text as there is room for, with an ellipsis if something is missing.
func cutEnd(text string, room int) string {
	if textWidth(text) <= room {
		return text
	}
	if room < 1 {
		return ""
	}
	used, kept := 0, 0
	for rest, state := text, -1; rest != ""; {
		var cluster string
		var width int
		cluster, rest, width, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+width > room-1 {
			break
		}
		used, kept = used+width, kept+len(cluster)
	}
	return text[:kept] + ellipsis
}

// cutStart is cutEnd for text whose end tells more than its beginning, such as the path of a file.
func cutStart(text string, room int) string {
	left := textWidth(text)
	if left <= room {
		return text
	}
	if room < 1 {
		return ""
	}
	rest, state := text, -1
	for rest != "" && left > room-1 {
		var width int
		_, rest, width, state = uniseg.FirstGraphemeClusterInString(rest, state)
		left -= width
	}
	return ellipsis + rest
}

// fill returns the spaces that bring text to a width.
func fill(text string, width int) string { return strings.Repeat(" ", max(width-textWidth(text), 0)) }

// columns returns the width to fit what is written to w into: that of its terminal, or what COLUMNS says about that (POSIX, Base Definitions 8.3).
// It is 0 for files and pipes, which get everything whole.
func (a *app) columns(w io.Writer) int {
	f := fileOf(w)
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}
