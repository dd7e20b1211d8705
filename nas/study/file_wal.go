package study

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of a write-ahead log, as SQLite's file format says (https://www.sqlite.org/fileformat2.html#walformat).
const (
	walHeader   = 32
	frameHeader = 24
	walFormat   = 3007000
)

// wal is what a write-ahead log has committed.
type wal struct {
	pageSize int
	pages    map[uint32][]byte // last committed content, by number from 1
	size     uint32            // pages of the database after the last commit; 0 if nothing is committed
}

// readWAL makes sense of a write-ahead log. It is read to the last transaction that is whole, as SQLite does: a process or machine that dies may leave
// the last one cut. Where more than that follows what is not whole, the log was damaged later, which SQLite would take for its end, and drop what
// follows without a word; that is an error.
func readWAL(data []byte) (*wal, error) {
	w := &wal{pages: map[uint32][]byte{}}
	if len(data) < walHeader {
		return w, nil // not yet begun
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(data[at:]) }
	var order binary.ByteOrder = binary.LittleEndian
	if word(0)&1 == 1 {
		order = binary.BigEndian
	}
	s1, s2 := walChecksum(order, 0, 0, data[:24])
	w.pageSize = int(word(8))
	switch {
	case word(0)&^1 != 0x377f0682 || word(4) != walFormat || s1 != word(24) || s2 != word(28):
		return nil, errors.New("the header of its write-ahead log is not what was written")
	case w.pageSize < 512 || w.pageSize > 65536 || w.pageSize&(w.pageSize-1) != 0:
		return nil, fmt.Errorf("its write-ahead log has pages of %d bytes", w.pageSize)
	}
	pending := map[uint32][]byte{}
	frame, at := 0, walHeader
	length := frameHeader + w.pageSize
	for ; at+length <= len(data); frame, at = frame+1, at+length {
		page := data[at+frameHeader : at+length]
		s1, s2 = walChecksum(order, s1, s2, data[at:at+8])
		s1, s2 = walChecksum(order, s1, s2, page)
		if word(at+8) != word(16) || word(at+12) != word(20) || s1 != word(at+16) || s2 != word(at+20) {
			break
		}
		pending[word(at)] = page
		if size := word(at + 4); size > 0 {
			for number, page := range pending {
				w.pages[number] = page
			}
			clear(pending)
			w.size = size
		}
	}
	// Of a transaction that was cut, parts may be there, its end among them; but no second end, and no page twice.
	commits, twice := 0, false
	for first := at; at+length <= len(data); at += length {
		same := word(at+8) == word(16) && word(at+12) == word(20)
		if at > first && !same {
			continue // left from before the log was begun anew
		}
		_, seen := pending[word(at)]
		twice = twice || seen
		pending[word(at)] = nil
		if same && word(at+4) > 0 {
			commits++
		}
	}
	if commits > 1 || commits == 1 && twice {
		return nil, fmt.Errorf("frame %d of its write-ahead log is not what was written, and another transaction follows", frame+1)
	}
	return w, nil
}

// walChecksum goes on with the checksum of a log over data, whose length is a multiple of 8.
func walChecksum(order binary.ByteOrder, s1, s2 uint32, data []byte) (uint32, uint32) {
	for i := 0; i+8 <= len(data); i += 8 {
		s1 += order.Uint32(data[i:]) + s2
		s2 += order.Uint32(data[i+4:]) + s1
	}
	return s1, s2
}

// apply returns the database with what the log has committed.
func (w *wal) apply(db []byte) ([]byte, error) {
	if w.size == 0 {
		return db, nil
	}
	size := int64(w.size) * int64(w.pageSize)
	// Pages that the log does not have are in the database, or were never written because they are free.
	if size > maxImage || size > 2*(int64(len(db))+int64(len(w.pages))*int64(w.pageSize))+1<<20 {
		return nil, fmt.Errorf("its write-ahead log makes it %d bytes large", size)
	}
	image := make([]byte, size)
	copy(image, db)
	for number, page := range w.pages {
		if number >= 1 && number <= w.size { // others were cut off since
			copy(image[int64(number-1)*int64(w.pageSize):], page)
		}
	}
	return image, nil
}
