package study

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
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

// check returns an error that names the first value that is not finite.
func (m Metrics) check() error {
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
