package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
	"github.com/nasbench-go/nasbench/nas/tabular"
)

// Defaults of a search. Together they make a search without flags end in less than three
// minutes on two cores, its final training included. The bounds suit generic kernels; where
// there are faster ones they are fasterBounds times as wide.
const (
	defaultTime          = 165 * time.Second
	defaultMaxFLOPs      = 5_000_000
	defaultMaxActivation = 400_000 // bytes: traffic costs as much time as FLOPs do
	defaultMinParams     = 10_000  // below that, candidates are fast and hopeless
	defaultEpochs        = 1
	defaultFinalEpochs   = 10
	defaultTop           = 10

	fasterBounds = 4
	defaultArea  = 32 * 32 // of the largest images that the bounds are meant for, in pixels
)

// searchOptions are the flags of a search.
type searchOptions struct {
	taskFlags
	boundFlags
	latencyFlags
	recipeFlags
	profileFlags
	evaluatorFlags
	helpFlags
	darts        dartsFlags
	oneshot      oneshotFlags
	evolution    evolutionFlags
	strategyName string
	trials       int
	time         time.Duration
	epochs       int
	finalEpochs  int
	finalSeeds   int
	threads      int
	workers      int
	memory       memoryFlag
	studyFile    string
	studyName    string
	top          int
	json, quiet  bool
}

// levelSetting is the name under which a study records the CPU level, which no flag sets: kernels of
// different levels round differently.
const levelSetting = "level"

// searchSettings are the flags that decide the results of a search and are recorded with it.
func searchSettings() []string {
	return append([]string{
		"space", "channels", "cells", "reductions", "strategy", "dataset", "data-dir", "train-samples", "validation", "epochs", "seed",
		"max-flops", "max-macs", "max-params", "min-params", "max-activation", "max-channels", "max-latency", "latency-batch",
	}, slices.Concat(dataFlagNames(), recipeFlagNames(), dartsFlagNames(), oneshotFlagNames(), evolutionFlagNames(), helpFlagNames())...)
}

func (a *app) newSearch() *cobra.Command {
	o := &searchOptions{}
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Search a space of architectures by training candidates",
		Long: `Search a space of architectures: train candidates on part of the training images, compare them on the
rest, then train the best anew on all training images and measure it once on the test images.

A search ends after --time, or after --trials, or at the first of both. Without --trials it has a
time of ` + defaultTime.String() + `, reading and the final training included; it is kept to two seconds or 5 %, and fails if it is too short for one trial.
The results of a search by trials depend on its seed, its settings and the CPU level alone, not on threads, workers or the machine's speed.

Every finished trial and final training is recorded in a study file. A search with the --study and --name of a
recorded study goes on with it, with the settings, on the data set and at the CPU level that it was begun with.
The data set must be the same, by its digest; --dataset says where it lies if it was moved. The best is trained
anew only if it, --final-epochs or --final-seeds ask for what is not on record. Ctrl-C ends a search early: it
prints what was found so far, and the command to go on, and exits with code 130. A final training that was
interrupted goes on from its last epoch. 'nasbench study show' may watch a search that runs.

With --json, standard output has one JSON object per trial, in the order of trials, and then one summary.`,
		Example: `  nasbench search
  nasbench search --trials 20 --epochs 3 --max-params 100k --seed 7
  nasbench search --dataset fashion-mnist --time 30m --study fashion.db
  nasbench search --study fashion.db --time 30m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.during(func() error { return a.search(cmd.Context(), cmd.Flags(), o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	o.taskFlags.add(cmd)
	o.addValidation(flags, true, "share of the training images that compares candidates instead of training them")
	flags.StringVar(&o.strategyName, "strategy", "random", "search strategy")
	complete(cmd, "strategy", strategyNames)
	o.evaluatorFlags.add(flags)
	flags.Var(intValue{p: &o.trials, min: 1}, "trials", "trials that the study shall have in all (default as many as the time allows)")
	flags.Var(durationValue{&o.time}, "time", "time for everything (default "+defaultTime.String()+", or no limit with --trials)")
	o.epochs = defaultEpochs
	flags.Var(intValue{p: &o.epochs, min: 1}, "epochs", "training epochs of a trial")
	o.finalEpochs = defaultFinalEpochs
	flags.Var(intValue{p: &o.finalEpochs, min: 0}, "final-epochs", "epochs of the final training of the best, fewer if the time is short; in a search by --time alone, unless given, as many as there is time for, up to 100 (0: no final training)")
	o.finalSeeds = 1
	flags.Var(intValue{p: &o.finalSeeds, min: 1, max: maxFinalSeeds}, "final-seeds", "final trainings of the best, from --seed up; the test accuracy is their mean")
	o.boundFlags.add(flags)
	o.latencyFlags.add(flags)
	o.recipeFlags.add(cmd)
	o.helpFlags.add(flags)
	o.evolution.add(flags)
	o.darts.add(flags)
	o.oneshot.add(flags)
	flags.Var(intValue{p: &o.threads, min: 0, max: maxThreads}, "threads", "threads of each trial (0: 1, or more where --trials are fewer than the CPUs)")
	flags.Var(intValue{p: &o.workers, min: 0, max: maxThreads}, "workers", "trials that run at the same time (0: as many as the CPUs allow)")
	o.memory.add(flags)
	flags.StringVar(&o.studyFile, "study", "", "record the search in `FILE`, or go on with it (default a new file in the user's data folder)")
	flags.StringVar(&o.studyName, "name", defaultStudyName, "name of the study in its file")
	o.top = defaultTop
	flags.Var(intValue{p: &o.top, min: 1}, "top", "rows of the leaderboard")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	flags.BoolVar(&o.quiet, "quiet", false, "show no progress")
	addConfig(flags)
	o.profileFlags.add(flags)
	return cmd
}

// session is one run of a search.
type session struct {
	*searchOptions
	app             *app
	flags           *pflag.FlagSet
	start           time.Time
	display         *display
	file            *study.File
	store           *study.Record
	data            evaluator.Data
	space           space.Space
	strategy        strategy.Strategy
	level           kernels.Level
	known           *tabular.Table     // nil where candidates are trained
	recorded        study.Settings     // of a study that the search goes on with
	latency         *evaluator.Latency // nil where none is measured
	earlier         []study.Trial      // that the strategy is told before it begins
	earlierSettings study.Settings     // of their study
	pace            evaluator.Pace     // of the final training, where the time is limited
	moreTime        time.Duration      // to go on with, where the time was too short for anything; 0 otherwise
	noFinal         string             // why there is none, where the time does not allow it
	limit           context.Context    // ends with that of the command, and when the time is used up
	given           []string           // flags of the user's own that say where something lies
	identity        string             // of the study; "" for one of before studies had any
	words           []string           // to be said at the start
}

// search runs a search from its flags to its report.
func (a *app) search(ctx context.Context, flags *pflag.FlagSet, o *searchOptions) (err error) {
	s := &session{searchOptions: o, app: a, flags: flags, start: time.Now()}
	if o.studyName == "" {
		return usagef("--name must not be empty")
	}
	detection, err := kernels.Detect()
	if err != nil {
		return &usageError{err}
	}
	s.level = detection.Level
	if err := o.check(flags); err != nil {
		return err
	}
	endLimit := s.limitTime(ctx)
	defer func() {
		endLimit()
		err = s.timeError(ctx, err)
	}()
	if s.given, err = settleLocations(flags); err != nil {
		return err
	}
	s.suit()
	begun := false
	if o.studyFile != "" {
		_, err := os.Stat(o.studyFile)
		begun = err == nil
	}
	if !begun {
		if err := checkStudyName(o.studyName); err != nil {
			return err
		}
		// A new study has no settings to take over: what is wrong is found before a file is made.
		if err := s.prepare(s.limit); err != nil {
			return err
		}
		if err := s.proposes(); err != nil {
			return err
		}
	}
	if s.file, err = openStudyFile(o.studyFile, s.start); err != nil {
		return err
	}
	defer func() {
		if closeErr := s.file.Close(); err == nil {
			err = closeErr
		}
	}()
	if begun {
		if err := s.goOn(s.limit); err != nil {
			return err
		}
	}
	o.budget()
	endLimit()
	endLimit = s.limitTime(ctx)
	if err := s.warm(); err != nil {
		return err
	}
	if err := s.beginOrGoOn(); err != nil {
		return err
	}
	if err := s.keepLatencies(); err != nil {
		return err
	}
	s.display = a.newDisplay(o.quiet)
	defer s.display.clear()
	goOn := s.goOnCommand(nil, study.StopInterrupted, true)
	a.ending.train(func() string { return "; go on with: " + goOn })
	s.display.lines(s.words)
	if s.data.All != nil {
		defer s.memory.keep(imageBytes(s.data.All))()
	}
	return s.run(ctx)
}

// check finds mistakes in the flags before anything is read or written.
func (o *searchOptions) check(flags *pflag.FlagSet) error {
	if err := o.taskFlags.check(); err != nil {
		return err
	}
	if err := o.recipeFlags.check(flags); err != nil {
		return err
	}
	if err := known("strategy", o.strategyName, strategyNames()); err != nil {
		return err
	}
	return checkThreads(o.workers, o.threads)
}

// agree finds flags that do not go together, those that are taken over from a record among them.
func (s *session) agree() error {
	if err := s.checkEvaluator(); err != nil {
		return err
	}
	return s.helpFlags.check(s.searchOptions)
}

// suit chooses the bounds that the user leaves open.
func (s *session) suit() {
	if s.tabular() {
		s.suitTable(s.flags)
		return
	}
	s.boundFlags.suit(s.flags, s.spaceName, s.level)
}

// goOn takes over the settings of a recorded study.
func (s *session) goOn(ctx context.Context) error {
	info, ok, err := s.file.Find(s.studyName)
	if err != nil {
		return err
	}
	if ok {
		s.recorded = info.Settings
		readAsThen(s.recorded)
		if err := adopt(s.flags, slices.Concat(searchSettings(), tabularSettings()), info.Settings); err != nil {
			return fmt.Errorf("study %s: %q: %w", s.file.Path(), s.studyName, err)
		}
		if err := findRecorded(s.flags, s.file.Path(), s.given); err != nil {
			return err
		}
		if err := s.check(s.flags); err != nil {
			return err
		}
	}
	if !ok {
		if err := checkStudyName(s.studyName); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil || ok {
		return err
	}
	return s.proposes()
}

// settings are all that decides the results of the search.
func (s *session) settings() study.Settings {
	settings := settingsOf(s.flags, searchSettings())
	if s.strategyName != dartsStrategy {
		maps.DeleteFunc(settings, func(name, _ string) bool { return isDartsFlag(name) })
	}
	if s.strategyName != oneshotStrategy {
		maps.DeleteFunc(settings, func(name, _ string) bool { return isOneshotFlag(name) })
	}
	if s.strategyName != evolutionStrategy {
		maps.DeleteFunc(settings, func(name, _ string) bool { return slices.Contains(evolutionFlagNames(), name) })
	}
	settings[levelSetting] = s.level.String()
	if s.tabular() {
		s.tableSettings(settings)
	}
	if d := s.spaceDigest(); d != "" {
		settings[spaceSetting] = d
	}
	s.dataIdentity.record(settings)
	return settings
}

// settingsError makes it a mistake of the user that a study was made with other settings.
func settingsError(err error) error {
	settings, ok := errors.AsType[*study.SettingsError](err)
	if !ok {
		return err
	}
	for _, d := range settings.Differences {
		if d.Name == levelSetting && d.Recorded != "" {
			err = fmt.Errorf("%w; kernels of another level round differently: go on with %s=%s, on a machine that has it", err, kernels.LevelVariable, d.Recorded)
		}
	}
	return &usageError{err}
}

// prepare reads the data set and makes space and strategy.
func (s *session) prepare(ctx context.Context) (err error) {
	if err := s.agree(); err != nil {
		return err
	}
	if s.tabular() {
		if err := s.openTable(ctx); err != nil {
			return err
		}
		return s.newStrategy()
	}
	var task space.Task
	if s.data, task, err = s.open(ctx); err != nil {
		return err
	}
	if err := checkRecipe(s.recipe, task); err != nil {
		return err
	}
	for flag, epochs := range map[string]int{
		"epochs": s.epochs, "final-epochs": max(s.finalEpochs, 1), "darts-epochs": s.darts.options.Epochs, "oneshot-epochs": s.oneshot.options.Epochs,
	} {
		if err := checkEpochs(flag, epochs, s.data.All); err != nil {
			return err
		}
	}
	if s.recorded == nil {
		s.suitImages(s.flags, task)
	}
	if s.space, err = s.timedSpace(ctx, task, s.constraints()); err != nil {
		return err
	}
	if s.strategyName == dartsStrategy {
		return s.checkDarts(ctx) // the strategy comes when there is something to propose
	}
	if s.strategyName == oneshotStrategy {
		return s.checkOneshot()
	}
	return s.newStrategy()
}

// run searches, trains the best and reports.
func (s *session) run(ctx context.Context) error {
	recorded, err := s.store.Trials()
	if err != nil {
		return err
	}
	s.announce(len(recorded))
	if err := s.tellEarlier(); err != nil {
		return err
	}
	if s.strategyName == dartsStrategy {
		if err := s.relax(ctx); err != nil {
			return err
		}
	}
	if s.strategyName == oneshotStrategy {
		if err := s.share(ctx); err != nil {
			return err
		}
	}
	measure, train, err := s.newEvaluator()
	if err != nil {
		return err
	}
	if train != nil {
		defer train.Close()
	}

	if s.latency != nil {
		measure = s.latency.Evaluator(measure)
	}
	options := study.Options{
		Strategy: s.strategy, Space: s.space, Evaluator: measure, Store: s.store,
		Epochs: s.epochs, Seed: s.seed, Trials: s.trials, Workers: s.workers, Pruner: s.pruner(),
	}
	if s.time > 0 {
		options.Time = max(s.left(), time.Millisecond)
		options.Reserve = s.reserve
	}
	out := newTrialStream(s.app.stdout, s.json)
	w := newWatch(s.display, options, recorded)
	w.score, w.looked = scoreName(s.settings()), s.tabular()
	options.Observer = func(event study.Event) {
		w.observe(event)
		if event.Kind == study.TrialEnded && event.Trial.State != study.Stopped {
			out.add(*event.Trial)
		}
	}
	for _, t := range recorded {
		out.add(t)
	}
	outcome, runErr := study.Run(ctx, options)
	if ctx.Err() != nil {
		s.app.ending.save()
	}
	s.display.clear()
	if outcome == nil {
		return runErr
	}
	interrupted := errors.Is(runErr, study.ErrInterrupted)
	if runErr != nil && !interrupted && len(outcome.Trials) == 0 {
		return trainingError(runErr)
	}
	out.flush()
	r := report{session: s, outcome: outcome}
	if err := r.complete(); err != nil && runErr == nil {
		runErr = err
	}
	if runErr == nil && outcome.Best != nil && s.finalEpochs > 0 && train != nil {
		r.final, runErr = s.validate(ctx, train, outcome.Best)
		interrupted = runErr != nil && ctx.Err() != nil
	}
	if outcome.Stop == study.StopTime && len(outcome.Trials) == len(recorded) {
		s.moreTime = longer(s.time, outcome.Need)
	}
	if outcome.Stop == study.StopExhausted {
		if err := s.noteExhausted(len(outcome.Trials)); err != nil && runErr == nil {
			runErr = err
		}
	}
	if r.final == nil {
		if r.final, err = s.recordedFinal(outcome.Best); err != nil && runErr == nil {
			runErr = err
		}
	}
	if interrupted {
		runErr = errInterrupted
	}
	if err := r.print(interrupted); err != nil {
		return err
	}
	if runErr == nil && outcome.Best == nil {
		runErr = noResult(outcome)
	}
	return trainingError(runErr)
}

// newEvaluator returns what measures the candidates; train is nil where none is trained.
func (s *session) newEvaluator() (measure study.Evaluator, train *evaluator.Evaluator, err error) {
	if s.tabular() {
		measure, err = s.lookUp()
		return measure, nil, err
	}
	train, err = evaluator.New(evaluator.Options{
		Space: s.space, Data: s.data, Recipe: s.recipe, Workers: s.workers, Threads: s.threads,
		MaxMemory: s.memory.share(s.workers),
		Labels:    s.cpu != "",
	})
	return train, train, err
}
