package study

import (
	"database/sql"
	"errors"
	"fmt"
)

// The identity of a study file, in the header of the database.
const (
	applicationID = 0x6e617362 // "nasb"
	schemaVersion = 2
)

// schema is version 2. A record is the JSON of a Trial or a Final, so that SQLite's own JSON functions can query it. Every row has a
// checksum over its table, the study, its keys and its content; a study's row also counts the rows of the study in the other tables,
// so that none can vanish. Version 1 had no checksums, no table of finals, and one of measurements only where some were made.
const schema = `
CREATE TABLE study (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	created  TEXT NOT NULL,
	settings TEXT NOT NULL,
	entries  INTEGER NOT NULL,
	checksum BLOB NOT NULL
) STRICT;
CREATE TABLE trial (
	study    INTEGER NOT NULL REFERENCES study(id),
	number   INTEGER NOT NULL,
	record   TEXT NOT NULL,
	checksum BLOB NOT NULL,
	PRIMARY KEY (study, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE final (
	study    INTEGER NOT NULL REFERENCES study(id),
	number   INTEGER NOT NULL,
	record   TEXT NOT NULL,
	checksum BLOB NOT NULL,
	PRIMARY KEY (study, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE measurement (
	study    INTEGER NOT NULL REFERENCES study(id),
	what     TEXT NOT NULL,
	key      TEXT NOT NULL,
	value    REAL NOT NULL,
	checksum BLOB NOT NULL,
	PRIMARY KEY (study, what, key)
) STRICT, WITHOUT ROWID;`

// identify finds out which version a file has; 0 if it is an empty database. It refuses what is no study file or is damaged.
func (f *File) identify() error {
	var id, version int64
	var tables int
	if err := f.db.QueryRow("PRAGMA application_id").Scan(&id); err != nil {
		return because("cannot be read", err)
	}
	if err := f.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return because("cannot be read", err)
	}
	if err := f.db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return because("cannot be read", err)
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return nil
	case id != applicationID:
		return errors.New("is not a study file (an SQLite database of another program)")
	case version > schemaVersion:
		return fmt.Errorf("was written by a newer version of nasbench (file format %d; this version knows %d)", version, schemaVersion)
	case version < 1:
		return fmt.Errorf("is damaged: file format %d", version)
	}
	// A header that claims version 1 must not switch the checksums off.
	var sums int
	if err := f.db.QueryRow("SELECT count(*) FROM pragma_table_info('trial') WHERE name = 'checksum'").Scan(&sums); err != nil {
		return because("cannot be read", err)
	}
	if (sums > 0) != (version > 1) {
		return fmt.Errorf("is damaged: its tables are not those of file format %d", version)
	}
	f.version = int(version)
	return f.intact()
}

// intact looks for damage that SQLite itself can find, and for rows that belong to no study.
func (f *File) intact() error {
	var verdict string
	if err := f.db.QueryRow("PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return because("cannot be read", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("is damaged: %s", verdict)
	}
	var table string
	err := f.db.QueryRow(`SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if err == nil {
		return fmt.Errorf("is damaged: a row of table %s belongs to no study", table)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return because("cannot be read", err)
	}
	return nil
}

// create writes schema and identity in one transaction: a process that dies in
// it leaves an empty database.
func (f *File) create() error {
	tx, err := f.db.Begin()
	if err != nil {
		return because("cannot be made", err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(fmt.Sprintf("%s PRAGMA application_id=%d; PRAGMA user_version=%d", schema, applicationID, schemaVersion)); err != nil {
		return because("cannot be made", err)
	}
	if err := tx.Commit(); err != nil {
		return because("cannot be made", err)
	}
	f.version = schemaVersion
	return nil
}

// change runs what writes in one transaction, and migrates a file of version 1 in the same.
func (f *File) change(write func(tx *sql.Tx) error) (err error) {
	if f.lock == nil {
		return errReadOnly
	}
	tx, err := f.db.Begin()
	if err != nil {
		return err
	}
	was := f.version
	defer func() {
		if err != nil {
			f.version = was
			_ = tx.Rollback() // there is nothing to roll back where the transaction is over
		}
	}()
	if f.version < schemaVersion {
		if err := f.migrate(tx); err != nil {
			return err
		}
	}
	if err := write(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// errReadOnly is the error of writing to a file of [OpenReadOnly].
var errReadOnly = errors.New("the file was opened for reading alone")

// old is all that a file of version 1 has on a study.
type old struct {
	studyRow
	records      []numbered
	measurements []measured
}

// migrate makes a file of version 1 one of version 2.
func (f *File) migrate(tx *sql.Tx) error {
	rows, err := f.studyRows(tx)
	if err != nil {
		return err
	}
	var all []old
	for _, row := range rows {
		o := old{studyRow: row}
		if o.records, err = f.records(tx, &row, tableTrial); err != nil {
			return err
		}
		if _, err := f.parseTrials(&row, o.records); err != nil {
			return err
		}
		if o.measurements, err = f.measured(tx, &row); err != nil {
			return err
		}
		all = append(all, o)
	}
	const drop = "DROP TABLE IF EXISTS measurement; DROP TABLE trial; DROP TABLE study;"
	if _, err := tx.Exec(fmt.Sprintf("%s %s PRAGMA user_version=%d", drop, schema, schemaVersion)); err != nil {
		return err
	}
	f.version = schemaVersion
	for i := range all {
		o := &all[i]
		o.entries = int64(len(o.records) + len(o.measurements))
		if err := o.insert(tx); err != nil {
			return err
		}
		for _, r := range o.records {
			if err := o.insertRecord(tx, tableTrial, r); err != nil {
				return err
			}
		}
		for _, m := range o.measurements {
			if err := o.insertMeasured(tx, m); err != nil {
				return err
			}
		}
	}
	return nil
}
