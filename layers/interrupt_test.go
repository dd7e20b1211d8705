package layers

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
)

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func after(t *testing.T, asks int64) *countdown {
	c := &countdown{Context: t.Context()}
	c.left.Store(asks)
	return c
}

// stateOf copies everything that a checkpoint would hold.
func stateOf(tr *Trainer, store *Store) []float32 {
	var out []float32
	for _, p := range store.All() {
		out = append(out, p.Value.Data()...)
	}
	for _, s := range tr.optimizer.State() {
		out = append(out, s.Value.Data()...)
	}
	for _, s := range tr.ema.State() {
		out = append(out, s.Value.Data()...)
	}
	return append(out, float32(tr.Steps()))
}

// A step that is ended in the middle, wherever that is, is not made: running statistics are as before, and the training goes on to the bits that it
// would have had.
func TestAStepThatIsInterruptedIsNotMade(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	o := testOptions()
	o.Threads = threads
	plain, _, plainStore := newTrainer(t, o)
	fillBatch(plain.Images(), plain.Labels(), 1)
	if _, err := plain.Step(); err != nil {
		t.Fatal(err)
	}
	tr, _, store := newTrainer(t, o)
	fillBatch(tr.Images(), tr.Labels(), 1)
	asks := int64(0)
	for ; ; asks++ {
		before := stateOf(tr, store)
		_, err := tr.StepContext(after(t, asks))
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if !slices.Equal(before, stateOf(tr, store)) {
			t.Fatalf("interrupted at ask %d, the step left something behind", asks)
		}
	}
	if asks < 10 {
		t.Errorf("a step asks its context %d times", asks)
	}
	if !slices.Equal(stateOf(tr, store), stateOf(plain, plainStore)) {
		t.Error("after interrupted steps the training has other bits")
	}
}

func TestPredictionsEndInTheMiddle(t *testing.T) {
	store := NewStore(4)
	model := testNet(store)
	threads := kernels.NewThreads(2)
	defer threads.Close()
	labels := make([]float32, testInput[0])
	for _, throughput := range []bool{false, true} {
		p, err := NewPredictor(model, store, PredictorOptions{Input: testInput, Threads: threads, Frozen: true, Throughput: throughput})
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Images() {
			p.Images()[i] = float32(i%11) / 11
		}
		stopped := 0
		var got Score
		for asks := int64(0); ; asks++ {
			got, err = p.ScoreContext(after(t, asks), labels, len(labels))
			if err == nil {
				break
			}
			stopped++
		}
		want, err := p.Score(labels, len(labels))
		if err != nil || stopped < 2 || got != want {
			t.Errorf("throughput %t: %+v after %d interruptions, want %+v, %v", throughput, got, stopped, want, err)
		}
	}
}
