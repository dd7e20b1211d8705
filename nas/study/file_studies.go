package study

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Info describes one study of a file.
type Info struct {
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Trials   int       `json:"trials"` // on record
	Settings Settings  `json:"settings"`
}

// info makes sense of a row.
func (f *File) info(s *studyRow) (info Info, err error) {
	info = Info{Name: s.name}
	if info.Created, err = time.Parse(time.RFC3339, s.created); err != nil {
		return info, f.damaged("study %q: %w", s.name, err)
	}
	if err := json.Unmarshal([]byte(s.settings), &info.Settings); err != nil {
		return info, f.damaged("settings of study %q: %w", s.name, err)
	}
	return info, nil
}

// Studies describes the studies of the file in order of creation.
func (f *File) Studies() ([]Info, error) {
	var infos []Info
	err := f.view(func(tx *sql.Tx) error {
		rows, err := f.studyRows(tx)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := f.complete(tx, &rows[i]); err != nil {
				return err
			}
			info, err := f.info(&rows[i])
			if err != nil {
				return err
			}
			if err := tx.QueryRow("SELECT count(*) FROM trial WHERE study = ?", rows[i].id).Scan(&info.Trials); err != nil {
				return f.unreadable(err)
			}
			infos = append(infos, info)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return infos, nil
}

// Study returns the record of the study of this name, made with these settings if there is
// none yet; a new name must be one that [CheckName] accepts. It returns a *[SettingsError] if the study was made with others.
//
// A file that the first version of the program made is brought to the present form by it, as a whole or not at all.
func (f *File) Study(name string, settings Settings) (*Record, error) {
	if settings == nil {
		settings = Settings{}
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("study %s: settings: %w", f.path, err)
	}
	var row *studyRow
	err = f.view(func(tx *sql.Tx) error {
		row, err = f.find(tx, name)
		if row == nil || err != nil {
			return err
		}
		info, err := f.info(row)
		if err != nil {
			return err
		}
		if d := info.Settings.Compare(settings); d != nil {
			return fmt.Errorf("%s: %w", f.path, &SettingsError{Study: name, Differences: d})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if row != nil && (f.version == schemaVersion || f.lock == nil) {
		return &Record{file: f, name: name}, nil
	}
	if row == nil {
		if err := CheckName(name); err != nil {
			return nil, fmt.Errorf("study %s: %w", f.path, err)
		}
	}
	err = f.change(func(tx *sql.Tx) error {
		if row != nil {
			return nil // there is only the file to migrate
		}
		s := studyRow{name: name, created: time.Now().UTC().Format(created), settings: string(text)}
		return s.insert(tx)
	})
	if err != nil {
		return nil, f.unwritable(fmt.Sprintf("study %q", name), err)
	}
	return &Record{file: f, name: name}, nil
}

// Record is the record of one study of a file.
type Record struct {
	file *File
	name string
}

var _ Store = (*Record)(nil)

// Name returns the name of the study.
func (r *Record) Name() string { return r.name }

// append records one row of table trial or final, which counts as an entry of the study.
func (r *Record) append(table string, n numbered) error {
	return r.file.change(func(tx *sql.Tx) error {
		row, err := r.file.want(tx, r.name)
		if err != nil {
			return err
		}
		if err := row.insertRecord(tx, table, n); err != nil {
			return err
		}
		row.entries++
		return row.update(tx)
	})
}

// Append records one trial.
func (r *Record) Append(t Trial) error {
	record, err := json.Marshal(t)
	if err == nil {
		err = t.check()
	}
	if err == nil {
		err = r.append(tableTrial, numbered{int64(t.Index), string(record)})
	}
	if err != nil {
		return r.file.unwritable(fmt.Sprintf("trial %d", t.Index), err)
	}
	return nil
}

// Trials returns the recorded trials in order of index.
func (r *Record) Trials() ([]Trial, error) { return r.file.Trials(r.name) }

// Trials returns the recorded trials of the study of this name in order of index. There are gaps where a search was ended while several trials ran.
func (f *File) Trials(name string) (trials []Trial, err error) {
	err = f.view(func(tx *sql.Tx) error {
		row, err := f.want(tx, name)
		if err != nil {
			return err
		}
		if err := f.complete(tx, row); err != nil {
			return err
		}
		records, err := f.records(tx, row, tableTrial)
		if err != nil {
			return err
		}
		trials, err = f.parseTrials(row, records)
		return err
	})
	if err != nil {
		return nil, err
	}
	return trials, nil
}

// parseTrials makes trials of records, and refuses what no trial can be.
func (f *File) parseTrials(s *studyRow, records []numbered) ([]Trial, error) {
	var trials []Trial
	info, err := f.info(s)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		var typed struct {
			Type string `json:"type"`
			Trial
		}
		if err := f.parse(r.record, &typed); err != nil {
			return nil, f.damaged("trial %d of %q: %w", r.number, s.name, err)
		}
		t := typed.Trial
		if int64(t.Index) != r.number {
			return nil, f.damaged("the record of trial %d of %q says trial %d", r.number, s.name, t.Index)
		}
		err := t.check()
		if err == nil && info.Settings["dataset"] != "" {
			err = t.checkAccuracy() // what a table or a user's own evaluator calls accuracy may be anything
		}
		if err != nil {
			return nil, f.damaged("trial %d of %q: %w", r.number, s.name, err)
		}
		trials = append(trials, t)
	}
	return trials, nil
}

// parse reads a record. Where there is no checksum, a name that no version wrote shows damage.
func (f *File) parse(record string, to any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(record)))
	if f.version < 2 {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(to); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	return nil
}
