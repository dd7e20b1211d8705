package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// tableColumn is a column of a table.
type tableColumn struct {
	head, unit string // the unit stands on a second line of headers, if any column has one
	right      bool   // numbers stand at the right
	// spare orders what is left out where there is no room: the largest first, and never 0.
	spare int
	// long columns are cut before anything is left out: at the end, or at the start if the end tells more.
	long, fromStart bool
}

// table is text in columns, which fits the width of a terminal.
type table struct {
	columns []tableColumn
	rows    [][]string
}

const (
	tableGap  = 2  // spaces between columns
	longLeast = 12 // columns that a long column keeps
)

// newTable returns a table without rows.
func newTable(columns ...tableColumn) *table { return &table{columns: columns} }

// row adds a row. Cells that are missing at its end are empty.
func (t *table) row(cells ...string) {
	row := make([]string, max(len(t.columns), len(cells)))
	for i, cell := range cells {
		row[i] = escaped(cell)
	}
	t.rows = append(t.rows, row)
}

// write prints the table, whole if width is 0, else in that many columns: long columns are cut, then columns are left out, which a last line says.
func (t *table) write(w io.Writer, width int) error {
	lines := [][]string{make([]string, len(t.columns))}
	units := make([]string, len(t.columns))
	for i, c := range t.columns {
		lines[0][i], units[i] = c.head, c.unit
	}
	if strings.Join(units, "") != "" {
		lines = append(lines, units)
	}
	lines = append(lines, t.rows...)
	widths := make([]int, len(t.columns))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], textWidth(cell))
		}
	}
	shown := t.fit(widths, width)
	var b strings.Builder
	for _, cells := range lines {
		b.WriteString(t.line(cells, widths, shown, width))
		b.WriteByte('\n')
	}
	var left []string
	for i, c := range t.columns {
		if !shown[i] {
			left = append(left, strings.ToLower(c.head))
		}
	}
	if len(left) > 0 {
		b.WriteString(cutEnd("no room for: "+join(left), width))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit makes long columns narrower and says which columns are shown, so that the table fits the width as far as it can.
func (t *table) fit(widths []int, width int) (shown []bool) {
	shown = make([]bool, len(t.columns))
	for i := range shown {
		shown[i] = true
	}
	if width <= 0 {
		return shown
	}
	natural := slices.Clone(widths)
	for {
		copy(widths, natural) // what is left out makes room for the others
		need := -tableGap
		for i, w := range widths {
			if shown[i] {
				need += w + tableGap
			}
		}
		for need > width {
			widest := -1
			for i, c := range t.columns {
				if shown[i] && c.long && widths[i] > max(longLeast, textWidth(c.head)) && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
			need--
		}
		if need <= width {
			return shown
		}
		spare := -1
		for i, c := range t.columns {
			if shown[i] && c.spare > 0 && (spare < 0 || c.spare > t.columns[spare].spare) {
				spare = i
			}
		}
		if spare < 0 {
			return shown
		}
		shown[spare] = false
	}
}

// line returns a line of the table without spaces at its end.
func (t *table) line(cells []string, widths []int, shown []bool, width int) string {
	var b strings.Builder
	first := true
	for i, c := range t.columns {
		if !shown[i] {
			continue
		}
		if !first {
			fmt.Fprintf(&b, "%*s", tableGap, "")
		}
		first = false
		cut := cutEnd
		if c.fromStart {
			cut = cutStart
		}
		cell := cells[i]
		if width > 0 {
			cell = cut(cell, widths[i])
		}
		if c.right {
			b.WriteString(fill(cell, widths[i]) + cell)
		} else {
			b.WriteString(cell + fill(cell, widths[i]))
		}
	}
	line := strings.TrimRight(b.String(), " ")
	if width > 0 {
		line = cutEnd(line, width)
	}
	return line
}
