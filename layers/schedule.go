package layers

import "math"

// Schedule gives the learning rate of a step, counted from 0, of a training of total steps. It is a
// pure function, so a training goes on from any step with the same rates.
//
// The schedules of this package take finite rates from 0 up. One that was made with anything else panics with a [*ConstructionError] when it is asked for a rate, which
// NewTrainer does and returns as an error.
type Schedule func(step, total int) float64

// ConstantRate is the same rate at all steps.
func ConstantRate(rate float64) Schedule {
	if bad := checkRates("constant rate", rate); bad != nil {
		return bad
	}
	return func(int, int) float64 { return rate }
}

// CosineRate falls from one rate to another along half a cosine: slowly, then fast, then slowly
// (Loshchilov and Hutter 2017, "SGDR", section 3, one period).
func CosineRate(from, to float64) Schedule {
	if bad := checkRates("cosine", from, to); bad != nil {
		return bad
	}
	return func(step, total int) float64 {
		return to + (from-to)*(1+math.Cos(math.Pi*progress(step, total)))/2
	}
}

// StepRate multiplies a rate by a factor at each of the given shares of the training,
// at half and at three quarters for instance: StepRate(0.1, 0.1, 0.5, 0.75).
func StepRate(rate, factor float64, at ...float64) Schedule {
	if bad := checkRates("steps of the rate", rate, factor); bad != nil {
		return bad
	}
	for _, a := range at {
		if !(a >= 0 && a <= 1) {
			return invalid("steps of the rate: %g is no share of a training, from 0 to 1", a)
		}
	}
	return func(step, total int) float64 {
		r, p := rate, progress(step, total)
		for _, a := range at {
			if p >= a {
				r *= factor
			}
		}
		return r
	}
}

// WarmUp rises linearly over a number of steps to the first rate of the schedule that follows, which
// then has the remaining steps.
func WarmUp(steps int, then Schedule) Schedule {
	switch {
	case steps < 0:
		return invalid("a warm-up of %d steps", steps)
	case then == nil:
		return invalid("no schedule follows the warm-up")
	}
	return func(step, total int) float64 {
		rest := max(total-steps, 0)
		if step < steps {
			return then(0, rest) * float64(step+1) / float64(steps+1)
		}
		return then(step-steps, rest)
	}
}

// invalid returns a schedule that panics with a ConstructionError.
func invalid(format string, args ...any) Schedule {
	return func(int, int) float64 {
		misuse("schedule", format, args...)
		return 0
	}
}

// checkRates returns a schedule that panics if a rate is no finite number from 0 up, else nil.
func checkRates(what string, rates ...float64) Schedule {
	for _, r := range rates {
		if !finiteNotNegative(r) {
			return invalid("%s: %g is not a number from 0 up", what, r)
		}
	}
	return nil
}

// progress is the share of the training that lies before a step, in 0..1.
func progress(step, total int) float64 {
	if step <= 0 || total <= 0 {
		return 0
	}
	return min(float64(step)/float64(total), 1)
}
