package main

import (
	"math"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/evaluator"
)

// recipeFlags say how networks are trained.
type recipeFlags struct{ recipe evaluator.Recipe }

func (r *recipeFlags) add(flags *pflag.FlagSet) {
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
}

// recipeFlagNames are the names of the flags that decide how a network is trained.
func recipeFlagNames() []string {
	return []string{"batch", "lr", "warm-up", "momentum", "weight-decay", "label-smoothing", "clip", "pad", "flip", "cutout"}
}
