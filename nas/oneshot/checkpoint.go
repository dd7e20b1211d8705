package oneshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/layers/safetensors"
)

const checkpointFormat = "nasbench oneshot 1"

// checkpointState is the metadata of a checkpoint.
type checkpointState struct {
	Epochs  []Epoch
	Ended   bool
	Elapsed time.Duration
	Kinds   map[string]layers.Kind // of the parameters, by name
}

// settings are all options that decide the weights, so that no training goes on with another's checkpoint.
func (n *Supernet) settings() string {
	o := &n.o
	widths := "" // nothing for those of checkpoints from before there was a choice
	if o.Widths != SharedWidths {
		widths = " widths=" + string(o.Widths)
	}
	return fmt.Sprintf("space=%s images=%d shape=%v judge=%d seed=%d epochs=%d lr=%g warm=%g momentum=%g decay=%g clip=%g augment=%+v sampling=%s level=%v",
		o.Space.Name(), o.Train.Len(), n.shape, o.Judge.Len(), o.Seed, o.Epochs, o.LearningRate, o.WarmUp, o.Momentum, o.WeightDecay, o.ClipNorm, o.Augment, o.Sampling, n.table.Level) + widths
}

const velocityPrefix = "velocity/"

// save writes a checkpoint, if one is wanted. The file is replaced as a whole.
func (n *Supernet) save() error {
	if n.o.Checkpoint == "" {
		return nil
	}
	state := checkpointState{n.epochs, n.ended, n.elapsed, map[string]layers.Kind{}}
	var tensors []safetensors.Tensor
	for _, p := range n.store.All() {
		state.Kinds[p.Name] = p.Kind
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Value: p.Value})
		if !n.ended { // a supernet that is trained needs none
			tensors = append(tensors, safetensors.Tensor{Name: velocityPrefix + p.Name, Value: n.update.of(p).velocity})
		}
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(n.o.Checkpoint, tensors, map[string]string{
		"format": checkpointFormat, "settings": n.settings(), "state": string(text), "data": n.o.Data, "study": n.o.Study,
	})
}

// restore goes back to a checkpoint, if there is one of this study.
func (n *Supernet) restore() error {
	if n.o.Checkpoint == "" {
		return nil
	}
	safetensors.RemoveLeftovers(n.o.Checkpoint)
	if _, err := os.Stat(n.o.Checkpoint); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := safetensors.ReadFile(n.o.Checkpoint)
	if err != nil {
		return err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("oneshot: checkpoint %s: %w", n.o.Checkpoint, fmt.Errorf(format, args...))
	}
	if got := f.Metadata["format"]; got != checkpointFormat {
		return fail("format %q, want %q", got, checkpointFormat)
	}
	if f.Metadata["study"] != n.o.Study {
		return nil
	}
	if err := dataset.CheckDigest(f.Metadata["data"], n.o.Data); err != nil {
		return fail("%w", err)
	}
	if got, want := f.Metadata["settings"], n.settings(); got != want {
		return fail("it is of a supernet with other settings: %s, here %s", got, want)
	}
	var state checkpointState
	if err := json.Unmarshal([]byte(f.Metadata["state"]), &state); err != nil {
		return fail("state: %w", err)
	}
	if len(state.Epochs) == 0 || len(state.Epochs) > n.o.Epochs {
		return fail("%d epochs done of %d", len(state.Epochs), n.o.Epochs)
	}
	for _, t := range f.Tensors {
		name, isVelocity := strings.CutPrefix(t.Name, velocityPrefix)
		if isVelocity {
			continue
		}
		kind, ok := state.Kinds[name]
		if !ok {
			return fail("tensor %s is of no kind", name)
		}
		n.store.Adopt(name, kind, t.Value.Clone())
		v := f.Lookup(velocityPrefix + name)
		if v == nil && state.Ended {
			continue
		}
		if v == nil || !v.Shape().Equal(t.Value.Shape()) {
			return fail("tensor %s%s is missing or has another shape", velocityPrefix, name)
		}
		copy(n.update.of(n.store.Lookup(name)).velocity.Data(), v.Data())
	}
	n.epochs, n.ended, n.elapsed = state.Epochs, state.Ended, state.Elapsed
	for _, e := range n.epochs {
		if n.o.Report != nil {
			n.o.Report(e)
		}
	}
	return nil
}
