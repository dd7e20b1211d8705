package space

import (
	"errors"
	"math/rand/v2"
)

// Variable is a space of which genomes can be changed and joined, as evolution needs it. Genomes consist of positions: the layers of a
// chain, the edges of a cell. The methods return new genomes and leave those given alone; the constraints are not asked. They return an
// error for a genome of another space, and the genome itself where there is nothing else to choose.
type Variable interface {
	Space
	// Mutate changes each position with a probability of rate. A position that is changed gets another value, with
	// equal probability for each choice that it is made of. The length of a chain is a position too: a layer is taken out or put in.
	Mutate(g Genome, rate float64, rng *rand.Rand) (Genome, error)
	// Neighbor changes exactly one position.
	Neighbor(g Genome, rng *rand.Rand) (Genome, error)
	// Cross returns the first positions of a followed by the last ones of b (one-point crossover).
	Cross(a, b Genome, rng *rand.Rand) (Genome, error)
}

// Countable is a space of which the genomes are numbered, in grid order: the last position changes fastest.
type Countable interface {
	Space
	// Count returns how many numbers there are, from 0; false if they are more than an uint64 holds. The constraints
	// are not asked.
	Count() (uint64, bool)
	// At returns the genome of a number; false if there is none.
	At(number uint64) (Genome, bool)
}

// maxRedraws bounds the attempts to change a position. Where a position has any other value, one of them finds it.
const maxRedraws = 200

// mutate calls change for each of n positions with a probability of rate.
func mutate(n int, rate float64, rng *rand.Rand, change func(position int)) {
	for i := range n {
		if rng.Float64() < rate {
			change(i)
		}
	}
}

// differ draws until the value is another one than before.
func differ[T comparable](old T, draw func() T) T {
	for range maxRedraws {
		if v := draw(); v != old {
			return v
		}
	}
	return old
}

// cut returns a point at which n positions are divided into two parts, neither of them empty; n if there is but one position.
func cut(n int, rng *rand.Rand) int {
	if n < 2 {
		return n
	}
	return 1 + rng.IntN(n-1)
}

// other returns a number below n that is not old; old if there is none.
func other(old, n int, rng *rand.Rand) int {
	if n < 2 {
		return old
	}
	v := rng.IntN(n - 1)
	if v >= old {
		v++
	}
	return v
}

// count multiplies numbers of choices.
type count struct {
	n    uint64
	over bool
}

func (c *count) times(choices uint64) {
	if choices > 0 && c.n > ^uint64(0)/choices {
		c.over = true
	}
	c.n *= choices
}

func (c *count) plus(d count) {
	if c.n+d.n < c.n || d.over {
		c.over = true
	}
	c.n += d.n
}

// digit takes the last digit, of so many values, off a number.
func digit(number *uint64, values int) int {
	d := *number % uint64(values)
	*number /= uint64(values)
	return int(d)
}

// parents returns both genomes as those of a space.
func parents[G any](own func(Genome) (G, error), a, b Genome) (G, G, error) {
	x, errA := own(a)
	y, errB := own(b)
	return x, y, errors.Join(errA, errB)
}
