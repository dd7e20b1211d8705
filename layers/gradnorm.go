package layers

import (
	"math"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// GradNorm computes the global norm of a fixed list of gradients: the Euclidean norm of all of their
// elements taken as one vector.
type GradNorm struct {
	partial []float64 // sum of squares of each chunk
	sweep   *sweep
}

// NewGradNorm prepares the computation. Nil threads run on the caller's; a nil table is that of kernels.Active. It panics with a [*ConstructionError] if a gradient is nil.
func NewGradNorm(grads []*tensor.Tensor, table *kernels.Table, threads *kernels.Threads) *GradNorm {
	if table == nil {
		active, err := kernels.Active()
		if err != nil {
			misuse("", "gradient norm: %v", err)
		}
		table = active
	}
	lengths := make([]int, len(grads))
	for i, g := range grads {
		if g == nil {
			misuse("", "gradient norm: gradient %d is nil", i)
		}
		lengths[i] = g.Len()
	}
	n := &GradNorm{}
	n.sweep = newSweep(lengths, threads, func(i int, c chunk) {
		n.partial[i] = table.SumSquares(grads[c.tensor].Data()[c.lo:c.hi])
	})
	n.partial = make([]float64, len(n.sweep.chunks))
	return n
}

// Compute returns the norm of the gradients as they are now. It allocates nothing, and
// gives the same bits for any number of threads.
func (n *GradNorm) Compute() float64 {
	n.sweep.run()
	sum := 0.0
	for _, p := range n.partial {
		sum += p
	}
	return math.Sqrt(sum)
}

// ClipScale returns by what gradients of this norm are multiplied so that it is at most limit
// (Pascanu et al. 2013, algorithm 1). A limit that is not above 0 does not clip.
func ClipScale(norm, limit float64) float64 {
	if !(limit > 0) || norm <= limit {
		return 1
	}
	return limit / norm
}
