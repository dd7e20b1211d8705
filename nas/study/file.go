package study

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyMilliseconds is how long to wait for another program, a database browser say, that
// holds SQLite's own lock.
const busyMilliseconds = 5000

// ErrInUse says that another process has the study file open.
var ErrInUse = errors.New("in use by another process")

// File is an SQLite database that holds any number of studies by name. One process at a
// time may open it to write; a lock on the file of the same name with ".lock" appended sees to that. Any number may read it at the
// same time: see [OpenReadOnly].
//
// The database uses write-ahead logging with full synchronisation: a trial whose
// Append has returned survives the death of the process and of the machine.
type File struct {
	path    string
	lock    *flock.Flock // nil if the file was opened for reading alone
	db      *sql.DB
	version int // of the schema; 0 for an empty database
}

// FileOptions says how [OpenFile] treats a path.
type FileOptions struct {
	// MakeFolders makes the folders above the file if they are missing. It is meant for a
	// path that the program chose; in a path that a user typed a missing folder is a mistake.
	MakeFolders bool
}

// OpenFile opens a study file and makes it if it does not exist. The error says so if the
// file is something else, is damaged, was written by a newer version, is in
// use by another process ([ErrInUse]), or cannot be written.
func OpenFile(path string, o FileOptions) (*File, error) {
	f, err := openFile(path, o)
	if err != nil {
		return nil, fmt.Errorf("study %s %w", path, err)
	}
	return f, nil
}

// openFile returns errors that go on the sentence "study FILE ...".
func openFile(path string, o FileOptions) (*File, error) {
	if path == "" {
		return nil, errors.New("needs a file name")
	}
	folder := filepath.Dir(path)
	if o.MakeFolders {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return nil, fmt.Errorf("cannot be made: %w", err)
		}
	}
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot be made: the folder %s does not exist", folder)
	} else if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("cannot be opened: %s is not a folder", folder)
	}
	// The lock belongs to the file itself, by whatever link it is reached.
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		target = path
	}
	if target, err = filepath.Abs(target); err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	// Look before leaving a lock file beside something that is not ours.
	if err := checkHeader(target); err != nil {
		return nil, err
	}
	f := &File{path: path, lock: flock.New(target + ".lock")}
	locked, err := f.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot be locked: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("is %w", ErrInUse)
	}
	err = checkLog(target)
	if err == nil {
		err = f.open(target)
	}
	if err != nil {
		if why := forbidden(target); why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkHeader accepts a file that is absent, empty or an SQLite database.
func checkHeader(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot be opened: %w", err)
	case info.IsDir():
		return errors.New("is a folder, not a study file")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case info.Size() == 0:
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	defer file.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(file, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if !bytes.Equal(head, []byte(magic)) {
		return errors.New("is not a study file (not an SQLite database)")
	}
	return nil
}

// forbidden returns why the system does not let the file or its folder be written, which SQLite does not say; nil if it does.
func forbidden(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_ = file.Close() // nothing was written
	probe, err := os.CreateTemp(filepath.Dir(path), ".nasbench-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// checkLog refuses a write-ahead log that was damaged: SQLite would drop what follows the damage.
func checkLog(path string) error {
	data, err := readHead(path+"-wal", maxImage)
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	if _, err := readWAL(data); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	return nil
}

func (f *File) open(path string) error {
	slash := filepath.ToSlash(path)
	if !strings.HasPrefix(slash, "/") {
		slash = "/" + slash // a Windows drive
	}
	name := url.URL{Scheme: "file", Path: slash, RawQuery: "_txlock=immediate"} // see File.view for transactions that read
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	// Settings below belong to a connection, so there must only ever be one.
	db.SetMaxOpenConns(1)
	f.db = db
	if _, err := db.Exec(fmt.Sprintf("PRAGMA busy_timeout=%d; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", busyMilliseconds)); err != nil {
		return because("cannot be opened", err)
	}
	if err := f.identify(); err != nil {
		return err
	}
	if _, err := db.Exec("PRAGMA journal_mode=WAL"); err != nil {
		return because("cannot be written", err)
	}
	if f.version == 0 {
		return f.create()
	}
	// Find out now, not after the first trial, whether the file can be written. The log begins empty, so that nothing of a cut transaction stays in it.
	if _, err := db.Exec("BEGIN IMMEDIATE; ROLLBACK; PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return because("cannot be written", err)
	}
	return nil
}

// because puts an error of the database after what cannot be done, or says that the file is
// damaged if that is what the error means.
func because(what string, err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		if code := e.Code() & 0xff; code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB {
			what = "is damaged"
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Path returns the path that the file was opened with.
func (f *File) Path() string { return f.path }

// Close closes the database and releases the lock. The lock file stays: removing it
// could take it away from a process that has just opened it.
func (f *File) Close() error {
	var err error
	if f.db != nil {
		err = f.db.Close()
	}
	if f.lock != nil {
		if e := f.lock.Unlock(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("study %s cannot be closed: %w", f.path, err)
	}
	return nil
}
