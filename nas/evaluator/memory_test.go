package evaluator

import (
	"errors"
	"os"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/study"
)

// Whatever a training is allowed, it plans no more than that, measuring and the batches made ready included, or is refused; and it is not refused what it
// planned before. A bound changes no result.
func TestATrainingPlansNoMoreMemoryThanAllowed(t *testing.T) {
	if os.Getenv(kernels.LevelVariable) == kernels.Generic.String() {
		t.Skip("slow at this level, and plans of levels differ in scratch memory alone: tested where the level is the machine's own")
	}
	threads := kernels.NewThreads(2)
	defer threads.Close()
	o := trainingOptions(t)
	o.Threads, o.Test, o.Epochs = threads, nil, 1
	refused, tight := 0, 0
	for i := range uint64(12) {
		g, err := o.Space.Random(stream.New(i, "memory test"))
		if err != nil {
			t.Fatal(err)
		}
		o.Genome, o.MaxMemory = g, 0
		plain := newTraining(t, o)
		need := plain.Memory()
		want, err := plain.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, share := range []int64{100, 95, 90, 80, 60, 30} {
			o.MaxMemory = need * share / 100
			work, err := NewTraining(o)
			if _, ok := errors.AsType[*study.Failure](err); ok && share < 100 {
				refused++
				continue
			}
			if err != nil {
				t.Fatalf("%v in %d of %d bytes: %v", g, o.MaxMemory, need, err)
			}
			if n := work.Memory(); n > o.MaxMemory {
				t.Errorf("%v: %d bytes are planned, %d allowed", g, n, o.MaxMemory)
			}
			if share < 100 {
				tight++
			}
			got, err := work.Run(t.Context())
			work.Close()
			if err != nil {
				t.Fatal(err)
			}
			if got.Metrics.TrainLoss != want.Metrics.TrainLoss || got.Metrics.ValLoss != want.Metrics.ValLoss {
				t.Errorf("%v: in %d of %d bytes the losses are %v, %v, otherwise %v, %v", g, o.MaxMemory, need, got.Metrics.TrainLoss, got.Metrics.ValLoss, want.Metrics.TrainLoss, want.Metrics.ValLoss)
			}
		}
	}
	if refused < 10 || tight < 5 {
		t.Errorf("%d trainings were refused, %d made smaller: the test sees too little", refused, tight)
	}
}

// A test split measured in a batch as large as that of the training fits at the end, if need be in the place of the trainer.
func TestTheTestImagesAreMeasuredInWhateverMemoryTheTrainingHad(t *testing.T) {
	o := trainingOptions(t)
	o.Validation = nil
	want := mustRun(t, o)
	o.MaxMemory = newTraining(t, o).Memory()
	if got := mustRun(t, o); got.Test != want.Test {
		t.Errorf("%+v, in more memory %+v", got.Test, want.Test)
	}
}
