package dataset

import (
	"fmt"
	"image/color"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// photos writes a picture at each path below a folder; a number after a colon writes that many. What ends in a slash is an empty folder.
func photos(t testing.TB, dir string, paths ...string) string {
	t.Helper()
	for i, p := range paths {
		if strings.HasSuffix(p, "/") {
			if err := os.MkdirAll(filepath.Join(dir, p), 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		files := []string{p}
		if base, count, ok := strings.Cut(p, ":"); ok {
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Fatal(err)
			}
			files = nil
			for k := range n {
				files = append(files, fmt.Sprintf("%s/%02d.png", base, k))
			}
		}
		for k, at := range files {
			write(t, filepath.Join(dir, filepath.FromSlash(at)), pngBytes(t, picture(8, 8, color.Gray{Y: uint8(10*i + k)})))
		}
	}
	return dir
}

// perClass counts the samples of classes: "cat 8, dog 4".
func perClass(s *Split) string {
	var list []string
	for label, n := range s.Counts() {
		list = append(list, fmt.Sprintf("%s %d", s.Classes[label], n))
	}
	return strings.Join(list, ", ")
}

func TestFoldersMeanWhatIsInThem(t *testing.T) {
	for _, c := range []struct {
		name        string
		paths       []string
		train, test string
		notes       []string // parts of the notes, one each
	}{
		{"classes", []string{"cat:10", "dog:5"}, "cat 8, dog 4", "cat 2, dog 1", nil},
		{"train", []string{"train/cat:10", "train/dog:5"}, "cat 8, dog 4", "cat 2, dog 1", nil},
		{"train and test", []string{"train/cat:3", "train/dog:2", "test/cat:2", "test/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", nil},
		{"capitals", []string{"Train/cat:3", "Train/dog:2", "TEST/cat:2", "TEST/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", nil},
		{"longer names", []string{"Training/cat:3", "Training/dog:2", "Testing/cat:2", "Testing/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", nil},
		{"train and val", []string{"train/cat:3", "train/dog:2", "val/cat:2", "val/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", []string{"val is the test split: nothing trains on it"}},
		{"train and valid", []string{"train/cat:3", "train/dog:2", "Valid/cat:2", "Valid/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", []string{"Valid is the test split"}},
		{"train, validation and test", []string{"train/cat:3", "train/dog:2", "validation/cat:2", "validation/dog:3", "test/cat:2", "test/dog:4"}, "cat 5, dog 5", "cat 2, dog 4",
			[]string{"the 5 pictures in validation join those in train"}},
		{"an empty test", []string{"train/cat:10", "train/dog:5", "test/"}, "cat 8, dog 4", "cat 2, dog 1", []string{"left out test: it holds no pictures"}},
		{"test without labels", []string{"train/cat:10", "train/dog:5", "test:7"}, "cat 8, dog 4", "cat 2, dog 1", []string{"left out test: its 7 pictures lie in no class folder"}},
		{"test without labels, and val", []string{"train/cat:10", "train/dog:5", "test:7", "val/cat:2", "val/dog:2"}, "cat 10, dog 5", "cat 2, dog 2",
			[]string{"left out test: its 7 pictures lie in no class folder", "val is the test split"}},
		{"test lacks classes", []string{"train/ant:2", "train/bee:2", "train/cat:2", "test/bee:2"}, "ant 2, bee 2, cat 2", "ant 0, bee 2, cat 0", []string{"2 of 3 classes have no test pictures: ant, cat"}},
		{"a class train", []string{"car:10", "plane:5", "train:5"}, "car 8, plane 4, train 4", "car 2, plane 1, train 1", []string{"train: taken for a class, because car, plane hold pictures beside it"}},
		{"classes train and plane", []string{"plane:5", "train:5"}, "plane 4, train 4", "plane 1, train 1", []string{"because plane holds pictures beside it"}},
		{"classes of folders", []string{"car/old:10", "plane/new:5", "train/fast:3", "train/slow:2"}, "car 8, plane 4, train 4", "car 2, plane 1, train 1", []string{"train: taken for a class"}},
		{"classes test and train", []string{"car:10", "test:5", "train:5"}, "car 8, test 4, train 4", "car 2, test 1, train 1", []string{"test, train: taken for a class"}},
		{"a class val in splits", []string{"train/val:3", "train/dog:2", "test/val:2", "test/dog:4"}, "dog 2, val 3", "dog 4, val 2", nil},
		{"a class train in train", []string{"train/train:3", "train/dog:2", "test/train:2", "test/dog:4"}, "dog 2, train 3", "dog 4, train 2", nil},
		{"other folders beside splits", []string{"train/cat:3", "train/dog:2", "test/cat:2", "test/dog:4", "samples:3"}, "cat 3, dog 2", "cat 2, dog 4", []string{"left out samples with 3 pictures: it is no split"}},
		{"test beside classes", []string{"cat:3", "dog:2", "test/cat:2", "test/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", nil},
		{"val beside classes", []string{"cat:3", "dog:2", "val/cat:2", "val/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", []string{"val is the test split"}},
		{"deep folders", []string{"cat/a/b:4", "cat/a/x.png", "cat:5", "dog/only/deep:5"}, "cat 8, dog 4", "cat 2, dog 1", nil},
		{"deep folders in splits", []string{"train/cat/a:3", "train/dog/b:2", "test/cat/c:2", "test/dog/d:4"}, "cat 3, dog 2", "cat 2, dog 4", nil},
		{"a folder around", []string{"photos/cat:10", "photos/dog:5", "__MACOSX/photos/cat:3"}, "cat 8, dog 4", "cat 2, dog 1", []string{"the classes are looked for in photos", "hidden: __MACOSX"}},
		{"folders around splits", []string{"a/b/train/cat:3", "a/b/train/dog:2", "a/b/test/cat:2", "a/b/test/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", []string{"looked for in a/b"}},
		{"an empty class", []string{"ant/", "cat:10", "dog:5"}, "cat 8, dog 4", "cat 2, dog 1", []string{"left out ant: it holds no pictures"}},
		{"empty classes", []string{"ant/", "cat:10", "dog:5", "eel/x/y/"}, "cat 8, dog 4", "cat 2, dog 1", []string{"left out 2 folders that hold no pictures: ant, eel"}},
		{"an empty class of splits", []string{"train/ant/", "train/cat:3", "train/dog:2", "test/ant/", "test/cat:2", "test/dog:4"}, "cat 3, dog 2", "cat 2, dog 4", []string{"left out train/ant: it holds no pictures"}},
		{"pictures beside classes", []string{"a.png", "cat:10", "dog:5"}, "cat 8, dog 4", "cat 2, dog 1", []string{"left out 1 picture in no class folder: a.png"}},
		{"pictures beside classes of splits", []string{"train/a.png", "train/cat:3", "train/dog:2", "test/b.png", "test/cat:2", "test/dog:4"}, "cat 3, dog 2", "cat 2, dog 4",
			[]string{"left out 1 picture of train in no class folder: a.png", "left out 1 picture of test in no class folder: b.png"}},
		{"splits in classes", []string{"cat/train:5", "cat/test:5", "dog/train:5"}, "cat 8, dog 4", "cat 2, dog 1", []string{"folders within a class are no splits"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Open("images:"+photos(t, t.TempDir(), c.paths...), Options{Size: 8})
			if err != nil {
				t.Fatal(err)
			}
			test, err := d.Test()
			if err != nil {
				t.Fatal(err)
			}
			if have := perClass(d.Train()); have != c.train {
				t.Errorf("train: %s, want %s", have, c.train)
			}
			if have := perClass(test); have != c.test {
				t.Errorf("test: %s, want %s", have, c.test)
			}
			if in := d.Info(); in.Train != d.Train().Len() || in.Test != test.Len() {
				t.Errorf("info says %d + %d", in.Train, in.Test)
			}
			wantNotes(t, d, c.notes...)
		})
	}
}

// wantNotes wants exactly as many notes, each with its text.
func wantNotes(t testing.TB, d *Dataset, parts ...string) {
	t.Helper()
	notes := d.Info().Notes
	ok := len(notes) == len(parts)
	for i := range min(len(notes), len(parts)) {
		ok = ok && strings.Contains(notes[i], parts[i])
	}
	if !ok {
		t.Errorf("notes %q, want %q", notes, parts)
	}
}

func TestFoldersThatMakeNoDataSetAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths []string
		want  []string
	}{
		{"nothing", nil, []string{"there are no pictures in it"}},
		{"pictures alone", []string{"a.png", "b.png"}, []string{"at least 2 classes, have 0", "2 pictures in no subfolder"}},
		{"one class", []string{"cat:3"}, []string{"at least 2 classes, have 1 (cat)"}},
		{"one class with pictures", []string{"ant/", "cat:3", "dog/x/"}, []string{"have 1 (cat); without pictures: ant, dog"}},
		{"one class in train", []string{"train/cat:3", "test/cat:2"}, []string{"have 1 (train/cat)"}},
		{"splits without classes", []string{"train:3", "test:3"}, []string{"train holds 3 pictures and no class folders"}},
		{"no train", []string{"val/cat:3", "val/dog:3", "test/cat:3", "test/dog:3"}, []string{"test, val without a folder train"}},
		{"two trains", []string{"train/cat:3", "train/dog:3", "Training/cat:3"}, []string{"Training and train: which of them is the split?"}},
		{"a class that only test has", []string{"train/cat:3", "train/dog:3", "test/bird:1"}, []string{"test/bird: a class that is not among those in train (cat, dog)"}},
		{"a class that only val has", []string{"train/cat:3", "train/dog:3", "test/cat:2", "val/bird/x:1"}, []string{"val/bird: a class that is not among those in train"}},
		{"a class that train has no pictures of", []string{"train/cat:3", "train/dog:3", "train/bird/", "test/bird:1"}, []string{"test/bird: a class that is not among those in train"}},
		{"too few to divide", []string{"cat:3", "dog:1"}, []string{`class "dog" has 1 sample`}},
	} {
		dir := filepath.Join(t.TempDir(), "photos")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		_, err := Open("images:"+photos(t, dir, c.paths...), Options{})
		wantError(t, c.name, err, append(c.want, "dataset images: photos")...)
		if err != nil && strings.Contains(err.Error(), "name the folder as") {
			t.Errorf("%s: the error explains what a folder is that is there: %v", c.name, err)
		}
	}
}

func TestALinkedTestClassThatTrainLacksIsRefused(t *testing.T) {
	dir := photos(t, t.TempDir(), "train/cat:3", "train/dog:3", "test/cat:2")
	birds := photos(t, t.TempDir(), "x:2")
	if err := os.Symlink(filepath.Join(birds, "x"), filepath.Join(dir, "test", "bird")); err != nil {
		t.Skip(err)
	}
	_, err := Open("images:"+dir, Options{})
	wantError(t, "link", err, "test/bird: a class that is not among those in train")
}

func TestEverySplitOfAFolderIsTheSameWhereverItLies(t *testing.T) {
	paths := []string{"dog:7", "cat/b/c:3", "cat/b:4", "cat/a:3"}
	var want []string
	for range 2 {
		dir := photos(t, t.TempDir(), paths...)
		slices.Reverse(paths)
		tree, _, err := listFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := layoutOf(tree)
		if err != nil {
			t.Fatal(err)
		}
		train, test, err := l.divide()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, p := range slices.Concat(train.paths, test.paths) {
			list = append(list, relative(dir, p))
		}
		if want == nil {
			want = list
		} else if !slices.Equal(list, want) {
			t.Errorf("%q, then %q", want, list)
		}
		classes := map[string]bool{}
		for i, p := range l.train.paths {
			rel := relative(dir, p)
			classes[rel] = true
			if i > 0 && l.train.labels[i] == l.train.labels[i-1] && relative(dir, l.train.paths[i-1]) >= rel {
				t.Errorf("%s after %s", rel, l.train.paths[i-1])
			}
		}
		if len(slices.Collect(maps.Keys(classes))) != 17 {
			t.Errorf("%d pictures, want 17", len(classes))
		}
	}
}
