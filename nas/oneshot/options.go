package oneshot

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Sampling names how the paths of a training step are drawn.
type Sampling string

// The ways to draw paths.
const (
	Uniform Sampling = "uniform" // one path, every choice with equal probability
	Strict  Sampling = "strict"  // a group of paths in which all choices are alike; needs a space.Shareable
)

// Samplings returns all names.
func Samplings() []string { return []string{string(Uniform), string(Strict)} }

// Searches returns the names of the strategies by which paths are searched.
func Searches() []string { return []string{"evolution", "random"} }

// Widths names what choices of an operation's channels have in common.
type Widths string

// The ways to keep weights of operations that differ in their channels alone.
const (
	SharedWidths   Widths = "shared"   // fewer channels are the first ones of the most
	SeparateWidths Widths = "separate" // every choice has weights of its own
)

// WidthNames returns all names.
func WidthNames() []string { return []string{string(SharedWidths), string(SeparateWidths)} }

// Options says how a supernet is trained and searched. Space and Train are required; [Defaults] has the rest.
type Options struct {
	Space space.Space
	Train *dataset.Split
	Stats dataset.Stats // normalise all images; zero means those of Train
	Seed  uint64

	// Judge is the set of images on which paths are compared; nil means a fifth of Train, which then trains no weights.
	Judge *dataset.Split
	// JudgeImages bounds how many of them are used, about: a stratified choice. 0 means all.
	JudgeImages int

	// Of the training.
	Epochs       int
	Batch        int
	LearningRate float64 // falls to zero along half a cosine, with Nesterov momentum
	WarmUp       float64 // share of the training in which the rate rises to LearningRate
	Momentum     float64
	WeightDecay  float64 // of weights; norms and biases are not decayed
	ClipNorm     float64 // limit of the norm of each path's gradients; 0 does not clip
	Augment      dataset.Augment
	Sampling     Sampling
	Widths       Widths
	// TrainTime, if positive, ends the training early: the schedule runs to its end in that time.
	TrainTime time.Duration

	// Recalibration is the number of training batches from which a path's running statistics are computed.
	Recalibration int

	// Of the search.
	Search     string // name of the strategy: evolution or random
	Evolution  strategy.EvolutionOptions
	Paths      int           // evaluated
	Finalists  int           // returned
	SearchTime time.Duration // if positive, no path is begun later than that after the search began

	Threads    *kernels.Threads // nil means the caller's alone
	MaxMemory  int64            // bytes of all that is planned; 0 means four fifths of the memory that the process may have. A path that needs more than is left for it is not trained
	CacheBytes int64            // about, of compiled training steps that are kept; see Supernet

	// Checkpoint is the file of the supernet, written after every epoch; "" keeps none. What paths reach is
	// written beside it, in Checkpoint + ".paths".
	Checkpoint string

	// Data is the digest of the data set that Train is from (dataset.Dataset.Digest), and Study tells the study that the search is part of from all
	// others; either may be "". A checkpoint of another data set is refused with a *dataset.DigestError; one of another study is taken for none, and
	// replaced.
	Data, Study string

	Progress func(Step)  // called after every step, unless nil
	Report   func(Epoch) // called after every epoch, those of a checkpoint included, unless nil
	Path     func(Path)  // called after every path that the search evaluates, unless nil
}

// Defaults returns the settings that searches use unless told otherwise.
func Defaults() Options {
	return Options{
		JudgeImages: 5000,
		Epochs:      30, Batch: 32,
		LearningRate: 0.05, WarmUp: 0.05, Momentum: 0.9, WeightDecay: 5e-5, ClipNorm: 5,
		Sampling:      Uniform,
		Widths:        SharedWidths,
		Recalibration: 20,
		Search:        "evolution",
		Evolution:     strategy.EvolutionOptions{Penalty: -1},
		Paths:         200, Finalists: 3,
		CacheBytes: 64 << 20,
	}
}

// Check returns an error that names the first value that is out of its range, or says why the space cannot be sampled like that.
func (o *Options) Check() error {
	switch {
	case o.Space == nil:
		return errors.New("oneshot: no space")
	case o.Train == nil || o.Train.Len() == 0:
		return errors.New("oneshot: no images to train on")
	case !slices.Contains(Samplings(), string(o.Sampling)):
		return fmt.Errorf("oneshot: unknown sampling %q", o.Sampling)
	case !slices.Contains(WidthNames(), string(o.Widths)):
		return fmt.Errorf("oneshot: unknown widths %q", o.Widths)
	case !slices.Contains(Searches(), o.Search):
		return fmt.Errorf("oneshot: unknown search %q", o.Search)
	}
	if err := o.Train.CheckEpochs(o.Epochs); err != nil {
		return fmt.Errorf("oneshot: %w", err)
	}
	for _, v := range []struct {
		name  string
		value int
		least int
	}{
		{"images of a batch", o.Batch, 1}, {"batches of recalibration", o.Recalibration, 1},
		{"paths", o.Paths, 1}, {"finalists", o.Finalists, 1}, {"images to compare paths on", o.JudgeImages, 0},
	} {
		if v.value < v.least {
			return fmt.Errorf("oneshot: %d %s, at least %d", v.value, v.name, v.least)
		}
	}
	most := float64(math.MaxFloat32)
	for _, v := range []struct {
		name      string
		value, hi float64
		open      bool // 0 itself is out of range
	}{
		{"learning rate", o.LearningRate, most, true},
		{"warm-up", o.WarmUp, 1, false},
		{"momentum", o.Momentum, 1, false},
		{"weight decay", o.WeightDecay, most, false},
		{"clipping norm", o.ClipNorm, most, false},
	} {
		if !(v.value >= 0 && v.value < v.hi) || v.open && v.value == 0 {
			return fmt.Errorf("oneshot: %s %g is out of its range", v.name, v.value)
		}
	}
	if o.Search == "evolution" {
		if _, ok := o.Space.(space.Variable); !ok {
			return fmt.Errorf("strategy oneshot: genomes of space %s cannot be changed, as evolution needs it; search at random", o.Space.Name())
		}
	}
	if _, ok := o.Space.(space.Shareable); o.Sampling == Strict && !ok {
		return fmt.Errorf("strategy oneshot: space %s does not say which choices it has, as strict fairness needs it; sample uniformly", o.Space.Name())
	}
	return nil
}

// Step says how far the training is.
type Step struct {
	Epoch int     `json:"epoch"` // counted from 1
	Step  int     `json:"step"`  // within the epoch, counted from 1
	Steps int     `json:"steps"` // of one epoch
	Share float64 `json:"share"` // of the schedule that is done
	Loss  float64 `json:"loss"`  // mean over the paths of the step
}

// Epoch says how an epoch of the training went.
type Epoch struct {
	Epoch        int     `json:"epoch"` // counted from 1
	Loss         float64 `json:"train_loss"`
	LearningRate float64 `json:"learning_rate"` // of its last step
	Paths        int     `json:"paths"`         // trained
	LeftOut      int     `json:"left_out"`      // paths drawn that constraints or memory did not allow
	Params       int     `json:"params"`        // of the supernet, as far as paths have asked for them
	Last         bool    `json:"last"`          // the training is over
	Seconds      float64 `json:"seconds"`       // of the training so far
}

// Path is a path with what it reaches with inherited weights.
type Path struct {
	Genome   string  `json:"genome"`
	Accuracy float64 `json:"accuracy"` // on the images that compare paths, 0 to 1
	Loss     float64 `json:"loss"`
	Images   int     `json:"images"`
	Reason   string  `json:"reason,omitempty"` // why it could not be evaluated; "" if it could
}

// Result is what a search found.
type Result struct {
	Best      []Path         // the best first
	Genomes   []space.Genome // of Best
	Evaluated int
}
