package dataset

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDigitsForms(t *testing.T) {
	// The same three images of 2x2 pixels, labels 0, 1, 2, in several forms.
	want := [][]byte{{0, 255, 128, 64}, {255, 0, 0, 0}, {0, 0, 0, 255}}
	for _, c := range []struct {
		name, text string
		classes    []string
		order      []int // images by label
	}{
		{"label first, 0..255", "0,0,255,128,64\n1,255,0,0,0\n2,0,0,0,255\n", []string{"0", "1", "2"}, nil},
		{"CR LF", "0,0,255,128,64\r\n1,255,0,0,0\r\n2,0,0,0,255\r\n", []string{"0", "1", "2"}, nil},
		{"no last newline", "0,0,255,128,64\n1,255,0,0,0\n2,0,0,0,255", []string{"0", "1", "2"}, nil},
		{"label last", "0,255,128,64,0\n255,0,0,0,1\n0,0,0,255,2\n", []string{"0", "1", "2"}, nil},
		{"0..16", "0,0,16,8,4\n1,16,0,0,0\n2,0,0,0,16\n", []string{"0", "1", "2"}, nil},
		{"0..1", "0,0,1,0.5,0.25\n1,1,0,0,0\n2,0,0,0,1e0\n", []string{"0", "1", "2"}, nil},
		{"header", "a,b,LABEL,c,d\n0,255,0,128,64\n255,0,1,0,0\n0,0,2,0,255\n", []string{"0", "1", "2"}, nil},
		{"numbered header", "0,1,2,3,target\n0,255,128,64,0\n255,0,0,0,1\n0,0,0,255,2\n", []string{"0", "1", "2"}, nil},
		{"words", "class,a,b,c,d\ndog,0,255,128,64\nant,255,0,0,0\ncat,0,0,0,255\n", []string{"ant", "cat", "dog"}, []int{1, 2, 0}},
		{"numbers sorted as numbers", "class,a,b,c,d\n10,0,255,128,64\n9,255,0,0,0\n-1,0,0,0,255\n", []string{"-1", "9", "10"}, []int{2, 1, 0}},
		{"semicolons", "0;0;255;128;64\n1;255;0;0;0\n2;0;0;0;255\n", []string{"0", "1", "2"}, nil},
		{"tabs and quotes", "0\t0\t255\t\"128\"\t64\n1\t255\t0\t0\t0\n2\t0\t0\t0\t255\n", []string{"0", "1", "2"}, nil},
		{"byte order mark", "\xef\xbb\xbf0,0,255,128,64\n1,255,0,0,0\n2,0,0,0,255\n", []string{"0", "1", "2"}, nil},
		{"spaces and blank lines", "0, 0 ,255,128,64\n\n1, 255,0,0,0\n2,0,0,0,255\n\n", []string{"0", "1", "2"}, nil},
	} {
		s, _, err := readDigits(strings.NewReader(c.text), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Equal(s.Classes, c.classes) || s.Height != 2 || s.Width != 2 || s.Channels != 1 || s.Len() != 3 {
			t.Errorf("%s: %d images of %dx%dx%d, classes %q", c.name, s.Len(), s.Height, s.Width, s.Channels, s.Classes)
		}
		for i := range s.Len() {
			if !bytes.Equal(s.Image(i), want[i]) {
				t.Errorf("%s: image %d is %v, want %v", c.name, i, s.Image(i), want[i])
			}
		}
		for label, i := range c.order {
			if s.Label(i) != label {
				t.Errorf("%s: image %d has label %d, want %d", c.name, i, s.Label(i), label)
			}
		}
	}
}

func TestDigitsInColour(t *testing.T) {
	row := strings.Repeat(",9,99,200", 4)
	s, _, err := readDigits(strings.NewReader("0"+row+"\n1"+row+"\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Height != 2 || s.Channels != 3 || !bytes.Equal(s.Image(1)[:4], []byte{9, 99, 200, 9}) {
		t.Errorf("%dx%dx%d %v", s.Height, s.Width, s.Channels, s.Image(1))
	}
}

func TestDigitsErrorsNameLineAndColumn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"no lines of pixels"}},
		{"header only", "label,a,b,c,d\n", []string{"no lines of pixels"}},
		{"word among pixels", "0,1,2,3,4\n1,5,x,7,8\n", []string{"line 2, column 5", "field 3", `have "x"`}},
		{"empty field", "0,1,2,3,4\n1,5,,7,8\n", []string{"line 2, column 5", "want a number"}},
		{"too large", "0,1,2,3,4\n1,5,256,7,8\n", []string{"line 2, column 5", "0 to 255"}},
		{"negative", "0,1,2,3,4\n1,-5,6,7,8\n", []string{"line 2, column 3", "0 to 255"}},
		{"not a number", "0,1,2,3,4\n1,NaN,6,7,8\n", []string{"line 2, column 3", "0 to 255"}},
		{"short line", "0,1,2,3,4\n1,5,6,7,8\n0,1,2\n", []string{"line 3", "not as many fields"}},
		{"stray quote", "0,1,2,3,4\n1,5\",6,7,8\n", []string{"line 2, column 4"}},
		{"header without a label", "a,b,c,d,e\n0,1,2,3,4\n", []string{"line 1", "label, class or target"}},
		{"two labels", "label,b,c,d,class\n0,1,2,3,4\n", []string{"line 1", "fields 1 and 5"}},
		{"empty label", "label,a,b,c,d\n,1,2,3,4\n", []string{"line 2, column 1", "label is empty"}},
		{"not square", "0,1,2,3,4,5\n1,5,6,7,8,9\n", []string{"5 pixel columns", "square", "would be 2x2x1"}},
		{"both ends", "0,1,2,3,1\n1,5,6,7,0\n", []string{"both the first and the last"}},
		{"neither end", "9,1,2,3,7\n1,5,6,7,9\n", []string{"neither"}},
		{"one field", "0\n1\n", []string{"lines of one field"}},
		{"one class", "label,a,b,c,d\nx,1,2,3,4\nx,1,2,3,4\n", []string{`only one label, "x"`}},
	} {
		dir := t.TempDir()
		path := write(t, filepath.Join(dir, "my.csv"), []byte(c.text))
		_, err := Open("digits:"+path, Options{})
		wantError(t, c.name, err, append(c.want, "dataset digits", "my.csv", dir)...)
	}
}

func TestDigitsBoundsWhatItReads(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "long.csv.gz"), gzipped(t, bytes.Repeat([]byte("1"), maxCSVLine+100)))
	_, err := Open("digits:"+path, Options{})
	wantError(t, "one long line", err, "line of more than 16777216 bytes")

	var b strings.Builder
	b.WriteString("label,a\n")
	for i := range maxClasses + 1 {
		fmt.Fprintf(&b, "w%d,1\n", i)
	}
	path = write(t, filepath.Join(t.TempDir(), "many.csv"), []byte(b.String()))
	_, err = Open("digits:"+path, Options{})
	wantError(t, "many classes", err, "more than 1000 different labels")
}

// digitsText returns n lines of 3x3 images of 5 classes.
func digitsText(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%d,%d,0,0,0,%d,0,0,0,255\n", i%5, i%250, i/250)
	}
	return b.Bytes()
}

func TestDigitsTestSplitIsAFixedTenth(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "digits.csv.gz"), gzipped(t, digitsText(500)))
	var first []byte
	for _, name := range []string{"digits:" + dir, "digits:" + filepath.Join(dir, "digits.csv.gz")} {
		d, err := Open(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		test, err := d.Test()
		if err != nil {
			t.Fatal(err)
		}
		if in := d.Info(); in.Train != 450 || in.Test != 50 || in.Height != 3 || len(in.Classes) != 5 {
			t.Errorf("info %+v", in)
		}
		if !slices.Equal(test.Counts(), []int{10, 10, 10, 10, 10}) {
			t.Errorf("the test split has %v samples per class", test.Counts())
		}
		var ids []byte
		for i := range test.Len() {
			ids = append(ids, test.Image(i)...)
		}
		if first == nil {
			first = ids
		} else if !bytes.Equal(first, ids) {
			t.Error("the test split changes from run to run")
		}
	}
	_, err := Open("digits", Options{})
	wantError(t, "no file", err, "digits.csv", "not found", "digits:FILE")
	_, err = Open("digits:"+filepath.Join(dir, "nothing.csv"), Options{})
	wantError(t, "missing file", err, "nothing.csv", "not found")
	few := write(t, filepath.Join(dir, "few.csv"), []byte("0,1,2,3,4\n1,1,2,3,9\n1,1,2,3,9\n"))
	_, err = Open("digits:"+few, Options{})
	wantError(t, "too few", err, `class "0" has 1 sample, too few`)
}

func FuzzReadDigits(f *testing.F) {
	f.Add([]byte("0,0,255,128,64\n1,255,0,0,0\n"), "", "auto", 0.0)
	f.Add([]byte("label;a\r\nx;0.5\r\ny;1\r\n"), "label", "yes", 1.0)
	f.Add([]byte("0\n1\n"), "1", "no", 16.0)
	f.Add([]byte("\xef\xbb\xbf\"label\",a\n\"\"\"\",1e1\n"), "", "", 1e-40)
	f.Add([]byte(",0,1,2,3,label\n0,1,2,3,4,0\n1,5,6,7,8,1\n"), "", "auto", 0.0)
	f.Fuzz(func(t *testing.T, text []byte, label, header string, scale float64) {
		s, notes, err := readDigits(bytes.NewReader(text), Options{Label: label, Header: Header(header), PixelScale: scale})
		if err != nil {
			return
		}
		if s.Len() == 0 || len(s.Classes) < 2 || len(notes) < 3 {
			t.Fatalf("a split of %d samples and %d classes, %d notes", s.Len(), len(s.Classes), len(notes))
		}
	})
}

func TestLabelColumnOfTheOptions(t *testing.T) {
	const headed = "a,Kind,b,c,d\n0,x,255,1,2\n3,y,4,5,6\n7,x,8,9,0\n"
	const plain = "0,1,255,1,2\n3,0,4,5,6\n7,1,8,9,0\n"
	for _, c := range []struct {
		text, label string
		classes     []string
	}{
		{headed, "kind", []string{"x", "y"}},
		{headed, "2", []string{"x", "y"}},
		{headed, "", []string{"x", "y"}}, // the only column of words
		{plain, "2", []string{"0", "1"}},
	} {
		s, _, err := readDigits(strings.NewReader(c.text), Options{Label: c.label})
		if err != nil {
			t.Errorf("%q: %v", c.label, err)
			continue
		}
		if !slices.Equal(s.Classes, c.classes) || s.Len() != 3 || s.Height != 2 || s.Channels != 1 {
			t.Errorf("%q: classes %v, %d images of %dx%d", c.label, s.Classes, s.Len(), s.Height, s.Width)
		}
	}
	for _, c := range []struct{ text, label, want string }{
		{headed, "sort", `names no column "sort"`},
		{headed, "6", "there is no column 6 for the labels; there are 5"},
		{plain, "0", "there is no column 0"},
		{plain, "kind", `none of its 5 columns is named "kind"`},
		{"a,b,c,d,e\n0,1,2,3,4\n1,5,6,7,8\n", "", "names no column label, class or target"},
		{"kind,KIND,b,c,d\n1,2,3,4,5\n", "kind", "fields 1 and 2 both name"},
	} {
		if _, _, err := readDigits(strings.NewReader(c.text), Options{Label: c.label}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.label, err, c.want)
		}
	}
}
