package layers

import (
	"math"
	"math/rand/v2"

	"github.com/nasbench-go/nasbench/tensor"
)

// Init fills the first values w of a parameter of this shape. The generator belongs to
// the parameter alone. Those of this package panic with a [*ConstructionError] if their gain is not a finite number.
type Init func(w []float32, shape tensor.Shape, r *rand.Rand)

// Fan selects which side of a weight keeps its variance.
type Fan int

// FanIn keeps the variance of activations in the forward pass, FanOut that of gradients in
// the backward pass.
const (
	FanIn Fan = iota
	FanOut
)

// Gains that keep the variance through the activation that follows. For SiLU and
// hard-swish the gain of ReLU is usual.
const (
	GainLinear = 1
	GainReLU   = math.Sqrt2
)

// Fans returns the number of inputs that feed one output of a weight, and the number of outputs that one
// input feeds when all groups are taken as one. A convolution weight is R x S x C/groups x K:
// R*S*C/groups and R*S*K. A linear weight is In x Out. A vector counts as both.
func Fans(shape tensor.Shape) (in, out int) {
	if len(shape) < 2 {
		return shape.Elements(), shape.Elements()
	}
	window := shape[:len(shape)-2].Elements()
	return window * shape[len(shape)-2], window * shape[len(shape)-1]
}

// KaimingNormal draws from N(0, gain²/fan) (He et al. 2015, "Delving Deep into
// Rectifiers", section 2.2).
func KaimingNormal(fan Fan, gain float64) Init {
	return func(w []float32, shape tensor.Shape, r *rand.Rand) {
		normal(w, gain/math.Sqrt(fan.of(shape)), r)
	}
}

// KaimingUniform draws uniformly with mean 0 and variance gain²/fan.
func KaimingUniform(fan Fan, gain float64) Init {
	return func(w []float32, shape tensor.Shape, r *rand.Rand) {
		uniform(w, gain/math.Sqrt(fan.of(shape)), r)
	}
}

// XavierNormal draws from N(0, gain²*2/(in+out)) (Glorot and Bengio 2010, section 4.2.1).
func XavierNormal(gain float64) Init {
	return func(w []float32, shape tensor.Shape, r *rand.Rand) {
		normal(w, xavierDeviation(shape, gain), r)
	}
}

// XavierUniform draws uniformly with mean 0 and variance gain²*2/(in+out).
func XavierUniform(gain float64) Init {
	return func(w []float32, shape tensor.Shape, r *rand.Rand) {
		uniform(w, xavierDeviation(shape, gain), r)
	}
}

// Constant fills with one value.
func Constant(v float32) Init {
	return func(w []float32, _ tensor.Shape, _ *rand.Rand) {
		for i := range w {
			w[i] = v
		}
	}
}

// Zeros fills with 0.
func Zeros(w []float32, _ tensor.Shape, _ *rand.Rand) { clear(w) }

// Ones fills with 1.
func Ones(w []float32, shape tensor.Shape, r *rand.Rand) { Constant(1)(w, shape, r) }

func (f Fan) of(shape tensor.Shape) float64 {
	in, out := Fans(shape)
	if f == FanOut {
		return float64(out)
	}
	return float64(in)
}

func xavierDeviation(shape tensor.Shape, gain float64) float64 {
	in, out := Fans(shape)
	return gain * math.Sqrt(2/float64(in+out))
}

func normal(w []float32, deviation float64, r *rand.Rand) {
	checkDeviation(deviation)
	for i := range w {
		w[i] = float32(deviation * r.NormFloat64())
	}
}

// uniform draws from -b..b with b = deviation*sqrt(3), which has that deviation.
func uniform(w []float32, deviation float64, r *rand.Rand) {
	checkDeviation(deviation)
	b := deviation * math.Sqrt(3)
	for i := range w {
		w[i] = float32(b * (2*r.Float64() - 1))
	}
}

func checkDeviation(d float64) {
	if !(math.Abs(d) <= math.MaxFloat32) {
		misuse("", "first values of deviation %g", d)
	}
}
