package space

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// DefaultMaxChannels is the bound on channels unless [Constraints] say otherwise.
const DefaultMaxChannels = 512

// Constraints bound the networks of a space. The zero value has the defaults: at most 512
// channels, at least one operation with weights, and no other bound.
type Constraints struct {
	// MaxChannels bounds the channels of every map; 0 means [DefaultMaxChannels], and a
	// negative number no bound.
	MaxChannels int
	// AllowWeightless allows networks in which no operation has weights. (The weights of
	// projections and of the classifier do not count: such a network has no features of its
	// own.)
	AllowWeightless bool

	// Upper bounds on the [Cost]; 0 means no bound.
	MaxFLOPs, MaxMACs, MaxParams, MaxActivationBytes int64

	// MinParams is the fewest parameters allowed. A search with little time gains by it: networks that are too
	// small to learn the task are most of what uniform sampling under tight upper bounds gives.
	MinParams int64

	// MaxLatency bounds what Latency measures; 0 means no bound, and Latency is not called
	// then. A genome is measured only if it meets all other constraints.
	MaxLatency time.Duration
	// Latency measures a genome, typically by building it and running it on this machine. It
	// must be safe for concurrent use if the space is. It is called once for each Check: a
	// search that wants the same answer twice, or a fast one, lets it remember, as evaluator.Latency does.
	Latency func(Genome) (time.Duration, error)

	// Interrupt, if set, is asked every so often while a genome is drawn, which takes long where hardly any is allowed: Random ends
	// with its error. The Err method of a context is meant.
	Interrupt func() error
}

func (c Constraints) validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxFLOPs", c.MaxFLOPs},
		{"MaxMACs", c.MaxMACs},
		{"MaxParams", c.MaxParams},
		{"MaxActivationBytes", c.MaxActivationBytes},
		{"MinParams", c.MinParams},
		{"MaxLatency", int64(c.MaxLatency)},
	} {
		if f.value < 0 {
			return fmt.Errorf("space: constraint %s is negative: %d", f.name, f.value)
		}
	}
	if c.MaxParams > 0 && c.MinParams > c.MaxParams {
		return fmt.Errorf("space: constraint MinParams is %d, more than the MaxParams of %d", c.MinParams, c.MaxParams)
	}
	if c.MaxLatency > 0 && c.Latency == nil {
		return fmt.Errorf("space: constraint MaxLatency is %v, but there is no function that measures latency", c.MaxLatency)
	}
	return nil
}

// Constraint names one of the [Constraints].
type Constraint int

// The constraints, in the order in which they are checked.
const (
	ChannelsConstraint Constraint = iota
	WeightsConstraint
	CountConstraint // not one that is set: numbers of the cost must fit an int64
	FLOPsConstraint
	MACsConstraint
	ParamsConstraint
	ActivationConstraint
	SizeConstraint
	LatencyConstraint
	numConstraints
)

// String returns the name of the constraint as users read it.
func (c Constraint) String() string {
	switch c {
	case ChannelsConstraint:
		return "channels"
	case WeightsConstraint:
		return "operations with weights"
	case CountConstraint:
		return "size"
	case FLOPsConstraint:
		return "FLOPs"
	case MACsConstraint:
		return "MACs"
	case ParamsConstraint:
		return "parameters"
	case ActivationConstraint:
		return "activation memory"
	case SizeConstraint:
		return "fewest parameters"
	case LatencyConstraint:
		return "latency"
	}
	return fmt.Sprintf("Constraint(%d)", int(c))
}

// Violation is the error of a genome that the constraints do not allow. A genome has one
// reason, the first constraint that it does not meet.
type Violation struct {
	Constraint Constraint
	Got, Bound int64 // channels, operations, FLOPs, MACs, parameters, bytes or nanoseconds
}

// Error states the reason in words.
func (v *Violation) Error() string {
	got, bound := digits(v.Got), digits(v.Bound)
	switch v.Constraint {
	case ChannelsConstraint:
		return "a map of " + got + " channels is wider than the " + bound + " allowed"
	case WeightsConstraint:
		return "no operation has weights"
	case CountConstraint:
		return "its FLOPs, parameters or bytes of activations are more than " + bound + ", too many to count"
	case FLOPsConstraint:
		return got + " FLOPs for an image are more than the " + bound + " allowed"
	case MACsConstraint:
		return got + " MACs for an image are more than the " + bound + " allowed"
	case ParamsConstraint:
		return got + " parameters are more than the " + bound + " allowed"
	case ActivationConstraint:
		return got + " bytes of activations for an image are more than the " + bound + " allowed"
	case SizeConstraint:
		return got + " parameters are fewer than the " + bound + " required"
	case LatencyConstraint:
		return fmt.Sprintf("a latency of %v is more than the %v allowed", time.Duration(v.Got), time.Duration(v.Bound))
	}
	return fmt.Sprintf("%v: %s against %s", v.Constraint, got, bound)
}

// digits writes n with a comma after every third digit, exactly, because a rounded number
// beside a bound can look equal to it.
func digits(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// facts are what the constraints look at, except latency.
type facts struct {
	channels int // of the widest map
	weighted int // operations with weights
	cost     Cost
}

// pricing reports whether the constraints look at facts at all, so that nobody need find them out otherwise.
func (c *Constraints) pricing() bool {
	return c.MaxChannels >= 0 || !c.AllowWeightless || c.MaxFLOPs > 0 || c.MaxMACs > 0 || c.MaxParams > 0 || c.MaxActivationBytes > 0 || c.MinParams > 0
}

// check returns false and the violation if f is not allowed. It does not allocate: a search
// under tight bounds refuses most of what it draws.
func (c *Constraints) check(f *facts) (Violation, bool) {
	bound := int64(c.MaxChannels)
	if bound == 0 {
		bound = DefaultMaxChannels
	}
	switch {
	case bound > 0 && int64(f.channels) > bound:
		return Violation{ChannelsConstraint, int64(f.channels), bound}, false
	case f.weighted == 0 && !c.AllowWeightless:
		return Violation{WeightsConstraint, 0, 1}, false
	case f.cost.countless():
		return Violation{CountConstraint, math.MaxInt64, math.MaxInt64}, false
	case c.MaxFLOPs > 0 && f.cost.FLOPs > c.MaxFLOPs:
		return Violation{FLOPsConstraint, f.cost.FLOPs, c.MaxFLOPs}, false
	case c.MaxMACs > 0 && f.cost.MACs > c.MaxMACs:
		return Violation{MACsConstraint, f.cost.MACs, c.MaxMACs}, false
	case c.MaxParams > 0 && f.cost.Params > c.MaxParams:
		return Violation{ParamsConstraint, f.cost.Params, c.MaxParams}, false
	case c.MaxActivationBytes > 0 && f.cost.ActivationBytes > c.MaxActivationBytes:
		return Violation{ActivationConstraint, f.cost.ActivationBytes, c.MaxActivationBytes}, false
	case f.cost.Params < c.MinParams:
		return Violation{SizeConstraint, f.cost.Params, c.MinParams}, false
	}
	return Violation{}, true
}

// measure checks the latency of a genome.
func (c *Constraints) measure(g Genome) error {
	if c.MaxLatency == 0 {
		return nil
	}
	d, err := c.Latency(g)
	if err != nil {
		return fmt.Errorf("space: latency of %v: %w", g, err)
	}
	if d > c.MaxLatency {
		return &Violation{LatencyConstraint, int64(d), int64(c.MaxLatency)}
	}
	return nil
}
