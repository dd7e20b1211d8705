package tabular

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/nasbench-go/nasbench/internal/userfile"
	"github.com/nasbench-go/nasbench/nas/space"
)

// Table has metrics of genomes of one space. It never changes and may be used by several goroutines at the same time.
type Table struct {
	name    string
	digest  string
	space   space.Space
	columns []column
	rows    int
	byText  map[string]int // row of a genome's text
	byKey   map[string]int // first row of a network
	genomes []space.Genome
	metrics []map[string]float64
	priced  []sync.Once // whether the metrics of a row have the costs of its network
}

// column is one metric.
type column struct {
	name   string
	values []float64 // by row

	// Why it is no metric: the first of its values that is no finite number, and how many there are.
	bad  error
	bads int
}

// Open reads the table in a file, which may be a pipe; see [Read]. Its errors name the file without its folder. It ends early with the
// error of ctx.
func Open(ctx context.Context, path string, s space.Space, genome string) (*Table, error) {
	f, err := userfile.Open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	defer f.Close()
	return readTable(ctx, f, filepath.Base(path), s, genome)
}

// Digest tells the contents of tables apart: it is the same for the same bytes, packed or not, wherever they lie.
func (t *Table) Digest() string { return t.digest }

// Rows returns how many genomes the table has.
func (t *Table) Rows() int { return t.rows }

// Columns returns the names of the metrics, in the order of the file. Columns with other values than finite numbers are left out.
func (t *Table) Columns() []string {
	var names []string
	for _, c := range t.columns {
		if c.bad == nil {
			names = append(names, c.name)
		}
	}
	return names
}

// ErrNoColumn is what [Table.Column] returns, wrapped, for a name that no column has.
var ErrNoColumn = errors.New("there is no column")

// Column returns the values of a metric by row; they must not be changed. It fails if there is no such column, or
// if one of its values is no finite number; the error says which and where.
func (t *Table) Column(name string) ([]float64, error) {
	for _, c := range t.columns {
		if c.name == name && c.bads > 1 {
			return nil, fmt.Errorf("%w, nor are %d more of its values", c.bad, c.bads-1)
		}
		if c.name == name && c.bad != nil {
			return nil, c.bad
		}
		if c.name == name {
			return c.values, nil
		}
	}
	return nil, fmt.Errorf("table %s: %w %q; there is %s", t.name, ErrNoColumn, name, strings.Join(t.Columns(), ", "))
}

// Row returns the row of a genome: the one with its text or, failing that, the first with a genome that builds the
// same network. It fails if there is none.
func (t *Table) Row(g space.Genome) (int, error) {
	text := g.String()
	if row, ok := t.byText[text]; ok {
		return row, nil
	}
	if row, ok := t.byKey[t.space.Key(g)]; ok {
		return row, nil
	}
	return 0, fmt.Errorf("table %s: there is no row for the genome %s", t.name, text)
}

// told returns all metrics of a row, and those costs of its network that are no columns.
func (t *Table) told(row int) map[string]float64 {
	m := t.metrics[row]
	t.priced[row].Do(func() {
		cost, err := t.space.Cost(t.genomes[row])
		if err != nil {
			return // who needs what is not there says so
		}
		for name, v := range map[string]int64{"params": cost.Params, "flops": cost.FLOPs, "macs": cost.MACs, "activation_bytes": cost.ActivationBytes} {
			if _, ok := m[name]; !ok {
				m[name] = float64(v)
			}
		}
	})
	return m
}

// place is a position in a file.
type place struct {
	line, column int // from 1; the column counts bytes
}

// builder makes a table row by row.
type builder struct {
	*Table
	ctx   context.Context
	lines []int // of the rows
}

func newBuilder(ctx context.Context, name string, s space.Space, columns []string) *builder {
	t := &Table{name: name, space: s, byText: map[string]int{}, byKey: map[string]int{}}
	for _, c := range columns {
		t.columns = append(t.columns, column{name: c})
	}
	return &builder{Table: t, ctx: ctx}
}

// fail returns an error at a place.
func (b *builder) fail(at place, format string, args ...any) error {
	return placed(b.name, at, fmt.Errorf(format, args...))
}

func placed(name string, at place, err error) error {
	return fmt.Errorf("table %s: line %d, column %d: %w", name, at.line, at.column, err)
}

// genome begins the next row.
func (b *builder) genome(text string, at place) error {
	if b.rows%256 == 0 {
		if err := b.ctx.Err(); err != nil {
			return err
		}
	}
	g, err := b.space.Parse(text)
	if err != nil {
		return placed(b.name, at, err)
	}
	text = g.String()
	if row, ok := b.byText[text]; ok {
		return b.fail(at, "the genome %s stands in line %d too", text, b.lines[row])
	}
	b.byText[text] = b.rows
	if key := b.space.Key(g); key != "" {
		if _, ok := b.byKey[key]; !ok {
			b.byKey[key] = b.rows
		}
	}
	b.genomes = append(b.genomes, g)
	b.lines = append(b.lines, at.line)
	b.rows++
	return nil
}

// value adds the value of a column to the last row. What is no finite number spoils the column and not the
// table, which may well have a column of remarks.
func (b *builder) value(column int, text string, at place) {
	c := &b.columns[column]
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || v-v != 0 { // v-v is 0 for finite numbers alone
		if c.bads++; c.bads == 1 {
			c.bad = b.fail(at, "column %s: %s is not a finite number", c.name, quote(text))
		}
	}
	c.values = append(c.values, v)
}

// table returns what was built.
func (b *builder) table() (*Table, error) {
	if b.rows == 0 {
		return nil, fmt.Errorf("table %s: there are no rows", b.name)
	}
	names := b.Columns()
	if len(names) == 0 {
		for _, c := range b.columns {
			return nil, c.bad
		}
		return nil, fmt.Errorf("table %s: there is no column besides the genomes", b.name)
	}
	b.priced = make([]sync.Once, b.rows)
	b.metrics = make([]map[string]float64, b.rows)
	for row := range b.metrics {
		b.metrics[row] = make(map[string]float64, len(names))
		for _, c := range b.columns {
			if c.bad == nil {
				b.metrics[row][c.name] = c.values[row]
			}
		}
	}
	return b.Table, nil
}

// quote shortens and quotes what stands in a file.
func quote(text string) string {
	const most = 40
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strconv.Quote(text)
}
