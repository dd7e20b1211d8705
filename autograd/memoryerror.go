package autograd

import (
	"fmt"

	"github.com/nasbench-go/nasbench/internal/machine"
)

// MemoryError says that a plan needs more memory than there is for it. None of it was used. Code that builds a model panics with it, as with any
// [Misuse].
type MemoryError struct {
	What        string // what needs it, such as "storage of the parameters"; empty for a program
	Need, Limit int64  // bytes; Need is what it takes at the least
}

func (e *MemoryError) Error() string {
	what := e.What
	if what == "" {
		what = "the program"
	}
	return fmt.Sprintf("autograd: %s needs %s of memory, more than the %s allowed", what, machine.Bytes(e.Need), machine.Bytes(e.Limit))
}

// Misuse implements [Misuse].
func (*MemoryError) Misuse() {}

// addressable bounds plans on machines whose memory is not known: more than any has, and sums of such sizes do not overflow.
const addressable = 1 << 46

// planLimit returns the bytes that a plan may take: as many as asked for, or what the machine has for plans where that is 0.
func planLimit(most int64) int64 {
	if most > 0 {
		return min(most, addressable)
	}
	if most = machine.Plannable(); most > 0 {
		return most
	}
	return addressable
}

// fits returns an error if a single value that a schedule computes or reads from its caller is larger than any memory. With none that is, sums over the
// schedule do not overflow.
func fits(schedule []*Node, limit int64) error {
	for _, n := range schedule {
		if n.kind != opNode && n.kind != inputNode {
			continue
		}
		if size := 4 * int64(n.shape.Elements()); size > addressable {
			return &MemoryError{Need: size, Limit: limit}
		}
	}
	return nil
}
