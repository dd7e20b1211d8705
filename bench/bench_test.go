package bench

import (
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
)

const classes = 10

// fillBatch writes random images and labels.
func fillBatch(images, labels []float32) {
	rng := stream.New(1, "bench batch")
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = float32(rng.IntN(classes))
	}
}

func newTrainer(tb testing.TB, m Model, threads *kernels.Threads) *layers.Trainer {
	tb.Helper()
	store := layers.NewStore(1)
	t, err := layers.NewTrainer(m.Build(store.Root(), classes), store, layers.TrainerOptions{
		Input: m.Input, Classes: classes, Optimizer: layers.SGD{Momentum: 0.9}, Schedule: layers.ConstantRate(0.03), Steps: 1000, Threads: threads,
	})
	if err != nil {
		tb.Fatal(err)
	}
	fillBatch(t.Images(), t.Labels())
	return t
}

func newPredictor(tb testing.TB, m Model, threads *kernels.Threads) *layers.Predictor {
	tb.Helper()
	store := layers.NewStore(1)
	p, err := layers.NewPredictor(m.Build(store.Root(), classes), store, m.Input, threads)
	if err != nil {
		tb.Fatal(err)
	}
	fillBatch(p.Images(), nil)
	return p
}

// Every model learns one batch by heart and counts the parameters that its definition says.
func TestModelsLearn(t *testing.T) {
	params := map[string]int64{"small-cnn": 160 + 4640 + 15690, "resnet8": 77754}
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			m.Input[0] = 16
			if got := newPredictor(t, m, nil).Summary().Params; got != params[m.Name] {
				t.Errorf("%d parameters, want %d", got, params[m.Name])
			}
			trainer := newTrainer(t, m, nil)
			first, err := trainer.Step()
			if err != nil {
				t.Fatal(err)
			}
			loss := first
			for range 30 {
				if loss, err = trainer.Step(); err != nil {
					t.Fatal(err)
				}
			}
			if loss > first/2 {
				t.Errorf("the loss of one batch went from %v to %v in 30 steps", first, loss)
			}
		})
	}
}

func BenchmarkTrain(b *testing.B) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	for _, m := range Models() {
		b.Run(m.Name, func(b *testing.B) {
			trainer := newTrainer(b, m, threads)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trainer.Step(); err != nil {
					b.Fatal(err)
				}
			}
			report(b, m, trainer.Work().FLOPs, trainer.Memory().Arena)
		})
	}
}

func BenchmarkInfer(b *testing.B) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	for _, m := range Models() {
		b.Run(m.Name, func(b *testing.B) {
			p := newPredictor(b, m, threads)
			b.ReportAllocs()
			for b.Loop() {
				p.Run()
			}
			report(b, m, p.Summary().FLOPs, p.Memory().Arena)
		})
	}
}

func report(b *testing.B, m Model, flops, arena int64) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(m.Input[0])/seconds, "img/s")
	b.ReportMetric(float64(flops)/seconds/1e9, "GFLOP/s")
	b.ReportMetric(float64(arena)/1e6, "arena-MB")
}
