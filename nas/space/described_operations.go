package space

import (
	"slices"

	yaml "go.yaml.in/yaml/v3"
)

// blockTypes lists the types of operations and the parameters that they have.
var blockTypes = [numBlockKinds]struct {
	name         string
	kernel       int      // least
	params       []string // anywhere
	inChain      []string // in a chain too
	neededInside string   // a parameter that a chain needs
}{
	convBlock:      {"conv", 1, []string{"kernel", "dilation"}, []string{"stride", "channels"}, "channels"},
	separableBlock: {"separable", 1, []string{"kernel", "dilation"}, []string{"stride", "channels"}, "channels"},
	linearBlock:    {name: "linear", inChain: []string{"units"}, neededInside: "units"},
	maxPoolBlock:   {"max_pool", 3, []string{"kernel"}, []string{"stride"}, ""},
	avgPoolBlock:   {"avg_pool", 3, []string{"kernel"}, []string{"stride"}, ""},
	skipBlock:      {name: "skip"},
	noneBlock:      {name: "none"},
}

// maxKernel bounds the side of a window, and maxDilation the distance of its taps.
const (
	maxKernel   = 11
	maxDilation = 8
)

func (p *descriptionReader) operations(n *yaml.Node) error {
	fields, err := p.mapping(n, "operations")
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		return p.fail(n, "operations: there is none")
	}
	for _, f := range fields {
		b, err := p.operation(f)
		if err != nil {
			return err
		}
		p.d.operations = append(p.d.operations, b)
	}
	return nil
}

func (p *descriptionReader) operation(f field) (b block, err error) {
	if b.name, err = p.name(f.key, "an operation"); err != nil {
		return b, err
	}
	fields, err := p.mapping(f.value, "operation "+b.name)
	if err != nil {
		return b, err
	}
	var types []string
	for _, t := range blockTypes {
		types = append(types, t.name)
	}
	at := slices.IndexFunc(fields, func(g field) bool { return g.key.Value == "type" })
	if at < 0 {
		return b, p.fail(f.key, "operation %s has no type, which is one of %s", b.name, choices(types))
	}
	kind, err := p.oneOf(fields[at].value, b.name+": type", types...)
	if err != nil {
		return b, err
	}
	b.kind = blockKind(kind)
	t, chain := &blockTypes[kind], p.d.kind == chainKind
	if b.kind == noneBlock && chain {
		return b, p.fail(fields[at].value, "%s: none is an operation of cells", b.name)
	}
	allowed := t.params
	if chain {
		allowed = slices.Concat(t.params, t.inChain)
	}
	var fixed, free []blockParam
	for _, g := range fields {
		if g.key.Value == "type" {
			continue
		}
		if !slices.Contains(allowed, g.key.Value) {
			return b, p.fail(g.key, "%s: %s of type %s has no parameter %s", f.key.Value, kindName(p.d.kind), t.name, quote(g.key.Value))
		}
		param, err := p.param(g, b.name, t.kernel)
		if err != nil {
			return b, err
		}
		if len(param.choices) > 1 {
			free = append(free, param)
		} else {
			fixed = append(fixed, param)
		}
	}
	b.params, b.free = append(free, fixed...), len(free)
	has := func(name string) bool {
		return slices.ContainsFunc(b.params, func(q blockParam) bool { return q.name == name })
	}
	if chain && t.neededInside != "" && !has(t.neededInside) {
		return b, p.fail(f.key, "%s: an operation of type %s in a chain needs its %s", b.name, t.name, t.neededInside)
	}
	if slices.Contains(t.params, "kernel") && !has("kernel") {
		b.params = append(b.params, blockParam{"kernel", []int{3}})
	}
	return b, nil
}

func kindName(k describedKind) string {
	if k == chainKind {
		return "an operation of a chain"
	}
	return "an operation of cells"
}

// param reads the choices of a parameter.
func (p *descriptionReader) param(f field, op string, leastKernel int) (blockParam, error) {
	param := blockParam{name: f.key.Value}
	list, err := p.list(f.value, op+": "+param.name)
	if err != nil {
		return param, err
	}
	lo, hi := 1, maxSizeChannels
	switch param.name {
	case "kernel":
		lo, hi = leastKernel, maxKernel
	case "dilation":
		hi = maxDilation
	case "stride":
		hi = 2
	}
	for _, n := range list {
		v, err := p.integer(n, op+": "+param.name, lo, hi)
		if err != nil {
			return param, err
		}
		if param.name == "kernel" && v%2 == 0 {
			return param, p.fail(n, "%s: kernel: %d is even; a window has a middle", op, v)
		}
		if slices.Contains(param.choices, v) {
			return param, p.fail(n, "%s: %s: %d stands twice", op, param.name, v)
		}
		param.choices = append(param.choices, v)
	}
	return param, nil
}
