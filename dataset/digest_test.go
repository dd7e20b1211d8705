package dataset

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// withoutCache keeps digests from being taken from anywhere but the files, and from being kept.
func withoutCache(t testing.TB) {
	alone(t)
	t.Setenv("XDG_CACHE_HOME", "relative, which is no cache folder")
	t.Setenv("HOME", "")
	t.Setenv("LocalAppData", "")
}

// dot is a small picture of one colour.
func dot(t testing.TB, grey int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range m.Pix {
		m.Pix[i] = byte(grey)
	}
	m.SetGray(0, 0, color.Gray{Y: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dots are pictures of two classes with a test split.
func dots(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	for class, name := range []string{"cat", "dog"} {
		for i := range 4 {
			files[fmt.Sprintf("train/%s/%d.png", name, i)] = dot(t, 100*class+10*i)
		}
		files[fmt.Sprintf("test/%s/a.png", name)] = dot(t, 100*class+5)
		files[fmt.Sprintf("test/%s/b.png", name)] = dot(t, 100*class+6)
	}
	return files
}

func digestOf(t testing.TB, name string, o Options) string {
	t.Helper()
	d, err := Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := d.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		t.Fatalf("%s: digest %q", name, sum)
	}
	if again, err := d.Digest(t.Context()); err != nil || again != sum {
		t.Errorf("%s: digest %s, then %s (%v)", name, sum, again, err)
	}
	return sum
}

// change is something that is done to files, and whether they are other data then.
type change struct {
	name  string
	do    func(files map[string][]byte)
	other bool
}

func move(files map[string][]byte, from, to string) {
	for name, data := range maps.Clone(files) {
		if rest, ok := strings.CutPrefix(name, from); ok {
			delete(files, name)
			files[to+rest] = data
		}
	}
}

func TestDigestsTellPicturesApart(t *testing.T) {
	withoutCache(t)
	of := func(files map[string][]byte, o Options) string {
		o.Dir = t.TempDir()
		writeAll(t, o.Dir, files)
		return digestOf(t, "images", o)
	}
	want := of(dots(t), Options{})
	for _, c := range []change{
		{"the same elsewhere", func(map[string][]byte) {}, false},
		{"renamed in the same order", func(f map[string][]byte) { move(f, "train/cat/3", "train/cat/7") }, false},
		{"a file that is no picture", func(f map[string][]byte) { f["train/cat/notes.txt"] = []byte("x") }, false},
		{"renamed to another order", func(f map[string][]byte) { move(f, "train/cat/0", "train/cat/7") }, true},
		{"one changed", func(f map[string][]byte) { f["train/cat/0.png"] = dot(t, 1) }, true},
		{"one added", func(f map[string][]byte) { f["train/cat/9.png"] = dot(t, 1) }, true},
		{"a copy added", func(f map[string][]byte) { f["train/cat/01.png"] = f["train/cat/0.png"] }, true},
		{"one removed", func(f map[string][]byte) { delete(f, "train/dog/2.png") }, true},
		{"a class renamed", func(f map[string][]byte) { move(f, "train/dog", "train/dogs"); move(f, "test/dog", "test/dogs") }, true},
		{"one of another class", func(f map[string][]byte) { move(f, "train/cat/3.png", "train/dog/-.png") }, true},
		{"a class removed to another", func(f map[string][]byte) {
			f["train/emu/0.png"], f["train/emu/1.png"] = dot(t, 1), dot(t, 2)
			f["test/emu/0.png"] = dot(t, 3)
		}, true},
		{"a test picture changed", func(f map[string][]byte) { f["test/dog/a.png"] = dot(t, 1) }, true},
		{"a test picture added", func(f map[string][]byte) { f["test/dog/c.png"] = dot(t, 1) }, true},
		{"a test picture removed", func(f map[string][]byte) { delete(f, "test/dog/b.png") }, true},
		{"a test picture that was one of training", func(f map[string][]byte) { move(f, "train/dog/3.png", "test/dog/0.png") }, true},
		{"no test split", func(f map[string][]byte) { move(f, "test/cat/", "train/cat/x"); move(f, "test/dog/", "train/dog/x") }, true},
	} {
		files := dots(t)
		c.do(files)
		if got := of(files, Options{}); (got != want) != c.other {
			t.Errorf("%s: digest %s, of the first %s", c.name, got, want)
		}
	}
	if got := of(dots(t), Options{Size: 8}); got != want {
		t.Errorf("with another size of the pictures %s, want %s", got, want)
	}
}

func TestDigestsTellFilesApart(t *testing.T) {
	withoutCache(t)
	for _, c := range []change{
		{"the same elsewhere", func(map[string][]byte) {}, false},
		{"gzipped", func(f map[string][]byte) {
			for name, data := range f {
				f[name] = gzipped(t, data)
			}
		}, false},
		{"gzipped, with that name", func(f map[string][]byte) {
			for name, data := range maps.Clone(f) {
				f[name+".gz"] = gzipped(t, data)
				delete(f, name)
			}
		}, false},
		{"a pixel changed", func(f map[string][]byte) { f[idxTrainImages][99]++ }, true},
		{"a label changed", func(f map[string][]byte) { f[idxTrainLabels][12]-- }, true},
		{"a test pixel changed", func(f map[string][]byte) { f[idxTestImages][99]++ }, true},
		{"a test label changed", func(f map[string][]byte) { f[idxTestLabels][12]-- }, true},
		{"more images", func(f map[string][]byte) { maps.Copy(f, smallIDX(40, 20)) }, true},
	} {
		of := func(name string, change bool) string {
			files := smallIDX(30, 20)
			if change {
				c.do(files)
			}
			dir := t.TempDir()
			writeAll(t, dir, files)
			return digestOf(t, name, Options{Dir: dir})
		}
		want := of("mnist", false)
		if got := of("mnist", true); (got != want) != c.other {
			t.Errorf("%s: digest %s, of the first %s", c.name, got, want)
		}
		if got := of("fashion-mnist", false); got == want {
			t.Error("the names of the classes do not count")
		}
	}
	csv := func(name string, text []byte) string {
		return digestOf(t, "digits:"+write(t, filepath.Join(t.TempDir(), name), text), Options{})
	}
	text := digitsText(40)
	want := csv("a.csv", text)
	if got := csv("b.csv.gz", gzipped(t, text)); got != want {
		t.Errorf("gzipped %s, want %s", got, want)
	}
	if got := csv("a.csv", digitsText(50)); got == want {
		t.Error("more lines have the same digest")
	}
}

// A digest on record must stay what it is in later versions and on other machines.
func TestDigestsOfTheEmbeddedDataStay(t *testing.T) {
	const want = "61ed53fe918446a42da2503015a12a7875c74335a5f76c46a6a7248c7af937f7"
	if got := digestOf(t, Default, Options{}); got != want {
		t.Errorf("digest %s, on record %s", got, want)
	}
}

func TestTheTrainImagesInMemoryAreTheirFile(t *testing.T) {
	withoutCache(t)
	dir := t.TempDir()
	writeAll(t, dir, smallIDX(30, 20))
	d, err := Open("mnist", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	inMemory, err := d.contents.parts[0].sum(t.Context(), nil)
	if err != nil || d.contents.parts[0].data == nil {
		t.Fatal(err)
	}
	file := fileContents(dir, []string{idxTrainImages}).parts[0]
	if onDisk, err := file.sum(t.Context(), nil); err != nil || onDisk != inMemory {
		t.Errorf("%x in memory, %x in the file (%v)", inMemory, onDisk, err)
	}
}

func TestACancelledDigestIsAnError(t *testing.T) {
	d, err := Open(Default, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if sum, err := d.Digest(ctx); sum != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("digest %q, error %v", sum, err)
	}
	if _, err := d.Digest(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFileThatVanishesIsNamed(t *testing.T) {
	withoutCache(t)
	dir := t.TempDir()
	writeAll(t, dir, smallIDX(30, 20))
	d, err := Open("mnist", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, idxTestImages))
	_, err = d.Digest(t.Context())
	wantError(t, "vanished", err, idxTestImages, dir)
}

// cached is a folder of pictures, all long settled, with a cache of its own.
type cached struct {
	dir, cache string
	now        time.Time
}

func newCached(t *testing.T) *cached {
	c := &cached{dir: t.TempDir(), cache: t.TempDir(), now: time.Now().Add(time.Hour)}
	writeAll(t, c.dir, dots(t))
	return c
}

// digest also returns how many files were summed up.
func (c *cached) digest(t *testing.T) (sum string, read int) {
	t.Helper()
	d, err := Open("images:"+c.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache := openDigestCache(c.cache, c.dir)
	if cache != nil {
		cache.now = func() time.Time { return c.now }
	}
	if sum, err = d.contents.digest(t.Context(), d.info, cache); err != nil {
		t.Fatal(err)
	}
	read = len(d.contents.parts)
	for _, p := range d.contents.parts {
		if info, err := os.Stat(p.file); cache != nil && err == nil {
			if at, ok := cache.sums[p.file]; ok && at.stamp == stampOf(info) && at.old(c.now) {
				read--
			}
		}
	}
	cache.save()
	return sum, read
}

// files returns the files of the cache.
func (c *cached) files(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir(c.cache, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFilesThatAreAsTheyWereAreNotReadAgain(t *testing.T) {
	c := newCached(t)
	first, read := c.digest(t)
	if read != 12 {
		t.Errorf("%d of 12 files were read", read)
	}
	if again, read := c.digest(t); again != first || read != 0 {
		t.Errorf("%s after %s; %d files were read again", again, first, read)
	}
	// Whatever has changed is read.
	changed := filepath.Join(c.dir, "train", "cat", "1.png")
	before, err := os.Stat(changed)
	if err != nil {
		t.Fatal(err)
	}
	write(t, changed, dot(t, 77))
	second, read := c.digest(t)
	if second == first || read != 1 {
		t.Errorf("%s after %s; %d files were read again, want 1", second, first, read)
	}
	// Also if its size and time were set back.
	if changeTime(before) != 0 {
		write(t, changed, dot(t, 78))
		if err := os.Chtimes(changed, time.Time{}, before.ModTime()); err != nil {
			t.Fatal(err)
		}
		if third, _ := c.digest(t); third == second {
			t.Error("a change behind the same time is not seen")
		}
	}
	if err := os.Remove(changed); err != nil {
		t.Fatal(err)
	}
	if third, _ := c.digest(t); third == second {
		t.Error("a file that is gone is taken from the cache")
	}
	if n := len(c.files(t)); n != 1 {
		t.Errorf("the cache has %d files", n)
	}
}

// A file that was just written, or whose time lies in the future, may change again without a trace.
func TestFilesOfTheLastSecondsAreNotKept(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Second, -time.Hour} {
		c := newCached(t)
		c.now = time.Now().Add(ahead)
		c.digest(t)
		if _, read := c.digest(t); read != 12 {
			t.Errorf("%v later only %d of 12 files were read again", ahead, read)
		}
		// Nor are entries trusted that were kept before the clock went back.
		c.now = time.Now().Add(time.Hour)
		c.digest(t)
		c.now = time.Now().Add(ahead)
		if _, read := c.digest(t); read != 12 {
			t.Errorf("with a clock that went back only %d of 12 files were read again", read)
		}
	}
}

func TestADamagedCacheIsNoCache(t *testing.T) {
	c := newCached(t)
	want, _ := c.digest(t)
	path := c.files(t)[0]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, raw []byte) {
		write(t, path, raw)
		if got, _ := c.digest(t); got != want {
			t.Fatalf("%s: digest %s, want %s", name, got, want)
		}
	}
	for i := 0; i < len(good); i += 7 {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		try(fmt.Sprintf("byte %d changed", i), bad)
		if i%5 == 0 {
			try(fmt.Sprintf("cut to %d bytes", i), good[:i])
		}
	}
	try("empty", nil)
	try("other lines", bytes.ReplaceAll(good, []byte("png"), []byte("gnp")))
}

func TestWithoutACacheDigestsAreTheSame(t *testing.T) {
	c := newCached(t)
	want, _ := c.digest(t)
	for name, prepare := range map[string]func(){
		"none":   func() { c.cache = "" },
		"a file": func() { c.cache = write(t, filepath.Join(t.TempDir(), "cache"), nil) },
		"read-only": func() {
			c.cache = t.TempDir()
			if err := os.Chmod(c.cache, 0o500); err != nil {
				t.Fatal(err)
			}
		},
		"a folder in the place of its file": func() {
			c.cache = t.TempDir()
			if err := os.MkdirAll(openDigestCache(c.cache, c.dir).path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		prepare()
		for range 2 {
			if got, _ := c.digest(t); got != want {
				t.Errorf("%s: digest %s, want %s", name, got, want)
			}
		}
	}
}

func TestOneCacheServesSeveralAtOnce(t *testing.T) {
	c := newCached(t)
	want, _ := c.digest(t)
	var workers sync.WaitGroup
	for n := range 8 {
		workers.Go(func() {
			for range 10 {
				if got, _ := c.digest(t); got != want {
					t.Errorf("digest %s, want %s", got, want)
				}
				if n%2 == 0 { // everything anew
					now := time.Now()
					if err := os.Chtimes(filepath.Join(c.dir, "train", "cat", "1.png"), now, now.Add(-time.Hour)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	workers.Wait()
	if n := len(c.files(t)); n != 1 {
		t.Errorf("the cache has %d files", n)
	}
}

// Whatever a line of the cache holds, it is read as what was written or not at all.
func FuzzParseCached(f *testing.F) {
	f.Add(`12 34 56 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34 "/a b\n"`)
	f.Add("1 2 3 4 5")
	f.Add("")
	f.Fuzz(func(t *testing.T, line string) {
		path, s, ok := parseCached(line)
		if !ok {
			return
		}
		text := cachedLine(path, s)
		again, s2, ok := parseCached(strings.TrimSuffix(text, "\n"))
		if !ok || again != path || s2 != s || strings.Count(text, "\n") != 1 {
			t.Errorf("%q became %q", line, text)
		}
	})
}
