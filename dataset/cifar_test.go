package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// cifarBatch returns n records whose red, green and blue planes begin with 1, 2, 3 plus
// the number of the record.
func cifarBatch(n int) []byte {
	var out []byte
	for r := range n {
		record := make([]byte, cifarRecord)
		record[0] = byte(r % 10)
		record[1], record[1+1024], record[1+2048] = byte(r+1), byte(r+2), byte(r+3)
		record[2] = 77
		out = append(out, record...)
	}
	return out
}

func TestCIFARPlanesBecomeChannels(t *testing.T) {
	dir := t.TempDir()
	for _, f := range cifarTrain() {
		write(t, filepath.Join(dir, f), cifarBatch(10))
	}
	write(t, filepath.Join(dir, cifarTest+".gz"), gzipped(t, cifarBatch(10)))
	d, err := openCIFAR(cifarSource().info, os.DirFS(dir), dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	if d.Train().Len() != 50 || test.Len() != 10 {
		t.Fatalf("%d + %d samples", d.Train().Len(), test.Len())
	}
	for _, s := range []*Split{d.Train(), test} {
		if got := s.Image(4)[:6]; !bytes.Equal(got, []byte{5, 6, 7, 77, 0, 0}) || s.Label(4) != 4 {
			t.Errorf("image 4 begins with %v, label %d", got, s.Label(4))
		}
	}
}

func TestCIFARErrors(t *testing.T) {
	bad := cifarBatch(10)
	bad[2*cifarRecord] = 11
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"truncated", cifarBatch(10)[:10*cifarRecord-1], []string{"offset 0: want 30730 bytes", "at most 30729"}},
		{"too long", cifarBatch(11), []string{"offset 30730", "more bytes follow"}},
		{"label", bad, []string{"offset 6146", "want a label below 10, have 11"}},
		{"empty", nil, []string{"want 30730 bytes"}},
	} {
		dir := t.TempDir()
		for _, f := range append(cifarTrain(), cifarTest) {
			write(t, filepath.Join(dir, f), cifarBatch(10))
		}
		write(t, filepath.Join(dir, "data_batch_3.bin"), c.data)
		_, err := openCIFAR(cifarSource().info, os.DirFS(dir), dir, 10)
		wantError(t, c.name, err, append(c.want, "cifar10", "data_batch_3.bin", "www.cs.toronto.edu")...)
	}
}

func TestCIFARIsLookedForInItsUsualFolders(t *testing.T) {
	alone(t)
	for _, sub := range []string{"", cifarFolder, "cifar10", filepath.Join("cifar10", cifarFolder)} {
		root := t.TempDir()
		for _, f := range append(cifarTrain(), cifarTest) {
			write(t, filepath.Join(root, sub, f), nil)
		}
		got, err := Locate("cifar10", Options{Dir: root})
		if err != nil || got != filepath.Join(root, sub) {
			t.Errorf("%q: %q, %v", sub, got, err)
		}
	}
	_, err := Open("cifar10", Options{Dir: t.TempDir()})
	wantError(t, "missing", err, "data_batch_1.bin", "not found", "cifar-10-binary.tar.gz")
}
