package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/internal/userfile"
	"github.com/nasbench-go/nasbench/internal/wholefile"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// trainOptions are the flags of a training.
type trainOptions struct {
	taskFlags
	recipeFlags
	profileFlags
	arch        string
	epochs      int
	threads     int
	memory      memoryFlag
	test        bool
	out, resume string
	recorded    study.Settings // of the checkpoint to go on with
	json, quiet bool
}

const defaultTrainEpochs = 10

// trainSettings are the flags that decide the bits of a training. A checkpoint records them.
func trainSettings() []string {
	return slices.Concat([]string{
		"arch", "space", "channels", "cells", "reductions", "dataset", "data-dir", "train-samples", "validation", "epochs", "seed",
	}, dataFlagNames(), recipeFlagNames())
}

func (a *app) newTrain() *cobra.Command {
	o := &trainOptions{}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train one architecture",
		Long: `Train one architecture of a space, given as text or JSON, and print a line per epoch.

With --out, the model and all that is needed to go on are saved after every epoch and when Ctrl-C
interrupts (exit code 130). --resume goes on with such a file, to the same bits as without the interruption; the
settings come from the file. The data set must be the same, by its digest; --dataset says where it lies if it was
moved. The format is safetensors.

With --json, standard output has one JSON object per epoch and then one result.`,
		Example: `  nasbench train --arch 'conv3x3(16), pool3x3(max), conv3x3(32)' --epochs 5 --test
  nasbench train --arch @best.json --dataset fashion-mnist --out model.safetensors
  nasbench train --resume model.safetensors`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.train(cmd.Context(), cmd.Flags(), o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.arch, "arch", "", "the architecture: `TEXT` or JSON, @FILE to read it from a file, @- from standard input")
	o.taskFlags.add(cmd)
	o.addValidation(flags, false, "share of the training images that is measured after every epoch instead of being trained on (0: none)")
	o.epochs = defaultTrainEpochs
	flags.Var(intValue{p: &o.epochs, min: 1}, "epochs", "training epochs")
	o.recipeFlags.add(cmd)
	flags.Var(intValue{p: &o.threads, min: 0, max: maxThreads}, "threads", "threads (0: as many as there are CPUs)")
	o.memory.add(flags)
	flags.BoolVar(&o.test, "test", false, "measure the trained network on the test images")
	flags.StringVar(&o.out, "out", "", "save the model in `FILE`, after every epoch (default the file of --resume)")
	flags.StringVar(&o.resume, "resume", "", "go on with the training saved in `FILE`")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of lines")
	flags.BoolVar(&o.quiet, "quiet", false, "show no progress")
	addConfig(flags)
	o.profileFlags.add(flags)
	return cmd
}

// check finds mistakes in the flags before anything is read.
func (o *trainOptions) check(flags *pflag.FlagSet) error {
	if err := o.taskFlags.check(); err != nil {
		return err
	}
	if err := o.recipeFlags.check(flags); err != nil {
		return err
	}
	if o.arch == "" {
		return usagef("--arch or --resume is needed")
	}
	return checkThreads(1, o.threads)
}

// usedThreads is the number of threads to train with.
func (o *trainOptions) usedThreads() int {
	if o.threads == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return o.threads
}

// train trains a network from its flags to its report.
func (a *app) train(ctx context.Context, flags *pflag.FlagSet, o *trainOptions) error {
	if _, err := kernels.Detect(); err != nil {
		return &usageError{err}
	}
	var err error
	if o.arch, err = readArch(ctx, o.arch, a.stdin); err != nil {
		return err
	}
	given, err := settleLocations(flags)
	if err != nil {
		return err
	}
	if o.resume != "" {
		if err := o.adoptCheckpoint(flags, given); err != nil {
			return err
		}
		if o.out == "" {
			o.out = o.resume
		}
	}
	if err := o.check(flags); err != nil {
		return err
	}
	if err := writable(o.out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	data, task, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer o.memory.keep(imageBytes(data.All))()
	if err := checkRecipe(o.recipe, task); err != nil {
		return err
	}
	if err := checkEpochs("epochs", o.epochs, data.Train); err != nil {
		return err
	}
	s, err := o.openSpace(ctx, task, space.Constraints{MaxChannels: -1, AllowWeightless: true})
	if err != nil {
		return err
	}
	genome, err := s.Parse(o.arch)
	if err != nil {
		return usagef("--arch: %w", err)
	}
	words, err := o.reconcile(flags)
	if err != nil {
		return err
	}
	o.arch = genome.String()
	t := &training{trainOptions: o, app: a, flags: flags, data: data, genome: genome, start: time.Now(), words: words}
	if t.cost, err = s.Cost(genome); err != nil {
		return err
	}
	return t.run(ctx, s)
}

// readArch returns the architecture that a flag gives: itself, or what is in @FILE, which is what a checkpoint records.
func readArch(ctx context.Context, arch string, stdin io.Reader) (string, error) {
	var raw []byte
	var err error
	name, isFile := strings.CutPrefix(arch, "@")
	switch {
	case !isFile:
		return arch, nil
	case name == "":
		return "", usagef("--arch: no file is named behind the @")
	case name == "-":
		name = "standard input"
		raw, err = userfile.ReadFrom(ctx, stdin, name, userfile.MaxArchitecture)
	default:
		raw, err = userfile.Read(ctx, name, userfile.MaxArchitecture)
	}
	if err != nil {
		return "", usagef("--arch: %w", err)
	}
	if raw, err = userfile.Text(raw); err != nil {
		return "", usagef("--arch: %s: %w", name, err)
	}
	text := strings.TrimSpace(string(raw))
	if text == "" {
		return "", usagef("--arch: %s is empty", name)
	}
	return text, nil
}

// adoptCheckpoint takes over the settings of the checkpoint to go on with. Flags that say something
// else are a mistake, but for those that say where something lies, which are in given: see reconcile.
func (o *trainOptions) adoptCheckpoint(flags *pflag.FlagSet, given []string) error {
	f, err := safetensors.ReadFile(o.resume)
	if errors.Is(err, safetensors.ErrFormat) {
		return fmt.Errorf("--resume: %s is not a checkpoint of nasbench train, nor any other safetensors file", o.resume)
	}
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	o.recorded = study.Settings{}
	for _, name := range []string{spaceSetting, dataSetting, contentsSetting} {
		if value := f.Metadata["note."+name]; value != "" {
			o.recorded[name] = value
		}
	}
	for _, name := range trainSettings() {
		value, ok := f.Metadata["note."+name]
		if slices.Contains(laterFlags[:], name) && (!ok || value == flags.Lookup(name).DefValue) {
			continue
		}
		if !ok {
			return fmt.Errorf("--resume: %s is not a checkpoint of nasbench train", o.resume)
		}
		o.recorded[name] = value
	}
	readAsThen(o.recorded)
	if err := adopt(flags, trainSettings(), o.recorded); err != nil {
		return fmt.Errorf("--resume: %s: %w", o.resume, err)
	}
	if err := findRecorded(flags, o.resume, given); err != nil {
		return err
	}
	// Before the data set is read, as far as that goes.
	now := study.Settings(settingsOf(flags, trainSettings()))
	later := func(name string) bool {
		switch name {
		case "dataset":
			return dataKind(o.recorded[name]) == dataKind(now[name])
		case "space":
			return isSpaceFile(o.recorded[name]) && isSpaceFile(now[name])
		}
		return name == "data-dir" || name == spaceSetting || name == dataSetting || name == contentsSetting
	}
	return o.refuse(o.recorded.Compare(now), later)
}

// refuse makes the first difference that counts an error.
func (o *trainOptions) refuse(differ []study.Difference, without func(name string) bool) error {
	for _, d := range differ {
		if without(d.Name) || d.Name == "arch" && sameArch(d) {
			continue
		}
		return usagef("--resume: %s was made with other settings: %s was %s, now %s", o.resume, d.Name, orNone(d.Recorded), orNone(d.Given))
	}
	return nil
}

// recordIdentity adds to settings what the flags do not say: what the data set and the space hold.
func (o *trainOptions) recordIdentity(settings study.Settings) {
	if d := o.spaceDigest(); d != "" {
		settings[spaceSetting] = d
	}
	o.dataIdentity.record(settings)
}

// reconcile holds data set and space against those of the checkpoint to go on with, and says what a person should know.
func (o *trainOptions) reconcile(flags *pflag.FlagSet) (words []string, err error) {
	if o.resume == "" {
		return nil, nil
	}
	now := study.Settings(settingsOf(flags, trainSettings()))
	o.recordIdentity(now)
	r, err := o.dataIdentity.reconcile("--resume: "+o.resume, o.recorded, now)
	if err != nil {
		return nil, err
	}
	return r.words, o.refuse(r.compare(o.recorded, now), func(name string) bool { return name == "arch" })
}

// sameArch reports whether two texts of an architecture differ in white space alone.
func sameArch(d study.Difference) bool {
	return strings.Join(strings.Fields(d.Recorded), "") == strings.Join(strings.Fields(d.Given), "")
}

// writable finds out now, not after the first epoch, whether a file can be written beside path.
func writable(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder", path)
	}
	wholefile.RemoveLeftovers(path)
	f, err := wholefile.Create(path)
	if err != nil {
		return err
	}
	return f.Discard()
}

// training is one run of the train command.
type training struct {
	*trainOptions
	app    *app
	flags  *pflag.FlagSet
	data   evaluator.Data
	genome space.Genome
	cost   space.Cost
	start  time.Time
	words  []string // to be said at the start
}

// run trains, measures and reports.
func (t *training) run(ctx context.Context, s space.Space) error {
	threads := kernels.NewThreads(t.usedThreads())
	defer threads.Close()
	d := t.app.newDisplay(t.quiet)
	defer d.clear()
	w := &trainWatch{display: d, epochs: t.epochs, start: t.start, what: "training"}
	r := trainReport{training: t, display: d}
	o := evaluator.TrainingOptions{
		Space: s, Genome: t.genome, Recipe: t.recipe, Epochs: t.epochs, Seed: t.seed,
		Train: t.data.Train, Validation: t.data.Validation, Threads: threads,
		MaxMemory: t.memory.share(1),
		Labels:    t.cpu != "",
		Out:       t.out, Notes: settingsOf(t.flags, trainSettings()), Resume: t.resume,
		Progress: w.step, Report: r.epoch,
	}
	o.Notes["arch"] = t.arch
	t.recordIdentity(o.Notes)
	o.Data = t.dataIdentity.digest
	d.lines(t.words)
	if t.test {
		o.Test = t.data.Test
	}
	work, err := evaluator.NewTraining(o)
	if err != nil {
		return err
	}
	defer work.Close()
	d.line("train: %s: %s parameters, %s FLOPs (%s MACs), %s, %s, %s",
		t.arch, formatCount(t.cost.Params), formatCount(t.cost.FLOPs), formatCount(t.cost.MACs), plural(t.data.Train.Len(), "image"), plural(t.epochs, "epoch"), plural(t.usedThreads(), "thread"))
	t.sayNotes(d)
	resume := t.resumeCommand()
	t.app.ending.train(func() string {
		if !exists(t.out) {
			return "; nothing is saved yet"
		}
		return "; go on from the last epoch that is saved with: " + resume
	})
	model, err := work.Run(ctx)
	d.clear()
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		t.sayInterrupted(work.Epoch())
		return errInterrupted
	}
	if failure, ok := errors.AsType[*study.Failure](err); ok {
		return fmt.Errorf("training failed: %w; a lower --lr may help", failure)
	}
	if err != nil {
		return err
	}
	return r.end(model)
}

func (t *training) sayInterrupted(epoch int) {
	fmt.Fprintf(t.app.stderr, "nasbench: interrupted in epoch %d of %d", epoch, t.epochs)
	if t.out == "" {
		fmt.Fprintln(t.app.stderr, "; nothing is saved, because there was no --out")
		return
	}
	fmt.Fprintf(t.app.stderr, "; go on with: %s\n", t.resumeCommand())
}

// resumeCommand is the command that goes on with the training.
func (t *training) resumeCommand() string {
	args := append([]string{"train", "--resume", absolute(t.out)}, flagsNotDefault(t.flags, "data-dir", "threads", "test")...)
	return program(os.Args[0], currentBuild()) + " " + command(args...)
}
