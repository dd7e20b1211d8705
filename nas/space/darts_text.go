package space

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String returns the text form.
func (g DartsGenome) String() string {
	const concat = "_concat=[2, 3, 4, 5]"
	return "Genotype(normal=" + g.normal.text() + ", normal" + concat + ", reduce=" + g.reduce.text() + ", reduce" + concat + ")"
}

func (c *dartsCell) text() string {
	parts := make([]string, dartsEdges)
	for i, e := range c {
		parts[i] = "('" + dartsOpNames[e.op] + "', " + strconv.Itoa(int(e.from)) + ")"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// dartsVersion is the version of the JSON form.
const dartsVersion = 1

type dartsJSON struct {
	Space   string      `json:"space"`
	Version int         `json:"version"`
	Normal  []DartsEdge `json:"normal"`
	Reduce  []DartsEdge `json:"reduce"`
}

// MarshalJSON returns the JSON form.
func (g DartsGenome) MarshalJSON() ([]byte, error) {
	return json.Marshal(dartsJSON{"darts", dartsVersion, g.Normal(), g.Reduce()})
}

// parseDarts reads the JSON form if the text begins with a brace, and the published notation otherwise.
func parseDarts(text string) (DartsGenome, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var form dartsJSON
		if err := decodeStrictly([]byte(text), &form); err != nil {
			return DartsGenome{}, err
		}
		if err := checkForm(form.Space, form.Version, "darts", dartsVersion); err != nil {
			return DartsGenome{}, err
		}
		g, err := NewDartsGenome(form.Normal, form.Reduce)
		if err != nil {
			return DartsGenome{}, fmt.Errorf("JSON: %w", err)
		}
		return g, nil
	}
	p := dartsParser{scanner: scanner{text: text}}
	if err := p.genotype(); err != nil {
		return DartsGenome{}, fmt.Errorf("column %d: %w", utf8.RuneCountInString(text[:p.at])+1, err)
	}
	return NewDartsGenome(p.normal, p.reduce)
}

// checkForm compares the head of a JSON form with what this program reads.
func checkForm(space string, version int, wantSpace string, wantVersion int) error {
	if space != wantSpace {
		return fmt.Errorf("JSON: the genome is of space %s, not %s", quote(space), wantSpace)
	}
	if version != wantVersion {
		return fmt.Errorf("JSON: version is %d; this program reads version %d", version, wantVersion)
	}
	return nil
}

// dartsParser reads the published notation.
type dartsParser struct {
	scanner
	normal, reduce []DartsEdge
}

// expect reads the given tokens.
func (p *dartsParser) expect(tokens ...string) error {
	for _, want := range tokens {
		if got := p.scan(); got != want {
			return fmt.Errorf("%s where %s should be", describeToken(got), quote(want))
		}
	}
	return nil
}

func (p *dartsParser) genotype() error {
	if err := p.expect("Genotype", "("); err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		name := p.scan()
		if seen[name] {
			return fmt.Errorf("%s stands twice", name)
		}
		seen[name] = true
		var read func() error
		switch name {
		case "normal":
			read = func() (err error) { p.normal, err = p.edges(); return err }
		case "reduce":
			read = func() (err error) { p.reduce, err = p.edges(); return err }
		case "normal_concat", "reduce_concat":
			read = p.concat
		default:
			return fmt.Errorf("%s where normal, normal_concat, reduce or reduce_concat should be", describeToken(name))
		}
		if err := p.expect("="); err != nil {
			return err
		}
		if err := read(); err != nil {
			return err
		}
		switch token := p.scan(); token {
		case ",":
			continue
		case ")":
		default:
			return fmt.Errorf("%s where a comma or ) should be", describeToken(token))
		}
		break
	}
	for _, name := range []string{"normal", "reduce"} {
		if !seen[name] {
			return fmt.Errorf("the cell %s is missing", name)
		}
	}
	if token := p.scan(); token != "" {
		return fmt.Errorf("%s after the end of the genotype", describeToken(token))
	}
	return nil
}

// edges reads [('name', state), ...].
func (p *dartsParser) edges() ([]DartsEdge, error) {
	if err := p.expect("["); err != nil {
		return nil, err
	}
	var out []DartsEdge
	for {
		if len(out) == dartsEdges {
			return nil, fmt.Errorf("more than %d edges", dartsEdges)
		}
		if err := p.expect("("); err != nil {
			return nil, err
		}
		e, err := p.edge()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		switch token := p.scan(); token {
		case ",":
		case "]":
			return out, nil
		default:
			return nil, fmt.Errorf("%s where a comma or ] should be", describeToken(token))
		}
	}
}

// edge reads the rest of ('name', state).
func (p *dartsParser) edge() (e DartsEdge, err error) {
	mark := p.scan()
	if mark != "'" && mark != `"` {
		return e, fmt.Errorf("%s where a quoted operation should be", describeToken(mark))
	}
	e.Op = p.scan()
	if err := p.expect(mark, ","); err != nil {
		return e, err
	}
	if e.From, err = p.number(); err != nil {
		return e, err
	}
	return e, p.expect(")")
}

func (p *dartsParser) number() (int, error) {
	token := p.scan()
	n, err := strconv.Atoi(token)
	if err != nil {
		return 0, fmt.Errorf("%s where the number of a state should be", describeToken(token))
	}
	return n, nil
}

var errConcat = errors.New("a cell joins states 2, 3, 4 and 5")

// concat reads [2, 3, 4, 5] or range(2, 6).
func (p *dartsParser) concat() error {
	token := p.scan()
	if token == "range" {
		if p.expect("(", "2", ",", "6", ")") != nil {
			return errConcat
		}
		return nil
	}
	if token != "[" || p.expect("2", ",", "3", ",", "4", ",", "5", "]") != nil {
		return errConcat
	}
	return nil
}
