package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
)

// benchModelOptions are the flags of the bench model command.
type benchModelOptions struct {
	profileFlags
	models, modes, levels []string
	threads               []int
	batch, classes, count int
	time                  time.Duration
	json                  bool
}

func (a *app) newBenchModel() *cobra.Command {
	o := &benchModelOptions{classes: 10, count: 1, time: time.Second}
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Measure training steps and inference of whole networks",
		Long: `Measure whole networks on random batches. The modes:

  train       a training step: forward, backward, SGD with momentum; of darts-supernet, that of the weights
  infer       inference of a batch, all threads at one operation after the other
  latency     inference of one image at a time on all threads; --batch does not matter
  throughput  inference of a batch of which each thread takes a few images at a time, where that is faster

The output is in Go benchmark format, which benchstat compares. img/s are images a second; GFLOP/s count the work of the compiled
program, %peak its share of the peak rate of multiply-adds, the best of what is measured before and after each case; peak-MB are the planned memory; p50-ns and p99-ns
are the median and the 99th percentile of the time of one inference. With --count, the cases take turns, so that a slow minute of the
machine falls on all.`,
		Example: `  nasbench bench model --count 5 | tee new.txt
  nasbench bench model --model resnet8,darts-v2 --mode latency,throughput --threads 2
  nasbench bench model --model resnet8 --level generic,avx2,avx512 --threads 1,2`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.benchModel(cmd.Context(), o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&o.models, "model", modelNames(), "networks")
	flags.StringSliceVar(&o.modes, "mode", []string{string(bench.Train)}, strings.Join(bench.ModelModes(), ", "))
	flags.Var(intValue{p: &o.batch, min: 1}, "batch", "images at a time (default that of the network)")
	flags.Var(intsValue{p: &o.threads, min: 1, max: maxThreads}, "threads", "numbers of threads (default as many as there are CPUs)")
	flags.StringSliceVar(&o.levels, "level", nil, "CPU levels (default the one that is used; 'nasbench info' lists them)")
	flags.Var(intValue{p: &o.count, min: 1}, "count", "measure everything this many times")
	flags.Var(durationValue{&o.time}, "time", "how long to run for one measurement; at least three runs are")
	flags.BoolVar(&o.json, "json", false, "print one JSON object for each measurement")
	addConfig(flags)
	o.profileFlags.add(flags)
	complete(cmd, "model", modelNames)
	complete(cmd, "mode", bench.ModelModes)
	complete(cmd, "level", levelNames)
	return cmd
}

func levelNames() []string {
	var names []string
	for _, l := range kernels.Available() {
		names = append(names, l.String())
	}
	return names
}

// tables returns the tables of the levels named, or that of the level in use.
func tables(names []string) ([]*kernels.Table, error) {
	if len(names) == 0 {
		table, err := kernels.Active()
		if err != nil {
			return nil, &usageError{err}
		}
		return []*kernels.Table{table}, nil
	}
	var all []*kernels.Table
	for _, name := range names {
		if err := known("level", name, levelNames()); err != nil {
			return nil, err
		}
		level, err := kernels.ParseLevel(name)
		if err != nil {
			return nil, &usageError{err}
		}
		table, err := kernels.ForLevel(level)
		if err != nil {
			return nil, &usageError{err}
		}
		all = append(all, table)
	}
	return all, nil
}

// cases returns every combination that the flags ask for.
func (o *benchModelOptions) cases() ([]bench.ModelCase, error) {
	levels, err := tables(o.levels)
	if err != nil {
		return nil, err
	}
	if len(o.threads) == 0 {
		o.threads = []int{runtime.GOMAXPROCS(0)}
	}
	if err := checkThreads(1, slices.Max(o.threads)); err != nil {
		return nil, err
	}
	for _, name := range o.models {
		if err := known("model", name, modelNames()); err != nil {
			return nil, err
		}
	}
	for _, mode := range o.modes {
		if err := known("mode", mode, bench.ModelModes()); err != nil {
			return nil, err
		}
	}
	var cases []bench.ModelCase
	for _, name := range o.models {
		for _, mode := range o.modes {
			for _, threads := range o.threads {
				for _, table := range levels {
					m, err := bench.FindModel(name)
					if err != nil {
						return nil, err
					}
					if o.batch > 0 {
						m.Input[0] = o.batch
					}
					cases = append(cases, bench.ModelCase{Model: m, Mode: bench.Mode(mode), Classes: o.classes, Threads: threads, Table: table})
				}
			}
		}
	}
	if len(cases) == 0 {
		return nil, usagef("nothing to measure: --model and --mode need at least one name each")
	}
	return cases, nil
}

func (a *app) benchModel(ctx context.Context, o *benchModelOptions) error {
	cases, err := o.cases()
	if err != nil {
		return err
	}
	if !o.json {
		if err := bench.WriteHeader(a.stdout, cpuid.CPU.BrandName); err != nil {
			return err
		}
	}
	peaks := map[string]*float64{} // the highest rate of a level on so many threads
	for range o.count {
		for _, c := range cases {
			key := fmt.Sprint(c.Table.Level, c.Threads)
			if peaks[key] == nil {
				peaks[key] = new(float64)
			}
			r, err := c.Measure(ctx, o.time, peaks[key])
			if err != nil {
				return err
			}
			if err := a.printResult(r, o.json); err != nil {
				return err
			}
		}
	}
	return nil
}

// printResult prints a measurement as soon as it is made.
func (a *app) printResult(r bench.Result, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(a.stdout, r)
		return err
	}
	metrics := map[string]float64{}
	for _, m := range r.Metrics {
		metrics[m.Unit] = m.Value
	}
	out := measuredResult{Name: r.Name}
	out.Timing.Iterations, out.Timing.Seconds, out.Timing.Metrics = r.Iterations, r.Nanoseconds/1e9, metrics
	return writeJSON(a.stdout, out)
}

// measuredResult is a measurement as JSON.
type measuredResult struct {
	Name   string `json:"name"`
	Timing struct {
		Iterations int                `json:"iterations"`
		Seconds    float64            `json:"seconds"` // of one iteration
		Metrics    map[string]float64 `json:"metrics"`
	} `json:"timing"`
}

// intsValue is a list of integers, divided by commas.
type intsValue struct {
	p        *[]int
	min, max int
}

func (v intsValue) Type() string { return "ints" }
func (v intsValue) String() string {
	if v.p == nil {
		return ""
	}
	text := ""
	for i, n := range *v.p {
		if i > 0 {
			text += ","
		}
		text += strconv.Itoa(n)
	}
	return text
}

func (v intsValue) Set(s string) error {
	var list []int
	for _, part := range splitComma(s) {
		n := 0
		if err := (intValue{p: &n, min: v.min, max: v.max}).Set(part); err != nil {
			return err
		}
		list = append(list, n)
	}
	if len(list) == 0 {
		return errors.New("want at least one number")
	}
	*v.p = list
	return nil
}
