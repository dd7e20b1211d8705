package dataset

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// LoaderOptions says what batches a [Loader] makes.
type LoaderOptions struct {
	Batch    int     // samples in a batch
	Seed     uint64  // of order and augmentation
	Shuffle  bool    // a new order every epoch; otherwise the order of the split
	Augment  Augment // zero for none
	Stats    Stats   // normalisation; zero scales pixels to 0..1 only
	Ahead    int     // batches prepared before they are asked for; zero means 3
	DropLast bool    // leave out a last batch that is not full
}

// Loader prepares batches in one background goroutine, in a ring of buffers that are
// allocated once. The batches of an epoch depend on the split, the options and the
// epoch alone. Its methods must be called by one goroutine at a time.
type Loader struct {
	split *Split
	o     LoaderOptions
	table []float32
	order []int

	free  chan *batch
	ready chan *batch
	held  *batch // what the last Next returned

	quit    chan struct{} // closed to stop the running epoch
	running sync.WaitGroup
	closed  bool
}

type batch struct {
	images, labels []float32
	n              int
}

// NewLoader returns a loader over a split; [Loader.Start] begins an epoch.
func NewLoader(s *Split, o LoaderOptions) (*Loader, error) {
	switch {
	case s == nil || s.Len() == 0:
		return nil, errors.New("dataset: a loader of no samples")
	case o.Batch < 1:
		return nil, fmt.Errorf("dataset: a batch of %d samples", o.Batch)
	case o.DropLast && o.Batch > s.Len():
		return nil, fmt.Errorf("dataset: %d samples do not fill a batch of %d", s.Len(), o.Batch)
	case o.Ahead < 0:
		return nil, fmt.Errorf("dataset: %d batches ahead", o.Ahead)
	}
	if n := len(o.Stats.Mean); n != len(o.Stats.Std) || n != 0 && n != s.Channels {
		return nil, fmt.Errorf("dataset: statistics of %d means and %d deviations for images of %d channels", n, len(o.Stats.Std), s.Channels)
	}
	for c, std := range o.Stats.Std {
		if mean := o.Stats.Mean[c]; !(std > 0 && std <= math.MaxFloat32) || !(abs(mean) <= math.MaxFloat32) {
			return nil, fmt.Errorf("dataset: channel %d has mean %g and deviation %g, want finite numbers and a deviation above 0", c, mean, std)
		}
	}
	if err := o.Augment.check(s.Height, s.Width); err != nil {
		return nil, err
	}
	ring := o.ring(s)
	l := &Loader{
		split: s, o: o,
		table: o.Stats.table(s.Channels),
		order: make([]int, s.Len()),
		free:  make(chan *batch, ring),
		ready: make(chan *batch, ring),
	}
	size := min(o.Batch, s.Len())
	for range ring {
		l.free <- &batch{
			images: make([]float32, size*s.Height*s.Width*s.Channels),
			labels: make([]float32, size),
		}
	}
	return l, nil
}

// Bytes returns the memory that a loader with these options over a split takes: its ready batches, and the order of the samples.
func (o LoaderOptions) Bytes(s *Split) int64 {
	return int64(o.ring(s))*int64(min(o.Batch, s.Len()))*4*int64(s.Height*s.Width*s.Channels+1) + 8*int64(s.Len())
}

// ring returns the number of buffers: one more than are prepared ahead, for the batch that the caller holds.
func (o LoaderOptions) ring(s *Split) int {
	ahead := o.Ahead
	if ahead == 0 {
		ahead = 3
	}
	return min(ahead, batches(s.Len(), o)) + 1
}

// Batches returns the number of batches that a loader with these options makes of a split in an epoch.
func (o LoaderOptions) Batches(s *Split) int { return batches(s.Len(), o) }

func batches(n int, o LoaderOptions) int {
	if o.DropLast {
		return n / o.Batch
	}
	return (n-1)/o.Batch + 1 // n is not 0
}

func abs(x float32) float32 { return max(x, -x) }

// Batches returns the number of batches in an epoch.
func (l *Loader) Batches() int { return batches(l.split.Len(), l.o) }

// Samples returns the number of samples in an epoch.
func (l *Loader) Samples() int {
	if l.o.DropLast {
		return l.Batches() * l.o.Batch
	}
	return l.split.Len()
}

// Start begins an epoch. An epoch under way is given up; slices from Next are no
// longer valid. After Close it does nothing.
func (l *Loader) Start(epoch int) {
	if l.closed {
		return
	}
	l.stop()
	l.quit = make(chan struct{})
	l.running.Add(1)
	go l.produce(uint64(epoch), l.quit)
}

// Next returns the next batch: n images, N x H x W x C, normalised, and their labels
// as class indices. n is the batch size, or less for the last batch. ok is false at
// the end of the epoch. The slices are valid until the next call of any method.
func (l *Loader) Next() (images, labels []float32, n int, ok bool) {
	if l.quit == nil {
		return nil, nil, 0, false
	}
	l.release()
	b := <-l.ready
	if b == nil {
		l.stop()
		return nil, nil, 0, false
	}
	l.held = b
	return b.images[:b.n*len(b.images)/len(b.labels)], b.labels[:b.n], b.n, true
}

// Close stops the background goroutine, also in the middle of an epoch, and waits for
// its end. Next returns false from then on. Close may be called again.
func (l *Loader) Close() {
	l.stop()
	l.closed = true
}

func (l *Loader) release() {
	if l.held != nil {
		l.free <- l.held
		l.held = nil
	}
}

// stop ends the running epoch, if any, and takes all buffers back.
func (l *Loader) stop() {
	l.release()
	if l.quit == nil {
		return
	}
	close(l.quit)
	l.running.Wait()
	l.quit = nil
	for {
		select {
		case b := <-l.ready:
			if b != nil {
				l.free <- b
			}
		default:
			return
		}
	}
}

// produce prepares the batches of an epoch and then sends nil. Both channels have room
// for every buffer and the nil, so that only the wait for a free buffer blocks.
func (l *Loader) produce(epoch uint64, quit <-chan struct{}) {
	defer l.running.Done()
	for i := range l.order {
		l.order[i] = i
	}
	if l.o.Shuffle {
		rng := stream.New(l.o.Seed, "dataset/shuffle", epoch)
		rng.Shuffle(len(l.order), func(i, j int) { l.order[i], l.order[j] = l.order[j], l.order[i] })
	}
	for i := range l.Batches() {
		select {
		case b := <-l.free:
			if !l.fill(b, epoch, l.order[i*l.o.Batch:min((i+1)*l.o.Batch, len(l.order))], quit) {
				l.free <- b
				return
			}
			l.ready <- b
		case <-quit:
			return
		}
	}
	select {
	case l.ready <- nil:
	case <-quit:
	}
}

// fill prepares one batch; it gives up, and says so, when quit is closed.
func (l *Loader) fill(b *batch, epoch uint64, samples []int, quit <-chan struct{}) bool {
	s := l.split
	size := s.Height * s.Width * s.Channels
	b.n = len(samples)
	for i, sample := range samples {
		if i%16 == 0 {
			select {
			case <-quit:
				return false
			default:
			}
		}
		c := l.o.Augment.choose(l.o.Seed, epoch, sample, s.Height, s.Width)
		c.render(b.images[i*size:(i+1)*size], s.Image(sample), s.Height, s.Width, s.Channels, l.table)
		b.labels[i] = float32(s.Label(sample))
	}
	return true
}
