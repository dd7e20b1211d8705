package oneshot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
)

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func writeAll(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// searched leaves the files of a search of one epoch.
func searched(t *testing.T, data, study string) (o Options, r *Result) {
	t.Helper()
	o = small(t, "chain")
	o.Epochs, o.Paths, o.Data, o.Study = 1, 6, data, study
	o.Checkpoint = filepath.Join(t.TempDir(), "supernet")
	return o, mustSearch(t, o)
}

func TestASupernetOfOtherDataIsRefused(t *testing.T) {
	o, want := searched(t, "aaaa", "")
	o.Data = "bbbb"
	_, err := Search(t.Context(), o)
	var other *dataset.DigestError
	if !errors.As(err, &other) || other.Recorded != "aaaa" || other.Given != "bbbb" || !strings.Contains(err.Error(), o.Checkpoint) {
		t.Errorf("error %v", err)
	}
	o.Data = "aaaa"
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What was left by another study is not gone on with, whatever data it was of, and nothing of it is reported.
func TestASupernetOfAnotherStudyIsBegunAnew(t *testing.T) {
	for _, left := range [][2]string{{"aaaa", "first"}, {"bbbb", "first"}, {"", ""}} {
		o, _ := searched(t, left[0], left[1])
		o.Data, o.Study = "aaaa", "second"
		o.Train = recoloured(t, o.Train)
		steps, paths := 0, 0
		o.Progress = func(Step) { steps++ }
		o.Path = func(Path) { paths++ }
		got := mustSearch(t, o)
		fresh := o
		fresh.Checkpoint, fresh.Progress = "", nil
		if want := mustSearch(t, fresh); steps == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v after %d steps, want %+v", left, got, steps, want)
		}
		if text := string(readAll(t, o.Checkpoint+".paths")); strings.Count(text, "\n") != 7 || !strings.Contains(text, `"study":"second"`) {
			t.Errorf("%q: the paths are\n%s", left, text)
		}
		steps = 0
		if again := mustSearch(t, o); steps > 0 || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: gone on with after %d steps: %+v, want %+v", left, steps, again, got)
		}
	}
}

// recoloured returns other images with the same labels.
func recoloured(t *testing.T, s *dataset.Split) *dataset.Split {
	t.Helper()
	var pixels []byte
	var labels []int
	for i := range s.Len() {
		for _, v := range s.Image(i) {
			pixels = append(pixels, 255-v)
		}
		labels = append(labels, s.Label(i))
	}
	out, err := dataset.NewSplit(pixels, labels, s.Height, s.Width, s.Channels, s.Classes)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Paths that were measured with other weights are measured again, also if the settings of the weights are the same.
func TestPathsOfAnotherTrainingAreForgotten(t *testing.T) {
	o, want := searched(t, "aaaa", "first")
	if err := os.Remove(o.Checkpoint); err != nil {
		t.Fatal(err)
	}
	text := readAll(t, o.Checkpoint+".paths")
	head, _, _ := bytes.Cut(text, []byte("\n"))
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if now, _, _ := bytes.Cut(readAll(t, o.Checkpoint+".paths"), []byte("\n")); bytes.Equal(now, head) {
		t.Error("the paths are taken for those of the new training")
	}
}

// Files of before there were digests, identities and checksums go on.
func TestFilesWithoutIdentityGoOn(t *testing.T) {
	o, want := searched(t, "", "")
	var old bytes.Buffer
	for line := range bytes.Lines(readAll(t, o.Checkpoint+".paths")) {
		object, summed, err := unsum(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil || !summed {
			t.Fatalf("%s: %v", line, err)
		}
		if i := bytes.Index(object, []byte(`,"trained":`)); i > 0 {
			object = append(object[:i:i], '}')
		}
		old.Write(append(object, '\n'))
	}
	writeAll(t, o.Checkpoint+".paths", old.Bytes())
	o.Data = "aaaa"
	o.Progress = func(Step) { t.Fatal("the supernet is trained again") }
	o.Paths++ // one more is written with a checksum
	more := mustSearch(t, o)
	if now := readAll(t, o.Checkpoint+".paths"); !bytes.HasPrefix(now, old.Bytes()) || bytes.Count(now, []byte("\n")) != 8 {
		t.Errorf("the paths are\n%s", now)
	}
	o.Paths--
	if got := mustSearch(t, o); !reflect.DeepEqual(got, want) || len(more.Best) == 0 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAFlippedBitIsNeverAnotherResult(t *testing.T) {
	o, want := searched(t, "aaaa", "first")
	for _, file := range []string{o.Checkpoint, o.Checkpoint + ".paths"} {
		good := readAll(t, file)
		errs := 0
		for i := 0; i < len(good); i += 1 + len(good)/150 {
			bad := slices.Clone(good)
			bad[i] ^= 1 << (i % 8)
			writeAll(t, file, bad)
			got, err := openOnly(t, o)
			switch {
			case err == nil && !reflect.DeepEqual(got, want):
				t.Errorf("%s: byte %d of %d: %+v, want %+v", file, i, len(good), got, want)
			case err != nil && !strings.Contains(err.Error(), file):
				t.Errorf("byte %d: the error does not name %s: %v", i, file, err)
			case err != nil:
				errs++
			}
		}
		writeAll(t, file, good)
		if errs < 100 {
			t.Errorf("%s: %d errors", file, errs)
		}
	}
	// Every byte of the lines, the ends of all but the last included.
	good := readAll(t, o.Checkpoint+".paths")
	n, err := NewSupernet(o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for i := range len(good) - 1 {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		writeAll(t, o.Checkpoint+".paths", bad)
		if b, err := n.openBook(); err == nil {
			b.close()
			t.Errorf("byte %d (%q) is changed: no error", i, good[i])
		}
	}
}

// openOnly searches without training: an error, or what the files say.
func openOnly(t *testing.T, o Options) (*Result, error) {
	t.Helper()
	n, err := NewSupernet(o)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if !n.Trained() {
		t.Fatal("a damaged checkpoint is taken for none")
	}
	return n.Search(t.Context())
}

// Whatever a book holds, reading it ends in an error or in whole lines.
func FuzzBook(f *testing.F) {
	head := bookHead{Settings: "s", Study: "first", Trained: 7}
	path := filepath.Join(f.TempDir(), "book")
	file, err := os.Create(path)
	if err != nil {
		f.Fatal(err)
	}
	b := &book{paths: map[string]Path{}, file: file}
	for _, v := range []any{head, Path{Genome: "a", Accuracy: 0.5}, Path{Genome: "b", Reason: "none"}} {
		if err := b.write(v); err != nil {
			f.Fatal(err)
		}
	}
	b.close()
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-9])
	f.Add([]byte("{\"settings\":\"s\",\"study\":\"first\"}\n{\"genome\":\"c\",\"accuracy\":0.25}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "book")
		writeAll(t, path, raw)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := &book{paths: map[string]Path{}, file: file}
		defer b.close()
		good, err := b.read(head)
		if good < 0 || good > int64(len(raw)) {
			t.Fatalf("%d good bytes of %d", good, len(raw))
		}
		if err == nil && good > 0 && !bytes.HasSuffix(raw[:good], []byte("\n")) {
			t.Errorf("%d good bytes end in the middle of a line", good)
		}
	})
}
