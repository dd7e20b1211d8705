package study

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// SQLite recovers a log as it is read here: what the log adds to the database is the same.
func TestALogIsReadAsSQLiteReadsIt(t *testing.T) {
	for _, size := range []string{"512", "4096", "65536"} {
		folder := t.TempDir()
		path := filepath.Join(folder, "a.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		for _, statement := range []string{
			"PRAGMA page_size=" + size, "PRAGMA journal_mode=WAL", "CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, randomblob(9000))", "INSERT INTO t SELECT a + 1, b FROM t",
			"UPDATE t SET b = randomblob(300) WHERE a = 1", "DELETE FROM t WHERE a = 2", "INSERT INTO t VALUES (3, randomblob(70000))", "PRAGMA wal_checkpoint(RESTART)",
			"INSERT INTO t VALUES (4, randomblob(1000))", "INSERT INTO t VALUES (5, randomblob(1000))",
		} {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		image, err := snapshot(path)
		if err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		// SQLite's own reading, of copies, one of which ends within a transaction.
		for _, cut := range []int{0, 7, frameHeader + 512} {
			copied := filepath.Join(t.TempDir(), "b.db")
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			end := len(log)
			if cut > 0 {
				end = walHeader + 2*(len(log)-walHeader)/3/8*8 - cut
			}
			for name, data := range map[string][]byte{copied: whole, copied + "-wal": log[:end]} {
				if err := os.WriteFile(name, data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			got, err := snapshot(copied)
			if err != nil {
				t.Fatal(err)
			}
			database(t, copied, "PRAGMA wal_checkpoint(TRUNCATE)")
			want, err := os.ReadFile(copied)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("pages of %s, %d bytes cut off: %d bytes, SQLite has %d, or other ones", size, len(log)-end, len(got), len(want))
			}
			if cut == 0 && !bytes.Equal(image, want) {
				t.Errorf("pages of %s: read from the writer's files, the database is another", size)
			}
		}
	}
}

// madeLog returns a log of pages of 512 bytes, whose numbers are given for each transaction.
func madeLog(transactions ...[]uint32) []byte {
	words := func(values ...uint32) []byte {
		var b []byte
		for _, v := range values {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return b
	}
	log := words(0x377f0682, walFormat, 512, 0, 7, 8)
	s1, s2 := walChecksum(binary.LittleEndian, 0, 0, log)
	log = append(log, words(s1, s2)...)
	for _, pages := range transactions {
		for i, page := range pages {
			head, size := words(page, 0), uint32(2)
			if i == len(pages)-1 {
				head = words(page, size)
			}
			content := bytes.Repeat([]byte{byte(page)}, 512)
			s1, s2 = walChecksum(binary.LittleEndian, s1, s2, head)
			s1, s2 = walChecksum(binary.LittleEndian, s1, s2, content)
			log = append(append(append(log, head...), words(7, 8, s1, s2)...), content...)
		}
	}
	return log
}

func FuzzLog(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("SQLite format 3\x00"), madeLog([]uint32{1, 2}, []uint32{2}))
	f.Add([]byte("SQLite format 3\x00"), madeLog([]uint32{9}, []uint32{1}, []uint32{1})[:2000])
	f.Fuzz(func(t *testing.T, db, log []byte) {
		w, err := readWAL(log)
		if err != nil {
			return
		}
		image, err := w.apply(db)
		if err == nil && w.size > 0 && len(image) != int(w.size)*w.pageSize {
			t.Errorf("%d bytes of %d pages of %d", len(image), w.size, w.pageSize)
		}
	})
}
