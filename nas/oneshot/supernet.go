package oneshot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// Supernet is the shared weights of all networks of a space, with what trains and evaluates them. It is not safe for concurrent use.
//
// A path is compiled when it is needed. All programs share one arena, and those of training steps are kept for paths that come
// again, as they do in small spaces.
type Supernet struct {
	o      Options
	table  *kernels.Table
	store  *layers.Store
	update *updater
	memory autograd.Memory
	room   int64 // bytes for the plan of a path; 0 if the memory of the machine is not known
	cache  *cache
	shape  tensor.Shape // of a batch

	teacher     *dataset.Loader
	judge       *dataset.Loader
	judged      int
	calibration [][]float32 // images of the batches of recalibration

	// What a checkpoint holds beside parameters and velocities.
	epochs  []Epoch
	ended   bool
	elapsed time.Duration // of the training
}

// NewSupernet builds a supernet that is not trained, or as it was saved in the checkpoint if there is one. Close it after use.
func NewSupernet(o Options) (*Supernet, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	table, err := kernels.Active()
	if err != nil {
		return nil, err
	}
	n := &Supernet{o: o, table: table, store: layers.NewSharedStore(stream.Seed(o.Seed, "oneshot weights"))}
	if o.Widths == SeparateWidths {
		n.store.SeparateWidths()
	}
	n.update = newUpdater(table, o.Momentum, o.WeightDecay)
	if err := n.load(); err != nil {
		n.Close()
		return nil, err
	}
	if err := n.restore(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// load divides the images and prepares their batches.
func (n *Supernet) load() (err error) {
	o := &n.o
	if o.Stats.Mean == nil {
		o.Stats = dataset.Measure(o.Train)
	}
	if o.Judge == nil {
		if o.Train, o.Judge, err = dataset.SplitStratified(o.Train, 0.2, stream.Seed(o.Seed, "oneshot judge")); err != nil {
			return fmt.Errorf("oneshot: images to compare paths on: %w", err)
		}
	}
	judge := o.Judge
	if o.JudgeImages > 0 && o.JudgeImages < judge.Len() {
		share := float64(o.JudgeImages) / float64(judge.Len())
		if _, judge, err = dataset.SplitStratified(judge, share, stream.Seed(o.Seed, "oneshot judged")); err != nil {
			return fmt.Errorf("oneshot: images to compare paths on: %w", err)
		}
	}
	if judge.Len() == 0 || o.Train.Len() == 0 {
		return errors.New("oneshot: no images to compare paths on")
	}
	n.judged = judge.Len()
	batch := min(o.Batch, o.Train.Len())
	n.shape = tensor.Shape{batch, o.Train.Height, o.Train.Width, o.Train.Channels}
	teaching := dataset.LoaderOptions{
		Batch: batch, Seed: stream.Seed(o.Seed, "oneshot images"), Shuffle: true, DropLast: true, Augment: o.Augment, Stats: o.Stats,
	}
	judging := dataset.LoaderOptions{Batch: batch, Stats: o.Stats}
	recalibrating := min(o.Recalibration, teaching.Batches(o.Train))
	if err := n.plan(2*teaching.Bytes(o.Train) + judging.Bytes(judge) + 4*int64(recalibrating)*int64(n.shape.Elements())); err != nil {
		return err
	}
	if n.teacher, err = dataset.NewLoader(o.Train, teaching); err != nil {
		return err
	}
	if n.judge, err = dataset.NewLoader(judge, judging); err != nil {
		return err
	}
	// Paths are judged on images as they are, so statistics are of such images too.
	teaching.Seed, teaching.Augment = stream.Seed(o.Seed, "oneshot recalibration"), dataset.Augment{}
	plain, err := dataset.NewLoader(o.Train, teaching)
	if err != nil {
		return err
	}
	defer plain.Close()
	plain.Start(0)
	for range o.Recalibration {
		images, _, _, ok := plain.Next()
		if !ok {
			break
		}
		n.calibration = append(n.calibration, append([]float32(nil), images...))
	}
	return nil
}

// plan divides the memory, of which batches take so many bytes: of the rest, a quarter is for the shared weights and their velocities, at most an eighth for programs
// that are kept, and what is left for the plan of a path. All of it is fixed before anything is learned, so that the paths that are trained do not depend on where a
// training was interrupted.
func (n *Supernet) plan(batches int64) error {
	most := n.o.MaxMemory
	if most == 0 {
		most = machine.Plannable()
	}
	kept := n.o.CacheBytes
	if most > 0 {
		room := most - batches
		if room < 8 {
			return fmt.Errorf("oneshot: %w", &autograd.MemoryError{What: "holding batches ready", Need: batches, Limit: most})
		}
		n.store.Limit(room / 8)
		kept = min(kept, room/8)
		n.room = room - room/4 - kept
	}
	n.cache = newCache(kept, &n.memory)
	return nil
}

// Close ends the preparation of batches.
func (n *Supernet) Close() {
	for _, l := range []*dataset.Loader{n.teacher, n.judge} {
		if l != nil {
			l.Close()
		}
	}
}

// Store returns the shared parameters.
func (n *Supernet) Store() *layers.Store { return n.store }

// Trained reports whether the training is over.
func (n *Supernet) Trained() bool { return n.ended }

// SamplePath draws a path like a random architecture: every choice with equal probability, under the constraints.
func (n *Supernet) SamplePath(rng *rand.Rand) (space.Genome, error) { return n.o.Space.Random(rng) }

// SampleGroup draws the paths of one training step: one by uniform sampling, or a fair group. drawn counts those that were left out too.
func (n *Supernet) SampleGroup(rng *rand.Rand) (paths []space.Genome, drawn int, err error) {
	if s, ok := n.o.Space.(space.Shareable); ok && n.o.Sampling == Strict {
		return s.Group(rng), s.Choices(), nil
	}
	g, err := n.SamplePath(rng)
	if err != nil {
		return nil, 0, err
	}
	return []space.Genome{g}, 1, nil
}

// ForwardWithPath returns the logits of images (any number, N x H x W x C, normalised by Options.Stats) on a path with inherited weights:
// N x classes. The path's running statistics are computed first. The supernet grows no more after it.
func (n *Supernet) ForwardWithPath(images *tensor.Tensor, path space.Genome) (*tensor.Tensor, error) {
	s := images.Shape()
	if len(s) != 4 || !s[1:].Equal(n.shape[1:]) || !images.Contiguous() {
		return nil, fmt.Errorf("oneshot: images %v, want N x %v side by side", s, n.shape[1:])
	}
	p, err := n.infer(context.Background(), path)
	if err != nil {
		return nil, err
	}
	classes := len(n.o.Train.Classes)
	out := tensor.New(s[0], classes)
	size := s[1:].Elements()
	for at := 0; at < s[0]; at += n.shape[0] {
		count := min(n.shape[0], s[0]-at)
		copy(p.images, images.Data()[at*size:(at+count)*size])
		p.Run(0)
		copy(out.Data()[at*classes:(at+count)*classes], p.logits.Data())
	}
	return out, nil
}

// Evaluate returns what a path reaches with inherited weights on the images that compare paths. A path that does not fit into the memory
// has a Reason instead. The supernet grows no more after it.
func (n *Supernet) Evaluate(ctx context.Context, path space.Genome) (Path, error) {
	out := Path{Genome: path.String(), Images: n.judged}
	p, err := n.infer(ctx, path)
	var memory *autograd.MemoryError
	if errors.As(err, &memory) {
		out.Reason = memory.Error()
		return out, nil
	}
	if err != nil {
		return out, err
	}
	classes := len(n.o.Train.Classes)
	losses := make([]float32, n.shape[0])
	correct, sum := 0, 0.0
	n.judge.Start(0)
	for {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		images, labels, count, ok := n.judge.Next()
		if !ok {
			break
		}
		copy(p.images, images)
		if err := p.RunContext(ctx, 0); err != nil {
			return out, err
		}
		n.table.CrossEntropy(losses[:count], p.logits.Data()[:count*classes], labels[:count], 0, count, classes)
		for i := range count {
			sum += float64(losses[i])
			if best(p.logits.Row(i)) == int(labels[i]) {
				correct++
			}
		}
	}
	out.Accuracy, out.Loss = float64(correct)/float64(n.judged), sum/float64(n.judged)
	if !finite(out.Loss) {
		return Path{Genome: out.Genome, Images: n.judged, Reason: "the loss is not finite"}, nil
	}
	return out, nil
}

// best returns the index of the first largest value; -1 if one is not a number.
func best(row []float32) int {
	at := 0
	for i, v := range row {
		if v != v {
			return -1
		}
		if v > row[at] {
			at = i
		}
	}
	return at
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
