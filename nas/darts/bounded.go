package darts

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nasbench-go/nasbench/nas/space"
)

// How far a genome within the constraints is looked for: genomes in the order of their weight, all of them in a small space;
// and those whose latency is measured, which takes some hundredths of a second each.
const (
	mostRanked   = 4_096
	allRanked    = 20_000
	mostMeasured = 100
)

// BoundsError says that no genome was found that the search could end with and the constraints of the space allow.
type BoundsError struct {
	Nearest space.Genome // to what is allowed, of those that were looked at
	Reason  error        // why it is not; mostly a *space.Violation
}

// Error names the nearest genome and its reason.
func (e *BoundsError) Error() string {
	return fmt.Sprintf("darts: the constraints allow no genome that the mixture could become; the nearest, %v: %v", e.Nearest, e.Reason)
}

func (e *BoundsError) Unwrap() error { return e.Reason }

// CheckBounds returns a *[BoundsError] if no genome can be found that the constraints of the space allow, so that a search need not be
// begun.
func (o *Options) CheckBounds(ctx context.Context) error {
	relaxable, err := Relaxable(o.Space)
	if err != nil {
		return err
	}
	r, err := relaxable.Relax(o.Size)
	if err != nil {
		return err
	}
	_, err = anyAllowed(ctx, r, o)
	return err
}

// anyAllowed returns some choices that the constraints allow.
func anyAllowed(ctx context.Context, r *space.Relaxation, o *Options) ([]int, error) {
	equal := make([][]float64, r.Edges())
	for e := range equal {
		equal[e] = make([]float64, len(r.Operations))
		for op := range equal[e] {
			equal[e][op] = 1 / float64(len(r.Operations))
		}
	}
	return allowed(ctx, r, o, equal, nil)
}

// allowed returns the choices of the largest weight that the constraints allow, with the bound on skip connections. The weight of choices is
// the product of the shares of the operations that are kept; without constraints the largest is that of [discretize].
//
// Choices are looked at in the order of their weights (best-first search over the ranked choices of every node), which is exact as far as it goes: to
// the end in small spaces. Where the constraints are so tight that it does not get to any, choices are changed one at a time,
// the least weight for the most of what exceeds a bound, until they are allowed, and then as long as the weight grows. Known are choices that
// are allowed, if there are some: what is found is not lighter than they can be made in the same way.
func allowed(ctx context.Context, r *space.Relaxation, o *Options, shares [][]float64, known []int) ([]int, error) {
	b := &bounded{ctx: ctx, r: r, space: o.Space, maxSkips: o.MaxSkips, logs: make([][]float64, len(shares)), seen: map[string]float64{}, least: math.Inf(1)}
	for e, list := range shares {
		for _, s := range list {
			b.logs[e] = append(b.logs[e], math.Log(max(s, 1e-300)))
		}
	}
	if choices, complete := b.ranked(); choices != nil || complete {
		return b.end(choices)
	}
	first, _ := discretize(r, shares, o.MaxSkips)
	starts := [][]int{first}
	if known == nil {
		starts = append(starts, b.uniform()...)
	}
	var best []int
	for _, start := range starts {
		if c := b.descend(start); c != nil && (best == nil || b.weight(c) > b.weight(best)) {
			best = c
		}
		if known == nil && best != nil {
			break
		}
	}
	for _, c := range [][]int{best, known} {
		if c == nil {
			continue
		}
		if c = b.climb(c); best == nil || b.weight(c) > b.weight(best) {
			best = c
		}
	}
	return b.end(best)
}

// bounded looks for choices that constraints allow.
type bounded struct {
	ctx      context.Context
	r        *space.Relaxation
	space    space.Space
	maxSkips int
	logs     [][]float64 // of the shares
	seen     map[string]float64
	measured int // genomes that were too slow

	least   float64 // excess
	nearest space.Genome
	reason  error
	err     error // that ends the search
}

// end returns what was found.
func (b *bounded) end(choices []int) ([]int, error) {
	switch {
	case b.err != nil:
		return nil, b.err
	case choices != nil:
		return choices, nil
	case b.nearest == nil:
		return nil, errors.New("darts: the bound on skip connections leaves no genome")
	}
	return nil, &BoundsError{b.nearest, b.reason}
}

// weight is the logarithm of that of choices.
func (b *bounded) weight(choices []int) float64 {
	sum := 0.0
	for e, c := range choices {
		if c >= 0 {
			sum += b.logs[e][c]
		}
	}
	return sum
}

// excess says by how much choices miss the constraints: 0 if they are allowed, infinite if they are no genome. Missing a constraint that is checked
// late is better than missing one before it.
func (b *bounded) excess(choices []int) float64 {
	if b.err == nil {
		b.err = b.ctx.Err()
	}
	if b.err != nil || skipsOver(b.r, choices, b.maxSkips) {
		return math.Inf(1)
	}
	g, err := b.r.Genome(choices)
	if err != nil {
		return math.Inf(1)
	}
	text := g.String()
	if v, ok := b.seen[text]; ok {
		return v
	}
	v := math.Inf(1)
	if b.measured < mostMeasured {
		v = b.check(g)
	}
	b.seen[text] = v
	return v
}

func (b *bounded) check(g space.Genome) float64 {
	err := b.space.Check(g)
	if err == nil {
		return 0
	}
	v, ok := errors.AsType[*space.Violation](err)
	if !ok {
		if b.reason == nil {
			b.nearest, b.reason = g, err
		}
		return math.Inf(1)
	}
	if v.Constraint == space.LatencyConstraint {
		b.measured++
	}
	off := math.Abs(float64(v.Got)-float64(v.Bound)) / max(float64(v.Bound), 1)
	excess := float64(space.LatencyConstraint-v.Constraint) + 1 - 1/(1+off)
	excess = max(excess, math.SmallestNonzeroFloat64)
	if excess < b.least {
		b.least, b.nearest, b.reason = excess, g, err
	}
	return excess
}

// skipsOver reports whether choices have more skip connections than allowed in a kind of cell.
func skipsOver(r *space.Relaxation, choices []int, maxSkips int) bool {
	if maxSkips < 0 || r.Skip < 0 {
		return false
	}
	counts, kept := map[string]int{}, map[string]int{}
	edge := 0
	for _, n := range r.Nodes {
		kept[n.Cell] += n.Keep
		for range n.From {
			if choices[edge] == r.Skip {
				counts[n.Cell]++
			}
			edge++
		}
	}
	for cell, n := range counts {
		limit := maxSkips
		if limit == 0 {
			limit = kept[cell] / 3
		}
		if n > limit {
			return true
		}
	}
	return false
}

// option is what a node may become.
type option struct {
	choices []int // of its edges
	weight  float64
}

// options lists those of a node, the heaviest first. Operations of an edge beyond the strongest few are left out, and complete
// is false, where there would be too many.
func (b *bounded) options(n space.RelaxedNode, first int) (list []option, complete bool) {
	var ops []int
	for op := range b.r.Operations {
		if op != b.r.None || b.r.NoneKept {
			ops = append(ops, op)
		}
	}
	few := len(ops)
	for few > 1 && choose(len(n.From), n.Keep)*math.Pow(float64(few), float64(n.Keep)) > allRanked {
		few--
	}
	choices := make([]int, len(n.From))
	var fill func(edge, left int, weight float64)
	fill = func(edge, left int, weight float64) {
		if edge == len(n.From) {
			list = append(list, option{slices.Clone(choices), weight})
			return
		}
		if left > 0 {
			logs := b.logs[first+edge]
			strongest := slices.Clone(ops)
			slices.SortStableFunc(strongest, func(x, y int) int { return cmp.Compare(logs[y], logs[x]) })
			for _, op := range strongest[:few] {
				choices[edge] = op
				fill(edge+1, left-1, weight+logs[op])
			}
		}
		if len(n.From)-edge > left {
			choices[edge] = -1
			fill(edge+1, left, weight)
		}
	}
	fill(0, n.Keep, 0)
	slices.SortStableFunc(list, func(x, y option) int { return cmp.Compare(y.weight, x.weight) })
	return list, few == len(ops)
}

// choose is the number of ways to choose k of n.
func choose(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways *= float64(n-i) / float64(i+1)
	}
	return ways
}

// ranking is a choice of options for all nodes, by their places.
type ranking struct {
	places []int
	last   int // the place that was moved last; only it and those after it are moved on, so that each ranking is reached once
	weight float64
}

type rankings []ranking

func (h rankings) Len() int           { return len(h) }
func (h rankings) Less(i, j int) bool { return h[i].weight > h[j].weight }
func (h rankings) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rankings) Push(x any)        { *h = append(*h, x.(ranking)) }
func (h *rankings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// ranked goes through choices from the heaviest on and returns the first that are allowed; complete says that all were looked at.
func (b *bounded) ranked() (choices []int, complete bool) {
	var lists [][]option
	complete = true
	first, all := 0, 1.0
	for _, n := range b.r.Nodes {
		list, whole := b.options(n, first)
		lists, complete = append(lists, list), complete && whole
		first += len(n.From)
		all *= float64(len(list))
	}
	most := mostRanked
	if all <= allRanked {
		most = allRanked
	}
	top := ranking{places: make([]int, len(lists))}
	for _, l := range lists {
		top.weight += l[0].weight
	}
	next := rankings{top}
	for tries := 0; len(next) > 0; tries++ {
		if tries == most || b.err != nil || b.measured == mostMeasured {
			return nil, false
		}
		r := heap.Pop(&next).(ranking)
		choices = choices[:0]
		for i, at := range r.places {
			choices = append(choices, lists[i][at].choices...)
		}
		if b.excess(choices) == 0 {
			return choices, complete
		}
		for i := r.last; i < len(lists); i++ {
			at := r.places[i]
			if at+1 == len(lists[i]) {
				continue
			}
			places := slices.Clone(r.places)
			places[i]++
			heap.Push(&next, ranking{places, i, r.weight - lists[i][at].weight + lists[i][at+1].weight})
		}
	}
	return nil, complete
}

// uniform returns choices with one and the same operation wherever that is allowed.
func (b *bounded) uniform() [][]int {
	var out [][]int
	for op := range b.r.Operations {
		if op == b.r.None && !b.r.NoneKept {
			continue
		}
		var choices []int
		for _, n := range b.r.Nodes {
			for i := range n.From {
				if i < n.Keep {
					choices = append(choices, op)
				} else {
					choices = append(choices, -1)
				}
			}
		}
		out = append(out, choices)
	}
	return out
}

// changes calls f with all choices that differ in one operation or in the place of one.
func (b *bounded) changes(choices []int, f func(changed []int)) {
	changed := slices.Clone(choices)
	first := 0
	for _, n := range b.r.Nodes {
		for i := range n.From {
			from := first + i
			if choices[from] < 0 {
				continue
			}
			for j := range n.From {
				to := first + j
				if to != from && choices[to] >= 0 {
					continue
				}
				for op := range b.r.Operations {
					if op == b.r.None && !b.r.NoneKept || to == from && op == choices[from] {
						continue
					}
					changed[from] = -1
					changed[to] = op
					f(changed)
					changed[to], changed[from] = choices[to], choices[from]
				}
			}
		}
		first += len(n.From)
	}
}

// descend changes choices one at a time until they are allowed: always so that the least weight is lost for what is gained. It returns nil if no
// change gains anything.
func (b *bounded) descend(choices []int) []int {
	choices = slices.Clone(choices)
	for {
		excess, weight := b.excess(choices), b.weight(choices)
		if excess == 0 {
			return choices
		}
		var best []int
		least := math.Inf(1)
		b.changes(choices, func(changed []int) {
			v := b.excess(changed)
			if !(v < excess) {
				return
			}
			// Changes that lose nothing are ordered by what they gain.
			price := (weight - b.weight(changed) + 1e-9) / min(excess-v, math.MaxFloat64)
			if price < least || best == nil {
				least, best = price, append(best[:0], changed...)
			}
		})
		if best == nil || b.err != nil {
			return nil
		}
		choices = best
	}
}

// climb changes choices that are allowed one at a time, as long as they gain weight and stay allowed.
func (b *bounded) climb(choices []int) []int {
	choices = slices.Clone(choices)
	for {
		var best []int
		most := b.weight(choices)
		b.changes(choices, func(changed []int) {
			if w := b.weight(changed); w > most && b.excess(changed) == 0 {
				most, best = w, append(best[:0], changed...)
			}
		})
		if best == nil || b.err != nil {
			return choices
		}
		choices = best
	}
}
