package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Names of files, classes and studies may hold anything: characters that steer a terminal or turn the direction of text, and bytes that are no
// text. Everything that is printed goes through a visibleWriter, which is the one place that makes them visible.

// What the program itself says to a terminal, for colours.
const (
	colourGreen = "\x1b[32m"
	colourOff   = "\x1b[0m"
)

// visibleWriter escapes what is not to be seen, but for ends of lines and tabs. The escapes are those of JSON, which so stays JSON.
type visibleWriter struct {
	w      io.Writer
	steers bool // on a terminal: carriage returns and the program's own colours pass

	mu   sync.Mutex
	rest []byte // of a character that a write has cut
}

// newVisibleWriter returns a writer to w; steers says whether the program redraws lines and colours text there.
func newVisibleWriter(w io.Writer, steers bool) *visibleWriter {
	return &visibleWriter{w: w, steers: steers}
}

func (v *visibleWriter) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.rest) == 0 && plainText(p) {
		return v.w.Write(p)
	}
	text := append(v.rest, p...)
	v.rest = nil
	if cut := incomplete(text); cut > 0 {
		v.rest = append(v.rest, text[len(text)-cut:]...)
		text = text[:len(text)-cut]
	}
	if _, err := io.WriteString(v.w, v.visible(string(text))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what waits in a visibleWriter for the rest of a character.
func flush(w io.Writer) error {
	v, ok := w.(*visibleWriter)
	if !ok {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.rest) == 0 {
		return nil
	}
	_, err := io.WriteString(v.w, escaped(string(v.rest)))
	v.rest = nil
	return err
}

// visible escapes text, but for what the program itself says to a terminal.
func (v *visibleWriter) visible(text string) string {
	var b strings.Builder
	for text != "" {
		own := 0
		switch {
		case text[0] == '\n' || text[0] == '\t' || v.steers && text[0] == '\r':
			own = 1
		case v.steers && strings.HasPrefix(text, colourGreen):
			own = len(colourGreen)
		case v.steers && strings.HasPrefix(text, colourOff):
			own = len(colourOff)
		}
		if own == 0 {
			_, size := utf8.DecodeRuneInString(text)
			b.WriteString(escaped(text[:size]))
			own = size
		} else {
			b.WriteString(text[:own])
		}
		text = text[own:]
	}
	return b.String()
}

// plainText reports whether all bytes are ASCII that is to be seen, or ends of lines and tabs.
func plainText(p []byte) bool {
	for _, c := range p {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// incomplete returns how many bytes at the end of text begin a character that is not all there.
func incomplete(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// escaped returns text in which everything is to be seen, ends of lines and tabs too: a name takes a part of a line.
func escaped(text string) string {
	if strings.IndexFunc(text, unseen) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case !unseen(r):
			b.WriteString(text[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// unseen reports whether a character steers a terminal, turns the direction of text, or shows nothing. Joiners, without which words of some
// languages are misspelt, are to be seen.
func unseen(r rune) bool {
	const joiner, nonJoiner = 0x200d, 0x200c
	return !unicode.IsGraphic(r) && r != joiner && r != nonJoiner
}

// fileOf returns the file that a writer of the program writes to; nil if it is none.
func fileOf(w io.Writer) *os.File {
	switch w := w.(type) {
	case *os.File:
		return w
	case *checkedWriter:
		return fileOf(w.w)
	case *visibleWriter:
		return fileOf(w.w)
	}
	return nil
}
