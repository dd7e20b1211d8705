package tabular

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Options say what [Compare] repeats.
type Options struct {
	Table *Table // required

	// New makes the strategy of a run, in the space of the table; equal seeds make equal ones. Several goroutines call it at the same
	// time. Required.
	New func(seed uint64) (strategy.Strategy, error)

	Metric string // column that the strategy sees as its score, the larger the better; required
	Report string // column that is reported of the best by Metric; "" is Metric
	Cost   string // column that is summed up over the evaluations; "" is none

	Trials  int    // evaluations of a run; a run is shorter if its strategy has nothing left to propose
	Runs    int    // each with a seed of its own
	Seed    uint64 // of which those of the runs are made
	Repeats bool   // strategies may propose a genome again, so that a run may have more evaluations than the table has rows
	Workers int    // runs at the same time, which never change a result; 0 is as many as the CPUs allow
}

// Run is one search.
type Run struct {
	Seed   uint64 // of its strategy
	Genome string // text of the best by the metric in the end, the first of equals

	// By evaluation: the reported metric of the best by the metric seen until then, that metric itself, and
	// the cost of all until then, which is nil without a column of it.
	Reported, Seen, Cost []float64
}

// Compare runs searches with different seeds, in which evaluations are look-ups in the table, so that
// strategies can be compared over many runs. The result depends on Options but for their Workers alone. Equal
// seeds give the runs of different strategies equal seeds.
//
// Strategies are told all metrics of a genome, and what the space says about the costs of its network (params, flops, macs,
// activation_bytes) unless there are columns of these names.
//
// It fails if an option makes no sense, at a genome that the table does not have, with what the strategy fails with, and with
// the error of ctx soon after that is cancelled.
func Compare(ctx context.Context, o Options) ([]Run, error) {
	switch {
	case o.Table == nil || o.New == nil:
		return nil, errors.New("tabular: table and strategy are both needed")
	case o.Trials < 1 || o.Runs < 1:
		return nil, fmt.Errorf("tabular: %d runs of %d evaluations; both must be positive", o.Runs, o.Trials)
	case o.Workers < 0:
		return nil, fmt.Errorf("tabular: %d workers", o.Workers)
	}
	if o.Report == "" {
		o.Report = o.Metric
	}
	if need, limit := o.curves(), float64(machine.Plannable()); limit > 0 && need > limit {
		return nil, fmt.Errorf("tabular: the curves of %d runs need %s of memory, more than the %s that there are for them", o.Runs, machine.Bytes(int64(min(need, 1e18))), machine.Bytes(int64(limit)))
	}
	c := comparison{Options: o}
	var err error
	if c.metric, err = o.Table.Column(o.Metric); err != nil {
		return nil, err
	}
	if c.report, err = o.Table.Column(o.Report); err != nil {
		return nil, err
	}
	if o.Cost != "" {
		if c.cost, err = o.Table.Column(o.Cost); err != nil {
			return nil, err
		}
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return c.all(ctx, min(o.Workers, o.Runs))
}

// curves returns the bytes that all runs take at the most, the room in which curves grow included.
func (o *Options) curves() float64 {
	each := o.Trials
	if !o.Repeats {
		each = min(each, o.Table.Rows())
	}
	values := 2.0
	if o.Cost != "" {
		values = 3
	}
	const run = 256 // bytes of a run beside its curves, about
	return (1.25*8*values*float64(each) + run) * float64(o.Runs)
}

// comparison is a Compare with its columns.
type comparison struct {
	Options
	metric, report, cost []float64
}

// all shares the runs out among workers. Runs begin in order and end once begun, so that the error of the first one that fails is
// always found.
func (c *comparison) all(ctx context.Context, workers int) ([]Run, error) {
	runs := make([]Run, c.Runs)
	errs := make([]error, c.Runs)
	var mu sync.Mutex
	next, failed := 0, false
	claim := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == c.Runs || failed {
			return 0, false
		}
		next++
		return next - 1, true
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i, ok := claim(); ok; i, ok = claim() {
				if runs[i], errs[i] = c.run(ctx, i); errs[i] != nil {
					mu.Lock()
					failed = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("run %d: %w", i, err)
		}
	}
	return runs, nil
}

// mostAsked is how many genomes are asked for at a time, so that an interruption is soon seen.
const mostAsked = 64

// run searches once.
func (c *comparison) run(ctx context.Context, number int) (Run, error) {
	run := Run{Seed: stream.Seed(c.Seed, "tabular run", uint64(number))}
	s, err := c.New(run.Seed)
	if err != nil {
		return run, err
	}
	best, cost := -1, 0.0
	for trial := 0; trial < c.Trials; {
		if err := ctx.Err(); err != nil {
			return run, err
		}
		n := min(c.Trials-trial, mostAsked)
		if r := s.Round(); r > 0 {
			n = min(n, r-trial%r)
		}
		genomes, err := s.Ask(n)
		if errors.Is(err, strategy.ErrExhausted) {
			break
		}
		if err != nil {
			return run, err
		}
		for _, g := range genomes {
			row, err := c.Table.Row(g)
			if err != nil {
				return run, err
			}
			s.Tell(strategy.Result{Trial: trial, Genome: g, Score: c.metric[row], Metrics: c.Table.told(row)})
			trial++
			if best < 0 || c.metric[row] > c.metric[best] {
				best, run.Genome = row, g.String()
			}
			run.Reported = append(run.Reported, c.report[best])
			run.Seen = append(run.Seen, c.metric[best])
			if c.cost != nil {
				cost += c.cost[row]
				run.Cost = append(run.Cost, cost)
			}
		}
	}
	if best < 0 {
		return run, errors.New("the strategy proposes nothing")
	}
	return run, nil
}
