package oneshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/nasbench-go/nasbench/dataset"
)

// book remembers what paths reach, in a file of one JSON object a line if there is a checkpoint. Every line ends in a checksum of what comes
// before it, as its last member; books from before there were any have none.
type book struct {
	paths map[string]Path
	file  *os.File // nil without
}

// bookHead is the first line of the file: what the paths were measured with.
type bookHead struct {
	Settings string `json:"settings"`

	Data    string        `json:"data,omitempty"`
	Study   string        `json:"study,omitempty"`
	Trained time.Duration `json:"trained,omitempty"` // how long the supernet took: another training of a supernet has other weights
}

// errOtherBook says that a book is not of this supernet, so that it is begun anew.
var errOtherBook = errors.New("of another supernet")

// openBook reads what is there. A last line that was cut off is written again.
func (n *Supernet) openBook() (*book, error) {
	b := &book{paths: map[string]Path{}}
	if n.o.Checkpoint == "" {
		return b, nil
	}
	file, err := os.OpenFile(n.o.Checkpoint+".paths", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	b.file = file
	head := n.bookHead()
	good, err := b.read(head)
	if errors.Is(err, errOtherBook) {
		clear(b.paths)
		good, err = 0, nil
	}
	if err == nil {
		err = file.Truncate(good)
	}
	if err == nil {
		_, err = file.Seek(good, io.SeekStart)
	}
	if err == nil && good == 0 {
		err = b.write(head)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("oneshot: %s: %w", file.Name(), err)
	}
	return b, nil
}

func (n *Supernet) bookHead() bookHead {
	var last Epoch // of a supernet that is searched as it is
	if len(n.epochs) > 0 {
		last = n.epochs[len(n.epochs)-1]
	}
	return bookHead{
		Settings: fmt.Sprintf("%s recalibration=%d images=%d trained=%d/%d", n.settings(), len(n.calibration), n.judged, last.Epoch, last.Paths),
		Data:     n.o.Data, Study: n.o.Study, Trained: n.elapsed,
	}
}

// matches says whether a book goes on.
func (h *bookHead) matches(old *bookHead, summed bool) error {
	if old.Study != h.Study || summed && old.Trained != h.Trained {
		return errOtherBook
	}
	if err := dataset.CheckDigest(old.Data, h.Data); err != nil {
		return err
	}
	if old.Settings != h.Settings {
		return errors.New("it is of a search with other settings")
	}
	return nil
}

// read reads the whole lines of the file, and returns how long they are.
func (b *book) read(head bookHead) (good int64, err error) {
	reader := bufio.NewReader(b.file)
	allSummed := false
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // the end, or a line that was cut off
		}
		if err != nil {
			return good, err
		}
		object, summed, err := unsum(bytes.TrimSuffix(line, []byte("\n")))
		if err == nil && allSummed && !summed {
			err = errors.New("the checksum is missing")
		}
		if err != nil {
			return good, fmt.Errorf("line %d is damaged: %w", number, err)
		}
		if number == 1 {
			allSummed = summed
			var old bookHead
			if err := strictly(object, &old); err != nil {
				return good, fmt.Errorf("line 1 is damaged: %w", err)
			}
			if err := head.matches(&old, summed); err != nil {
				return good, err
			}
		} else {
			var p Path
			if err := strictly(object, &p); err != nil {
				return good, fmt.Errorf("line %d is damaged: %w", number, err)
			}
			b.paths[p.Genome] = p
		}
		good += int64(len(line))
	}
}

// strictly decodes an object that has no other members.
func strictly(object []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(object))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something follows the object")
	}
	return nil
}

// The checksum is the last member of an object: CRC-32C of all before it.
const (
	sumFormat = `,"sum":"%08x"}`
	sumLength = len(`,"sum":"00000000"}`)
)

// sumText returns the end of a line that begins with these bytes.
func sumText(before []byte) string {
	return fmt.Sprintf(sumFormat, crc32.Checksum(before, crc32.MakeTable(crc32.Castagnoli)))
}

// unsum takes the checksum off a line and holds it against the rest. A line that does not end in one is returned as it is.
func unsum(line []byte) (object []byte, summed bool, err error) {
	at := len(line) - sumLength
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(`,"sum":"`)) {
		return line, false, nil
	}
	if string(line[at:]) != sumText(line[:at]) {
		return nil, true, errors.New("its checksum is that of another text")
	}
	return append(bytes.Clone(line[:at]), '}'), true, nil
}

func (b *book) write(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		line = line[:len(line)-1] // the brace
		_, err = b.file.Write(append(append(line, sumText(line)...), '\n'))
	}
	return err
}

// add remembers a path.
func (b *book) add(p Path) error {
	b.paths[p.Genome] = p
	if b.file == nil {
		return nil
	}
	return b.write(p)
}

func (b *book) close() {
	if b.file != nil {
		_ = b.file.Close() // every line was written when it was added
		b.file = nil
	}
}
