package space

var nb201EdgeNames = [nb201Edges]string{"edge0-1", "edge0-2", "edge1-2", "edge0-3", "edge1-3", "edge2-3"}

// write adds the genome to an empty network. The parameters of the cells, counted over all stages, are below "cells.0.edge0-1" and so on, those of
// the blocks between stages below "reductions.0". No genome stands for the mixture of all.
func (s *nb201) write(n *network, g *NB201Genome) *network {
	channels := s.size.Channels
	var x ref
	n.within("stem", func() { x = n.norm(n.convolution(0, "conv", channels, window{side: 3}), "norm") })
	for stage := range nb201Stages {
		if stage > 0 {
			channels *= 2
			n.within("reductions", func() { n.each(stage-1, func() { x = n.residualReduction(x, channels) }) })
		}
		n.within("cells", func() {
			perStage := s.size.Cells / nb201Stages
			for i := range perStage {
				n.each(stage*perStage+i, func() {
					if g == nil {
						x = n.relaxedNB201Cell(x)
					} else {
						x = n.nb201Cell(g, x)
					}
				})
			}
		})
	}
	x = n.activate(n.norm(x, "norm"), reluOp)
	n.head(x, s.task.Classes)
	return n
}

// residualReduction halves the maps.
func (n *network) residualReduction(x ref, channels int) ref {
	a := n.norm(n.convolution(n.activate(x, reluOp), "conv1", channels, window{side: 3, stride: 2}), "norm1")
	b := n.norm(n.convolution(n.activate(a, reluOp), "conv2", channels, window{side: 3}), "norm2")
	return n.add(b, n.convolution(n.halve(x), "shortcut", channels, window{side: 1}))
}

func (n *network) nb201Cell(g *NB201Genome, x ref) ref {
	var states [nb201Nodes + 1]ref
	states[0] = x
	edge := 0
	for node := range nb201Nodes {
		var terms [nb201Nodes]ref
		for from := range node + 1 {
			n.within(nb201EdgeNames[edge], func() {
				n.choice("", nb201OpNames[g.ops[edge]], func() { terms[from] = n.nb201Op(g.ops[edge], states[from]) })
			})
			edge++
		}
		states[node+1] = n.add(terms[:node+1]...)
	}
	return states[nb201Nodes]
}

func (n *network) nb201Op(op nb201Op, x ref) ref {
	side := 1
	switch op {
	case nb201None:
		return n.zero(x)
	case nb201AvgPool:
		return n.pool(x, avgPoolOp, window{side: 3})
	case nb201Conv3:
		side = 3
	case nb201Skip:
		return x
	}
	n.weighted++
	return n.norm(n.convolution(n.activate(x, reluOp), "conv", n.at(x).c, window{side: side}), "norm")
}
