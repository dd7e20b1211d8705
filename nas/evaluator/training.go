package evaluator

import (
	"errors"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/machine"
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
	MaxMemory int64            // bytes of all that is planned for it, see [Training]; 0 means four fifths of the memory that the process may have
	MaxLoss   float64          // of a batch; more is a failure; 0 means no bound
	Labels    bool             // name layers and operations in CPU profiles; see autograd.Program.Label

	// Out is the file to save a checkpoint in after every epoch and when the training is
	// interrupted; "" saves none. It is a model file as well: see layers.LoadWeights.
	Out    string
	Notes  map[string]string // kept in the metadata of Out
	Resume string            // a checkpoint to go on with; "" starts anew
	// Data is the digest of the data set that the images are from (dataset.Dataset.Digest), kept in Out; "" if it is not known. A
	// checkpoint of another data set is refused with a *dataset.DigestError.
	Data string

	// Deadline cuts the training off, unless zero: all steps made are saved as when ctx ends, and the network is measured as it is, if any step was made.
	Deadline time.Time

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
	}
	if err := o.Train.CheckEpochs(o.Epochs); err != nil {
		return fmt.Errorf("evaluator: training: %w", err)
	}
	return o.Recipe.Check()
}

// Training trains one network: the trials of a search, the final training and the train command are
// each a Training, so that the same seed and recipe give the same bits in all of them.
//
// Its memory is bounded and planned before it begins: parameters, the state of the optimiser, averages, the values of a step and the scratch memory of all threads,
// those of measuring, which share memory with a step, and the batches that loaders prepare. The images themselves are not among it.
type Training struct {
	options    TrainingOptions
	model      *Model
	trainer    *layers.Trainer
	memory     *autograd.Memory // of the trainer and of what measures
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
	if o.MaxMemory == 0 {
		o.MaxMemory = machine.Plannable()
	}
	// Many parameters are refused before any is given a value, which takes long. Of few, the trainer says exactly what training them needs.
	most := max(o.MaxMemory, fewParameters)
	if need := 8 * cost.Params; o.MaxMemory > 0 && need > most {
		return nil, memoryFailure("training", &autograd.MemoryError{Need: need, Limit: o.MaxMemory})
	}
	store := layers.NewStore(stream.Seed(o.Seed, "weights"))
	if o.MaxMemory > 0 {
		store.Limit(most)
	}
	var module layers.Module
	err = autograd.Build(func() (err error) { // a space of a user's own may ask for what cannot be made
		module, err = o.Space.Build(o.Genome, store.Root())
		return err
	})
	if memory, ok := errors.AsType[*autograd.MemoryError](err); ok {
		return nil, memoryFailure("training", memory)
	}
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

// fewParameters is the size in bytes of parameters that are made in no time.
const fewParameters = 64 << 20

// prepare makes everything that Run needs.
func (t *Training) prepare() (err error) {
	if err := t.plan(); err != nil {
		return err
	}
	if t.loader, err = dataset.NewLoader(t.options.Train, t.loading()); err != nil {
		return err
	}
	safetensors.RemoveLeftovers(t.options.Out)
	if t.options.Resume != "" {
		return t.restore(t.options.Resume)
	}
	return nil
}

// loading says how batches to train on are prepared.
func (t *Training) loading() dataset.LoaderOptions {
	o := &t.options
	return dataset.LoaderOptions{
		Batch: t.batch, Seed: stream.Seed(o.Seed, "data"), Shuffle: true, DropLast: true,
		Augment: o.Recipe.Augment, Stats: o.Stats,
	}
}

// plan makes the trainer and what measures the validation images, within the memory that there is. They share what a run needs.
func (t *Training) plan() error {
	o := &t.options
	room := unlimited
	if o.MaxMemory > 0 {
		room = o.MaxMemory - t.loading().Bytes(o.Train)
	}
	if o.Validation == nil {
		return t.compile(room, 0)
	}
	// What measuring needs beside what a step needs anyway comes out last: its images at the least. If it was more, and too much, there is a second attempt.
	aside := scoreImages(o.Validation, o.Recipe.Batch)
	for attempt := 0; ; attempt++ {
		if err := t.compile(room, aside); err != nil {
			return err
		}
		s, err := newScorer(t.model, o.Validation, o.Recipe.Batch, o.Threads, t.memory, room-t.trainer.Memory().Total())
		short, refused := errors.AsType[*autograd.MemoryError](err)
		switch {
		case refused && attempt == 0:
			aside = short.Need
		case refused:
			return memoryFailure("measuring", short)
		case err != nil:
			return fail("cannot be built: %v", err)
		default:
			t.validation = s
			return nil
		}
	}
}

// Memory returns the bytes of all that is planned for the training, of what [Training] names.
func (t *Training) Memory() int64 {
	n := t.trainer.Memory().Total() + t.loading().Bytes(t.options.Train)
	if t.validation != nil {
		n += t.validation.bytes
	}
	return n
}

// unlimited is more memory than any machine has.
const unlimited = int64(1) << 50

// compile makes the trainer within some bytes of memory, of which some are left aside. There may be none.
func (t *Training) compile(room, aside int64) (err error) {
	o, loading := &t.options, t.loading()
	steps := loading.Batches(o.Train)
	t.memory = &autograd.Memory{}
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
		MaxMemory:      max(room-aside, 1),
		Memory:         t.memory,
	})
	if memory, ok := errors.AsType[*autograd.MemoryError](err); ok {
		memory.Need, memory.Limit = memory.Need+o.MaxMemory-(room-aside), o.MaxMemory
		if o.Validation != nil {
			memory.Need += 4 * t.model.Metrics.Params // about, for weights in the order in which measuring reads them
		}
		return memoryFailure("training", memory)
	}
	if err != nil {
		return fail("cannot be built: %v", err)
	}
	if o.Labels {
		t.trainer.Program().Label()
	}
	return nil
}

// memoryFailure says what does not fit. Need and limit are those of the whole training.
func memoryFailure(what string, e *autograd.MemoryError) error {
	return fail("%s needs %s of memory, more than the %s allowed; a smaller batch needs less", what, machine.Bytes(e.Need), machine.Bytes(e.Limit))
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
