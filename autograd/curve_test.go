package autograd

import (
	"fmt"
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// lossCurve trains a small network of convolutions, batch norms, a residual sum, a depthwise convolution and pools by plain gradient descent, and returns the
// loss of every step. The first weight is multiplied by 1 + change.
func lossCurve(t *testing.T, o Options, steps int, change float32) []float64 {
	t.Helper()
	const n, side, classes = 16, 8, 4
	rng := stream.New(3, "curve")
	g := NewGraph()
	var params []*Node
	variable := func(scale, offset float32, dims ...int) *Node {
		v := tensor.New(dims...)
		for i := range v.Data() {
			v.Data()[i] = offset + scale*float32(rng.NormFloat64())
		}
		params = append(params, g.Variable(fmt.Sprint("w", len(params)), v))
		return params[len(params)-1]
	}
	norm := func(x *Node, c int) *Node {
		return BatchNorm(x, variable(0, 1, c), variable(0, 0, c), g.Variable("mean", tensor.New(c)), g.Variable("var", tensor.New(c)), BatchNormOptions{Training: true})
	}
	x, labels := g.Input("x", n, side, side, 2), g.Input("labels", n)
	y := ReLU(norm(Conv2D(x, variable(0.3, 0, 3, 3, 2, 12), ConvOptions{Padding: Both(1)}), 12))
	z := norm(Conv2D(ReLU(norm(Conv2D(y, variable(0.1, 0, 3, 3, 12, 12), ConvOptions{Padding: Both(1)}), 12)), variable(0.1, 0, 3, 3, 12, 12), ConvOptions{Padding: Both(1)}), 12)
	y = MaxPool2D(ReLU(Add(y, z)), PoolOptions{Window: Both(2), Stride: Both(2)})
	y = ReLU(Bias(Conv2D(y, variable(0.3, 0, 3, 3, 1, 12), ConvOptions{Padding: Both(1), Groups: 12}), variable(0, 0, 12)))
	loss := CrossEntropy(Linear(GlobalAvgPool(y), variable(0.3, 0, 12, classes)), labels, 0)
	grads, err := Grad(loss, params)
	if err != nil {
		t.Fatal(err)
	}
	params[0].value.Data()[0] *= 1 + change
	o.Outputs = append(grads, loss)
	p, err := Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	images := stream.New(4, "images")
	var curve []float64
	for step := range steps {
		data, classOf := p.Tensor(x).Data(), p.Tensor(labels).Data()
		for i := range n {
			class := images.IntN(classes)
			classOf[i] = float32(class)
			for j := range side * side {
				bright := float32(0)
				if j/side/(side/2)*2+j%side/(side/2) == class { // a quarter of the image
					bright = 1.5
				}
				data[(i*side*side+j)*2] = bright + float32(images.NormFloat64())
				data[(i*side*side+j)*2+1] = float32(images.NormFloat64())
			}
		}
		p.Run(uint64(step))
		curve = append(curve, float64(p.Tensor(loss).Data()[0]))
		for i, v := range params {
			w, d := v.value.Data(), p.Tensor(grads[i]).Data()
			for j := range w {
				w[j] -= 0.05 * d[j]
			}
		}
	}
	return curve
}

// Training with and without fused operations and groups gives the same loss curve up to noise: how far the curve moves if the last bits of one weight are others at the
// start. Rounding differences grow from step to step, so that no fixed bound holds for the whole curve.
func TestLossCurvesOfFusedAndUnfused(t *testing.T) {
	const steps, tail = 200, 50
	plain := lossCurve(t, Options{Unfused: true}, steps, 0)
	distance := func(curve []float64) (first, largest, mean float64) {
		for i, v := range curve {
			d := math.Abs(v - plain[i])
			if i < 10 {
				first = max(first, d)
			}
			largest = max(largest, d)
			if i >= steps-tail {
				mean += (v - plain[i]) / tail
			}
		}
		return first, largest, math.Abs(mean)
	}
	noise := 0.0
	for _, change := range []float32{1e-6, -1e-6, 2e-6} {
		_, d, _ := distance(lossCurve(t, Options{Unfused: true}, steps, change))
		noise = max(noise, d)
	}
	first, largest, mean := distance(lossCurve(t, Options{}, steps, 0))
	t.Logf("loss %.3f to %.3f; difference %.2g in the first 10 steps, %.2g in all, %.2g in the mean of the last %d; noise %.2g",
		plain[0], plain[steps-1], first, largest, mean, tail, noise)
	if plain[steps-1] > plain[0]/2 {
		t.Errorf("loss %v to %v: nothing was learnt", plain[0], plain[steps-1])
	}
	if first > 1e-4 || largest > 5*noise+1e-4 || mean > noise+1e-4 {
		t.Errorf("fused and unfused curves differ by %.2g at first and %.2g at most, in the mean of the last %d steps by %.2g; noise is %.2g", first, largest, tail, mean, noise)
	}
}
