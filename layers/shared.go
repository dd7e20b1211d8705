package layers

import (
	"slices"
	"strconv"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// NewSharedStore returns an empty store of which many networks may be built, one after the other, over the same parameters: the weights
// of a one-shot supernet. It differs from [NewStore] in that
//
//   - a path may be asked for again. A network that asks for other dimensions than an earlier one gets the leading block
//     of one tensor, along every dimension: the first input channels of a kernel, for instance. The tensor
//     grows to the largest block that was asked for;
//   - [Scope.Choice] gives the alternatives at one place paths of their own, and [Scope.Width] those of a width if
//     [Store.SeparateWidths] was called;
//   - buffers are not shared: every network has its own, with first values, because the statistics of one say
//     nothing about another.
func NewSharedStore(seed uint64) *Store {
	s := NewStore(seed)
	s.shared = true
	return s
}

// SeparateWidths gives every choice of a width in a shared store parameters of its own, instead of the leading block of the
// widest. It is called before anything is built.
func (s *Store) SeparateWidths() { s.apart = true }

// Freeze ends the growth of a shared store. A network that asks for more than there is gets first values that are its own and
// depend on the store as it was frozen alone, not on what was built since.
func (s *Store) Freeze() { s.frozen = true }

// Adopt puts a parameter of another place, such as a checkpoint, into a shared store; if there is one of its name, it is replaced.
func (s *Store) Adopt(name string, kind Kind, value *tensor.Tensor) {
	if value == nil || len(value.Data()) != value.Len() {
		misuse(name, "a parameter to adopt has no contiguous value")
	}
	if p := s.byName[name]; p != nil {
		p.Kind, p.Value = kind, value
		return
	}
	p := &Parameter{Name: name, Kind: kind, Value: value}
	s.byName[name] = p
	s.params = append(s.params, p)
}

// Choice returns the scope of one of several alternatives that a builder may put at a place, such as an operation with its
// choice of output channels: the scope below named shared in a store of [NewSharedStore], and that named plain in any other,
// where there is but one. An empty name adds no level.
func (s Scope) Choice(plain, shared string) Scope {
	name := plain
	if s.store == nil {
		misuse(plain, "the scope belongs to no store")
	}
	if s.store.shared {
		name = shared
	}
	if name == "" {
		return s
	}
	return s.Sub(name)
}

// Width returns the scope of an operation with so many output channels, where that is a choice that a builder has: the scope
// itself, unless the store is a shared one that keeps widths apart.
func (s Scope) Width(channels int) Scope {
	if s.store == nil {
		misuse("", "the scope belongs to no store")
	}
	if !s.store.shared || !s.store.apart {
		return s
	}
	return s.Sub("width" + strconv.Itoa(channels))
}

// share returns a view of a parameter of a shared store.
func (s *Store) share(path string, kind Kind, init Init, dims tensor.Shape) *Parameter {
	if kind == Buffer {
		b := &Parameter{Name: path, Kind: kind, Value: s.fresh(path, init, dims), part: slices.Clone(dims)}
		s.release(dims) // it is the network's, not the store's
		b.whole = b
		return b
	}
	whole := s.byName[path]
	if whole == nil {
		whole = &Parameter{Name: path, Kind: kind, Value: s.fresh(path, init, dims)}
		if s.frozen {
			s.release(dims)
		} else {
			s.byName[path] = whole
			s.params = append(s.params, whole)
		}
	}
	have := whole.Value.Shape()
	if whole.Kind != kind || len(have) != len(dims) {
		misuse(path, "it is a %v of %v in one network and a %v of %v in another", whole.Kind, have, kind, dims)
	}
	need, grows := slices.Clone(have), false
	for d, n := range dims {
		if n > need[d] {
			need[d], grows = n, true
		}
	}
	if grows {
		value := s.fresh(path, init, need)
		CopyBlock(value, whole.Value, have)
		if s.frozen {
			s.release(need)
			whole = &Parameter{Name: path, Kind: kind}
		} else {
			s.release(have)
		}
		whole.Value = value
	}
	return &Parameter{Name: path, Kind: kind, Value: whole.Value, whole: whole, part: slices.Clone(dims)}
}

// fresh returns first values. Those of two shapes have nothing in common, so that what a tensor grows by is no copy of what it has.
func (s *Store) fresh(path string, init Init, dims tensor.Shape) *tensor.Tensor {
	s.reserve(dims)
	t := tensor.New(dims...)
	counters := make([]uint64, len(dims))
	for i, d := range dims {
		counters[i] = uint64(d)
	}
	init(t.Data(), t.Shape(), stream.New(stream.Seed(s.seed, "init"), path, counters...))
	return t
}

// CopyBlock copies the leading block of the given dimensions from one tensor to the same place in another, both of which must hold it.
func CopyBlock(to, from *tensor.Tensor, block tensor.Shape) {
	a, b, n := BlockRows(to.Shape(), block), BlockRows(from.Shape(), block), block.Elements()
	if n == 0 {
		return
	}
	// Runs of the tensor in which they are shorter.
	length := min(a.Length, b.Length)
	for at := 0; at < n; at += length {
		copy(to.Data()[a.at(at):][:length], from.Data()[b.at(at):][:length])
	}
}

// Rows are the runs of neighbouring elements that a leading block of a tensor consists of.
type Rows struct {
	Starts []int // of each run, in order
	Length int   // of each
}

// at returns where an element of the block stands in the tensor.
func (r Rows) at(element int) int { return r.Starts[element/r.Length] + element%r.Length }

// BlockRows returns the runs of the leading block of these dimensions in a tensor of the outer ones.
func BlockRows(outer, block tensor.Shape) Rows {
	fits := len(outer) == len(block)
	for d := 0; fits && d < len(outer); d++ {
		fits = block[d] >= 0 && block[d] <= outer[d]
	}
	if !fits {
		misuse("", "a tensor of %v has no leading block of %v", outer, block)
	}
	d := len(outer) - 1 // the last dimension in which they differ
	for d >= 0 && outer[d] == block[d] {
		d--
	}
	if d < 0 {
		return Rows{Starts: []int{0}, Length: block.Elements()}
	}
	r := Rows{Length: block[d:].Elements()}
	starts, stride := []int{0}, outer[d:].Elements()
	for i := d - 1; i >= 0; i-- {
		// starts are those of one index of dimension i.
		inner := starts
		starts = make([]int, 0, len(inner)*block[i])
		for k := range block[i] {
			for _, s := range inner {
				starts = append(starts, s+k*stride)
			}
		}
		stride *= outer[i]
	}
	r.Starts = starts
	return r
}

// Use is a parameter of a shared store in the graph of a pass.
type Use struct {
	Parameter *Parameter // of the store; the network's own if it is a buffer
	Part      tensor.Shape
	Node      *autograd.Node // the part: the whole, or its leading block
}

// Uses returns the parameters of a shared store that the modules of the pass asked for so far, in order.
func (p *Pass) Uses() []Use { return p.uses }

// view returns the node of a parameter of a shared store.
func (p *Pass) view(q *Parameter) *autograd.Node {
	for i := range p.uses {
		if u := &p.uses[i]; u.Parameter == q.whole && u.Part.Equal(q.part) && u.Node.Graph() == p.Graph {
			return u.Node
		}
	}
	n := p.Graph.Variable(q.whole.Name, q.whole.Value)
	if !q.part.Equal(n.Shape()) {
		n = autograd.Slice(n, make([]int, len(q.part)), q.part)
	}
	p.uses = append(p.uses, Use{Parameter: q.whole, Part: q.part, Node: n})
	return n
}
