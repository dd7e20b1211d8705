package layers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

func activeTable(t testing.TB) *kernels.Table {
	t.Helper()
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func newOptimizer(t testing.TB, r Rule, params []*Parameter, threads *kernels.Threads) Optimizer {
	t.Helper()
	o, err := r.New(params, activeTable(t), threads)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// withThreads runs a test without threads and with several numbers of them.
func withThreads(t *testing.T, run func(threads *kernels.Threads)) {
	t.Helper()
	run(nil)
	for _, n := range []int{1, 2, 3} {
		threads := kernels.NewThreads(n)
		run(threads)
		threads.Close()
	}
}

func TestUpdatesByHand(t *testing.T) {
	// One weight of 1, gradients 1 and 0.5, rate 0.1.
	for _, tc := range []struct {
		name string
		rule Rule
		kind Kind
		want [2]float64
	}{
		{"plain", SGD{}, Weight, [2]float64{0.9, 0.85}},
		{"decay", SGD{WeightDecay: 0.1}, Weight, [2]float64{0.89, 0.8311}},
		{"momentum and decay", SGD{Momentum: 0.9, WeightDecay: 0.1}, Weight, [2]float64{0.89, 0.7321}},
		{"nesterov and decay", SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.1}, Weight, [2]float64{0.791, 0.591871}},
		{"bias is not decayed", SGD{WeightDecay: 0.1}, Bias, [2]float64{0.9, 0.85}},
		{"norm is not decayed", SGD{WeightDecay: 0.1}, Norm, [2]float64{0.9, 0.85}},
		{"adamw", AdamW{WeightDecay: 0.1}, Weight, [2]float64{0.89, 0.78788205}},
		{"adamw, bias is not decayed", AdamW{WeightDecay: 0.1}, Bias, [2]float64{0.9, 0.80678205}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := NewStore(1).Root().Param("w", tc.kind, Ones, 1)
			o := newOptimizer(t, tc.rule, []*Parameter{p}, nil)
			for i, g := range []float32{1, 0.5} {
				grad, _ := tensor.FromSlice([]float32{g}, 1)
				o.Step(0.1, 1, []*tensor.Tensor{grad})
				if got := float64(p.Value.Data()[0]); math.Abs(got-tc.want[i]) > 1e-6 {
					t.Errorf("after step %d: %.7f, want %.7f", i+1, got, tc.want[i])
				}
			}
			if o.Steps() != 2 {
				t.Errorf("Steps = %d, want 2", o.Steps())
			}
		})
	}
}

// reference makes the same updates as the rule in float64, straight from the formulas.
func reference(r Rule, decay bool, w []float64, grads [][]float64, rate float64) {
	a, b := make([]float64, len(w)), make([]float64, len(w))
	for t, grad := range grads {
		for i, g := range grad {
			switch r := r.(type) {
			case SGD:
				if decay {
					g += r.WeightDecay * w[i]
				}
				a[i] = r.Momentum*a[i] + g
				if r.Nesterov {
					w[i] -= rate * (g + r.Momentum*a[i])
				} else {
					w[i] -= rate * a[i]
				}
			case AdamW:
				if decay {
					w[i] -= rate * r.WeightDecay * w[i]
				}
				a[i] = r.Beta1*a[i] + (1-r.Beta1)*g
				b[i] = r.Beta2*b[i] + (1-r.Beta2)*g*g
				m := a[i] / (1 - math.Pow(r.Beta1, float64(t+1)))
				v := b[i] / (1 - math.Pow(r.Beta2, float64(t+1)))
				w[i] -= rate * m / (math.Sqrt(v) + r.Epsilon)
			}
		}
	}
}

func TestUpdatesFollowAFloat64ReferenceOnAnyNumberOfThreads(t *testing.T) {
	const steps, rate, scale = 12, 0.05, 0.5
	shapes := map[string][]int{"small": {3}, "odd": {17, 5}, "large": {9, 4099}} // large is cut into several parts
	kinds := map[string]Kind{"small": Bias, "odd": Weight, "large": Weight}
	names := []string{"small", "odd", "large"}
	for _, rule := range []Rule{
		SGD{Momentum: 0.9, WeightDecay: 0.01},
		SGD{Momentum: 0.8, Nesterov: true, WeightDecay: 0.02},
		AdamW{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-6, WeightDecay: 0.05},
	} {
		t.Run(rule.String(), func(t *testing.T) {
			var first [][]float32
			withThreads(t, func(threads *kernels.Threads) {
				store := NewStore(5)
				var params []*Parameter
				var grads []*tensor.Tensor
				for _, n := range names {
					params = append(params, store.Root().Param(n, kinds[n], KaimingNormal(FanIn, 3), shapes[n]...))
					grads = append(grads, tensor.New(shapes[n]...))
				}
				want := make([][]float64, len(params))
				history := make([][][]float64, len(params))
				for i, p := range params {
					for _, v := range p.Value.Data() {
						want[i] = append(want[i], float64(v))
					}
				}
				o := newOptimizer(t, rule, params, threads)
				for s := range steps {
					for i, g := range grads {
						r := stream.New(9, "gradient", uint64(s), uint64(i))
						scaled := make([]float64, g.Len())
						for j := range g.Data() {
							g.Data()[j] = float32(r.NormFloat64())
							scaled[j] = scale * float64(g.Data()[j])
						}
						history[i] = append(history[i], scaled)
					}
					o.Step(rate, scale, grads)
				}
				var values [][]float32
				for i, p := range params {
					reference(rule, p.Kind == Weight, want[i], history[i], rate)
					for j, v := range p.Value.Data() {
						if math.Abs(float64(v)-want[i][j]) > 2e-5 {
							t.Fatalf("%s[%d] = %g, want %g", p.Name, j, v, want[i][j])
						}
					}
					values = append(values, p.Value.Data())
				}
				if first == nil {
					first = values
				}
				for i := range values {
					if !slices.Equal(values[i], first[i]) {
						t.Errorf("%s: the bits depend on the number of threads", names[i])
					}
				}
			})
		})
	}
}

func TestOptimizerStateIsNamedByParameter(t *testing.T) {
	p := NewStore(1).Root().Sub("conv").Param("weight", Weight, Ones, 2, 3)
	for _, tc := range []struct {
		rule Rule
		want []string
	}{
		{SGD{}, []string{"velocity/conv.weight"}},
		{AdamW{}, []string{"moment1/conv.weight", "moment2/conv.weight"}},
	} {
		var names []string
		for _, s := range newOptimizer(t, tc.rule, []*Parameter{p}, nil).State() {
			names = append(names, s.Name)
			if !s.Value.Shape().Equal(p.Value.Shape()) {
				t.Errorf("%s has shape %v", s.Name, s.Value.Shape())
			}
		}
		if !slices.Equal(names, tc.want) {
			t.Errorf("%v: state %v, want %v", tc.rule, names, tc.want)
		}
	}
}

func TestSettingsOutOfRangeAreErrors(t *testing.T) {
	for _, tc := range []struct {
		rule Rule
		want string
	}{
		{SGD{Momentum: 1}, "momentum 1"},
		{SGD{Momentum: math.NaN()}, "momentum NaN"},
		{SGD{Nesterov: true}, "nesterov needs momentum"},
		{SGD{WeightDecay: -1}, "weight decay -1"},
		{AdamW{Beta1: 1.5}, "beta1 1.5"},
		{AdamW{Beta2: -0.1}, "beta2 -0.1"},
		{AdamW{Epsilon: -1}, "epsilon -1"},
		{AdamW{WeightDecay: math.Inf(1)}, "weight decay +Inf"},
	} {
		if _, err := tc.rule.New(nil, activeTable(t), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: error %v, want it to contain %q", tc.rule, err, tc.want)
		}
	}
}

func TestSweepVisitsEveryElementOnce(t *testing.T) {
	for _, lengths := range [][]int{nil, {0}, {1}, {5, 0, 7}, {sweepGrain}, {sweepGrain + 1, 3, 4*sweepGrain - 1, 10}} {
		withThreads(t, func(threads *kernels.Threads) {
			seen := make([][]byte, len(lengths))
			for i, n := range lengths {
				seen[i] = make([]byte, n)
			}
			s := newSweep(lengths, threads, func(_ int, c chunk) {
				for j := c.lo; j < c.hi; j++ {
					seen[c.tensor][j]++
				}
			})
			s.run()
			for i := range seen {
				for j, n := range seen[i] {
					if n != 1 {
						t.Fatalf("lengths %v: element %d of tensor %d is visited %d times", lengths, j, i, n)
					}
				}
			}
		})
	}
}

func TestGlobalNormIsThatOfAllElementsTogether(t *testing.T) {
	big, small := tensor.New(5, 9001), tensor.New(2)
	want := 25.0
	r := stream.New(3, "gradient")
	for i := range big.Data() {
		big.Data()[i] = float32(r.NormFloat64())
		want += float64(big.Data()[i]) * float64(big.Data()[i])
	}
	copy(small.Data(), []float32{3, -4})
	want = math.Sqrt(want)
	first := 0.0
	withThreads(t, func(threads *kernels.Threads) {
		got := NewGradNorm([]*tensor.Tensor{big, small}, activeTable(t), threads).Compute()
		if math.Abs(got/want-1) > 1e-10 {
			t.Errorf("norm %.12g, want %.12g", got, want)
		}
		if first == 0 {
			first = got
		}
		if got != first {
			t.Error("the bits depend on the number of threads")
		}
	})
}

func TestClipScaleBoundsTheNorm(t *testing.T) {
	for _, tc := range []struct{ norm, limit, want float64 }{
		{10, 5, 0.5}, {5, 5, 1}, {4, 5, 1}, {0, 5, 1}, {10, 0, 1},
	} {
		if got := ClipScale(tc.norm, tc.limit); got != tc.want {
			t.Errorf("ClipScale(%g, %g) = %g, want %g", tc.norm, tc.limit, got, tc.want)
		}
	}
}

func TestAveragesByHand(t *testing.T) {
	p := NewStore(1).Root().Param("w", Weight, Ones, 2)
	e, err := NewEMA([]*Parameter{p}, 0.15, activeTable(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	average := e.State()[0]
	if average.Name != "ema/w" || !slices.Equal(average.Value.Data(), []float32{1, 1}) {
		t.Fatalf("starts as %s %v", average.Name, average.Value.Data())
	}
	// Decay 0.1, then min(0.15, 2/11) = 0.15.
	for i, want := range []float64{0.1*1 + 0.9*3, 0.15*2.8 + 0.85*5} {
		copy(p.Value.Data(), []float32{float32(3 + 2*i), 1})
		e.Update()
		if got := average.Value.Data(); math.Abs(float64(got[0])-want) > 1e-6 || got[1] != 1 {
			t.Errorf("after update %d: %v, want %g and 1", i+1, got, want)
		}
	}
	if e.Updates() != 2 {
		t.Errorf("Updates = %d", e.Updates())
	}
	averaged := average.Value.Data()[0]
	e.Swap()
	if p.Value.Data()[0] != averaged || average.Value.Data()[0] != 5 {
		t.Errorf("swapped: parameter %v, average %v", p.Value.Data(), average.Value.Data())
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Update while swapped does not panic")
			}
		}()
		e.Update()
	}()
	e.Swap()
	if p.Value.Data()[0] != 5 || average.Value.Data()[0] != averaged {
		t.Errorf("swapped back: parameter %v, average %v", p.Value.Data(), average.Value.Data())
	}
	if _, err := NewEMA(nil, 1, activeTable(t), nil); err == nil {
		t.Error("decay 1 is not an error")
	}
}

func TestSweepCutsLargeTensorsAndTakesSmallOnesTogether(t *testing.T) {
	for _, tc := range []struct {
		lengths []int
		parts   int
	}{
		{nil, 0}, {[]int{1, 2, 3}, 1}, {[]int{sweepGrain, 1}, 2}, {[]int{4 * sweepGrain}, 4}, {[]int{3, 2 * sweepGrain, 5, 6}, 3},
	} {
		if s := newSweep(tc.lengths, nil, nil); len(s.first)-1 != tc.parts {
			t.Errorf("lengths %v: %d parts, want %d", tc.lengths, len(s.first)-1, tc.parts)
		}
	}
}
