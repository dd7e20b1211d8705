package main

import (
	"bytes"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/nas/study"
)

func TestVersionForEveryWayOfBuilding(t *testing.T) {
	main := debug.Module{Path: "example.org/nasbench"}
	installed, local := main, main
	installed.Version, local.Version = "v1.2.3", "(devel)"
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		name string
		info *debug.BuildInfo
		want string // before the Go version and after it
		rest string
	}{
		{"no information", nil, "nasbench (unknown) ", ""},
		{"go run", &debug.BuildInfo{Main: local}, "nasbench (devel) ", ""},
		{"no version", &debug.BuildInfo{Main: main}, "nasbench (devel) ", ""},
		{"go install", &debug.BuildInfo{Main: installed}, "nasbench v1.2.3 ", ""},
		{"checkout", &debug.BuildInfo{Main: local, Settings: vcs}, "nasbench (devel) ", " commit 0123456789ab (modified)"},
		{"tags", &debug.BuildInfo{Main: installed, Settings: []debug.BuildSetting{{Key: "-tags", Value: "purego"}}}, "nasbench v1.2.3 ", " tags purego"},
	} {
		b := buildOf(c.info)
		if want := c.want + b.Go + " " + b.OS + "/" + b.Arch + c.rest; b.String() != want {
			t.Errorf("%s: %q, want %q", c.name, b, want)
		}
	}
	if r := succeed(t, "version"); !strings.HasPrefix(r.stdout, "nasbench ") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%q", r.stdout)
	}
	if o := objects(t, succeed(t, "version", "--json").stdout); len(o) != 1 || o[0]["go"] == nil || o[0]["module"] == nil {
		t.Errorf("%v", o)
	}
}

func TestInfoDescribesTheMachine(t *testing.T) {
	o := objects(t, succeed(t, "info", "--json").stdout)
	if len(o) != 1 {
		t.Fatalf("%v", o)
	}
	for _, name := range []string{
		"cpu", "features", "level", "level_reason", "level_supported", "levels", "cores", "threads", "usable_cpus",
		"cache_line", "l1_data", "l2", "l3", "memory", "build",
	} {
		if _, ok := o[0][name]; !ok {
			t.Errorf("no %s in %v", name, o[0])
		}
	}
	if o[0]["level"] == "" || o[0]["level_reason"] == "" || o[0]["usable_cpus"].(float64) < 1 {
		t.Errorf("%v", o[0])
	}
	text := succeed(t, "info").stdout
	for i, name := range []string{"CPU", "features", "level", "levels", "cores", "caches", "memory", "Go", "nasbench", "build tags"} {
		if line := strings.Split(text, "\n")[i]; !strings.HasPrefix(line, name+"  ") {
			t.Errorf("line %d is %q, want %s", i, line, name)
		}
	}
}

func TestDataList(t *testing.T) {
	sets := []dataSet{
		{Name: "one", Height: 28, Width: 28, Channels: 1, Classes: []string{"a", "b"}, Train: 10, Test: 5, Location: "embedded"},
		{Name: "second", Classes: []string{}},
	}
	var b bytes.Buffer
	if err := printDataList(&b, sets, 0); err != nil {
		t.Fatal(err)
	}
	want := "NAME    IMAGES   CLASSES  TRAIN  TEST  LOCATION\n" +
		"one     28x28x1  2        10     5     embedded\n" +
		"second  any      any      any    any   not found\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	lines := objects(t, succeed(t, "data", "list", "--json").stdout)
	if len(lines) != len(dataset.List()) || lines[0]["name"] != dataset.Default || lines[0]["location"] != "embedded" {
		t.Errorf("%v", lines)
	}
}

func TestDataInfo(t *testing.T) {
	r := succeed(t, "data", "info", dataset.Default)
	for _, want := range []string{"train     10,000\n", "test      2,000\n", "images    28x28x1", "MIT", "9      Ankle boot   1,000  200\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	o := objects(t, succeed(t, "data", "info", dataset.Default, "--json").stdout)
	if counts := fmt.Sprint(o[0]["train_per_class"]); counts != "[1000 1000 1000 1000 1000 1000 1000 1000 1000 1000]" {
		t.Error(counts)
	}
}

func TestNumbersAsPeopleReadThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1k", 999_949: "999.9k", 999_999: "1M", 12345: "12.35k", 2_500_000: "2.5M", 7e12: "7T", -1500: "-1.5k"} {
		if got := formatCount(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for x, want := range map[float64]string{
		0: "0", 37542.3: "37,540", 1638: "1,638", 999.96: "1,000", 999.94: "999.9", 93.87: "93.87", 5: "5", 0.012346: "0.01235", -1234567: "-1,235,000",
		1e-9: "1e-09", math.Inf(1): "+Inf",
	} {
		if got := formatFigure(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
	if got := formatFixed(-1234.56, 1) + " " + formatFixed(999.96, 1) + " " + formatWhole(100) + " " + formatWhole(-60000) + " " + plural(1000, "image"); got != "-1,234.6 1,000.0 100 -60,000 1,000 images" {
		t.Error(got)
	}
	for n, want := range map[int64]string{0: "unknown", -1: "unknown", 64: "64 B", 49152: "48 KiB", 1 << 20: "1 MiB", 25 << 30: "25 GiB"} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 59400 * time.Millisecond: "59s", 59600 * time.Millisecond: "1m00s", 125 * time.Second: "2m05s", 3725 * time.Second: "1h02m"} {
		if got := formatTime(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{150 * time.Second: "2m30s", time.Hour: "1h", 10 * time.Minute: "10m", time.Second / 2: "500ms"} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	// A size is recorded as it is printed, so it must read back exactly.
	for text, want := range map[string]string{"250k": "250k", "2.5M": "2500k", "1234567": "1234567", "3G": "3G", "none": "none", "1e3": "1k"} {
		var n, again int64
		if err := (sizeValue{&n}).Set(text); err != nil {
			t.Fatal(err)
		}
		got := sizeValue{&n}.String()
		if err := (sizeValue{&again}).Set(got); err != nil || got != want || again != n {
			t.Errorf("%s: %s, want %s; reads back as %d, %v", text, got, want, again, err)
		}
	}
}

func TestCommandsAreQuotedForTheShell(t *testing.T) {
	if got := command("train", "--arch", "skip, fc(64):add", "it's"); !strings.Contains(got, "fc(64):add") || strings.Contains(got, " fc(64):add it's") {
		t.Error(got)
	}
	devel := build{Module: "example.org/m", Version: "(devel)"}
	released := build{Module: "example.org/m", Version: "v1.2.3"}
	for _, c := range []struct {
		executable string
		build      build
		want       string
	}{
		{"/usr/local/bin/nasbench", released, "nasbench"},
		{"/tmp/go-build123/b001/exe/nasbench", devel, "go run ./cmd/nasbench"},
		{"/tmp/go-build123/b001/exe/nasbench", released, "go run example.org/m/cmd/nasbench@v1.2.3"},
	} {
		if got := program(c.executable, c.build); got != c.want {
			t.Errorf("%s: %s, want %s", c.executable, got, c.want)
		}
	}
}

func TestTrialsArePrintedInOrder(t *testing.T) {
	var b bytes.Buffer
	s := newTrialStream(&b, true)
	order := func() string {
		out := ""
		for _, o := range objects(t, b.String()) {
			out += fmt.Sprint(o["index"])
		}
		return out
	}
	for _, step := range []struct {
		add  int
		want string
	}{{1, ""}, {0, "01"}, {3, "01"}, {2, "0123"}, {6, "0123"}, {5, "0123"}} {
		s.add(study.Trial{Index: step.add})
		if got := order(); got != step.want {
			t.Errorf("after trial %d: %s, want %s", step.add, got, step.want)
		}
	}
	s.flush()
	if got := order(); got != "012356" {
		t.Errorf("after the end: %s", got)
	}
	quiet := newTrialStream(&b, false)
	quiet.add(study.Trial{})
	quiet.flush()
	if got := order(); got != "012356" {
		t.Errorf("without --json: %s", got)
	}
}

// terminal returns a display as on a terminal of so many columns, and what it writes.
func terminal(columns int, colour bool) (*display, *bytes.Buffer) {
	var b bytes.Buffer
	return &display{w: &b, live: true, colour: colour, width: func() int { return columns }}, &b
}

// lastLine returns what stands on the redrawn line.
func lastLine(b *bytes.Buffer) string {
	text := b.String()
	return strings.TrimRight(text[strings.LastIndex(text, "\r")+1:], " ")
}

func TestTheBarShowsTrialEpochSpeedBestAndTimeLeft(t *testing.T) {
	for _, colour := range []bool{true, false} {
		d, b := terminal(120, colour)
		w := newWatch(d, study.Options{Trials: 4, Epochs: 2}, nil)
		best := &study.Trial{Index: 0, Genome: "g0", State: study.Complete, Metrics: &study.Metrics{ValAccuracy: 0.75}}
		w.observe(study.Event{Kind: study.TrialStarted, Index: 0})
		w.observe(study.Event{Kind: study.TrialEnded, Index: 0, Trial: best, Best: best})
		w.observe(study.Event{Kind: study.TrialStarted, Index: 1})
		w.drawn = time.Time{}
		w.rate.times, w.rate.totals = []time.Time{time.Now().Add(-time.Second)}, []int{0}
		w.observe(study.Event{Kind: study.StepDone, Index: 1, Genome: "g1", Step: study.Step{Epoch: 2, Step: 5, Steps: 10, Images: 480}})
		for _, want := range []string{"trial 0 (1 of 4): accuracy 0.7500", "best so far", ": g0\n", "1/4 done, best 0.7500, ", " left, trial 1 epoch 2/2, ", " images/s, g1", "43%"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in %q", want, b.String())
			}
		}
		if got := strings.Contains(b.String(), "\x1b"); got != colour {
			t.Errorf("colours: %v, want %v: %q", got, colour, b.String())
		}
	}
}

// The best and the time left are what a narrow terminal keeps; the last column stays free.
func TestProgressFitsTheWidth(t *testing.T) {
	parts := []string{"12/100 done", "best 0.9015", "2m05s left", "trial 14 epoch 1/3", "3,700 images/s", "conv3x3(16), pool3x3(max), conv5x5(64):add, skip"}
	for columns, want := range map[int]string{
		1:   "…",
		6:   " 25%",
		10:  " 25% 12/…",
		20:  " 25% 12/100 done",
		40:  " 25% 12/100 done, best 0.9015",
		60:  " 25% 12/100 done, best 0.9015, 2m05s left",
		80:  " 25% [==>       ] 12/100 done, best 0.9015, 2m05s left, trial 14 epoch 1/3",
		120: " 25% [=====>              ] 12/100 done, best 0.9015, 2m05s left, trial 14 epoch 1/3, 3,700 images/s, conv3x3(16), poo…",
		200: " 25% [=====>              ] 12/100 done, best 0.9015, 2m05s left, trial 14 epoch 1/3, 3,700 images/s, conv3x3(16), pool3x3(max), conv5x5(64):add, skip",
	} {
		d, b := terminal(columns, false)
		d.update(0.25, parts...)
		if got := lastLine(b); got != want || textWidth(got) >= max(columns, 2) {
			t.Errorf("%d columns:\n%s\nwant\n%s", columns, got, want)
		}
	}
}

// Each drawing covers the one before and clear the last, whatever the width has become.
func TestTheProgressLineIsRedrawnInPlace(t *testing.T) {
	columns := 80
	d, b := terminal(0, false)
	d.width = func() int { return columns }
	screen := newScreen()
	draw := func(text string) {
		d.drawn = time.Time{}
		d.update(0.5, text)
		screen.write(b.String())
		b.Reset()
	}
	for _, text := range []string{strings.Repeat("x", 500), "short", strings.Repeat("網", 60), "e\u0301", "", strings.Repeat("e\u0301", 90)} {
		draw(text)
		if want := " 50% [=====>    ] " + cutEnd(text, 61); screen.line() != strings.TrimRight(want, " ") {
			t.Errorf("%q, want %q", screen.line(), want)
		}
	}
	// A narrower terminal gets no line that is too long for it, not even of spaces.
	for _, columns = range []int{30, 10, 1, 2, 200, 5} {
		d.drawn = time.Time{}
		d.update(0.5, "short")
		d.clear()
		for _, text := range strings.Split(b.String(), "\r") {
			if textWidth(text) >= max(columns, 2) {
				t.Errorf("%d columns: %q", columns, text)
			}
		}
		b.Reset()
	}
	columns = 80
	screen = newScreen()
	draw(strings.Repeat("x", 500))
	d.clear()
	d.clear()
	d.line("a line")
	screen.write(b.String())
	if !strings.HasPrefix(screen.text(), "a line\n") || screen.line() != "" {
		t.Errorf("%q", screen.text())
	}
}

// screen is what a terminal that is wide enough shows of text with carriage returns.
type screen struct {
	lines []string
	cells []string // of the last line: a grapheme in each, none behind a wide one
	at    int
}

func newScreen() *screen { return &screen{} }

func (s *screen) write(text string) {
	for g := uniseg.NewGraphemes(text); g.Next(); {
		switch g.Str() {
		case "\r":
			s.at = 0
		case "\n":
			s.lines = append(s.lines, s.line())
			s.cells, s.at = nil, 0
		default:
			for len(s.cells) < s.at+g.Width() {
				s.cells = append(s.cells, " ")
			}
			if s.cells[s.at] == "" && s.at > 0 {
				s.cells[s.at-1] = " " // half of a wide one is overwritten
			}
			s.cells[s.at] = g.Str()
			for i := range g.Width() - 1 {
				s.cells[s.at+1+i] = ""
			}
			s.at += g.Width()
			if s.at < len(s.cells) && s.cells[s.at] == "" {
				s.cells[s.at] = " "
			}
		}
	}
}

func (s *screen) line() string { return strings.TrimRight(strings.Join(s.cells, ""), " ") }
func (s *screen) text() string { return strings.Join(append(s.lines, s.line()), "\n") }

func TestFailedRepeatedAndStoppedTrialsInProgress(t *testing.T) {
	var b bytes.Buffer
	w := newWatch(&display{w: &b}, study.Options{Time: time.Minute}, nil)
	origin := 3
	for _, trial := range []study.Trial{
		{Index: 1, Genome: "g1", State: study.Failed, Reason: "loss is NaN at epoch 1, step 2"},
		{Index: 2, Genome: "g2", State: study.Stopped},
		{Index: 4, Genome: "g4", State: study.Complete, ReusedFrom: &origin, Metrics: &study.Metrics{ValAccuracy: 0.5}},
	} {
		w.observe(study.Event{Kind: study.TrialEnded, Index: trial.Index, Trial: &trial})
	}
	want := "trial 1: failed: loss is NaN at epoch 1, step 2, 0.0s: g1\n" +
		"trial 4: accuracy 0.5000, 0 parameters, 0 FLOPs, the network of trial 3: g4\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestRateIsOfTheLastSeconds(t *testing.T) {
	var m meter
	start := time.Now()
	if m.rate() != 0 {
		t.Error("a rate of nothing")
	}
	for i := range 101 { // 100 a second for 20 seconds, then 300 a second
		total := 20 * i
		if i > 50 {
			total = 1000 + 60*(i-50)
		}
		m.add(start.Add(time.Duration(i)*200*time.Millisecond), total)
	}
	if r := m.rate(); r < 290 || r > 310 {
		t.Errorf("%v images/s, want about 300", r)
	}
}
