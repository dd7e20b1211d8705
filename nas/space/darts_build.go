package space

// network writes the genome down.
func (d *darts) network(g *DartsGenome, naming bool) *network {
	return d.write(newNetwork(d.task, naming), g)
}

// write adds the genome to an empty network. The parameters of cell i are below "cells.i": those that bring the states to size below "pre0" and "pre1",
// those of the edges of a node below "node0.edge0".
func (d *darts) write(n *network, g *DartsGenome) *network {
	channels := d.size.Channels
	var s0, s1 ref
	n.within("stem", func() {
		s1 = n.norm(n.convolution(0, "conv", 3*channels, window{side: 3}), "norm")
	})
	s0 = s1
	n.within("cells", func() {
		reducedBefore := false
		for i := range d.size.Cells {
			reduce, stride := d.reduces(i), 1
			if reduce {
				stride = 2
				channels *= 2
			}
			var cell *dartsCell // nil for a mixture of all
			if g != nil {
				cell = g.cell(reduce)
			}
			n.each(i, func() {
				s0, s1 = s1, n.dartsCell(cell, s0, s1, channels, stride, reducedBefore)
			})
			reducedBefore = stride > 1
		}
	})
	n.head(s1, d.task.Classes)
	return n
}

// cell returns one of the two cells.
func (g *DartsGenome) cell(reduce bool) *dartsCell {
	if reduce {
		return &g.reduce
	}
	return &g.normal
}

// dartsCell adds a cell and returns its output.
func (n *network) dartsCell(cell *dartsCell, s0, s1 ref, channels, stride int, reducedBefore bool) ref {
	var states [dartsInputs + dartsNodes]ref
	n.within("pre0", func() {
		if reducedBefore {
			states[0] = n.factorizedReduce(s0, channels)
		} else {
			states[0] = n.reluConvNorm(s0, channels)
		}
	})
	n.within("pre1", func() { states[1] = n.reluConvNorm(s1, channels) })
	for node := range dartsNodes {
		if cell == nil {
			n.within(dartsNodeNames[node], func() { states[dartsInputs+node] = n.relaxedDartsNode(node, states[:], stride) })
			continue
		}
		var terms [2]ref
		n.within(dartsNodeNames[node], func() {
			for i := range terms {
				e := cell[2*node+i]
				s := 1
				if e.from < dartsInputs {
					s = stride
				}
				// Shared weights belong to the state that an edge comes from: which of the two edges it is says nothing.
				n.choice(dartsEdgeNames[i], dartsStateNames[e.from], func() {
					n.choice("", dartsOpNames[e.op], func() { terms[i] = n.dartsOp(e.op, states[e.from], s) })
				})
			}
		})
		states[dartsInputs+node] = n.add(terms[:]...)
	}
	return n.concat(states[dartsInputs:]...)
}

var (
	dartsNodeNames  = [dartsNodes]string{"node0", "node1", "node2", "node3"}
	dartsEdgeNames  = [2]string{"edge0", "edge1"}
	dartsStateNames = [dartsInputs + dartsNodes]string{"from0", "from1", "from2", "from3", "from4", "from5"}
)

func (n *network) dartsOp(op dartsOp, x ref, stride int) ref {
	if op.weighted() {
		n.weighted++
	}
	switch op {
	case dartsMaxPool:
		return n.dartsPool(x, maxPoolOp, stride)
	case dartsAvgPool:
		return n.dartsPool(x, avgPoolOp, stride)
	case dartsSep3:
		return n.separableConv(x, window{side: 3, stride: stride})
	case dartsSep5:
		return n.separableConv(x, window{side: 5, stride: stride})
	case dartsDil3:
		return n.depthwiseConv(x, "", window{side: 3, stride: stride, dilation: 2})
	case dartsDil5:
		return n.depthwiseConv(x, "", window{side: 5, stride: stride, dilation: 2})
	}
	if stride > 1 {
		return n.factorizedReduce(x, n.at(x).c)
	}
	return x
}

// dartsPool is followed by a norm where it is mixed with operations that have one.
func (n *network) dartsPool(x ref, kind opKind, stride int) ref {
	x = n.pool(x, kind, window{side: 3, stride: stride})
	if n.relaxed {
		x = n.norm(x, "norm")
	}
	return x
}

func (n *network) reluConvNorm(x ref, channels int) ref {
	return n.norm(n.convolution(n.activate(x, reluOp), "conv", channels, window{side: 1}), "norm")
}

func (n *network) factorizedReduce(x ref, channels int) ref {
	return n.norm(n.reduce(n.activate(x, reluOp), channels), "norm")
}

// depthwiseConv is ReLU, depthwise convolution, 1x1 convolution, batch norm.
func (n *network) depthwiseConv(x ref, suffix string, w window) ref {
	channels := n.at(x).c
	w.groups = channels
	x = n.convolution(n.activate(x, reluOp), "depthwise"+suffix, channels, w)
	return n.norm(n.convolution(x, "pointwise"+suffix, channels, window{side: 1}), "norm"+suffix)
}

func (n *network) separableConv(x ref, w window) ref {
	x = n.depthwiseConv(x, "1", w)
	return n.depthwiseConv(x, "2", window{side: w.side})
}
