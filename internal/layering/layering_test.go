// Package layering holds the test of the import direction; see docs/architecture.md.
package layering

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nasbench-go/nasbench/"

// allowed lists, for each folder, the folders of this module that it may import besides its own subfolders and those of everywhere.
// Data flows one way: kernels <- tensor <- autograd <- layers <- nas <- cmd, with dataset beside layers and
// bench, which measures all of them, before cmd. Within nas, a strategy never sees a model.
var allowed = map[string][]string{
	"internal/transcripts": {},

	"internal/stream":    {},
	"internal/machine":   {},
	"internal/userfile":  {},
	"internal/wholefile": {},
	"internal/layering":  {},
	"kernels":            {},
	"tensor":             {"kernels"},
	"autograd":           {"kernels", "tensor"},
	"layers":             {"kernels", "tensor", "autograd"},
	"dataset":            {},
	"nas/space":          {"tensor", "autograd", "layers"},
	"nas/strategy":       {"nas/space"},
	"nas/study":          {"nas/space", "nas/strategy"},
	"nas/tabular":        {"nas/space", "nas/strategy", "nas/study"},
	"nas/evaluator":      {"kernels", "tensor", "autograd", "layers", "dataset", "nas/space", "nas/study"},
	"nas/darts":          {"kernels", "tensor", "autograd", "layers", "dataset", "nas/space"},
	"nas/oneshot":        {"kernels", "tensor", "autograd", "layers", "dataset", "nas/space", "nas/strategy"},
	"nas":                {},
	"bench":              {"kernels", "tensor", "autograd", "layers", "dataset", "nas"},
	"bench/peers":        {"kernels", "tensor", "layers", "bench"},
	"cmd/nasbench":       {"kernels", "tensor", "autograd", "layers", "dataset", "nas", "bench"},
}

// everywhere lists the folders that all others may import.
var everywhere = []string{"internal/stream", "internal/machine", "internal/userfile", "internal/wholefile"}

// outside lists the modules that a folder may import. Users of the library get nothing heavier than its row.
var outside = map[string][]string{
	"internal/machine": {"golang.org/x/sys"},
	"kernels":          {"github.com/klauspost/cpuid/v2", "golang.org/x/sys", "gonum.org/v1/gonum"},
	"tensor":           {"codeberg.org/sbinet/npyio"},
	"dataset":          {"golang.org/x/image"},
	"nas/space":        {"go.yaml.in/yaml/v3"},
	"nas/study":        {"modernc.org/sqlite", "github.com/gofrs/flock"},
	"nas/tabular":      {"gonum.org/v1/gonum"},
	"nas/oneshot":      {"gonum.org/v1/gonum"},
	"cmd/nasbench":     {"*"},
	"bench":            {"golang.org/x/perf"},
	"bench/peers":      {"github.com/klauspost/cpuid/v2"},
}

func within(path string, folders []string) bool {
	for _, f := range folders {
		if f == "*" || path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

// home returns the entry of the allowed table that a folder belongs to: the longest that is a prefix.
func home(folder string) string {
	best := ""
	for f := range allowed {
		if len(f) > len(best) && within(folder, []string{f}) {
			best = f
		}
	}
	return best
}

// leftOf adds all that the folders may import, directly or not.
func leftOf(folders []string) []string {
	all := folders
	for _, f := range folders {
		if !slices.Contains(everywhere, f) {
			all = append(all, allowed[f]...)
		}
	}
	return all
}

func TestImportsPointToTheLeft(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		check(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files seen", files)
	}
}

func check(t *testing.T, path, rel string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	if strings.HasPrefix(filepath.Base(rel), "example") && strings.HasSuffix(rel, "_test.go") {
		return // an example may show how packages work together
	}
	folder := filepath.ToSlash(filepath.Dir(rel))
	from := home(folder)
	if from == "" {
		t.Errorf("%s: the folder has no place in the layers; see docs/architecture.md", rel)
		return
	}
	for _, imp := range f.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		ours, own := strings.CutPrefix(target, module)
		switch {
		case own:
			may := slices.Concat([]string{from}, everywhere, allowed[from])
			if strings.HasSuffix(rel, "_test.go") {
				may = leftOf(may) // a test may need what stands behind the types that it uses
			}
			if !within(ours, may) {
				t.Errorf("%s imports %s: %s may import only %v", rel, ours, from, may)
			}
		case strings.Contains(strings.SplitN(target, "/", 2)[0], "."):
			if !within(target, outside[from]) {
				t.Errorf("%s imports %s: %s may import only %v", rel, target, from, outside[from])
			}
		}
	}
}

// maxLines bounds hand-written files: a longer one wants to be two.
const maxLines = 600

func TestHandWrittenFilesStayShort(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(text), "// Code generated") {
			return nil
		}
		if n := strings.Count(string(text), "\n"); n > maxLines && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s has %d lines", path, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
