package main

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSearchWithSharedWeights(t *testing.T) {
	dir := t.TempDir()
	args := func(study string, more ...string) []string {
		return append([]string{
			"search", "--strategy", "oneshot", "--max-flops", "1M", "--min-params", "none", "--oneshot-epochs", "2", "--oneshot-batch", "16", "--oneshot-paths", "6",
			"--oneshot-population", "3", "--oneshot-finalists", "2", "--oneshot-recalibration", "2", "--oneshot-images", "30", "--train-samples", "200",
			"--final-epochs", "0", "--json", "--quiet", "--study", filepath.Join(dir, study),
		}, more...)
	}
	first := objects(t, succeed(t, args("a.db")...).stdout)
	kinds := map[any]int{}
	inherited := map[any]float64{}
	var trials []any
	for _, o := range first {
		kinds[o["type"]]++
		switch o["type"] {
		case "path":
			inherited[o["genome"]] = o["accuracy"].(float64)
		case "trial":
			trials = append(trials, o["genome"])
		}
	}
	if kinds["supernet"] != 2 || kinds["path"] != 6 || kinds["trial"] != 2 || kinds["summary"] != 1 {
		t.Errorf("objects %v", kinds)
	}
	for genome, accuracy := range inherited {
		if genome != trials[0] && accuracy > inherited[trials[0]] {
			t.Errorf("%v reaches %g, but trial 0 is %v with %g", genome, accuracy, trials[0], inherited[trials[0]])
		}
	}
	// Again with other workers, from the record, and with what was left beside it gone.
	for _, c := range []struct {
		study, workers string
		forget         []string
	}{{"b.db", "3", nil}, {"a.db", "1", nil}, {"a.db", "2", []string{".paths"}}, {"a.db", "2", []string{"", ".paths"}}} {
		for _, suffix := range c.forget {
			if err := os.Remove(filepath.Join(dir, c.study+".search.oneshot"+suffix)); err != nil {
				t.Fatal(err)
			}
		}
		again := objects(t, succeed(t, args(c.study, "--workers", c.workers)...).stdout)
		for i := range first {
			for _, name := range []string{"type", "genome", "accuracy", "train_loss", "metrics", "params"} {
				if !reflect.DeepEqual(again[i][name], first[i][name]) {
					t.Errorf("%+v: %s of object %d is %v, was %v", c, name, i, again[i][name], first[i][name])
				}
			}
		}
	}
	wantOneLine(t, nasbench(t, nil, args("a.db", "--oneshot-paths", "7")...), exitUsage, "oneshot-paths was 6, now 7")
	for want, more := range map[string][]string{
		`--oneshot-sampling "fair": want one of uniform, strict`: {"--oneshot-sampling", "fair"},
		`--oneshot-widths "wide": want one of shared, separate`:  {"--oneshot-widths", "wide"},
		`--oneshot-search "grid": want one of evolution, random`: {"--oneshot-search", "grid"},
		"population of 1 is less than 2":                         {"--oneshot-population", "1"},
		"none of 200,000 random genomes meets the constraints":   {"--max-params", "5"},
		`--oneshot-epochs "0": must be at least 1`:               {"--oneshot-epochs", "0"},
	} {
		code := exitUsage
		if strings.HasPrefix(want, "none of") {
			code = exitFailure
		}
		wantOneLine(t, nasbench(t, nil, append(args("new.db"), more...)...), code, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.db")); err == nil {
		t.Error("a search that is refused leaves a study behind")
	}
}

func TestRank(t *testing.T) {
	dir := t.TempDir()
	args := func(more ...string) []string {
		return append([]string{
			"rank", "--max-flops", "1M", "--min-params", "none", "--oneshot-epochs", "2", "--oneshot-batch", "16", "--oneshot-recalibration", "2",
			"--train-samples", "200", "--epochs", "1", "--quiet", "--study", filepath.Join(dir, "a.db"),
		}, more...)
	}
	first := objects(t, succeed(t, args("--json", "--architectures", "4")...).stdout)
	if len(first) != 5 {
		t.Fatalf("%d objects", len(first))
	}
	summary := first[4]
	if summary["type"] != "rank" || summary["architectures"] != 4.0 || summary["seeds"] != 2.0 {
		t.Errorf("summary %v", summary)
	}
	// The correlation with the number of parameters, by counting pairs; ties are unlikely here.
	var params, alone []float64
	for _, o := range first[:4] {
		seeds := o["alone_accuracy"].([]any)
		if len(seeds) != 2 {
			t.Fatalf("%v", o)
		}
		params, alone = append(params, o["params"].(float64)), append(alone, (seeds[0].(float64)+seeds[1].(float64))/2)
	}
	same, x, y := 0.0, 0.0, 0.0
	for i := range params {
		for j := range i {
			a, b := sign(params[i]-params[j]), sign(alone[i]-alone[j])
			same, x, y = same+a*b, x+a*a, y+b*b
		}
	}
	if got := summary["params"].(map[string]any)["tau"].(float64); math.Abs(got-same/math.Sqrt(x*y)) > 1e-12 {
		t.Errorf("tau of parameters is %g, want %g", got, same/math.Sqrt(x*y))
	}
	// More architectures and seeds begin with the same, with settings from the record.
	more := objects(t, succeed(t, "rank", "--json", "--quiet", "--study", filepath.Join(dir, "a.db"), "--architectures", "5", "--seeds", "3", "--workers", "1").stdout)
	for i, o := range first[:4] {
		if more[i]["genome"] != o["genome"] || more[i]["inherited_accuracy"] != o["inherited_accuracy"] || !reflect.DeepEqual(more[i]["alone_accuracy"].([]any)[:2], o["alone_accuracy"]) {
			t.Errorf("architecture %d is %v, was %v", i, more[i], o)
		}
	}
	if out := succeed(t, args("--architectures", "4")...).stdout; !strings.Contains(out, "inherited accuracy") || strings.Count(out, "\n") < 10 {
		t.Errorf("the table is\n%s", out)
	}
	wantOneLine(t, nasbench(t, nil, args("--epochs", "2")...), exitUsage, "epochs was 1, now 2")
	wantOneLine(t, nasbench(t, nil, "rank", "--architectures", "2"), exitUsage, "a correlation needs at least 3")
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
