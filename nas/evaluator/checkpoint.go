package evaluator

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/nasbench-go/nasbench/dataset"
)

// Notes of a checkpoint about where a training stands, beside those of the caller.
const (
	noteDone = "epochs-done" // measured and reported
	noteLoss = "epoch-loss"  // sum over the steps since

	// NoteData is the note that has TrainingOptions.Data.
	NoteData = "data-digest"
)

// save writes a checkpoint, if one is wanted.
func (t *Training) save() error {
	if t.options.Out == "" {
		return nil
	}
	notes := maps.Clone(t.options.Notes)
	if notes == nil {
		notes = map[string]string{}
	}
	notes[noteDone] = strconv.Itoa(t.done)
	if t.options.Data != "" {
		notes[NoteData] = t.options.Data
	}
	notes[noteLoss] = strconv.FormatFloat(t.lossSum, 'g', -1, 64)
	return t.trainer.Save(t.options.Out, notes)
}

// restore goes back to a checkpoint, which may have been saved after any step.
func (t *Training) restore(path string) error {
	notes, err := t.trainer.Restore(path)
	if err != nil {
		return err
	}
	if err := dataset.CheckDigest(notes[NoteData], t.options.Data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	steps := t.loader.Batches()
	t.done, err = strconv.Atoi(notes[noteDone])
	if since := t.trainer.Steps() - t.done*steps; err != nil || t.done < 0 || t.done > t.options.Epochs || since < 0 || since > steps {
		return fmt.Errorf("%s: note %s is %q, want the epochs done after %d steps of %d each", path, noteDone, notes[noteDone], t.trainer.Steps(), steps)
	}
	if t.lossSum, err = strconv.ParseFloat(notes[noteLoss], 64); err != nil {
		return fmt.Errorf("%s: note %s is %q, want a number", path, noteLoss, notes[noteLoss])
	}
	return nil
}
