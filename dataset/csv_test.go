package dataset

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// csvCase is a file of images of 3x3 pixels, with values from 0 to 16 and the labels 0, 1, 2 in turn, in one of many forms.
type csvCase struct {
	name   string
	header []string
	line   func(i int, pixels []string) []string
	label  string // option
	column int    // of the labels, from 1
	index  bool   // whether a column is left out
}

const caseLines = 90

// casePixels are those of image i.
func casePixels(i int) []string {
	p := make([]string, 9)
	for j := range p {
		p[j] = strconv.Itoa((i*i + 5*i*j + 3*j + 7*(i%3)) % 9 * 2) // no column counts up
	}
	return p
}

func numbers(from, n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, from+i)
	}
	return out
}

func csvCases() []csvCase {
	animals := []string{"cat", "dog", "emu"}
	first := func(i int, p []string) []string { return slices.Concat([]string{strconv.Itoa(i % 3)}, p) }
	last := func(i int, p []string) []string { return slices.Concat(p, []string{strconv.Itoa(i % 3)}) }
	word := func(i int, p []string) []string { return slices.Concat([]string{animals[i%3]}, p) }
	counted := func(line func(i int, p []string) []string, from, step int) func(i int, p []string) []string {
		return func(i int, p []string) []string {
			return slices.Concat([]string{strconv.Itoa(from + step*i%(step*caseLines+1))}, line(i, p))
		}
	}
	with := func(name string, more []string) []string { return slices.Concat([]string{name}, more) }
	return []csvCase{
		{"no header", nil, first, "", 1, false},
		{"no header, label last", nil, last, "", 10, false},
		{"no header, words", nil, word, "", 1, false},
		{"no header, words last", nil, func(i int, p []string) []string { return slices.Concat(p, []string{animals[i%3]}) }, "", 10, false},
		{"no header, an index", nil, counted(first, 0, 1), "", 2, true},
		{"no header, an index from 1", nil, counted(last, 1, 1), "", 11, true},
		{"names", with("label", numbers(0, 9, "p%d")), first, "", 1, false},
		{"names of pixels, capitals", append(numbers(0, 9, "pixel%d"), "CLASS"), last, "", 10, false},
		{"names of rows and columns", with("label", []string{"1x1", "1x2", "1x3", "2x1", "2x2", "2x3", "3x1", "3x2", "3x3"}), first, "", 1, false},
		{"another name for the label", append(numbers(0, 9, "pixel%d"), "y"), last, "", 10, false},
		{"words under another name", with("animal", numbers(0, 9, "p%d")), word, "", 1, false},
		{"a data frame's numbers", numbers(0, 10, "%d"), first, "", 1, false},
		{"a data frame's numbers, label last", numbers(0, 10, "%d"), last, "", 10, false},
		{"a data frame's numbers from 1", numbers(1, 10, "%d"), first, "", 1, false},
		{"numbers of part of a frame", numbers(100, 10, "%d"), first, "", 1, false},
		{"numbers as floats", numbers(0, 10, "%d.0"), first, "", 1, false},
		{"numbers with a step", []string{"0.5", "0.6", "0.7", "0.8", "0.9", "1.0", "1.1", "1.2", "1.3", "1.4"}, first, "", 1, false},
		{"a data frame's numbers and a label", with("label", numbers(0, 9, "%d")), first, "", 1, false},
		{"a data frame's numbers and another label", append(numbers(0, 9, "%d"), "digit"), last, "", 10, false},
		{"a data frame's numbers and words", with("animal", numbers(0, 9, "%d")), word, "", 1, false},
		{"names that are any numbers", with("label", []string{"1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3"}), word, "", 1, false},
		{"names that are any numbers, the label by its number", with("digit", []string{"1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3"}), first, "1", 1, false},
		{"words by their number", nil, word, "1", 1, false},
		{"a data frame's numbers over words", numbers(0, 10, "%d"), word, "", 1, false},
		{"a data frame's index", with("", numbers(0, 10, "%d")), counted(first, 0, 1), "", 2, true},
		{"a data frame's index and label", append(with("", numbers(0, 9, "%d")), "label"), counted(last, 0, 1), "", 11, true},
		{"a shuffled index", append(with("", numbers(0, 9, "%d")), "label"), counted(last, 3, 37), "", 11, true},
		{"an index read as a column", append(with("Unnamed: 0", numbers(0, 9, "%d")), "label"), counted(last, 0, 1), "", 11, true},
		{"ids", append(with("id", []string{"label"}), numbers(0, 9, "p%d")...), counted(first, 1000, 1), "", 2, true},
		{"an image that a data frame made names of", []string{"0", "3", "3.1", "3.2", "0.1", "0.2", "16", "16.1", "5", "12"}, first, "", 1, false},
		{"a label column by its name", with("kind", numbers(0, 9, "%d")), first, "Kind", 1, false},
		{"a label column by its number", numbers(0, 10, "%d"), first, "1", 1, false},
	}
}

func (c *csvCase) text(separator, quote, end string) string {
	var b strings.Builder
	write := func(fields []string) {
		b.WriteString(quote + strings.Join(fields, quote+separator+quote) + quote + end)
	}
	if c.header != nil {
		write(c.header)
	}
	for i := range caseLines {
		write(c.line(i, casePixels(i)))
	}
	return b.String()
}

// Whatever its form, the file has the same images.
func TestCSVFilesOfEveryFormGiveTheSameImages(t *testing.T) {
	for _, c := range csvCases() {
		for _, form := range [][3]string{{",", "", "\n"}, {";", `"`, "\r\n"}, {"\t", "", "\n"}} {
			for _, told := range []bool{false, true} {
				o := Options{Label: c.label}
				if told {
					o.Header, o.PixelScale = HeaderNo, 16
					if c.header != nil {
						o.Header = HeaderYes
					}
				}
				s, notes, err := readDigits(strings.NewReader(c.text(form[0], form[1], form[2])), o)
				if err != nil {
					t.Errorf("%s, %q: %v", c.name, form, err)
					continue
				}
				if s.Len() != caseLines || s.Height != 3 || s.Channels != 1 || len(s.Classes) != 3 {
					t.Errorf("%s, %q: %d images of %dx%d, classes %q", c.name, form, s.Len(), s.Height, s.Width, s.Classes)
					continue
				}
				for i := range s.Len() {
					var want []byte
					for _, p := range casePixels(i) {
						v, _ := strconv.ParseFloat(p, 32)
						want = append(want, byte(v/16*255+0.5))
					}
					if s.Label(i) != i%3 || !bytes.Equal(s.Image(i), want) {
						t.Errorf("%s, %q: image %d is %v of label %d, want %v of label %d", c.name, form, i, s.Image(i), s.Label(i), want, i%3)
						break
					}
				}
				all := strings.Join(notes, "; ")
				first := "there is no header"
				if c.header != nil {
					first = "the first line is a header"
				}
				for _, want := range []string{first, fmt.Sprintf("the labels are in column %d of ", c.column), "pixels are from 0 to 16"} {
					if !strings.Contains(all, want) {
						t.Errorf("%s: the notes %q lack %q", c.name, notes, want)
					}
				}
				if strings.Contains(all, "left out") != c.index || strings.Contains(all, "as told") != told {
					t.Errorf("%s: notes %q", c.name, notes)
				}
			}
		}
	}
}

func TestAMistakeInTheFirstLineIsNoHeader(t *testing.T) {
	for _, wrong := range []string{"1O", "", "?"} {
		c := csvCases()[0]
		_, line, _ := strings.Cut(c.text(",", "", "\n"), "\n")
		text := "0,1," + wrong + ",3,16,5,2,7,8,9\n" + line
		_, _, err := readDigits(strings.NewReader(text), Options{})
		if err == nil || !strings.Contains(err.Error(), "line 1, column 5: field 3: want a number") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestWordsOverWordsAreClasses(t *testing.T) {
	for text, want := range map[string]int{
		"cat,0,255,128,64\ndog,255,0,0,0\n":                           2,
		"class,0,255,128,64\nother,255,0,0,0\nclass,1,2,3,4\n":        3, // a class of that name
		"cat,0,1,2,3\ndog,9,255,7,6\n":                                2, // as many numbers may come by chance
		"class,0,1,2,3\ncat,9,255,7,6\ndog,9,255,7,6\n":               2,
		"0,1,2,3,4\n1,1,2,3,4\n0,1,2,3,5\n1,1,2,3,0\n0,255,254,0,0\n": 5, // lines of the same numbers
	} {
		s, notes, err := readDigits(strings.NewReader(text), Options{})
		if err != nil || s.Len() != want {
			t.Errorf("%q: %v, want %d images; %q", text, err, want, notes)
		}
	}
}

func TestLabelsThatAreNumbersAreClassesByValue(t *testing.T) {
	for _, c := range []struct{ labels, classes string }{
		{"0 0.0 1 1e0 00 01 +1 -0", "0 1"},
		{"0.0 1.0 10.0 2.0", "0.0 1.0 2.0 10.0"},
		{"2 10 1 10.0", "1 2 10"},
		{"-1 1 -1.0", "-1 1"},
		{"00 01 02", "00 01 02"},
		{"0 0.0 x", "0 0.0 x"}, // words, because one is
		{"9007199254740993 9007199254740992", "9007199254740992 9007199254740993"},
	} {
		text := "label,a\n"
		for _, l := range strings.Fields(c.labels) {
			text += l + ",1\n"
		}
		s, _, err := readDigits(strings.NewReader(text), Options{})
		if err != nil || strings.Join(s.Classes, " ") != c.classes {
			t.Errorf("%s: %v, want the classes %s", c.labels, err, c.classes)
		}
	}
	for label, want := range map[string]string{
		"1.5": "line 3: the label 1.5 is not a whole number", "NaN": "line 3: the label NaN", "inf": "line 3: the label inf", "1e300": "line 3: the label 1e300", "": `line 3, column 1: field 1, "label": the label is empty`,
	} {
		_, _, err := readDigits(strings.NewReader("label,a\n0,1\n"+label+",1\n1,1\n"), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", label, err, want)
		}
	}
	_, _, err := readDigits(strings.NewReader("0,1,2,3,4\n1,5,6,7,8\n1.5,5,6,7,8\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), "the first has 1.5 in line 3") {
		t.Errorf("without a header: %v", err)
	}
}

// scaleText has 40 images of 2x2 pixels, of values up to 1 times scale.
func scaleText(scale float64, change func(image, pixel int, v float64) float64) string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "%d", i%2)
		for p := range 4 {
			v := float64((i*7+p*13)%21) / 20 * scale
			fmt.Fprintf(&b, ",%v", change(i, p, v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestAFewValuesDoNotChangeTheScaleOfAll(t *testing.T) {
	same := func(_, _ int, v float64) float64 { return v }
	one := func(odd float64) func(image, pixel int, v float64) float64 {
		return func(image, pixel int, v float64) float64 {
			if image == 20 && pixel == 1 {
				return odd
			}
			return v
		}
	}
	for _, c := range []struct {
		name   string
		text   string
		told   float64
		scale  string // in the notes
		note   string
		refuse string
	}{
		{"0 to 1", scaleText(1, same), 0, "from 0 to 1:", "", ""},
		{"0 to 16", scaleText(16, same), 0, "from 0 to 16:", "", ""},
		{"0 to 255", scaleText(255, same), 0, "from 0 to 255:", "", ""},
		{"0 to 100", scaleText(100, same), 0, "from 0 to 255:", "", ""},
		{"0 to 100, told", scaleText(100, same), 100, "from 0 to 100, as told", "", ""},
		{"0 to 65535, told", scaleText(65535, same), 65535, "from 0 to 65535, as told", "", ""},
		{"a rounded one", scaleText(1, one(1.0000001)), 0, "from 0 to 1:", "1 of 160 pixels are above 1, the largest 1.0000001, and count as 1", ""},
		{"a rounded zero", scaleText(1, one(-1e-9)), 0, "from 0 to 1:", "1 of 160 pixels are below 0, the least -1e-09, and count as 0", ""},
		{"overshoot everywhere", scaleText(1.1, same), 0, "from 0 to 1:", "are above 1", ""},
		{"a rounded 16", scaleText(16, one(16.00001)), 0, "from 0 to 16:", "1 of 160 pixels are above 16", ""},
		{"a rounded 255", scaleText(255, one(255.00002)), 0, "from 0 to 255:", "1 of 160 pixels are above 255", ""},
		{"one of 255 among fractions", scaleText(1, one(255)), 0, "", "", "line 21: 1 of 160 pixels, in 1 of 40 images, are above 1, here 255, the largest 255, and all others are from 0 to 1; say with --pixel-scale"},
		{"one of 17 among 16", scaleText(16, one(17)), 0, "", "", "line 21: 1 of 160 pixels, in 1 of 40 images, are above 16, here 17"},
		{"one of 255 among fractions, told", scaleText(1, one(255)), 1, "from 0 to 1, as told", "1 of 160 pixels are above 1, the largest 255, and count as 1", ""},
		{"one of 17 among 16, told", scaleText(16, one(17)), 255, "from 0 to 255, as told", "", ""},
		{"a negative one", scaleText(1, one(-1)), 0, "", "", "line 21, column 7: field 3: want a number from 0 to 255, have \"-1\"; --pixel-scale"},
		{"a negative one, told", scaleText(1, one(-1)), 1, "from 0 to 1, as told", "1 of 160 pixels are below 0, the least -1, and count as 0", ""},
		{"more than 255", scaleText(255, one(300)), 0, "", "", "have \"300\""},
		{"more than 255, told", scaleText(255, one(300)), 255, "as told", "above 255, the largest 300", ""},
		{"a scale that is none", scaleText(1, same), -1, "", "", "a pixel scale of -1"},
	} {
		_, notes, err := readDigits(strings.NewReader(c.text), Options{Label: "1", PixelScale: c.told})
		if c.refuse != "" {
			if err == nil || !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("%s: %v, want %s", c.name, err, c.refuse)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		all := strings.Join(notes, "; ")
		if !strings.Contains(all, "pixels are "+c.scale) && !strings.Contains(all, c.scale) || !strings.Contains(all, c.note) || c.note == "" && len(notes) != 3 {
			t.Errorf("%s: notes %q", c.name, notes)
		}
	}
}

func TestTheHeaderIsAsTold(t *testing.T) {
	plain := "0,1,9,3,4\n1,5,6,7,8\n0,5,6,7,8\n1,5,6,7,8\n0,5,6,7,9\n"
	for header, want := range map[Header]int{HeaderAuto: 5, HeaderNo: 5, HeaderYes: 4, "": 5} {
		s, _, err := readDigits(strings.NewReader(plain), Options{Header: header, Label: "1"})
		if err != nil || s.Len() != want {
			t.Errorf("%q: %v, want %d images", header, err, want)
		}
	}
	for header, want := range map[Header]string{HeaderNo: `line 1, column 1: field 1: want a number, have "label"`, "perhaps": `a header of "perhaps"; want auto, yes or no`} {
		_, _, err := readDigits(strings.NewReader("label,a\n0,1\n1,2\n"), Options{Header: header})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", header, err, want)
		}
	}
}
