package study

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Final is the record of one final training: an architecture that a search found, trained anew on all training images by the recipe of the study and
// measured once on the test images.
type Final struct {
	Number int    `json:"number"` // counted from 0 in the order of recording
	Trial  int    `json:"trial"`  // that found the architecture
	Genome string `json:"genome"` // one-line text
	Seed   uint64 `json:"seed,string"`

	Epochs      int `json:"epochs"`       // trained
	EpochsAsked int `json:"epochs_asked"` // more than Epochs where the time was short
	TrainImages int `json:"train_images"`

	// CutOff is how many of the epochs were made, with a part of the last, where the time ended before all were; 0 if all were made. Such a
	// training is no end: one that goes on with it is recorded anew.
	CutOff float64 `json:"cut_off_after,omitempty"`

	TestAccuracy float64 `json:"test_accuracy"` // fraction of the test images, 0 to 1
	TestLoss     float64 `json:"test_loss"`
	TestImages   int     `json:"test_images"`

	Timing Timing `json:"timing"` // of all of its training, interruptions left out
}

// MarshalJSON writes the final training as one object with "type":"final" first.
func (f Final) MarshalJSON() ([]byte, error) {
	type plain Final
	return json.Marshal(struct {
		Type string `json:"type"`
		plain
	}{"final", plain(f)})
}

// check returns an error that names the first thing that no final training can be.
func (f *Final) check() error {
	switch {
	case f.Number < 0 || f.Trial < 0:
		return fmt.Errorf("it is number %d, of trial %d", f.Number, f.Trial)
	case f.Genome == "" || !utf8.ValidString(f.Genome):
		return fmt.Errorf("the genome is %q", f.Genome)
	case f.Epochs < 1 || f.EpochsAsked < f.Epochs:
		return fmt.Errorf("it has %d epochs of %d", f.Epochs, f.EpochsAsked)
	case !(f.CutOff >= 0 && f.CutOff <= float64(f.Epochs)):
		return fmt.Errorf("it was cut off after %g of %d epochs", f.CutOff, f.Epochs)
	case f.TrainImages < 0 || f.TestImages < 0:
		return fmt.Errorf("it has %d training images and %d test images", f.TrainImages, f.TestImages)
	case !(0 <= f.TestAccuracy && f.TestAccuracy <= 1):
		return fmt.Errorf("test_accuracy is %g, want a fraction from 0 to 1", f.TestAccuracy)
	case !(f.Timing.Seconds >= 0) || !(f.Timing.ImagesPerSecond >= 0):
		return fmt.Errorf("it took %g seconds, with %g images per second", f.Timing.Seconds, f.Timing.ImagesPerSecond)
	}
	return finite(named{"test_loss", f.TestLoss})
}

// AppendFinal records a final training, whatever its Number, under the next one. When it returns nil, the record survives the death of the process.
func (r *Record) AppendFinal(f Final) error {
	finals, err := r.Finals()
	if err != nil {
		return err
	}
	f.Number = len(finals)
	record, err := json.Marshal(f)
	if err == nil {
		err = f.check()
	}
	if err == nil {
		err = r.append(tableFinal, numbered{int64(f.Number), string(record)})
	}
	if err != nil {
		return r.file.unwritable(fmt.Sprintf("final training %d", f.Number), err)
	}
	return nil
}

// Finals returns the recorded final trainings in the order of recording.
func (r *Record) Finals() ([]Final, error) { return r.file.Finals(r.name) }

// Finals returns the recorded final trainings of the study of this name in the order of recording. A file of the first version has none.
func (f *File) Finals(name string) ([]Final, error) {
	var finals []Final
	err := f.view(func(tx *sql.Tx) error {
		row, err := f.want(tx, name)
		if err != nil {
			return err
		}
		if err := f.complete(tx, row); err != nil {
			return err
		}
		records, err := f.records(tx, row, tableFinal)
		if err != nil {
			return err
		}
		for i, r := range records {
			var t Final
			err := f.parse(r.record, &t)
			if err == nil {
				err = t.check()
			}
			if err == nil && (int64(t.Number) != r.number || t.Number != i) {
				err = fmt.Errorf("its record says %d, after %d others", t.Number, i)
			}
			if err != nil {
				return f.damaged("final %d of %q: %w", r.number, name, err)
			}
			finals = append(finals, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return finals, nil
}
