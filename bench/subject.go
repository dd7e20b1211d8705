package bench

import (
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// Mode is what a model is measured at.
type Mode string

// The modes: a training step (forward, backward, update by SGD with momentum), inference of a batch with all threads at one operation after the
// other, inference of one image at a time, which [ModelCase] has besides, and inference of a batch that may be divided among the threads.
const (
	Train      Mode = "train"
	Infer      Mode = "infer"
	Latency    Mode = "latency"
	Throughput Mode = "throughput"
)

// Modes lists those with one program for a whole batch, which can be looked at operation by operation.
func Modes() []string { return []string{string(Train), string(Infer)} }

// ModelModes lists how a [ModelCase] is measured.
func ModelModes() []string { return append(Modes(), string(Latency), string(Throughput)) }

// LearningRate is that of every training step that is measured.
const LearningRate = 0.03

// Subject is a model with fresh weights and a random batch, ready to run in one mode.
type Subject struct {
	Model   Model
	Mode    Mode
	Store   *layers.Store // its parameters
	trainer *layers.Trainer
	predict *layers.Predictor
	logits  *tensor.Tensor // of the last inference
}

// NewSubject builds and compiles a model for the classes of images given. A nil table is that of kernels.Active, nil
// threads run on the caller's.
func NewSubject(m Model, mode Mode, classes int, table *kernels.Table, threads *kernels.Threads) (*Subject, error) {
	store := layers.NewStore(1)
	var module layers.Module
	err := autograd.Build(func() (err error) {
		module, err = m.Build(store.Root(), classes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", m.Name, err)
	}
	s := &Subject{Model: m, Mode: mode, Store: store}
	switch mode {
	case Train:
		s.trainer, err = layers.NewTrainer(module, store, layers.TrainerOptions{
			Input: m.Input, Classes: classes, Optimizer: layers.SGD{Momentum: 0.9, WeightDecay: m.WeightDecay}, ClipNorm: m.ClipNorm,
			Schedule: layers.ConstantRate(LearningRate), Steps: 1, Threads: threads, Table: table,
		})
	case Infer, Throughput:
		s.predict, err = layers.NewPredictor(module, store, layers.PredictorOptions{
			Input: m.Input, Threads: threads, Table: table, Frozen: true, Throughput: mode == Throughput,
		})
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", m.Name, err)
	}
	s.fill(classes)
	return s, nil
}

// Load copies a batch in; inference has no labels.
func (s *Subject) Load(images, labels []float32) {
	if s.predict != nil {
		copy(s.predict.Images(), images)
		return
	}
	copy(s.trainer.Images(), images)
	copy(s.trainer.Labels(), labels)
}

// Logits returns what the last run computed, one row for each image; nil before the first inference.
func (s *Subject) Logits() *tensor.Tensor {
	if s.predict != nil {
		return s.logits
	}
	return s.trainer.Logits()
}

// fill writes random images and labels.
func (s *Subject) fill(classes int) {
	var images, labels []float32
	if s.trainer != nil {
		images, labels = s.trainer.Images(), s.trainer.Labels()
	} else {
		images = s.predict.Images()
	}
	rng := stream.New(1, "bench batch")
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = float32(rng.IntN(classes))
	}
}

// Run makes one step. It allocates nothing.
func (s *Subject) Run() error {
	_, err := s.Step()
	return err
}

// Step is [Subject.Run] and returns the loss of the batch before the update; 0 in inference.
func (s *Subject) Step() (float64, error) {
	if s.predict != nil {
		s.logits = s.predict.Run()
		return 0, nil
	}
	return s.trainer.Step()
}

// Program returns the compiled program: without the update, when training; that of a part of the batch, if it is divided.
func (s *Subject) Program() *autograd.Program {
	if s.predict != nil {
		return s.predict.Program()
	}
	return s.trainer.Program()
}

// Work returns the exact cost of the compiled operations of one run: without the update, when training.
func (s *Subject) Work() autograd.Work {
	if s.predict != nil {
		return s.predict.Work()
	}
	return s.trainer.Work()
}

// Memory returns what the subject keeps.
func (s *Subject) Memory() layers.Memory {
	if s.predict != nil {
		return s.predict.Memory()
	}
	return s.trainer.Memory()
}

// Batch returns the images of one step.
func (s *Subject) Batch() int { return s.Model.Input[0] }
