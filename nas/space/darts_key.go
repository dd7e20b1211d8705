package space

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// dartsKeyPrefix names the description below; a change to it would give stored trials new keys.
const dartsKeyPrefix = "darts1-"

// Key returns a digest of the cells that the network has. The order of the two edges of a node leaves no trace, nor does that in which
// nodes are numbered: another order changes the order of a cell's output channels alone, and weights are learned for any.
func (d *darts) Key(g Genome) string {
	h, err := d.own(g)
	if err != nil {
		return ""
	}
	normal, reduce := d.used()
	var text []byte
	if normal {
		text = append(append(text, 'n'), h.normal.canonical()...)
	}
	if reduce {
		text = append(append(text, 'r'), h.reduce.canonical()...)
	}
	return digest(dartsKeyPrefix, text)
}

// digest returns the prefix and 96 bits of SHA-256: enough for 10^12 genomes with a chance of one
// in 10^5 that any two collide.
func digest(prefix string, text []byte) string {
	sum := sha256.Sum256(text)
	return prefix + hex.EncodeToString(sum[:12])
}

// canonical returns the smallest description of the cell over all orders of its nodes in which each comes after
// those that it needs.
func (c *dartsCell) canonical() []byte {
	var best []byte
	var number [dartsInputs + dartsNodes]uint8 // of each state in the order so far
	for i := range dartsInputs {
		number[i] = uint8(i)
	}
	var place func(placed uint8, text []byte)
	place = func(placed uint8, text []byte) {
		count := len(text) / 4
		if count == dartsNodes {
			if best == nil || slices.Compare(text, best) < 0 {
				best = slices.Clone(text)
			}
			return
		}
		for node := range dartsNodes {
			e := c[2*node : 2*node+2]
			if placed&(1<<node) != 0 || !reached(e[0].from, placed) || !reached(e[1].from, placed) {
				continue
			}
			a := [2]byte{number[e[0].from], byte(e[0].op)}
			b := [2]byte{number[e[1].from], byte(e[1].op)}
			if slices.Compare(a[:], b[:]) > 0 {
				a, b = b, a
			}
			number[dartsInputs+node] = uint8(dartsInputs + count)
			place(placed|1<<node, append(text, a[0], a[1], b[0], b[1]))
		}
	}
	place(0, make([]byte, 0, 4*dartsNodes))
	return best
}

// reached reports whether a state is an input or a node that has its place.
func reached(state, placed uint8) bool {
	return state < dartsInputs || placed&(1<<(state-dartsInputs)) != 0
}
