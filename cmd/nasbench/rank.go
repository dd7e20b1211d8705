package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/oneshot"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

// Defaults of a ranking.
const (
	defaultRanked    = 24
	defaultRankSeeds = 2
)

// rankOptions are the flags of a ranking.
type rankOptions struct {
	taskFlags
	boundFlags
	recipeFlags
	profileFlags
	oneshot       oneshotFlags
	architectures int
	seeds         int
	epochs        int
	threads       int
	workers       int
	studyFile     string
	studyName     string
	json, quiet   bool
}

// rankSettings are the flags that decide the results and are recorded with them. How many architectures and seeds there are is not among
// them: more of them begin with the same.
func rankSettings() []string {
	return append([]string{
		"space", "channels", "cells", "reductions", "dataset", "data-dir", "train-samples", "validation", "epochs", "seed",
		"max-flops", "max-macs", "max-params", "min-params", "max-activation", "max-channels",
	}, slices.Concat(dataFlagNames(), recipeFlagNames(), supernetFlagNames())...)
}

func (a *app) newRank() *cobra.Command {
	o := &rankOptions{}
	cmd := &cobra.Command{
		Use:   "rank",
		Short: "Compare inherited accuracies of a supernet with trainings from the start",
		Long: `Compare what architectures reach with the shared weights of a one-shot supernet with what they reach when each is trained alone.

Architectures are drawn at random under the constraints. A supernet is trained on the training images; each architecture is evaluated with its
weights, and trained from its start with --seeds different seeds for --epochs. All accuracies are of the same validation images, on which
nothing is trained. What is printed are rank correlations, Kendall's tau-b, with 95% intervals of the bootstrap over architectures, or, of
fewer than ten architectures, with the p-value of the exact permutation test:

  of inherited accuracies with the mean over the seeds;
  of the numbers of parameters and of FLOPs with that mean, which cost nothing: what a supernet has to beat;
  between seeds, each with the mean of the others: what noise leaves to be reached.

Everything that is finished is recorded. A ranking with the --study and --name of a recorded one goes on with it, and may have more
--architectures or --seeds; Ctrl-C loses at most the epoch and the trainings that are running.`,
		Example: `  nasbench rank --dataset fashion-mnist --epochs 5 --study rank.db
  nasbench rank --study rank.db --architectures 48`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.rank(cmd.Context(), cmd.Flags(), o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	o.taskFlags.add(cmd)
	o.addValidation(flags, true, "share of the training images that compares architectures instead of training them")
	o.architectures = defaultRanked
	flags.Var(intValue{p: &o.architectures, min: 1}, "architectures", "architectures to compare, at least 3")
	o.seeds = defaultRankSeeds
	flags.Var(intValue{p: &o.seeds, min: 1}, "seeds", "trainings of each architecture")
	o.epochs = 3
	flags.Var(intValue{p: &o.epochs, min: 1}, "epochs", "epochs of each training")
	o.boundFlags.add(flags)
	o.recipeFlags.add(cmd)
	o.oneshot.addSupernet(flags)
	flags.Var(intValue{p: &o.threads, min: 0, max: maxThreads}, "threads", "threads of each training (0: 1)")
	flags.Var(intValue{p: &o.workers, min: 0, max: maxThreads}, "workers", "trainings at the same time (0: as many as the CPUs allow)")
	flags.StringVar(&o.studyFile, "study", "", "record everything in `FILE`, or go on with it (default a new file in the user's data folder)")
	flags.StringVar(&o.studyName, "name", defaultRankName, "name of the ranking in its file")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of tables: an object for each architecture, then the correlations")
	flags.BoolVar(&o.quiet, "quiet", false, "show no progress")
	addConfig(flags)
	o.profileFlags.add(flags)
	return cmd
}

// ranking is one run of the command.
type ranking struct {
	*rankOptions
	app     *app
	flags   *pflag.FlagSet
	display *display
	file    *study.File
	data    evaluator.Data
	space   space.Space
	level   kernels.Level
	genomes []space.Genome

	recorded bool     // whether it goes on with a recorded one, whose settings hold
	given    []string // flags of the user's own that say where something lies
	identity string   // of the study of the first seed
}

func (a *app) rank(ctx context.Context, flags *pflag.FlagSet, o *rankOptions) (err error) {
	r := &ranking{rankOptions: o, app: a, flags: flags}
	if o.studyName == "" {
		return usagef("--name must not be empty")
	}
	detection, err := kernels.Detect()
	if err != nil {
		return &usageError{err}
	}
	r.level = detection.Level
	if r.given, err = settleLocations(flags); err != nil {
		return err
	}
	if o.studyFile == "" || !exists(o.studyFile) {
		if err := checkStudyName(o.studyName); err != nil {
			return err
		}
		if err := r.prepare(ctx); err != nil { // what is wrong is found before a file is made
			return err
		}
	}
	if r.file, err = openStudyFile(o.studyFile, time.Now()); err != nil {
		return err
	}
	defer func() {
		if closeErr := r.file.Close(); err == nil {
			err = closeErr
		}
	}()
	if r.genomes == nil {
		info, ok, err := r.file.Find(r.seedName(0))
		if err != nil {
			return err
		}
		if r.recorded = ok; !ok {
			if err := checkStudyName(o.studyName); err != nil {
				return err
			}
		} else {
			readAsThen(info.Settings)
			if err := adopt(flags, rankSettings(), info.Settings); err != nil {
				return fmt.Errorf("study %s: %q: %w", r.file.Path(), o.studyName, err)
			}
			if err := findRecorded(flags, r.file.Path(), r.given); err != nil {
				return err
			}
		}
		if err := r.prepare(ctx); err != nil {
			return err
		}
	}
	r.display = a.newDisplay(o.quiet)
	defer r.display.clear()
	goOn := r.goOnCommand()
	a.ending.train(func() string { return "; go on with: " + goOn })
	err = r.run(ctx)
	r.display.clear()
	if err != nil && ctx.Err() != nil {
		fmt.Fprintf(a.stderr, "nasbench: interrupted; go on with: %s\n", r.goOnCommand())
		return errInterrupted
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// seedName is the name of the study of a seed, from 0.
func (r *ranking) seedName(seed int) string { return fmt.Sprintf("%s.%d", r.studyName, seed+1) }

func (r *ranking) goOnCommand() string {
	args := []string{"rank", "--study", absolute(r.file.Path())}
	args = append(args, flagsNotDefault(r.flags, "name", "data-dir", "architectures", "seeds")...)
	return program(os.Args[0], currentBuild()) + " " + command(args...)
}

// prepare checks the flags, reads the data and draws the architectures.
func (r *ranking) prepare(ctx context.Context) (err error) {
	if err := r.recipeFlags.check(r.flags); err != nil {
		return err
	}
	if !r.recorded {
		r.suit(r.flags, r.spaceName, r.level)
	}
	if err := r.taskFlags.check(); err != nil {
		return err
	}
	if r.architectures < 3 {
		return usagef("--architectures %d: a correlation needs at least 3", r.architectures)
	}
	if err := checkThreads(r.workers, r.threads); err != nil {
		return err
	}
	if r.threads == 0 {
		r.threads = 1
	}
	if r.workers == 0 {
		r.workers = max(runtime.GOMAXPROCS(0)/r.threads, 1)
	}
	var task space.Task
	if r.data, task, err = r.open(ctx); err != nil {
		return err
	}
	if err := checkRecipe(r.recipe, task); err != nil {
		return err
	}
	for flag, epochs := range map[string]int{"epochs": r.epochs, "oneshot-epochs": r.oneshot.options.Epochs} {
		if err := checkEpochs(flag, epochs, r.data.All); err != nil {
			return err
		}
	}
	if !r.recorded {
		r.suitImages(r.flags, task)
	}
	constraints := r.constraints()
	constraints.Interrupt = ctx.Err
	if r.space, err = r.openSpace(ctx, task, constraints); err != nil {
		return err
	}
	o := r.oneshot.options
	o.Space, o.Train, o.Search = r.space, r.data.Train, "random"
	if err := o.Check(); err != nil {
		return &usageError{err}
	}
	drawer := strategy.NewRandom(strategy.Options{Space: r.space, Seed: stream.Seed(r.seed, "rank architectures"), Interrupt: ctx.Err})
	for len(r.genomes) < r.architectures {
		g, err := drawer.Ask(1)
		if errors.Is(err, strategy.ErrExhausted) {
			return usagef("--architectures %d: the space has %d under these constraints", r.architectures, len(r.genomes))
		}
		if err != nil {
			return trainingError(err)
		}
		r.genomes = append(r.genomes, g...)
	}
	return nil
}

// rankedArchitecture is an architecture with all that was measured.
type rankedArchitecture struct {
	Type      string    `json:"type"`
	Index     int       `json:"index"`
	Genome    string    `json:"genome"`
	Params    int64     `json:"params"`
	FLOPs     int64     `json:"flops"`
	MACs      int64     `json:"macs"`
	Inherited float64   `json:"inherited_accuracy"`
	Alone     []float64 `json:"alone_accuracy"`   // of each seed
	Reason    string    `json:"reason,omitempty"` // why it is left out of the correlations
}

// mean returns that of the seeds, without one of them if that is not negative.
func (a *rankedArchitecture) mean(without int) float64 {
	sum, n := 0.0, 0
	for i, v := range a.Alone {
		if i != without {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(max(n, 1))
}

// openStudies opens the record of every seed. A ranking that is begun starts from nothing, whatever lies beside its file.
func (r *ranking) openStudies() (stores []study.Store, settings study.Settings, err error) {
	settings = settingsOf(r.flags, rankSettings())
	settings[levelSetting] = r.level.String()
	if d := r.spaceDigest(); d != "" {
		settings[spaceSetting] = d
	}
	r.dataIdentity.record(settings)
	words, err := clearSideFiles(r.file, r.seedName(0), r.studyName)
	if err != nil {
		return nil, nil, err
	}
	for seed := range r.seeds {
		name := r.seedName(seed)
		info, ok, err := r.file.Find(name)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			readAsThen(info.Settings)
			more, err := r.dataIdentity.amendStudy(r.file, r.space, name, info.Settings, settings)
			if err != nil {
				return nil, nil, err
			}
			if seed == 0 {
				words = append(words, more...)
			}
		}
		s, err := r.file.Study(name, settings)
		if err != nil {
			return nil, nil, settingsError(err)
		}
		stores = append(stores, s)
	}
	info, _, err := r.file.Find(r.seedName(0))
	r.identity = info.Identity()
	r.display.lines(words)
	return stores, settings, err
}

func (r *ranking) run(ctx context.Context) error {
	stores, settings, err := r.openStudies()
	if err != nil {
		return err
	}
	r.display.line("rank: %s of space %s, data set %s (%s images to train, %s to compare), %s of each, %s kernels; study %s",
		plural(len(r.genomes), "architecture"), r.space.Name(), r.datasetName, formatWhole(r.data.Train.Len()), formatWhole(r.data.Validation.Len()), plural(r.seeds, "training"), r.level, r.file.Path())
	r.sayNotes(r.display)
	list := make([]rankedArchitecture, len(r.genomes))
	if err := r.inherit(ctx, list); err != nil {
		return err
	}
	for seed, store := range stores {
		if err := r.alone(ctx, seed, store, list); err != nil {
			return err
		}
	}
	return r.report(list, settings)
}

// inherit trains the supernet and measures all architectures with its weights.
func (r *ranking) inherit(ctx context.Context, list []rankedArchitecture) error {
	threads := kernels.NewThreads(max(r.workers*r.threads, 1))
	defer threads.Close()
	o := r.oneshot.supernet(r.space, r.data, r.recipe, r.seed, threads, r.display, func(oneshotRecord) {})
	o.Judge, o.JudgeImages, o.Search = r.data.Validation, 0, "random"
	o.Checkpoint = sideFile(r.file.Path(), r.studyName, oneshotStrategy)
	o.Data, o.Study = r.dataIdentity.digest, r.identity
	n, err := oneshot.NewSupernet(o)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.Train(ctx); err != nil {
		return trainingError(err)
	}
	paths, err := n.EvaluateAll(ctx, r.genomes, func(done int) {
		if r.display.due() {
			r.display.update(float64(done)/float64(len(r.genomes)), fmt.Sprintf("inherited: %d/%d", done, len(r.genomes)))
		}
	})
	if err != nil {
		return err
	}
	for i, p := range paths {
		cost, err := r.space.Cost(r.genomes[i])
		if err != nil {
			return err
		}
		list[i] = rankedArchitecture{Type: "architecture", Index: i, Genome: p.Genome, Params: cost.Params, FLOPs: cost.FLOPs, MACs: cost.MACs, Inherited: p.Accuracy, Reason: p.Reason}
	}
	return nil
}

// alone trains all architectures with one seed.
func (r *ranking) alone(ctx context.Context, seed int, store study.Store, list []rankedArchitecture) error {
	e, err := evaluator.New(evaluator.Options{
		Space: r.space, Data: r.data, Recipe: r.recipe, Workers: r.workers, Threads: r.threads, MaxMemory: trainingMemory(r.workers), Labels: r.cpu != "",
	})
	if err != nil {
		return err
	}
	defer e.Close()
	recorded, err := store.Trials()
	if err != nil {
		return err
	}
	options := study.Options{
		Strategy: strategy.NewGiven(oneshotStrategy, r.genomes), Space: r.space, Evaluator: e, Store: store,
		Epochs: r.epochs, Seed: stream.Seed(r.seed, "rank", uint64(seed)), Trials: len(r.genomes), Workers: r.workers,
	}
	r.display.line("seed %d of %d: %s on record", seed+1, r.seeds, plural(len(recorded), "training"))
	w := newWatch(r.display, options, recorded)
	options.Observer = w.observe
	outcome, err := study.Run(ctx, options)
	r.display.clear()
	if err != nil {
		return trainingError(err)
	}
	for _, t := range outcome.Trials {
		if t.Index >= len(list) {
			continue // recorded for more architectures than are asked for now
		}
		a := &list[t.Index]
		if t.State != study.Complete {
			a.Reason = t.Reason
			continue
		}
		a.Alone = append(a.Alone, t.Metrics.ValAccuracy)
	}
	return nil
}
