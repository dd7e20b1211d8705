package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestStudiesAreListedShownAndExported(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "s.db")
	// The bound is that of fast kernels, so that the candidates are the same at every level.
	lines := objects(t, succeed(t, tiny("--study", file, "--max-activation", "1600k", "--final-epochs", "0", "--epochs", "2", "--json", "--quiet")...).stdout)
	succeed(t, "search", "--study", file, "--name", "second", "--trials", "1", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--quiet")

	list := succeed(t, "study", "list", file).stdout
	for _, want := range []string{"FILE ", "  search  ", "  second  ", "  chain  random    fashion-mnist-mini  3       0."} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	if o := objects(t, succeed(t, "study", "list", file, "--json").stdout); len(o) != 2 || o[0]["name"] != "search" || o[0]["trials"] != 3.0 ||
		inside(o[0], "best", "genome") != inside(lines[3], "best", "genome") || inside(o[0], "settings", "seed") != "7" {
		t.Errorf("%v", o)
	}

	show := succeed(t, "study", "show", file, "--name", "search", "--top", "1").stdout
	for _, want := range []string{
		`study "search" in ` + file + ", begun ", ": 3 trials, 3 complete, 0 failed\n", "\nseed             7\n", "RANK  TRIAL  ACCURACY", "\n1     ",
		"best architecture, of trial ", "search --study " + file + " --trials 6\n",
	} {
		if !strings.Contains(show, want) {
			t.Errorf("no %q in\n%s", want, show)
		}
	}
	if strings.Contains(show, "\n2     ") {
		t.Errorf("more than one row in\n%s", show)
	}
	if o := objects(t, succeed(t, "study", "show", file, "--name", "second", "--json").stdout); len(o) != 1 || o[0]["trials"] != 1.0 || len(o[0]["leaderboard"].([]any)) != 1 {
		t.Errorf("%v", o)
	}

	// Exported trials are those of the search, number for number.
	text := succeed(t, "study", "export", file, "--name", "search", "--curve").stdout
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][0] != "genome" {
		t.Fatalf("%v: %s", err, text)
	}
	for i, row := range rows[1:] {
		for column, path := range map[string][]string{
			"val_accuracy": {"metrics", "val_accuracy"}, "val_loss": {"metrics", "val_loss"}, "train_loss": {"metrics", "train_loss"}, "params": {"metrics", "params"},
			"flops": {"metrics", "flops"}, "macs": {"metrics", "macs"}, "activation_bytes": {"metrics", "activation_bytes"}, "epochs": {"metrics", "epochs"},
		} {
			v, err := strconv.ParseFloat(row[slices.Index(rows[0], column)], 64)
			if err != nil || v != inside(lines[i], path...) {
				t.Errorf("trial %d: %s is %v, %v; in the search %v", i, column, v, err, inside(lines[i], path...))
			}
		}
		first := lines[i]["curve"].([]any)[0].(map[string]any)["val_accuracy"]
		if v, _ := strconv.ParseFloat(row[slices.Index(rows[0], "val_accuracy_ep1")], 64); row[0] != lines[i]["genome"] || v != first || row[slices.Index(rows[0], "seed")] != lines[i]["seed"] {
			t.Errorf("row %v of trial %v", row, lines[i])
		}
	}
	if got := objects(t, succeed(t, "study", "export", file, "--name", "search", "--json").stdout); !reflect.DeepEqual(got, lines[:3]) {
		t.Errorf("exported %v, want %v", got, lines[:3])
	}
	if few := succeed(t, "study", "export", file, "--name", "search", "--columns", "epochs, genome").stdout; !strings.HasPrefix(few, "epochs,genome\n2,") {
		t.Errorf("two columns: %s", few)
	}
	wantOneLine(t, nasbench(t, nil, "study", "export", file, "--name", "search", "--columns", "genom"), exitUsage, `there is no column "genom", did you mean "genome"?`)
	out := filepath.Join(dir, "out.csv")
	succeed(t, "study", "export", file, "--name", "search", "--curve", "--out", out)
	if data, err := os.ReadFile(out); err != nil || string(data) != text {
		t.Errorf("%v: %s", err, data)
	}
	wantOneLine(t, nasbench(t, nil, "study", "export", file, "--name", "search", "--out", out), exitFailure, "is there already")

	// It is a table, in which the same search finds the same.
	r := objects(t, succeed(t, "search", "--evaluator", "tabular", "--space", "chain", "--task", "28x28x1x10", "--table", out, "--metric", "val_accuracy", "--report", "val_loss",
		"--max-flops", "400k", "--seed", "7", "--trials", "3", "--json", "--quiet").stdout)
	for i := range 3 {
		if r[i]["genome"] != lines[i]["genome"] || inside(r[i], "metrics", "val_accuracy") != inside(lines[i], "metrics", "val_accuracy") {
			t.Errorf("trial %d is %v in the table, %v in the search", i, r[i], lines[i])
		}
	}
}

func TestExportOfAllTrialsSaysHowTheyEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.db")
	nasbench(t, nil, tiny("--lr", "1e30", "--warm-up", "0", "--clip", "0", "--quiet", "--study", file)...) // all fail
	if text := succeed(t, "study", "export", file).stdout; strings.Count(text, "\n") != 1 {
		t.Errorf("failed trials are exported:\n%s", text)
	}
	text := succeed(t, "study", "export", file, "--all").stdout
	if !strings.Contains(text, ",state,reason,reused_from\n") || strings.Count(text, ",failed,\"loss is ") != 3 {
		t.Errorf("got\n%s", text)
	}
	if show := succeed(t, "study", "show", file).stdout; !strings.Contains(show, "0 complete, 3 failed") || !strings.Contains(show, "no trial is complete") {
		t.Errorf("got\n%s", show)
	}
}

func TestStudiesThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.db")
	for _, command := range []string{"list", "show", "export"} {
		wantOneLine(t, nasbench(t, nil, "study", command, missing), exitFailure, "none.db")
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Fatalf("%s leaves %v behind", command, entries)
		}
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("hello, this is no database"), 0o666); err != nil {
		t.Fatal(err)
	}
	wantOneLine(t, nasbench(t, nil, "study", "show", text), exitFailure, "is not a study file")
	wantOneLine(t, nasbench(t, nil, "study", "show"), exitUsage, "want one study file, not 0")
	wantOneLine(t, nasbench(t, nil, "study", "export", "a", "b"), exitUsage, "want one study file, not 2")
	file := filepath.Join(dir, "s.db")
	for _, name := range []string{"one", "two"} {
		succeed(t, "search", "--study", file, "--name", name, "--trials", "1", "--train-samples", "100", "--max-flops", "300k", "--final-epochs", "0", "--quiet")
	}
	wantOneLine(t, nasbench(t, nil, "study", "show", file), exitUsage, "--name is needed to choose one of one, two")
	wantOneLine(t, nasbench(t, nil, "study", "show", file, "--name", "tow"), exitUsage, `there is no study "tow"`)
}
