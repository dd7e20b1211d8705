package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nasbench-go/nasbench/internal/wholefile"
)

// The cache of digests is one file for each place of a data set. Its first line has a checksum of the others, which have the stamp, the sum and the path of a file
// each. It is replaced as a whole, so that processes cannot spoil it for each other: the last one wins, and what it did not
// have is summed up again some day.
const (
	cacheFolder = "digests"
	cacheForm   = "nasbench digests 1 "
)

// settled is how long a file must have been left alone before its sum is kept: what is written within the granularity of a file system's clock may
// leave the time as it was.
const settled = 5 * time.Second

// stamp tells whether a file has been changed. The time of the last change of a file's data or attributes, which programs cannot set, is
// taken too, where the system has it.
type stamp struct {
	size, modified, changed int64 // bytes; nanoseconds
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{info.Size(), info.ModTime().UnixNano(), changeTime(info)}
}

// old reports whether a file was left alone for long enough at a time. One with a time in the future was not.
func (s stamp) old(now time.Time) bool {
	limit := now.Add(-settled).UnixNano()
	return s.modified < limit && s.changed < limit
}

type cachedSum struct {
	stamp
	sum [sha256.Size]byte
}

// digestCache keeps the sums of files. The nil cache keeps nothing. It may be used by several goroutines at once.
type digestCache struct {
	path string // of the cache's file
	now  func() time.Time

	mu      sync.Mutex
	sums    map[string]cachedSum // by path
	used    map[string]cachedSum // what is looked up or added: what is still there
	changed bool
}

// openDigestCache reads the cache of a data set's place. Without a folder, or a place in the file system, there is none; what cannot be read, or is
// damaged, is empty.
func openDigestCache(dir, place string) *digestCache {
	place, err := filepath.Abs(place)
	if dir == "" || err != nil {
		return nil
	}
	name := sha256.Sum256([]byte(place))
	c := &digestCache{
		path: filepath.Join(dir, "nasbench", cacheFolder, hex.EncodeToString(name[:16])),
		now:  time.Now, sums: map[string]cachedSum{}, used: map[string]cachedSum{},
	}
	raw, err := os.ReadFile(c.path)
	if err != nil {
		return c
	}
	head, lines, _ := strings.Cut(string(raw), "\n")
	if sum := sha256.Sum256([]byte(lines)); head != cacheForm+hex.EncodeToString(sum[:]) {
		return c
	}
	for line := range strings.Lines(lines) {
		if path, s, ok := parseCached(strings.TrimSuffix(line, "\n")); ok {
			c.sums[path] = s
		}
	}
	return c
}

// cachedLine is a line of the cache.
func cachedLine(path string, s cachedSum) string {
	return fmt.Sprintf("%d %d %d %x %s\n", s.size, s.modified, s.changed, s.sum, strconv.Quote(path))
}

// parseCached reads a line of the cache.
func parseCached(line string) (path string, s cachedSum, ok bool) {
	fields := strings.SplitN(line, " ", 5)
	if len(fields) != 5 {
		return "", s, false
	}
	for i, into := range []*int64{&s.size, &s.modified, &s.changed} {
		var err error
		if *into, err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return "", s, false
		}
	}
	sum, err := hex.DecodeString(fields[3])
	if err != nil || len(sum) != sha256.Size {
		return "", s, false
	}
	s.sum = [sha256.Size]byte(sum)
	path, err = strconv.Unquote(fields[4])
	return path, s, err == nil
}

// lookup returns the sum of a file that has not been changed since it was kept.
func (c *digestCache) lookup(path string, info fs.FileInfo) (sum [sha256.Size]byte, ok bool) {
	if c == nil {
		return sum, false
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return sum, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.sums[path]
	if at := stampOf(info); !ok || s.stamp != at || !at.old(c.now()) {
		return sum, false
	}
	c.used[path] = s
	return s.sum, true
}

// put keeps the sum of a file that was left alone for a while.
func (c *digestCache) put(path string, info fs.FileInfo, sum [sha256.Size]byte) {
	if c == nil {
		return
	}
	path, err := filepath.Abs(path)
	if at := stampOf(info); err == nil && at.old(c.now()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.used[path] = cachedSum{at, sum}
		c.changed = true
	}
}

// save writes the cache, if there is anything new. That it cannot be written is no error: the next run takes longer, nothing else.
func (c *digestCache) save() {
	if c == nil || !c.changed {
		return
	}
	var lines strings.Builder
	for path, s := range c.used {
		lines.WriteString(cachedLine(path, s))
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return
	}
	wholefile.RemoveLeftovers(c.path)
	w, err := wholefile.Create(c.path)
	if err != nil {
		return
	}
	sum := sha256.Sum256([]byte(lines.String()))
	if _, err = fmt.Fprintf(w, "%s%x\n%s", cacheForm, sum, lines.String()); err != nil {
		_ = w.Discard()
		return
	}
	_ = w.Commit()
}
