package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// digitsFile has 40 images of 4x4 pixels, even numbers from 0 to 16, below a line of 0, 1, ... 16.
func digitsFile(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 17 {
		fmt.Fprintf(&b, "%d,", i)
	}
	text := strings.TrimSuffix(b.String(), ",") + "\n"
	b.Reset()
	for i := range 40 {
		fmt.Fprintf(&b, "%d", i%2)
		for p := range 16 {
			fmt.Fprintf(&b, ",%d", (p*(i%2+3)+i)%9*2)
		}
		b.WriteByte('\n')
	}
	return writeFile(t, "my.csv", []byte(text+b.String()))
}

func TestDecisionsAboutACSVFileArePrinted(t *testing.T) {
	file := digitsFile(t)
	out := succeed(t, "data", "info", "digits:"+file).stdout
	for _, want := range []string{"train     36\n", "the first line is a header: it differs", "the labels are in column 1 of 17", "pixels are from 0 to 16: "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	out = succeed(t, "data", "info", "digits:"+file, "--header", "no", "--pixel-scale", "32", "--label-column", "1", "--json").stdout
	for _, want := range []string{"there is no header, as told", "pixels are from 0 to 32, as told"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	wantOneLine(t, nasbench(t, nil, "data", "info", "digits:"+file, "--header", "perhaps"), exitUsage, `--header "perhaps": want one of auto, yes, no`)
	for _, bad := range []string{"0", "-1", "NaN", "inf", "1e39", "white"} {
		wantOneLine(t, nasbench(t, nil, "data", "info", "digits:"+file, "--pixel-scale", bad), exitUsage, "want auto or a number above 0, such as 1, 16 or 255")
	}
}

func TestFlagsOfCSVFilesAreRecordedAndRepeated(t *testing.T) {
	file := digitsFile(t)
	db := filepath.Join(t.TempDir(), "s.db")
	args := []string{"search", "--study", db, "--dataset", "digits:" + file, "--epochs", "1", "--final-epochs", "1", "--max-flops", "200k", "--max-params", "30k", "--quiet"}
	r := succeed(t, append(args, "--trials", "1", "--header", "yes", "--pixel-scale", "255")...)
	if !strings.Contains(r.stdout, "--header yes --pixel-scale 255") {
		t.Errorf("the command to train again lacks the flags: %s", r.stdout)
	}
	f, err := study.OpenFile(db, study.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	infos, err := f.Studies()
	if err != nil || len(infos) != 1 {
		t.Fatalf("%d studies, %v", len(infos), err)
	}
	if s := infos[0].Settings; s["header"] != "yes" || s["pixel-scale"] != "255" {
		t.Errorf("settings %v", s)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if r := succeed(t, "study", "show", db); !strings.Contains(r.stdout, "pixel-scale") {
		t.Errorf("study show: %s", r.stdout)
	}
	succeed(t, "search", "--study", db, "--trials", "2", "--quiet") // goes on with what was recorded
	wantOneLine(t, nasbench(t, nil, "search", "--study", db, "--trials", "2", "--quiet", "--pixel-scale", "16"), exitUsage, "pixel-scale")

	out := filepath.Join(t.TempDir(), "m.safetensors")
	const arch = "conv3x3(16), pool3x3(max), skip"
	succeed(t, "train", "--arch", arch, "--dataset", "digits:"+file, "--epochs", "1", "--out", out, "--quiet", "--header", "yes")
	succeed(t, "train", "--resume", out, "--quiet")
	wantOneLine(t, nasbench(t, nil, "train", "--resume", out, "--quiet", "--header", "no"), exitUsage, "header was yes, now no")
}
