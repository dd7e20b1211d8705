package main

import (
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/evaluator"
)

// recipeFlags say how networks are trained.
type recipeFlags struct{ recipe evaluator.Recipe }

// adamwRate is the learning rate of adamw unless --lr is given.
const adamwRate = 0.001

func (r *recipeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	r.recipe = evaluator.DefaultRecipe()
	flags.Var(intValue{p: &r.recipe.Batch, min: 1}, "batch", "images in a training step")
	flags.Var(floatValue{p: &r.recipe.LearningRate, max: math.Inf(1), open: true}, "lr", "learning rate after the warm-up")
	flags.Var(floatValue{p: &r.recipe.WarmUp, max: math.Inf(1)}, "warm-up", "epochs over which the learning rate rises; at most half of the training")
	flags.Var(floatValue{p: &r.recipe.Momentum, max: 1}, "momentum", "momentum of stochastic gradient descent")
	flags.Var(floatValue{p: &r.recipe.WeightDecay, max: math.Inf(1)}, "weight-decay", "decay of weights; norms and biases are not decayed")
	flags.Var(floatValue{p: &r.recipe.LabelSmoothing, max: 1}, "label-smoothing", "share of the target spread over all classes")
	flags.Var(floatValue{p: &r.recipe.ClipNorm, max: math.Inf(1)}, "clip", "limit of the gradients' global norm (0: none)")
	flags.Var(intValue{p: &r.recipe.Augment.Pad, min: 0}, "pad", "augmentation: cut images at random out of this many `pixels` of border")
	flags.BoolVar(&r.recipe.Augment.Flip, "flip", false, "augmentation: mirror every second image, chosen at random")
	flags.Var(intValue{p: &r.recipe.Augment.Cutout, min: 0}, "cutout", "augmentation: blank a random square of this many `pixels` a side")
	flags.StringVar((*string)(&r.recipe.Schedule), "schedule", string(r.recipe.Schedule), "learning rate: cosine to zero, step to a tenth at half and at three quarters, or constant")
	flags.StringVar((*string)(&r.recipe.Optimizer), "optimizer", string(r.recipe.Optimizer), "sgd (with Nesterov momentum) or adamw (learning rate 0.001 unless --lr is given)")
	flags.Var(floatValue{p: &r.recipe.EMADecay, max: 1}, "ema", "measure averaged weights that keep this share of themselves each step (0: none)")
	complete(cmd, "schedule", evaluator.Schedules)
	complete(cmd, "optimizer", evaluator.Optimizers)
}

// check finds mistakes in the flags.
func (r *recipeFlags) check(flags *pflag.FlagSet) error {
	if err := known("schedule", string(r.recipe.Schedule), evaluator.Schedules()); err != nil {
		return err
	}
	if err := known("optimizer", string(r.recipe.Optimizer), evaluator.Optimizers()); err != nil {
		return err
	}
	if r.recipe.Optimizer == evaluator.AdamW && !flags.Changed("lr") {
		r.recipe.LearningRate = adamwRate
	}
	return nil
}

// recipeFlagNames are the names of the flags that decide how a network is trained.
func recipeFlagNames() []string {
	return []string{"batch", "lr", "warm-up", "momentum", "weight-decay", "label-smoothing", "clip", "pad", "flip", "cutout", "schedule", "optimizer", "ema"}
}
