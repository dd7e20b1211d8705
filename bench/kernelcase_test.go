package bench

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// small has for every kind shapes that are quick at every level.
var small = map[string][]string{
	"gemm": {"5x70x33", "300x260x40"}, "conv": {"2,3,9,17,3,1,1,1", "1,8,7,6,5,2,2,1"}, "depthwise": {"2,17,9,17,3,1,17,2"},
	"pool": {"2,17,9,3,1", "1,3,8,2,2"}, "norm": {"3,17,6"}, "elementwise": {"1000"},
}

func TestKernelCasesAgreeWithTheGenericLevel(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	for _, k := range Kinds() {
		for _, shape := range small[k.Name] {
			for _, d := range k.Directions {
				cases, err := k.Cases(shape, d)
				if err != nil || len(cases) == 0 {
					t.Fatalf("%s %s %s: %d cases, %v", k.Name, shape, d, len(cases), err)
				}
				for _, c := range cases {
					for _, l := range kernels.Available() {
						table, err := kernels.ForLevel(l)
						if err != nil {
							t.Fatal(err)
						}
						if err := c.Check(table, threads); err != nil {
							t.Error(err)
						}
						r, err := c.Measure(t.Context(), table, threads, time.Microsecond, Rates{Peak: 1e9, Copy: 1e9})
						if err != nil {
							t.Fatal(err)
						}
						if !line.MatchString(r.String()) || !strings.HasPrefix(r.Name, c.Name) || r.Metrics[1].Value <= 0 {
							t.Errorf("result %q", r)
						}
					}
				}
			}
		}
	}
}

// All shapes of the tables can be built in every direction.
func TestDefaultShapes(t *testing.T) {
	for _, k := range Kinds() {
		for _, shape := range k.Shapes {
			for _, d := range k.Directions {
				cases, err := k.Cases(shape, d)
				if err != nil || len(cases) == 0 {
					t.Errorf("%s %s %s: %v", k.Name, shape, d, err)
				}
			}
		}
	}
}

// A kernel with one wrong element, or one that leaves out a single product, is found.
func TestCheckFindsWrongKernels(t *testing.T) {
	good, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	off := *good
	off.GEMM = func(g *kernels.GEMM, a, b, c, bias, scratch []float32) {
		good.GEMM(g, a, b, c, bias, scratch)
		c[(g.M-1)*g.LDC+g.N-1] -= a[(g.M-1)*g.LDA+g.K-1] * b[(g.K-1)*g.LDB+g.N-1]
	}
	off.MaxPoolForward = func(p *kernels.Pool, x, y []float32, lo, hi int) {
		good.MaxPoolForward(p, x, y, lo, hi)
		y[0] += 0.01
	}
	off.SGD = func(w, grad, velocity []float32, p *kernels.SGDStep) {
		without := *p
		without.Momentum = 0 // has no effect in the first step
		good.SGD(w, grad, velocity, &without)
	}
	off.AdamW = func(w, grad, m, v []float32, p *kernels.AdamWStep) {
		good.AdamW(w, grad, m, v, p)
		w[len(w)-1] += 0.01
	}
	for _, c := range []struct{ kind, shape, name string }{
		{"gemm", "64x64x500", "GEMM"}, {"pool", "2,16,8,3,1", "MaxPool"}, {"elementwise", "1000", "SGD"}, {"elementwise", "1000", "AdamW"},
	} {
		for _, k := range Kinds() {
			if k.Name != c.kind {
				continue
			}
			cases, err := k.Cases(c.shape, Forward)
			if err != nil {
				t.Fatal(err)
			}
			cases = slices.DeleteFunc(cases, func(k KernelCase) bool { return !strings.HasPrefix(k.Name, c.name) })
			var mismatch *MismatchError
			if err := cases[0].Check(&off, nil); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), cases[0].Name) {
				t.Errorf("%s: a wrong kernel gives %v", cases[0].Name, err)
			}
		}
	}
}

func TestBadShapes(t *testing.T) {
	bad := map[string][]string{
		"gemm":        {"", "64x64", "64x64x64x64", "0x64x64", "axbxc", "64,64,64", "1000000x1000000x2", "-1x2x3"},
		"conv":        {"", "64,3,32,16,3,1,1", "64,3,32,16,3,1,2,1", "64,3,32,16,0,1,1,1", "64,3,32,16,3,1,1,x", "99999999999999999999,1,1,1,1,1,1,1", "1,1,100000,1,1,1,1,1"},
		"depthwise":   {"1,16,8,16,3,1,5,1"},
		"pool":        {"64,16,32,3", "64,16,32,3,0"},
		"norm":        {"64,16", "64,16,0"},
		"elementwise": {"", "many", "0", "2000000000"},
	}
	for _, k := range Kinds() {
		if len(bad[k.Name]) == 0 {
			t.Errorf("no bad shapes for %s", k.Name)
		}
		for _, shape := range bad[k.Name] {
			if c, err := k.Cases(shape, Forward); err == nil {
				t.Errorf("%s accepts %q: %d cases", k.Name, shape, len(c))
			} else if !strings.Contains(err.Error(), "shape") {
				t.Errorf("%s %q: %v", k.Name, shape, err)
			}
		}
	}
	// A window that does not fit is found when the case is built.
	cases, err := Kinds()[3].Cases("1,4,1,4,1", Forward)
	if err != nil {
		t.Fatal(err)
	}
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	if err := cases[0].Check(table, nil); err == nil {
		t.Error("a 4x4 window slides over one pixel with padding 1 without complaint")
	}
}

// BenchmarkKernels measures every case of the tables; nasbench bench does the same and says more.
func BenchmarkKernels(b *testing.B) {
	table, err := kernels.Active()
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range Kinds() {
		for _, shape := range k.Shapes {
			for _, d := range k.Directions {
				cases, err := k.Cases(shape, d)
				if err != nil {
					b.Fatal(err)
				}
				for _, c := range cases {
					b.Run(c.Name, func(b *testing.B) {
						run, work, err := c.ready(table, nil)
						if err != nil {
							b.Fatal(err)
						}
						b.ReportAllocs()
						for b.Loop() {
							run(1)
						}
						b.ReportMetric(float64(work.FLOPs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
			}
		}
	}
}
