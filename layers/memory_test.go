package layers

import (
	"errors"
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// refusal returns the MemoryError in err.
func refusal(t *testing.T, err error) *autograd.MemoryError {
	t.Helper()
	e, ok := errors.AsType[*autograd.MemoryError](err)
	if !ok {
		t.Fatalf("want a refusal for want of memory, have %v", err)
	}
	return e
}

func TestParametersBeyondTheLimitOfAStoreAreNotMade(t *testing.T) {
	for name, store := range map[string]*Store{"plain": NewStore(1), "shared": NewSharedStore(1)} {
		store.Limit(4 * 100)
		root := store.Root()
		param := func(path string, dims ...int) error {
			return autograd.Build(func() error { root.Param(path, Weight, Zeros, dims...); return nil })
		}
		if err := param("a", 10, 6); err != nil {
			t.Fatal(err)
		}
		if e := refusal(t, param("b", 41)); e.Need != 4*101 || e.Limit != 4*100 {
			t.Errorf("%s: %v", name, e)
		}
		for _, dims := range [][]int{{1 << 40, 1 << 40}, {1 << 31, 1 << 31}, {1 << 61}} {
			refusal(t, param("c", dims...))
		}
		if err := param("d", 40); err != nil {
			t.Errorf("%s: parameters of just the limit: %v", name, err)
		}
	}
}

// A parameter of a shared store that grows counts once, at its size now; running statistics are of the networks and do not add up.
func TestParametersOfASharedStoreCountOnce(t *testing.T) {
	store := NewSharedStore(1)
	store.Limit(4 * 100)
	root := store.Root()
	err := autograd.Build(func() error {
		for n := 1; n <= 50; n++ {
			root.Param("w", Weight, Zeros, n)
			root.Param("mean", Buffer, Zeros, 50)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Without limits of the caller's those of the machine hold.
func TestNothingIsPlannedBeyondTheMachine(t *testing.T) {
	huge := tensor.Shape{1 << 40, 12}
	store := NewStore(1)
	model := NewLinear(store.Root(), 12, 3)
	for _, throughput := range []bool{false, true} {
		_, err := NewPredictor(model, store, PredictorOptions{Input: huge, Throughput: throughput})
		refusal(t, err)
	}
	o := testOptions()
	o.Input, o.Classes = huge, 3
	_, err := NewTrainer(model, store, o)
	refusal(t, err)
	err = autograd.Build(func() error { NewLinear(store.Root().Sub("more"), 1<<30, 1<<30); return nil })
	refusal(t, err)
}

// A trainer and a predictor that take turns in one memory give the values of those that have memory of their own, and take little more than the
// trainer alone.
func TestTrainerAndPredictorShareMemory(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		var memory autograd.Memory
		var losses [2][]float64
		var logits [2][]float32
		for i, shared := range []*autograd.Memory{nil, &memory} {
			store := NewStore(1)
			model := testNet(store)
			o := testOptions()
			o.Memory = shared
			tr, err := NewTrainer(model, store, o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := NewPredictor(model, store, PredictorOptions{Input: testInput, Frozen: frozen, Memory: shared})
			if err != nil {
				t.Fatal(err)
			}
			if shared != nil && (memory.Made() != tr.Memory().Arena+tr.Memory().Scratch || p.Program().OwnBytes() >= p.Memory().Arena+p.Memory().Inputs) {
				t.Errorf("%d bytes of memory for a trainer that needs %+v and a predictor that needs %+v, of which %d its own", memory.Made(), tr.Memory(), p.Memory(), p.Program().OwnBytes())
			}
			for step := range 3 {
				for j := range tr.Images() {
					tr.Images()[j] = float32((j+step)%7) - 3
				}
				for j := range tr.Labels() {
					tr.Labels()[j] = float32(j % o.Classes)
				}
				loss, err := tr.Step()
				if err != nil {
					t.Fatal(err)
				}
				losses[i] = append(losses[i], loss)
				copy(p.Images(), tr.Images())
				p.Refresh()
				logits[i] = append(logits[i], p.Run().Data()...)
				logits[i] = append(logits[i], p.Run().Data()...)
			}
		}
		if !slices.Equal(losses[0], losses[1]) || !slices.Equal(logits[0], logits[1]) {
			t.Errorf("frozen %v: sharing memory changes values", frozen)
		}
	}
}

// A bound on the memory of a predictor holds, with memory shared or not; a batch is divided only where it allows that.
func TestMemoryOfAPredictorIsBounded(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	store := NewStore(1)
	model := testNet(store)
	predictor := func(o PredictorOptions) (*Predictor, error) {
		o.Input, o.Threads = testInput, threads
		return NewPredictor(model, store, o)
	}
	for _, throughput := range []bool{false, true} {
		p, err := predictor(PredictorOptions{Throughput: throughput})
		if err != nil {
			t.Fatal(err)
		}
		need := p.Memory().Total() - p.Memory().Parameters
		if _, err := predictor(PredictorOptions{Throughput: throughput, MaxMemory: 2 * need}); err != nil {
			t.Errorf("twice what is needed: %v", err)
		}
		q, err := predictor(PredictorOptions{Throughput: throughput, MaxMemory: need / 20})
		if err == nil {
			t.Errorf("a predictor of %+v in %d bytes", q.Memory(), need/20)
		} else {
			refusal(t, err)
		}
	}
	var memory autograd.Memory
	if _, err := predictor(PredictorOptions{Memory: &memory}); err != nil {
		t.Fatal(err)
	}
	p, err := predictor(PredictorOptions{Memory: &memory})
	if err != nil {
		t.Fatal(err)
	}
	own := p.Program().OwnBytes()
	if _, err := predictor(PredictorOptions{Memory: &memory, MaxMemory: own}); err != nil {
		t.Errorf("just what it needs beside the shared memory: %v", err)
	}
	_, err = predictor(PredictorOptions{Memory: &memory, MaxMemory: own - 1})
	if e := refusal(t, err); e.Need < own {
		t.Error(e)
	}
}

// Where the streams of a divided batch do not fit, and one program for the batch does, there is that program, and the logits are the same.
func TestABatchIsDividedOnlyWhereMemoryAllows(t *testing.T) {
	threads := kernels.NewThreads(16)
	defer threads.Close()
	store := NewStore(1)
	model := testNet(store)
	var logits [2][]float32
	for i, shared := range []*autograd.Memory{nil, {}} {
		o := PredictorOptions{Input: testInput, Threads: threads, Throughput: true, Frozen: true}
		if shared != nil {
			whole, err := NewPredictor(model, store, PredictorOptions{Input: testInput, Threads: threads, Frozen: true, Memory: shared})
			if err != nil {
				t.Fatal(err)
			}
			o.Memory, o.MaxMemory = shared, whole.Program().OwnBytes()
		}
		p, err := NewPredictor(model, store, o)
		if err != nil {
			t.Fatal(err)
		}
		if divided := p.each > 0; divided != (shared == nil) {
			t.Errorf("divided: %v, with %d bytes allowed", divided, o.MaxMemory)
		}
		for j := range p.Images() {
			p.Images()[j] = float32(j%7) - 3
		}
		logits[i] = append(logits[i], p.Run().Data()...)
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Error("the logits differ")
	}
}
