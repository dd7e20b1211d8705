package evaluator

import (
	"context"
	"errors"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// scoreBatch bounds the batch of a measurement, whose results do not depend on it: its memory stays below that of
// any training.
const scoreBatch = 256

// scorer measures a model on one split.
type scorer struct {
	loader    *dataset.Loader
	predictor *layers.Predictor
	bytes     int64 // beside what it shares
}

// newScorer plans it within some bytes of memory, beside what memory holds already; it gives an *autograd.MemoryError if that is too little. With a memory to
// share, nothing else that is in it may run at the same time.
func newScorer(m *Model, s *dataset.Split, batch int, threads *kernels.Threads, memory *autograd.Memory, room int64) (*scorer, error) {
	batch = min(batch, s.Len(), scoreBatch)
	loading := dataset.LoaderOptions{Batch: batch, Stats: m.Stats}
	ready, made := loading.Bytes(s), memory.Made()
	if room <= ready {
		return nil, &autograd.MemoryError{What: "measuring", Need: ready + scoreImages(s, batch), Limit: room}
	}
	predictor, err := layers.NewPredictor(m.Module, m.Store, layers.PredictorOptions{
		Input: tensor.Shape{batch, s.Height, s.Width, s.Channels}, Threads: threads, Frozen: true, Throughput: true, Memory: memory, MaxMemory: room - ready,
	})
	if short, ok := errors.AsType[*autograd.MemoryError](err); ok {
		return nil, &autograd.MemoryError{What: "measuring", Need: short.Need + ready, Limit: room}
	}
	if err != nil {
		return nil, err
	}
	loader, err := dataset.NewLoader(s, loading)
	if err != nil {
		return nil, err
	}
	return &scorer{loader, predictor, ready + predictor.OwnBytes() + memory.Made() - made}, nil
}

// scoreImages returns the bytes of the batches of a measurement: those that the loader prepares, and the one that is measured.
func scoreImages(s *dataset.Split, batch int) int64 {
	batch = min(batch, s.Len(), scoreBatch)
	return dataset.LoaderOptions{Batch: batch}.Bytes(s) + 4*int64(batch)*int64(s.Height*s.Width*s.Channels)
}

func (s *scorer) close() { s.loader.Close() }

// score runs over the whole split, with the weights as they are now.
func (s *scorer) score(ctx context.Context) (layers.Score, error) {
	var total layers.Score
	s.predictor.Refresh()
	s.loader.Start(0)
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		images, labels, n, ok := s.loader.Next()
		if !ok {
			return total, nil
		}
		copy(s.predictor.Images(), images)
		part, err := s.predictor.ScoreContext(ctx, labels, n)
		if err != nil {
			return total, err
		}
		total.Add(part)
	}
}
