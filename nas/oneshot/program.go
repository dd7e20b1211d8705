package oneshot

import (
	"context"
	"fmt"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// program computes the loss of a batch on one path and the gradients of the weights that the path has.
type program struct {
	*autograd.Program
	genome         string
	images, labels []float32
	loss           []float32
	weights        []weight
	norm           *layers.GradNorm
	bytes          int64 // about, without the arena
}

// weight is a block of a parameter with its gradient.
type weight struct {
	parameter *layers.Parameter
	value     *tensor.Tensor // of the whole parameter when the program was compiled
	gradient  *tensor.Tensor
}

// stale reports whether a parameter has moved since the program was compiled.
func (p *program) stale() bool {
	for i := range p.weights {
		if w := &p.weights[i]; w.parameter.Value != w.value {
			return true
		}
	}
	return false
}

// nodeBytes is about what a node of a compiled program takes beside its values.
const nodeBytes = 2 << 10

// build makes the network of a path over the shared weights, which may grow.
func (n *Supernet) build(g space.Genome) (module layers.Module, err error) {
	err = autograd.Build(func() (err error) {
		module, err = n.o.Space.Build(g, n.store.Root())
		return err
	})
	return module, err
}

// teach returns the training step of a path.
func (n *Supernet) teach(g space.Genome) (*program, error) {
	text := g.String()
	if p := n.cache.get(text); p != nil {
		return p, nil
	}
	module, err := n.build(g)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	pass := &layers.Pass{Graph: autograd.NewGraph(), Training: true}
	images := pass.Graph.Input("images", n.shape...)
	labels := pass.Graph.Input("labels", n.shape[0])
	var loss *autograd.Node
	err = autograd.Build(func() error {
		logits := module.Forward(pass, images)
		if err := n.checkLogits(logits); err != nil {
			return err
		}
		loss = autograd.CrossEntropy(logits, labels, 0)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	simple, err := autograd.Simplify(loss)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	p := &program{genome: text}
	var variables []*autograd.Node
	for _, u := range pass.Uses() {
		if node := simple.Node(u.Node); node != nil && u.Parameter.Kind != layers.Buffer {
			variables = append(variables, node)
			p.weights = append(p.weights, weight{parameter: u.Parameter, value: u.Parameter.Value})
		}
	}
	loss = simple.Node(loss)
	grads, err := autograd.Grad(loss, variables)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	outputs := []*autograd.Node{loss}
	kept := p.weights[:0]
	for i, g := range grads {
		if g != nil {
			outputs = append(outputs, g)
			kept = append(kept, p.weights[i])
		}
	}
	p.weights = kept
	p.Program, err = autograd.Compile(autograd.Options{
		Outputs: outputs, Threads: n.o.Threads, Table: n.table, Memory: &n.memory, MaxBytes: n.room, Seed: n.o.Seed,
	})
	if err != nil {
		return nil, err // a *autograd.MemoryError is looked at
	}
	var gradients []*tensor.Tensor
	for i := range p.weights {
		p.weights[i].gradient = p.Tensor(outputs[1+i])
		gradients = append(gradients, p.weights[i].gradient)
	}
	p.norm = layers.NewGradNorm(gradients, n.table, n.o.Threads)
	p.loss = p.Tensor(loss).Data()
	p.labels = p.Tensor(simple.Node(labels)).Data()
	input := simple.Node(images)
	if input == nil {
		return nil, fmt.Errorf("oneshot: %v: the loss does not depend on the images", g)
	}
	p.images = p.Tensor(input).Data()
	p.bytes = 4*int64(len(p.images)) + nodeBytes*int64(len(p.Nodes()))
	n.cache.put(p)
	return p, nil
}

func (n *Supernet) checkLogits(logits *autograd.Node) error {
	if want := (tensor.Shape{n.shape[0], len(n.o.Train.Classes)}); !logits.Shape().Equal(want) {
		return fmt.Errorf("oneshot: a path gives %v, want logits %v", logits.Shape(), want)
	}
	return nil
}

// inference is a path with inherited weights and running statistics of its own.
type inference struct {
	*autograd.Program
	images []float32
	logits *tensor.Tensor
}

// infer builds a path and recalibrates its batch norms.
func (n *Supernet) infer(ctx context.Context, g space.Genome) (*inference, error) {
	n.store.Freeze()
	module, err := n.build(g)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	// With a momentum of 1 the statistics after a batch are those of the batch.
	pass := &layers.Pass{Graph: autograd.NewGraph(), Training: true, Momentum: 1}
	observe, err := n.forward(pass, module)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	if err := n.recalibrate(ctx, pass, observe); err != nil {
		return nil, err
	}
	p, err := n.forward(&layers.Pass{Graph: autograd.NewGraph()}, module)
	if err != nil {
		return nil, fmt.Errorf("oneshot: %v: %w", g, err)
	}
	return p, nil
}

// forward compiles the logits of a path.
func (n *Supernet) forward(pass *layers.Pass, module layers.Module) (*inference, error) {
	images := pass.Graph.Input("images", n.shape...)
	var logits *autograd.Node
	err := autograd.Build(func() error {
		logits = module.Forward(pass, images)
		return n.checkLogits(logits)
	})
	if err != nil {
		return nil, err
	}
	simple, err := autograd.Simplify(logits)
	if err != nil {
		return nil, err
	}
	p := &inference{}
	p.Program, err = autograd.Compile(autograd.Options{
		Outputs: []*autograd.Node{simple.Node(logits)}, Threads: n.o.Threads, Table: n.table, Memory: &n.memory, MaxBytes: n.room,
	})
	if err != nil {
		return nil, err
	}
	input := simple.Node(images)
	if input == nil {
		return nil, fmt.Errorf("oneshot: the logits do not depend on the images")
	}
	p.images, p.logits = p.Tensor(input).Data(), p.Tensor(simple.Node(logits))
	return p, nil
}

// recalibrate gives the batch norms of a path the means of mean and variance over the batches of recalibration.
func (n *Supernet) recalibrate(ctx context.Context, pass *layers.Pass, observe *inference) error {
	var buffers []*tensor.Tensor
	var sums [][]float64
	for _, u := range pass.Uses() {
		if u.Parameter.Kind == layers.Buffer {
			buffers = append(buffers, u.Parameter.Value)
			sums = append(sums, make([]float64, u.Parameter.Value.Len()))
		}
	}
	if len(buffers) == 0 {
		return nil
	}
	for _, batch := range n.calibration {
		for _, b := range buffers {
			clear(b.Data()) // a batch replaces what stands here exactly
		}
		copy(observe.images, batch)
		if err := observe.RunContext(ctx, 0); err != nil {
			return err
		}
		for i, b := range buffers {
			for j, v := range b.Data() {
				sums[i][j] += float64(v)
			}
		}
	}
	for i, b := range buffers {
		for j, sum := range sums[i] {
			b.Data()[j] = float32(sum / float64(len(n.calibration)))
		}
	}
	return nil
}
