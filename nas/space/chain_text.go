package space

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// paramText returns the parameter as text, "" if there is none.
func (l chainLayer) paramText() string {
	switch {
	case l.op == skip:
		return ""
	case l.op == pool3x3 && l.param == maxPool:
		return "max"
	case l.op == pool3x3:
		return "avg"
	}
	return strconv.Itoa(int(l.param))
}

func (l chainLayer) decode() ChainLayer {
	out := ChainLayer{Op: chainOps[l.op].name, Connection: chainConnections[l.connection]}
	switch l.op {
	case conv3x3, conv5x5:
		out.Channels = int(l.param)
	case pool3x3:
		out.Type = l.paramText()
	case fc:
		out.Units = int(l.param)
	}
	return out
}

func (l ChainLayer) encode() (chainLayer, error) {
	var out chainLayer
	var err error
	if out.op, err = parseChainOp(l.Op); err != nil {
		return out, err
	}
	if out.connection, err = parseChainConnection(l.Connection); err != nil {
		return out, err
	}
	want := chainOps[out.op].param
	given := ""
	for _, p := range []struct {
		name, value string
		set         bool
	}{
		{"channels", strconv.Itoa(l.Channels), l.Channels != 0},
		{"type", l.Type, l.Type != ""},
		{"units", strconv.Itoa(l.Units), l.Units != 0},
	} {
		switch {
		case p.set && p.name != want:
			return out, fmt.Errorf("%s has no %s", l.Op, p.name)
		case p.set:
			given = p.value
		}
	}
	if want != "" {
		out.param, err = parseChainParam(out.op, given)
	}
	return out, err
}

func parseChainOp(name string) (chainOp, error) {
	var names []string
	for i, op := range chainOps {
		if op.name == name {
			return chainOp(i), nil
		}
		names = append(names, op.name)
	}
	return 0, fmt.Errorf("operation %s is not one of %s", quote(name), choices(names))
}

func parseChainConnection(name string) (chainConnection, error) {
	if name == "" {
		return sequentialConnection, nil
	}
	i := slices.Index(chainConnections[:], name)
	if i < 0 {
		return 0, fmt.Errorf("connection %s is not one of %s", quote(name), choices(chainConnections[:]))
	}
	return chainConnection(i), nil
}

func parseChainParam(op chainOp, value string) (uint16, error) {
	var names []string
	for _, p := range chainOps[op].choices {
		name := chainLayer{op: op, param: p}.paramText()
		if name == value {
			return p, nil
		}
		names = append(names, name)
	}
	if value == "" {
		return 0, fmt.Errorf("%s needs its %s: %s", chainOps[op].name, chainOps[op].param, choices(names))
	}
	return 0, fmt.Errorf("%s %s of %s is not one of %s", chainOps[op].param, quote(value), chainOps[op].name, choices(names))
}

// quote shortens what a user wrote for an error message.
func quote(s string) string {
	const limit = 32
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "…"
	}
	return strconv.Quote(s)
}

// choices joins names as "a, b or c".
func choices(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// String returns the text form.
func (g ChainGenome) String() string {
	var b strings.Builder
	for i, l := range g.layers[:g.depth] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(chainOps[l.op].name)
		if p := l.paramText(); p != "" {
			b.WriteString("(" + p + ")")
		}
		if l.connection != sequentialConnection {
			b.WriteString(":" + chainConnections[l.connection])
		}
	}
	return b.String()
}

// parseChain reads the JSON form if the text begins with a brace, and the text form otherwise.
func parseChain(text string) (ChainGenome, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseChainJSON(text)
	}
	p := chainParser{scanner{text: text}}
	g, err := p.genome()
	if err != nil {
		return ChainGenome{}, fmt.Errorf("column %d: %w", utf8.RuneCountInString(text[:p.at])+1, err)
	}
	return g, nil
}

// chainParser reads the text form.
type chainParser struct{ scanner }

// scanner cuts a text into tokens. After an error, at is where it is wrong.
type scanner struct {
	text string
	at   int // byte offset of the current token
	next int // byte offset behind it
}

// scan makes the next token the current one and returns it: a word of letters and digits, any
// other single character, or "" at the end.
func (p *scanner) scan() string {
	rest := strings.TrimLeftFunc(p.text[p.next:], unicode.IsSpace)
	p.at = len(p.text) - len(rest)
	n := 0
	for n < len(rest) {
		r, width := utf8.DecodeRuneInString(rest[n:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			if n == 0 {
				n = width
			}
			break
		}
		n += width
	}
	p.next = p.at + n
	return rest[:n]
}

func describeToken(token string) string {
	if token == "" {
		return "the text ends"
	}
	return quote(token) + " stands"
}

func (p *chainParser) genome() (ChainGenome, error) {
	var g ChainGenome
	for token := p.scan(); ; token = p.scan() {
		layer := p.at
		l, follow, err := p.layer(token)
		if err != nil {
			return g, err
		}
		if err := g.push(l); err != nil {
			p.at = layer
			return g, err
		}
		if follow == "," {
			continue
		}
		if follow != "" {
			return g, fmt.Errorf("%s where a comma or the end should be", describeToken(follow))
		}
		return g, g.complete()
	}
}

// layer reads a layer that begins with token, and the token that follows it.
func (p *chainParser) layer(token string) (l chainLayer, follow string, err error) {
	if token == "" || token == "," {
		return l, "", fmt.Errorf("%s where a layer should be, such as conv3x3(32):add", describeToken(token))
	}
	if l.op, err = parseChainOp(token); err != nil {
		return l, "", err
	}
	info := chainOps[l.op]
	follow = p.scan()
	switch {
	case follow == "(" && info.param == "":
		return l, "", fmt.Errorf("%s has no parameter", info.name)
	case follow == "(":
		value := p.scan()
		if value == ")" {
			value = ""
		}
		if l.param, err = parseChainParam(l.op, value); err != nil {
			return l, "", err
		}
		if closing := p.scan(); closing != ")" {
			return l, "", fmt.Errorf("%s where ) should be", describeToken(closing))
		}
		follow = p.scan()
	case info.param != "":
		_, err = parseChainParam(l.op, "")
		return l, "", fmt.Errorf("%s where ( should be: %w", describeToken(follow), err)
	}
	if follow == ":" {
		name := p.scan()
		if name == "" || name == "," {
			return l, "", fmt.Errorf("%s where a connection should be: %s", describeToken(name), choices(chainConnections[:]))
		}
		if l.connection, err = parseChainConnection(name); err != nil {
			return l, "", err
		}
		follow = p.scan()
	}
	return l, follow, nil
}

// chainVersion is the version of the JSON form.
const chainVersion = 1

type chainJSON[L any] struct {
	Space   string `json:"space"`
	Version int    `json:"version"`
	Layers  []L    `json:"layers"`
}

// MarshalJSON returns the JSON form.
func (g ChainGenome) MarshalJSON() ([]byte, error) {
	return json.Marshal(chainJSON[ChainLayer]{"chain", chainVersion, g.Layers()})
}

func parseChainJSON(text string) (ChainGenome, error) {
	var form chainJSON[json.RawMessage]
	if err := decodeStrictly([]byte(text), &form); err != nil {
		return ChainGenome{}, err
	}
	if err := checkForm(form.Space, form.Version, "chain", chainVersion); err != nil {
		return ChainGenome{}, err
	}
	var g ChainGenome
	for i, raw := range form.Layers {
		var l ChainLayer
		err := decodeStrictly(raw, &l)
		if err == nil {
			var inner chainLayer
			if inner, err = l.encode(); err == nil {
				err = g.push(inner)
			}
		}
		if err != nil {
			return ChainGenome{}, fmt.Errorf("JSON: layer %d: %w", i, err)
		}
	}
	if err := g.complete(); err != nil {
		return ChainGenome{}, fmt.Errorf("JSON: %w", err)
	}
	return g, nil
}

// decodeStrictly decodes one JSON value and nothing else, and refuses unknown fields.
func decodeStrictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("JSON ends early, after %d bytes", len(data))
		}
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("JSON: byte %d: %w", syntax.Offset, err)
		}
		return err
	}
	end := d.InputOffset()
	if rest := bytes.TrimSpace(data[end:]); len(rest) > 0 {
		return fmt.Errorf("JSON: byte %d: %s after the end of the genome", end+1, quote(string(rest)))
	}
	return nil
}
