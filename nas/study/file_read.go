package study

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxImage bounds the bytes of a file that is read whole. A study of a million trials has about one gigabyte.
const maxImage = 4 << 30

// OpenReadOnly opens a study file that is there for reading alone. It reads the file as it is at that moment into memory, with what its
// write-ahead log has committed, and neither locks nor writes anything: it succeeds while another process searches and does not disturb it, on
// a file system that cannot be written, and without permission for more than reading. What the other process records later is seen by
// opening the file again. The errors are those of [OpenFile]; methods that write return an error.
func OpenReadOnly(path string) (*File, error) {
	f, err := openReadOnly(path)
	if err != nil {
		return nil, fmt.Errorf("study %s %w", path, err)
	}
	return f, nil
}

// openReadOnly returns errors that go on the sentence "study FILE ...".
func openReadOnly(path string) (*File, error) {
	target, err := filepath.EvalSymlinks(path) // the log lies beside the file itself
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	if err := checkHeader(target); err != nil {
		return nil, err
	}
	var last []byte
	for try := 0; ; try++ {
		image, err := snapshot(target)
		var f *File
		if err == nil {
			f, err = openImage(path, image)
		}
		// What looks damaged may have been written while it was read.
		if err == nil || try == 2 || image != nil && bytes.Equal(image, last) {
			return f, err
		}
		last = image
	}
}

// attempts is how often a file is read that changes all the time.
const attempts = 100

// snapshot returns the database with what its log has committed, all of one moment.
//
// A writer adds to the log, copies from the log to the database, and begins the log anew with another header when all is copied. What
// is copied while the database is read is in the log that is read after it, and stands above it. So the two belong together unless
// the log was begun anew in between, or the database was changed without one.
func snapshot(path string) ([]byte, error) {
	for try := 0; ; try++ {
		begun, err := readHead(path+"-wal", walHeader)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		before, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		if before.Size() > maxImage {
			return nil, fmt.Errorf("has %d bytes, more than the %d that are read", before.Size(), int64(maxImage))
		}
		db, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		data, err := readHead(path+"-wal", maxImage)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		after, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		same := bytes.Equal(begun, data[:min(len(data), walHeader)])
		if same && (len(begun) > 0 || before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size()) {
			if err := noJournal(path); err != nil {
				return nil, err
			}
			log, err := readWAL(data)
			if err == nil {
				db, err = log.apply(db)
			}
			if err != nil {
				return nil, fmt.Errorf("is damaged: %w", err)
			}
			return db, nil
		}
		if try == attempts {
			return nil, errors.New("cannot be read: another process writes it all the time")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// noJournal refuses a database that another program is changing, or was when it died, in the way without a write-ahead log.
func noJournal(path string) error {
	head, err := readHead(path+"-journal", 8)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if bytes.Equal(head, []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}) {
		return fmt.Errorf("cannot be read: a change of it was begun and not finished (%s-journal); a search that goes on with it undoes that", path)
	}
	return nil
}

// readHead reads up to n bytes of a file; none if there is no file.
func readHead(path string, n int64) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	data := make([]byte, min(n, info.Size()))
	got, err := file.ReadAt(data, 0)
	if got < len(data) && err != nil {
		return data[:got], nil // it has become shorter
	}
	return data, nil
}

// openImage opens a database in memory; an empty one has no studies.
func openImage(path string, image []byte) (*File, error) {
	f := &File{path: path}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	db.SetMaxOpenConns(1) // the database belongs to the connection
	f.db = db
	if len(image) > 0 {
		if err := f.load(image); err != nil {
			db.Close()
			return nil, err
		}
	}
	return f, nil
}

// load makes the connection one to the image.
func (f *File) load(image []byte) error {
	// A database in memory has no log; all that the log had is in the image.
	const versions = 18 // of the format for writing and reading: 1 without a log, 2 with one
	if len(image) > versions+1 && image[versions] == 2 && image[versions+1] == 2 {
		image[versions], image[versions+1] = 1, 1
		defer func() { image[versions], image[versions+1] = 2, 2 }()
	}
	conn, err := f.db.Conn(context.Background())
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	err = conn.Raw(func(c any) error {
		d, ok := c.(interface{ Deserialize([]byte) error })
		if !ok {
			return errors.New("the database driver cannot read from memory")
		}
		return d.Deserialize(image)
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		return because("cannot be opened", err)
	}
	return f.identify()
}
