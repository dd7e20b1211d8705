package evaluator

import (
	"context"

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
}

func newScorer(m *Model, s *dataset.Split, batch int, threads *kernels.Threads) (*scorer, error) {
	batch = min(batch, s.Len(), scoreBatch)
	predictor, err := layers.NewPredictor(m.Module, m.Store, layers.PredictorOptions{
		Input: tensor.Shape{batch, s.Height, s.Width, s.Channels}, Threads: threads, Frozen: true, Throughput: true,
	})
	if err != nil {
		return nil, err
	}
	loader, err := dataset.NewLoader(s, dataset.LoaderOptions{Batch: batch, Stats: m.Stats})
	if err != nil {
		return nil, err
	}
	return &scorer{loader, predictor}, nil
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
