package space

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
)

// tablesVariable names the folder with the published tables, which are not part of this repository.
const tablesVariable = "NASBENCH_TABLES"

// openTable opens a published table or skips the test.
func openTable(t *testing.T, name string) *os.File {
	t.Helper()
	dir := os.Getenv(tablesVariable)
	if dir == "" {
		t.Skipf("%s is not set to a folder with %s", tablesVariable, name)
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no table: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// cifar is the task of the published tables.
var cifar = Task{32, 32, 3, 10}

// TestNB201ClassesAreThePublishedOnes counts isomorphic cells.
func TestNB201ClassesAreThePublishedOnes(t *testing.T) {
	s, err := New("nb201", Task{28, 28, 1, 10}, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]int{}
	n, ok := s.(Countable).Count()
	if n != 15625 || !ok {
		t.Fatalf("%d cells, want 15625", n)
	}
	for i := range n {
		g, ok := s.(Countable).At(i)
		if !ok {
			t.Fatalf("number %d has no cell", i)
		}
		classes[s.Key(g)]++
	}
	if len(classes) != 6466 {
		t.Errorf("%d classes, want 6466", len(classes))
	}
}

// TestNB201AgreesWithThePublishedTable compares every cell's parameters and multiply-accumulates, and the
// classes, with the table.
func TestNB201AgreesWithThePublishedTable(t *testing.T) {
	zipped, err := gzip.NewReader(openTable(t, "nb201.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(zipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	s, err := New("nb201", cifar, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	classOf, keyOf := map[string]string{}, map[string]string{}
	for _, row := range rows[1:] {
		text := row[column["cell"]]
		g, err := s.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if g.String() != text {
			t.Fatalf("%s reads as %v", text, g)
		}
		if err := s.Check(g); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		if want := row[column["params_c10"]]; strconv.FormatInt(cost.Params, 10) != want {
			t.Fatalf("%s: %d parameters, the table has %s", text, cost.Params, want)
		}
		if want := row[column["macs_c10"]]; strconv.FormatInt(cost.MACs, 10) != want {
			t.Fatalf("%s: %d MACs, the table has %s", text, cost.MACs, want)
		}
		key, class := s.Key(g), row[column["iso_class"]]
		if old, ok := classOf[key]; ok && old != class {
			t.Fatalf("%s: its key is one of class %s, the table has class %s", text, old, class)
		}
		if old, ok := keyOf[class]; ok && old != key {
			t.Fatalf("%s of class %s: keys %s and %s", text, class, key, old)
		}
		classOf[key], keyOf[class] = class, key
	}
	if len(rows)-1 != 15625 || len(classOf) != 6466 {
		t.Errorf("%d cells in %d classes", len(rows)-1, len(classOf))
	}
}

// TestMacroAgreesWithThePublishedTable compares every network's parameters and multiply-accumulates, which the table
// calls FLOPs, with the table.
func TestMacroAgreesWithThePublishedTable(t *testing.T) {
	var table map[string]struct {
		Params, FLOPs int64
	}
	if err := json.NewDecoder(openTable(t, "nas-bench-macro_cifar10.json")).Decode(&table); err != nil {
		t.Fatal(err)
	}
	s, err := New("macro", cifar, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range table {
		g, err := s.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(g); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		if cost.Params != want.Params || cost.MACs != want.FLOPs {
			t.Fatalf("%s: %d parameters and %d MACs, the table has %d and %d", text, cost.Params, cost.MACs, want.Params, want.FLOPs)
		}
	}
	if len(table) != 6561 {
		t.Errorf("%d networks", len(table))
	}
}

// TestPublishedNetworksCostWhatIsBuilt builds cells and layers of the published sizes, for the counts that stand in the tables.
func TestPublishedNetworksCostWhatIsBuilt(t *testing.T) {
	for _, c := range []struct {
		space, genome string
		params, macs  int64
	}{
		{"nb201", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 73306, 7783040},
		{"nb201", "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|", 73306, 7783040},
		{"nb201", "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|", 1531546, 220119680},
		{"nb201", "|nor_conv_1x1~0|+|avg_pool_3x3~0|none~1|+|avg_pool_3x3~0|none~1|skip_connect~2|", 101306, 11715200},
		{"macro", "00000000", 387882, 7713280},
		{"macro", "02012100", 890666, 47327744},
		{"macro", "11111221", 2181386, 65012224},
	} {
		s, err := New(c.space, cifar, Constraints{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Parse(c.genome)
		if err != nil {
			t.Fatal(err)
		}
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		if cost.Params != c.params || cost.MACs != c.macs {
			t.Errorf("%s: %d parameters and %d MACs, want %d and %d", c.genome, cost.Params, cost.MACs, c.params, c.macs)
		}
		store := layers.NewStore(1)
		m, err := s.Build(g, store.Root())
		if err != nil {
			t.Fatal(err)
		}
		var sum autograd.Summary
		err = autograd.Build(func() error {
			x := autograd.NewGraph().Input("images", 1, 32, 32, 3)
			sum = autograd.Summarize(m.Forward(&layers.Pass{Graph: x.Graph()}, x))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if built := (Cost{FLOPs: sum.FLOPs, MACs: sum.MACs, Params: sum.Params, ActivationBytes: sum.ActivationBytes}); cost != built {
			t.Errorf("%s: cost %+v, built %+v", c.genome, cost, built)
		}
	}
}

// TestPublishedNotationIsReadStrictly names the place of a mistake.
func TestPublishedNotationIsReadStrictly(t *testing.T) {
	for _, c := range []struct{ space, text, want string }{
		{"nb201", "|none~0|+|none~0|none~1|+|none~0|none~1|conv~2|", "space nb201: column 41: operation \"conv\" is not one of none, skip_connect, nor_conv_1x1, nor_conv_3x3 or avg_pool_3x3"},
		{"nb201", "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "space nb201: column 6: \"~0|\" should be here"},
		{"nb201", " |none~0|", "space nb201: column 10: \"+|\" should be here"},
		{"nb201", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+", "space nb201: column 48: the cell ends before \"+\""},
		{"macro", "0123", "space macro: layer 3: \"3\" is not one of 0, 1, 2"},
		{"macro", "0121", "space macro: 4 digits; there is one for each of 8 layers"},
	} {
		s, err := New(c.space, cifar, Constraints{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Parse(c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// TestMacroKeysMergeWhereIdentitiesStand checks that layers of one size are the same wherever an identity stands among them.
func TestMacroKeysMergeWhereIdentitiesStand(t *testing.T) {
	s, err := New("macro", cifar, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	key := func(text string) string {
		g, err := s.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.Key(g)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"22212220", "22212202", true},
		{"00001000", "00010000", true},
		{"00012000", "00021000", false},
		{"01000000", "10000000", false},
		{"00000100", "00000010", false},
		{"00001000", "00000010", false},
	} {
		if same := key(c.a) == key(c.b); same != c.same {
			t.Errorf("%s and %s are the same network: %v, want %v", c.a, c.b, same, c.same)
		}
	}
}

// live counts the convolutions of a cell by kernel that the output depends on and that depend on the input: [1x1, 3x3].
func (g *NB201Genome) live() (convolutions [2]int) {
	var fed, used [nb201Nodes + 1]bool
	fed[0], used[nb201Nodes] = true, true
	each := func(visit func(op nb201Op, from, to int)) {
		edge := 0
		for to := 1; to <= nb201Nodes; to++ {
			for from := range to {
				visit(g.ops[edge], from, to)
				edge++
			}
		}
	}
	for range nb201Nodes { // long enough for any path
		each(func(op nb201Op, from, to int) {
			if op != nb201None {
				fed[to] = fed[to] || fed[from]
				used[from] = used[from] || used[to]
			}
		})
	}
	each(func(op nb201Op, from, to int) {
		if fed[from] && used[to] && op == nb201Conv1 {
			convolutions[0]++
		}
		if fed[from] && used[to] && op == nb201Conv3 {
			convolutions[1]++
		}
	})
	return convolutions
}

// TestNB201ClassesAreCoarserThanNetworks counts what the documentation of Key says about cells of one class.
func TestNB201ClassesAreCoarserThanNetworks(t *testing.T) {
	s, err := New("nb201", Task{28, 28, 1, 10}, Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	params, live := map[string]map[int64]bool{}, map[string]map[[2]int]bool{}
	n, _ := s.(Countable).Count()
	for i := range n {
		g, _ := s.(Countable).At(i)
		cost, err := s.Cost(g)
		if err != nil {
			t.Fatal(err)
		}
		key, h := s.Key(g), g.(NB201Genome)
		if params[key] == nil {
			params[key], live[key] = map[int64]bool{}, map[[2]int]bool{}
		}
		params[key][cost.Params] = true
		live[key][h.live()] = true
	}
	unlike, shared := 0, 0
	for key := range params {
		if len(params[key]) > 1 {
			unlike++
		}
		if len(live[key]) > 1 {
			shared++
		}
	}
	if unlike != 578 || shared != 430 {
		t.Errorf("%d classes of cells with different numbers of parameters, %d of them in what is live; the documentation says 578 and 430", unlike, shared)
	}
}
