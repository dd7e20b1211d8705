package bench

import (
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
)

const classes = 10

func newSubject(tb testing.TB, m Model, mode Mode, threads *kernels.Threads) *Subject {
	tb.Helper()
	s, err := NewSubject(m, mode, classes, nil, threads)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Every model learns one batch by heart and counts the parameters that its definition says.
func TestModelsLearn(t *testing.T) {
	params := map[string]int64{"small-cnn": 160 + 4640 + 15690, "resnet8": 77754, "nb201-dense": 364666, "darts-v2": 29210, "darts-supernet": 347218, "seed-cell": 729418}
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			steps := 30
			m.Input[0] = 16
			if m.Name == "seed-cell" || m.Name == "darts-supernet" {
				m.Input[0], steps = 2, 10 // a step of them costs a hundred times one of the others
			}
			if got := int64(newSubject(t, m, Infer, nil).Store.Elements()); got != params[m.Name] {
				t.Errorf("%d parameters, want %d", got, params[m.Name])
			}
			trainer := newSubject(t, m, Train, nil).trainer
			first, err := trainer.Step()
			if err != nil {
				t.Fatal(err)
			}
			loss := first
			for range steps {
				if loss, err = trainer.Step(); err != nil {
					t.Fatal(err)
				}
			}
			if loss > first/2 {
				t.Errorf("the loss of one batch went from %v to %v in %d steps", first, loss, steps)
			}
		})
	}
}

func BenchmarkTrain(b *testing.B) { benchmarkModels(b, Train) }
func BenchmarkInfer(b *testing.B) { benchmarkModels(b, Infer) }

func benchmarkModels(b *testing.B, mode Mode) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	for _, m := range Models() {
		b.Run(m.Name, func(b *testing.B) {
			s := newSubject(b, m, mode, threads)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Run(); err != nil {
					b.Fatal(err)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(s.Batch())/seconds, "img/s")
			b.ReportMetric(float64(s.Program().Work().FLOPs)/seconds/1e9, "GFLOP/s")
			b.ReportMetric(float64(s.Memory().Arena)/1e6, "arena-MB")
		})
	}
}
