package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// trainWatch shows the progress of one training on the bar.
type trainWatch struct {
	*display
	what   string
	epochs int
	start  time.Time
	first  int // steps made before the start
	seen   bool
	rate   meter
}

func (w *trainWatch) step(s study.Step) {
	if !w.live {
		return
	}
	made := (s.Epoch-1)*s.Steps + s.Step
	if !w.seen {
		w.seen, w.first = true, made-1
	}
	w.rate.add(time.Now(), s.Images)
	if !w.due() {
		return
	}
	all := w.epochs * s.Steps
	left := spanOf(float64(time.Since(w.start)) / float64(made-w.first) * float64(all-made))
	parts := []string{fmt.Sprintf("%s: epoch %d/%d", w.what, s.Epoch, w.epochs), formatTime(left) + " left", fmt.Sprintf("loss %.4f", s.Loss)}
	if r := w.rate.rate(); r > 0 {
		parts = append(parts, formatFigure(r)+" images/s")
	}
	w.update(float64(made)/float64(all), parts...)
}

// trainReport prints what a training gives.
type trainReport struct {
	*training
	display *display
}

// epochRecord is the JSON of an epoch.
type epochRecord struct {
	Type string `json:"type"`
	study.Point
	Timing struct {
		Seconds float64 `json:"seconds"`
	} `json:"timing"`
}

// epoch prints one epoch. An error of standard output is kept there, so it returns nil.
func (r *trainReport) epoch(p study.Point) error {
	elapsed := time.Since(r.start)
	r.display.clear()
	if r.json {
		e := epochRecord{Type: "epoch", Point: p}
		e.Timing.Seconds = elapsed.Seconds()
		_ = writeJSON(r.app.stdout, e)
		return nil
	}
	fmt.Fprintf(r.app.stdout, "epoch %d/%d: train loss %.4f", p.Epoch, r.epochs, p.TrainLoss)
	if r.data.Validation != nil {
		fmt.Fprintf(r.app.stdout, ", validation loss %.4f, accuracy %.4f", p.ValLoss, p.ValAccuracy)
	}
	fmt.Fprintf(r.app.stdout, ", %s\n", formatTime(elapsed))
	return nil
}

// trainResult is the last JSON object of a training.
type trainResult struct {
	Type         string          `json:"type"`
	Genome       string          `json:"genome"`
	Architecture json.RawMessage `json:"architecture"`
	Params       int64           `json:"params"`
	FLOPs        int64           `json:"flops"`
	MACs         int64           `json:"macs"`
	Epochs       int             `json:"epochs"`
	TrainImages  int             `json:"train_images"`
	ValAccuracy  *float64        `json:"val_accuracy"` // null without validation images
	TestAccuracy *float64        `json:"test_accuracy"`
	TestLoss     *float64        `json:"test_loss"`
	TestImages   int             `json:"test_images"`
	Run          struct {
		Out     string `json:"out,omitempty"`
		Threads int    `json:"threads"`
		Version string `json:"version"`
	} `json:"run"`
	Timing struct {
		Seconds float64 `json:"seconds"`
	} `json:"timing"`
}

// end prints the result. A test of no images was not made.
func (r *trainReport) end(model *evaluator.Model) error {
	test := &model.Test
	if !r.json {
		var b strings.Builder
		if test.Images > 0 {
			fmt.Fprintf(&b, "test accuracy %s, loss %.4f on %s\n", formatAccuracy(test.Accuracy, test.Images), test.Loss, plural(test.Images, "image"))
		}
		if r.out != "" {
			fmt.Fprintf(&b, "model saved in %s\n", r.out)
		}
		_, err := io.WriteString(r.app.stdout, b.String())
		return err
	}
	architecture, err := r.genome.MarshalJSON()
	if err != nil {
		return err
	}
	out := trainResult{
		Type: "result", Genome: r.arch, Architecture: architecture, Params: r.cost.Params, FLOPs: r.cost.FLOPs, MACs: r.cost.MACs,
		Epochs: r.epochs, TrainImages: r.data.Train.Len(), TestImages: test.Images,
	}
	if r.data.Validation != nil {
		out.ValAccuracy = &model.Metrics.ValAccuracy
	}
	if test.Images > 0 {
		out.TestAccuracy, out.TestLoss = &test.Accuracy, &test.Loss
	}
	out.Run.Out, out.Run.Threads, out.Run.Version = r.out, r.usedThreads(), currentBuild().Version
	out.Timing.Seconds = time.Since(r.start).Seconds()
	return writeJSON(r.app.stdout, out)
}
