package oneshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

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
		"format": checkpointFormat, "settings": n.settings(), "state": string(text),
	})
}

// restore goes back to a checkpoint, if there is one.
func (n *Supernet) restore() error {
	if n.o.Checkpoint == "" {
		return nil
	}
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

// book remembers what paths reach, in a file of one JSON object a line if there is a checkpoint.
type book struct {
	paths map[string]Path
	file  *os.File // nil without
}

// bookHead is the first line of the file.
type bookHead struct {
	Settings string `json:"settings"`
}

// openBook reads what is there. A last line that was cut off is written again.
func (n *Supernet) openBook() (*book, error) {
	b := &book{paths: map[string]Path{}}
	if n.o.Checkpoint == "" {
		return b, nil
	}
	name := n.o.Checkpoint + ".paths"
	var last Epoch // of a supernet that is searched as it is
	if len(n.epochs) > 0 {
		last = n.epochs[len(n.epochs)-1]
	}
	head := bookHead{fmt.Sprintf("%s recalibration=%d images=%d trained=%d/%d", n.settings(), len(n.calibration), n.judged, last.Epoch, last.Paths)}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	b.file = file
	good := int64(0)
	reader := bufio.NewReader(file)
	for lines := 0; ; lines++ {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			break // the end, or a line without one
		}
		if lines == 0 {
			var old bookHead
			if json.Unmarshal(line, &old) != nil || old != head {
				b.close()
				return nil, fmt.Errorf("oneshot: %s is of a search with other settings", name)
			}
		} else {
			var p Path
			if err := json.Unmarshal(bytes.TrimSpace(line), &p); err != nil {
				b.close()
				return nil, fmt.Errorf("oneshot: %s: line %d: %w", name, lines+1, err)
			}
			b.paths[p.Genome] = p
		}
		good += int64(len(line))
	}
	if err = file.Truncate(good); err == nil {
		_, err = file.Seek(good, 0)
	}
	if err == nil && good == 0 {
		err = b.write(head)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *book) write(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = b.file.Write(append(line, '\n'))
	}
	return err
}

// add remembers a path.
func (b *book) add(p Path) error {
	b.paths[p.Genome] = p
	if b.file == nil {
		return nil
	}
	return b.write(p)
}

func (b *book) close() {
	if b.file != nil {
		_ = b.file.Close() // every line was written when it was added
		b.file = nil
	}
}
