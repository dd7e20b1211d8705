package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// Every case of the plan is one that the command's own kernels have.
func TestPlanHasCases(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range plan() {
		name := fmt.Sprint(q.section, q.kind, q.shape, q.direction)
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		c, err := find(q.kind, q.shape, q.direction)
		if err != nil {
			t.Error(err)
			continue
		}
		if op, _, _ := strings.Cut(q.shape, ","); q.kind == "elementwise" && !strings.HasPrefix(c.Name, op+"/") {
			t.Errorf("%s finds %s", q.shape, c.Name)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d cases", len(seen))
	}
}

func TestServe(t *testing.T) {
	requests := strings.Join([]string{
		"gemm 8x9x10 fwd 1 generic 1", "conv 1,3,8,4,3,1,1,1 bwd-weights 1 generic 2", "pool avg,1,4,8,3,1 bwd-data 1 generic 1",
		"norm 1,4,4 bwd-data 1 generic 1", "elementwise SGD,100 fwd 1 generic 1", "elementwise AdamW,100 fwd 1 generic 1", "elementwise ReLU,100 fwd 1 generic 1",
		"gemm 8x9 fwd 1 generic 1", "elementwise Nothing,100 fwd 1 generic 1", "gemm 8x9x10 fwd 1 avx1024 1", "nonsense",
	}, "\n")
	var out strings.Builder
	serve(strings.NewReader(requests), &out)
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(answers) != 11 {
		t.Fatalf("%d answers to 11 requests: %q", len(answers), answers)
	}
	for i, a := range answers {
		if bad := strings.HasPrefix(a, "!"); bad != (i >= 7) {
			t.Errorf("answer %d is %q", i, a)
		}
	}
}

func TestFlops(t *testing.T) {
	for _, c := range []struct {
		kind, shape string
		want        float64
	}{
		{"gemm", "2x3x4", 48},
		{"conv", "2,3,9,16,3,1,1,1", 2 * 2 * 16 * 81 * 27},
		{"conv", "1,8,9,4,3,2,2,1", 2 * 4 * 25 * 4 * 9},
		{"depthwise", "1,8,9,8,3,1,8,2", 2 * 8 * 81 * 9},
	} {
		if got := flops(c.kind, c.shape); got != c.want {
			t.Errorf("%s %s is %v FLOPs, want %v", c.kind, c.shape, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	top := levels()[0]
	r := record{Best: map[string]float64{}, Versions: map[string]string{oneDNN: "oneDNN 0.0"}, Missing: []string{"torch (how to get it)"}}
	for i, q := range plan() {
		if q.section == "conv" && i == 14 { // the first of its section
			r.Best[key(q, ours, top, 1)], r.Best[key(q, oneDNN, top, 1)] = 1e6, 1e6
		}
		if q.section == "gemm" {
			r.Best[key(q, ours, top, 1)] = 1e6
			r.Best[key(q, oneDNN, top, 1)] = 2e6
			if i == 3 {
				r.Best[key(q, oneDNN, top, 1)] = 0.5e6
			}
			r.Best[key(q, limit, top, 1)] = 1e15
		}
	}
	text := table(r, options{rounds: 3, time: time.Millisecond, quick: true})
	// 13 cases at 2 and one at 1/2: 2^(12/14).
	for _, want := range []string{"geometric mean 1.81, least 0.50 (512x512x512), of 14", "Left out, because it is not on this machine: torch (how to get it)", "oneDNN 0.0", "share of the FMA peak", "of 1; 29 not measured", "-quick"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "batch norm") {
		t.Error("a row without measurements")
	}
	path := filepath.Join(t.TempDir(), "performance.md")
	one, two := fmt.Sprintf(begin, "CPU 1"), fmt.Sprintf(begin, "CPU 2")
	file := "before\n" + one + "\nold\n" + end + "\nafter\n"
	for _, c := range []struct{ name, want string }{
		{"CPU 1", "before\n" + one + "\nnew\n" + end + "\nafter\n"},
		{"CPU 2", "before\n" + one + "\nold\n" + end + "\n\n" + two + "\nnew\n" + end + "\nafter\n"},
	} {
		if err := os.WriteFile(path, []byte(file), 0o666); err != nil {
			t.Fatal(err)
		}
		for range 2 { // again over its own
			if err := replaceTable(path, c.name, "new\n"); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
				t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
			}
		}
	}
	if err := os.WriteFile(path, []byte("no markers"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := replaceTable(path, "CPU 1", "new"); err == nil {
		t.Error("a file without markers is accepted")
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []options{{only: "gemm", rounds: 0, time: 1}, {only: "gemm,nothing", rounds: 1, time: 1}, {only: "gemm", rounds: 1}} {
		if err := run(t.Context(), o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if kernels.Available()[0] != kernels.Generic {
		t.Error("levels counts on the generic level to be first")
	}
}

// An interrupted run ends with an error and leaves no scratch files.
func TestInterruptedRunCleansUp(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := options{peers: ".", rounds: 1, time: time.Millisecond, only: "gemm", keep: filepath.Join(t.TempDir(), "keep.json")}
	if err := run(ctx, o); !errors.Is(err, errInterrupted) {
		t.Errorf("error %v", err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
