package space

import (
	"errors"
	"fmt"
)

// Bounds on the attempts of one draw. An acceptance of one in ten thousand is found within
// maxTries with near certainty. Measuring latency takes tens of milliseconds, so a draw gives up after maxMeasured that were
// measured and too slow, which one acceptance in fifty survives with near certainty. It is a number and not a time, so that the same
// latencies give the same draws.
const (
	maxTries    = 200_000
	maxMeasured = 400
)

// triesBetweenAsks is how many genomes are drawn, in some hundreds of microseconds, before Interrupt is asked again.
const triesBetweenAsks = 128

// SampleError says that too few genomes of a space meet the constraints for one to be drawn at
// random.
type SampleError struct {
	Tries  int        // genomes drawn
	Share  float64    // of the tries that were refused for the most frequent constraint
	Reason *Violation // the last of that constraint
}

// Error names the number of tries and the most frequent reason.
func (e *SampleError) Error() string {
	if e.Reason.Constraint == LatencyConstraint {
		return fmt.Sprintf("none of %s random genomes meets the constraints; %.0f of them meet all others and are too slow, for example: %v",
			digits(int64(e.Tries)), float64(e.Tries)*e.Share, e.Reason)
	}
	return fmt.Sprintf("none of %s random genomes meets the constraints; the most frequent reason (%.0f%%) is %v, for example: %v",
		digits(int64(e.Tries)), 100*e.Share, e.Reason.Constraint, e.Reason)
}

// sample calls draw until the constraints allow what was drawn, and then genome for its value.
// The result has the distribution of draw, restricted to what is allowed.
func sample(c *Constraints, draw func() facts, genome func() Genome) (Genome, error) {
	var refused [numConstraints]int
	var last [numConstraints]Violation
	measured, try := 0, 0
	for try < maxTries && measured < maxMeasured {
		if c.Interrupt != nil && (try%triesBetweenAsks == 0 || measured > 0) {
			if err := c.Interrupt(); err != nil {
				return nil, err
			}
		}
		try++
		f := draw()
		v, ok := c.check(&f)
		if ok {
			g := genome()
			err := c.measure(g)
			if err == nil {
				return g, nil
			}
			slow, isViolation := errors.AsType[*Violation](err)
			if !isViolation {
				return nil, err
			}
			measured++
			v = *slow
		}
		refused[v.Constraint]++
		last[v.Constraint] = v
	}
	most := LatencyConstraint
	if measured < maxMeasured {
		most = 0
		for i, n := range refused {
			if n > refused[most] {
				most = Constraint(i)
			}
		}
	}
	return nil, &SampleError{Tries: try, Share: float64(refused[most]) / float64(try), Reason: &last[most]}
}
