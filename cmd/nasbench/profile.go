package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// profileOptions are the flags of the profile command.
type profileOptions struct {
	profileFlags
	spaceFlags
	arch    string
	model   string
	mode    string
	input   sideValue
	classes int
	batch   int
	threads int
	time    time.Duration
	by      string
	top     int
	json    bool
}

func profileGroups() []string { return []string{"node", "time", "layer", "op"} }

func (a *app) newProfile() *cobra.Command {
	o := &profileOptions{input: sideValue{28, 28, 1}, classes: 10, time: 2 * time.Second, mode: string(bench.Train)}
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Show where a network's time and memory go",
		Long: `Time every operation of one network on a random batch and print, for each: its time and share, GFLOP/s, GB/s, arithmetic
intensity (FLOPs per byte moved), the share of the roofline that it reaches, and the memory in use while it runs.

The roofline is what this machine can do at most: the peak rate of multiply-adds and the bandwidth of copying beyond the
caches, on as many threads. Both are measured before, between and after the runs, and the best counts; a line says so if one of the measurements
is more than a tenth below it. Operations whose data is in a cache can be above the roofline.

With --json, what varies from run to run stands in 'timing', of the whole and of every row.

With --cpuprofile the samples carry the labels layer, op and direction: 'go tool pprof -tags FILE' splits by them.`,
		Example: `  nasbench profile --model resnet8
  nasbench profile --arch 'conv3x3(16), pool3x3(max), conv3x3(32)' --input 32x32x3 --by layer
  nasbench profile --space darts --channels 8 --cells 4 --arch @genotype.txt --batch 128
  nasbench profile --model small-cnn --mode infer --batch 1 --threads 1 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.profile(cmd.Context(), cmd.Flags().Changed("input"), o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.model, "model", "", "a built-in network: "+join(modelNames()))
	flags.StringVar(&o.arch, "arch", "", "an architecture of --space: `TEXT` or JSON, @FILE to read it from a file, @- from standard input")
	o.spaceFlags.add(cmd)
	flags.StringVar(&o.mode, "mode", o.mode, "train (forward, backward) or infer")
	flags.Var(&o.input, "input", "images of an architecture, height x width x channels")
	flags.Var(intValue{p: &o.classes, min: 2}, "classes", "classes of the images")
	flags.Var(intValue{p: &o.batch, min: 1}, "batch", "images at a time (default that of the model, 64 for an architecture)")
	flags.Var(intValue{p: &o.threads, min: 0, max: maxThreads}, "threads", "threads (0: as many as there are CPUs)")
	flags.Var(durationValue{&o.time}, "time", "how long to measure; at least three runs are")
	flags.StringVar(&o.by, "by", "node", "rows: node, in the order in which they run; time, the same sorted; layer or op, added up")
	flags.Var(intValue{p: &o.top}, "top", "print this many rows (0: all)")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	addConfig(flags)
	o.profileFlags.add(flags)
	complete(cmd, "model", modelNames)
	complete(cmd, "mode", bench.Modes)
	complete(cmd, "by", profileGroups)
	return cmd
}

// profileModel returns the network that the flags ask for.
func (a *app) profileModel(ctx context.Context, input bool, o *profileOptions) (bench.Model, error) {
	none := bench.Model{}
	if err := known("mode", o.mode, bench.Modes()); err != nil {
		return none, err
	}
	if err := known("grouping", o.by, profileGroups()); err != nil {
		return none, err
	}
	if (o.model == "") == (o.arch == "") {
		return none, usagef("one of --model and --arch is needed")
	}
	if o.model == "" {
		return a.archModel(ctx, o)
	}
	if input {
		return none, usagef("--input: the size of %s is fixed; the flag goes with --arch", o.model)
	}
	if err := known("model", o.model, modelNames()); err != nil {
		return none, err
	}
	m, err := bench.FindModel(o.model)
	if err != nil {
		return none, err
	}
	if o.batch > 0 {
		m.Input[0] = o.batch
	}
	return m, nil
}

// archModel returns the network of --arch.
func (a *app) archModel(ctx context.Context, o *profileOptions) (bench.Model, error) {
	none := bench.Model{}
	if err := o.spaceFlags.check(); err != nil {
		return none, err
	}
	text, err := readArch(ctx, o.arch, a.stdin)
	if err != nil {
		return none, err
	}
	task := space.Task{Height: o.input[0], Width: o.input[1], Channels: o.input[2], Classes: o.classes}
	sp, err := o.openSpace(ctx, task, space.Constraints{MaxChannels: -1, AllowWeightless: true})
	if err != nil {
		return none, err
	}
	g, err := sp.Parse(text)
	if err != nil {
		return none, usagef("--arch: %w", err)
	}
	batch := 64
	if o.batch > 0 {
		batch = o.batch
	}
	return bench.GenomeModel(sp, g, tensor.Shape{batch, task.Height, task.Width, task.Channels}), nil
}

func (a *app) profile(ctx context.Context, input bool, o *profileOptions) error {
	table, err := kernels.Active()
	if err != nil {
		return &usageError{err}
	}
	if err := checkThreads(1, o.threads); err != nil {
		return err
	}
	m, err := a.profileModel(ctx, input, o)
	if err != nil {
		return err
	}
	count := o.threads
	if count == 0 {
		count = runtime.GOMAXPROCS(0)
	}
	threads := kernels.NewThreads(count)
	defer threads.Close()
	s, err := bench.NewSubject(m, bench.Mode(o.mode), o.classes, table, threads)
	if err != nil {
		return err
	}
	if o.cpu != "" {
		s.Program().Label()
	}
	var roofs bench.Rooflines
	p := bench.ProfileProgram(s.Program(), bench.ProfileOptions{
		Length: o.time,
		Break: func() {
			if ctx.Err() == nil {
				roofs = append(roofs, bench.MeasureRoofline(table, threads))
			}
		},
		Stop: func() bool { return ctx.Err() != nil },
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := newProfileReport(s, p, roofs, o)
	r.Level, r.Threads = table.Level.String(), count
	if o.json {
		return writeJSON(a.stdout, r)
	}
	return a.printProfile(r)
}

// sideValue is the size of an image: height x width x channels.
type sideValue [3]int

func (v *sideValue) Type() string   { return "HxWxC" }
func (v *sideValue) String() string { return fmt.Sprintf("%dx%dx%d", v[0], v[1], v[2]) }

func (v *sideValue) Set(s string) error {
	const want = "height x width x channels, such as 32x32x3"
	parts := strings.Split(s, "x")
	if len(parts) != len(v) {
		return fmt.Errorf("want %s", want)
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return numberError(err, want)
		}
		if n < 1 {
			return atLeast(1)
		}
		v[i] = n
	}
	return nil
}

func (a *app) printProfile(r profileReport) error {
	t := r.Timing
	fmt.Fprintf(a.stdout, "%s: %s, batch %s, %s, %s\n", r.Model, r.Mode, r.Input, plural(r.Threads, "thread"), r.Level)
	fmt.Fprintf(a.stdout, "machine: %s GFLOP/s peak, %s GB/s copy (best of %d measurements before, between and after the runs)\n", formatFigure(t.PeakFLOPS/1e9), formatFigure(t.CopyBytes/1e9), t.Measurements)
	if !t.calm {
		fmt.Fprintf(a.stdout, "the machine was not calm: its peak was %s to %s GFLOP/s, its copy %s to %s GB/s\n", formatFigure(t.LeastFLOPS/1e9), formatFigure(t.PeakFLOPS/1e9),
			formatFigure(t.LeastCopy/1e9), formatFigure(t.CopyBytes/1e9))
	}
	fmt.Fprintf(a.stdout, "one run: %s ms, %s img/s, %s GFLOP/s, %s%% of the roofline (median of %s)\n",
		formatFigure(t.Seconds*1e3), formatFigure(t.ImagesRate), formatFigure(t.FLOPRate/1e9), formatFixed(100*t.Roofline, 1), formatWhole(t.Runs))
	fmt.Fprintf(a.stdout, "work: %s FLOPs (%s MACs), %s MB moved\n", formatCount(r.FLOPs), formatCount(r.MACs), formatFigure(float64(r.Bytes)/1e6))
	fmt.Fprintf(a.stdout, "memory: %s MB planned, %s MB in use at the most\n\n", formatFigure(float64(r.Arena)/1e6), formatFigure(float64(r.PeakLive)/1e6))
	w := newTable(
		tableColumn{head: "time", unit: "ms", right: true}, tableColumn{head: "share", unit: "%", right: true, spare: 1},
		tableColumn{head: "compute", unit: "GFLOP/s", right: true, spare: 3}, tableColumn{head: "traffic", unit: "GB/s", right: true, spare: 5},
		tableColumn{head: "intensity", unit: "FLOP/B", right: true, spare: 7}, tableColumn{head: "roofline", unit: "%", right: true, spare: 2},
		tableColumn{head: "live", unit: "MB", right: true, spare: 6}, tableColumn{head: "calls", right: true, spare: 8},
	)
	type name struct {
		column tableColumn
		of     func(profileRow) string
	}
	names := []name{
		{tableColumn{head: "layer", long: true, fromStart: true}, func(r profileRow) string { return r.Layer }},
		{tableColumn{head: "operation"}, func(r profileRow) string { return r.Op }},
		{tableColumn{head: "output", spare: 9}, func(r profileRow) string { return r.Shape }},
	}
	// Rows that are added up have one name of the three.
	names = slices.DeleteFunc(names, func(n name) bool {
		return !slices.ContainsFunc(r.Rows, func(row profileRow) bool { return n.of(row) != "" })
	})
	for _, n := range names {
		w.columns = append(w.columns, n.column)
	}
	for _, row := range r.Rows {
		t := row.Timing
		cells := []string{
			formatFixed(t.Seconds*1e3, 3), formatFixed(100*t.Share, 1), formatFixed(t.FLOPRate/1e9, 1), formatFixed(t.ByteRate/1e9, 1),
			formatFixed(row.Intensity, 1), formatFixed(100*t.Roofline, 0), formatFixed(float64(row.Live)/1e6, 1), formatWhole(row.Calls),
		}
		for _, n := range names {
			cells = append(cells, n.of(row))
		}
		w.row(cells...)
	}
	if err := w.write(a.stdout, a.columns(a.stdout)); err != nil {
		return err
	}
	if r.omitted > 0 {
		fmt.Fprintf(a.stdout, "and %s more\n", plural(r.omitted, "row"))
	}
	return nil
}
