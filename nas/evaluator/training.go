package evaluator

import (
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
	"github.com/nasbench-go/nasbench/tensor"
)

// TrainingOptions says what a [Training] trains, and how. Space, Genome, Recipe, Epochs and Train are required.
type TrainingOptions struct {
	Space  space.Space
	Genome space.Genome
	Recipe Recipe
	Epochs int
	Seed   uint64 // of first weights, order of images, augmentation and random masks

	Train      *dataset.Split
	Validation *dataset.Split                 // measured after every epoch, unless nil
	Test       func() (*dataset.Split, error) // opened and measured after the last epoch, unless nil
	Stats      dataset.Stats                  // normalise all images; zero means those of Train

	Threads   *kernels.Threads // nil means the caller's alone
	MaxMemory int64            // bytes that may be planned for training; 0 means no bound
	MaxLoss   float64          // of a batch; more is a failure; 0 means no bound
	Labels    bool             // name layers and operations in CPU profiles; see autograd.Program.Label

	// Out is the file to save a checkpoint in after every epoch and when the training is
	// interrupted; "" saves none. It is a model file as well: see layers.LoadWeights.
	Out    string
	Notes  map[string]string // kept in the metadata of Out
	Resume string            // a checkpoint to go on with; "" starts anew

	Progress func(study.Step)        // called after every step, unless nil
	Report   func(study.Point) error // called after every epoch, before it is saved, unless nil; an error ends the training
}

func (o *TrainingOptions) check() error {
	switch {
	case o.Space == nil, o.Genome == nil:
		return errors.New("evaluator: training: space and genome are both needed")
	case o.Train == nil || o.Train.Len() == 0:
		return errors.New("evaluator: training: no images to train on")
	case o.Validation != nil && o.Validation.Len() == 0:
		return errors.New("evaluator: training: no validation images")
	case o.Epochs < 1:
		return fmt.Errorf("evaluator: training: epochs must be positive, not %d", o.Epochs)
	}
	return o.Recipe.Check()
}

// Training trains one network: the trials of a search, the final training and the train command are
// each a Training, so that the same seed and recipe give the same bits in all of them.
type Training struct {
	options    TrainingOptions
	model      *Model
	trainer    *layers.Trainer
	loader     *dataset.Loader
	validation *scorer // nil if there are no validation images
	batch      int
	done       int     // epochs made, measured and reported
	lossSum    float64 // of the steps since
}

// NewTraining builds a network, compiles its training, and goes back to the checkpoint to resume if there is
// one. A network that cannot be trained gives a *study.Failure. Close the training after use.
func NewTraining(o TrainingOptions) (*Training, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Stats.Mean == nil {
		o.Stats = dataset.Measure(o.Train)
	}
	cost, err := o.Space.Cost(o.Genome)
	if err != nil {
		return nil, fail("cost: %v", err)
	}
	store := layers.NewStore(stream.Seed(o.Seed, "weights"))
	var module layers.Module
	err = autograd.Build(func() (err error) { // a space of a user's own may ask for what cannot be made
		module, err = o.Space.Build(o.Genome, store.Root())
		return err
	})
	if err != nil {
		return nil, fail("cannot be built: %v", err)
	}
	t := &Training{
		options: o, batch: min(o.Recipe.Batch, o.Train.Len()),
		model: &Model{
			Genome: o.Genome, Module: module, Store: store, Stats: o.Stats,
			Metrics: study.Metrics{Params: cost.Params, FLOPs: cost.FLOPs, MACs: cost.MACs, ActivationBytes: cost.ActivationBytes},
		},
	}
	if err := t.prepare(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// prepare makes everything that Run needs.
func (t *Training) prepare() (err error) {
	o := &t.options
	t.loader, err = dataset.NewLoader(o.Train, dataset.LoaderOptions{
		Batch: t.batch, Seed: stream.Seed(o.Seed, "data"), Shuffle: true, DropLast: true,
		Augment: o.Recipe.Augment, Stats: o.Stats,
	})
	if err != nil {
		return err
	}
	if err := t.compile(); err != nil {
		return err
	}
	if o.Validation != nil {
		if t.validation, err = newScorer(t.model, o.Validation, o.Recipe.Batch, o.Threads); err != nil {
			return fail("cannot be built: %v", err)
		}
	}
	safetensors.RemoveLeftovers(o.Out)
	if o.Resume != "" {
		return t.restore(o.Resume)
	}
	return nil
}

// compile makes the trainer, and refuses it if its plan needs too much memory.
func (t *Training) compile() (err error) {
	o, steps := &t.options, t.loader.Batches()
	t.trainer, err = layers.NewTrainer(t.model.Module, t.model.Store, layers.TrainerOptions{
		Input:          tensor.Shape{t.batch, o.Train.Height, o.Train.Width, o.Train.Channels},
		Classes:        len(o.Train.Classes),
		Optimizer:      o.Recipe.rule(),
		Schedule:       o.Recipe.rate(steps, steps*o.Epochs),
		Steps:          steps * o.Epochs,
		LabelSmoothing: o.Recipe.LabelSmoothing,
		ClipNorm:       o.Recipe.ClipNorm,
		EMADecay:       o.Recipe.EMADecay,
		Seed:           stream.Seed(o.Seed, "masks"),
		Threads:        o.Threads,
		MaxMemory:      o.MaxMemory,
	})
	var memory *autograd.MemoryError
	if errors.As(err, &memory) {
		return memoryFailure(memory.Need, memory.Limit)
	}
	if err != nil {
		return fail("cannot be built: %v", err)
	}
	if o.Labels {
		t.trainer.Program().Label()
	}
	if need := t.trainer.Memory().Total(); o.MaxMemory > 0 && need > o.MaxMemory {
		return memoryFailure(need, o.MaxMemory)
	}
	return nil
}

func memoryFailure(need, limit int64) error {
	return fail("training needs %.1f MB of memory, more than the %.1f MB allowed; a smaller batch needs less", float64(need)/1e6, float64(limit)/1e6)
}

// Close ends the preparation of batches. It may be called more than once.
func (t *Training) Close() {
	if t.loader != nil {
		t.loader.Close()
	}
	if t.validation != nil {
		t.validation.close()
	}
}

// Epoch returns the epoch that the training is in, counted from 1; the last one when it is over.
func (t *Training) Epoch() int { return min(t.done+1, t.options.Epochs) }

func fail(format string, args ...any) error {
	return &study.Failure{Reason: fmt.Sprintf(format, args...)}
}
