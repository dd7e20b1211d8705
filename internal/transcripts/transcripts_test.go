package transcripts

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var (
	update = flag.Bool("update", false, "write what the program prints into the documents")
	fresh  = flag.Bool("fresh", false, "with -update, write also what differs in masked numbers alone: for a quiet machine")
)

// root is the folder of the module.
const root = "../.."

const indent = "    "

// session is a code block below a marker.
type session struct {
	first, last int // lines of the block, from 0; last is behind it
	kind        string
	steps       []step
}

// step is a command and what it prints.
type step struct {
	command string
	output  []string
}

// The kinds of sessions.
const (
	checked    = ""
	masked     = "numbers masked"
	notChecked = "not checked"
)

var marker = regexp.MustCompile(`^<!-- transcript(?:: (.*))? -->$`)

// sessions finds the sessions of a document. An indented block with a command but no marker is an error, and so is a marker without one.
func sessions(lines []string) (all []session, err error) {
	for i := 0; i < len(lines); i++ {
		kind, marked := checked, false
		line := i
		if m := marker.FindStringSubmatch(lines[i]); m != nil {
			kind, marked = m[1], true
			for i++; i < len(lines) && lines[i] == ""; i++ {
			}
		}
		if i == len(lines) || !strings.HasPrefix(lines[i], indent) {
			if marked {
				return nil, fmt.Errorf("line %d: no code block follows the marker", line+1)
			}
			continue
		}
		s := session{first: i, kind: kind}
		for s.last = i; i < len(lines) && (lines[i] == "" || strings.HasPrefix(lines[i], indent)); i++ {
			if lines[i] != "" {
				s.last = i + 1
			}
		}
		i = s.last - 1
		for _, text := range lines[s.first:s.last] {
			text = strings.TrimPrefix(text, indent)
			last := len(s.steps) - 1
			switch command, ok := strings.CutPrefix(text, "$ "); {
			case ok:
				s.steps = append(s.steps, step{command: command})
			case last < 0 && marked:
				return nil, fmt.Errorf("line %d: the block does not begin with a command", s.first+1)
			case last < 0:
			case strings.HasSuffix(s.steps[last].command, `\`) && len(s.steps[last].output) == 0:
				s.steps[last].command += "\n" + text
			default:
				s.steps[last].output = append(s.steps[last].output, text)
			}
		}
		switch {
		case len(s.steps) > 0 && !marked:
			return nil, fmt.Errorf("line %d: a session without a marker", s.first+1)
		case !marked:
			continue
		case kind != checked && kind != masked && !strings.HasPrefix(kind, notChecked+", "):
			return nil, fmt.Errorf("line %d: unknown kind of transcript %q", line+1, kind)
		}
		for i := range s.steps {
			s.steps[i].output = trimBlank(s.steps[i].output)
		}
		all = append(all, s)
	}
	return all, nil
}

// trimBlank leaves out blank lines at the end.
func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// What differs from run to run.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b\d+h\d\dm\b|\b\d+m\d\ds\b|\b\d+(\.\d+)?(ms|s)\b`), "TIME"},
	{regexp.MustCompile(`[\d,.]+ (images|img)/s`), "N $1/s"},
	{regexp.MustCompile(`-\d{8}-\d{6}\b`), "-DATE"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?`), "DATE"},
}

var (
	number = regexp.MustCompile(`[\d,.]*\d(e[-+]\d+)?`)
	gap    = regexp.MustCompile(` {2,}`)
	space  = regexp.MustCompile(`\s+`)
	cpu    = regexp.MustCompile(`^cpu: .*`)
)

// mask returns the lines without what differs from run to run.
func mask(lines []string, kind string) []string {
	var out []string
	column := -1 // of a table that has seconds
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "the machine was not calm") {
			continue
		}
		fields := gap.Split(line, -1)
		if at := slices.Index(fields, "SECONDS"); at >= 0 {
			column = at
		} else if line == "" {
			column = -1
		} else if column >= 0 && column < len(fields) {
			fields[column] = "TIME"
			line = strings.Join(fields, " ")
		}
		for _, m := range masks {
			line = m.pattern.ReplaceAllString(line, m.with)
		}
		if kind == masked {
			line = number.ReplaceAllString(cpu.ReplaceAllString(line, "cpu: CPU"), "#")
		}
		out = append(out, space.ReplaceAllString(line, " "))
	}
	return out
}

// lab runs commands.
type lab struct {
	program, goRun string // the two ways in which the documents call it
	home, work     string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	folder := t.TempDir()
	if resolved, err := filepath.EvalSymlinks(folder); err == nil {
		folder = resolved
	}
	// A program in a folder of this name prints itself as 'go run ./cmd/nasbench'.
	l := &lab{program: filepath.Join(folder, "bin", "nasbench"), goRun: filepath.Join(folder, "go-build", "nasbench"), home: filepath.Join(folder, "home")}
	l.work = filepath.Join(l.home, "nasbench")
	build := exec.Command("go", "build", "-o", l.program, "./cmd/nasbench")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOAMD64=v1")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v: %s", err, text)
	}
	if err := os.Mkdir(filepath.Dir(l.goRun), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(l.program, l.goRun); err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(l.work, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, filepath.Join(l.work, "examples")); err != nil {
		t.Fatal(err)
	}
	return l
}

// run returns what a command prints.
func (l *lab) run(command string) ([]string, error) {
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "go run ./cmd/nasbench", l.goRun))
	cmd.Dir = l.work
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "NASBENCH_") && !slices.Contains([]string{"HOME", "PATH", "XDG_DATA_HOME", "COLUMNS", "GOMAXPROCS"}, name) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+l.home, "PATH="+filepath.Dir(l.program)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out // one pipe, so that the order is that of a terminal
	err := cmd.Run()
	text := strings.ReplaceAll(out.String(), l.home, "/home/you")
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return trimBlank(strings.Split(text, "\n")), nil
}

// replay runs the commands of a session and returns it with what they print. Outputs that are the same but for what is masked stay as they are.
func (l *lab) replay(s session) (out session, differences []string, err error) {
	out = s
	out.steps = nil
	for _, st := range s.steps {
		got, err := l.run(st.command)
		if err != nil {
			return s, nil, fmt.Errorf("%s: %w", st.command, err)
		}
		want, is := mask(st.output, s.kind), mask(got, s.kind)
		if slices.Equal(want, is) && !(*update && *fresh) {
			got = st.output
		} else {
			differences = append(differences, difference(st.command, want, is))
		}
		out.steps = append(out.steps, step{st.command, got})
	}
	return out, differences, nil
}

// difference says where two outputs differ first.
func difference(command string, want, is []string) string {
	for i := range max(len(want), len(is)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(want) {
			a = want[i]
		}
		if i < len(is) {
			b = is[i]
		}
		if a != b {
			return fmt.Sprintf("$ %s\n  line %d of the document: %s\n  what the program prints: %s", command, i+1, a, b)
		}
	}
	return ""
}

// text returns the block of a session.
func (s session) text() []string {
	var lines []string
	for i, st := range s.steps {
		if i > 0 {
			lines = append(lines, "")
		}
		for _, line := range append(strings.Split("$ "+st.command, "\n"), st.output...) {
			if line != "" {
				line = indent + line
			}
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return lines
}

// documents are the files with sessions.
func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(names, filepath.Join(root, "README.md"))
}

func TestSessionsInDocuments(t *testing.T) {
	type document struct {
		path  string
		lines []string
		all   []session
	}
	var read []document
	count := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d := document{path: path, lines: strings.Split(string(text), "\n")}
		if d.all, err = sessions(d.lines); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, s := range d.all {
			for _, st := range s.steps {
				if s.kind == checked && (!strings.Contains(st.command, "NASBENCH_LEVEL=generic ") && !strings.Contains(st.command, "NASBENCH_LEVEL=avx2 ")) {
					t.Errorf("%s: %s: set NASBENCH_LEVEL to generic or avx2, which decides the bits", path, st.command)
				}
				count++
			}
		}
		read = append(read, d)
	}
	if count == 0 {
		t.Fatal("no document has a session")
	}
	switch {
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		t.Skip("the sessions were made on linux/amd64; other architectures round differently")
	case os.Getenv("NASBENCH_LEVEL") != "":
		t.Skip("sessions set NASBENCH_LEVEL themselves and are checked where the tests run without it")
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil && !bytes.Contains(info, []byte(" avx2 ")) {
		t.Skip("this CPU has no AVX2, with which the sessions were made")
	}
	l := newLab(t)
	for _, d := range read {
		changed := false
		for _, s := range slices.Backward(d.all) { // so that lines before stay where they are
			if strings.HasPrefix(s.kind, notChecked) {
				continue
			}
			now, differences, err := l.replay(s)
			if err != nil {
				t.Errorf("%s: %v", d.path, err)
				continue
			}
			if len(differences) == 0 {
				continue
			}
			if !*update {
				t.Errorf("%s, line %d: run 'go test ./internal/transcripts -update' if this is meant:\n%s", d.path, s.first+1, strings.Join(differences, "\n"))
				continue
			}
			changed = true
			d.lines = slices.Replace(d.lines, s.first, s.last, now.text()...)
		}
		if !changed {
			continue
		}
		if err := os.WriteFile(d.path, []byte(strings.Join(d.lines, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSessionsAreFound(t *testing.T) {
	text := `text

<!-- transcript -->

    $ one \
        --more
    a  1

    b
    $ two

text
    no session: indented text

<!-- transcript: numbers masked -->
    $ three
    c`
	all, err := sessions(strings.Split(text, "\n"))
	if err != nil || len(all) != 2 || len(all[0].steps) != 2 || len(all[1].steps) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if s := all[0].steps[0]; s.command != "one \\\n    --more" || !slices.Equal(s.output, []string{"a  1", "", "b"}) {
		t.Errorf("%+v", s)
	}
	if s := all[1]; s.kind != masked || !slices.Equal(s.text(), []string{"    $ three", "    c"}) {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"    $ one", "<!-- transcript -->\ntext", "<!-- transcript -->", "<!-- transcript: maybe -->\n    $ one", "<!-- transcript: not checked -->\n    $ one", "<!-- transcript -->\n    one"} {
		if all, err := sessions(strings.Split(bad, "\n")); err == nil {
			t.Errorf("%q is taken for %+v", bad, all)
		}
	}
}

func TestMasksLeaveWhatTheSeedDecides(t *testing.T) {
	same := func(kind, a, b string) bool {
		return slices.Equal(mask(strings.Split(a, "\n"), kind), mask(strings.Split(b, "\n"), kind))
	}
	board := "RANK  ACCURACY  SECONDS  ARCHITECTURE\n1     0.8       %s      skip\n\n1 2 %s"
	for _, c := range []struct {
		kind, a, b string
		same       bool
	}{
		{checked, "accuracy 0.7, 4.3s, 1,853 images/s: skip", "accuracy 0.7, 12m05s, 9 images/s: skip", true},
		{checked, "accuracy 0.7, 4.3s", "accuracy 0.71, 4.3s", false},
		{checked, "studies/search-20261123-142949.db", "studies/search-20270101-000000.db", true},
		{checked, fmt.Sprintf(board, "1.0", "3"), fmt.Sprintf(board, "22.5", "3"), true},
		{checked, fmt.Sprintf(board, "1.0", "3"), fmt.Sprintf(board, "1.0", "4"), false},
		{checked, "conv3x3(16)", "conv3x3(32)", false},
		{checked, "a  b", "a      b", true},
		{masked, "  4.779    6.1  conv  128x28", "12.1  1,000  conv  128x28", true},
		{masked, "1.5 conv", "1.5 pool", false},
		{masked, "cpu: A\nx", "cpu: B 9\nx", true},
	} {
		if got := same(c.kind, c.a, c.b); got != c.same {
			t.Errorf("%q and %q are the same: %v", c.a, c.b, got)
		}
	}
}
