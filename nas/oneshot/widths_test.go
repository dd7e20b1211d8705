package oneshot

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
)

// TestSeparateWidthsHaveNothingInCommon compares the parameters of two chains that differ in the channels of their layers.
func TestSeparateWidthsHaveNothingInCommon(t *testing.T) {
	for name, texts := range map[string][2]string{
		"chain": {"conv3x3(16), fc(64), conv5x5(32)", "conv3x3(32), fc(128), conv5x5(16)"},
		"row":   {"conv(kernel=3, channels=4), sep(channels=8)", "conv(kernel=3, channels=8), sep(channels=4)"},
	} {
		for _, widths := range []Widths{SharedWidths, SeparateWidths} {
			o := small(t, name)
			o.Widths = widths
			n := mustSupernet(t, o)
			used := map[string]int{}
			for _, text := range texts {
				g, err := o.Space.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				for _, parameter := range parametersOf(t, n, g) {
					used[parameter]++
				}
			}
			common, head := 0, 0
			for parameter, times := range used {
				if strings.HasPrefix(parameter, "head.") {
					head += times
				} else if times > 1 {
					common++
				}
			}
			if (common > 0) != (widths == SharedWidths) || head != 4 {
				t.Errorf("%s, %s: %d parameters in common, %d uses of the classifier: %v", name, widths, common, head, used)
			}
		}
	}
}

// parametersOf returns the names of the parameters that a path has.
func parametersOf(t *testing.T, n *Supernet, g space.Genome) []string {
	t.Helper()
	m, err := n.o.Space.Build(g, n.store.Root())
	if err != nil {
		t.Fatal(err)
	}
	pass := &layers.Pass{Graph: autograd.NewGraph()}
	if err := autograd.Build(func() error {
		m.Forward(pass, pass.Graph.Input("images", n.shape...))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, u := range pass.Uses() {
		if u.Parameter.Kind != layers.Buffer {
			out = append(out, u.Parameter.Name)
		}
	}
	return out
}

func TestSearchWithSeparateWidths(t *testing.T) {
	for _, name := range []string{"chain", "row"} {
		params := map[Widths]int{}
		for _, widths := range []Widths{SharedWidths, SeparateWidths} {
			o := small(t, name)
			o.Widths = widths
			o.Report = func(e Epoch) { params[widths] = e.Params }
			if r := mustSearch(t, o); len(r.Best) != o.Finalists {
				t.Errorf("%s, %s: %+v", name, widths, r)
			}
		}
		if params[SeparateWidths] <= params[SharedWidths] {
			t.Errorf("%s: parameters %v", name, params)
		}
	}
}

func TestACheckpointIsOfOneKindOfWidths(t *testing.T) {
	o := small(t, "row")
	o.Checkpoint = filepath.Join(t.TempDir(), "search.oneshot")
	mustSearch(t, o)
	o.Widths = SeparateWidths
	if _, err := Search(t.Context(), o); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("%v", err)
	}
}
