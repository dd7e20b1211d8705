package space

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/nasbench-go/nasbench/layers"
)

// Genome names one network of a space. It is immutable. Two genomes of one space are the same
// if their texts are.
type Genome interface {
	// String returns the one-line text form, which [Space.Parse] reads back.
	String() string
	// MarshalJSON returns the JSON form, which [Space.Parse] reads back. It carries the name
	// of the space and the version of the form; later versions of this package read it too.
	MarshalJSON() ([]byte, error)
}

// Space is a set of networks for one task under constraints. It is immutable and may be used
// by several goroutines at the same time.
//
// Methods that take a genome want one of this space; with any other, Check, Cost and Build
// return an error, and Key returns "".
type Space interface {
	// Name returns the name that [New] knows the space by.
	Name() string
	// Parse reads a genome in its text or its JSON form. It does not ask whether the
	// constraints allow the genome; Check does.
	Parse(text string) (Genome, error)
	// Random makes every choice of a genome with equal probability, and does so again until
	// the constraints allow the genome; so they change the probabilities of those that are
	// left by one common factor. The error is a *[SampleError] if too few are, or that of Constraints.Interrupt.
	Random(rng *rand.Rand) (Genome, error)
	// Check returns nil if the constraints allow the genome, or a *[Violation] with the
	// reason.
	Check(g Genome) error
	// Key returns the same short string for two genomes exactly if they build the same network
	// for the space's task; or networks of the same class, where a space goes by published classes of networks that it takes for equal
	// and its documentation says so, as nb201 does. Keys of different spaces or tasks are not comparable.
	Key(g Genome) string
	// Cost returns the exact cost of the network, whether the constraints allow it or not. The error is a *[Violation] of the
	// CountConstraint if a number of it does not fit an int64; Check refuses such a network too.
	Cost(g Genome) (Cost, error)
	// Build registers the network's parameters in the scope and returns the module that maps
	// images, N x H x W x C, to logits, N x classes. The constraints are not asked.
	Build(g Genome, s layers.Scope) (layers.Module, error)
}

// Task is what every network of a space computes: the classes of images.
type Task struct {
	Height, Width, Channels int // of an image
	Classes                 int
}

// Limits of a task, far beyond any use.
const (
	maxSide     = 8192
	maxChannels = 1024
	maxClasses  = 1 << 20
)

// Check returns an error if there can be no network for the task: a side outside 1..8192,
// channels outside 1..1024, or classes outside 2..1048576.
func (t Task) Check() error {
	for _, f := range []struct {
		name           string
		value, lo, max int
	}{
		{"height", t.Height, 1, maxSide},
		{"width", t.Width, 1, maxSide},
		{"channels", t.Channels, 1, maxChannels},
		{"classes", t.Classes, 2, maxClasses},
	} {
		if f.value < f.lo || f.value > f.max {
			return fmt.Errorf("space: task %v: %s %d is not in %d..%d", t, f.name, f.value, f.lo, f.max)
		}
	}
	return nil
}

// String formats the task as "28x28x1 to 10 classes".
func (t Task) String() string {
	return fmt.Sprintf("%dx%dx%d to %d classes", t.Height, t.Width, t.Channels, t.Classes)
}

// Info describes a space that [New] can make.
type Info struct {
	Name        string
	Description string // one line
}

type entry struct {
	Info
	make func(Task, Constraints, Size) (Space, error)
}

// known is the list of spaces. A new space adds one line.
func known() []entry {
	return []entry{
		{Info{"chain",
			"3 to 8 layers in a row: conv3x3, conv5x5, pool3x3, skip, fc; joined by sequential, add, skip, concat"}, newChain},
		{Info{"seed-cell",
			"a cell of four nodes, each the sum of an operation on every earlier state: conv3x3, conv5x5, pool3x3, skip, fc"}, newSeedCell},
		{Info{"darts",
			"normal and reduction cells of four nodes, each the sum of two of seven operations on earlier states"}, newDarts},
		{Info{"nb201",
			"NAS-Bench-201: a cell of six edges: none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"}, newNB201},
		{Info{"macro",
			"NAS-Bench-Macro: eight layers: identity, or an inverted residual block, 3x3 or 5x5"}, newMacro},
	}
}

// List returns the spaces that [New] can make.
func List() []Info {
	var infos []Info
	for _, e := range known() {
		infos = append(infos, e.Info)
	}
	return infos
}

// New returns the space of this name, with networks of its own size where its genomes do not say how
// large they are. It fails if there is none, if the task is not possible, or if a constraint makes no sense.
func New(name string, t Task, c Constraints) (Space, error) { return NewSized(name, t, c, Size{}) }

// NewSized is [New] with a size; a space of which genomes say how large their networks are refuses any.
func NewSized(name string, t Task, c Constraints, s Size) (Space, error) {
	var names []string
	for _, e := range known() {
		if e.Name != name {
			names = append(names, e.Name)
			continue
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		if err := c.validate(); err != nil {
			return nil, err
		}
		return e.make(t, c, s)
	}
	return nil, fmt.Errorf("space: no space is called %q; there is %s", name, strings.Join(names, ", "))
}

// Size is the size of the networks of a space of cells. Zero values stand for the space's own.
type Size struct {
	Channels   int // of the first cells
	Cells      int
	Reductions int // how often the sides of the maps are halved and the channels doubled, for a space that leaves it open
}

// Limits of a size, far beyond any use.
const (
	maxSizeChannels   = 1024
	maxSizeCells      = 64
	maxSizeReductions = 8
)

// or fills what is zero from the defaults and checks the rest.
func (s Size) or(space string, defaults Size, reductions bool) (Size, error) {
	if s.Reductions != 0 && !reductions {
		return s, fmt.Errorf("space %s: the number of reductions cannot be chosen", space)
	}
	for _, f := range []struct {
		name         string
		value        *int
		given, limit int
	}{
		{"channels", &s.Channels, defaults.Channels, maxSizeChannels},
		{"cells", &s.Cells, defaults.Cells, maxSizeCells},
		{"reductions", &s.Reductions, defaults.Reductions, maxSizeReductions},
	} {
		if *f.value == 0 {
			*f.value = f.given
		}
		if *f.value < 0 || *f.value > f.limit {
			return s, fmt.Errorf("space %s: %d %s; the most is %d", space, *f.value, f.name, f.limit)
		}
	}
	return s, nil
}
