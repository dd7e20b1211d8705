package bench

import (
	"errors"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
)

// What needs more memory than there is, or whose sizes overflow, is refused before any of it is made.
func TestCasesBeyondTheMemoryAreRefused(t *testing.T) {
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{Train, Infer, Throughput} {
		m, err := FindModel("resnet8")
		if err != nil {
			t.Fatal(err)
		}
		m.Input[0] = 1 << 40
		_, err = NewSubject(m, mode, 10, table, nil)
		if _, ok := errors.AsType[*autograd.MemoryError](err); !ok {
			t.Errorf("%s: %v", mode, err)
		}
		m.Input[0] = 1 << 60
		if _, err := NewSubject(m, mode, 10, table, nil); err == nil {
			t.Errorf("%s: images whose size overflows", mode)
		}
	}
	for kind, shapes := range map[string][]string{
		"gemm":        {"1073741824x1073741824x1", "1048576x1048576x1048576", "1x1073741824x1048576"},
		"conv":        {"1048576,1,1073741824,1,1,1,1,1", "1,1,1073741824,1,1,1,1,1", "1,1,1,1,1073741824,1,1,1048576", "1,1048576,1,1048576,1,1,1,1"},
		"depthwise":   {"1048576,1,1073741824,1,1,1,1,1"},
		"pool":        {"1048576,1,1073741824,1,1", "1,1,65536,1,1"},
		"norm":        {"1048576,1,1073741824"},
		"elementwise": {"1073741825"},
	} {
		for _, k := range Kinds() {
			if k.Name != kind {
				continue
			}
			for _, shape := range shapes {
				if _, err := k.Cases(shape, Forward); err == nil || !strings.Contains(err.Error(), "2^30") && !strings.Contains(err.Error(), "too large") {
					t.Errorf("%s %s: %v", kind, shape, err)
				}
			}
		}
	}
}
