package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/internal/userfile"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// defaultSpace is the space of a search or a training that names none.
const defaultSpace = "chain"

// defaultValidation is the share of the training images that compares candidates.
const defaultValidation = 0.2

// spaceFlags say which networks there are.
type spaceFlags struct {
	spaceName string
	spaceText []byte // of the file that describes the space, if one does
	size      space.Size
}

func (t *spaceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.spaceName, "space", defaultSpace, "search space of the architectures, or a YAML file that describes one")
	flags.Var(intValue{p: &t.size.Channels, min: 0}, "channels", "channels of the first cells, in a space of cells (0: the space's own)")
	flags.Var(intValue{p: &t.size.Cells, min: 0}, "cells", "cells of a network, in a space of cells (0: the space's own)")
	flags.Var(intValue{p: &t.size.Reductions, min: 0}, "reductions", "how often maps are halved on the way, where a space of cells leaves it open (0: the space's own)")
	complete(cmd, "space", spaceNames)
}

// taskFlags say what networks are for, and which of its images they see.
type taskFlags struct {
	spaceFlags
	datasetName  string
	dataFlags    dataFlags
	dataIdentity dataIdentity // once it is open
	trainSamples int
	validation   float64
	seed         uint64
	notes        []string // on what was decided and left out in reading the images
}

func (t *taskFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	t.spaceFlags.add(cmd)
	flags.StringVar(&t.datasetName, "dataset", dataset.Default, "data set to train on ('nasbench data list' has them)")
	t.dataFlags.add(flags)
	flags.Var(intValue{p: &t.trainSamples, min: 1}, "train-samples", "use about this many of the training images, a stratified choice (default all)")
	t.validation = defaultValidation
	flags.Uint64Var(&t.seed, "seed", 1, "seed of everything random")
	complete(cmd, "dataset", dataNames)
}

// addValidation adds the flag that divides the training images; min is the smallest share allowed.
func (t *taskFlags) addValidation(flags *pflag.FlagSet, open bool, usage string) {
	flags.Var(floatValue{p: &t.validation, max: 1, open: open}, "validation", usage)
}

// check finds out unknown names before anything is read.
func (t *spaceFlags) check() error {
	if isSpaceFile(t.spaceName) {
		return nil
	}
	return known("space", t.spaceName, spaceNames())
}

// isSpaceFile reports whether the name of a space is that of a YAML file.
func isSpaceFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// openSpace makes the space that the flags name or describe.
func (t *spaceFlags) openSpace(ctx context.Context, task space.Task, c space.Constraints) (space.Space, error) {
	if !isSpaceFile(t.spaceName) {
		s, err := space.NewSized(t.spaceName, task, c, t.size)
		if err != nil {
			return nil, &usageError{err}
		}
		return s, nil
	}
	if t.spaceText == nil { // once: what two readings find may differ, and a pipe has nothing for a second one
		text, err := userfile.Read(ctx, t.spaceName, userfile.MaxDescription)
		if err != nil {
			return nil, usagef("--space: %w", err)
		}
		t.spaceText = text
	}
	s, err := space.Read(bytes.NewReader(t.spaceText), t.spaceName, task, c, t.size)
	if err != nil {
		return nil, &usageError{err}
	}
	return s, nil
}

// spaceSetting is the name under which a study and a checkpoint record what a file of a space holds, which no
// flag sets.
const spaceSetting = "space-digest"

// spaceDigest tells contents of a file of a space apart; "" if the space is no file.
func (t *spaceFlags) spaceDigest() string {
	if t.spaceText == nil {
		return ""
	}
	sum := sha256.Sum256(t.spaceText)
	return hex.EncodeToString(sum[:8])
}

// known returns a usage error unless name is one of names.
func known(what, name string, names []string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return usagef("unknown %s %q%s; known: %s", what, name, didYouMean(name, names), join(names))
}

// open reads the data set and divides its training images. Without validation images the networks
// train on all.
func (t *taskFlags) open(ctx context.Context) (evaluator.Data, space.Task, error) {
	fail := func(err error) (evaluator.Data, space.Task, error) { return evaluator.Data{}, space.Task{}, err }
	options, err := t.dataFlags.options()
	if err != nil {
		return fail(err)
	}
	d, err := dataset.OpenContext(ctx, t.datasetName, options)
	if err != nil {
		return fail(dataError(t.datasetName, err))
	}
	if t.dataIdentity, err = newDataIdentity(ctx, d); err != nil {
		return fail(err)
	}
	all := d.Train()
	if t.trainSamples > 0 && t.trainSamples < all.Len() {
		share := float64(t.trainSamples) / float64(all.Len())
		if _, all, err = dataset.SplitStratified(all, share, stream.Seed(t.seed, "train samples")); err != nil {
			return fail(fmt.Errorf("--train-samples %d: %w", t.trainSamples, err))
		}
	}
	data := evaluator.Data{Train: all, All: all, Test: d.Test}
	if t.validation > 0 {
		data.Train, data.Validation, err = dataset.SplitStratified(all, t.validation, stream.Seed(t.seed, "validation"))
		if err != nil {
			return fail(fmt.Errorf("--validation %g: %w", t.validation, err))
		}
	}
	i := d.Info()
	t.notes = i.Notes
	if data.Validation != nil {
		t.notes = withFew(t.notes, data.Validation.Len(), "validation")
	}
	return data, space.Task{Height: i.Height, Width: i.Width, Channels: i.Channels, Classes: len(i.Classes)}, nil
}

// withFew adds a note to others if there are so few images that an accuracy on them says little.
func withFew(notes []string, images int, what string) []string {
	if images <= 0 || images >= evaluator.FewImages {
		return notes
	}
	return append(slices.Clone(notes), fmt.Sprintf("%s: one of them is %s points of accuracy, and chance moves an accuracy by up to %s points either way (95%%), so that close architectures are not told apart",
		plural(images, what+" image"), formatDigits(100/float64(images), 2), formatDigits(100*evaluator.AccuracyError(images), 2)))
}

// formatAccuracy prints an accuracy on images drawn at random with the interval in which that on all such images lies.
func formatAccuracy(accuracy float64, images int) string {
	low, high := evaluator.AccuracyInterval(accuracy, images)
	return fmt.Sprintf("%.4f (95%%: %.4f to %.4f)", accuracy, low, high)
}

// sayNotes prints what a person should know about the images.
func (t *taskFlags) sayNotes(d *display) {
	for _, note := range t.notes {
		d.line("note: %s", note)
	}
}

// checkRecipe returns a usage error if augmentation does not fit the images.
func checkRecipe(r evaluator.Recipe, task space.Task) error {
	if err := r.Check(); err != nil {
		return &usageError{err}
	}
	if side := min(task.Height, task.Width); r.Augment.Pad > side {
		return usagef("--pad %d is more than the %d pixels of an image", r.Augment.Pad, side)
	}
	if side := 2 * max(task.Height, task.Width); r.Augment.Cutout > side {
		return usagef("--cutout %d is more than %d, which blanks whole images", r.Augment.Cutout, side)
	}
	return nil
}

// checkEpochs returns a usage error if a flag asks for more epochs over a split than can be counted.
func checkEpochs(flag string, epochs int, s *dataset.Split) error {
	if err := s.CheckEpochs(epochs); err != nil {
		return usagef("--%s: %w", flag, err)
	}
	return nil
}

// boundFlags are the constraints on architectures.
type boundFlags struct {
	flops, macs, params, minParams, activation int64
	channels                                   int
}

func (b *boundFlags) add(flags *pflag.FlagSet) {
	b.flops, b.activation, b.minParams = defaultMaxFLOPs, defaultMaxActivation, defaultMinParams
	b.channels = space.DefaultMaxChannels
	flags.Var(sizeValue{&b.flops}, "max-flops", "most FLOPs of an architecture, for one image forward; four times the default with faster than generic kernels, more for images larger than 32x32 by their area, none in other spaces than chain")
	flags.Var(sizeValue{&b.macs}, "max-macs", "most multiply-accumulates of an architecture, for one image forward; papers often call them FLOPs, of which each is two here; takes the place of the default of --max-flops")
	flags.Var(sizeValue{&b.params}, "max-params", "most parameters of an architecture")
	flags.Var(sizeValue{&b.minParams}, "min-params", "fewest parameters of an architecture; likewise, but none if another bound is given")
	flags.Var(sizeValue{&b.activation}, "max-activation", "most bytes of activations of an architecture, for one image forward; likewise")
	flags.Var(intValue{p: &b.channels, min: 1}, "max-channels", "most channels of any map")
}

// suit chooses the bounds that the user leaves open: wider ones for faster kernels, and no lower one
// beside a bound of the user's, with which it might leave no architecture. The defaults are meant for space
// chain; networks of cells have a size instead.
func (b *boundFlags) suit(flags *pflag.FlagSet, spaceName string, level kernels.Level) {
	if spaceName != defaultSpace {
		for name, bound := range map[string]*int64{"max-flops": &b.flops, "max-activation": &b.activation, "min-params": &b.minParams} {
			if !flags.Changed(name) {
				*bound = 0
			}
		}
		return
	}
	factor := int64(1)
	if level != kernels.Generic {
		factor = fasterBounds
	}
	if !flags.Changed("max-flops") {
		b.flops *= factor
		if flags.Changed("max-macs") && b.macs > 0 {
			b.flops = 0
		}
	}
	if !flags.Changed("max-activation") {
		b.activation *= factor
	}
	if flags.Changed("min-params") {
		return
	}
	b.minParams *= factor
	for _, name := range []string{"max-flops", "max-macs", "max-params", "max-activation", "max-channels", "max-latency"} {
		if flags.Changed(name) {
			b.minParams = 0
		}
	}
}

// suitImages widens the bounds that the user leaves open, and that suit has chosen, for images that are larger than those that the defaults
// are meant for: FLOPs and bytes of activations grow with the area, parameters do not.
func (b *boundFlags) suitImages(flags *pflag.FlagSet, task space.Task) {
	area := int64(task.Height) * int64(task.Width)
	if area <= defaultArea {
		return
	}
	for name, bound := range map[string]*int64{"max-flops": &b.flops, "max-activation": &b.activation} {
		if !flags.Changed(name) {
			*bound = scaled(*bound, area, defaultArea)
		}
	}
}

// scaled is n*by/of, or the largest number if that is less.
func scaled(n, by, of int64) int64 {
	high, low := bits.Mul64(uint64(n), uint64(by))
	if high >= uint64(of) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(of))
	return int64(min(quotient, math.MaxInt64))
}

func (b *boundFlags) constraints() space.Constraints {
	return space.Constraints{MaxChannels: b.channels, MaxFLOPs: b.flops, MaxMACs: b.macs, MaxParams: b.params, MinParams: b.minParams, MaxActivationBytes: b.activation}
}

// trainingError makes a genome that cannot be trained, or a space without architectures, read well.
func trainingError(err error) error {
	var sample *space.SampleError
	if errors.As(err, &sample) {
		return fmt.Errorf("%w; allow more with --max-flops, --max-macs, --max-params, --min-params, --max-activation, --max-channels or --max-latency", err)
	}
	return err
}

func spaceNames() []string {
	var names []string
	for _, i := range space.List() {
		names = append(names, i.Name)
	}
	return names
}

func strategyNames() []string {
	var names []string
	for _, i := range strategy.List() {
		names = append(names, i.Name)
	}
	return append(names, dartsStrategy, oneshotStrategy)
}

// complete lets the shell complete the values of a flag from a list.
func complete(cmd *cobra.Command, flag string, list func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag was not defined before
	}
}
