package bench

import (
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Roofline is what a machine can do at most (Williams, Waterman and Patterson 2009): work that
// needs f FLOPs and moves b bytes takes at least max(f/FLOPS, b/Bandwidth) seconds.
type Roofline struct {
	FLOPS     float64 // floating-point operations a second
	Bandwidth float64 // bytes a second, read and written, beyond the caches
}

// Least returns the shortest time that some work can take.
func (r Roofline) Least(w autograd.Work) time.Duration {
	seconds := max(float64(w.FLOPs)/r.FLOPS, float64(w.Bytes)/r.Bandwidth)
	return time.Duration(seconds * float64(time.Second))
}

// Share returns the share of the roofline that some work reached in a time. It is above 1 where the data came from a
// cache, which is faster than the memory that the roofline is about.
func (r Roofline) Share(w autograd.Work, t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	return float64(r.Least(w)) / float64(t)
}

// MeasureRoofline measures the peak of a table's level and the copy bandwidth of all threads together, in some tenths of a second.
func MeasureRoofline(table *kernels.Table, threads *kernels.Threads) Roofline {
	return Roofline{FLOPS: PeakFLOPS(table, threads), Bandwidth: CopyBandwidth(threads)}
}

// Rooflines are measurements of one machine at different times. What a machine can do changes by a third within minutes where others use it too or
// its clock does, so it is measured before, between and after what is compared with it.
type Rooflines []Roofline

// Best returns the highest rates of all measurements: whatever else runs on the machine only slows it down.
func (all Rooflines) Best() Roofline {
	var best Roofline
	for _, r := range all {
		best = Roofline{max(best.FLOPS, r.FLOPS), max(best.Bandwidth, r.Bandwidth)}
	}
	return best
}

// Least returns the lowest rates of all measurements.
func (all Rooflines) Least() Roofline {
	if len(all) == 0 {
		return Roofline{}
	}
	least := all[0]
	for _, r := range all {
		least = Roofline{min(least.FLOPS, r.FLOPS), min(least.Bandwidth, r.Bandwidth)}
	}
	return least
}

// calm is the share of its best rate that an undisturbed machine has in every measurement.
const calm = 0.9

// Calm reports whether no measurement was below nine tenths of the best, so that times measured between them can be compared with that.
func (all Rooflines) Calm() bool {
	best, least := all.Best(), all.Least()
	return least.FLOPS >= calm*best.FLOPS && least.Bandwidth >= calm*best.Bandwidth
}

// measurements is how often a rate is taken; the best counts, because whatever else runs on the machine only slows it down.
const measurements = 7

// PeakFLOPS measures the floating-point operations a second that a table's level does when it waits for nothing.
func PeakFLOPS(table *kernels.Table, threads *kernels.Threads) float64 {
	// One part of the work takes some milliseconds on any level.
	const least = 5 * time.Millisecond
	rounds := 1 << 10
	for {
		start := time.Now()
		table.FMALoop(rounds)
		if time.Since(start) > least {
			break
		}
		rounds *= 2
	}
	parts := threads.Count()
	return bestRate(func() float64 {
		flops := make([]int, parts)
		threads.Run(parts, func(part, _ int) { flops[part] = table.FMALoop(rounds) })
		sum := 0
		for _, n := range flops {
			sum += n
		}
		return float64(sum)
	})
}

// copyFloats is the length of the arrays that are copied: 64 MB each, beyond the caches of most machines.
const copyFloats = 1 << 24

// CopyBandwidth measures the bytes a second that all threads together read and write when they copy arrays far larger than the caches.
func CopyBandwidth(threads *kernels.Threads) float64 {
	src, dst := tensor.Alloc(copyFloats), tensor.Alloc(copyFloats)
	for i := range src {
		src[i], dst[i] = 1, 2 // pages that were never written are not memory
	}
	parts := threads.Count()
	return bestRate(func() float64 {
		threads.Run(parts, func(part, _ int) {
			lo, hi := kernels.Range(part, parts, copyFloats)
			copy(dst[lo:hi], src[lo:hi])
		})
		return 2 * 4 * copyFloats
	})
}

// bestRate returns the largest amount per second of a few calls of f, which returns its amount.
func bestRate(f func() float64) float64 {
	best := 0.0
	for range measurements {
		start := time.Now()
		amount := f()
		best = max(best, amount/time.Since(start).Seconds())
	}
	return best
}
