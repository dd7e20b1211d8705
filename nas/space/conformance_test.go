package space_test

import (
	"testing"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/space/spacetest"
)

// TestConformance holds every listed space to the rules for spaces.
func TestConformance(t *testing.T) {
	sizes := map[string]space.Size{"darts": {Channels: 4, Cells: 5}}
	for _, info := range space.List() {
		t.Run(info.Name, func(t *testing.T) {
			spacetest.Run(t, spacetest.Options{New: func(task space.Task, c space.Constraints) (space.Space, error) {
				return space.NewSized(info.Name, task, c, sizes[info.Name])
			}})
		})
	}
}
