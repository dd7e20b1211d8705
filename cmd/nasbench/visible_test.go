package main

import (
	"bytes"
	"encoding/json"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// wantVisible checks that text has nothing in it that steers a terminal, but for ends of lines.
func wantVisible(t testing.TB, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && unseen(r) || r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			t.Errorf("%s: %q in %q", what, r, text)
			return
		}
	}
}

func TestNamesDoNotSteerTheTerminal(t *testing.T) {
	const evil = "red\x1b[31m\x1b[0m\x1b[32m\u202eback\u009b2J\a\x7f\tx\ry\nnote: z"
	dir := photos(t, 6, "a"+evil, "b")
	if err := os.WriteFile(filepath.Join(dir, "b", "q"+evil+".txt"+evil), nil, 0o666); err != nil {
		t.Skip(err)
	}
	savePicture(t, filepath.Join(dir, "b", "wrong\xff\xfebytes.png"), image.NewGray(image.Rect(0, 0, 9, 9)))
	info := succeed(t, "data", "info", "images:"+dir)
	wantVisible(t, "data info", info.stdout)
	if !strings.Contains(info.stdout, `ared\u001b[31m\u001b[0m\u001b[32m\u202eback\u009b2J\u0007\u007f\u0009x\u000dy\u000anote: z`) {
		t.Error(info.stdout)
	}
	asJSON := succeed(t, "data", "info", "images:"+dir, "--json")
	wantVisible(t, "data info --json", asJSON.stdout)
	if o := objects(t, asJSON.stdout); o[0]["classes"].([]any)[0] != "a"+evil {
		t.Errorf("classes %q", o[0]["classes"])
	}
	r := succeed(t, "train", "--arch", "conv3x3(16), pool3x3(max), conv3x3(16)", "--epochs", "1", "--dataset", "images:"+dir)
	wantVisible(t, "train", r.stdout+r.stderr)

	if err := os.WriteFile(filepath.Join(dir, "b", "bad"+evil+"\xff.png"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "s"+evil+"tudy.db")
	for _, args := range [][]string{
		{"data", "info", "images:" + dir}, {"data", "info", evil}, {"data", "info", "images:" + evil}, {"search", "--dataset", evil}, {"search", "--strategy", evil},
		{"study", "show", file}, {evil}, {"search", "--" + evil, "1"}, {"search", evil}, {"train", "--arch", evil},
	} {
		r := nasbench(t, nil, args...)
		wantVisible(t, args[0], r.stdout+r.stderr)
		if r.code == exitOK || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d: %s", args, r.code, r.stderr)
		}
	}
	r = succeed(t, "search", "--dataset", "images:"+dir, "--skip-bad", "--trials", "1", "--final-epochs", "0", "--image-size", "8", "--study", file)
	wantVisible(t, "search", r.stdout+r.stderr)
	wantVisible(t, "study show", succeed(t, "study", "show", file).stdout)
}

func TestCommandsWithControlCharactersCanBeRunAsPrinted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the shell is another one")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"plain", "two words", "a\x1b[31mb", "it's\na \\ line", "\xff\xfe", "\u202ertl", "ümläut 日本"} {
		quoted := quoteArg(name)
		wantVisible(t, "command", quoted)
		out, err := exec.Command(bash, "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != name {
			t.Errorf("%q is quoted as %s, which is %q: %v", name, quoted, out, err)
		}
	}
}

func TestColoursPassOnTerminalsAlone(t *testing.T) {
	text := colourGreen + "ok" + colourOff + "\r\x1b[2J"
	for steers, want := range map[bool]string{true: colourGreen + "ok" + colourOff + "\r" + `\u001b[2J`, false: `\u001b[32mok\u001b[0m\u000d\u001b[2J`} {
		var b bytes.Buffer
		if _, err := newVisibleWriter(&b, steers).Write([]byte(text)); err != nil || b.String() != want {
			t.Errorf("steers %v: %q, want %q; %v", steers, b.String(), want, err)
		}
	}
}

func FuzzVisibleWriter(f *testing.F) {
	f.Add("plain\n", 3)
	f.Add("\x1b[31m日本\u202e\xff\xe6\x97", 7)
	f.Add("\U000e0001\x00\u200d\u2028", 2)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		var whole, parts bytes.Buffer
		w := newVisibleWriter(&whole, false)
		if _, err := w.Write([]byte(text)); err != nil || flush(w) != nil {
			t.Fatal(err)
		}
		wantVisible(t, "written", whole.String())
		cut = min(max(cut, 0), len(text))
		w = newVisibleWriter(&parts, false)
		for _, part := range []string{text[:cut], text[cut:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := flush(w); err != nil || parts.String() != whole.String() {
			t.Fatalf("%q at once, %q in two parts", whole.String(), parts.String())
		}
		// JSON stays JSON, of the same text.
		var b bytes.Buffer
		if err := writeJSON(newVisibleWriter(&b, false), text); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}
