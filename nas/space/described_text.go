package space

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DescribedGenome is a genome of seed-cell or of a space read by [Read]. It is comparable with ==.
//
// A cell is written node by node: the operations that a node adds up, each with the state that it is applied to. State 0 is what the
// cell starts with, state i+1 is node i.
//
//	conv3x3~0 | skip~0 + fc~1 | pool3x3~0 + skip~1 + conv5x5~2
//
// A chain is written layer by layer, each with its connection unless that is sequential:
//
//	conv(kernel=3, channels=32), pool, conv(kernel=5, channels=64):add
//
// Parameters stand in parentheses if there is a choice. The JSON forms, version 1:
//
//	{"space":"...","version":1,"nodes":[[{"op":"conv3x3","from":0}], ...]}
//	{"space":"...","version":1,"layers":[{"op":"conv","params":{"kernel":3,"channels":32},"connection":"sequential"}, ...]}
type DescribedGenome struct {
	space, text string
}

// String returns the text form.
func (g DescribedGenome) String() string { return g.text }

const describedVersion = 1

type describedJSON struct {
	Space   string       `json:"space"`
	Version int          `json:"version"`
	Nodes   [][]unitJSON `json:"nodes,omitempty"`
	Layers  []unitJSON   `json:"layers,omitempty"`
}

type unitJSON struct {
	Op         string           `json:"op"`
	Params     map[string]int32 `json:"params,omitempty"`
	From       *int             `json:"from,omitempty"`
	Connection string           `json:"connection,omitempty"`
}

// MarshalJSON returns the JSON form.
func (g DescribedGenome) MarshalJSON() ([]byte, error) {
	form := describedJSON{Space: g.space, Version: describedVersion}
	p := describedParser{scanner: scanner{text: g.text}}
	if err := p.read(); err != nil {
		return nil, err
	}
	for _, u := range p.units {
		j := unitJSON{Op: u.op, Connection: u.connection}
		for i, name := range u.names {
			if j.Params == nil {
				j.Params = map[string]int32{}
			}
			j.Params[name] = u.values[i]
		}
		if !u.edge {
			if j.Connection == "" {
				j.Connection = chainConnections[sequentialConnection]
			}
			form.Layers = append(form.Layers, j)
			continue
		}
		j.From = &u.from
		for len(form.Nodes) <= u.node {
			form.Nodes = append(form.Nodes, nil)
		}
		form.Nodes[u.node] = append(form.Nodes[u.node], j)
	}
	return json.Marshal(form)
}

// genome writes units down.
func (d *description) genome(units []unit) Genome {
	var b strings.Builder
	for i := range units {
		u := &units[i]
		if i > 0 {
			switch {
			case d.kind == chainKind:
				b.WriteString(", ")
			case u.node != units[i-1].node:
				b.WriteString(" | ")
			default:
				b.WriteString(" + ")
			}
		}
		op := &d.operations[u.op]
		b.WriteString(op.name)
		for j, p := range op.params[:op.free] {
			b.WriteString([]string{"(", ", "}[min(j, 1)])
			b.WriteString(p.name + "=" + strconv.Itoa(int(u.values[j])))
		}
		if op.free > 0 {
			b.WriteByte(')')
		}
		if d.kind == cellsKind {
			b.WriteString("~" + strconv.Itoa(u.from))
		} else if u.connection != sequentialConnection {
			b.WriteString(":" + chainConnections[u.connection])
		}
	}
	return DescribedGenome{d.name, b.String()}
}

// parse reads the JSON form if the text begins with a brace, and the text form otherwise.
func (d *description) parse(text string) ([]unit, error) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return d.parseText(text)
	}
	var form describedJSON
	if err := decodeStrictly([]byte(text), &form); err != nil {
		return nil, err
	}
	if err := checkForm(form.Space, form.Version, d.name, describedVersion); err != nil {
		return nil, err
	}
	var written []writtenUnit
	list, what := [][]unitJSON{form.Layers}, "layer"
	if d.kind == cellsKind {
		list, what = form.Nodes, "node"
	}
	if d.kind == cellsKind && form.Layers != nil || d.kind == chainKind && form.Nodes != nil {
		return nil, fmt.Errorf("JSON: the genome is not one of %ss", what)
	}
	for node, units := range list {
		for i, j := range units {
			u := writtenUnit{op: j.Op, node: node, edge: j.From != nil, connection: j.Connection}
			if j.From != nil {
				u.from = *j.From
			}
			for _, name := range slices.Sorted(maps.Keys(j.Params)) {
				u.names, u.values = append(u.names, name), append(u.values, j.Params[name])
			}
			if d.kind == cellsKind {
				i = node
			}
			if _, err := d.encode(&u); err != nil {
				return nil, fmt.Errorf("JSON: %s %d: %w", what, i, err)
			}
			written = append(written, u)
		}
	}
	units, err := d.encodeAll(written, nil)
	if err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	return units, nil
}

func (d *description) parseText(text string) ([]unit, error) {
	p := describedParser{scanner: scanner{text: text}}
	err := p.read()
	var units []unit
	if err == nil {
		units, err = d.encodeAll(p.units, &p.at)
	}
	if err != nil {
		return nil, fmt.Errorf("column %d: %w", utf8.RuneCountInString(text[:p.at])+1, err)
	}
	return units, nil
}

// encodeAll turns what was written into units, in the order in which they are kept. After an error, at is where it
// was written.
func (d *description) encodeAll(written []writtenUnit, at *int) ([]unit, error) {
	units := make([]unit, len(written))
	for i := range written {
		var err error
		if units[i], err = d.encode(&written[i]); err != nil {
			if at != nil {
				*at = written[i].at
			}
			return nil, err
		}
	}
	if d.kind == cellsKind {
		slices.SortStableFunc(units, func(a, b unit) int { return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.from, b.from)) })
	}
	if len(units) == 0 {
		return nil, fmt.Errorf("the genome is empty")
	}
	return units, d.check(units)
}

// encode checks one unit by itself.
func (d *description) encode(w *writtenUnit) (unit, error) {
	u := unit{node: w.node, from: w.from, op: -1}
	var names []string
	for i := range d.operations {
		if d.operations[i].name == w.op {
			u.op = i
		}
		names = append(names, d.operations[i].name)
	}
	if u.op < 0 {
		return u, fmt.Errorf("operation %s is not one of %s", quote(w.op), choices(names))
	}
	switch {
	case d.kind == cellsKind && w.connection != "":
		return u, fmt.Errorf("connection %s: operations of a cell are added up", quote(w.connection))
	case d.kind == cellsKind && !w.edge:
		return u, fmt.Errorf("%s needs the state that it is applied to, such as %s~0", w.op, w.op)
	case d.kind == chainKind && w.edge:
		return u, fmt.Errorf("%s of a chain is applied to the layer before, not to a state", w.op)
	case u.from < 0:
		return u, fmt.Errorf("state %d does not exist", u.from)
	}
	if w.connection != "" {
		c, err := parseChainConnection(w.connection)
		if err != nil {
			return u, err
		}
		if !slices.Contains(d.connections, c) && c != sequentialConnection {
			return u, fmt.Errorf("connection %s is not in this space", w.connection)
		}
		u.connection = c
	}
	return u, d.encodeParams(&u, w)
}

func (d *description) encodeParams(u *unit, w *writtenUnit) error {
	b := &d.operations[u.op]
	free := b.params[:b.free]
	for i, p := range free {
		j := slices.Index(w.names, p.name)
		if j < 0 {
			return fmt.Errorf("%s needs its %s: %s", b.name, p.name, numbers(p.choices))
		}
		if !slices.Contains(p.choices, int(w.values[j])) {
			return fmt.Errorf("%s %d of %s is not one of %s", p.name, w.values[j], b.name, numbers(p.choices))
		}
		u.values[i] = w.values[j]
	}
	for i, name := range w.names {
		if !slices.ContainsFunc(free, func(p blockParam) bool { return p.name == name }) {
			return fmt.Errorf("%s has no choice of %s", b.name, quote(name))
		}
		if slices.Contains(w.names[:i], name) {
			return fmt.Errorf("%s of %s stands twice", name, b.name)
		}
	}
	return nil
}

// numbers joins numbers as "1, 2 or 3".
func numbers(values []int) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = strconv.Itoa(v)
	}
	return choices(names)
}

// writtenUnit is a unit as it is written, before any space has looked at it.
type writtenUnit struct {
	at         int // byte offset
	op         string
	names      []string
	values     []int32
	edge       bool
	node, from int
	connection string
}

// describedParser reads the grammar that the text forms of all described spaces share.
type describedParser struct {
	scanner
	units []writtenUnit
}

func (p *describedParser) read() error {
	node := 0
	token := p.scan()
	for {
		if token == "" || strings.Contains(",|+~():=", token) {
			return fmt.Errorf("%s where an operation should be", describeToken(token))
		}
		follow, err := p.unit(token, node)
		if err != nil {
			return err
		}
		edge := p.units[len(p.units)-1].edge
		switch {
		case follow == "":
			return nil
		case edge && follow == "|":
			node++
		case edge && follow == "+", !edge && follow == ",":
		default:
			return fmt.Errorf("%s where %s should be", describeToken(follow), map[bool]string{true: "+, | or the end", false: "a comma or the end"}[edge])
		}
		token = p.scan()
	}
}

// unit reads a unit that begins with token, and the token that follows it.
func (p *describedParser) unit(token string, node int) (follow string, err error) {
	u := writtenUnit{at: p.at, op: token, node: node}
	if follow = p.scan(); follow == "(" {
		if err := p.params(&u); err != nil {
			return "", err
		}
		follow = p.scan()
	}
	switch follow {
	case "~":
		state, err := p.number()
		if err != nil {
			return "", err
		}
		u.edge, u.from = true, int(state)
		follow = p.scan()
	case ":":
		if u.connection = p.scan(); u.connection == "" || u.connection == "," {
			return "", fmt.Errorf("%s where a connection should be: %s", describeToken(u.connection), choices(chainConnections[:]))
		}
		follow = p.scan()
	}
	p.units = append(p.units, u)
	return follow, nil
}

func (p *describedParser) params(u *writtenUnit) error {
	for {
		name := p.scan()
		if name == "" || strings.Contains(",|+~():=", name) {
			return fmt.Errorf("%s where the name of a parameter should be", describeToken(name))
		}
		if got := p.scan(); got != "=" {
			return fmt.Errorf("%s where = should be", describeToken(got))
		}
		value, err := p.number()
		if err != nil {
			return err
		}
		u.names, u.values = append(u.names, name), append(u.values, value)
		switch token := p.scan(); token {
		case ",":
		case ")":
			return nil
		default:
			return fmt.Errorf("%s where a comma or ) should be", describeToken(token))
		}
	}
}

func (p *describedParser) number() (int32, error) {
	token := p.scan()
	n, err := strconv.ParseInt(token, 10, 16)
	if err != nil || strconv.FormatInt(n, 10) != token {
		return 0, fmt.Errorf("%s where a number should be", describeToken(token))
	}
	return int32(n), nil
}
