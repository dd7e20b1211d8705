package tensor

import (
	"cmp"
	"math"
	"slices"
)

// Buffer is a request for a piece of an arena: Size elements that must stay
// untouched from step First to step Last, both included.
type Buffer struct {
	Size        int
	First, Last int
}

// PlanArena places every buffer in one arena such that no two that are live at the
// same step share memory. It returns the offset of each buffer, a multiple of align,
// and the size of the arena; all are in elements. A buffer of size zero gets offset 0
// and takes no room. An align below one means one.
//
// The problem is dynamic storage allocation, which is NP-hard. PlanArena tries a few
// orders of placement (largest first, as in Pisarchyk and Lee 2020, "Efficient Memory
// Management for Deep Neural Net Inference"; longest-lived first; by time from both
// ends of the arena) and keeps the smallest result. It stops as soon as one reaches
// the lower bound, the largest sum of sizes live at one step. A chain, in which each
// buffer meets only the one before and the one after, always reaches it.
//
// The result depends on nothing but the arguments. Time grows with the square of the
// number of buffers. PlanArena panics with a [*ShapeError] if a size is negative or Last is before First.
func PlanArena(bufs []Buffer, align int) (offsets []int, total int) {
	align = max(align, 1)
	p := planner{rounded: make([]Buffer, len(bufs))}
	var order []int
	for i, b := range bufs {
		if b.Size < 0 {
			misuse("arena", Shape{b.Size}, "negative size of buffer %d", i)
		}
		if b.Last < b.First {
			misuse("arena", Shape{b.Size}, "buffer %d ends before it begins", i)
		}
		b.Size = (b.Size + align - 1) / align * align
		p.rounded[i] = b
		if b.Size > 0 {
			order = append(order, i)
		}
	}
	bound := p.largestLiveSum(order)

	byTime := func(i, j int) int {
		a, b := p.rounded[i], p.rounded[j]
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last), cmp.Compare(i, j))
	}
	bySize := func(i, j int) int {
		return cmp.Or(cmp.Compare(p.rounded[j].Size, p.rounded[i].Size), byTime(i, j))
	}
	byLife := func(i, j int) int {
		a, b := p.rounded[i], p.rounded[j]
		return cmp.Or(cmp.Compare(b.Last-b.First, a.Last-a.First), bySize(i, j))
	}

	offsets, total = make([]int, len(bufs)), math.MaxInt
	for _, attempt := range []struct {
		compare  func(i, j int) int
		twoEnded bool
	}{{bySize, false}, {byTime, true}, {byLife, false}} {
		slices.SortFunc(order, attempt.compare)
		got, size := p.place(order, bound, attempt.twoEnded)
		if size < total {
			offsets, total = got, size
		}
		if total == bound {
			break
		}
	}
	return offsets, total
}

// planner holds the buffers with their sizes rounded up to the alignment, so that
// every sum of sizes is aligned too.
type planner struct {
	rounded []Buffer
}

// placed is a buffer that has its place.
type placed struct {
	first, last int
	offset, end int
}

// place puts the buffers into the arena in the given order, each into the smallest
// gap that holds it among the buffers that live at the same time; failing that, above
// them. If twoEnded, every second buffer goes to the highest gap below ceiling
// instead, so that neighbours in time grow from opposite ends.
func (p planner) place(order []int, ceiling int, twoEnded bool) (offsets []int, total int) {
	offsets = make([]int, len(p.rounded))
	done := make([]placed, 0, len(order)) // sorted by offset
	for rank, i := range order {
		b := p.rounded[i]
		high := twoEnded && rank%2 == 1
		best, bestGap := -1, math.MaxInt
		top := 0 // end of the highest live buffer so far
		consider := func(limit int) {
			gap := limit - top
			switch {
			case gap < b.Size:
			case high:
				best = limit - b.Size
			case twoEnded && best < 0, !twoEnded && gap < bestGap:
				best, bestGap = top, gap
			}
		}
		for k := range done {
			d := &done[k]
			if d.first > b.Last || d.last < b.First {
				continue
			}
			if d.offset > top {
				consider(d.offset)
			}
			top = max(top, d.end)
		}
		if twoEnded {
			consider(ceiling)
		}
		if best < 0 {
			best = top
		}
		offsets[i] = best
		total = max(total, best+b.Size)
		at, _ := slices.BinarySearchFunc(done, best, func(d placed, offset int) int { return cmp.Compare(d.offset, offset) })
		done = slices.Insert(done, at, placed{b.First, b.Last, best, best + b.Size})
	}
	return offsets, total
}

// largestLiveSum returns the largest sum of sizes that are live at one step. No plan
// can be smaller.
func (p planner) largestLiveSum(order []int) int {
	type event struct{ step, change int }
	events := make([]event, 0, 2*len(order))
	for _, i := range order {
		b := p.rounded[i]
		events = append(events, event{b.First, b.Size}, event{b.Last, -b.Size})
	}
	// At one step, what begins is counted before what ends: both are live there.
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(b.change, a.change))
	})
	sum, largest := 0, 0
	for _, e := range events {
		sum += e.change
		largest = max(largest, sum)
	}
	return largest
}
