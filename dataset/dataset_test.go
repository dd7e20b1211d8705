package dataset

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestListHasEverySourceWithWhatAUserNeeds(t *testing.T) {
	var names []string
	for _, in := range List() {
		names = append(names, in.Name)
		if in.Title == "" || in.Licence == "" || in.Source == "" || in.HowToGet == "" {
			t.Errorf("%s lacks a description: %+v", in.Name, in)
		}
	}
	if got := strings.Join(names, " "); got != "fashion-mnist-mini fashion-mnist mnist cifar10 digits images" {
		t.Errorf("names are %s", got)
	}
	if names[0] != Default {
		t.Errorf("the default %s is not the first", Default)
	}
}

func TestUnknownNamesAreErrorsThatListTheKnown(t *testing.T) {
	for _, name := range []string{"", "imagenet", "MNIST", "mnist2", ":x"} {
		_, err := Open(name, Options{})
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "fashion-mnist-mini, fashion-mnist, mnist, cifar10, digits, images") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := Locate(name, Options{}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: Locate: %v", name, err)
		}
	}
	if _, err := Open("digits:", Options{}); err == nil || !strings.Contains(err.Error(), "no path") {
		t.Errorf("an empty path: %v", err)
	}
}

func TestMissingDataSetsSayWhereTheyWereLookedForAndHowToGetThem(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	_, err := Open("mnist", Options{Dir: dir})
	wantError(t, "mnist", err, dir, UserDir(), "nasbench data fetch mnist")
	if !errors.Is(err, ErrMissing) {
		t.Errorf("%v is not ErrMissing", err)
	}
}

func TestUserDirOfEverySystem(t *testing.T) {
	abs, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"HOME": "h"}, filepath.Join("h", ".local", "share", "nasbench")},
		{"linux", map[string]string{"HOME": "h", "XDG_DATA_HOME": abs}, filepath.Join(abs, "nasbench")},
		{"linux", map[string]string{"HOME": "h", "XDG_DATA_HOME": "relative"}, filepath.Join("h", ".local", "share", "nasbench")},
		{"freebsd", map[string]string{"HOME": "h"}, filepath.Join("h", ".local", "share", "nasbench")},
		{"darwin", map[string]string{"HOME": "h", "XDG_DATA_HOME": abs}, filepath.Join("h", "Library", "Application Support", "nasbench")},
		{"windows", map[string]string{"LocalAppData": "l", "HOME": "h"}, filepath.Join("l", "nasbench")},
		{"linux", nil, ""}, {"darwin", nil, ""}, {"windows", nil, ""},
	} {
		if got := userDir(c.goos, func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.goos, c.env, got, c.want)
		}
	}
}

func TestEmbeddedDataSet(t *testing.T) {
	alone(t)
	d, err := Open(Default, Options{})
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	listed := List()[0]
	if in := d.Info(); in.Train != listed.Train || in.Test != listed.Test || in.Train != 10000 || test.Len() != 2000 || in.Height != 28 || in.Width != 28 || in.Channels != 1 {
		t.Errorf("info %+v", in)
	}
	for c := range 10 {
		if d.Train().Counts()[c] != 1000 || test.Counts()[c] != 200 {
			t.Errorf("class %d has %d + %d samples", c, d.Train().Counts()[c], test.Counts()[c])
		}
	}
	// 0.2860 and 0.3530 are the published figures of the whole data set.
	if st := Measure(d.Train()); st.Mean[0] < 0.28 || st.Mean[0] > 0.29 || st.Std[0] < 0.35 || st.Std[0] > 0.36 {
		t.Errorf("statistics %+v", st)
	}
}

func TestEmbeddedFilesHaveTheRecordedSums(t *testing.T) {
	sums, err := miniFiles.ReadFile("fashionmini/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || strings.HasPrefix(name, "input/") {
			continue
		}
		data, err := miniFiles.ReadFile("fashionmini/" + name)
		if err != nil {
			t.Error(err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != sum {
			t.Errorf("%s has the sum %s, want %s", name, got, sum)
		}
		checked++
	}
	if checked != 4 {
		t.Errorf("%d sums of 4", checked)
	}
	if licence, err := miniFiles.ReadFile("fashionmini/LICENSE"); err != nil || !bytes.Contains(licence, []byte("Zalando SE")) {
		t.Errorf("no licence beside the data: %v", err)
	}
}

func TestEmbeddedDataSetIsTheFirstOfEveryClass(t *testing.T) {
	full, err := Open("fashion-mnist", Options{})
	if errors.Is(err, ErrMissing) {
		t.Skipf("the full Fashion-MNIST is not on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if in := full.Info(); in.Train != 60000 || in.Test != 10000 {
		t.Errorf("info %+v", in)
	}
	mini, err := Open(Default, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fullTest, err := full.Test()
	if err != nil {
		t.Fatal(err)
	}
	miniTest, err := mini.Test()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		whole, part *Split
		perClass    int
	}{{full.Train(), mini.Train(), 1000}, {fullTest, miniTest, 200}} {
		taken, next := make([]int, 10), 0
		for i := range c.whole.Len() {
			l := c.whole.Label(i)
			if taken[l]++; taken[l] > c.perClass {
				continue
			}
			if c.part.Label(next) != l || !bytes.Equal(c.part.Image(next), c.whole.Image(i)) {
				t.Fatalf("sample %d is not sample %d of the whole", next, i)
			}
			next++
		}
	}
}
