package darts

import (
	"context"
	"math"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// Iterations of the first estimate, and of each that goes on from the vector of the one before.
const (
	firstIterations = 6
	laterIterations = 2
)

// hessianStep is the length of the difference along a unit vector; alphas are of order one.
const hessianStep = 1e-2

// newEigenvector returns a vector to begin with, of as many elements as the architecture has.
func (b *bilevel) newEigenvector() *tensor.Tensor {
	n := 0
	for _, p := range b.arch {
		n += p.Value.Len()
	}
	v := tensor.New(n)
	rng := stream.New(b.o.Seed, "darts eigenvalue")
	for i := range v.Data() {
		v.Data()[i] = float32(rng.NormFloat64())
	}
	return v
}

// eigenvalue estimates the eigenvalue of largest size of the Hessian of the loss for the architecture, on the batch that
// is loaded in choose. It iterates products of the Hessian with the eigenvector, each a difference of two gradients. The error is that
// of ctx; the architecture is then as it was, but the eigenvector is not.
func (b *bilevel) eigenvalue(ctx context.Context, iterations int) (float64, error) {
	v := b.eigenvector.Data()
	var at []float32
	for _, p := range b.arch {
		at = append(at, p.Value.Data()...)
	}
	product := make([]float64, len(v))
	set := func(by float64) {
		k := 0
		for _, p := range b.arch {
			for j := range p.Value.Data() {
				p.Value.Data()[j] = float32(float64(at[k]) + by*float64(v[k]))
				k++
			}
		}
	}
	defer func() {
		k := 0
		for _, p := range b.arch {
			k += copy(p.Value.Data(), at[k:])
		}
	}()
	lambda := 0.0
	for range iterations {
		norm := 0.0
		for _, x := range v {
			norm += float64(x) * float64(x)
		}
		if norm = math.Sqrt(norm); norm == 0 || !finite(norm) {
			break
		}
		for k := range v {
			v[k] = float32(float64(v[k]) / norm)
		}
		clear(product)
		for _, sign := range []float64{1, -1} {
			set(sign * hessianStep)
			if _, err := b.choose.run(ctx); err != nil {
				return 0, err
			}
			k := 0
			for _, g := range b.choose.grads {
				for _, x := range g.Data() {
					product[k] += sign * float64(x) / (2 * hessianStep)
					k++
				}
			}
		}
		lambda = 0
		for k := range v {
			lambda += float64(v[k]) * product[k]
		}
		for k := range v {
			v[k] = float32(product[k])
		}
	}
	return lambda, nil
}

// The rule for stopping (Zela et al. 2020, section 4.3): the mean eigenvalue over a window of epochs has risen by more than
// a third since so many epochs before. As in the authors' published code, nothing is compared with epochs before the tenth:
// the eigenvalue is near zero when the alphas begin to move, and has risen many times over in every search that was looked at.
const (
	eigenvalueWindow = 3
	eigenvalueBack   = 4
	eigenvalueStart  = 10
	eigenvalueRatio  = 0.75
)

// collapsing returns the point to go back to if the eigenvalues of the trajectory, which ends with a whole epoch, rise
// too fast. Epochs in which the alphas still wait before the point first do not count.
func collapsing(trajectory []Point, first int) (back int, stop bool) {
	var means []float64 // of the epochs that count
	var lasts []int     // their last points
	for i := 0; i < len(trajectory); {
		begin, sum := i, 0.0
		for ; i < len(trajectory) && trajectory[i].Epoch == trajectory[begin].Epoch; i++ {
			sum += trajectory[i].Eigenvalue
		}
		if begin >= first {
			means, lasts = append(means, sum/float64(i-begin)), append(lasts, i-1)
		}
	}
	now := len(means) - 1
	before := now - eigenvalueBack
	if before-eigenvalueWindow+1 < 0 || trajectory[lasts[before]].Epoch < eigenvalueStart {
		return 0, false
	}
	smooth := func(last int) float64 {
		sum := 0.0
		for _, v := range means[last-eigenvalueWindow+1 : last+1] {
			sum += v / eigenvalueWindow
		}
		return sum
	}
	was, is := smooth(before), smooth(now)
	return lasts[before], was > 0 && is > 0 && was/is < eigenvalueRatio
}
