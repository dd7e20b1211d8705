package space

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// Read makes the space that a YAML document describes; file names it in errors, which begin with file:line.
//
//	space: my-cells            # its name
//	kind: cells                # or chain
//	operations:                # name: {type: ..., parameter: value or list of choices}
//	  conv: {type: conv, kernel: [3, 5]}
//	  sep: {type: separable, kernel: 3, dilation: [1, 2]}
//	  pool: {type: avg_pool}
//	  skip: {type: skip}
//	activation: relu           # or relu6, silu, hard_swish
//	constraints: {max-params: 200k, max-flops: 50M}
//
// Types of operations and their parameters:
//
//   - conv: convolution, then norm and activation; kernel 1 to 11, odd (3), dilation (1);
//   - separable: depthwise convolution, 1x1 convolution, then norm and activation; kernel, dilation;
//   - linear: linear map over channels at every position, then activation;
//   - max_pool, avg_pool: padding is not counted; kernel 3 to 11, odd (3);
//   - skip: the identity;
//   - none: nothing is added, of cells only.
//
// In a chain, conv and separable must say their channels and linear its units, and conv, separable and the pools may say a stride of
// 1 or 2. A chain has
//
//	depth: [2, 6]              # least and most layers, or one number
//	connections: [sequential, add, skip, concat]
//
// and the layers of [ChainLayer] otherwise, R being a 3x3 average pool. Cells have
//
//	nodes: 3                   # 1 to 6
//	inputs: 2                  # how many earlier states a node takes, or all
//	output: concat             # of the nodes; or their sum, or the last
//	norm: operation            # norm and activation behind each operation, or behind the sum of a node
//	channels: 16               # Size; what the caller asks for goes before it
//	cells: 6
//	reductions: 2
//
// and stem, head and transitions as those of seed-cell. Constraints are max-flops, max-macs, max-params, min-params,
// max-activation, max-channels and allow-weightless; those of the caller hold too.
func Read(r io.Reader, file string, t Task, c Constraints, s Size) (Space, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	d, err := readDescription(r, file)
	if err != nil {
		return nil, err
	}
	return newDescribed(d, t, c, s)
}

// descriptionReader reads a document. The first mistake ends it.
type descriptionReader struct {
	file string
	d    description
}

func readDescription(r io.Reader, file string) (*description, error) {
	dec := yaml.NewDecoder(r)
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: the file is empty", file)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one YAML document, have more", file)
	}
	p := &descriptionReader{file: file}
	top, err := p.mapping(doc.Content[0], "a space")
	if err != nil {
		return nil, err
	}
	if err := p.top(top, doc.Content[0]); err != nil {
		return nil, err
	}
	return &p.d, nil
}

func (p *descriptionReader) fail(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, n.Line, fmt.Sprintf(format, args...))
}

// field is a key of a mapping and its value.
type field struct{ key, value *yaml.Node }

func (p *descriptionReader) mapping(n *yaml.Node, what string) ([]field, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil, p.fail(n, "%s is a mapping of names to values", what)
	}
	var fields []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		f := field{n.Content[i], n.Content[i+1]}
		if f.value.Kind == yaml.AliasNode {
			f.value = f.value.Alias
		}
		if f.key.Kind != yaml.ScalarNode {
			return nil, p.fail(f.key, "the key is not a name")
		}
		for _, old := range fields {
			if old.key.Value == f.key.Value {
				return nil, p.fail(f.key, "%s is already set in line %d", quote(f.key.Value), old.key.Line)
			}
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// Keys of a document.
var (
	commonKeys = []string{"space", "kind", "operations", "activation", "constraints"}
	cellKeys   = []string{"nodes", "inputs", "output", "norm", "channels", "cells", "reductions"}
	chainKeys  = []string{"depth", "connections"}
)

func (p *descriptionReader) top(fields []field, at *yaml.Node) error {
	find := func(name string) *yaml.Node {
		for _, f := range fields {
			if f.key.Value == name {
				return f.value
			}
		}
		return nil
	}
	d := &p.d
	d.activation = reluOp
	for _, name := range []string{"space", "kind", "operations"} {
		if find(name) == nil {
			return p.fail(at, "%s is missing", name)
		}
	}
	kind, err := p.oneOf(find("kind"), "kind", "cells", "chain")
	if err != nil {
		return err
	}
	d.kind = describedKind(kind)
	keys := slices.Concat(commonKeys, cellKeys)
	if d.kind == chainKind {
		keys = slices.Concat(commonKeys, chainKeys)
		d.minDepth, d.maxDepth, d.connections = minChainDepth, maxChainDepth, []chainConnection{sequentialConnection}
	} else {
		d.nodes, d.size = 4, Size{Channels: 16, Cells: 8}
	}
	for _, f := range fields {
		if !slices.Contains(keys, f.key.Value) {
			return p.fail(f.key, "%s is not one of %s", quote(f.key.Value), choices(keys))
		}
		if err := p.field(f); err != nil {
			return err
		}
	}
	if d.inputs > d.nodes {
		return p.fail(find("inputs"), "inputs: a node of %d has no %d states before it", d.nodes, d.inputs)
	}
	if d.size.Reductions >= d.size.Cells && d.kind == cellsKind {
		return p.fail(find("reductions"), "reductions: %d need more than %d cells", d.size.Reductions, d.size.Cells)
	}
	if !slices.ContainsFunc(d.operations, func(b block) bool { return b.kind != noneBlock }) {
		return p.fail(find("operations"), "operations: none is not enough")
	}
	return nil
}

func (p *descriptionReader) field(f field) (err error) {
	d, n := &p.d, f.value
	switch name := f.key.Value; name {
	case "space":
		d.name, err = p.name(n, "the space")
	case "operations":
		err = p.operations(n)
	case "activation":
		var i int
		i, err = p.oneOf(n, name, "relu", "relu6", "silu", "hard_swish")
		d.activation = reluOp + opKind(i)
	case "constraints":
		err = p.constraints(n)
	case "nodes":
		d.nodes, err = p.integer(n, name, 1, maxDescribedNodes)
	case "inputs":
		if n.Value != "all" {
			d.inputs, err = p.integer(n, name, 1, maxDescribedNodes)
		}
	case "output":
		var i int
		i, err = p.oneOf(n, name, "concat", "sum", "last")
		d.output = cellOutput(i)
	case "norm":
		var i int
		i, err = p.oneOf(n, name, "operation", "node")
		d.nodeNorm = i == 1
	case "channels":
		d.size.Channels, err = p.integer(n, name, 1, maxSizeChannels)
	case "cells":
		d.size.Cells, err = p.integer(n, name, 1, maxSizeCells)
	case "reductions":
		d.size.Reductions, err = p.integer(n, name, 0, maxSizeReductions)
	case "depth":
		err = p.depth(n)
	case "connections":
		err = p.connections(n)
	}
	return err
}

func (p *descriptionReader) oneOf(n *yaml.Node, what string, names ...string) (int, error) {
	i := slices.Index(names, n.Value)
	if n.Kind != yaml.ScalarNode || i < 0 {
		return 0, p.fail(n, "%s: %s is not one of %s", what, quote(n.Value), choices(names))
	}
	return i, nil
}

func (p *descriptionReader) integer(n *yaml.Node, what string, lo, hi int) (int, error) {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		return 0, p.fail(n, "%s: want a whole number, not %s", what, quote(n.Value))
	}
	if v < lo || v > hi {
		return 0, p.fail(n, "%s: %d is not in %d..%d", what, v, lo, hi)
	}
	return v, nil
}

// name reads a name of letters, digits, underscores and, for the space, dashes.
func (p *descriptionReader) name(n *yaml.Node, what string) (string, error) {
	ok := n.Kind == yaml.ScalarNode && n.Value != "" && len(n.Value) <= 64
	for i, r := range n.Value {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		ok = ok && (letter || i > 0 && (r >= '0' && r <= '9' || r == '-' && what == "the space"))
	}
	if !ok {
		return "", p.fail(n, "%s is called %s; a name is a letter, then letters, digits and underscores", what, quote(n.Value))
	}
	for _, e := range known() {
		if what == "the space" && e.Name == n.Value {
			return "", p.fail(n, "there is another space %s", quote(n.Value))
		}
	}
	return n.Value, nil
}

// list returns the elements of a sequence, or the one value that stands in its place.
func (p *descriptionReader) list(n *yaml.Node, what string) ([]*yaml.Node, error) {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}, nil
	}
	if len(n.Content) == 0 {
		return nil, p.fail(n, "%s: the list is empty", what)
	}
	return n.Content, nil
}

func (p *descriptionReader) depth(n *yaml.Node) error {
	list, err := p.list(n, "depth")
	if err != nil {
		return err
	}
	if len(list) > 2 {
		return p.fail(n, "depth: want [least, most]")
	}
	lo, err := p.integer(list[0], "depth", 1, maxDescribedDepth)
	if err != nil {
		return err
	}
	p.d.minDepth = lo
	p.d.maxDepth, err = p.integer(list[len(list)-1], "depth", lo, maxDescribedDepth)
	return err
}

func (p *descriptionReader) connections(n *yaml.Node) error {
	list, err := p.list(n, "connections")
	if err != nil {
		return err
	}
	p.d.connections = nil
	for _, e := range list {
		i, err := p.oneOf(e, "connections", chainConnections[:]...)
		if err != nil {
			return err
		}
		if slices.Contains(p.d.connections, chainConnection(i)) {
			return p.fail(e, "connections: %s stands twice", e.Value)
		}
		p.d.connections = append(p.d.connections, chainConnection(i))
	}
	return nil
}

func (p *descriptionReader) constraints(n *yaml.Node) error {
	fields, err := p.mapping(n, "constraints")
	if err != nil {
		return err
	}
	c := &p.d.constraints
	bounds := map[string]*int64{
		"max-flops": &c.MaxFLOPs, "max-macs": &c.MaxMACs, "max-params": &c.MaxParams, "min-params": &c.MinParams, "max-activation": &c.MaxActivationBytes,
	}
	for _, f := range fields {
		switch name := f.key.Value; name {
		case "max-channels":
			c.MaxChannels, err = p.integer(f.value, name, 1, 1<<30)
		case "allow-weightless":
			var i int
			i, err = p.oneOf(f.value, name, "false", "true")
			c.AllowWeightless = i == 1
		default:
			bound, ok := bounds[name]
			if !ok {
				return p.fail(f.key, "%s is not one of max-flops, max-macs, max-params, min-params, max-activation, max-channels or allow-weightless", quote(name))
			}
			*bound, err = p.count(f.value, name)
		}
		if err != nil {
			return err
		}
	}
	if err := c.validate(); err != nil {
		return p.fail(n, "%v", err)
	}
	return nil
}

// count reads a positive number that may end in k, M or G.
func (p *descriptionReader) count(n *yaml.Node, what string) (int64, error) {
	digits, unit := n.Value, 1.0
	for suffix, u := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if s, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = s, u
			break
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if n.Kind != yaml.ScalarNode || err != nil || !(v*unit >= 1 && v*unit <= 1e18) {
		return 0, p.fail(n, "%s: want a number such as 250000, 250k or 2.5M, not %s", what, quote(n.Value))
	}
	return int64(math.Round(v * unit)), nil
}
