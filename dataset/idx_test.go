package dataset

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestIDXIsFoundPlainOrGzippedInEveryRoot(t *testing.T) {
	for _, c := range []struct {
		name string
		sub  string // below the root
		zip  bool
		root func(t *testing.T, root string) Options
		ok   bool
	}{
		{"data dir itself", "", false, func(_ *testing.T, r string) Options { return Options{Dir: r} }, true},
		{"data dir gzipped", "", true, func(_ *testing.T, r string) Options { return Options{Dir: r} }, true},
		{"data dir subfolder", "mnist", true, func(_ *testing.T, r string) Options { return Options{Dir: r} }, true},
		{"environment", "mnist", true, func(t *testing.T, r string) Options { t.Setenv("NASBENCH_DATA", r); return Options{} }, true},
		{"environment itself", "", false, func(t *testing.T, r string) Options { t.Setenv("NASBENCH_DATA", r); return Options{} }, true},
		{"another data set's subfolder", "fashion-mnist", true, func(t *testing.T, r string) Options { t.Setenv("NASBENCH_DATA", r); return Options{} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			alone(t)
			root := t.TempDir()
			for name, data := range smallIDX(30, 20) {
				if c.zip {
					name, data = name+".gz", gzipped(t, data)
				}
				write(t, filepath.Join(root, c.sub, name), data)
			}
			o := c.root(t, root)
			d, err := Open("mnist", o)
			if !c.ok {
				if !errors.Is(err, ErrMissing) {
					t.Fatalf("%v, want ErrMissing", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if in := d.Info(); in.Location != filepath.Join(root, c.sub) || in.Train != 30 || in.Test != 20 || in.Height != 28 || in.Channels != 1 {
				t.Errorf("info %+v", in)
			}
			train := d.Train()
			if want := pixels(30*784, 0)[784:1568]; train.Len() != 30 || !bytes.Equal(train.Image(1), want) || train.Label(13) != 3 {
				t.Errorf("train split is wrong: %d samples, label %d", train.Len(), train.Label(13))
			}
			test, err := d.Test()
			if err != nil || test.Len() != 20 || test.Image(0)[0] != 1 {
				t.Errorf("test split is wrong: %v", err)
			}
		})
	}
}

func TestDataDirGoesBeforeTheEnvironment(t *testing.T) {
	alone(t)
	first, second := t.TempDir(), t.TempDir()
	writeAll(t, first, smallIDX(20, 10))
	writeAll(t, second, smallIDX(30, 10))
	t.Setenv("NASBENCH_DATA", second)
	for _, c := range []struct {
		name  string
		o     Options
		train int
	}{{"mnist", Options{Dir: first}, 20}, {"mnist", Options{}, 30}, {"mnist:" + first, Options{Dir: second}, 20}, {"mnist", Options{Dir: t.TempDir()}, 30}} {
		d, err := Open(c.name, c.o)
		if err != nil || d.Info().Train != c.train {
			t.Errorf("%s with %q: %v, want %d samples", c.name, c.o.Dir, err, c.train)
		}
	}
}

func TestIDXErrorsNameFileOffsetAndWhatWasExpected(t *testing.T) {
	alone(t)
	zip := func(b []byte) []byte { return gzipped(t, b) }
	cut := func(b []byte, n int) []byte { return b[:len(b)-n] }
	good := smallIDX(20, 10)
	badLabels := cycle(20, 10)
	badLabels[5] = 10
	badSum := zip(good[idxTrainImages])
	badSum[len(badSum)-6] ^= 1
	for _, c := range []struct {
		name, file string
		data       []byte // nil removes the file
		want       []string
	}{
		{"missing", idxTrainLabels, nil, []string{idxTrainLabels, "not found", "nasbench data fetch mnist"}},
		{"missing test", idxTestImages, nil, []string{idxTestImages, "not found"}},
		{"empty", idxTrainImages, []byte{}, []string{idxTrainImages, "offset 0", "want 16 bytes of header"}},
		{"cut header", idxTrainImages, good[idxTrainImages][:9], []string{"offset 0", "want 16 bytes"}},
		{"magic", idxTrainImages, good[idxTrainLabels], []string{"offset 0", "0x00000803", "0x00000801"}},
		{"truncated", idxTrainImages, cut(good[idxTrainImages], 7), []string{"offset 16: want 15680 bytes of pixels", "nasbench data fetch mnist"}},
		{"truncated gzip", idxTrainImages, cut(zip(good[idxTrainImages]), 100), []string{"offset 16: want 15680 bytes of pixels"}},
		{"gzip of too little", idxTrainImages, zip(cut(good[idxTrainImages], 7)), []string{"offset 16: want 15680 bytes of pixels, have 15673"}},
		{"gzip checksum", idxTrainImages, badSum, []string{"offset 15696", "checksum"}},
		{"gzip rubbish", idxTrainImages, []byte("\x1f\x8brubbish and more of it"), []string{"gzip"}},
		{"trailing", idxTrainImages, append(bytes.Clone(good[idxTrainImages]), 1), []string{"offset 15696", "more bytes follow"}},
		{"absurd", idxTrainImages, idx(nil, 1<<31, 1<<31, 1<<31), []string{"offset 4", "larger than"}},
		{"large", idxTrainImages, zip(idx(nil, 60000, 28, 28)), []string{"want 47040000 bytes of pixels, the file can hold at most"}},
		{"zero", idxTrainImages, idx(nil, 0, 28, 28), []string{"offset 4", "zero"}},
		{"zero width", idxTrainImages, idx(nil, 20, 28, 0), []string{"offset 12", "zero"}},
		{"count", idxTrainLabels, idx(cycle(19, 10), 19), []string{idxTrainLabels, "offset 4", "want 20 labels", "have 19"}},
		{"label", idxTrainLabels, idx(badLabels, 20), []string{"offset 13", "want a label below 10, have 10"}},
		{"empty class", idxTrainLabels, idx(make([]byte, 20), 20), []string{`class "1" has no training samples`}},
	} {
		dir := t.TempDir()
		writeAll(t, dir, good)
		if c.data == nil {
			if err := os.Remove(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, filepath.Join(dir, c.file), c.data)
		}
		_, err := Open("mnist", Options{Dir: dir})
		wantError(t, c.name, err, append(c.want, "dataset mnist", dir)...)
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add(idx(pixels(2*3*4, 0), 2, 3, 4), 3)
	f.Add(gzipped(f, idx(pixels(2*3*4, 0), 2, 3, 4)), 3)
	f.Add(idx(cycle(5, 3), 5), 1)
	f.Add(idx(nil, 1<<31, 1<<31, 1<<31), 3)
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, data []byte, rank int) {
		if rank < 1 || rank > 4 {
			return
		}
		write(t, path, data)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		in, err := newInput(file)
		if err != nil {
			return
		}
		dims, got, err := readIDX(in, rank)
		if err != nil {
			return
		}
		n := 1
		for _, d := range dims {
			n *= d
		}
		if len(dims) != rank || n != len(got) {
			t.Fatalf("%d bytes for dimensions %v", len(got), dims)
		}
	})
}
