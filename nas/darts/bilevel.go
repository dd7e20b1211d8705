package darts

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// bilevel is the mixture with its two optimisers.
type bilevel struct {
	o       *Options
	store   *layers.Store
	mixer   *mixer
	weights []*layers.Parameter
	arch    []*layers.Parameter

	learn  *program // gradients of the weights
	choose *program // of the architecture
	both   *program // of both; nil in first order

	sgd, adam layers.Optimizer
	norm      *layers.GradNorm
	saved     [][]float32 // weights, in second order
	level     kernels.Level
	archGrads []*tensor.Tensor

	eigenvector *tensor.Tensor // of the Hessian for the architecture, as far as it is known
}

// program computes the loss of a batch and some of its gradients.
type program struct {
	*autograd.Program
	images, labels []float32
	loss           []float32
	grads          []*tensor.Tensor
	runs           uint64
}

// run computes and returns the loss. The error is that of ctx.
func (p *program) run(ctx context.Context) (float64, error) {
	if err := p.RunContext(ctx, p.runs); err != nil {
		return 0, err
	}
	p.runs++
	return float64(p.loss[0]), nil
}

// load copies a batch in.
func (p *program) load(images, labels []float32) {
	copy(p.images, images)
	copy(p.labels, labels)
}

// newBilevel makes it within the memory of the options, of which some bytes are taken by others. The programs for the weights and for the architecture run by turns, and what
// one leaves is read before the other runs, so they share memory; the gradients of the program of second order are read after the others have run.
func newBilevel(r *space.Relaxation, o *Options, batch tensor.Shape, classes int, taken int64) (*bilevel, error) {
	table, err := kernels.Active()
	if err != nil {
		return nil, err
	}
	b := &bilevel{o: o, level: table.Level, store: layers.NewStore(stream.Seed(o.Seed, "darts weights"))}
	most := o.MaxMemory
	if most == 0 {
		most = machine.Plannable()
	}
	if most > 0 {
		b.store.Limit(most)
	}
	var module layers.Module
	err = autograd.Build(func() (err error) {
		if b.mixer, err = newMixer(b.store.Root(), r, o); err == nil {
			module = r.Build(b.store.Root(), b.mixer)
		}
		return err
	})
	if err != nil {
		return nil, shortOfMemory(err, taken, most)
	}
	pass := &layers.Pass{Graph: autograd.NewGraph(), Training: true}
	images := pass.Graph.Input("images", batch...)
	labels := pass.Graph.Input("labels", batch[0])
	var loss *autograd.Node
	err = autograd.Build(func() error {
		logits := module.Forward(pass, images)
		if want := (tensor.Shape{batch[0], classes}); !logits.Shape().Equal(want) {
			return fmt.Errorf("darts: the mixture gives %v, want logits %v", logits.Shape(), want)
		}
		loss = autograd.CrossEntropy(logits, labels, 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	simple, err := autograd.Simplify(loss)
	if err != nil {
		return nil, err
	}
	pass.Graph = simple.Graph
	loss, images, labels = simple.Node(loss), simple.Node(images), simple.Node(labels)
	weightGrads, err := b.differentiate(pass, loss, false)
	if err != nil {
		return nil, err
	}
	archGrads, err := b.differentiate(pass, loss, true)
	if err != nil {
		return nil, err
	}
	for _, p := range b.store.All() {
		taken += 2 * 4 * int64(p.Value.Len()) // with the velocity
		if o.SecondOrder {
			taken += 4 * int64(p.Value.Len()) // saved
		}
	}
	var memory autograd.Memory
	compile := func(share *autograd.Memory, grads ...*autograd.Node) (*program, error) {
		room := int64(0)
		if most > 0 {
			room = max(most-taken, 1)
		}
		p, err := autograd.Compile(autograd.Options{
			Outputs: append([]*autograd.Node{loss}, grads...), Threads: o.Threads, Table: table, MaxBytes: room, Memory: share,
		})
		if err != nil {
			return nil, shortOfMemory(err, taken, most)
		}
		out := &program{Program: p, images: p.Tensor(images).Data(), labels: p.Tensor(labels).Data(), loss: p.Tensor(loss).Data()}
		for _, g := range grads {
			out.grads = append(out.grads, p.Tensor(g))
		}
		return out, nil
	}
	if b.learn, err = compile(&memory, weightGrads...); err != nil {
		return nil, err
	}
	taken += b.learn.OwnBytes()
	if b.choose, err = compile(&memory, archGrads...); err != nil {
		return nil, err
	}
	taken += b.choose.OwnBytes()
	if memory.Made() > memory.Bytes() { // what was made for the first is too small for the second
		if b.learn, err = compile(&memory, weightGrads...); err != nil {
			return nil, err
		}
	}
	if o.SecondOrder {
		taken += memory.Bytes()
		if b.both, err = compile(nil, append(weightGrads, archGrads...)...); err != nil {
			return nil, err
		}
		for _, p := range b.weights {
			b.saved = append(b.saved, make([]float32, p.Value.Len()))
		}
	}
	for _, p := range b.arch {
		b.archGrads = append(b.archGrads, tensor.New(p.Value.Shape()...))
	}
	b.eigenvector = b.newEigenvector()
	b.norm = layers.NewGradNorm(b.learn.grads, table, o.Threads)
	if b.sgd, err = (layers.SGD{Momentum: o.Momentum, WeightDecay: o.WeightDecay}).New(b.weights, table, o.Threads); err != nil {
		return nil, err
	}
	// Decay is added to the gradient, not decoupled, as in the paper.
	b.adam, err = layers.AdamW{Beta1: 0.5, Beta2: 0.999}.New(b.arch, table, o.Threads)
	return b, err
}

// shortOfMemory makes the need and the limit of a program those of the whole search, of which so much is taken by other things.
func shortOfMemory(err error, taken, most int64) error {
	if short, ok := errors.AsType[*autograd.MemoryError](err); ok {
		return fmt.Errorf("darts: %w", &autograd.MemoryError{What: "the mixture", Need: short.Need + taken, Limit: most})
	}
	return err
}

// differentiate adds the gradients of the architecture, or of the weights. Parameters that the loss does not depend on are
// left alone.
func (b *bilevel) differentiate(pass *layers.Pass, loss *autograd.Node, arch bool) ([]*autograd.Node, error) {
	var params []*layers.Parameter
	var variables []*autograd.Node
	for _, p := range b.store.Trainable() {
		if isArch(p) == arch {
			params = append(params, p)
			variables = append(variables, pass.Param(p))
		}
	}
	all, err := autograd.Grad(loss, variables)
	if err != nil {
		return nil, err
	}
	var grads []*autograd.Node
	for i, g := range all {
		if g == nil {
			continue
		}
		grads = append(grads, g)
		if arch {
			b.arch = append(b.arch, params[i])
		} else {
			b.weights = append(b.weights, params[i])
		}
	}
	return grads, nil
}

// teachWeights makes one step of the weights on the batch that is loaded in learn, and returns its loss.
// With the error of ctx it makes none.
func (b *bilevel) teachWeights(ctx context.Context, rate float64) (float64, error) {
	loss, err := b.learn.run(ctx)
	if err != nil {
		return loss, err
	}
	norm := b.norm.Compute()
	if !finite(loss) || !finite(norm) {
		return loss, fmt.Errorf("darts: the search diverged: loss %g, norm of the gradients %g; a lower learning rate may help", loss, norm)
	}
	b.sgd.Step(rate, layers.ClipScale(norm, b.o.ClipNorm), b.learn.grads)
	return loss, nil
}

// teachArch makes one step of the architecture and returns the loss of its batch, which is loaded in choose, or in both
// in second order; then the batch of the weights is loaded in learn. With the error of ctx it makes none.
func (b *bilevel) teachArch(ctx context.Context, rate float64) (float64, error) {
	loss, err := b.archGradient(ctx, rate)
	if err != nil {
		return loss, err
	}
	for i, p := range b.arch {
		g := b.archGrads[i].Data()
		for j, a := range p.Value.Data() {
			g[j] += float32(b.o.AlphaDecay) * a
		}
	}
	b.adam.Step(b.o.AlphaRate, 1, b.archGrads)
	return loss, nil
}

// archGradient fills archGrads. rate is that of the weights.
func (b *bilevel) archGradient(ctx context.Context, rate float64) (loss float64, err error) {
	if b.o.SecondOrder {
		if loss, err = b.unrolledGradient(ctx, rate); err != nil {
			return loss, err
		}
	} else {
		if loss, err = b.choose.run(ctx); err != nil {
			return loss, err
		}
		for i, g := range b.choose.grads {
			copy(b.archGrads[i].Data(), g.Data())
		}
	}
	if !finite(loss) {
		return loss, fmt.Errorf("darts: the search diverged: loss %g on the images of the alphas; a lower learning rate may help", loss)
	}
	for _, g := range b.archGrads {
		for _, v := range g.Data() {
			if !finite(float64(v)) {
				return loss, fmt.Errorf("darts: the search diverged: gradient %g of an alpha, loss %g; a lower learning rate may help", v, loss)
			}
		}
	}
	return loss, nil
}

// unrolledGradient is the gradient of L_val(w', alpha) with w' = w - rate*(momentum*v + dL_train/dw + decay*w), the weights after
// their next step: that of alpha itself less rate times the product of the mixed second derivative of L_train with the gradient
// for w'. The product is a difference of two gradients, at w plus and minus a small step along that gradient (equation 8; the step is
// that of section 2.3).
func (b *bilevel) unrolledGradient(ctx context.Context, rate float64) (float64, error) {
	if _, err := b.learn.run(ctx); err != nil {
		return 0, err
	}
	velocity := b.sgd.State()
	for i, p := range b.weights {
		w, v, g := p.Value.Data(), velocity[i].Value.Data(), b.learn.grads[i].Data()
		copy(b.saved[i], w)
		decay := float32(0)
		if p.Kind == layers.Weight {
			decay = float32(b.o.WeightDecay)
		}
		for j := range w {
			w[j] -= float32(rate) * (float32(b.o.Momentum)*v[j] + g[j] + decay*w[j])
		}
	}
	n := len(b.weights)
	direction := b.both.grads[:n]
	loss, err := b.both.run(ctx)
	if err != nil {
		b.step(direction, 0)
		return loss, err
	}
	for i, g := range b.both.grads[n:] {
		copy(b.archGrads[i].Data(), g.Data())
	}
	norm := 0.0
	for _, g := range direction {
		for _, v := range g.Data() {
			norm += float64(v) * float64(v)
		}
	}
	if norm = math.Sqrt(norm); norm == 0 || !finite(norm) {
		b.step(direction, 0)
		return loss, nil
	}
	epsilon := 0.01 / norm
	copy(b.choose.images, b.learn.images)
	copy(b.choose.labels, b.learn.labels)
	for _, sign := range []float64{1, -1} {
		b.step(direction, sign*epsilon)
		if _, err := b.choose.run(ctx); err != nil {
			b.step(direction, 0)
			return loss, err
		}
		for i, g := range b.choose.grads {
			into := b.archGrads[i].Data()
			for j, v := range g.Data() {
				into[j] -= float32(rate * sign * float64(v) / (2 * epsilon))
			}
		}
	}
	b.step(direction, 0)
	return loss, nil
}

// step puts the weights where they were saved, plus so much of a direction.
func (b *bilevel) step(direction []*tensor.Tensor, by float64) {
	for i, p := range b.weights {
		w, d := p.Value.Data(), direction[i].Data()
		copy(w, b.saved[i])
		if by == 0 {
			continue
		}
		for j := range w {
			w[j] += float32(by * float64(d[j]))
		}
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
