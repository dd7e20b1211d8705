package layers

import (
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// Predictor runs a model for inference on batches of one shape, over the same parameters that a [Trainer] of
// the store updates. It is not safe for concurrent use, nor at the same time as a training step.
type Predictor struct {
	store   *Store
	program *autograd.Program
	summary autograd.Summary
	images  []float32
	logits  *tensor.Tensor
	losses  []float32
	table   *kernels.Table
}

// PredictorOptions says how a model is run.
type PredictorOptions struct {
	Input   tensor.Shape     // of one batch: N x H x W x C
	Threads *kernels.Threads // nil runs on the caller's thread
	Table   *kernels.Table   // nil takes that of kernels.Active

	// Frozen promises that parameters do not change between runs, unless Refresh is called after they did. Batch norms are then
	// folded into convolutions, and weights put in the order in which they are read, once instead of in every run.
	Frozen bool
}

// NewPredictor builds and compiles the inference graph of a model. It returns an error if shapes do not fit together.
func NewPredictor(model Module, store *Store, o PredictorOptions) (*Predictor, error) {
	input, table := o.Input, o.Table
	if err := checkBatch("predictor", input); err != nil {
		return nil, err
	}
	if table == nil {
		active, err := kernels.Active()
		if err != nil {
			return nil, err
		}
		table = active
	}
	pass := &Pass{Graph: autograd.NewGraph(), store: store}
	images := pass.Graph.Input("images", input...)
	var logits *autograd.Node
	err := autograd.Build(func() error {
		logits = model.Forward(pass, images)
		if s := logits.Shape(); len(s) != 2 || s[0] != input[0] {
			return fmt.Errorf("layers: predictor: the model gives %v for a batch of %v, want %d rows of logits", s, input, input[0])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p := &Predictor{store: store, table: table, summary: autograd.Summarize(logits), losses: make([]float32, input[0])}
	simple, err := autograd.Simplify(logits)
	if err != nil {
		return nil, err
	}
	images, logits = simple.Node(images), simple.Node(logits)
	if images == nil {
		return nil, errors.New("layers: predictor: the logits do not depend on the images")
	}
	if p.program, err = autograd.Compile(autograd.Options{Outputs: []*autograd.Node{logits}, Threads: o.Threads, Table: table, Frozen: o.Frozen}); err != nil {
		return nil, err
	}
	p.images, p.logits = p.program.Tensor(images).Data(), p.program.Tensor(logits)
	return p, nil
}

// Images returns the pixels of the next batch, to be filled before each Run.
func (p *Predictor) Images() []float32 { return p.images }

// Run computes the logits of the batch, N x classes. They stay valid until the next run. It
// allocates nothing.
func (p *Predictor) Run() *tensor.Tensor {
	p.program.Run(0)
	return p.logits
}

// Refresh makes the next run of a frozen predictor look at the parameters again. Others always do.
func (p *Predictor) Refresh() { p.program.Refresh() }

// Score runs the batch and compares its first n rows with their labels; the other rows may
// be anything. It returns an error if n is more than the batch or a label is not a class.
func (p *Predictor) Score(labels []float32, n int) (Score, error) {
	rows, classes := p.logits.Shape()[0], p.logits.Shape()[1]
	if n < 0 || n > rows || n > len(labels) {
		return Score{}, fmt.Errorf("layers: score of %d rows: the batch has %d and there are %d labels", n, rows, len(labels))
	}
	if err := checkLabels(labels[:n], classes); err != nil {
		return Score{}, err
	}
	p.Run()
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

// Program returns the compiled inference graph. It is for looking at and timing; running it is left to this type.
func (p *Predictor) Program() *autograd.Program { return p.program }

// Memory returns what the predictor keeps, in bytes.
func (p *Predictor) Memory() Memory {
	return Memory{Arena: p.program.ArenaBytes(), Inputs: 4 * int64(len(p.images)), Parameters: parameterBytes(p.store)}
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
