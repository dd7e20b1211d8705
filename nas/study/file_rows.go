package study

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The tables whose rows are records by number.
const (
	tableTrial = "trial"
	tableFinal = "final"
)

// checksum covers the fields of a row, each with its length, so that nothing can move from one to the next.
func checksum(fields ...string) []byte {
	h := sha256.New()
	for _, field := range fields {
		fmt.Fprintf(h, "%d:%s", len(field), field)
	}
	return h.Sum(nil)[:16]
}

// studyRow is a row of table study.
type studyRow struct {
	id                      int64
	name, created, settings string
	entries                 int64 // rows of the study in the other tables
	sum                     []byte
}

// numbered is a row of table trial or final.
type numbered struct {
	number int64
	record string
}

// measured is a row of table measurement.
type measured struct {
	what, key string
	value     float64
}

// key tells the study from every other, of other files too: the moment of its creation has nanoseconds.
func (s *studyRow) key() string { return fmt.Sprintf("%d %s %s", s.id, s.created, s.name) }

func (s *studyRow) checksum() []byte {
	return checksum("study", s.key(), s.settings, strconv.FormatInt(s.entries, 10))
}

func (s *studyRow) checksumOf(table string, r numbered) []byte {
	return checksum(table, s.key(), strconv.FormatInt(r.number, 10), r.record)
}

func (s *studyRow) checksumOfMeasured(m measured) []byte {
	return checksum("measurement", s.key(), m.what, m.key, strconv.FormatFloat(m.value, 'x', -1, 64))
}

// insert writes the row, with its id unless that is 0.
func (s *studyRow) insert(tx *sql.Tx) error {
	if s.id == 0 {
		if err := tx.QueryRow("SELECT coalesce(max(id), 0) + 1 FROM study").Scan(&s.id); err != nil {
			return err
		}
	}
	_, err := tx.Exec("INSERT INTO study (id, name, created, settings, entries, checksum) VALUES (?, ?, ?, ?, ?, ?)",
		s.id, s.name, s.created, s.settings, s.entries, s.checksum())
	return err
}

// update writes settings and entries, which alone may change.
func (s *studyRow) update(tx *sql.Tx) error {
	_, err := tx.Exec("UPDATE study SET settings = ?, entries = ?, checksum = ? WHERE id = ?", s.settings, s.entries, s.checksum(), s.id)
	return err
}

func (s *studyRow) insertRecord(tx *sql.Tx, table string, r numbered) error {
	_, err := tx.Exec("INSERT INTO "+table+" (study, number, record, checksum) VALUES (?, ?, ?, ?)", s.id, r.number, r.record, s.checksumOf(table, r))
	return err
}

func (s *studyRow) insertMeasured(tx *sql.Tx, m measured) error {
	_, err := tx.Exec("INSERT INTO measurement (study, what, key, value, checksum) VALUES (?, ?, ?, ?, ?)", s.id, m.what, m.key, m.value, s.checksumOfMeasured(m))
	return err
}

// fileError is an error that names the file.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// damaged returns the error of a row that is not what was written.
func (f *File) damaged(format string, args ...any) error {
	return fileError{fmt.Errorf("study %s is damaged: %w", f.path, fmt.Errorf(format, args...))}
}

// unreadable returns the error of what the database cannot read.
func (f *File) unreadable(err error) error {
	return fileError{fmt.Errorf("study %s %w", f.path, because("cannot be read", err))}
}

// unwritable says what could not be recorded, unless the error says enough.
func (f *File) unwritable(what string, err error) error {
	if e, ok := errors.AsType[fileError](err); ok {
		return e
	}
	return fmt.Errorf("study %s: %s cannot be recorded: %w", f.path, what, err)
}

var errChecksum = errors.New("its checksum is of other content")

// view runs what reads in one transaction, so that all that it sees is of one moment.
func (f *File) view(read func(tx *sql.Tx) error) error {
	tx, err := f.db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return f.unreadable(err)
	}
	defer tx.Rollback()
	return read(tx)
}

// studyRows reads table study in the order of the ids.
func (f *File) studyRows(tx *sql.Tx) ([]studyRow, error) {
	query := "SELECT id, name, created, settings, entries, checksum FROM study ORDER BY id"
	switch f.version {
	case 0:
		return nil, nil
	case 1:
		query = "SELECT id, name, created, settings, 0, x'' FROM study ORDER BY id"
	}
	rows, err := tx.Query(query)
	if err != nil {
		return nil, f.unreadable(err)
	}
	defer rows.Close()
	var all []studyRow
	for rows.Next() {
		var s studyRow
		if err := rows.Scan(&s.id, &s.name, &s.created, &s.settings, &s.entries, &s.sum); err != nil {
			return nil, f.unreadable(err)
		}
		if f.version > 1 && !bytes.Equal(s.sum, s.checksum()) {
			return nil, f.damaged("study %q: %w", s.name, errChecksum)
		}
		if !utf8.ValidString(s.name) || !utf8.ValidString(s.settings) {
			return nil, f.damaged("study %q: name or settings are not UTF-8", s.name)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, f.unreadable(err)
	}
	return all, nil
}

// find returns the row of the study of a name; nil if there is none. It looks at every row rather than at an index.
func (f *File) find(tx *sql.Tx, name string) (*studyRow, error) {
	rows, err := f.studyRows(tx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].name == name {
			return &rows[i], nil
		}
	}
	return nil, nil
}

// want is find of a study that must be there.
func (f *File) want(tx *sql.Tx, name string) (*studyRow, error) {
	row, err := f.find(tx, name)
	if err == nil && row == nil {
		err = fileError{fmt.Errorf("study %s: there is no study %q", f.path, name)}
	}
	return row, err
}

// complete returns an error unless all rows of a study are there.
func (f *File) complete(tx *sql.Tx, s *studyRow) error {
	if f.version < 2 {
		return nil
	}
	var n int64
	err := tx.QueryRow(`SELECT (SELECT count(*) FROM trial WHERE study = ?1) + (SELECT count(*) FROM final WHERE study = ?1) +
		(SELECT count(*) FROM measurement WHERE study = ?1)`, s.id).Scan(&n)
	if err != nil {
		return f.unreadable(err)
	}
	if n != s.entries {
		return f.damaged("study %q has %d entries where %d were recorded", s.name, n, s.entries)
	}
	return nil
}

// records reads the rows of a study in table trial or final.
func (f *File) records(tx *sql.Tx, s *studyRow, table string) ([]numbered, error) {
	query := "SELECT number, record, checksum FROM " + table + " WHERE study = ? ORDER BY number"
	if f.version < 2 {
		if table != tableTrial {
			return nil, nil
		}
		query = "SELECT number, record, x'' FROM trial WHERE study = ? ORDER BY number"
	}
	rows, err := tx.Query(query, s.id)
	if err != nil {
		return nil, f.unreadable(err)
	}
	defer rows.Close()
	var all []numbered
	for rows.Next() {
		var r numbered
		var sum []byte
		if err := rows.Scan(&r.number, &r.record, &sum); err != nil {
			return nil, f.unreadable(err)
		}
		if f.version > 1 && !bytes.Equal(sum, s.checksumOf(table, r)) {
			return nil, f.damaged("%s %d of %q: %w", table, r.number, s.name, errChecksum)
		}
		if r.number < 0 || !utf8.ValidString(r.record) {
			return nil, f.damaged("%s %d of %q: the record is not UTF-8, or its number is negative", table, r.number, s.name)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, f.unreadable(err)
	}
	return all, nil
}

// measured reads the rows of a study in table measurement.
func (f *File) measured(tx *sql.Tx, s *studyRow) ([]measured, error) {
	query := "SELECT what, key, value, checksum FROM measurement WHERE study = ?"
	if f.version < 2 {
		var tables int
		if err := tx.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'measurement'").Scan(&tables); err != nil {
			return nil, f.unreadable(err)
		}
		if tables == 0 {
			return nil, nil
		}
		query = "SELECT what, key, value, x'' FROM measurement WHERE study = ?"
	}
	rows, err := tx.Query(query, s.id)
	if err != nil {
		return nil, f.unreadable(err)
	}
	defer rows.Close()
	var all []measured
	for rows.Next() {
		var m measured
		var sum []byte
		if err := rows.Scan(&m.what, &m.key, &m.value, &sum); err != nil {
			return nil, f.unreadable(err)
		}
		if f.version > 1 && !bytes.Equal(sum, s.checksumOfMeasured(m)) {
			return nil, f.damaged("%s of %s of %q: %w", m.what, m.key, s.name, errChecksum)
		}
		all = append(all, m)
	}
	if err := rows.Err(); err != nil {
		return nil, f.unreadable(err)
	}
	return all, nil
}
