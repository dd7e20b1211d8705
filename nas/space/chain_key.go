package space

import "strconv"

// The key of a genome is a digest of the computation that it builds, written down in an order
// that depends on the computation alone. What leaves no trace in the network leaves none in
// the key: a sequential skip layer, or whether a shortcut was called add or skip when x and z
// are the same value.
//
// Two uses of a value are one node. Equal operations with weights are different nodes, because
// each has weights of its own. The operands of an addition need no sorting: the second is
// always a projection or a value from which the first was computed, so that no pair occurs in
// both orders.
//
// The digest is stable: a change to this description would give stored trials new keys, and a
// test holds some of them.

const chainKeyPrefix = "chain1-"

// value is a node of the computation: 0 is the image.
type value int8

// chainNode is an operation and its inputs; b is -1 for operations of one input.
type chainNode struct {
	kind   chainNodeKind
	param  uint16
	stride uint8
	a, b   value
}

type chainNodeKind uint8

const (
	imageNode chainNodeKind = iota
	conv3x3Node
	conv5x5Node
	fcNode
	projectNode
	maxPoolNode
	avgPoolNode
	reduceNode
	addNode
	concatNode
)

var chainNodeNames = [...]string{"image", "conv3x3", "conv5x5", "fc", "project", "max", "avg", "reduce", "add", "concat"}

func (k chainNodeKind) weighted() bool { return k >= conv3x3Node && k <= projectNode }

// chainComputation holds the nodes: the image, and at most three for each layer.
type chainComputation struct {
	nodes [1 + 3*maxChainDepth]chainNode
	n     value
}

// node returns the value of the operation, which is an earlier one if that computes the same.
func (c *chainComputation) node(k chainNode) value {
	if !k.kind.weighted() {
		for i, old := range c.nodes[:c.n] {
			if old == k {
				return value(i)
			}
		}
	}
	c.nodes[c.n] = k
	c.n++
	return c.n - 1
}

// build adds the nodes of a genome and returns the value that the head takes.
func (c *chainComputation) build(steps []chainStep) value {
	x := c.node(chainNode{kind: imageNode, a: -1, b: -1})
	z := x
	for i := range steps {
		s := &steps[i]
		f := x
		switch s.op {
		case conv3x3:
			f = c.node(chainNode{conv3x3Node, s.param, 1, x, -1})
		case conv5x5:
			f = c.node(chainNode{conv5x5Node, s.param, 1, x, -1})
		case fc:
			f = c.node(chainNode{fcNode, s.param, 1, x, -1})
		case pool3x3:
			kind := maxPoolNode
			if s.param == avgPool {
				kind = avgPoolNode
			}
			f = c.node(chainNode{kind, 0, uint8(s.stride), x, -1})
		}
		side := x
		if s.connection == skipConnection {
			side = z
		}
		if s.projects() {
			side = c.node(chainNode{projectNode, uint16(s.f.c), uint8(s.sideStride), side, -1})
		}
		if s.reduces() {
			side = c.node(chainNode{reduceNode, 0, 2, side, -1})
		}
		z = x
		switch s.connection {
		case sequentialConnection:
			x = f
		case addConnection, skipConnection:
			x = c.node(chainNode{addNode, 0, 1, f, side})
		case concatConnection:
			x = c.node(chainNode{concatNode, 0, 1, f, side})
		}
	}
	return x
}

// chainWriter numbers the nodes in post-order and writes them down.
type chainWriter struct {
	*chainComputation
	number [1 + 3*maxChainDepth]int // 0: not yet written
	next   int
	text   []byte
}

// write appends the node and all that it needs, one "name param/stride inputs;" each.
func (w *chainWriter) write(v value) int {
	if w.number[v] > 0 {
		return w.number[v]
	}
	k := w.nodes[v]
	var inputs [2]int
	for i, in := range [2]value{k.a, k.b} {
		if in >= 0 {
			inputs[i] = w.write(in)
		}
	}
	w.text = append(w.text, chainNodeNames[k.kind]...)
	if k.param > 0 {
		w.text = strconv.AppendInt(append(w.text, ' '), int64(k.param), 10)
	}
	if k.stride > 1 {
		w.text = strconv.AppendInt(append(w.text, '/'), int64(k.stride), 10)
	}
	for _, in := range inputs {
		if in > 0 {
			w.text = strconv.AppendInt(append(w.text, " $"...), int64(in), 10)
		}
	}
	w.text = append(w.text, ';')
	w.next++
	w.number[v] = w.next
	return w.next
}

// describe writes the computation of the genome in its canonical order.
func (g *ChainGenome) describe(t Task) string {
	var buf [maxChainDepth]chainStep
	var c chainComputation
	last := c.build(g.plan(t, &buf))
	w := chainWriter{chainComputation: &c, text: make([]byte, 0, 512)}
	w.write(last)
	return string(w.text)
}

func (g *ChainGenome) key(t Task) string { return digest(chainKeyPrefix, []byte(g.describe(t))) }
