package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	dir := photos(t, t.TempDir(), "cat:10", "dog:5", "__MACOSX/cat:3", "dog/.thumbnails:4")
	for name, text := range map[string]string{
		"README": "text", "cat/a.txt": "text", "cat/b.TXT": "text", "cat/film.mp4": "film", "dog/Thumbs.db": "x", "dog/._00.png": "x", ".DS_Store": "x", "dog/apple.heic": "x",
		"dog/00.png.part": "x", "dog/00.png~": "x",
	} {
		write(t, filepath.Join(dir, name), []byte(text))
	}
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantNotes(t, d, "left out 7 files that are no pictures of a known format (.txt 2, without extension 1, .heic 1, .mp4 1, .part 1, .png~ 1)",
		"left out 5 hidden files and folders: .DS_Store, __MACOSX, dog/._00.png and 2 more")
	if have := perClass(d.Train()); have != "cat 8, dog 4" {
		t.Error(have)
	}
	none := t.TempDir()
	write(t, filepath.Join(none, "cat", "a.webm"), []byte("film"))
	write(t, filepath.Join(none, "dog", "b.webm"), []byte("film"))
	_, err = Open("images:"+none, Options{})
	wantError(t, "no pictures", err, "at least 2 classes, have 0; without pictures: cat, dog; 2 files that are no pictures of a known format (.webm 2)")
}

func TestLinksAreFollowedButNotInCircles(t *testing.T) {
	store := photos(t, t.TempDir(), "one:4", "two:6")
	dir := photos(t, t.TempDir(), "cat:5", "dog:5")
	link := func(to string, at ...string) {
		if err := os.Symlink(to, filepath.Join(append([]string{dir}, at...)...)); err != nil {
			t.Skip(err)
		}
	}
	link(filepath.Join(store, "one"), "cat", "more") // a folder elsewhere
	link(filepath.Join(store, "two"), "eel")         // a class elsewhere
	link(filepath.Join(store, "two", "00.png"), "dog", "x.png")
	link("..", "cat", "up")
	link(dir, "dog", "top")
	link(filepath.Dir(dir), "dog", "above")
	link("ring", "dog", "ring")
	link("nothing", "dog", "gone.png")
	d, err := Open("images:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	test, err := d.Test()
	if err != nil {
		t.Fatal(err)
	}
	if train, rest := perClass(d.Train()), perClass(test); train != "cat 7, dog 5, eel 5" || rest != "cat 2, dog 1, eel 1" {
		t.Errorf("%s; %s", train, rest)
	}
	wantNotes(t, d, "left out 2 links that lead nowhere: dog/gone.png, dog/ring", "left out 3 links to folders above them: cat/up, dog/above, dog/top")
	// The data set is the same behind a link.
	behind := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, behind); err != nil {
		t.Fatal(err)
	}
	same(t, d, "images:"+behind, Options{})
}

func TestHomeFolders(t *testing.T) {
	home := photos(t, t.TempDir(), "photos/a:5", "photos/b:5")
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for _, name := range []string{"images:~/photos", "images:~"} {
		d, err := Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(d.Info().Location, home) || d.Info().Train != 8 {
			t.Errorf("%s: %+v", name, d.Info())
		}
	}
	if _, err := Open("images", Options{Dir: "~/photos"}); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"", "~x", "~x/y", "./~", "/~/x", "a~"} {
		if have := ExpandHome(path); have != path {
			t.Errorf("%q became %q", path, have)
		}
	}
}
