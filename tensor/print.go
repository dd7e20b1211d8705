package tensor

import (
	"strconv"
	"strings"
)

const (
	printWhole = 1000 // tensors with at most this many elements are printed whole
	printEdge  = 3    // of longer dimensions, this many indices at either end
)

// String formats the shape and the elements, one row of the innermost dimension a
// line. Of a tensor of more than 1,000 elements, dimensions longer than six show the
// first three and the last three indices, with … between them.
//
//	2x3
//	[[1 2.5 3]
//	 [4   5 6]]
func (t *Tensor) String() string {
	switch {
	case len(t.shape) == 0:
		return "scalar\n" + format(t.data[0])
	case t.Len() == 0:
		return t.shape.String() + "\n[]"
	}
	p := printer{t: t, elide: t.Len() > printWhole}
	index := make([]int, len(t.shape))
	p.each(index, 0, func(v float32) { p.width = max(p.width, len(format(v))) })
	p.b.WriteString(t.shape.String())
	p.b.WriteByte('\n')
	p.write(index, 0)
	return p.b.String()
}

func format(v float32) string { return strconv.FormatFloat(float64(v), 'g', 5, 32) }

type printer struct {
	t     *Tensor
	b     strings.Builder
	elide bool
	width int // of the widest element shown
}

// steps calls f with every index of dimension d that is shown, and with -1 where
// indices are left out.
func (p *printer) steps(d int, f func(i int)) {
	n := p.t.shape[d]
	for i := 0; i < n; i++ {
		if p.elide && n > 2*printEdge && i == printEdge {
			f(-1)
			i = n - printEdge
		}
		f(i)
	}
}

// each calls f with every element that is shown.
func (p *printer) each(index []int, d int, f func(v float32)) {
	if d == len(index) {
		f(p.t.At(index...))
		return
	}
	p.steps(d, func(i int) {
		if i >= 0 {
			index[d] = i
			p.each(index, d+1, f)
		}
	})
}

// write prints the part of the tensor under index[:d].
func (p *printer) write(index []int, d int) {
	innermost := d == len(index)-1
	p.b.WriteByte('[')
	first := true
	p.steps(d, func(i int) {
		switch {
		case first:
		case innermost:
			p.b.WriteByte(' ')
		default:
			p.b.WriteString(strings.Repeat("\n", len(index)-1-d))
			p.b.WriteString(strings.Repeat(" ", d+1))
		}
		first = false
		switch {
		case i < 0:
			p.b.WriteString("…")
		case innermost:
			index[d] = i
			s := format(p.t.At(index...))
			p.b.WriteString(strings.Repeat(" ", p.width-len(s)))
			p.b.WriteString(s)
		default:
			index[d] = i
			p.write(index, d+1)
		}
	})
	p.b.WriteByte(']')
}
