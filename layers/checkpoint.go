package layers

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/tensor"
)

// What the metadata of a checkpoint holds. Settings must be the same where it is restored.
const (
	checkpointFormat = "nasbench checkpoint 1"
	notePrefix       = "note."
	unaveraged       = "unaveraged/" // before the names of parameters that have an average
)

// SaveWeights writes all parameters of a store, buffers included, under their paths. The file is replaced as
// a whole.
func SaveWeights(path string, store *Store, metadata map[string]string) error {
	if store == nil {
		return refuse("weights", "no store of parameters")
	}
	return safetensors.WriteFile(path, parameterTensors(store), metadata)
}

// LoadWeights fills a store from a file of [SaveWeights] or [Trainer.Save] and returns its metadata. A trainer with
// averages leaves those as the weights. Names and shapes must be those of the store; otherwise the error names each
// difference and the store stays as it was.
func LoadWeights(path string, store *Store) (map[string]string, error) {
	if store == nil {
		return nil, refuse("weights", "no store of parameters")
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// A slash cannot be part of a parameter's path: such names are a trainer's state.
	f.Tensors = slices.DeleteFunc(f.Tensors, func(t safetensors.Tensor) bool { return strings.Contains(t.Name, "/") })
	if err := fill(parameterTensors(store), f); err != nil {
		return nil, fmt.Errorf("layers: %s: %w", path, err)
	}
	return f.Metadata, nil
}

// Save writes a checkpoint: parameters, buffers, optimiser state and averages as tensors; position, seeds and settings as
// metadata, with the caller's notes (the epoch, for instance). The file is replaced as a whole.
//
// Whoever reads the file as a model finds the averages, if the trainer has some, under the paths of the
// parameters. The values that training goes on from then have "unaveraged/" before their paths.
func (t *Trainer) Save(path string, notes map[string]string) error {
	if t.averaged {
		return errors.New("layers: checkpoint: save while the averages are in use")
	}
	meta := t.settings()
	meta["format"] = checkpointFormat
	meta["step"] = strconv.Itoa(t.step)
	meta["rate"] = formatFloat(t.Rate())
	meta["optimizer_steps"] = strconv.Itoa(t.optimizer.Steps())
	if t.ema != nil {
		meta["ema_updates"] = strconv.Itoa(t.ema.Updates())
	}
	for k, v := range notes {
		meta[notePrefix+k] = v
	}
	return safetensors.WriteFile(path, t.tensors(), meta)
}

// Restore continues from a checkpoint that a trainer with the same model and options saved: the steps that
// follow give the same bits as if there had been no interruption. It returns the notes. If the file is
// bad, or belongs to another model or other options, the error names each difference and nothing
// is changed.
func (t *Trainer) Restore(path string) (notes map[string]string, err error) {
	if t.averaged {
		return nil, errors.New("layers: checkpoint: restore while the averages are in use")
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("layers: checkpoint %s: %w", path, err)
		}
	}()
	if got := f.Metadata["format"]; got != checkpointFormat {
		return nil, fmt.Errorf("format %q, want %q", got, checkpointFormat)
	}
	var differ []string
	settings := t.settings()
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		if got := f.Metadata[k]; got != settings[k] {
			differ = append(differ, fmt.Sprintf("%s is %q, here it is %q", k, got, settings[k]))
		}
	}
	if len(differ) > 0 {
		return nil, errors.New(strings.Join(differ, "; "))
	}
	var step, optimizerSteps, updates int
	if err := errors.Join(counter(f, "step", &step), counter(f, "optimizer_steps", &optimizerSteps)); err != nil {
		return nil, err
	}
	if t.ema != nil {
		if err := counter(f, "ema_updates", &updates); err != nil {
			return nil, err
		}
	}
	if err := t.checkRate(f.Metadata["rate"], step); err != nil {
		return nil, err
	}
	if err := fill(t.tensors(), f); err != nil {
		return nil, err
	}
	t.step = step
	t.optimizer.SetSteps(optimizerSteps)
	if t.ema != nil {
		t.ema.SetUpdates(updates)
	}
	notes = map[string]string{}
	for k, v := range f.Metadata {
		if name, ok := strings.CutPrefix(k, notePrefix); ok {
			notes[name] = v
		}
	}
	return notes, nil
}

// checkRate compares a learning rate with that of the schedule, the only trace that a schedule
// leaves. The last bits may differ between processors.
func (t *Trainer) checkRate(text string, step int) error {
	want := t.options.Schedule(step, t.options.Steps)
	got, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(got-want) <= 1e-9*math.Abs(want)) {
		return fmt.Errorf("learning rate %q at step %d, the schedule here gives %g", text, step, want)
	}
	return nil
}

// settings are the options that decide the bits of a training, besides the model and the
// schedule.
func (t *Trainer) settings() map[string]string {
	o := &t.options
	return map[string]string{
		"input":           o.Input.String(),
		"classes":         strconv.Itoa(o.Classes),
		"optimizer":       o.Optimizer.String(),
		"steps":           strconv.Itoa(o.Steps),
		"label_smoothing": formatFloat(o.LabelSmoothing),
		"clip_norm":       formatFloat(o.ClipNorm),
		"ema_decay":       formatFloat(o.EMADecay),
		"level":           o.Table.Level.String(), // other levels round differently
		"seed":            strconv.FormatUint(o.Seed, 10),
		"store_seed":      strconv.FormatUint(t.store.seed, 10),
	}
}

// tensors are those of a checkpoint, by their names in it.
func (t *Trainer) tensors() []safetensors.Tensor {
	out := append(parameterTensors(t.store), t.optimizer.State()...)
	if t.ema == nil {
		return out
	}
	averages := make(map[string]*tensor.Tensor, len(t.ema.params))
	for i, p := range t.ema.params {
		averages[p.Name] = t.ema.average[i].Value
		out = append(out, safetensors.Tensor{Name: unaveraged + p.Name, Value: p.Value})
	}
	for i := range t.store.params {
		if a := averages[out[i].Name]; a != nil {
			out[i].Value = a
		}
	}
	return out
}

func parameterTensors(s *Store) []safetensors.Tensor {
	out := make([]safetensors.Tensor, len(s.params))
	for i, p := range s.params {
		out[i] = safetensors.Tensor{Name: p.Name, Value: p.Value}
	}
	return out
}

// fill copies the tensors of a file into those of the same names, all or none.
func fill(into []safetensors.Tensor, f *safetensors.File) error {
	have := make(map[string]*tensor.Tensor, len(f.Tensors))
	for _, t := range f.Tensors {
		have[t.Name] = t.Value
	}
	var differ []string
	for _, t := range into {
		switch got := have[t.Name]; {
		case got == nil:
			differ = append(differ, fmt.Sprintf("%q is missing", t.Name))
		case !got.Shape().Equal(t.Value.Shape()):
			differ = append(differ, fmt.Sprintf("%q has shape %v, want %v", t.Name, got.Shape(), t.Value.Shape()))
		}
	}
	known := make(map[string]bool, len(into))
	for _, t := range into {
		known[t.Name] = true
	}
	for _, t := range f.Tensors {
		if !known[t.Name] {
			differ = append(differ, fmt.Sprintf("%q is not part of the model", t.Name))
		}
	}
	if len(differ) > 0 {
		return errors.New(strings.Join(differ, "; "))
	}
	for _, t := range into {
		copy(t.Value.Data(), have[t.Name].Data())
	}
	return nil
}

func counter(f *safetensors.File, key string, into *int) error {
	n, err := strconv.Atoi(f.Metadata[key])
	if err != nil || n < 0 {
		return fmt.Errorf("%s is %q, want a count", key, f.Metadata[key])
	}
	*into = n
	return nil
}

func formatFloat(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
