package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
)

// benchKernelOptions are the flags of the commands that measure a kind of kernels.
type benchKernelOptions struct {
	profileFlags
	shapes, directions, levels []string
	threads                    []int
	count                      int
	time                       time.Duration
	json                       bool
}

func (a *app) newBenchKernel(kind bench.Kind) *cobra.Command {
	o := &benchKernelOptions{count: 1, time: 200 * time.Millisecond, threads: []int{1}}
	cmd := &cobra.Command{
		Use:   kind.Name,
		Short: "Measure " + kind.Title,
		Long: fmt.Sprintf(`Measure %s.

A shape is %s. Without --shape there is a table of them.

Every case is compared with the plain Go kernels before it is timed. The output is in Go benchmark format, which benchstat compares.
GFLOP/s count multiplications and additions, those with padding included; %%peak is their share of the peak rate of multiply-adds, GB/s
count every input and output once, and %%copy is their share of the bandwidth of copying beyond the caches; the peak is measured before every case,
the bandwidth in every round, and the best so far counts. With --count, the cases take turns, so that a slow minute of the machine falls on all.`, kind.Title, kind.Form),
		Example: fmt.Sprintf("  nasbench bench %s --count 5 | tee new.txt\n  nasbench bench %[1]s --shape %s --level avx2,avx512 --threads 1,2", kind.Name, kind.Shapes[0]),
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.benchKernel(cmd.Context(), kind, o) })
		},
	}
	var directions []string
	for _, d := range kind.Directions {
		directions = append(directions, string(d))
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	// A shape has commas of its own, so this is not a list that commas divide.
	flags.StringArrayVar(&o.shapes, "shape", nil, "`SHAPE` to measure, "+kind.Form+"; may be given more than once")
	if len(directions) > 1 {
		flags.StringSliceVar(&o.directions, "direction", directions, "directions")
		complete(cmd, "direction", func() []string { return directions })
	} else {
		o.directions = directions
	}
	flags.Var(intsValue{p: &o.threads, min: 1, max: maxThreads}, "threads", fmt.Sprintf("numbers of threads (this process may use %d CPUs)", runtime.GOMAXPROCS(0)))
	flags.StringSliceVar(&o.levels, "level", nil, "CPU levels (default the one that is used; 'nasbench info' lists them)")
	flags.Var(intValue{p: &o.count, min: 1}, "count", "measure everything this many times")
	flags.Var(durationValue{&o.time}, "time", "how long to run for one measurement")
	flags.BoolVar(&o.json, "json", false, "print one JSON object for each measurement")
	addConfig(flags)
	o.profileFlags.add(flags)
	complete(cmd, "level", levelNames)
	return cmd
}

// cases returns the cases of all shapes and directions.
func (o *benchKernelOptions) cases(kind bench.Kind) ([]bench.KernelCase, error) {
	shapes := o.shapes
	if len(shapes) == 0 {
		shapes = kind.Shapes
	}
	var names []string
	for _, d := range kind.Directions {
		names = append(names, string(d))
	}
	if err := checkThreads(1, slices.Max(o.threads)); err != nil {
		return nil, err
	}
	var cases []bench.KernelCase
	for _, shape := range shapes {
		for _, d := range o.directions {
			if err := known("direction", d, names); err != nil {
				return nil, err
			}
			c, err := kind.Cases(strings.TrimSpace(shape), bench.Direction(d))
			if err != nil {
				return nil, &usageError{err}
			}
			cases = append(cases, c...)
		}
	}
	if len(cases) == 0 {
		return nil, usagef("nothing to measure: --direction needs at least one name")
	}
	return cases, nil
}

// place is where cases are measured.
type place struct {
	table   *kernels.Table
	threads *kernels.Threads
	rates   bench.Rates
}

func (a *app) benchKernel(ctx context.Context, kind bench.Kind, o *benchKernelOptions) error {
	levels, err := tables(o.levels)
	if err != nil {
		return err
	}
	cases, err := o.cases(kind)
	if err != nil {
		return err
	}
	var places []*place
	for _, n := range o.threads {
		threads := kernels.NewThreads(n)
		defer threads.Close()
		for _, table := range levels {
			for _, c := range cases {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := c.Check(table, threads); err != nil {
					return err
				}
			}
			places = append(places, &place{table: table, threads: threads})
		}
	}
	if !o.json {
		if err := bench.WriteHeader(a.stdout, cpuid.CPU.BrandName); err != nil {
			return err
		}
	}
	for range o.count {
		for _, p := range places {
			p.rates.Copy = max(p.rates.Copy, bench.CopyBandwidth(p.threads))
		}
		for _, c := range cases {
			for _, p := range places {
				p.rates.Peak = max(p.rates.Peak, bench.PeakFLOPS(p.table, p.threads))
				r, err := c.Measure(ctx, p.table, p.threads, o.time, p.rates)
				if err != nil {
					return err
				}
				if err := a.printResult(r, o.json); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
