package study

import (
	"database/sql"
	"errors"
	"fmt"
)

// measurements is a table that only files have in which something was measured, so that earlier versions read all others.
const measurements = `
CREATE TABLE IF NOT EXISTS measurement (
	study INTEGER NOT NULL REFERENCES study(id),
	what  TEXT NOT NULL,
	key   TEXT NOT NULL,
	value REAL NOT NULL,
	PRIMARY KEY (study, what, key)
) STRICT, WITHOUT ROWID;`

// Measurements keeps one kind of numbers that were measured on networks, by their keys, beside the trials of a study: what depends on the machine and
// decides what is proposed, such as latency under a bound. A study that is resumed takes them from here instead of measuring again.
type Measurements struct {
	file *File
	id   int64
	what string
}

// Measurements returns those of a kind of the study of this name, which must exist.
func (f *File) Measurements(study, what string) (*Measurements, error) {
	m := &Measurements{file: f, what: what}
	err := f.db.QueryRow("SELECT id FROM study WHERE name = ?", study).Scan(&m.id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("study %s: there is no study %q", f.path, study)
	}
	if err != nil {
		return nil, f.unreadable(err)
	}
	if _, err := f.db.Exec(measurements); err != nil {
		return nil, fmt.Errorf("study %s %w", f.path, because("cannot be written", err))
	}
	return m, nil
}

// All returns the numbers by key.
func (m *Measurements) All() (map[string]float64, error) {
	rows, err := m.file.db.Query("SELECT key, value FROM measurement WHERE study = ? AND what = ?", m.id, m.what)
	if err != nil {
		return nil, m.file.unreadable(err)
	}
	defer rows.Close()
	all := map[string]float64{}
	for rows.Next() {
		var key string
		var value float64
		if err := rows.Scan(&key, &value); err != nil {
			return nil, m.file.unreadable(err)
		}
		all[key] = value
	}
	if err := rows.Err(); err != nil {
		return nil, m.file.unreadable(err)
	}
	return all, nil
}

// Add records a number. When it returns nil, the number survives the death of the process. It is an error to record a key twice.
func (m *Measurements) Add(key string, value float64) error {
	if _, err := m.file.db.Exec("INSERT INTO measurement (study, what, key, value) VALUES (?, ?, ?, ?)", m.id, m.what, key, value); err != nil {
		return fmt.Errorf("study %s: %s of %s cannot be recorded: %w", m.file.path, m.what, key, err)
	}
	return nil
}
