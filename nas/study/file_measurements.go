package study

import (
	"database/sql"
	"fmt"
)

// Measurements keeps one kind of numbers that were measured on networks, by their keys, beside the trials of a study: what depends on the machine and
// decides what is proposed, such as latency under a bound. A study that is resumed takes them from here instead of measuring again.
type Measurements struct {
	file        *File
	study, what string
}

// Measurements returns those of a kind of the study of this name, which must exist.
func (f *File) Measurements(study, what string) (*Measurements, error) {
	err := f.view(func(tx *sql.Tx) error {
		_, err := f.want(tx, study)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Measurements{file: f, study: study, what: what}, nil
}

// All returns the numbers by key.
func (m *Measurements) All() (map[string]float64, error) {
	all := map[string]float64{}
	err := m.file.view(func(tx *sql.Tx) error {
		row, err := m.file.want(tx, m.study)
		if err != nil {
			return err
		}
		if err := m.file.complete(tx, row); err != nil {
			return err
		}
		rows, err := m.file.measured(tx, row)
		for _, r := range rows {
			if r.what == m.what {
				all[r.key] = r.value
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Add records a number. When it returns nil, the number survives the death of the process. It is an error to record a key twice.
func (m *Measurements) Add(key string, value float64) error {
	err := m.file.change(func(tx *sql.Tx) error {
		row, err := m.file.want(tx, m.study)
		if err != nil {
			return err
		}
		if err := row.insertMeasured(tx, measured{m.what, key, value}); err != nil {
			return err
		}
		row.entries++
		return row.update(tx)
	})
	if err != nil {
		return m.file.unwritable(fmt.Sprintf("%s of %s", m.what, key), err)
	}
	return nil
}
