package evaluator

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/layers"
)

// Optimizer names the rule by which gradients change the weights.
type Optimizer string

// Schedule names how the learning rate goes on after it has warmed up linearly.
type Schedule string

// The optimisers and the schedules of a [Recipe].
const (
	SGD   Optimizer = "sgd"   // with Nesterov momentum
	AdamW Optimizer = "adamw" // momentum is fixed, that of the recipe unused

	Cosine   Schedule = "cosine"   // to zero along half a cosine
	Step     Schedule = "step"     // to a tenth at half and at three quarters of the training
	Constant Schedule = "constant" // as it is
)

// Optimizers returns all names of optimisers.
func Optimizers() []string { return []string{string(SGD), string(AdamW)} }

// Schedules returns all names of schedules.
func Schedules() []string { return []string{string(Cosine), string(Step), string(Constant)} }

// Recipe says how a network is trained.
type Recipe struct {
	Batch          int // images in a training step
	Optimizer      Optimizer
	Schedule       Schedule
	LearningRate   float64 // after the warm-up
	WarmUp         float64 // in epochs; at most half of the training is used for it
	Momentum       float64
	WeightDecay    float64 // of weights; norms and biases are not decayed
	EMADecay       float64 // share of themselves that averages of the weights keep at each step; 0 averages none
	LabelSmoothing float64 // share of the target spread over all classes
	ClipNorm       float64 // limit of the gradients' global norm; 0 does not clip
	Augment        dataset.Augment
}

// DefaultRecipe returns the recipe that searches use unless told otherwise. It suits trainings of a few
// epochs: small batches give many steps, from which the running statistics of batch norms
// profit as much as the weights.
func DefaultRecipe() Recipe {
	return Recipe{
		Batch:        32,
		Optimizer:    SGD,
		Schedule:     Cosine,
		LearningRate: 0.1,
		WarmUp:       0.5,
		Momentum:     0.9,
		WeightDecay:  5e-4,
		ClipNorm:     5,
	}
}

// Check returns an error that names the first value that is out of its range.
func (r Recipe) Check() error {
	if r.Batch < 1 {
		return fmt.Errorf("recipe: a batch of %d images", r.Batch)
	}
	if !slices.Contains(Optimizers(), string(r.Optimizer)) {
		return fmt.Errorf("recipe: unknown optimizer %q", r.Optimizer)
	}
	if !slices.Contains(Schedules(), string(r.Schedule)) {
		return fmt.Errorf("recipe: unknown schedule %q", r.Schedule)
	}
	most := float64(math.MaxFloat32) // weights and rates are float32
	for _, v := range []struct {
		name  string
		value float64
		below float64 // the bound, itself excluded
	}{
		{"learning rate", r.LearningRate, most},
		{"warm-up", r.WarmUp, most},
		{"momentum", r.Momentum, 1},
		{"weight decay", r.WeightDecay, most},
		{"decay of averages", r.EMADecay, 1},
		{"label smoothing", r.LabelSmoothing, 1},
		{"clipping norm", r.ClipNorm, most},
	} {
		if !(v.value >= 0 && v.value < v.below) {
			return fmt.Errorf("recipe: %s %g is not in [0, %g)", v.name, v.value, v.below)
		}
	}
	if r.LearningRate == 0 {
		return fmt.Errorf("recipe: learning rate %g", r.LearningRate)
	}
	return nil
}

// Settings returns all values by name, for the settings of a study.
func (r Recipe) Settings() map[string]string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return map[string]string{
		"batch":           strconv.Itoa(r.Batch),
		"optimizer":       string(r.Optimizer),
		"schedule":        string(r.Schedule),
		"learning_rate":   number(r.LearningRate),
		"warm_up":         number(r.WarmUp),
		"momentum":        number(r.Momentum),
		"weight_decay":    number(r.WeightDecay),
		"ema_decay":       number(r.EMADecay),
		"label_smoothing": number(r.LabelSmoothing),
		"clip_norm":       number(r.ClipNorm),
		"augment":         fmt.Sprintf("pad=%d flip=%t cutout=%d", r.Augment.Pad, r.Augment.Flip, r.Augment.Cutout),
	}
}

func (r Recipe) rule() layers.Rule {
	if r.Optimizer == AdamW {
		return layers.AdamW{WeightDecay: r.WeightDecay}
	}
	return layers.SGD{Momentum: r.Momentum, Nesterov: r.Momentum > 0, WeightDecay: r.WeightDecay}
}

// rate returns the learning rate of a training of so many steps in all.
func (r Recipe) rate(stepsPerEpoch, steps int) layers.Schedule {
	warm := int(min(math.Round(r.WarmUp*float64(stepsPerEpoch)), float64(steps/2)))
	after := layers.CosineRate(r.LearningRate, 0)
	switch r.Schedule {
	case Step:
		after = layers.StepRate(r.LearningRate, 0.1, 0.5, 0.75)
	case Constant:
		after = layers.ConstantRate(r.LearningRate)
	}
	return layers.WarmUp(warm, after)
}
