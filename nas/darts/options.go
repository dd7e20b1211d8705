package darts

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/space"
)

// Options says what a search works on and how. [Defaults] has all that is a matter of taste.
type Options struct {
	Space space.Space // a space.Relaxable
	Size  space.Size  // of the mixture; zero values stand for the space's own choice, which is small

	Train   *dataset.Split  // halved: one half teaches the weights, the other the alphas
	Stats   dataset.Stats   // normalise the images; zero means those of Train
	Augment dataset.Augment // of the half that teaches the weights

	Seed      uint64
	Threads   *kernels.Threads // nil means the caller's alone
	MaxMemory int64            // bytes of all that is planned: weights, programs, batches; 0 means four fifths of the memory that the process may have

	Epochs int // over each half
	Batch  int

	// Weights: SGD whose rate falls from LearningRate to FinalRate along half a cosine.
	LearningRate, FinalRate         float64
	Momentum, WeightDecay, ClipNorm float64

	// Alphas: Adam with betas 0.5 and 0.999 and decay added to the gradient. WarmUp is the share of all steps before the
	// first of theirs.
	AlphaRate, AlphaDecay, WarmUp float64

	// SecondOrder takes the gradient of the alphas after a step of the weights (section 2.3 of the paper, equations 7 and 8), with
	// five gradients for each step instead of two. Otherwise the weights are taken as they are.
	SecondOrder bool

	// The softmax is of alphas divided by a temperature, which moves linearly from Temperature to FinalTemperature.
	Temperature, FinalTemperature float64

	// Partial, if above 1, mixes operations over 1/Partial of the channels only and hands the rest through, with learned
	// shares of the edges of a node (Xu et al., "PC-DARTS", ICLR 2020). It divides the channels. Instead of shuffling
	// channels, each edge puts those that it has mixed behind the others.
	Partial int

	MaxSkips       int // skip connections in a kind of cell; 0 means a third of its edges, a negative number no bound
	EigenvalueStop bool
	AuxiliarySkip  bool

	// Checkpoint names a file that is written after every epoch; a search that finds it there goes on with it. "" saves nothing.
	Checkpoint string

	// Data is the digest of the data set that Train is from (dataset.Dataset.Digest), and Study tells the study that the search is part of from all
	// others; either may be "". A checkpoint of another data set is refused with a *dataset.DigestError; one of another study is taken for none, and
	// replaced.
	Data, Study string

	// Deadline ends the search early, with what there is, unless zero. The result then depends on the machine's speed.
	Deadline time.Time

	Progress func(Step)  // called after every step, unless nil
	Report   func(Point) // called for every point of the trajectory, unless nil
}

// Defaults returns the settings of the paper, but for shorter searches: the alphas learn ten times as fast, from a tenth of the steps on.
func Defaults() Options {
	return Options{
		Epochs: 10, Batch: 64,
		LearningRate: 0.025, FinalRate: 0.001, Momentum: 0.9, WeightDecay: 3e-4, ClipNorm: 5,
		AlphaRate: 3e-3, AlphaDecay: 1e-3, WarmUp: 0.1,
		Temperature: 1, FinalTemperature: 1,
		Partial:        1,
		EigenvalueStop: true, AuxiliarySkip: true,
	}
}

// Check returns an error that names the first value that is out of its range.
func (o *Options) Check() error {
	switch {
	case o.Space == nil:
		return errors.New("darts: no space")
	case o.Train == nil:
		return errors.New("darts: no images to train on")
	case o.Batch < 1:
		return fmt.Errorf("darts: a batch of %d images", o.Batch)
	case o.Partial < 1:
		return fmt.Errorf("darts: one %dth of the channels", o.Partial)
	}
	if err := o.Train.CheckEpochs(o.Epochs); err != nil {
		return fmt.Errorf("darts: %w", err)
	}
	most := float64(math.MaxFloat32)
	for _, v := range []struct {
		name          string
		value, lo, hi float64
		open          bool // lo itself is out of range
	}{
		{"learning rate", o.LearningRate, 0, most, true},
		{"final learning rate", o.FinalRate, 0, most, false},
		{"momentum", o.Momentum, 0, 1, false},
		{"weight decay", o.WeightDecay, 0, most, false},
		{"clipping norm", o.ClipNorm, 0, most, false},
		{"learning rate of the alphas", o.AlphaRate, 0, most, true},
		{"decay of the alphas", o.AlphaDecay, 0, most, false},
		{"warm-up", o.WarmUp, 0, 1, false},
		{"temperature", o.Temperature, 0, most, true},
		{"final temperature", o.FinalTemperature, 0, most, true},
	} {
		if !(v.value >= v.lo && v.value < v.hi) || v.open && v.value == v.lo {
			return fmt.Errorf("darts: %s %g is out of its range", v.name, v.value)
		}
	}
	return nil
}

// Relaxable returns the space as one that can be searched here, or an error with the reason for which it cannot.
func Relaxable(s space.Space) (space.Relaxable, error) {
	r, ok := s.(space.Relaxable)
	if !ok {
		return nil, fmt.Errorf("strategy darts: space %s has no edges whose operations could be mixed; it works in spaces of cells", s.Name())
	}
	if _, err := r.Relax(space.Size{}); err != nil {
		return nil, fmt.Errorf("strategy darts: %w", err)
	}
	return r, nil
}

// Step says how far a search is.
type Step struct {
	Epoch int     `json:"epoch"` // counted from 1
	Step  int     `json:"step"`  // within the epoch, counted from 1
	Steps int     `json:"steps"` // of one epoch
	Loss  float64 `json:"loss"`  // of the weights' batch
}

// Point is a point of the trajectory of a search. There are four in each epoch.
type Point struct {
	Epoch     int     `json:"epoch"` // counted from 1
	Step      int     `json:"step"`  // since the start
	TrainLoss float64 `json:"train_loss"`
	ArchLoss  float64 `json:"arch_loss"` // on the images of the alphas; both are means since the last point

	// Entropy is the mean over all edges of that of the operations' shares, in nats: the logarithm of the number of operations at
	// the start, 0 when each edge has decided.
	Entropy float64 `json:"entropy"`
	// Eigenvalue is the largest in size of the Hessian of the loss for the alphas, on one batch; 0 without EigenvalueStop.
	Eigenvalue float64 `json:"eigenvalue"`
	// Skips are the skip connections of the genome.
	Skips  int    `json:"skips"`
	Genome string `json:"genome"` // that the search would end with here

	// Alphas of each edge, in the order of space.Relaxation.Operations, and, with partial channels, the betas of each node's edges.
	Alphas [][]float32 `json:"alphas"`
	Betas  [][]float32 `json:"betas,omitempty"`
}

// Result is what a search found.
type Result struct {
	Genome space.Genome
	// Point is the index of the point of the trajectory that the genome is of: the last one unless the search went back.
	Point      int
	Trajectory []Point
	Operations []string // what the alphas of an edge stand for
	Stopped    string   // why the search ended early; "" if it did not
}
