package layers

import (
	"context"
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Predictor runs a model for inference on batches of one shape, over the same parameters that a [Trainer] of
// the store updates. It is not safe for concurrent use, nor at the same time as a training step.
type Predictor struct {
	store   *Store
	streams []predictorStream // one, or one for each worker
	each    int               // images that a stream takes at a time; 0 if the only one takes the batch
	threads *kernels.Threads
	task    func(part, worker int)
	ctx     context.Context // of the run
	node    *autograd.Node  // images of the graph that was built last
	summary autograd.Summary
	images  []float32
	logits  *tensor.Tensor
	losses  []float32
	table   *kernels.Table
}

// predictorStream is a program with its images and its logits.
type predictorStream struct {
	program *autograd.Program
	images  []float32
	logits  *tensor.Tensor
}

// PredictorOptions says how a model is run.
type PredictorOptions struct {
	Input   tensor.Shape     // of one batch: N x H x W x C
	Threads *kernels.Threads // nil runs on the caller's thread
	Table   *kernels.Table   // nil takes that of kernels.Active

	// Frozen promises that parameters do not change between runs, unless Refresh is called after they did. Batch norms are then
	// folded into convolutions, and weights put in the order in which they are read, once instead of in every run.
	Frozen bool

	// Throughput allows dividing a batch among the threads, each of which then takes few enough images at a time for all values to stay in a cache near its
	// core. That is done for many images of a network that is bound by memory. Otherwise all threads work at one operation after the other.
	Throughput bool

	// Memory, if set, holds the values of a run, together with those of programs that never run at the same time, such as that of a [Trainer]. A frozen
	// predictor needs a call of Refresh after any of them has run.
	Memory *autograd.Memory

	// MaxMemory bounds the bytes of all that the predictor keeps but the parameters; 0 means four fifths of the memory that the process may have. Of what Memory holds
	// already nothing counts. A batch is divided among threads only where that fits.
	MaxMemory int64
}

// NewPredictor builds and compiles the inference graph of a model. It returns an [*OptionError] for a batch of no images, the
// misuse of a model whose shapes do not fit together, and an [*autograd.MemoryError] if it needs too much memory.
func NewPredictor(model Module, store *Store, o PredictorOptions) (*Predictor, error) {
	input, table := o.Input, o.Table
	if err := checkBatch("predictor", input); err != nil {
		return nil, err
	}
	if err := checkModel("predictor", model, store); err != nil {
		return nil, err
	}
	if table == nil {
		active, err := kernels.Active()
		if err != nil {
			return nil, err
		}
		table = active
	}
	p := &Predictor{store: store, table: table, threads: o.Threads}
	logits, err := p.build(model, input)
	if err != nil {
		return nil, err
	}
	p.summary = autograd.Summarize(logits)
	options := autograd.Options{Threads: o.Threads, Table: table, Frozen: o.Frozen, MaxBytes: o.MaxMemory}
	divided, node := false, p.node
	if o.Throughput && divides(input[0], p.summary) {
		if divided, err = p.divide(model, input, logits.Shape(), options); err != nil {
			return nil, err
		}
	}
	if !divided {
		p.node = node
		if err := p.whole(logits, o, options); err != nil {
			return nil, err
		}
	}
	p.losses = make([]float32, input[0])
	return p, nil
}

// whole makes the predictor of one stream that takes the batch.
func (p *Predictor) whole(logits *autograd.Node, o PredictorOptions, options autograd.Options) error {
	held, made := o.Memory.Bytes(), o.Memory.Made()
	options.Memory = o.Memory
	if o.MaxMemory > 0 {
		options.MaxBytes = o.MaxMemory + held
	}
	p.streams = nil
	if err := p.compile(logits, options); err != nil {
		return err
	}
	s := p.streams[0]
	p.images, p.logits = s.images, s.logits
	if o.MaxMemory > 0 && o.Memory != nil {
		if need := p.OwnBytes() + o.Memory.Made() - made; need > o.MaxMemory {
			return &autograd.MemoryError{What: "inference", Need: need, Limit: o.MaxMemory}
		}
	}
	return nil
}

// build adds the forward pass over a batch to a new graph.
func (p *Predictor) build(model Module, input tensor.Shape) (logits *autograd.Node, err error) {
	pass := &Pass{Graph: autograd.NewGraph(), store: p.store}
	images := pass.Graph.Input("images", input...)
	err = autograd.Build(func() error {
		logits = forward(model, "predictor", pass, images)
		if s := logits.Shape(); len(s) != 2 || s[0] != input[0] {
			return refuse("predictor", "the model gives %v for a batch of %v, want %d rows of logits", s, input, input[0])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	simple, err := autograd.Simplify(logits)
	if err != nil {
		return nil, err
	}
	if p.node = simple.Node(images); p.node == nil {
		return nil, errors.New("layers: predictor: the logits do not depend on the images")
	}
	return simple.Node(logits), nil
}

// compile adds a stream that computes the logits from the images of the graph that was built last.
func (p *Predictor) compile(logits *autograd.Node, o autograd.Options) error {
	o.Outputs = []*autograd.Node{logits}
	program, err := autograd.Compile(o)
	if err != nil {
		return err
	}
	p.streams = append(p.streams, predictorStream{program, program.Tensor(p.node).Data(), program.Tensor(logits)})
	return nil
}

// What a stream computes at a time about fits a cache near the core, and is no more than some images, so that all workers have something to do.
const (
	streamBytes  = 1 << 20
	streamImages = 16
)

// divides reports whether dividing a batch pays: it has some images, and the network computes little for each byte that it moves. Convolutions of many
// channels are faster on more pixels at a time.
func divides(images int, s autograd.Summary) bool {
	const least, intensity = 8, 6 // images; FLOPs a byte
	return images >= least && s.FLOPs < intensity*s.ActivationBytes
}

// divide makes a stream for each worker, which takes a few images of the batch at a time. How many follows from shapes alone. It makes none, and says so, if
// they would need more memory than allowed.
func (p *Predictor) divide(model Module, input, output tensor.Shape, o autograd.Options) (bool, error) {
	threads := int64(p.threads.Count())
	batch := 4 * (int64(input.Elements()) + int64(output.Elements()))
	if o.MaxBytes > 0 {
		if o.MaxBytes = (o.MaxBytes - batch) / threads; o.MaxBytes < 1 {
			return false, nil
		}
	} else if most := machine.Plannable(); most > 0 {
		if o.MaxBytes = (most - batch) / threads; o.MaxBytes < 1 {
			return false, nil
		}
	}
	o.Threads = nil
	one := input.Clone()
	one[0] = 1
	logits, err := p.build(model, one)
	if err != nil {
		return false, err
	}
	if err := p.compile(logits, o); err != nil {
		return false, notMemory(err)
	}
	most := max(1, min(streamImages, input[0], int(streamBytes/max(1, p.streams[0].program.RunBytes()))))
	turns := (input[0] + most - 1) / most
	p.each = (input[0] + turns - 1) / turns // so that the last is not much smaller
	if p.each > 1 {
		p.streams = nil
		one[0] = p.each
		if logits, err = p.build(model, one); err != nil {
			return false, err
		}
	}
	// Any of the workers may take a part, also where there are fewer parts than workers.
	for len(p.streams) < p.threads.Count() {
		if err := p.compile(logits, o); err != nil {
			p.each = 0
			return false, notMemory(err)
		}
	}
	p.images, p.logits = make([]float32, input.Elements()), tensor.New(output...)
	pixels, classes := input[1:].Elements(), output[1]
	p.task = func(part, worker int) {
		s := &p.streams[worker]
		lo := part * p.each
		hi := min(lo+p.each, input[0])
		copy(s.images, p.images[lo*pixels:hi*pixels])
		if s.program.RunContext(p.ctx, 0) == nil {
			copy(p.logits.Data()[lo*classes:hi*classes], s.logits.Data())
		}
	}
	return true, nil
}

// notMemory returns an error unless it says that memory is short.
func notMemory(err error) error {
	if _, short := errors.AsType[*autograd.MemoryError](err); short {
		return nil
	}
	return err
}

// Images returns the pixels of the next batch, to be filled before each Run.
func (p *Predictor) Images() []float32 { return p.images }

// Run computes the logits of the batch, N x classes. They stay valid until the next run. It
// allocates nothing.
func (p *Predictor) Run() *tensor.Tensor {
	_ = p.RunContext(context.Background()) // which never ends
	return p.logits
}

// RunContext is [Predictor.Run] that ctx can end in the middle, with its error. Where the logits are, the last Run has said.
func (p *Predictor) RunContext(ctx context.Context) error {
	if p.each == 0 {
		return p.streams[0].program.RunContext(ctx, 0)
	}
	p.ctx = ctx
	p.threads.Run((p.logits.Shape()[0]+p.each-1)/p.each, p.task)
	p.ctx = nil
	return ctx.Err()
}

// Refresh makes the next run of a frozen predictor look at the parameters again. Others always do.
func (p *Predictor) Refresh() {
	for _, s := range p.streams {
		s.program.Refresh()
	}
}

// Score runs the batch and compares its first n rows with their labels; the other rows may
// be anything. It returns an error if n is more than the batch and wraps an [*autograd.LabelError] for a label that is no class.
func (p *Predictor) Score(labels []float32, n int) (Score, error) {
	return p.ScoreContext(context.Background(), labels, n)
}

// ScoreContext is [Predictor.Score] that ctx can end in the middle, with its error.
func (p *Predictor) ScoreContext(ctx context.Context, labels []float32, n int) (Score, error) {
	rows, classes := p.logits.Shape()[0], p.logits.Shape()[1]
	if n < 0 || n > rows || n > len(labels) {
		return Score{}, fmt.Errorf("layers: score of %d rows: the batch has %d and there are %d labels", n, rows, len(labels))
	}
	if err := checkLabels(labels[:n], classes); err != nil {
		return Score{}, err
	}
	if err := p.RunContext(ctx); err != nil {
		return Score{}, err
	}
	s := Score{Count: n}
	if n == 0 {
		return s, nil
	}
	p.table.CrossEntropy(p.losses[:n], p.logits.Data()[:n*classes], labels[:n], 0, n, classes)
	for i := range n {
		s.LossSum += float64(p.losses[i])
		if argmax(p.logits.Row(i)) == int(labels[i]) {
			s.Correct++
		}
	}
	return s, nil
}

// Summary returns the exact work of one run, for the whole batch.
func (p *Predictor) Summary() autograd.Summary { return p.summary }

// Program returns the compiled inference graph; for Throughput, that of the few images that a thread takes at a time. It is for looking at and timing; running it is
// left to this type.
func (p *Predictor) Program() *autograd.Program { return p.streams[0].program }

// Work returns the exact cost of the compiled operations of one run.
func (p *Predictor) Work() autograd.Work {
	w := p.streams[0].program.Work()
	if p.each == 0 {
		return w
	}
	n := int64((p.logits.Shape()[0] + p.each - 1) / p.each)
	return autograd.Work{FLOPs: n * w.FLOPs, MACs: n * w.MACs, Bytes: n * w.Bytes}
}

// OwnBytes returns the memory that belongs to the predictor alone: not parameters, nor what lies in the memory of its options.
func (p *Predictor) OwnBytes() int64 {
	n := int64(0)
	for _, s := range p.streams {
		n += s.program.OwnBytes()
	}
	if p.each > 0 {
		n += 4 * int64(len(p.images)+p.logits.Len())
	}
	return n
}

// Memory returns what the predictor keeps, in bytes.
func (p *Predictor) Memory() Memory {
	m := Memory{Inputs: 4 * int64(len(p.images)), Parameters: parameterBytes(p.store)}
	for _, s := range p.streams {
		m.Arena += s.program.ArenaBytes()
		m.Scratch += s.program.ScratchBytes()
		if p.each > 0 {
			m.Inputs += 4 * int64(len(s.images))
		}
	}
	return m
}

// Score is how well a model does on a number of samples.
type Score struct {
	Count, Correct int
	LossSum        float64 // of the cross-entropy, without smoothing
}

// Add includes the samples of another score.
func (s *Score) Add(o Score) {
	s.Count += o.Count
	s.Correct += o.Correct
	s.LossSum += o.LossSum
}

// Accuracy returns the share of correct samples; 0 if there are none.
func (s Score) Accuracy() float64 { return float64(s.Correct) / float64(max(s.Count, 1)) }

// Loss returns the mean cross-entropy; 0 if there are no samples.
func (s Score) Loss() float64 { return s.LossSum / float64(max(s.Count, 1)) }

// argmax returns the index of the first largest value, or -1 if one is not a number: such
// a row predicts nothing.
func argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if v != v {
			return -1
		}
		if v > row[best] {
			best = i
		}
	}
	return best
}
