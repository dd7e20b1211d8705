package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/oneshot"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

// oneshotStrategy is the strategy that searches with shared weights. Like darts it is none that is asked and told.
const oneshotStrategy = "oneshot"

// oneshotFlags are the settings of a search with shared weights.
type oneshotFlags struct{ options oneshot.Options }

// supernetFlagNames are the names of the flags that decide what a supernet learns and how paths are measured.
func supernetFlagNames() []string {
	return []string{"oneshot-epochs", "oneshot-batch", "oneshot-lr", "oneshot-weight-decay", "oneshot-sampling", "oneshot-widths", "oneshot-recalibration"}
}

// oneshotFlagNames are those that decide what a search with shared weights finds.
func oneshotFlagNames() []string {
	return append(supernetFlagNames(), "oneshot-images", "oneshot-search", "oneshot-paths", "oneshot-population", "oneshot-finalists")
}

// addSupernet adds the flags of the supernet alone.
func (f *oneshotFlags) addSupernet(flags *pflag.FlagSet) {
	f.options = oneshot.Defaults()
	o := &f.options
	flags.Var(intValue{p: &o.Epochs, min: 1}, "oneshot-epochs", "oneshot: epochs of the supernet")
	flags.Var(intValue{p: &o.Batch, min: 1}, "oneshot-batch", "oneshot: images in a step of the supernet")
	flags.Var(floatValue{p: &o.LearningRate, max: math.Inf(1), open: true}, "oneshot-lr", "oneshot: learning rate of the supernet, which falls to zero")
	flags.Var(floatValue{p: &o.WeightDecay, max: math.Inf(1)}, "oneshot-weight-decay", "oneshot: decay of the supernet's weights")
	flags.Var(nameValue{p: (*string)(&o.Sampling), names: oneshot.Samplings()}, "oneshot-sampling", "oneshot: `NAME` of the way to draw paths: uniform, one in a step; or strict, as many as there are choices")
	flags.Var(nameValue{p: (*string)(&o.Widths), names: oneshot.WidthNames()}, "oneshot-widths", "oneshot: `NAME` of what operations that differ in their channels have: shared, the first channels of the widest; or separate, weights of their own")
	flags.Var(intValue{p: &o.Recalibration, min: 1}, "oneshot-recalibration", "oneshot: batches from which a path's running statistics are computed")
}

func (f *oneshotFlags) add(flags *pflag.FlagSet) {
	f.addSupernet(flags)
	o := &f.options
	flags.Var(intValue{p: &o.JudgeImages, min: 0}, "oneshot-images", "oneshot: images on which paths are compared, of the fifth of the training images that the supernet does not learn (0: all)")
	flags.Var(nameValue{p: &o.Search, names: oneshot.Searches()}, "oneshot-search", "oneshot: `NAME` of the search over paths: evolution or random")
	flags.Var(intValue{p: &o.Paths, min: 1}, "oneshot-paths", "oneshot: paths that are evaluated")
	flags.Var(intValue{p: &o.Evolution.Population, min: 0}, "oneshot-population", "oneshot: paths of a generation of the evolution (0: 20)")
	flags.Var(intValue{p: &o.Finalists, min: 1}, "oneshot-finalists", "oneshot: best paths that are trained from their start as trials")
}

// nameValue is one of a few names.
type nameValue struct {
	p     *string
	names []string
}

func (v nameValue) Type() string { return "name" }
func (v nameValue) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

func (v nameValue) Set(s string) error {
	for _, name := range v.names {
		if s == name {
			*v.p = s
			return nil
		}
	}
	return fmt.Errorf("want one of %s", join(v.names))
}

// The shares of the time of a search that the supernet and the search over its paths may take. The rest is for the finalists and
// the final training.
const (
	supernetShare = 0.4
	pathsShare    = 0.15
)

// oneshotRecord is a stage of a search with shared weights as JSON.
type oneshotRecord struct {
	Type string `json:"type"`
	*oneshot.Epoch
	*oneshot.Path
	Seconds struct{}         `json:"seconds,omitzero"` // hides that of the epoch, which varies from run to run
	Timing  *supernetSeconds `json:"timing,omitempty"`
}

// supernetSeconds is the time of the training so far.
type supernetSeconds struct {
	Seconds float64 `json:"seconds"`
}

// supernet returns the options of a supernet with what shows its progress.
func (f *oneshotFlags) supernet(s space.Space, data evaluator.Data, recipe evaluator.Recipe, seed uint64, threads *kernels.Threads, d *display, print func(oneshotRecord)) oneshot.Options {
	o := f.options
	o.Space, o.Train, o.Augment, o.Seed, o.Threads = s, data.Train, recipe.Augment, seed, threads
	o.MaxMemory = trainingMemory(1)
	start := time.Now()
	o.Progress = func(step oneshot.Step) {
		if d.due() {
			d.update(step.Share, fmt.Sprintf("supernet: epoch %d/%d", step.Epoch, o.Epochs), fmt.Sprintf("loss %.3f", step.Loss), formatTime(time.Since(start)), fmt.Sprintf("step %d/%d", step.Step, step.Steps))
		}
	}
	o.Report = func(e oneshot.Epoch) {
		d.line("supernet: epoch %d of %d: loss %.4f over %s, %s parameters, %s", e.Epoch, o.Epochs, e.Loss, plural(e.Paths, "path"), formatCount(int64(e.Params)), formatTime(time.Duration(e.Seconds*float64(time.Second))))
		print(oneshotRecord{Type: "supernet", Epoch: &e, Timing: &supernetSeconds{e.Seconds}})
	}
	return o
}

// share trains a supernet, searches its paths, and makes the best few the only proposals. Both are kept beside the study.
func (s *session) share(ctx context.Context) error {
	threads := kernels.NewThreads(max(s.workers*s.threads, 1))
	defer threads.Close()
	print := func(r oneshotRecord) {
		if s.json {
			_ = writeJSON(s.app.stdout, r) // checkedWriter keeps the error
		}
	}
	o := s.oneshot.supernet(s.space, s.data, s.recipe, s.seed, threads, s.display, print)
	o.MaxMemory = s.memory.share(1)
	o.Checkpoint = sideFile(s.file.Path(), s.studyName, oneshotStrategy)
	o.Data, o.Study = s.dataIdentity.digest, s.identity
	if s.time > 0 {
		o.TrainTime = max(time.Until(s.start.Add(time.Duration(supernetShare*float64(s.time)))), time.Millisecond)
		o.SearchTime = time.Duration(pathsShare * float64(s.time))
	}
	evaluated, start := 0, time.Now()
	o.Path = func(p oneshot.Path) {
		evaluated++
		if s.display.due() {
			s.display.update(float64(evaluated)/float64(o.Paths), fmt.Sprintf("paths: %d/%d", evaluated, o.Paths), fmt.Sprintf("%.4f", p.Accuracy), formatTime(time.Since(start)), p.Genome)
		}
		print(oneshotRecord{Type: "path", Path: &p})
	}
	s.display.line("supernet: %s; kept in %s", plural(o.Epochs, "epoch"), o.Checkpoint)
	r, err := oneshot.Search(s.limit, o)
	s.display.clear()
	if err != nil && ctx.Err() == nil && s.limit.Err() != nil {
		return &tooShortError{what: "the supernet and the search of its paths"}
	}
	if err != nil && ctx.Err() != nil {
		fmt.Fprintf(s.app.stderr, "nasbench: interrupted; go on with: %s\n", s.goOnCommand(nil, study.StopInterrupted, true))
		return errInterrupted
	}
	if err != nil {
		return trainingError(err)
	}
	s.display.line("supernet: %s evaluated, %s in all; inherited accuracy of the best:", plural(r.Evaluated, "path"), formatTime(time.Since(start)))
	for _, p := range r.Best {
		s.display.line("  %.4f %s", p.Accuracy, p.Genome)
	}
	s.strategy = strategy.NewGiven(oneshotStrategy, r.Genomes)
	return nil
}

// checkOneshot refuses what cannot be searched with shared weights, before anything is written.
func (s *session) checkOneshot() error {
	o := s.oneshot.options
	o.Space, o.Train = s.space, s.data.Train
	if err := o.Check(); err != nil {
		return &usageError{err}
	}
	if _, err := strategy.New(o.Search, strategy.Options{Space: o.Space, Evolution: o.Evolution}); err != nil {
		return &usageError{err}
	}
	return nil
}

// isOneshotFlag reports whether a setting is of the strategy oneshot alone.
func isOneshotFlag(name string) bool { return strings.HasPrefix(name, "oneshot-") }
