package darts

import (
	"context"
	"fmt"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/tensor"
)

// pointsPerEpoch is how often the trajectory is written down.
const pointsPerEpoch = 4

// search is the state of one search.
type search struct {
	o          Options
	relaxation *space.Relaxation
	bilevel    *bilevel
	teach      *dataset.Loader // images of the weights
	judge      *dataset.Loader // images of the alphas
	fixed      [2][]float32    // images and labels that the eigenvalue is taken on
	steps      int             // of one epoch

	// What a checkpoint holds beside the parameters.
	done       int // epochs
	trajectory []Point

	trainLoss, archLoss sum // since the last point
	stopped             string
	back                int // the point to take
}

// sum averages losses.
type sum struct {
	total float64
	n     int
}

func (s *sum) add(v float64) { s.total, s.n = s.total+v, s.n+1 }

// take returns the mean and begins anew.
func (s *sum) take() float64 {
	mean := s.total / float64(max(s.n, 1))
	*s = sum{}
	return mean
}

// Search searches, and returns the genome that the architecture ends with, or, if the constraints of the space do not allow that one,
// the last one of the trajectory that they do. With the error of ctx nothing is lost but the epoch that was not finished,
// if there is a checkpoint.
func Search(ctx context.Context, o Options) (*Result, error) {
	s, err := newSearch(o)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.result()
}

func newSearch(o Options) (*search, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	relaxable, err := Relaxable(o.Space)
	if err != nil {
		return nil, err
	}
	s := &search{o: o, back: -1}
	if s.relaxation, err = relaxable.Relax(o.Size); err != nil {
		return nil, err
	}
	if o.Stats.Mean == nil {
		o.Stats = dataset.Measure(o.Train)
	}
	weights, alphas, err := dataset.SplitStratified(o.Train, 0.5, stream.Seed(o.Seed, "darts halves"))
	if err != nil {
		return nil, fmt.Errorf("darts: two halves of the training images: %w", err)
	}
	batch := min(o.Batch, weights.Len(), alphas.Len())
	load := func(of *dataset.Split, name string, a dataset.Augment) (*dataset.Loader, error) {
		return dataset.NewLoader(of, dataset.LoaderOptions{
			Batch: batch, Seed: stream.Seed(o.Seed, "darts "+name), Shuffle: true, DropLast: true, Augment: a, Stats: o.Stats,
		})
	}
	if s.teach, err = load(weights, "weights", o.Augment); err != nil {
		return s, err
	}
	if s.judge, err = load(alphas, "alphas", dataset.Augment{}); err != nil {
		return s, err
	}
	s.steps = min(s.teach.Batches(), s.judge.Batches())
	shape := tensor.Shape{batch, o.Train.Height, o.Train.Width, o.Train.Channels}
	if s.bilevel, err = newBilevel(s.relaxation, &s.o, shape, len(o.Train.Classes)); err != nil {
		return s, err
	}
	s.judge.Start(0)
	images, labels, _, _ := s.judge.Next()
	s.fixed = [2][]float32{append([]float32(nil), images...), append([]float32(nil), labels...)}
	return s, s.restore()
}

func (s *search) close() {
	for _, l := range []*dataset.Loader{s.teach, s.judge} {
		if l != nil {
			l.Close()
		}
	}
}

// run makes the epochs that are not done yet.
func (s *search) run(ctx context.Context) error {
	for s.done < s.o.Epochs && s.stopped == "" {
		if err := s.epoch(ctx, s.done+1); err != nil {
			return err
		}
		s.done++
		if err := s.save(); err != nil {
			return err
		}
	}
	return nil
}

// total is the number of steps of the whole search.
func (s *search) total() int { return s.steps * s.o.Epochs }

// warm is the number of steps before the first of the alphas.
func (s *search) warm() int { return int(s.o.WarmUp * float64(s.total())) }

// epoch makes the steps of one epoch, and stops the search at its end if it collapses.
func (s *search) epoch(ctx context.Context, epoch int) error {
	s.teach.Start(epoch)
	s.judge.Start(epoch)
	rate := layers.CosineRate(s.o.LearningRate, s.o.FinalRate)
	b := s.bilevel
	for i := range s.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		images, labels, _, ok := s.teach.Next()
		if !ok {
			return fmt.Errorf("darts: the images of the weights end at step %d of %d", i, s.steps)
		}
		b.learn.load(images, labels)
		if images, labels, _, ok = s.judge.Next(); !ok {
			return fmt.Errorf("darts: the images of the alphas end at step %d of %d", i, s.steps)
		}
		step := s.done*s.steps + i
		b.mixer.set(&s.o, float64(step)/float64(s.total()))
		now := rate(step, s.total())
		if step >= s.warm() {
			if s.o.SecondOrder {
				b.both.load(images, labels)
			} else {
				b.choose.load(images, labels)
			}
			loss, err := b.teachArch(now)
			if err != nil {
				return fmt.Errorf("%w (epoch %d, step %d)", err, epoch, i+1)
			}
			s.archLoss.add(loss)
		}
		loss, err := b.teachWeights(now)
		if err != nil {
			return fmt.Errorf("%w (epoch %d, step %d)", err, epoch, i+1)
		}
		s.trainLoss.add(loss)
		if s.o.Progress != nil {
			s.o.Progress(Step{Epoch: epoch, Step: i + 1, Steps: s.steps, Loss: loss})
		}
		if quarter := (i + 1) * pointsPerEpoch; quarter/s.steps > (quarter-pointsPerEpoch)/s.steps {
			if err := s.point(epoch, step+1); err != nil || s.stopped != "" {
				return err
			}
		}
	}
	s.guard()
	return nil
}

// guard stops the search, at the end of an epoch, and goes back if the eigenvalue says that it collapses.
func (s *search) guard() {
	if !s.o.EigenvalueStop {
		return
	}
	if back, stop := collapsing(s.trajectory, s.firstMoved()); stop {
		p := s.trajectory[back]
		s.back, s.stopped = back, fmt.Sprintf("the dominant eigenvalue has risen since epoch %d, step %d", p.Epoch, p.Step)
	}
}

// point writes down where the search stands, and stops it if its time is up.
func (s *search) point(epoch, step int) error {
	b := s.bilevel
	p := Point{Epoch: epoch, Step: step, TrainLoss: s.trainLoss.take(), ArchLoss: s.archLoss.take()}
	p.Alphas, p.Betas = b.mixer.rows()
	p.Entropy = entropy(shares(s.relaxation, p.Alphas, nil, s.coldness()))
	g, skips, err := s.genome(p)
	if err != nil {
		return err
	}
	p.Genome, p.Skips = g.String(), skips
	if s.o.EigenvalueStop {
		b.choose.load(s.fixed[0], s.fixed[1])
		iterations := laterIterations
		if len(s.trajectory) == 0 {
			iterations = firstIterations
		}
		p.Eigenvalue = b.eigenvalue(iterations)
	}
	s.trajectory = append(s.trajectory, p)
	if s.o.Report != nil {
		s.o.Report(p)
	}
	if !s.o.Deadline.IsZero() && step < s.total() && time.Now().After(s.o.Deadline) {
		s.stopped = "the time is up"
	}
	return nil
}

// firstMoved returns the first point after the alphas began to move.
func (s *search) firstMoved() int {
	for i, p := range s.trajectory {
		if p.Step > s.warm() {
			return i
		}
	}
	return len(s.trajectory)
}

func (s *search) coldness() float64 { return float64(s.bilevel.mixer.coldness.Data()[0]) }

// genome returns that of a point.
func (s *search) genome(p Point) (space.Genome, int, error) {
	choices, skips := discretize(s.relaxation, shares(s.relaxation, p.Alphas, p.Betas, s.coldness()), s.o.MaxSkips)
	g, err := s.relaxation.Genome(choices)
	return g, skips, err
}

// result takes the genome of the last point, or of the one that the search went back to.
func (s *search) result() (*Result, error) {
	r := &Result{Trajectory: s.trajectory, Operations: s.relaxation.Operations, Stopped: s.stopped, Point: len(s.trajectory) - 1}
	if s.back >= 0 {
		r.Point = s.back
	}
	var refused error
	for ; r.Point >= 0; r.Point-- {
		g, err := s.o.Space.Parse(s.trajectory[r.Point].Genome)
		if err != nil {
			return nil, err
		}
		if err := s.o.Space.Check(g); err == nil {
			r.Genome = g
			return r, nil
		} else if refused == nil {
			refused = fmt.Errorf("darts: %v, which was found, is not allowed: %w", g, err)
		}
	}
	return nil, refused
}
