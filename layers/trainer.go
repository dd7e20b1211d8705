package layers

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// TrainerOptions says how a model is trained.
type TrainerOptions struct {
	Input          tensor.Shape // of one batch: N x H x W x C
	Classes        int
	Optimizer      Rule     // SGD{...} or AdamW{...}
	Schedule       Schedule // learning rate of each step
	Steps          int      // planned length of the training, for the schedule
	LabelSmoothing float64  // share of the target spread over all classes, in [0, 1)
	ClipNorm       float64  // limit of the gradients' global norm; 0 does not clip
	EMADecay       float64  // of averaged parameters; 0 keeps none
	Seed           uint64   // of the random masks
	Threads        *kernels.Threads
	Table          *kernels.Table // nil takes that of kernels.Active
	MaxMemory      int64          // bytes that everything the trainer keeps may take; 0 means four fifths of the memory that the process may have

	// Memory, if set, holds the values of a step, together with those of programs that never run at the same time. What the trainer returned before one of them ran
	// may be overwritten then.
	Memory *autograd.Memory
}

func (o *TrainerOptions) check() error {
	switch {
	case o.Classes < 1:
		return refuse("trainer", "%d classes", o.Classes)
	case o.Optimizer == nil:
		return refuse("trainer", "no optimizer")
	case o.Schedule == nil:
		return refuse("trainer", "no schedule")
	case o.Steps < 1:
		return refuse("trainer", "%d steps", o.Steps)
	case !(o.LabelSmoothing >= 0 && o.LabelSmoothing < 1):
		return refuse("trainer", "label smoothing %g is not in [0, 1)", o.LabelSmoothing)
	case o.MaxMemory < 0:
		return refuse("trainer", "%d bytes of memory", o.MaxMemory)
	case !finiteNotNegative(o.ClipNorm):
		return refuse("trainer", "clipping norm %g is not a number from 0 up", o.ClipNorm)
	}
	if err := checkBatch("trainer", o.Input); err != nil {
		return err
	}
	return autograd.Build(func() error { // the first and the last rate tell what each step is asked for
		for _, step := range []int{0, o.Steps - 1} {
			if err := checkRate(o.Schedule(step, o.Steps), step); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkBatch(what string, input tensor.Shape) error {
	if len(input) < 2 {
		return refuse(what, "batch shape %v, want N x H x W x C", input)
	}
	for _, d := range input {
		if d < 1 {
			return refuse(what, "batch shape %v has a dimension that is not positive", input)
		}
	}
	if err := input.Check(); err != nil {
		return refuse(what, "batch shape %v has too many elements", input)
	}
	return nil
}

// checkModel refuses what is nil.
func checkModel(what string, model Module, store *Store) error {
	switch {
	case model == nil:
		return refuse(what, "no model")
	case store == nil:
		return refuse(what, "no store of parameters")
	}
	return nil
}

// checkRate refuses a learning rate that would spoil the parameters.
func checkRate(rate float64, step int) error {
	if !finiteNotNegative(rate) {
		return refuse("trainer", "the learning rate of step %d is %g, not a number from 0 up", step, rate)
	}
	return nil
}

// DivergedError says that a loss or the norm of the gradients is not a finite number. The optimiser made no
// update, but running statistics may have been spoilt: restore a checkpoint, or give up.
type DivergedError struct {
	Step     int
	Loss     float64
	GradNorm float64 // 0 unless the trainer clips
}

func (e *DivergedError) Error() string {
	if e.GradNorm != 0 {
		return fmt.Sprintf("layers: training diverged at step %d: loss %g, gradient norm %g", e.Step, e.Loss, e.GradNorm)
	}
	return fmt.Sprintf("layers: training diverged at step %d: loss %g", e.Step, e.Loss)
}

// Trainer trains a classifier on batches of one shape. One step is one run of a compiled
// program, then clipping, the optimiser and the averages; it allocates nothing. A trainer is not
// safe for concurrent use.
type Trainer struct {
	options   TrainerOptions
	store     *Store
	program   *autograd.Program
	images    []float32
	labels    []float32
	logits    *tensor.Tensor
	loss      []float32
	trained   []*Parameter // those that the loss depends on
	grads     []*tensor.Tensor
	norm      *GradNorm // nil without clipping
	optimizer Optimizer
	ema       *EMA // nil without averages
	step      int
	averaged  bool // the averages are swapped in

	running []*Parameter // buffers, which the program itself writes to
	before  [][]float32  // what they were before the step
}

// NewTrainer builds and compiles the training step of a model: mean cross-entropy, its gradients and everything
// after. Parameters that the loss does not depend on are left alone. It returns an [*OptionError] if an option is out of its
// range, such as a batch of no images, and the misuse of a model whose shapes do not fit together.
func NewTrainer(model Module, store *Store, o TrainerOptions) (*Trainer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := checkModel("trainer", model, store); err != nil {
		return nil, err
	}
	if o.Table == nil {
		table, err := kernels.Active()
		if err != nil {
			return nil, err
		}
		o.Table = table
	}
	o.Input = o.Input.Clone()
	pass := &Pass{Graph: autograd.NewGraph(), Training: true, store: store}
	images := pass.Graph.Input("images", o.Input...)
	labels := pass.Graph.Input("labels", o.Input[0])
	var logits, loss *autograd.Node
	err := autograd.Build(func() error {
		logits = forward(model, "trainer", pass, images)
		if want := (tensor.Shape{o.Input[0], o.Classes}); !logits.Shape().Equal(want) {
			return refuse("trainer", "the model gives %v for a batch of %v, want logits %v", logits.Shape(), o.Input, want)
		}
		loss = autograd.CrossEntropy(logits, labels, float32(o.LabelSmoothing))
		return nil
	})
	if err != nil {
		return nil, err
	}
	simple, err := autograd.Simplify(loss, logits)
	if err != nil {
		return nil, err
	}
	pass.Graph = simple.Graph
	loss, logits, images, labels = simple.Node(loss), simple.Node(logits), simple.Node(images), simple.Node(labels)
	if images == nil {
		return nil, errors.New("layers: trainer: the loss does not depend on the images")
	}
	t := &Trainer{options: o, store: store}
	outputs, err := t.differentiate(pass, loss)
	if err != nil {
		return nil, err
	}
	if err := t.prepareUpdate(); err != nil {
		return nil, err
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = machine.Plannable()
	}
	kept, most := parameterBytes(store)+t.stateBytes(), int64(0)
	if o.MaxMemory > 0 {
		most = max(1, o.MaxMemory-kept)
	}
	t.program, err = autograd.Compile(autograd.Options{
		Outputs: append([]*autograd.Node{loss, logits}, outputs...), Threads: o.Threads, Table: o.Table, Seed: o.Seed, MaxBytes: most, Memory: o.Memory,
	})
	var refused *autograd.MemoryError
	if errors.As(err, &refused) {
		return nil, &autograd.MemoryError{What: refused.What, Need: refused.Need + kept, Limit: o.MaxMemory}
	}
	if err != nil {
		return nil, err
	}
	for _, n := range outputs {
		t.grads = append(t.grads, t.program.Tensor(n))
	}
	t.loss, t.logits = t.program.Tensor(loss).Data(), t.program.Tensor(logits)
	t.labels = t.program.Tensor(labels).Data()
	t.images = t.program.Tensor(images).Data()
	if o.ClipNorm > 0 {
		t.norm = NewGradNorm(t.grads, o.Table, o.Threads)
	}
	for _, p := range store.All() {
		if p.Kind == Buffer {
			t.running = append(t.running, p)
			t.before = append(t.before, make([]float32, p.Value.Len()))
		}
	}
	return t, nil
}

// differentiate adds the gradients of all trainable parameters that the loss depends on.
func (t *Trainer) differentiate(pass *Pass, loss *autograd.Node) ([]*autograd.Node, error) {
	params := t.store.Trainable()
	variables := make([]*autograd.Node, len(params))
	for i, p := range params {
		variables[i] = pass.Param(p)
	}
	all, err := autograd.Grad(loss, variables)
	if err != nil {
		return nil, err
	}
	var grads []*autograd.Node
	for i, g := range all {
		if g != nil {
			t.trained = append(t.trained, params[i])
			grads = append(grads, g)
		}
	}
	return grads, nil
}

func (t *Trainer) prepareUpdate() (err error) {
	o := &t.options
	if t.optimizer, err = o.Optimizer.New(t.trained, o.Table, o.Threads); err != nil {
		return err
	}
	if o.EMADecay != 0 {
		averaged := append([]*Parameter{}, t.trained...)
		for _, p := range t.store.All() {
			if p.Kind == Buffer {
				averaged = append(averaged, p)
			}
		}
		t.ema, err = NewEMA(averaged, o.EMADecay, o.Table, o.Threads)
	}
	return err
}

// Images returns the pixels of the next batch, to be filled before each Step.
func (t *Trainer) Images() []float32 { return t.images }

// Labels returns the class indices of the next batch, to be filled before each Step.
func (t *Trainer) Labels() []float32 { return t.labels }

// Logits returns the N x classes outputs of the last step, computed before its update.
func (t *Trainer) Logits() *tensor.Tensor { return t.logits }

// Steps returns the number of steps made.
func (t *Trainer) Steps() int { return t.step }

// Rate returns the learning rate of the next step.
func (t *Trainer) Rate() float64 { return t.options.Schedule(t.step, t.options.Steps) }

// Step trains on the batch in Images and Labels and returns its mean loss. The error is a [*DivergedError], with the
// loss, if that is not finite, wraps an [*autograd.LabelError] for a label that is no class, or says that the schedule gives no learning rate.
func (t *Trainer) Step() (float64, error) { return t.StepContext(context.Background()) }

// StepContext is [Trainer.Step] that ctx can end in the middle. With the error of ctx the step is not made, and the trainer is as it was
// before: it can be saved, or go on.
func (t *Trainer) StepContext(ctx context.Context) (float64, error) {
	if t.averaged {
		return 0, errors.New("layers: trainer: step while the averages are in use")
	}
	if err := checkLabels(t.labels, t.options.Classes); err != nil {
		return 0, err
	}
	rate := t.Rate()
	if err := checkRate(rate, t.step); err != nil {
		return 0, err
	}
	for i, p := range t.running {
		copy(t.before[i], p.Value.Data())
	}
	if err := t.program.RunContext(ctx, uint64(t.step)); err != nil {
		for i, p := range t.running {
			copy(p.Value.Data(), t.before[i])
		}
		return 0, err
	}
	loss, norm, scale := float64(t.loss[0]), 0.0, 1.0
	if t.norm != nil {
		norm = t.norm.Compute()
		scale = ClipScale(norm, t.options.ClipNorm)
	}
	if !finite(loss) || !finite(norm) {
		return loss, &DivergedError{Step: t.step, Loss: loss, GradNorm: norm}
	}
	t.optimizer.Step(rate, scale, t.grads)
	if t.ema != nil {
		t.ema.Update()
	}
	t.step++
	return loss, nil
}

// Averaged runs f while the model's parameters are the exponential moving averages, to evaluate or to store them;
// without averages it just runs f.
func (t *Trainer) Averaged(f func() error) error {
	if t.ema == nil || t.averaged {
		return f()
	}
	t.ema.Swap()
	t.averaged = true
	defer func() {
		t.ema.Swap()
		t.averaged = false
	}()
	return f()
}

// KeepAverages ends the training: the exponential moving averages become the model's parameters for good, and no step,
// Save or Restore may follow. Without averages it does nothing.
func (t *Trainer) KeepAverages() {
	if t.ema != nil && !t.averaged {
		t.ema.Swap()
		t.averaged = true
	}
}

// Work returns the exact cost of the compiled forward and backward pass of one step, without the update.
func (t *Trainer) Work() autograd.Work { return t.program.Work() }

// Program returns the compiled training step: the loss and the gradients, not the update. It is for looking at and timing; running it is left to this type.
func (t *Trainer) Program() *autograd.Program { return t.program }

// Memory returns what the trainer keeps, in bytes.
func (t *Trainer) Memory() Memory {
	return Memory{
		Arena:      t.program.ArenaBytes(),
		Scratch:    t.program.ScratchBytes(),
		Inputs:     4 * int64(len(t.images)+len(t.labels)),
		Parameters: parameterBytes(t.store),
		State:      t.stateBytes(),
	}
}

func (t *Trainer) stateBytes() int64 {
	n := int64(0)
	for _, s := range t.optimizer.State() {
		n += 4 * int64(s.Value.Len())
	}
	if t.ema != nil {
		for _, s := range t.ema.State() {
			n += 4 * int64(s.Value.Len())
		}
	}
	return n
}

// Memory is the planned memory of a trainer or a predictor, in bytes.
type Memory struct {
	Arena      int64 // values that live within one run, and what programs keep beside them
	Scratch    int64 // of all threads
	Inputs     int64 // images and labels of a batch
	Parameters int64 // of the whole store, buffers included
	State      int64 // of the optimiser, and averages
}

// Total adds everything up.
func (m Memory) Total() int64 { return m.Arena + m.Scratch + m.Inputs + m.Parameters + m.State }

func parameterBytes(s *Store) int64 {
	n := int64(0)
	for _, p := range s.params {
		n += 4 * int64(p.Value.Len())
	}
	return n
}

func checkLabels(labels []float32, classes int) error {
	if err := autograd.CheckLabels(labels, classes); err != nil {
		return fmt.Errorf("layers: %w", err)
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
