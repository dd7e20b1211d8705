package space

import "github.com/nasbench-go/nasbench/layers"

// The size of a relaxed network of nb201: a cell in each stage, with half of the channels of the published networks.
var relaxedNB201Size = Size{Channels: 8, Cells: nb201Stages}

// Relax implements [Relaxable] as Dong and Yang search the space by DARTS (NAS-Bench-201, ICLR 2020, section 4 and the code that was published
// with it): every edge is kept, and takes the operation with the largest share, none among them. Batch norms within the
// mixtures are without scale and shift; those of the stem, the blocks between stages and the head have both. Unlike in the
// space darts, no norm stands behind the pool.
func (s *nb201) Relax(size Size) (*Relaxation, error) {
	size, err := size.or("nb201", relaxedNB201Size, false)
	if err != nil {
		return nil, err
	}
	sized, err := newSizedNB201(s.task, s.constraints, size)
	if err != nil {
		return nil, err
	}
	r := &Relaxation{Operations: nb201OpNames[:], None: int(nb201None), NoneKept: true, Skip: int(nb201Skip), Size: size}
	for node := range nb201Nodes {
		n := RelaxedNode{Cell: "cell", Node: node, Keep: node + 1}
		for from := range node + 1 {
			n.From = append(n.From, from)
		}
		r.Nodes = append(r.Nodes, n)
	}
	r.build = func(scope layers.Scope, m Mixer) layers.Module {
		checkShare("nb201", size, m)
		n := newNetwork(s.task, true)
		n.mixer = m
		return sized.write(n, nil).build(scope)
	}
	r.genome = func(choices []int) (Genome, error) {
		g := NB201Genome{made: true}
		for edge, c := range choices {
			g.ops[edge] = nb201Op(c)
		}
		return g, nil
	}
	return r, nil
}

// relaxedNB201Cell adds a cell of mixtures.
func (n *network) relaxedNB201Cell(x ref) ref {
	var states [nb201Nodes + 1]ref
	states[0] = x
	edge := 0
	for node := range nb201Nodes {
		first := edge
		var terms []ref
		for from := range node + 1 {
			n.within(nb201EdgeNames[edge], func() {
				terms = append(terms, n.mix(states[from], edge, 1, nb201OpNames[:], func(op int, sub *network) ref {
					if nb201Op(op) == nb201None {
						return -1
					}
					return sub.nb201Op(nb201Op(op), 0)
				}))
			})
			edge++
		}
		states[node+1] = n.join(first, terms)
	}
	return states[nb201Nodes]
}
