package space

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/nasbench-go/nasbench/layers"
)

const macroLayers = 8

// macroReduces are the layers that halve the maps; the channels double behind each but the first, whose number is
// the space's.
var macroReduces = [macroLayers]bool{0: true, 2: true, 5: true}

// macroOps are the operations: the factor by which an inverted residual block widens and the side of its kernel; 0 for the
// identity.
var macroOps = [...]struct{ expand, kernel int }{{0, 0}, {3, 3}, {6, 5}}

var macroOpNames = [len(macroOps)]string{"identity", "block3", "block5"}

// MacroGenome is a genome of the space macro (NAS-Bench-Macro of Su et al., "Prioritized Architecture Sampling with Monte-Carlo Tree
// Search", CVPR 2021): eight layers. It is comparable with ==.
//
// The text form has a digit for each layer:
//
//   - 0: the identity; a 1x1 convolution with batch norm where the layer halves the maps or changes the channels;
//   - 1: inverted residual block, 3x3, widening by 3;
//   - 2: inverted residual block, 5x5, widening by 6.
//
// An inverted residual block is a 1x1 convolution to so many times the channels, a depthwise convolution and a 1x1 convolution, each with batch
// norm and all but the last with ReLU; its input is added where it has the same size.
//
// The network has a 3x3 convolution with batch norm and ReLU to half of the layers' first channels; then the layers, of which 0, 2 and 5 halve
// the maps and 2 and 5 double the channels; then a 1x1 convolution to twenty times the first channels with batch norm and ReLU, global average pool and
// classifier. The bound on channels is one on those between layers.
//
// The JSON form, version 1:
//
//	{"space":"macro","version":1,"layers":"22212202"}
type MacroGenome struct {
	made   bool
	layers [macroLayers]uint8
}

// String returns the text form.
func (g MacroGenome) String() string {
	text := make([]byte, macroLayers)
	for i, op := range g.layers {
		text[i] = '0' + op
	}
	return string(text)
}

const macroVersion = 1

type macroJSON struct {
	Space   string `json:"space"`
	Version int    `json:"version"`
	Layers  string `json:"layers"`
}

// MarshalJSON returns the JSON form.
func (g MacroGenome) MarshalJSON() ([]byte, error) {
	return json.Marshal(macroJSON{"macro", macroVersion, g.String()})
}

func parseMacro(text string) (MacroGenome, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var form macroJSON
		if err := decodeStrictly([]byte(text), &form); err != nil {
			return MacroGenome{}, err
		}
		if err := checkForm(form.Space, form.Version, "macro", macroVersion); err != nil {
			return MacroGenome{}, err
		}
		g, err := parseMacroDigits(form.Layers)
		if err != nil {
			return g, fmt.Errorf("JSON: layers: %w", err)
		}
		return g, nil
	}
	return parseMacroDigits(text)
}

func parseMacroDigits(text string) (MacroGenome, error) {
	g := MacroGenome{made: true}
	digits := strings.TrimSpace(text)
	for i := range len(digits) {
		if op := digits[i] - '0'; int(op) >= len(macroOps) {
			return MacroGenome{}, fmt.Errorf("layer %d: %s is not one of 0, 1, 2", i, quote(digits[i:i+1]))
		} else if i < macroLayers {
			g.layers[i] = op
		}
	}
	if len(digits) != macroLayers {
		return MacroGenome{}, fmt.Errorf("%d digits; there is one for each of %d layers", len(digits), macroLayers)
	}
	return g, nil
}

// macro is the space for one task.
type macro struct {
	task        Task
	constraints Constraints
	size        Size
}

func newMacro(t Task, c Constraints, s Size) (Space, error) {
	if s.Cells != 0 && s.Cells != macroLayers {
		return nil, fmt.Errorf("space macro: a network has %d layers, not %d cells", macroLayers, s.Cells)
	}
	defaults := Size{Channels: 64, Cells: macroLayers}
	if min(t.Height, t.Width) < smallSide {
		defaults.Channels = 16
	}
	s, err := s.or("macro", defaults, false)
	if err != nil {
		return nil, err
	}
	return &macro{t, c, s}, nil
}

func (*macro) Name() string { return "macro" }

func (*macro) Parse(text string) (Genome, error) {
	g, err := parseMacro(text)
	if err != nil {
		return nil, fmt.Errorf("space macro: %w", err)
	}
	return g, nil
}

// own returns g as a genome of this space.
func (*macro) own(g Genome) (MacroGenome, error) {
	h, ok := g.(MacroGenome)
	if !ok {
		return h, fmt.Errorf("space macro: a %T is not a genome of this space", g)
	}
	if !h.made {
		return h, fmt.Errorf("space macro: the genome is empty")
	}
	return h, nil
}

func (s *macro) Check(g Genome) error {
	h, err := s.own(g)
	if err != nil {
		return err
	}
	f := facts{}
	if s.constraints.pricing() {
		f = s.facts(newNetwork(s.task, false), &h)
	}
	if v, ok := s.constraints.check(&f); !ok {
		return &v
	}
	return s.constraints.measure(g)
}

func (s *macro) Cost(g Genome) (Cost, error) {
	h, err := s.own(g)
	if err != nil {
		return Cost{}, err
	}
	return s.facts(newNetwork(s.task, false), &h).cost.checked()
}

// facts prices a genome. The convolutions around the layers have weights, so no network is without.
func (s *macro) facts(n *network, g *MacroGenome) facts {
	f := s.write(n, g).facts()
	f.weighted++
	f.channels = 4 * s.size.Channels
	return f
}

func (s *macro) Build(g Genome, scope layers.Scope) (layers.Module, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	return s.write(newNetwork(s.task, true), &h).build(scope), nil
}

// Key returns the network that the layers make, which leaves out identities: two genomes are the same network if they differ
// only in where an identity stands among layers of one size.
func (s *macro) Key(g Genome) string {
	h, err := s.own(g)
	if err != nil {
		return ""
	}
	key := []byte("macro-1-")
	for i, op := range h.layers {
		if macroReduces[i] {
			key = append(key, '.', '0'+op)
		} else if op > 0 {
			key = append(key, '0'+op)
		}
	}
	return string(key)
}

// Random draws the operation of every layer.
func (s *macro) Random(rng *rand.Rand) (Genome, error) {
	g := MacroGenome{made: true}
	n := newNetwork(s.task, false)
	return sample(&s.constraints, func() facts {
		for i := range g.layers {
			g.layers[i] = uint8(rng.IntN(len(macroOps)))
		}
		if !s.constraints.pricing() {
			return facts{}
		}
		return s.facts(n.clear(), &g)
	}, func() Genome { return g })
}

// Mutate changes layers.
func (s *macro) Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	mutate(macroLayers, rate, rng, func(i int) { h.change(i, rng) })
	return h, nil
}

// Neighbor changes one layer.
func (s *macro) Neighbor(g Genome, rng *rand.Rand) (Genome, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	h.change(rng.IntN(macroLayers), rng)
	return h, nil
}

func (g *MacroGenome) change(i int, rng *rand.Rand) {
	g.layers[i] = uint8(other(int(g.layers[i]), len(macroOps), rng))
}

// Cross takes layers from the start of a up to a point, and those of b from there on.
func (s *macro) Cross(a, b Genome, rng *rand.Rand) (Genome, error) {
	x, y, err := parents(s.own, a, b)
	if err != nil {
		return nil, err
	}
	copy(y.layers[:], x.layers[:cut(macroLayers, rng)])
	return y, nil
}

// Count returns 3^8.
func (*macro) Count() (uint64, bool) {
	n := count{n: 1}
	for range macroLayers {
		n.times(uint64(len(macroOps)))
	}
	return n.n, !n.over
}

// At returns the layers of a number.
func (*macro) At(number uint64) (Genome, bool) {
	g := MacroGenome{made: true}
	for i := macroLayers - 1; i >= 0; i-- {
		g.layers[i] = uint8(digit(&number, len(macroOps)))
	}
	return g, number == 0
}

// write adds the genome to an empty network. The parameters of layer i are below "layers.i".
func (s *macro) write(n *network, g *MacroGenome) *network {
	channels := s.size.Channels
	var x ref
	n.within("stem", func() { x = n.convNormRelu(0, "", max(channels/2, 1), window{side: 3}) })
	n.within("layers", func() {
		for i, op := range g.layers {
			stride := 1
			if macroReduces[i] {
				stride = 2
				if i > 0 {
					channels *= 2
				}
			}
			n.each(i, func() {
				n.choice("", macroOpNames[op], func() { x = n.macroLayer(int(op), x, channels, stride) })
			})
		}
	})
	n.within("last", func() { x = n.convNormRelu(x, "", 20*s.size.Channels, window{side: 1}) })
	n.head(x, s.task.Classes)
	return n
}

func (n *network) macroLayer(op int, x ref, channels, stride int) ref {
	same := stride == 1 && n.at(x).c == channels
	o := macroOps[op]
	if o.expand == 0 {
		if same {
			return x
		}
		return n.norm(n.convolution(x, "conv", channels, window{side: 1, stride: stride}), "norm")
	}
	n.weighted++
	wide := o.expand * n.at(x).c
	y := n.convNormRelu(x, "1", wide, window{side: 1})
	y = n.convNormRelu(y, "2", wide, window{side: o.kernel, stride: stride, groups: wide})
	y = n.norm(n.convolution(y, "conv3", channels, window{side: 1}), "norm3")
	if same {
		y = n.add(y, x)
	}
	return y
}

// convNormRelu adds a convolution, batch norm and ReLU, with a suffix to their names.
func (n *network) convNormRelu(x ref, suffix string, channels int, w window) ref {
	return n.activate(n.norm(n.convolution(x, "conv"+suffix, channels, w), "norm"+suffix), reluOp)
}
