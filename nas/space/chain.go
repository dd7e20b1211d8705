package space

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/nasbench-go/nasbench/layers"
)

// Bounds on the number of layers of a chain.
const (
	minChainDepth = 3
	maxChainDepth = 8
)

// ChainLayer is one layer of a [ChainGenome]. Maps are N x H x W x C; x is the output of the
// layer before, and z the input of the layer before (for layer 1 the image).
//
// Op says what f is; of Channels, Type and Units, only the one named with the operation is
// set:
//
//   - conv3x3, conv5x5 with Channels 16, 32, 64 or 128: convolution without bias, stride 1, same
//     padding, then batch norm, then ReLU;
//   - pool3x3 with Type max or avg: 3x3 pooling, padding 1 (not counted), stride 2 while the smaller
//     side of x is at least 8, otherwise stride 1;
//   - skip: the identity;
//   - fc with Units 64, 128 or 256: linear map over channels at every position, with bias, then ReLU.
//
// Connection says how f(x) is joined; for layer 0 it is sequential:
//
//   - sequential: f(x);
//   - add: f(x) + P(x);
//   - skip: f(x) + P(z);
//   - concat: [f(x), R(x)] over channels.
//
// P is the identity where the shapes agree, and otherwise a 1x1 convolution without bias with
// the stride that makes them agree, then batch norm. R is the identity where the sizes agree,
// and otherwise a 2x2 average pool of stride 2, with a padding of 1 (not counted) on an axis
// of odd length: an axis of n becomes ceil(n/2), as in pool3x3.
//
// After the last layer come a global average pool and a linear map to the classes.
type ChainLayer struct {
	Op         string `json:"op"`
	Channels   int    `json:"channels,omitempty"`
	Type       string `json:"type,omitempty"`
	Units      int    `json:"units,omitempty"`
	Connection string `json:"connection"` // "" reads as sequential
}

type chainOp uint8

const (
	conv3x3 chainOp = iota
	conv5x5
	pool3x3
	skip
	fc
)

const (
	maxPool uint16 = iota
	avgPool
)

// chainOps lists the operations, the name of their parameter and its choices.
var chainOps = [...]struct {
	name, param string
	choices     []uint16
}{
	conv3x3: {"conv3x3", "channels", []uint16{16, 32, 64, 128}},
	conv5x5: {"conv5x5", "channels", []uint16{16, 32, 64, 128}},
	pool3x3: {"pool3x3", "type", []uint16{maxPool, avgPool}},
	skip:    {name: "skip"},
	fc:      {"fc", "units", []uint16{64, 128, 256}},
}

type chainConnection uint8

const (
	sequentialConnection chainConnection = iota
	skipConnection
	concatConnection
	addConnection
)

var chainConnections = [...]string{"sequential", "skip", "concat", "add"}

type chainLayer struct {
	op         chainOp
	connection chainConnection
	param      uint16 // channels, units, maxPool or avgPool; 0 for skip
}

func (l chainLayer) weighted() bool { return l.op == conv3x3 || l.op == conv5x5 || l.op == fc }

// ChainGenome is a genome of the space chain: three to eight layers. It is comparable with ==.
//
// The text form lists the layers from the image to the classifier:
//
//	conv3x3(32), pool3x3(max), conv5x5(64):add, skip:concat, fc(128)
//
// In the grammar below, white space may stand between any two tokens:
//
//	genome     = layer { "," layer } .                   three to eight layers
//	layer      = operation [ ":" connection ] .          without connection: sequential
//	operation  = ( "conv3x3" | "conv5x5" ) "(" ( "16" | "32" | "64" | "128" ) ")"
//	           | "pool3x3" "(" ( "max" | "avg" ) ")"
//	           | "fc" "(" ( "64" | "128" | "256" ) ")"
//	           | "skip" .
//	connection = "sequential" | "skip" | "concat" | "add" .   layer 0: sequential only
//
// The JSON form, version 1, refuses unknown fields:
//
//	{"space":"chain","version":1,"layers":[{"op":"conv3x3","channels":32,"connection":"sequential"}, ...]}
type ChainGenome struct {
	depth  uint8
	layers [maxChainDepth]chainLayer // those from depth on are zero
}

// NewChainGenome returns the genome of these layers, or an error that says which layer is
// wrong and what could stand there.
func NewChainGenome(layers []ChainLayer) (ChainGenome, error) {
	var g ChainGenome
	for i, l := range layers {
		inner, err := l.encode()
		if err == nil {
			err = g.push(inner)
		}
		if err != nil {
			return ChainGenome{}, fmt.Errorf("space chain: layer %d: %w", i, err)
		}
	}
	if err := g.complete(); err != nil {
		return ChainGenome{}, fmt.Errorf("space chain: %w", err)
	}
	return g, nil
}

// Layers returns the layers from the image to the classifier.
func (g ChainGenome) Layers() []ChainLayer {
	out := make([]ChainLayer, g.depth)
	for i := range out {
		out[i] = g.layers[i].decode()
	}
	return out
}

// push appends a layer.
func (g *ChainGenome) push(l chainLayer) error {
	if g.depth == maxChainDepth {
		return fmt.Errorf("a chain has at most %d layers", maxChainDepth)
	}
	if g.depth == 0 && l.connection != sequentialConnection {
		return fmt.Errorf("connection %s: the first layer has nothing to join and is sequential", chainConnections[l.connection])
	}
	g.layers[g.depth] = l
	g.depth++
	return nil
}

// complete returns an error if layers are missing.
func (g *ChainGenome) complete() error {
	if g.depth < minChainDepth {
		return fmt.Errorf("%d layers; a chain has at least %d", g.depth, minChainDepth)
	}
	return nil
}

// chain is the space for one task.
type chain struct {
	task        Task
	constraints Constraints
}

func newChain(t Task, c Constraints, s Size) (Space, error) {
	if s != (Size{}) {
		return nil, errors.New("space chain: a chain has no cells: its genomes say how wide and how deep they are")
	}
	return &chain{t, c}, nil
}

func (*chain) Name() string { return "chain" }

func (c *chain) Parse(text string) (Genome, error) {
	g, err := parseChain(text)
	if err != nil {
		return nil, fmt.Errorf("space chain: %w", err)
	}
	return g, nil
}

// own returns g as a genome of this space.
func (c *chain) own(g Genome) (ChainGenome, error) {
	h, ok := g.(ChainGenome)
	if !ok {
		return h, fmt.Errorf("space chain: a %T is not a genome of this space", g)
	}
	if err := h.complete(); err != nil {
		return h, fmt.Errorf("space chain: %w", err)
	}
	return h, nil
}

func (c *chain) Check(g Genome) error {
	h, err := c.own(g)
	if err != nil {
		return err
	}
	f := h.facts(c.task)
	if v, ok := c.constraints.check(&f); !ok {
		return &v
	}
	return c.constraints.measure(g)
}

func (c *chain) Cost(g Genome) (Cost, error) {
	h, err := c.own(g)
	if err != nil {
		return Cost{}, err
	}
	return h.facts(c.task).cost.checked()
}

func (c *chain) Key(g Genome) string {
	h, err := c.own(g)
	if err != nil {
		return ""
	}
	return h.key(c.task)
}

// Random draws the depth, and each operation, parameter and connection uniformly.
func (c *chain) Random(rng *rand.Rand) (Genome, error) {
	var g ChainGenome
	return sample(&c.constraints, func() facts {
		g = randomChain(rng)
		return g.facts(c.task)
	}, func() Genome { return g })
}

func randomChain(rng *rand.Rand) ChainGenome {
	g := ChainGenome{depth: uint8(minChainDepth + rng.IntN(maxChainDepth-minChainDepth+1))}
	for i := range g.layers[:g.depth] {
		g.layers[i] = drawChainLayer(i, rng)
	}
	return g
}

func (c *chain) Build(g Genome, s layers.Scope) (layers.Module, error) {
	h, err := c.own(g)
	if err != nil {
		return nil, err
	}
	return h.build(c.task, s), nil
}
