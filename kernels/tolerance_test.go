package kernels

import (
	"fmt"
	"math"
)

// All bounds of the tests are in units of eps times the sum of the absolute terms of a result, both kept in [exact], and
// are derived here. Results that involve no rounding, or each operation of which is rounded on its own in a given order, are compared
// bit by bit instead.
//
// With u = eps/2, a term that goes through n roundings is off by at most gamma(n) = n*u/(1-n*u) of its absolute value (Higham 2002,
// section 3.1), so a result whose terms go through at most n roundings is off by gamma(n) times the sum of absolute terms:
// in any order of the sum, with or without fused multiplication, whatever the width of the vectors.

// eps is the distance from 1 to the next float32.
const eps = 0x1p-23

// roundings returns gamma(n) in units of eps.
func roundings(n int) float64 { return float64(n) / 2 / (1 - float64(n)*eps/2) }

// products bounds sums of n products: a multiplication and n-1 additions, or n fused ones. Up to three more roundings belong to the epilogue:
// alpha, what is already there (beta times C, or a gradient that is added to), bias.
func products(n int) float64 { return roundings(n + 3) }

const (
	// Maps of elements of at most four roundings: the longest, dst + t*(x-dst) and (x-mean)*scale + shift, have three.
	mapBound = 2
	// Channel sums are kept in float64 and rounded once, as are the deviations and products in them; what the float64 sums lose, and the
	// cancellation in squares - sum*mean, is below another rounding for as few rows as the tests have.
	channelBound = 1
	// exp is good to 2 eps. Its argument x-max is rounded, which the tests put into the size (see spread); the sum of exps is as good as they
	// are, and the quotient or logarithm and the last operations round up to four times.
	expBound = 2 + 2 + 4*0.5
)

// exact is the float64 result of the definition, and the sum of the absolute values
// of the terms that it is a sum of.
type exact struct{ value, size float64 }

func (e *exact) add(v float64) { e.value += v; e.size += math.Abs(v) }

// closeTo reports the first element of got that differs from want by more than
// factor*eps times its size. Below the normal numbers, zero is near enough.
func closeTo(got []float32, want []exact, factor float64) error {
	for i, w := range want {
		g := float64(got[i])
		switch {
		case math.IsNaN(w.value):
			if !math.IsNaN(g) {
				return fmt.Errorf("element %d: %v, want NaN", i, g)
			}
		case math.IsInf(w.value, 0):
			if g != w.value {
				return fmt.Errorf("element %d: %v, want %v", i, g, w.value)
			}
		case !(math.Abs(g-w.value) <= factor*eps*w.size+0x1p-126):
			return fmt.Errorf("element %d: %v, want %v, differs by %.3g, allowed %.3g", i, g, w.value, g-w.value, factor*eps*w.size)
		}
	}
	return nil
}
