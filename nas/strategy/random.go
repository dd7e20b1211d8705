package strategy

import (
	"fmt"
	"math/rand/v2"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

// Random is random search, without repeats unless they are allowed: each proposal is drawn by the space ([space.Space]'s
// Random), again while its network was proposed or told before. It is the control that every
// other strategy has to beat (Li and Talwalkar, "Random Search and Reproducibility for Neural
// Architecture Search", UAI 2019).
//
// Proposal k is drawn from a stream of its own, named by the seed and k.
type Random struct {
	space   space.Space
	seed    uint64
	repeats bool
	trial   uint64          // number of the next proposal
	seen    map[string]bool // keys of what was proposed or told
	done    bool
	o       Options
}

// Redraws of one proposal before the space counts as exhausted. With s networks seen and one
// as likely as these left, each draw misses it with probability s/(s+1), and all of them with
// one of about exp(-20).
const (
	minRedraws     = 1000
	redrawsPerSeen = 20
)

// NewRandom returns a random search of the space.
func NewRandom(o Options) *Random {
	return &Random{space: o.Space, seed: o.Seed, repeats: o.Repeats, seen: map[string]bool{}, o: o}
}

// Name returns "random".
func (r *Random) Name() string { return "random" }

// Round returns 0: no proposal depends on a result.
func (r *Random) Round() int { return 0 }

// Ask draws n genomes, or fewer if no more are left. A network that is far less likely than
// those seen may be left out.
func (r *Random) Ask(n int) ([]space.Genome, error) {
	if n < 1 {
		return nil, fmt.Errorf("strategy random: asked for %d genomes", n)
	}
	var out []space.Genome
	for len(out) < n && !r.done {
		g, err := r.drawFrom(stream.New(r.seed, "strategy random", r.trial))
		if err != nil && len(out) > 0 {
			break // The next call meets the error again, and no proposal is lost.
		}
		if err != nil {
			return nil, fmt.Errorf("strategy random: proposal %d: %w", r.trial, err)
		}
		if g == nil {
			r.done = true
			break
		}
		r.trial++
		out = append(out, g)
	}
	if len(out) == 0 {
		return nil, ErrExhausted
	}
	return out, nil
}

// drawFrom returns a new genome, or nil if none was found.
func (r *Random) drawFrom(rng *rand.Rand) (space.Genome, error) {
	if r.repeats {
		return r.space.Random(rng)
	}
	for range minRedraws + redrawsPerSeen*len(r.seen) {
		if err := r.o.interrupted(); err != nil {
			return nil, err
		}
		g, err := r.space.Random(rng)
		if err != nil {
			return nil, err
		}
		if key := r.space.Key(g); !r.seen[key] {
			r.seen[key] = true
			return g, nil
		}
	}
	return nil, nil
}

// Tell remembers the network, so that one that was not proposed here is not proposed later
// either.
func (r *Random) Tell(result Result) {
	if result.Genome != nil {
		r.seen[r.space.Key(result.Genome)] = true
	}
}
