package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// photos writes n pictures of each class, one of the first transparent in parts, into a new folder.
func photos(t testing.TB, n int, classes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, class := range classes {
		for k := range n {
			m := image.NewNRGBA(image.Rect(0, 0, 12, 12))
			for p := range 144 {
				m.SetNRGBA(p%12, p/12, color.NRGBA{R: uint8(200 * i), G: uint8(5 * k), A: 255})
			}
			if i == 0 {
				m.SetNRGBA(0, 0, color.NRGBA{})
			}
			savePicture(t, filepath.Join(dir, class, fmt.Sprintf("%02d.png", k)), m)
		}
	}
	return dir
}

func savePicture(t testing.TB, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Skip(err) // the system does not allow the name
	}
	f, err := os.Create(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

func TestFlagsOfPicturesAreRecordedAndGoOn(t *testing.T) {
	dir, folder := photos(t, 20, "a", "b"), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a", "bad.png"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	given := []string{"--dataset", "images:" + dir, "--image-size", "8", "--fit", "pad", "--background", "RED", "--skip-bad"}
	file := filepath.Join(folder, "study.db")
	r := succeed(t, slices.Concat([]string{"search", "--trials", "1", "--epochs", "1", "--final-epochs", "0", "--study", file, "--json"}, given)...)
	all := objects(t, r.stdout)
	summary := all[len(all)-1]
	settings := inside(summary, "settings").(map[string]any)
	if settings["fit"] != "pad" || settings["background"] != "#ff0000" || settings["skip-bad"] != "true" {
		t.Errorf("settings %v", settings)
	}
	if train := inside(summary, "run", "train").(string); !strings.Contains(train, "--fit pad --background '#ff0000' --skip-bad") {
		t.Errorf("train command: %s", train)
	}
	again := succeed(t, "search", "--study", file, "--trials", "2", "--final-epochs", "0", "--json")
	all = objects(t, again.stdout)
	if now := inside(all[len(all)-1], "settings").(map[string]any); fmt.Sprint(now) != fmt.Sprint(settings) {
		t.Errorf("settings %v, then %v", settings, now)
	}
	wantOneLine(t, nasbench(t, nil, "search", "--study", file, "--trials", "3", "--fit", "crop"), exitUsage, "fit")

	model := filepath.Join(folder, "model.safetensors")
	succeed(t, slices.Concat([]string{"train", "--arch", "conv3x3(16), pool3x3(max), conv3x3(16)", "--epochs", "1", "--out", model, "--quiet"}, given)...)
	succeed(t, "train", "--resume", model, "--quiet")
	wantOneLine(t, nasbench(t, nil, "train", "--resume", model, "--background", "black"), exitUsage, "background was #ff0000, now black")

	for name, list := range map[string][]string{"search": searchSettings(), "train": trainSettings(), "rank": rankSettings(), "warm start": scoreSettings()} {
		for _, flag := range pictureFlagNames() {
			if !slices.Contains(list, flag) {
				t.Errorf("%s does not record --%s", name, flag)
			}
		}
	}
}

func TestNotesOnImagesAreSaidOnceAtTheStart(t *testing.T) {
	dir := photos(t, 20, "a", "b")
	file := filepath.Join(t.TempDir(), "study.db")
	const want = "note: 20 pictures have transparent parts, which are white in the images (--background chooses)\n"
	args := []string{"--dataset", "images:" + dir, "--image-size", "8"}
	for _, command := range [][]string{
		{"train", "--arch", "conv3x3(16), pool3x3(max), conv3x3(16)", "--epochs", "1"},
		{"search", "--trials", "1", "--final-epochs", "1", "--study", file},
		{"search", "--trials", "2", "--final-epochs", "1", "--study", file},
		{"rank", "--architectures", "3", "--seeds", "1", "--epochs", "1", "--study", file, "--name", "r"},
	} {
		if r := succeed(t, slices.Concat(command, args)...); strings.Count(r.stderr, want) != 1 || strings.Count(r.stderr, "pictures have transparent parts") != 1 {
			t.Errorf("%q: %s", command, r.stderr)
		}
	}
	if r := succeed(t, slices.Concat([]string{"train", "--arch", "conv3x3(16), pool3x3(max), conv3x3(16)", "--epochs", "1", "--quiet"}, args)...); r.stderr != "" {
		t.Errorf("--quiet: %s", r.stderr)
	}
	r := succeed(t, "data", "info", "images:"+dir)
	if !strings.Contains(r.stdout, "note      20 pictures have") || !strings.Contains(r.stdout, "pictures  the largest square in the middle of each picture, scaled to 32x32\n") {
		t.Error(r.stdout)
	}
}

func TestPathsGivenAsDataSetsAreUnderstood(t *testing.T) {
	dir := photos(t, 5, "a", "b")
	home := filepath.Dir(dir)
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	below := "~/" + filepath.Base(dir)
	table := filepath.Join(t.TempDir(), "q.csv")
	if err := os.WriteFile(table, []byte("0,1\n1,0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		code       int
	}{
		{dir, "did you mean images:" + dir + "?", exitUsage},
		{below, "did you mean 'images:" + below + "'?", exitUsage},
		{table, "did you mean digits:" + table + "?", exitUsage},
		{"images:" + table, "did you mean digits:" + table + "?", exitFailure},
		{"digits:" + dir, "did you mean images:" + dir + "?", exitFailure},
		{"fashion-minst", `did you mean "fashion-mnist"?`, exitUsage},
	} {
		for _, args := range [][]string{{"data", "info", c.name}, {"train", "--arch", "conv3x3(16), pool3x3(max), conv3x3(16)", "--dataset", c.name}} {
			wantOneLine(t, nasbench(t, nil, args...), c.code, c.want)
		}
	}
	succeed(t, "data", "info", "images:"+below)
	succeed(t, "data", "info", "images", "--data-dir", below)
	succeed(t, "data", "info", "images", "--data-dir="+below)
}

func TestRecordsOfBeforePicturesWereTurnedSaySo(t *testing.T) {
	for name, want := range map[string]int{"images:/photos": 2, "digits:/q.csv": 1} {
		given := study.Settings{"dataset": name, dataSetting: "0123456789abcdef", contentsSetting: "2 classes, 4 images"}
		r, err := new(dataIdentity).reconcile("study", study.Settings{"dataset": name}, given)
		if err != nil || len(r.words) != want || want == 2 && !strings.Contains(r.words[1], "transparent parts stay black") {
			t.Errorf("%s: %q, %v", name, r.words, err)
		}
	}
}

func TestColours(t *testing.T) {
	for given, want := range map[string]string{"white": "white", "#fff": "white", "FFFFFF": "white", "#000000": "black", "Black": "black", "red": "#ff0000", "#12aBcd": "#12abcd", "1a2": "#11aa22"} {
		var c color.RGBA
		v := colourValue{&c}
		if err := v.Set(given); err != nil || v.String() != want || c.A != 255 {
			t.Errorf("%q: %s, %v", given, v, err)
		}
	}
	for _, given := range []string{"", "#", "whit", "#ff", "#12345", "#1234567", "12345g", "+12345", "transparent"} {
		if err := (colourValue{new(color.RGBA)}).Set(given); err == nil {
			t.Errorf("%q is a colour", given)
		}
	}
}
