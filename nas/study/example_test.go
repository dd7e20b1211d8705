package study_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
	"github.com/nasbench-go/nasbench/nas/study"
)

// width is a genome: the width of a network.
type width int

func (w width) String() string               { return fmt.Sprint("width ", int(w)) }
func (w width) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%d", int(w)), nil }

type widths struct{}

func (widths) Key(g space.Genome) string { return g.String() }

// doubling proposes 8, 16, 32 and so on.
type doubling struct{ last width }

func (d *doubling) Name() string         { return "doubling" }
func (d *doubling) Round() int           { return 0 }
func (d *doubling) Tell(strategy.Result) {}
func (d *doubling) Ask(int) ([]space.Genome, error) {
	d.last = max(8, 2*d.last)
	return []space.Genome{d.last}, nil
}

// formula is an evaluator that looks its answer up instead of training.
type formula struct{}

func (formula) Evaluate(_ context.Context, job study.Job, report func(study.Point) error) (study.Metrics, error) {
	w := float64(job.Genome.(width))
	if w > 100 {
		return study.Metrics{}, &study.Failure{Reason: "too wide"}
	}
	accuracy := w / (w + 8)
	err := report(study.Point{Epoch: job.Epochs, ValAccuracy: accuracy})
	return study.Metrics{ValAccuracy: accuracy, Params: int64(w * w), Epochs: job.Epochs}, err
}

func ExampleRun() {
	out, err := study.Run(context.Background(), study.Options{
		Strategy:  &doubling{},
		Space:     widths{},
		Evaluator: formula{},
		Store:     &study.Memory{},
		Epochs:    1,
		Trials:    5,
		Workers:   2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range study.Leaderboard(out.Trials, 3) {
		fmt.Printf("%s: %.3f\n", t.Genome, t.Metrics.ValAccuracy)
	}
	fmt.Println("trial 4", out.Trials[4].State+":", out.Trials[4].Reason)
	// Output:
	// width 64: 0.889
	// width 32: 0.800
	// width 16: 0.667
	// trial 4 failed: too wide
}

// What a search has recorded is read while it runs, and after.
func ExampleOpenReadOnly() {
	folder, err := os.MkdirTemp("", "study-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "widths.db")
	file, err := study.OpenFile(path, study.FileOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	record, err := file.Study("widths", study.Settings{"space": "widths"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = study.Run(context.Background(), study.Options{Strategy: &doubling{}, Space: widths{}, Evaluator: formula{}, Store: record, Epochs: 1, Trials: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = record.AppendFinal(study.Final{Trial: 2, Genome: "width 32", Seed: 1, Epochs: 10, EpochsAsked: 10, TestAccuracy: 0.75, TestImages: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}

	reader, err := study.OpenReadOnly(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	trials, err := reader.Trials("widths")
	if err != nil {
		fmt.Println(err)
		return
	}
	finals, err := reader.Finals("widths")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(trials), "trials;", finals[0].Genome, "has a test accuracy of", finals[0].TestAccuracy)
	// Output:
	// 3 trials; width 32 has a test accuracy of 0.75
}
