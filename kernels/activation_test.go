package kernels

import (
	"math"
	"testing"
)

// activationOracle is an activation in float64: its value, its derivative, and the
// number of eps by which the float32 value and derivative may be off, relative to max(|x|, 1), or to themselves.
type activationOracle struct {
	value, slope      func(x float64) float64
	allowed, allowed2 float64
	relative          bool
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func activationOracles() [NumActivations]activationOracle {
	step := func(inside bool) float64 {
		if inside {
			return 1
		}
		return 0
	}
	return [NumActivations]activationOracle{
		ReLU:  {func(x float64) float64 { return max(x, 0) }, func(x float64) float64 { return step(!(x <= 0)) }, 0, 0, false},
		ReLU6: {func(x float64) float64 { return min(max(x, 0), 6) }, func(x float64) float64 { return step(!(x <= 0 || x >= 6)) }, 0, 0, false},
		// exp is good to 2 eps and the sum, the quotient and the product add half a one each.
		Sigmoid: {logistic, func(x float64) float64 { return logistic(x) * logistic(-x) }, 4, 6, false},
		SiLU: {
			func(x float64) float64 { return x * logistic(x) },
			func(x float64) float64 { return logistic(x) * (1 + x*logistic(-x)) }, 5, 8, false,
		},
		HardSwish: {
			func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 },
			func(x float64) float64 {
				switch {
				case x <= -3:
					return 0
				case x >= 3:
					return 1
				}
				return (2*x + 3) / 6
			}, 3, 3, false,
		},
		// Two units in the last place, the rounding of the reference, and that of the product.
		Exp: {exp32, exp32, 3, 4, true},
	}
}

// exp32 is the exponential as a float32, which may be infinite.
func exp32(x float64) float64 { return float64(float32(math.Exp(x))) }

func (a Activation) testName() string {
	return [...]string{"relu", "relu6", "sigmoid", "silu", "hardswish", "exp"}[a]
}

func TestActivations(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), 3, -3, 6, -6, 17, -17, 88, -88, 89, -89, 200, -200, 1e30, -1e30, 1e-40, nan32, float32(math.Copysign(math.NaN(), -1)), inf32}
	forEachLevel(t, func(t *testing.T, table *Table) {
		mem := newGuards(t)
		for index, oracle := range activationOracles() {
			a := Activation(index)
			t.Run(a.testName(), func(t *testing.T) {
				rng := newRand("activations", uint64(index))
				vectorLengths(func(n int) {
					for _, place := range []string{"apart", "x", "dy"} {
						mem.reset()
						mem.atStart = rng.IntN(2) == 0
						x, dy := mem.random(rng, n), mem.random(rng, n)
						for i := range x {
							x[i] *= 5
							if rng.IntN(4) == 0 {
								x[i] = special[rng.IntN(len(special))]
							}
						}
						value, slope := make([]exact, n), make([]exact, n)
						for i, v := range x {
							size := min(max(1, math.Abs(float64(v))), math.MaxFloat32)
							s := oracle.slope(float64(v))
							if oracle.relative {
								size = s
							}
							value[i] = exact{oracle.value(float64(v)), size}
							if size > 100 && !oracle.relative { // the slope is 0 or 1 there
								size = 1
								s = math.Round(s)
							}
							slope[i] = exact{float64(float32(float64(dy[i]) * s)), math.Abs(float64(dy[i])) * size}
							if v != v || v == inf32 { // unspecified, and skipped below
								slope[i] = exact{0, 1}
							}
						}
						out, grad := mem.filled(n, nan32), mem.filled(n, nan32)
						in := mem.clone(x)
						if place == "x" {
							out = in
						}
						table.Activate[a](out, in)
						if err := closeTo(out, value, oracle.allowed); err != nil {
							t.Fatalf("length %d, output %s: %v", n, place, err)
						}
						in = mem.clone(x)
						switch place {
						case "x":
							grad = in
						case "dy":
							grad = dy
						}
						table.ActivateGrad[a](grad, dy, in)
						for i, v := range x {
							if v != v || v == inf32 { // infinity times zero, as in the definition
								grad[i] = 0
							}
						}
						if err := closeTo(grad, slope, oracle.allowed2); err != nil {
							t.Fatalf("gradient of length %d, output %s: %v", n, place, err)
						}
					}
				})
			})
		}
	})
}

func TestSigmoidAtItsEnds(t *testing.T) {
	forEachLevel(t, func(t *testing.T, table *Table) {
		x := []float32{-inf32, -1e10, -104, 17, 104, 1e10, inf32}
		y := make([]float32, len(x))
		table.Activate[Sigmoid](y, x)
		if err := sameBits(y, []float32{0, 0, 0, 1, 1, 1, 1}); err != nil {
			t.Error(err)
		}
	})
}

// TestExp sweeps the range of float32 where the result is a normal number.
func TestExp(t *testing.T) {
	for x := float32(-87.3); x < 88.3; x += 0.00137 {
		want := math.Exp(float64(x))
		if got := float64(exp(x)); math.Abs(got-want) > 2*eps*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	for _, c := range []struct{ x, want float32 }{{0, 1}, {-inf32, 0}, {-1000, 0}, {inf32, inf32}, {1000, inf32}} {
		if got := exp(c.x); got != c.want {
			t.Errorf("exp(%v) = %v, want %v", c.x, got, c.want)
		}
	}
	if got := exp(nan32); got == got {
		t.Errorf("exp(NaN) = %v", got)
	}
}
