package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/darts"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

// dartsStrategy is the strategy that searches by gradients. It is none that is asked and told, so it is not in the list of
// package strategy.
const dartsStrategy = "darts"

// dartsFlags are the settings of a search by gradients.
type dartsFlags struct {
	options darts.Options
	order   int
}

// dartsFlagNames are the names of the flags that decide what a search by gradients finds.
func dartsFlagNames() []string {
	return []string{
		"darts-channels", "darts-cells", "darts-epochs", "darts-batch", "darts-order", "darts-lr", "darts-alpha-lr", "darts-warm-up",
		"darts-temperature", "darts-final-temperature", "darts-partial", "darts-max-skips", "darts-eigenvalue", "darts-auxiliary-skip",
	}
}

func (d *dartsFlags) add(flags *pflag.FlagSet) {
	d.options, d.order = darts.Defaults(), 1
	o := &d.options
	flags.Var(intValue{p: &o.Size.Channels, min: 0}, "darts-channels", "darts: channels of the mixture's first cells (0: the space's own choice, which is small)")
	flags.Var(intValue{p: &o.Size.Cells, min: 0}, "darts-cells", "darts: cells of the mixture (0: the space's own choice)")
	flags.Var(intValue{p: &o.Epochs, min: 1}, "darts-epochs", "darts: epochs of the mixture, over half of the training images each for weights and alphas")
	flags.Var(intValue{p: &o.Batch, min: 1}, "darts-batch", "darts: images in a step")
	flags.Var(intValue{p: &d.order, min: 1, max: 2}, "darts-order", "darts: 1 takes the gradient of the alphas at the weights as they are, 2 after their next step")
	flags.Var(floatValue{p: &o.LearningRate, max: math.Inf(1), open: true}, "darts-lr", "darts: learning rate of the weights, which falls to a 25th of the default")
	flags.Var(floatValue{p: &o.AlphaRate, max: math.Inf(1), open: true}, "darts-alpha-lr", "darts: learning rate of the alphas")
	flags.Var(floatValue{p: &o.WarmUp, max: 1}, "darts-warm-up", "darts: share of the steps before the alphas move")
	flags.Var(floatValue{p: &o.Temperature, max: math.Inf(1), open: true}, "darts-temperature", "darts: temperature of the softmax over the alphas at the start")
	flags.Var(floatValue{p: &o.FinalTemperature, max: math.Inf(1), open: true}, "darts-final-temperature", "darts: temperature at the end")
	flags.Var(intValue{p: &o.Partial, min: 1}, "darts-partial", "darts: mix operations over one in so many channels (PC-DARTS), with learned shares of edges")
	flags.Var(skipsValue{&o.MaxSkips}, "darts-max-skips", "darts: most skip connections of a cell: a number, auto for a third of its edges, or none for no bound")
	flags.BoolVar(&o.EigenvalueStop, "darts-eigenvalue", o.EigenvalueStop, "darts: stop, and go back, when the dominant eigenvalue of the alphas' Hessian rises; from epoch 14 on")
	flags.BoolVar(&o.AuxiliarySkip, "darts-auxiliary-skip", o.AuxiliarySkip, "darts: help the gradient through by an identity on every edge that fades")
}

// skipsValue is a bound on skip connections, 0 for auto and -1 for none.
type skipsValue struct{ p *int }

func (v skipsValue) Type() string { return "count" }
func (v skipsValue) String() string {
	switch {
	case v.p == nil || *v.p == 0:
		return "auto"
	case *v.p < 0:
		return "none"
	}
	return fmt.Sprint(*v.p)
}

func (v skipsValue) Set(s string) error {
	switch s {
	case "auto":
		*v.p = 0
	case "none":
		*v.p = -1
	default:
		n := 0
		if err := (intValue{p: &n, min: 1}).Set(s); err != nil {
			return fmt.Errorf("%w, or auto, or none", err)
		}
		*v.p = n
	}
	return nil
}

// dartsShare is the share of the time of a search that the mixture may take.
const dartsShare = 0.5

// dartsPoint is a point of the trajectory as JSON.
type dartsPoint struct {
	Type string `json:"type"`
	darts.Point
}

// relax searches by gradients and makes what it finds the only proposal. The trajectory goes to standard output with
// --json, and in a few words to the progress. The state is kept beside the study after every epoch.
func (s *session) relax(ctx context.Context) error {
	threads := kernels.NewThreads(max(s.workers*s.threads, 1))
	defer threads.Close()
	o := s.darts.options
	o.Space, o.Train, o.Augment = s.space, s.data.Train, s.recipe.Augment
	o.Seed, o.Threads, o.SecondOrder = s.seed, threads, s.darts.order == 2
	o.MaxMemory = s.memory.share(1)
	o.Size.Reductions = s.size.Reductions
	o.Checkpoint = sideFile(s.file.Path(), s.studyName, dartsStrategy)
	o.Data, o.Study = s.dataIdentity.digest, s.identity
	if s.time > 0 {
		o.Deadline = s.start.Add(time.Duration(dartsShare * float64(s.time)))
	}
	start := time.Now()
	s.display.line("mixture: %s over %s; kept in %s", plural(o.Epochs, "epoch"), plural(o.Train.Len(), "image"), o.Checkpoint)
	o.Progress = func(step darts.Step) {
		if s.display.due() {
			share := (float64(step.Epoch-1) + float64(step.Step)/float64(step.Steps)) / float64(o.Epochs)
			s.display.update(share, fmt.Sprintf("mixture: epoch %d/%d", step.Epoch, o.Epochs), fmt.Sprintf("loss %.3f", step.Loss), formatTime(time.Since(start)), fmt.Sprintf("step %d/%d", step.Step, step.Steps))
		}
	}
	o.Report = func(p darts.Point) {
		s.display.line("mixture: epoch %d, step %d: loss %.4f of weights, %.4f of alphas, entropy %.3f, eigenvalue %.3g, %s",
			p.Epoch, p.Step, p.TrainLoss, p.ArchLoss, p.Entropy, p.Eigenvalue, plural(p.Skips, "skip connection"))
		if s.json {
			_ = writeJSON(s.app.stdout, dartsPoint{"darts", p}) // checkedWriter keeps the error
		}
	}
	r, err := darts.Search(ctx, o)
	s.display.clear()
	if short, ok := errors.AsType[*darts.TimeError](err); ok {
		return &tooShortError{what: "the mixture of darts, which has half of it", need: spanOf(float64(short.Need) / dartsShare)}
	}
	if err != nil && ctx.Err() != nil {
		fmt.Fprintf(s.app.stderr, "nasbench: interrupted; go on with: %s\n", s.goOnCommand(nil, study.StopInterrupted, true))
		return errInterrupted
	}
	if err != nil {
		return err
	}
	at := r.Trajectory[r.Point]
	why := ""
	if r.Stopped != "" {
		why = "; stopped early: " + r.Stopped
	}
	s.display.line("mixture: found in %s, at step %d%s: %s", formatTime(time.Since(start)), at.Step, why, r.Genome)
	s.strategy = strategy.NewGiven(dartsStrategy, []space.Genome{r.Genome})
	return nil
}

// checkDarts refuses mixtures that cannot be made, and bounds that nothing meets, before anything is written.
func (s *session) checkDarts(ctx context.Context) error {
	relaxable, err := darts.Relaxable(s.space)
	if err != nil {
		return &usageError{err}
	}
	size := s.darts.options.Size
	size.Reductions = s.size.Reductions
	r, err := relaxable.Relax(size)
	if err != nil {
		return &usageError{fmt.Errorf("the mixture of darts: %w", err)}
	}
	if r.Size.Channels%s.darts.options.Partial != 0 {
		return usagef("--darts-partial %d does not divide the %d channels of the mixture", s.darts.options.Partial, r.Size.Channels)
	}
	o := s.darts.options
	o.Space, o.Size = s.space, size
	err = o.CheckBounds(ctx)
	if bounds, ok := errors.AsType[*darts.BoundsError](err); ok {
		return &usageError{bounds}
	}
	return err
}

// isDartsFlag reports whether a setting is of the strategy darts alone.
func isDartsFlag(name string) bool { return strings.HasPrefix(name, "darts-") }
