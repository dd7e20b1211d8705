package space_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/space/spacetest"
)

// TestConformance holds every listed space to the rules for spaces.
func TestConformance(t *testing.T) {
	sizes := map[string]space.Size{"darts": {Channels: 4, Cells: 5}, "seed-cell": {Channels: 4, Cells: 3, Reductions: 2}, "nb201": {Channels: 4, Cells: 3}, "macro": {Channels: 4}}
	for _, info := range space.List() {
		t.Run(info.Name, func(t *testing.T) {
			spacetest.Run(t, spacetest.Options{Classes: info.Name == "nb201", New: func(task space.Task, c space.Constraints) (space.Space, error) {
				return space.NewSized(info.Name, task, c, sizes[info.Name])
			}})
		})
	}
}

// TestUsersSpacesConform holds spaces that are written in YAML to the same rules.
func TestUsersSpacesConform(t *testing.T) {
	files, err := filepath.Glob("../../examples/spaces/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			spacetest.Run(t, spacetest.Options{New: func(task space.Task, c space.Constraints) (space.Space, error) {
				return space.Read(bytes.NewReader(text), file, task, c, space.Size{})
			}})
		})
	}
}
