package oneshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Search trains the supernet as far as it is not trained, then evaluates paths with inherited weights and returns the best few,
// each another network than the others. With the error of ctx nothing is lost but the epoch or the path that was not finished, if there is a
// checkpoint.
func Search(ctx context.Context, o Options) (*Result, error) {
	n, err := NewSupernet(o)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if err := n.Train(ctx); err != nil {
		return nil, err
	}
	return n.Search(ctx)
}

// Search looks for the paths of the highest inherited accuracy.
func (n *Supernet) Search(ctx context.Context) (*Result, error) {
	book, err := n.openBook()
	if err != nil {
		return nil, err
	}
	defer book.close()
	proposer, err := strategy.New(n.o.Search, strategy.Options{Space: n.o.Space, Seed: stream.Seed(n.o.Seed, "oneshot search"), Evolution: n.o.Evolution, Interrupt: ctx.Err})
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	r := &Result{}
	var found []Path
	genomes := map[string]space.Genome{}
	for r.Evaluated < n.o.Paths {
		if n.o.SearchTime > 0 && time.Since(begun) > n.o.SearchTime && len(found) > 0 {
			break
		}
		asked, err := proposer.Ask(1)
		if errors.Is(err, strategy.ErrExhausted) {
			break
		}
		if err != nil {
			return nil, err
		}
		g := asked[0]
		p, ok := book.paths[g.String()]
		if !ok {
			if p, err = n.Evaluate(ctx, g); err != nil {
				return nil, err
			}
			if err := book.add(p); err != nil {
				return nil, err
			}
		}
		result := strategy.Result{Trial: r.Evaluated, Genome: g, Score: p.Accuracy, Failed: p.Reason != "", Reason: p.Reason}
		if cost, err := n.o.Space.Cost(g); err == nil {
			result.Metrics = map[string]float64{"params": float64(cost.Params), "flops": float64(cost.FLOPs), "macs": float64(cost.MACs), "activation_bytes": float64(cost.ActivationBytes)}
		}
		proposer.Tell(result)
		r.Evaluated++
		if p.Reason == "" {
			found = append(found, p)
			genomes[p.Genome] = g
		}
		if n.o.Path != nil {
			n.o.Path(p)
		}
	}
	// Of equals the first that was found.
	slices.SortStableFunc(found, func(a, b Path) int {
		switch {
		case a.Accuracy > b.Accuracy:
			return -1
		case a.Accuracy < b.Accuracy:
			return 1
		}
		return 0
	})
	seen := map[string]bool{}
	for _, p := range found {
		g := genomes[p.Genome]
		key := n.o.Space.Key(g)
		if seen[key] || len(r.Best) == n.o.Finalists {
			continue
		}
		seen[key] = true
		r.Best = append(r.Best, p)
		r.Genomes = append(r.Genomes, g)
	}
	if len(r.Best) == 0 {
		return nil, fmt.Errorf("oneshot: none of %d paths could be evaluated", r.Evaluated)
	}
	return r, nil
}

// EvaluateAll evaluates paths with inherited weights; those on record beside the checkpoint are not evaluated again. It calls progress, unless
// nil, with the number that is done.
func (n *Supernet) EvaluateAll(ctx context.Context, paths []space.Genome, progress func(done int)) ([]Path, error) {
	book, err := n.openBook()
	if err != nil {
		return nil, err
	}
	defer book.close()
	var out []Path
	for i, g := range paths {
		p, ok := book.paths[g.String()]
		if !ok {
			if p, err = n.Evaluate(ctx, g); err != nil {
				return nil, err
			}
			if err := book.add(p); err != nil {
				return nil, err
			}
		}
		out = append(out, p)
		if progress != nil {
			progress(i + 1)
		}
	}
	return out, nil
}
