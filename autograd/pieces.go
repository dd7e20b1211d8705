package autograd

import "github.com/nasbench-go/nasbench/tensor"

// A concatenation copies its inputs side by side, and its gradient, slices, takes them apart again. Compile saves both where it can: a value that is
// concatenated is computed inside of the result, and a slice is read inside of what it is cut from. Such a value is a piece: its pixels (rows of the innermost
// dimension) lie as far apart as those of the whole. What cannot be a piece is copied as before, on its own: a concatenation may have inputs of both kinds.
// No bit of any value depends on it.
//
// A piece whose elements lie side by side all the same, such as some images or a part of a vector, is read and written like any other value. The others
// must suit the operations that touch them, which say so with Apart.
type piece struct {
	whole *Node
	at    int // the first channel of the whole or, if the elements lie side by side, the first element
	dense bool
}

// sliced reports whether a node that is the piece, if it is one, is a slice: its whole comes before it.
func (p piece) sliced(n *Node) bool {
	_, ok := n.op.(*slice)
	return ok && p.whole == n.in[0]
}

// place returns where the piece lies when its whole lies at the given place.
func (p piece) place(at place) place {
	switch {
	case p.dense:
		at.offset += p.at
	case at.stride > 0: // a piece of a piece
		at.channel += p.at
	default:
		at.stride, at.channel = p.whole.shape.Last(), p.at
	}
	return at
}

// aparter is an operation that works on values whose pixels lie apart.
type aparter interface {
	// Apart returns the inputs that it can read there, and whether it can write its output there.
	Apart(in []tensor.Shape, out tensor.Shape) (inputs []int, output bool)
}

// apart returns which inputs of a node may be pieces, and whether it may be one.
func apart(n *Node) (inputs []int, output bool) {
	if op, ok := n.op.(aparter); ok {
		return op.Apart(shapesOf(n.in), n.shape)
	}
	return nil, false
}

// use is one of the places where a node is read: as input of another.
type use struct {
	user  *Node
	input int
}

// apart reports whether the node may be a piece there.
func (u use) apart() bool {
	inputs, _ := apart(u.user)
	return contains(inputs, u.input)
}

// copies reports whether the user does nothing but copy.
func (u use) copies() bool {
	switch u.user.op.(type) {
	case *slice, *concat:
		return true
	}
	return false
}

// cutter looks for the pieces of a schedule.
type cutter struct {
	uses    map[*Node][]use
	outputs map[*Node]bool
	written map[*Node]bool // variables that an operation writes to
	frozen  map[*Node]bool
	groups  map[*Node]*rowGroup
	pieces  map[*Node]piece
}

// cut returns which values of a schedule are pieces of others. Outputs never are: whoever reads them expects their elements side by side.
func cut(schedule, outputs []*Node, groups []*rowGroup, frozen map[*Node]bool) map[*Node]piece {
	c := &cutter{
		uses: make(map[*Node][]use, len(schedule)), outputs: make(map[*Node]bool, len(outputs)), written: map[*Node]bool{},
		frozen: frozen, groups: map[*Node]*rowGroup{}, pieces: map[*Node]piece{},
	}
	for _, g := range groups {
		for _, n := range schedule[g.first : g.last+1] {
			c.groups[n] = g
		}
	}
	for _, n := range outputs {
		c.outputs[n] = true
	}
	for _, n := range schedule {
		for i, in := range n.in {
			c.uses[in] = append(c.uses[in], use{n, i})
		}
		if w, ok := n.op.(writer); ok {
			for _, i := range w.Writes() {
				c.written[n.in[i]] = true
			}
		}
	}
	for _, n := range schedule {
		if s, ok := n.op.(*slice); ok {
			c.slice(n, s)
		}
	}
	for _, n := range schedule {
		if _, ok := n.op.(*concat); ok {
			c.concat(n)
		}
	}
	return c.pieces
}

// slice makes a slice a piece of what it is cut from, if all that read it can do so there and that costs less than a copy. Where it is copied into a
// concatenation, that always does.
func (c *cutter) slice(n *Node, s *slice) {
	x := n.in[0]
	if c.outputs[n] || n.shape.Elements() == 0 || c.written[storage(x)] {
		return
	}
	// A whole that lives on because of a piece takes memory, but for one that lives as long as the group in which it is read.
	cheap := storage(x).kind != opNode || x.shape.Elements() <= max(2*n.shape.Elements(), fewFloats)
	if at, ok := s.run(x.shape, n.shape); ok {
		grouped := true
		for _, u := range c.uses[n] {
			grouped = grouped && c.together(x, u.user)
		}
		if cheap || grouped {
			c.pieces[n] = piece{x, at, true}
		}
		return
	}
	at, ok := s.columns(x.shape, n.shape)
	if !ok {
		return
	}
	readers := 0
	for _, u := range c.uses[n] {
		if cheap && u.copies() && u.apart() {
			continue // instead of copying the copy
		}
		readers++
		if !u.apart() || readers > sliceReaders || !c.together(x, u.user) {
			return
		}
	}
	c.pieces[n] = piece{x, at, false}
}

// storage returns the node whose memory a node lies in, if it is a view, or else the node.
func storage(n *Node) *Node {
	for n.op != nil {
		if _, view := n.op.(viewer); !view {
			break
		}
		n = n.in[0]
	}
	return n
}

// concat makes inputs of a concatenation pieces of it.
func (c *cutter) concat(n *Node) {
	if n.shape.Elements() == 0 {
		return
	}
	at, dense := 0, n.shape.Rows() == 1
	for _, x := range n.in {
		if c.joins(x, n, dense) {
			c.pieces[x] = piece{n, at, dense}
		}
		at += x.shape.Last()
	}
}

// joins reports whether a node is computed inside of a concatenation. It must have a value of its own, which is neither an output nor a
// part of two concatenations nor itself a concatenation.
func (c *cutter) joins(x, whole *Node, dense bool) bool {
	if x.kind != opNode || c.outputs[x] || c.frozen[x] != c.frozen[whole] || x.shape.Elements() == 0 {
		return false
	}
	if _, view := x.op.(viewer); view {
		return false
	}
	if _, again := x.op.(*concat); again {
		return false
	}
	if _, placed := c.pieces[x]; placed {
		return false
	}
	joined := 0
	for _, u := range c.uses[x] {
		if _, again := u.user.op.(*concat); again {
			joined++
		}
		if !dense && (!u.apart() || !c.together(whole, u.user)) {
			return false
		}
	}
	if joined > 1 {
		return false
	}
	_, writes := apart(x)
	return dense || writes && c.together(whole, x) && len(c.uses[x]) <= 1+joinReaders
}

// Pixels that lie apart are slow to reach in memory: lines are fetched that hold little of the piece, and streams of them are not foreseen. Measured on a
// Zen 3, reading 8 to 64 channels of four times as many from there takes six to nine tenths of the time of copying them, and writing them as much; a copy that is in a
// cache is read in a fifth of it. In a cache, pixels that lie apart take half as long as a copy and up to half as long again as elements that lie
// side by side. So a piece whose pixels lie apart must be hot: what writes and reads it runs in one group, a few images at a time. And it must not be read so
// often that a copy pays all the same. (Pieces of small values would be hot too, but two operations that write into one concatenation cannot meet in a
// wave, and that costs more.)
const (
	fewFloats    = 1 << 12 // of a whole that may live longer than it must
	sliceReaders = 3       // of a slice
	joinReaders  = 2       // of an input of a concatenation, besides that
)

// together reports whether two nodes are computed in one group.
func (c *cutter) together(a, b *Node) bool {
	g := c.groups[a]
	return g != nil && g == c.groups[b]
}
