package layers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// Kind says how a parameter is treated in training.
type Kind int

// The kinds of parameters.
const (
	Weight Kind = iota // trained, weight decay applies
	Bias               // trained, not decayed
	Norm               // scale and shift of a normalisation: trained, not decayed
	Buffer             // state such as running statistics: no gradient, kept in checkpoints
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Weight:
		return "weight"
	case Bias:
		return "bias"
	case Norm:
		return "norm"
	case Buffer:
		return "buffer"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Parameter is a tensor that outlives the programs that use it.
type Parameter struct {
	Name  string // full path, "block1.conv.weight"
	Kind  Kind
	Value *tensor.Tensor

	// Of what a network over a shared store is given: a leading block, of these dimensions, of the store's parameter.
	whole *Parameter
	part  tensor.Shape
}

// Store owns the parameters of one model. It must not be used by several goroutines at
// the same time.
type Store struct {
	seed   uint64
	params []*Parameter
	byName map[string]*Parameter // nil values are names claimed by Scope.Key
	shared bool                  // see NewSharedStore
	apart  bool                  // see SeparateWidths
	frozen bool

	bytes, limit int64 // of all parameters; see Limit
}

// NewStore returns an empty store. The seed decides the first values of all parameters
// and the random masks.
func NewStore(seed uint64) *Store {
	return &Store{seed: seed, byName: map[string]*Parameter{}, limit: machine.Plannable()}
}

// Limit bounds the bytes of all parameters; a parameter that goes beyond it panics with an [*autograd.MemoryError] and is not made. Without a call of it the bound
// is four fifths of the memory that the process may have. 0 means no bound.
func (s *Store) Limit(bytes int64) { s.limit = bytes }

// reserve counts a parameter of some positive dimensions among the bytes of the store, or panics.
func (s *Store) reserve(dims []int) {
	need := int64(math.MaxInt64) // more than there is anywhere
	if tensor.Shape(dims).Check() == nil {
		if size := 4 * int64(tensor.Shape(dims).Elements()); size < need-s.bytes {
			need = s.bytes + size
		}
	}
	if need == math.MaxInt64 || s.limit > 0 && need > s.limit {
		panic(&autograd.MemoryError{What: "storage of the parameters", Need: need, Limit: s.limit})
	}
	s.bytes = need
}

// release takes a parameter out of the count.
func (s *Store) release(dims tensor.Shape) { s.bytes -= 4 * int64(dims.Elements()) }

// Seed returns the seed that the store was made with.
func (s *Store) Seed() uint64 { return s.seed }

// Root returns the scope with the empty path.
func (s *Store) Root() Scope { return Scope{store: s} }

// All returns the parameters in order of creation.
func (s *Store) All() []*Parameter { return slices.Clone(s.params) }

// Trainable returns the parameters that are not buffers, in order of creation.
func (s *Store) Trainable() []*Parameter {
	var out []*Parameter
	for _, p := range s.params {
		if p.Kind != Buffer {
			out = append(out, p)
		}
	}
	return out
}

// Lookup returns the parameter of this full path, or nil.
func (s *Store) Lookup(name string) *Parameter { return s.byName[name] }

// Elements returns the number of trainable numbers, the usual "parameter count" of a model.
func (s *Store) Elements() int {
	n := 0
	for _, p := range s.params {
		if p.Kind != Buffer {
			n += p.Value.Len()
		}
	}
	return n
}

// claim reserves a name. Two owners of one name would silently share first values and
// overwrite each other in checkpoints.
func (s *Store) claim(name string, p *Parameter) {
	if _, taken := s.byName[name]; taken {
		misuse(name, "registered twice in one store")
	}
	s.byName[name] = p
}

// Scope is a place in a [Store]. It is a small value; the zero Scope belongs to no store, and whatever registers something in it panics with a [*ConstructionError].
type Scope struct {
	store *Store
	path  string
}

// Store returns the store that the scope belongs to.
func (s Scope) Store() *Store { return s.store }

// Path returns the path, "" for the root.
func (s Scope) Path() string { return s.path }

// Sub returns the scope one level below. The name must not be empty nor contain a dot,
// a slash or a space.
func (s Scope) Sub(name string) Scope { return Scope{store: s.store, path: s.join(name)} }

// Param creates the parameter of this name and dimensions and fills it with init. It
// panics with a [*ConstructionError] if the path is taken, unless the store is shared, or if a dimension is not positive, and with an [*autograd.MemoryError] if all
// parameters would take more memory than [Store.Limit] allows.
func (s Scope) Param(name string, kind Kind, init Init, dims ...int) *Parameter {
	path := s.join(name)
	if kind < Weight || kind > Buffer {
		misuse(path, "there is no kind %d of parameters", int(kind))
	}
	if init == nil {
		misuse(path, "there is nothing to fill it with first")
	}
	for _, d := range dims {
		if d <= 0 {
			misuse(path, "shape %v has a dimension that is not positive", tensor.Shape(dims))
		}
	}
	if s.store.shared {
		return s.store.share(path, kind, init, dims)
	}
	p := &Parameter{Name: path, Kind: kind}
	s.store.reserve(dims)
	s.store.claim(path, p)
	p.Value = tensor.New(dims...)
	init(p.Value.Data(), p.Value.Shape(), stream.New(stream.Seed(s.store.seed, "init"), path))
	s.store.params = append(s.store.params, p)
	return p
}

// Key returns the number that names the random masks of one module. Like a parameter it
// takes its path for itself.
func (s Scope) Key(name string) uint64 {
	path := s.join(name)
	if !s.store.shared {
		s.store.claim(path, nil)
	}
	return stream.Seed(stream.Seed(s.store.seed, "mask"), path)
}

func (s Scope) join(name string) string {
	if s.store == nil {
		misuse(name, "the scope belongs to no store")
	}
	if name == "" || strings.ContainsAny(name, "./ \t\n") {
		misuse(s.path, "%q cannot be part of a path", name)
	}
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}
