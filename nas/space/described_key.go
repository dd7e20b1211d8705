package space

import (
	"bytes"
	"slices"
	"strconv"
)

// describedKeyPrefix names the descriptions below; a change to them would give stored trials new keys.
const describedKeyPrefix = "-1-"

// Key returns a digest of what is computed. Names of operations leave no trace in it, nor does the order in which nodes are
// numbered: another order changes at most that of a cell's output channels, and weights are learned for any.
func (s *described) Key(g Genome) string {
	units, err := s.units(g)
	if err != nil {
		return ""
	}
	text := []byte(nil)
	if s.kind == chainKind {
		text = s.write(newNetwork(s.task, false), units).describe()
	} else {
		text = s.canonicalCell(units)
	}
	return digest(s.name+describedKeyPrefix, text)
}

// describe writes down the operations that the last one needs, numbered in post-order.
func (n *network) describe() []byte {
	w := networkWriter{network: n, number: make([]int, len(n.nodes))}
	w.write(ref(len(n.nodes) - 1))
	return w.text
}

type networkWriter struct {
	*network
	number []int // 0: not yet written
	next   int
	text   []byte
}

func (w *networkWriter) write(x ref) int {
	if w.number[x] > 0 {
		return w.number[x]
	}
	o := &w.nodes[x]
	in := o.inputs()
	numbers := make([]int, len(in))
	for i, y := range in {
		numbers[i] = w.write(y)
	}
	w.text = append(w.text, opKindNames[o.kind]...)
	for _, v := range []int{o.out.c, o.window, o.stride, o.dilation, o.groups} {
		w.text = strconv.AppendInt(append(w.text, ' '), int64(v), 10)
	}
	for _, v := range numbers {
		w.text = strconv.AppendInt(append(w.text, " $"...), int64(v), 10)
	}
	w.text = append(w.text, ';')
	w.next++
	w.number[x] = w.next
	return w.next
}

// inputs returns the values that an operation takes.
func (o *operation) inputs() []ref {
	switch o.kind {
	case imageOp:
		return nil
	case addOp:
		return o.in[:2]
	case concatOp:
		return o.all
	}
	return o.in[:1]
}

// canonicalCell returns the smallest description of a cell over all orders of its nodes in which each comes after
// those that it needs.
//
// Values are numbered: 0 is what the cell starts with. A node is the sorted list of its operations, each with the
// number of its value. A node that only passes a value on has that value's number, and nodes without weights that
// compute the same have one number.
func (s *described) canonicalCell(units []unit) []byte {
	c := cellOrder{described: s, needed: s.needed(units)}
	for node := range s.nodes {
		if !c.needed[node] {
			continue
		}
		c.count++
		for i := range units {
			if u := &units[i]; u.node == node && s.operations[u.op].kind != noneBlock {
				c.edges[node] = append(c.edges[node], *u)
			}
		}
	}
	c.place(0, nil)
	return c.best
}

// cellOrder tries the orders of the nodes of a cell.
type cellOrder struct {
	*described
	needed [maxDescribedNodes]bool
	edges  [maxDescribedNodes][]unit
	count  int
	value  [maxDescribedNodes + 1]byte // of each state
	best   []byte
}

// place adds one more node to those in the mask, whose descriptions are texts, in the order of their numbers from 1.
func (c *cellOrder) place(mask int, texts [][]byte) {
	placed := 0
	for node := range c.nodes {
		if mask&(1<<node) != 0 {
			placed++
		}
	}
	if placed == c.count {
		text := append(bytes.Join(texts, []byte{';'}), '=')
		if text = append(text, c.outputs()...); c.best == nil || bytes.Compare(text, c.best) < 0 {
			c.best = text
		}
		return
	}
	for node := range c.nodes {
		if !c.needed[node] || mask&(1<<node) != 0 || !c.ready(node, mask) {
			continue
		}
		number, text := c.describe(node, texts)
		c.value[node+1] = number
		if text == nil {
			c.place(mask|1<<node, texts)
		} else {
			c.place(mask|1<<node, append(texts[:len(texts):len(texts)], text))
		}
	}
}

// ready reports whether all that a node takes is placed.
func (c *cellOrder) ready(node, mask int) bool {
	for _, u := range c.edges[node] {
		if u.from > 0 && mask&(1<<(u.from-1)) == 0 {
			return false
		}
	}
	return true
}

// describe returns the number of a node's value and, if the value is new, its description.
func (c *cellOrder) describe(node int, texts [][]byte) (byte, []byte) {
	var terms [][]byte
	weighted := c.nodeNorm
	for i := range c.edges[node] {
		u := &c.edges[node][i]
		kind := c.operations[u.op].kind
		side, dilation := c.description.value(u, "kernel"), c.description.value(u, "dilation")
		if kind == linearBlock && c.nodeNorm {
			kind, side = convBlock, 1
		}
		if kind == skipBlock && len(c.edges[node]) == 1 && !c.nodeNorm {
			return c.value[u.from], nil
		}
		weighted = weighted || kind.weighted()
		terms = append(terms, []byte{'a' + byte(kind), '0' + byte(side), '0' + byte(dilation), 'A' + c.value[u.from]})
	}
	slices.SortFunc(terms, bytes.Compare)
	text := bytes.Join(terms, nil)
	if !weighted {
		for i, old := range texts {
			if bytes.Equal(old, text) {
				return byte(i + 1), nil
			}
		}
	}
	return byte(len(texts) + 1), text
}

// outputs lists the values of the cell's output.
func (c *cellOrder) outputs() []byte {
	if c.output == lastOutput {
		return []byte{'A' + c.value[c.nodes]}
	}
	var out []byte
	for node := range c.nodes {
		out = append(out, 'A'+c.value[node+1])
	}
	slices.Sort(out)
	return out
}
