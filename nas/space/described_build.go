package space

import "strconv"

// write adds the genome to an empty network.
func (s *described) write(n *network, units []unit) *network {
	var last ref
	if s.kind == chainKind {
		last = s.writeChain(n, units)
	} else {
		last = s.writeCells(n, units)
	}
	n.head(last, s.task.Classes)
	return n
}

// writeCells adds stem and cells. A cell brings its input to its channels by a 1x1 convolution, norm and activation, after a
// 3x3 average pool of stride 2 if it is to halve the maps. The parameters of cell i are below "cells.i": "pre", and "node2.edge0" for
// the edge of node 2 from state 0.
func (s *described) writeCells(n *network, units []unit) ref {
	channels := s.size.Channels
	var x ref
	n.within("stem", func() { x = s.convNorm(n, 0, channels, window{side: 3}) })
	needed := s.needed(units)
	if n.mixer != nil {
		for node := range needed {
			needed[node] = true
		}
	}
	n.within("cells", func() {
		for i := range s.size.Cells {
			n.each(i, func() {
				if s.size.reduces(i) {
					channels *= 2
					x = n.pool(x, avgPoolOp, window{side: 3, stride: 2})
				}
				n.within("pre", func() { x = s.convNorm(n, x, channels, window{side: 1}) })
				x = s.writeCell(n, x, units, needed)
			})
		}
	})
	return x
}

// reduces reports whether a cell halves the maps: as many as the size says, at equal distances.
func (s Size) reduces(cell int) bool {
	for r := range s.Reductions {
		if cell == (r+1)*s.Cells/(s.Reductions+1) {
			return true
		}
	}
	return false
}

// needed returns which nodes a cell's output depends on.
func (d *description) needed(units []unit) [maxDescribedNodes]bool {
	var out [maxDescribedNodes]bool
	for node := d.nodes - 1; node >= 0; node-- {
		out[node] = out[node] || d.output != lastOutput || node == d.nodes-1
		if !out[node] {
			continue
		}
		for i := range units {
			if u := &units[i]; u.node == node && u.from > 0 && d.operations[u.op].kind != noneBlock {
				out[u.from-1] = true
			}
		}
	}
	return out
}

func (s *described) writeCell(n *network, x ref, units []unit, needed [maxDescribedNodes]bool) ref {
	var states [maxDescribedNodes + 1]ref
	states[0] = x
	var outputs []ref
	for node := range s.nodes {
		if !needed[node] {
			continue
		}
		n.within(nodeNames[node], func() {
			var y ref
			if n.mixer != nil {
				y = s.relaxedNode(n, node, states[:])
			} else {
				var terms []ref
				for i := range units {
					if u := &units[i]; u.node == node && s.operations[u.op].kind != noneBlock {
						n.within(edgeNames[u.from], func() {
							s.chosen(n, u, func() { terms = append(terms, s.apply(n, u, states[u.from])) })
						})
					}
				}
				y = n.add(terms...)
			}
			if s.nodeNorm {
				y = n.activate(n.norm(y, "norm"), s.activation)
			}
			states[node+1] = y
			outputs = append(outputs, y)
		})
	}
	switch s.output {
	case sumOutput:
		return n.add(outputs...)
	case lastOutput:
		return states[s.nodes]
	}
	return n.concat(outputs...)
}

var (
	nodeNames = namesOf("node")
	edgeNames = namesOf("edge")
)

func namesOf(what string) (names [maxDescribedNodes + 1]string) {
	for i := range names {
		names[i] = what + strconv.Itoa(i)
	}
	return names
}

// apply adds the operation of a unit.
func (s *described) apply(n *network, u *unit, x ref) ref {
	b := &s.operations[u.op]
	if b.kind.weighted() {
		n.weighted++
	}
	channels := n.at(x).c
	if s.kind == chainKind {
		if b.kind == linearBlock {
			channels = s.value(u, "units")
		} else if b.kind.weighted() {
			channels = s.value(u, "channels")
		}
	}
	w := window{side: s.value(u, "kernel"), stride: s.value(u, "stride"), dilation: s.value(u, "dilation")}
	switch b.kind {
	case convBlock:
		return s.finish(n, n.convolution(x, "conv", channels, w))
	case separableBlock:
		w.groups = n.at(x).c
		x = n.convolution(x, "depthwise", n.at(x).c, w)
		return s.finish(n, n.convolution(x, "pointwise", channels, window{side: 1}))
	case linearBlock:
		if s.nodeNorm {
			return n.convolution(x, "linear", channels, window{side: 1}) // a bias would be lost in the norm
		}
		return n.activate(n.linear(x, "linear", channels), s.activation)
	case maxPoolBlock:
		return n.pool(x, maxPoolOp, w)
	case avgPoolBlock:
		return n.pool(x, avgPoolOp, w)
	}
	return x
}

// finish adds what stands behind a convolution, unless it stands behind the node.
func (s *described) finish(n *network, x ref) ref {
	if s.nodeNorm {
		return x
	}
	return n.activate(n.norm(x, "norm"), s.activation)
}

func (s *described) convNorm(n *network, x ref, channels int, w window) ref {
	return n.activate(n.norm(n.convolution(x, "conv", channels, w), "norm"), s.activation)
}

// writeChain adds the layers; see [ChainLayer] for the connections. R is a 3x3 average pool of the layer's stride. The
// parameters of layer i are below "layers.i", those of P in "project".
func (s *described) writeChain(n *network, units []unit) ref {
	var x, z ref
	n.within("layers", func() {
		for i := range units {
			u := &units[i]
			n.each(i, func() {
				var f ref
				s.chosen(n, u, func() { f = s.apply(n, u, x) })
				y := f
				switch u.connection {
				case addConnection:
					y = n.add(f, s.project(n, x, f))
				case skipConnection:
					y = n.add(f, s.project(n, z, f))
				case concatConnection:
					r := x
					if stride := s.stride(u); stride > 1 {
						r = n.pool(x, avgPoolOp, window{side: 3, stride: stride})
					}
					y = n.concat(f, r)
				}
				z, x = x, y
			})
		}
	})
	return x
}

// chosen runs f with the names of an operation, with those of its free parameters that make another kernel, and of its
// width, if that is free. Choices of a width share weights as in the space chain.
func (s *described) chosen(n *network, u *unit, f func()) {
	if !n.naming {
		f()
		return
	}
	b := &s.operations[u.op]
	name, width := scopeName(b.name), 0
	for i, p := range b.params[:b.free] {
		if p.name == "channels" || p.name == "units" {
			width = int(u.values[i])
			continue
		}
		name += "_" + p.name + strconv.Itoa(int(u.values[i]))
	}
	n.choice("", name, func() { n.width(width, f) })
}

// stride returns that of a unit's operation.
func (d *description) stride(u *unit) int { return d.value(u, "stride") }

// project brings x to the shape of f.
func (s *described) project(n *network, x, f ref) ref {
	from, to := n.at(x), n.at(f)
	if from == to {
		return x
	}
	stride := 1
	for (from.h-1)/stride+1 > to.h || (from.w-1)/stride+1 > to.w {
		stride *= 2
	}
	n.within("project", func() {
		x = n.norm(n.convolution(x, "conv", to.c, window{side: 1, stride: stride}), "norm")
	})
	return x
}
