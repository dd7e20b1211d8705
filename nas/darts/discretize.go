package darts

import (
	"cmp"
	"slices"

	"github.com/nasbench-go/nasbench/nas/space"
)

// shares returns the share of each operation on each edge, multiplied by the edge's own share of its node if there are betas.
func shares(r *space.Relaxation, alphas, betas [][]float32, coldness float64) [][]float64 {
	var out [][]float64
	for _, a := range alphas {
		out = append(out, softmax(a, coldness))
	}
	edge := 0
	for i, n := range r.Nodes {
		if betas != nil {
			for j, b := range softmax(betas[i], 1) {
				for k := range out[edge+j] {
					out[edge+j][k] *= b
				}
			}
		}
		edge += len(n.From)
	}
	return out
}

// discretize chooses an operation for each edge, or -1 where the edge goes: each node keeps its strongest edges, the
// strength of an edge being the share of its strongest operation, other than none (section 2.4 of the paper) unless genomes of the
// space may have it. Of the edges
// of one kind of cell, at most maxSkips keep a skip connection; the weakest take their next operation instead.
func discretize(r *space.Relaxation, shares [][]float64, maxSkips int) (choices []int, skips int) {
	barred := make([]bool, r.Edges()) // from the skip connection
	for {
		choices = choices[:0]
		for _, n := range r.Nodes {
			choices = append(choices, strongest(r, n, shares[len(choices):], barred[len(choices):])...)
		}
		weakest := -1
		skips = 0
		counts, limits := map[string]int{}, map[string]int{}
		edge := 0
		for _, n := range r.Nodes {
			limits[n.Cell] += n.Keep
			for range n.From {
				if r.Skip >= 0 && choices[edge] == r.Skip {
					counts[n.Cell]++
					skips++
				}
				edge++
			}
		}
		if maxSkips < 0 || r.Skip < 0 {
			return choices, skips
		}
		edge = 0
		for _, n := range r.Nodes {
			limit := maxSkips
			if limit == 0 {
				limit = limits[n.Cell] / 3
			}
			for range n.From {
				over := choices[edge] == r.Skip && counts[n.Cell] > limit
				if over && (weakest < 0 || shares[edge][r.Skip] < shares[weakest][r.Skip]) {
					weakest = edge
				}
				edge++
			}
		}
		if weakest < 0 {
			return choices, skips
		}
		barred[weakest] = true
	}
}

// strongest chooses for the edges of one node.
func strongest(r *space.Relaxation, n space.RelaxedNode, shares [][]float64, barred []bool) []int {
	choices := make([]int, len(n.From))
	order := make([]int, len(n.From))
	for e := range n.From {
		order[e], choices[e] = e, -1
		for op, share := range shares[e] {
			if op == r.None && !r.NoneKept || op == r.Skip && barred[e] {
				continue
			}
			if choices[e] < 0 || share > shares[e][choices[e]] {
				choices[e] = op
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(shares[b][choices[b]], shares[a][choices[a]]) })
	for _, e := range order[n.Keep:] {
		choices[e] = -1
	}
	return choices
}
