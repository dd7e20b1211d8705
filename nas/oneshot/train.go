package oneshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
)

// Train makes the epochs that are not made yet. With the error of ctx nothing is lost but the epoch that was not finished, if there
// is a checkpoint.
func (n *Supernet) Train(ctx context.Context) error {
	for !n.ended {
		if err := n.epoch(ctx, len(n.epochs)+1); err != nil {
			return err
		}
		if err := n.save(); err != nil {
			return err
		}
	}
	return nil
}

// share is how much of the schedule lies before a step: by steps, or by time if that is further.
func (n *Supernet) share(step int, spent time.Duration) float64 {
	share := float64(step) / float64(n.teacher.Batches()*n.o.Epochs)
	if n.o.TrainTime > 0 {
		share = max(share, float64(spent)/float64(n.o.TrainTime))
	}
	return min(share, 1)
}

// rate returns the learning rate after a share of the schedule.
func (n *Supernet) rate(share float64) float64 {
	if w := n.o.WarmUp; share < w {
		return n.o.LearningRate * (0.02 + 0.98*share/w)
	} else if w > 0 {
		share = (share - w) / (1 - w)
	}
	const parts = 1 << 20 // of which a schedule counts whole ones
	return layers.CosineRate(n.o.LearningRate, 0)(int(share*parts), parts)
}

func (n *Supernet) epoch(ctx context.Context, number int) error {
	begun := time.Now()
	steps := n.teacher.Batches()
	e := Epoch{Epoch: number}
	sum := 0.0
	n.teacher.Start(number)
	share := 0.0
	for i := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		images, labels, _, ok := n.teacher.Next()
		if !ok {
			return fmt.Errorf("oneshot: the images end at step %d of %d", i, steps)
		}
		step := (number-1)*steps + i
		share = n.share(step, n.elapsed+time.Since(begun))
		if share == 1 { // by time
			break
		}
		e.LearningRate = n.rate(share)
		loss, trained, drawn, err := n.step(ctx, uint64(step), images, labels, e.LearningRate)
		if err != nil {
			return fmt.Errorf("%w (epoch %d, step %d)", err, number, i+1)
		}
		sum += loss
		e.Paths += trained
		e.LeftOut += drawn - trained
		if n.o.Progress != nil {
			n.o.Progress(Step{Epoch: number, Step: i + 1, Steps: steps, Share: share, Loss: loss / float64(max(trained, 1))})
		}
	}
	n.elapsed += time.Since(begun)
	e.Loss = sum / float64(max(e.Paths, 1))
	e.Params, e.Seconds = n.store.Elements(), n.elapsed.Seconds()
	n.ended = number == n.o.Epochs || share == 1
	e.Last = n.ended
	n.epochs = append(n.epochs, e)
	if n.o.Report != nil {
		n.o.Report(e)
	}
	return nil
}

// pathTries bounds how often a path is drawn again that does not fit into the memory.
const pathTries = 100

// step makes one update on a batch and returns the sum of the losses of its paths, and how many were trained and drawn.
func (n *Supernet) step(ctx context.Context, step uint64, images, labels []float32, rate float64) (sum float64, trained, drawn int, err error) {
	for try := uint64(0); trained == 0; try++ {
		if try == pathTries {
			return 0, 0, drawn, fmt.Errorf("oneshot: none of %d paths that were drawn for a step could be trained: constraints or memory do not allow them", drawn)
		}
		paths, count, err := n.SampleGroup(stream.New(n.o.Seed, "oneshot paths", step, try))
		if err != nil {
			return 0, 0, drawn, err
		}
		drawn += count
		for _, g := range paths {
			loss, err := n.learn(ctx, g, step, images, labels)
			var memory *autograd.MemoryError
			if errors.As(err, &memory) {
				continue
			}
			if err != nil {
				n.update.forget()
				return 0, 0, drawn, err
			}
			sum += loss
			trained++
		}
	}
	n.update.apply(rate)
	return sum, trained, drawn, nil
}

// learn adds the gradients of one path to the step.
func (n *Supernet) learn(ctx context.Context, g space.Genome, step uint64, images, labels []float32) (float64, error) {
	p, err := n.teach(g)
	if err != nil {
		return 0, err
	}
	copy(p.images, images)
	copy(p.labels, labels)
	if err := p.RunContext(ctx, step); err != nil {
		return 0, err
	}
	loss, norm := float64(p.loss[0]), p.norm.Compute()
	if !finite(loss) || !finite(norm) {
		return loss, fmt.Errorf("oneshot: the training diverged: loss %g, norm of the gradients %g on %v; a lower learning rate may help", loss, norm, g)
	}
	scale := float32(layers.ClipScale(norm, n.o.ClipNorm))
	for i := range p.weights {
		n.update.add(p.weights[i].parameter, p.weights[i].gradient, scale)
	}
	return loss, nil
}
