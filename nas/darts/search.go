package darts

import (
	"context"
	"fmt"
	"math"
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

	allowed []int     // choices within the constraints
	begun   time.Time // when this call began to make steps
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

// TimeError says that the deadline came before the alphas began to move.
type TimeError struct {
	Need time.Duration // from the start until they do, about; 0 if no step was made from which that could be told
}

// Error says how long it would take.
func (e *TimeError) Error() string {
	if e.Need == 0 {
		return "darts: the time is too short for a step of the mixture"
	}
	return fmt.Sprintf("darts: the time is too short for the mixture, whose alphas begin to move after about %.1f s", e.Need.Seconds())
}

// Search searches, and returns the genome that the architecture ends with: within the constraints of the space the one of the largest
// weight. If there is none it returns a *[BoundsError] before it begins, and a *[TimeError] if the deadline comes before anything is learned.
// With the error of ctx nothing is lost but the epoch that was not finished, if there is a checkpoint.
func Search(ctx context.Context, o Options) (*Result, error) {
	s, err := newSearch(ctx, o)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.result(ctx)
}

func newSearch(ctx context.Context, o Options) (*search, error) {
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
	if s.allowed, err = anyAllowed(ctx, s.relaxation, &o); err != nil {
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
	ready := int64(0) // bytes of the loaders
	load := func(of *dataset.Split, name string, a dataset.Augment) (*dataset.Loader, error) {
		loading := dataset.LoaderOptions{
			Batch: batch, Seed: stream.Seed(o.Seed, "darts "+name), Shuffle: true, DropLast: true, Augment: a, Stats: o.Stats,
		}
		ready += loading.Bytes(of)
		return dataset.NewLoader(of, loading)
	}
	if s.teach, err = load(weights, "weights", o.Augment); err != nil {
		return s, err
	}
	if s.judge, err = load(alphas, "alphas", dataset.Augment{}); err != nil {
		return s, err
	}
	s.steps = min(s.teach.Batches(), s.judge.Batches())
	shape := tensor.Shape{batch, o.Train.Height, o.Train.Width, o.Train.Channels}
	if s.bilevel, err = newBilevel(s.relaxation, &s.o, shape, len(o.Train.Classes), ready); err != nil {
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
	s.begun = time.Now()
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

// epoch makes the steps of one epoch, and stops the search at its end if it collapses, or anywhere if its time is up.
func (s *search) epoch(ctx context.Context, epoch int) error {
	s.teach.Start(epoch)
	s.judge.Start(epoch)
	limited := ctx // also ends at the deadline, in the middle of a step
	if !s.o.Deadline.IsZero() {
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadline(ctx, s.o.Deadline)
		defer cancel()
	}
	for i := range s.steps {
		made, err := i, limited.Err()
		if err == nil {
			err = s.step(limited, epoch, i)
		}
		if quarter := (i + 1) * pointsPerEpoch; err == nil && quarter/s.steps > (quarter-pointsPerEpoch)/s.steps {
			made, err = i+1, s.point(limited, epoch, s.done*s.steps+i+1)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return s.late(ctx, epoch, made)
		default:
			return err
		}
	}
	s.guard()
	return nil
}

// step makes step i of an epoch: one of the alphas, unless they still wait, and one of the weights.
func (s *search) step(ctx context.Context, epoch, i int) error {
	b := s.bilevel
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
	rate := layers.CosineRate(s.o.LearningRate, s.o.FinalRate)(step, s.total())
	if step >= s.warm() {
		if s.o.SecondOrder {
			b.both.load(images, labels)
		} else {
			b.choose.load(images, labels)
		}
		loss, err := b.teachArch(ctx, rate)
		if err != nil {
			return fmt.Errorf("%w (epoch %d, step %d)", err, epoch, i+1)
		}
		s.archLoss.add(loss)
	}
	loss, err := b.teachWeights(ctx, rate)
	if err != nil {
		return fmt.Errorf("%w (epoch %d, step %d)", err, epoch, i+1)
	}
	s.trainLoss.add(loss)
	if s.o.Progress != nil {
		s.o.Progress(Step{Epoch: epoch, Step: i + 1, Steps: s.steps, Loss: loss})
	}
	return nil
}

// late stops the search at the deadline, after so many whole steps of an epoch.
func (s *search) late(ctx context.Context, epoch, made int) error {
	step := s.done*s.steps + made
	if step <= s.warm() {
		e := &TimeError{}
		if made > 0 {
			need := float64(time.Since(s.begun)) / float64(made) * float64(s.warm()+1)
			e.Need = time.Duration(min(need, math.MaxInt64/2))
		}
		return e
	}
	s.stopped = "the time is up"
	if n := len(s.trajectory); n > 0 && s.trajectory[n-1].Step == step {
		return nil
	}
	return s.point(ctx, epoch, step)
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

// point writes down where the search stands.
func (s *search) point(ctx context.Context, epoch, step int) error {
	b := s.bilevel
	p := Point{Epoch: epoch, Step: step}
	p.Alphas, p.Betas = b.mixer.rows()
	p.Entropy = entropy(shares(s.relaxation, p.Alphas, nil, s.coldness()))
	g, skips, err := s.genome(ctx, p)
	if err != nil {
		return err
	}
	p.Genome, p.Skips = g.String(), skips
	if s.o.EigenvalueStop && s.stopped == "" {
		b.choose.load(s.fixed[0], s.fixed[1])
		iterations := laterIterations
		if len(s.trajectory) == 0 {
			iterations = firstIterations
		}
		if p.Eigenvalue, err = b.eigenvalue(ctx, iterations); err != nil {
			return err
		}
	}
	p.TrainLoss, p.ArchLoss = s.trainLoss.take(), s.archLoss.take()
	if err := p.check(); err != nil {
		return err
	}
	s.trajectory = append(s.trajectory, p)
	if s.o.Report != nil {
		s.o.Report(p)
	}
	return nil
}

// check returns an error if the search has left all that can be written down: weights of which the loss has no curvature that is a number, or alphas beyond a float32.
func (p *Point) check() error {
	fail := func(what string, v float64) error {
		return fmt.Errorf("darts: the search diverged: %s %g; a lower learning rate may help (epoch %d, step %d)", what, v, p.Epoch, p.Step)
	}
	for _, v := range []struct {
		what  string
		value float64
	}{
		{"loss of the weights", p.TrainLoss}, {"loss of the alphas", p.ArchLoss}, {"eigenvalue", p.Eigenvalue}, {"entropy", p.Entropy},
	} {
		if !finite(v.value) {
			return fail(v.what, v.value)
		}
	}
	for _, rows := range [][][]float32{p.Alphas, p.Betas} {
		for _, row := range rows {
			for _, v := range row {
				if !finite(float64(v)) {
					return fail("an alpha", float64(v))
				}
			}
		}
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

// genome returns that of a point: the one that its alphas stand for, or, if the constraints do not allow it, the one of the largest weight that
// they do.
func (s *search) genome(ctx context.Context, p Point) (space.Genome, int, error) {
	of := shares(s.relaxation, p.Alphas, p.Betas, s.coldness())
	choices, skips := discretize(s.relaxation, of, s.o.MaxSkips)
	g, err := s.relaxation.Genome(choices)
	if err != nil || s.o.Space.Check(g) == nil {
		return g, skips, err
	}
	if choices, err = allowed(ctx, s.relaxation, &s.o, of, s.allowed); err != nil {
		return nil, 0, err
	}
	skips = 0
	for _, c := range choices {
		if c >= 0 && c == s.relaxation.Skip {
			skips++
		}
	}
	g, err = s.relaxation.Genome(choices)
	return g, skips, err
}

// result takes the genome of the last point, or of the one that the search went back to. Where a checkpoint of an earlier version has genomes that
// are not allowed, it takes the last one before that is.
func (s *search) result(ctx context.Context) (*Result, error) {
	r := &Result{Trajectory: s.trajectory, Operations: s.relaxation.Operations, Stopped: s.stopped, Point: len(s.trajectory) - 1}
	if s.back >= 0 {
		r.Point = s.back
	}
	last := r.Point
	for ; r.Point >= 0; r.Point-- {
		g, err := s.o.Space.Parse(s.trajectory[r.Point].Genome)
		if err != nil {
			return nil, err
		}
		if s.o.Space.Check(g) == nil {
			r.Genome = g
			return r, nil
		}
	}
	r.Point = last
	var err error
	r.Genome, _, err = s.genome(ctx, s.trajectory[last])
	return r, err
}
