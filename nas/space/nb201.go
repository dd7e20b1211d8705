package space

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/layers"
)

// An nb201 cell has four states: its input, and three nodes, each the sum of an operation on every earlier state.
const (
	nb201Nodes = 3
	nb201Edges = nb201Nodes * (nb201Nodes + 1) / 2
)

type nb201Op uint8

const (
	nb201None nb201Op = iota
	nb201Skip
	nb201Conv1
	nb201Conv3
	nb201AvgPool
	numNB201Ops
)

var nb201OpNames = [numNB201Ops]string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}

// NB201Genome is a genome of the space nb201 (Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural
// Architecture Search", ICLR 2020): a cell of six edges. It is comparable with ==.
//
// The cell's input is state 0; states 1 to 3 are nodes, each the sum of an operation on every earlier state, and state 3 is the output. The
// operations:
//
//   - none: zero;
//   - skip_connect: the identity;
//   - nor_conv_1x1, nor_conv_3x3: ReLU, convolution without bias, batch norm;
//   - avg_pool_3x3: stride 1; padding is not counted.
//
// The network has a 3x3 convolution to the first cells' channels with batch norm, then three stages of the cell, then batch norm, ReLU,
// global average pool and classifier. Between stages a residual block halves the maps and doubles the channels: twice ReLU, 3x3
// convolution and batch norm, added to a 2x2 average pool and 1x1 convolution of the block's input.
//
// As in the published networks, and in their published counts, what leads to nothing but operations none is still part of the network.
//
// The text form is the notation in which such cells are published, node by node with the state that each operation takes:
//
//	|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|
//
// The JSON form, version 1:
//
//	{"space":"nb201","version":1,"cell":"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"}
type NB201Genome struct {
	made bool
	ops  [nb201Edges]nb201Op
}

// String returns the text form.
func (g NB201Genome) String() string {
	var b strings.Builder
	edge := 0
	for node := range nb201Nodes {
		if node > 0 {
			b.WriteByte('+')
		}
		b.WriteByte('|')
		for from := range node + 1 {
			b.WriteString(nb201OpNames[g.ops[edge]])
			b.WriteByte('~')
			b.WriteByte('0' + byte(from))
			b.WriteByte('|')
			edge++
		}
	}
	return b.String()
}

const nb201Version = 1

type nb201JSON struct {
	Space   string `json:"space"`
	Version int    `json:"version"`
	Cell    string `json:"cell"`
}

// MarshalJSON returns the JSON form.
func (g NB201Genome) MarshalJSON() ([]byte, error) {
	return json.Marshal(nb201JSON{"nb201", nb201Version, g.String()})
}

func parseNB201(text string) (NB201Genome, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var form nb201JSON
		if err := decodeStrictly([]byte(text), &form); err != nil {
			return NB201Genome{}, err
		}
		if err := checkForm(form.Space, form.Version, "nb201", nb201Version); err != nil {
			return NB201Genome{}, err
		}
		g, err := parseNB201Cell(form.Cell)
		if err != nil {
			return g, fmt.Errorf("JSON: cell: %w", err)
		}
		return g, nil
	}
	return parseNB201Cell(text)
}

// parseNB201Cell reads the published notation, in which white space stands nowhere but around the whole.
func parseNB201Cell(text string) (NB201Genome, error) {
	g := NB201Genome{made: true}
	rest := strings.TrimSpace(text)
	column := func() int {
		return strings.Index(text, strings.TrimSpace(text)) + len(strings.TrimSpace(text)) - len(rest) + 1
	}
	expect := func(token string) error {
		if !strings.HasPrefix(rest, token) {
			return fmt.Errorf("column %d: %q should be here", column(), token)
		}
		rest = rest[len(token):]
		return nil
	}
	edge := 0
	for node := range nb201Nodes {
		start := "|"
		if node > 0 {
			start = "+|"
		}
		if err := expect(start); err != nil {
			return NB201Genome{}, err
		}
		for from := range node + 1 {
			name := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz_0123456789"))]
			op := slices.Index(nb201OpNames[:], name)
			if op < 0 {
				return NB201Genome{}, fmt.Errorf("column %d: operation %s is not one of %s", column(), quote(name), choices(nb201OpNames[:]))
			}
			rest = rest[len(name):]
			if err := expect("~" + strconv.Itoa(from) + "|"); err != nil {
				return NB201Genome{}, err
			}
			g.ops[edge] = nb201Op(op)
			edge++
		}
	}
	if rest != "" {
		return NB201Genome{}, fmt.Errorf("column %d: the cell ends before %s", column(), quote(rest))
	}
	return g, nil
}

// nb201 is the space for one task.
type nb201 struct {
	task        Task
	constraints Constraints
	size        Size
}

const nb201Stages = 3

// smallSide is the side of images below which the published networks of nb201 and macro, made for CIFAR-10, are
// larger than needed.
const smallSide = 32

func newNB201(t Task, c Constraints, s Size) (Space, error) {
	defaults := Size{Channels: 16, Cells: 5 * nb201Stages}
	if min(t.Height, t.Width) < smallSide {
		defaults.Cells = nb201Stages
	}
	s, err := s.or("nb201", defaults, false)
	if err != nil {
		return nil, err
	}
	n, err := newSizedNB201(t, c, s)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// newSizedNB201 makes the space with networks of a size that is complete.
func newSizedNB201(t Task, c Constraints, s Size) (*nb201, error) {
	if s.Cells%nb201Stages != 0 {
		return nil, fmt.Errorf("space nb201: %d cells cannot be divided among %d stages", s.Cells, nb201Stages)
	}
	return &nb201{t, c, s}, nil
}

func (*nb201) Name() string { return "nb201" }

func (*nb201) Parse(text string) (Genome, error) {
	g, err := parseNB201(text)
	if err != nil {
		return nil, fmt.Errorf("space nb201: %w", err)
	}
	return g, nil
}

// own returns g as a genome of this space.
func (*nb201) own(g Genome) (NB201Genome, error) {
	h, ok := g.(NB201Genome)
	if !ok {
		return h, fmt.Errorf("space nb201: a %T is not a genome of this space", g)
	}
	if !h.made {
		return h, fmt.Errorf("space nb201: the genome is empty")
	}
	return h, nil
}

func (s *nb201) Check(g Genome) error {
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

func (s *nb201) Cost(g Genome) (Cost, error) {
	h, err := s.own(g)
	if err != nil {
		return Cost{}, err
	}
	return s.facts(newNetwork(s.task, false), &h).cost.checked()
}

// facts prices a genome. The blocks between stages have weights, so no network is without.
func (s *nb201) facts(n *network, g *NB201Genome) facts {
	f := s.write(n, g).facts()
	f.weighted++
	return f
}

func (s *nb201) Build(g Genome, scope layers.Scope) (layers.Module, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	return s.write(newNetwork(s.task, true), &h).build(scope), nil
}

// Key returns the same for cells that are isomorphic as the paper counts them, which makes 6,466 classes of 15,625 cells: a node is the
// sorted sum of its terms, a skip_connect is what it passes on, and none, like any operation on what is nothing but none, is zero.
//
// Such a class is coarser than "the same network": cells of 578 classes differ in their numbers of parameters. In 148 of these it is by
// convolutions that the output does not depend on, or whose input is zero, which are built and counted as in the published networks but
// change nothing. In the other 430 it is by whether two nodes that take the same convolution of one state have its weights
// in common or each their own, which the paper does not tell apart. A search that trains one cell of a class takes its result for all.
func (s *nb201) Key(g Genome) string {
	h, err := s.own(g)
	if err != nil {
		return ""
	}
	return "nb201-1-" + h.canonical()
}

// nb201Letters stand for the operations in a key, in the alphabetical order of their names: sums are sorted as texts, and what a
// skip_connect passes on is not taken apart, so that the classes depend on it.
var nb201Letters = [numNB201Ops]string{nb201AvgPool: "a", nb201Conv1: "b", nb201Conv3: "c"}

// canonical describes the output; 0 is the input of the cell and # zero.
func (g *NB201Genome) canonical() string {
	var states [nb201Nodes + 1]string
	states[0] = "0"
	edge := 0
	for node := range nb201Nodes {
		var buf [nb201Nodes]string
		terms := buf[:node+1]
		for from := range terms {
			switch op := g.ops[edge]; {
			case op == nb201None || states[from] == "#":
				terms[from] = "#"
			case op == nb201Skip:
				terms[from] = states[from]
			default:
				terms[from] = "(" + states[from] + ")" + nb201Letters[op]
			}
			edge++
		}
		slices.Sort(terms)
		states[node+1] = strings.Join(terms, "+")
	}
	return states[nb201Nodes]
}

// Random draws the operation of every edge.
func (s *nb201) Random(rng *rand.Rand) (Genome, error) {
	g := NB201Genome{made: true}
	n := newNetwork(s.task, false)
	return sample(&s.constraints, func() facts {
		for i := range g.ops {
			g.ops[i] = nb201Op(rng.IntN(int(numNB201Ops)))
		}
		if !s.constraints.pricing() {
			return facts{}
		}
		return s.facts(n.clear(), &g)
	}, func() Genome { return g })
}

// Mutate changes edges.
func (s *nb201) Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	mutate(nb201Edges, rate, rng, func(i int) { h.change(i, rng) })
	return h, nil
}

// Neighbor changes the operation of one edge.
func (s *nb201) Neighbor(g Genome, rng *rand.Rand) (Genome, error) {
	h, err := s.own(g)
	if err != nil {
		return nil, err
	}
	h.change(rng.IntN(nb201Edges), rng)
	return h, nil
}

func (g *NB201Genome) change(i int, rng *rand.Rand) {
	g.ops[i] = nb201Op(other(int(g.ops[i]), int(numNB201Ops), rng))
}

// Cross takes edges from the first of a up to a point, and those of b from there on.
func (s *nb201) Cross(a, b Genome, rng *rand.Rand) (Genome, error) {
	x, y, err := parents(s.own, a, b)
	if err != nil {
		return nil, err
	}
	copy(y.ops[:], x.ops[:cut(nb201Edges, rng)])
	return y, nil
}

// Count returns 5^6.
func (*nb201) Count() (uint64, bool) {
	n := count{n: 1}
	for range nb201Edges {
		n.times(uint64(numNB201Ops))
	}
	return n.n, !n.over
}

// At returns the cell of a number.
func (*nb201) At(number uint64) (Genome, bool) {
	g := NB201Genome{made: true}
	for i := nb201Edges - 1; i >= 0; i-- {
		g.ops[i] = nb201Op(digit(&number, int(numNB201Ops)))
	}
	return g, number == 0
}
