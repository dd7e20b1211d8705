package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTestFilesOfIDXAreCheckedAtTheStart(t *testing.T) {
	alone(t)
	good := smallIDX(20, 10)
	images, labels := good[idxTestImages], good[idxTestLabels]
	cut := func(b []byte, n int) []byte { return b[:len(b)-n] }
	more := func(b []byte) []byte { return append(bytes.Clone(b), 1) }
	zip := func(b []byte) []byte { return gzipped(t, b) }
	badLabel := bytes.Clone(labels)
	badLabel[8+7] = 10
	badSum := zip(images)
	badSum[len(badSum)-6] ^= 1
	badData := zip(images)
	badData[len(badData)/2] ^= 0x55
	for _, c := range []struct {
		name, file string
		data       []byte
		want       []string
	}{
		{"empty", idxTestImages, []byte{}, []string{"offset 0: want 16 bytes of header"}},
		{"magic", idxTestImages, labels, []string{"offset 0", "0x00000803", "0x00000801"}},
		{"truncated", idxTestImages, cut(images, 7), []string{"offset 16: want 7840 bytes of pixels, have 7833"}},
		{"header alone", idxTestImages, images[:16], []string{"offset 16: want 7840 bytes of pixels, have 0"}},
		{"too long", idxTestImages, more(images), []string{"offset 7856: want the end of the file, more bytes follow"}},
		{"packed, truncated", idxTestImages, cut(zip(images), 300), []string{"offset 16: want 7840 bytes of pixels, have "}},
		{"packed, trailer cut", idxTestImages, cut(zip(images), 3), []string{"offset 7856: want the end of the file"}},
		{"packed, too little", idxTestImages, zip(cut(images, 7)), []string{"offset 16: want 7840 bytes of pixels, have 7833"}},
		{"packed, too long", idxTestImages, zip(more(images)), []string{"offset 7856", "more bytes follow"}},
		{"packed, checksum", idxTestImages, badSum, []string{"offset 7856", "checksum"}},
		{"packed, damaged", idxTestImages, badData, []string{"offset "}},
		{"other size", idxTestImages, idx(make([]byte, 10*14*14), 10, 14, 14), []string{"14x14x1", "28x28x1"}},
		{"no labels", idxTestLabels, []byte{}, []string{"offset 0: want 8 bytes of header"}},
		{"fewer labels", idxTestLabels, idx(cycle(9, 10), 9), []string{"offset 4: want 10 labels, as many as there are images in t10k-images-idx3-ubyte, have 9"}},
		{"labels cut", idxTestLabels, cut(labels, 2), []string{"offset 8: want 10 bytes of labels, have 8"}},
		{"labels too long", idxTestLabels, more(labels), []string{"offset 18", "more bytes follow"}},
		{"label of no class", idxTestLabels, badLabel, []string{"offset 15: want a label below 10, have 10"}},
		{"packed labels cut", idxTestLabels, zip(cut(labels, 2)), []string{"offset 8: want 10 bytes of labels, have 8"}},
	} {
		dir := t.TempDir()
		writeAll(t, dir, good)
		write(t, filepath.Join(dir, c.file), c.data)
		_, err := Open("mnist", Options{Dir: dir})
		wantError(t, c.name, err, append(c.want, "dataset mnist", c.file+": ", dir)...)
	}
}

func TestTestBatchOfCIFARIsCheckedAtTheStart(t *testing.T) {
	bad := cifarBatch(10)
	bad[4*cifarRecord] = 11
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"truncated", cifarBatch(10)[:10*cifarRecord-1], "offset 0: want 30730 bytes of 10 records of 3073 bytes, have 30729"},
		{"packed and truncated", gzipped(t, cifarBatch(9)), "offset 0: want 30730 bytes of 10 records of 3073 bytes, have 27657"},
		{"too long", cifarBatch(11), "offset 30730: want the end of the file, more bytes follow"},
		{"label of no class", bad, "offset 12292: want a label below 10, have 11"},
	} {
		dir := t.TempDir()
		for _, f := range cifarTrain() {
			write(t, filepath.Join(dir, f), cifarBatch(10))
		}
		write(t, filepath.Join(dir, cifarTest), c.data)
		_, err := openCIFAR(cifarSource().info, os.DirFS(dir), dir, 10)
		wantError(t, c.name, err, c.want, "test_batch.bin: ")
	}
}

// What is checked at the start need not be so any more at the end.
func TestTheTestSplitIsReadOnDemandOnly(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	files := smallIDX(20, 10)
	writeAll(t, dir, files)
	d, err := Open("mnist", Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, idxTestImages), files[idxTestImages][:100])
	for range 2 {
		_, err = d.Test()
		wantError(t, "truncated test images", err, idxTestImages, "offset 16: want 7840 bytes of pixels")
	}
}

// A file that unpacks to much is judged by its last bytes, if they are right.
func TestLargePackedFilesAreJudgedByTheirEnd(t *testing.T) {
	const n = maxChecked + 10
	open := func(data []byte) *input {
		path := write(t, filepath.Join(t.TempDir(), "large.gz"), data)
		in, err := openInput(os.DirFS(filepath.Dir(path)), "large.gz")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.close() })
		return in
	}
	packed := gzipped(t, make([]byte, n))
	in := open(packed)
	if err := in.checkRest(0, n, "zeros"); err != nil {
		t.Error(err)
	}
	var one [1]byte
	if k, err := in.r.Read(one[:]); k != 1 || err != nil {
		t.Errorf("it was unpacked all the same: %v", err)
	}
	if err := open(packed).checkRest(0, n-1, "zeros"); err == nil {
		t.Error("a byte too many is not noticed")
	}
	if err := open(packed[:len(packed)-100]).checkRest(0, n, "zeros"); err == nil {
		t.Error("a cut file is not noticed")
	}
}
