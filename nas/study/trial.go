package study

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// State says how a trial ended.
type State string

// The states of a trial. Stopped trials appear in events only; they are never recorded.
const (
	Complete State = "complete" // evaluated over all its epochs
	Failed   State = "failed"   // the evaluation failed for the reason given
	Pruned   State = "pruned"   // ended early because its curve promised too little
	Stopped  State = "stopped"  // cut off by the time budget or an interruption
)

// Trial is the record of one evaluated architecture.
type Trial struct {
	Index        int             `json:"index"`        // counted from 0 in the order of proposal
	Genome       string          `json:"genome"`       // one-line text
	Architecture json.RawMessage `json:"architecture"` // the genome as JSON
	Key          string          `json:"key"`          // canonical: equal for equal networks
	State        State           `json:"state"`
	Reason       string          `json:"reason,omitempty"`      // why it failed or was pruned
	ReusedFrom   *int            `json:"reused_from,omitempty"` // the earlier trial with the same key
	Seed         uint64          `json:"seed,string"`           // a string, because JSON numbers lose bits beyond 2^53
	Metrics      *Metrics        `json:"metrics"`               // nil if the trial failed
	Curve        []Point         `json:"curve"`
	Timing       Timing          `json:"timing"`
}

// Metrics are the results of a trial. They are finite, and depend on the settings
// of the study and the trial's seed alone.
type Metrics struct {
	ValAccuracy     float64 `json:"val_accuracy"` // fraction of the validation images, 0 to 1
	ValLoss         float64 `json:"val_loss"`
	TrainLoss       float64 `json:"train_loss"` // mean over the last epoch
	Params          int64   `json:"params"`
	FLOPs           int64   `json:"flops"` // of one image, forward, inference
	MACs            int64   `json:"macs"`
	ActivationBytes int64   `json:"activation_bytes"`
	Epochs          int     `json:"epochs"` // trained

	// Other holds what else an evaluator measures, by name.
	Other map[string]float64 `json:"other,omitempty"`
}

// Point is one epoch of a learning curve.
type Point struct {
	Epoch        int     `json:"epoch"` // counted from 1
	TrainLoss    float64 `json:"train_loss"`
	ValLoss      float64 `json:"val_loss"`
	ValAccuracy  float64 `json:"val_accuracy"`
	LearningRate float64 `json:"learning_rate"` // at the end of the epoch
}

// Timing holds what varies from run to run and is therefore no metric.
type Timing struct {
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"` // training images over all of Seconds
}

// MarshalJSON writes the trial as one object with "type":"trial" first.
func (t Trial) MarshalJSON() ([]byte, error) {
	type plain Trial
	p := plain(t)
	if p.Architecture == nil {
		p.Architecture = json.RawMessage("null")
	}
	if p.Curve == nil {
		p.Curve = []Point{}
	}
	return json.Marshal(struct {
		Type string `json:"type"`
		plain
	}{"trial", p})
}

// check returns an error that names the first value that is not finite.
func (p Point) check() error {
	return finite(
		named{"train loss", p.TrainLoss},
		named{"validation loss", p.ValLoss},
		named{"validation accuracy", p.ValAccuracy},
		named{"learning rate", p.LearningRate},
	)
}

// check returns an error that names the first value that is not finite, or a count that is negative.
func (m Metrics) check() error {
	for _, c := range []struct {
		name  string
		value int64
	}{{"params", m.Params}, {"flops", m.FLOPs}, {"macs", m.MACs}, {"activation_bytes", m.ActivationBytes}, {"epochs", int64(m.Epochs)}} {
		if c.value < 0 {
			return fmt.Errorf("%s is %d", c.name, c.value)
		}
	}
	if err := finite(
		named{"val_accuracy", m.ValAccuracy},
		named{"val_loss", m.ValLoss},
		named{"train_loss", m.TrainLoss},
	); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Other)) {
		if err := finite(named{name, m.Other[name]}); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error that names the first thing that no trial can be.
func (t *Trial) check() error {
	texts := []string{t.Genome, t.Key, t.Reason}
	if i := slices.IndexFunc(texts, func(s string) bool { return !utf8.ValidString(s) }); i >= 0 {
		return fmt.Errorf("%q is not UTF-8", texts[i])
	}
	switch {
	case t.Index < 0:
		return fmt.Errorf("the index is %d", t.Index)
	case t.State != Complete && t.State != Failed && t.State != Pruned:
		return fmt.Errorf("the state is %q", t.State)
	case (t.State == Failed) != (t.Metrics == nil):
		return fmt.Errorf("the state is %q, and there are metrics: %t", t.State, t.Metrics != nil)
	case t.ReusedFrom != nil && (*t.ReusedFrom < 0 || *t.ReusedFrom >= t.Index):
		return fmt.Errorf("it is a repetition of trial %d", *t.ReusedFrom)
	case !(t.Timing.Seconds >= 0) || !(t.Timing.ImagesPerSecond >= 0):
		return fmt.Errorf("it took %g seconds, with %g images per second", t.Timing.Seconds, t.Timing.ImagesPerSecond)
	}
	for _, p := range t.Curve {
		if err := p.check(); err != nil {
			return fmt.Errorf("epoch %d: %w", p.Epoch, err)
		}
		if p.Epoch < 0 {
			return fmt.Errorf("the curve has an epoch %d", p.Epoch)
		}
	}
	if t.Metrics == nil {
		return nil
	}
	return t.Metrics.check()
}

// checkAccuracy returns an error unless accuracies are fractions of images.
func (t *Trial) checkAccuracy() error {
	all := make([]float64, 0, 1+len(t.Curve))
	if t.Metrics != nil {
		all = append(all, t.Metrics.ValAccuracy)
	}
	for _, p := range t.Curve {
		all = append(all, p.ValAccuracy)
	}
	for _, v := range all {
		if !(0 <= v && v <= 1) {
			return fmt.Errorf("val_accuracy is %g, want a fraction from 0 to 1", v)
		}
	}
	return nil
}

type named struct {
	name  string
	value float64
}

func finite(values ...named) error {
	for _, v := range values {
		switch {
		case math.IsNaN(v.value):
			return fmt.Errorf("%s is NaN", v.name)
		case math.IsInf(v.value, 0):
			return fmt.Errorf("%s is infinite", v.name)
		}
	}
	return nil
}
