package study

import (
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

// Studies describes the studies of the file in order of creation.
func (f *File) Studies() ([]Info, error) {
	rows, err := f.db.Query("SELECT name, created, settings, (SELECT count(*) FROM trial WHERE study = id) FROM study ORDER BY id")
	if err != nil {
		return nil, f.unreadable(err)
	}
	defer rows.Close()
	var infos []Info
	for rows.Next() {
		var info Info
		var made, settings string
		if err := rows.Scan(&info.Name, &made, &settings, &info.Trials); err != nil {
			return nil, f.unreadable(err)
		}
		if info.Created, err = time.Parse(time.RFC3339, made); err != nil {
			return nil, fmt.Errorf("study %s is damaged: study %q: %w", f.path, info.Name, err)
		}
		if err := json.Unmarshal([]byte(settings), &info.Settings); err != nil {
			return nil, fmt.Errorf("study %s is damaged: settings of study %q: %w", f.path, info.Name, err)
		}
		infos = append(infos, info)
	}
	if err := rows.Err(); err != nil {
		return nil, f.unreadable(err)
	}
	return infos, nil
}

// Study returns the record of the study of this name, made with these settings if there is
// none yet. It returns a *[SettingsError] if the study was made with others.
func (f *File) Study(name string, settings Settings) (Store, error) {
	if name == "" {
		return nil, fmt.Errorf("study %s: a study needs a name", f.path)
	}
	if settings == nil {
		settings = Settings{}
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("study %s: settings: %w", f.path, err)
	}
	s := &stored{file: f, name: name}
	var recorded string
	err = f.db.QueryRow("SELECT id, settings FROM study WHERE name = ?", name).Scan(&s.id, &recorded)
	if errors.Is(err, sql.ErrNoRows) {
		err = f.db.QueryRow("INSERT INTO study (name, created, settings) VALUES (?, ?, ?) RETURNING id",
			name, time.Now().UTC().Format(created), string(text)).Scan(&s.id)
		if err != nil {
			return nil, fmt.Errorf("study %s: %q cannot be recorded: %w", f.path, name, err)
		}
		return s, nil
	}
	if err != nil {
		return nil, f.unreadable(err)
	}
	var old Settings
	if err := json.Unmarshal([]byte(recorded), &old); err != nil {
		return nil, fmt.Errorf("study %s is damaged: settings of study %q: %w", f.path, name, err)
	}
	if d := old.Compare(settings); d != nil {
		return nil, fmt.Errorf("%s: %w", f.path, &SettingsError{Study: name, Differences: d})
	}
	return s, nil
}

// stored is the record of one study of a file.
type stored struct {
	file *File
	name string
	id   int64
}

func (s *stored) Append(t Trial) error {
	record, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("study %s: trial %d cannot be recorded: %w", s.file.path, t.Index, err)
	}
	if _, err := s.file.db.Exec(
		"INSERT INTO trial (study, number, record) VALUES (?, ?, ?)", s.id, t.Index, string(record)); err != nil {
		return fmt.Errorf("study %s: trial %d cannot be recorded: %w", s.file.path, t.Index, err)
	}
	return nil
}

func (s *stored) Trials() ([]Trial, error) {
	rows, err := s.file.db.Query("SELECT number, record FROM trial WHERE study = ? ORDER BY number", s.id)
	if err != nil {
		return nil, s.file.unreadable(err)
	}
	defer rows.Close()
	var trials []Trial
	for rows.Next() {
		var number int
		var record string
		if err := rows.Scan(&number, &record); err != nil {
			return nil, s.file.unreadable(err)
		}
		var t Trial
		if err := json.Unmarshal([]byte(record), &t); err != nil {
			return nil, fmt.Errorf("study %s is damaged: trial %d of %q: %w", s.file.path, number, s.name, err)
		}
		if t.Index != number {
			return nil, fmt.Errorf("study %s is damaged: the record of trial %d of %q says trial %d", s.file.path, number, s.name, t.Index)
		}
		trials = append(trials, t)
	}
	if err := rows.Err(); err != nil {
		return nil, s.file.unreadable(err)
	}
	return trials, nil
}

func (f *File) unreadable(err error) error {
	return fmt.Errorf("study %s %w", f.path, because("cannot be read", err))
}
