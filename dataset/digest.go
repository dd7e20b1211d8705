package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
)

// digestForm begins what a digest is made of. It changes when the rest does.
const digestForm = "nasbench data set 1"

// part is a file of a data set, with what it is in it.
type part struct {
	role string // its name in a data set of known files; split and label of a picture

	file   string // its path, or its name in fsys
	fsys   fs.FS  // nil for a path of the system
	packed bool   // gzipped or not, it is the same file

	head, data []byte // instead of a file: its content, in two pieces
}

// contents are what a data set consists of: its parts in the order that decides the order of samples, and the rule that divides them into splits
// where the parts do not.
type contents struct {
	rule  string
	parts []part
}

// DigestError says that what was made with one data set would have gone on with another.
type DigestError struct {
	Recorded, Given string // digests
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("it was made with another data set: the digest was %s, now %s", ShortDigest(e.Recorded), ShortDigest(e.Given))
}

// CheckDigest returns a [*DigestError] if two digests say that data sets differ. "" stands for a data set whose digest is not known, which is taken
// to be the other.
func CheckDigest(recorded, given string) error {
	if recorded == "" || given == "" || recorded == given {
		return nil
	}
	return &DigestError{recorded, given}
}

// ShortDigest returns the beginning of a digest, enough to tell data sets apart at sight.
func ShortDigest(digest string) string { return digest[:min(len(digest), 12)] }

// Digest returns the SHA-256 sum, in hexadecimal digits, of what the data set consists of; see the package comment. The first call reads the
// files, but for those of which the user's cache folder has the sum.
func (d *Dataset) Digest(ctx context.Context) (string, error) {
	d.digesting.Lock()
	defer d.digesting.Unlock()
	if d.digest != "" {
		return d.digest, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = "" // no cache: slower, not wrong
	}
	cache := openDigestCache(dir, d.info.Location)
	sum, err := d.contents.digest(ctx, d.info, cache)
	if err != nil {
		return "", err
	}
	cache.save()
	d.digest = sum
	return sum, nil
}

// digest sums the parts up, a few at a time.
func (c *contents) digest(ctx context.Context, info Info, cache *digestCache) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sums := make([][sha256.Size]byte, len(c.parts))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(c.parts)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(sums) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if sums[i], err = c.parts[i].sum(ctx, cache); err != nil {
					cancel(fileError(info, c.parts[i].file, err))
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	h := sha256.New()
	text := func(s string) { fmt.Fprintf(h, "%d %s\n", len(s), s) } // no two lists of texts give the same bytes
	text(digestForm)
	fmt.Fprintf(h, "%d\n", len(info.Classes))
	for _, class := range info.Classes {
		text(class)
	}
	text(c.rule)
	for i, p := range c.parts {
		text(p.role)
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sum returns the sum of the content of a part.
func (p *part) sum(ctx context.Context, cache *digestCache) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	switch {
	case p.file == "":
		h.Write(p.head)
		h.Write(p.data)
		return [sha256.Size]byte(h.Sum(nil)), nil
	case p.fsys != nil:
		f, err := p.fsys.Open(p.file)
		if err != nil {
			return sum, plain(err)
		}
		defer f.Close()
		return p.sumOf(ctx, h, f)
	}
	if info, err := os.Stat(p.file); err == nil {
		if sum, ok := cache.lookup(p.file, info); ok {
			return sum, nil
		}
	}
	f, err := os.Open(p.file)
	if err != nil {
		return sum, plain(err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return sum, plain(err)
	}
	if sum, err = p.sumOf(ctx, h, f); err != nil {
		return sum, err
	}
	if after, err := f.Stat(); err == nil && stampOf(after) == stampOf(before) {
		cache.put(p.file, after, sum)
	}
	return sum, nil
}

func (p *part) sumOf(ctx context.Context, h hash.Hash, f fs.File) (sum [sha256.Size]byte, err error) {
	r := io.Reader(f)
	if p.packed {
		in, err := newInput(f)
		if err != nil {
			return sum, err
		}
		r = in.r
	}
	if _, err := io.Copy(h, &heeding{ctx, r}); err != nil {
		return sum, plain(err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// heeding reads until a context is cancelled.
type heeding struct {
	ctx context.Context
	r   io.Reader
}

func (h *heeding) Read(p []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	return h.r.Read(p)
}

// pictureContents are those of a folder of pictures: the files in the order of the samples. Names count as far as they decide that order.
func pictureContents(train, test pictures) contents {
	var c contents
	for _, s := range []struct {
		split string
		pictures
	}{{"train", train}, {"test", test}} {
		for i, path := range s.paths {
			c.parts = append(c.parts, part{role: fmt.Sprintf("%s %d", s.split, s.labels[i]), file: path})
		}
	}
	return c
}

// fileContents are those of files of known names in a folder.
func fileContents(dir string, files []string) contents {
	var c contents
	for _, f := range files {
		path := resolve(dir, f)
		if path == "" {
			path = filepath.Join(dir, f) // whoever opens it says what is missing
		}
		c.parts = append(c.parts, part{role: f, file: path, packed: true})
	}
	return c
}

// idxContents are those of four IDX files; without a file system they are in a folder. The pixels of the train split are the elements of its file, so it is not
// read again.
func idxContents(fsys fs.FS, dir string, train *Split) contents {
	var c contents
	for _, f := range idxFiles() {
		p := part{role: f, packed: true}
		switch {
		case f == idxTrainImages:
			p.head = binary.BigEndian.AppendUint32(nil, 0x0803)
			for _, d := range []int{train.Len(), train.Height, train.Width} {
				p.head = binary.BigEndian.AppendUint32(p.head, uint32(d))
			}
			p.data = train.images
		case fsys != nil:
			p.fsys, p.file = fsys, f+".gz"
		default:
			p = fileContents(dir, []string{f}).parts[0]
		}
		c.parts = append(c.parts, p)
	}
	return c
}
