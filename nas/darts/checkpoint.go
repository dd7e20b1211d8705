package darts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/layers/safetensors"
)

const checkpointFormat = "nasbench darts 1"

// checkpointState is the metadata of a checkpoint.
type checkpointState struct {
	Done       int
	Stopped    string
	Back       int
	SGD, Adam  int // updates made
	Trajectory []Point
}

// settings are all options that decide the result, so that no search goes on with another's checkpoint.
func (s *search) settings() string {
	o := &s.o
	return fmt.Sprintf("space=%s size=%+v images=%d batch=%d seed=%d epochs=%d lr=%g..%g momentum=%g decay=%g clip=%g alpha=%g/%g warm=%g second=%t temperature=%g..%g partial=%d skips=%d eigenvalue=%t auxiliary=%t augment=%+v level=%v",
		o.Space.Name(), s.relaxation.Size, o.Train.Len(), o.Batch, o.Seed, o.Epochs, o.LearningRate, o.FinalRate, o.Momentum, o.WeightDecay, o.ClipNorm,
		o.AlphaRate, o.AlphaDecay, o.WarmUp, o.SecondOrder, o.Temperature, o.FinalTemperature, o.Partial, o.MaxSkips, o.EigenvalueStop, o.AuxiliarySkip, o.Augment, s.bilevel.level)
}

// tensors lists all that changes: parameters, and what the optimisers keep.
func (s *search) tensors() []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, p := range s.bilevel.store.All() {
		out = append(out, safetensors.Tensor{Name: p.Name, Value: p.Value})
	}
	out = append(out, safetensors.Tensor{Name: "eigenvector/" + archScope, Value: s.bilevel.eigenvector})
	return append(append(out, s.bilevel.sgd.State()...), s.bilevel.adam.State()...)
}

// save writes a checkpoint, if one is wanted. The file is replaced as a whole.
func (s *search) save() error {
	if s.o.Checkpoint == "" {
		return nil
	}
	state, err := json.Marshal(checkpointState{s.done, s.stopped, s.back, s.bilevel.sgd.Steps(), s.bilevel.adam.Steps(), s.trajectory})
	if err != nil {
		return err
	}
	return safetensors.WriteFile(s.o.Checkpoint, s.tensors(), map[string]string{
		"format": checkpointFormat, "settings": s.settings(), "state": string(state), "data": s.o.Data, "study": s.o.Study,
	})
}

// restore goes back to a checkpoint, if there is one of this study.
func (s *search) restore() error {
	if s.o.Checkpoint == "" {
		return nil
	}
	safetensors.RemoveLeftovers(s.o.Checkpoint)
	if _, err := os.Stat(s.o.Checkpoint); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := safetensors.ReadFile(s.o.Checkpoint)
	if err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("darts: checkpoint %s: %w", s.o.Checkpoint, fmt.Errorf(format, args...))
	}
	if got := f.Metadata["format"]; got != checkpointFormat {
		return fail("format %q, want %q", got, checkpointFormat)
	}
	if f.Metadata["study"] != s.o.Study {
		return nil
	}
	if err := dataset.CheckDigest(f.Metadata["data"], s.o.Data); err != nil {
		return fail("%w", err)
	}
	if got, want := f.Metadata["settings"], s.settings(); got != want {
		return fail("it is of a search with other settings: %s, here %s", got, want)
	}
	var state checkpointState
	if err := json.Unmarshal([]byte(f.Metadata["state"]), &state); err != nil {
		return fail("state: %w", err)
	}
	if state.Done < 0 || state.Done > s.o.Epochs || state.Back >= len(state.Trajectory) {
		return fail("%d epochs done of %d", state.Done, s.o.Epochs)
	}
	to := s.tensors()
	for _, t := range to {
		from := f.Lookup(t.Name)
		if from == nil || !from.Shape().Equal(t.Value.Shape()) {
			return fail("tensor %s is missing or has another shape", t.Name)
		}
	}
	for _, t := range to {
		copy(t.Value.Data(), f.Lookup(t.Name).Data())
	}
	s.done, s.stopped, s.back, s.trajectory = state.Done, state.Stopped, state.Back, state.Trajectory
	s.bilevel.sgd.SetSteps(state.SGD)
	s.bilevel.adam.SetSteps(state.Adam)
	for _, p := range s.trajectory {
		if s.o.Report != nil {
			s.o.Report(p)
		}
	}
	return nil
}
