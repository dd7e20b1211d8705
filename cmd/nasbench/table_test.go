package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

func TestCutText(t *testing.T) {
	for _, c := range []struct {
		text       string
		room       int
		end, start string
	}{
		{"short", 5, "short", "short"},
		{"longer", 5, "long…", "…nger"},
		{"longer", 1, "…", "…"},
		{"longer", 0, "", ""},
		{"longer", -3, "", ""},
		{"", 0, "", ""},
		{"網路架構", 8, "網路架構", "網路架構"},
		{"網路架構", 7, "網路架…", "…路架構"},
		{"網路架構", 6, "網路…", "…架構"}, // half a character is not shown
		{"ne\u0301on", 4, "ne\u0301on", "ne\u0301on"},
		{"ne\u0301on", 3, "ne\u0301…", "…on"},
		{"xe\u0301", 2, "xe\u0301", "xe\u0301"},
		{"👩‍👩‍👧x", 3, "👩‍👩‍👧x", "👩‍👩‍👧x"},
		{"👩‍👩‍👧xy", 3, "👩‍👩‍👧…", "…xy"},
	} {
		if end, start := cutEnd(c.text, c.room), cutStart(c.text, c.room); end != c.end || start != c.start {
			t.Errorf("%q in %d: %q, %q, want %q, %q", c.text, c.room, end, start, c.end, c.start)
		}
	}
}

// boardOf prints a leaderboard of two trials.
func boardOf(t *testing.T, width int) string {
	t.Helper()
	trials := []study.Trial{
		{Index: 12, Genome: "conv3x3(16), skip, pool3x3(max):add, pool3x3(max):concat, conv3x3(32), fc(64):concat", Metrics: &study.Metrics{ValAccuracy: 0.9, Params: 123456, FLOPs: 12345678, Epochs: 3}},
		{Index: 7, Genome: "conv3x3(16)", Metrics: &study.Metrics{ValAccuracy: 0.8, Params: 12, FLOPs: 345, Epochs: 3}, Timing: study.Timing{Seconds: 12.34}},
	}
	var b bytes.Buffer
	if err := printBoard(&b, trials, boardColumns(study.Settings{}, trials), width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The architecture is cut first, then left out, then what is told elsewhere; a pipe gets everything.
func TestLeaderboardFitsTheWidth(t *testing.T) {
	heads := map[int]string{
		0:   "RANK TRIAL ACCURACY PARAMS FLOPS EPOCHS SECONDS ARCHITECTURE",
		20:  "TRIAL ACCURACY",
		40:  "RANK TRIAL ACCURACY PARAMS FLOPS",
		60:  "RANK TRIAL ACCURACY PARAMS FLOPS EPOCHS SECONDS",
		80:  "RANK TRIAL ACCURACY PARAMS FLOPS EPOCHS SECONDS ARCHITECTURE",
		120: "RANK TRIAL ACCURACY PARAMS FLOPS EPOCHS SECONDS ARCHITECTURE",
		200: "RANK TRIAL ACCURACY PARAMS FLOPS EPOCHS SECONDS ARCHITECTURE",
	}
	for width, head := range heads {
		text := boardOf(t, width)
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); len(strings.Fields(head)) > 0 && dropMACs(got) != head {
			t.Errorf("%d columns: %s, want %s", width, got, head)
		}
		for _, line := range lines {
			if width > 0 && textWidth(line) > width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		if cut := strings.Contains(text, ellipsis); cut != (width == 80 || width == 120 || width == 20 || width == 40) {
			t.Errorf("%d columns, cut %v:\n%s", width, cut, text)
		}
		if left := strings.Contains(text, "no room for: "); left != (width > 0 && width < 80) {
			t.Errorf("%d columns, left out %v:\n%s", width, left, text)
		}
	}
}

// dropMACs leaves out the column of MACs, which has no fixed place in what is expected here.
func dropMACs(head string) string { return strings.ReplaceAll(head, " MACS", "") }

// Columns stand below each other whatever the width of their characters.
func TestTablesOfWideAndCombiningCharacters(t *testing.T) {
	for _, width := range []int{0, 20, 40, 60, 80, 120, 200} {
		w := newTable(tableColumn{head: "名前", long: true}, tableColumn{head: "TRAIN", right: true}, tableColumn{head: "TEST"})
		names := []string{"日本語の長い長い長いクラス名", "e\u0301te\u0301", "plain", "👩‍👩‍👧 family"}
		for i, name := range names {
			w.row(name, formatWhole(1000*i), fmt.Sprint(i))
		}
		var b bytes.Buffer
		if err := w.write(&b, width); err != nil {
			t.Fatal(err)
		}
		at := 0
		for i, line := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
			cell := "TEST"
			if i > 0 {
				cell = fmt.Sprint(i - 1)
			}
			place := textWidth(strings.TrimSuffix(line, cell))
			if !strings.HasSuffix(line, cell) && width != 20 || i > 0 && place != at && width != 20 {
				t.Errorf("%d columns: %q", width, line)
			}
			at = place
			if width > 0 && textWidth(line) > width {
				t.Errorf("%d columns: %q", width, line)
			}
			if whole := strings.Contains(b.String(), names[0]); whole != (width == 0 || width >= 60) {
				t.Errorf("%d columns, whole %v", width, whole)
			}
		}
	}
}

// A long column takes the room that a column leaves.
func TestLeftOutColumnsMakeRoom(t *testing.T) {
	w := newTable(tableColumn{head: "FILE", long: true, fromStart: true}, tableColumn{head: "BEGUN", spare: 1}, tableColumn{head: "BEST"})
	w.row("/home/you/studies/search-20261128.db", strings.Repeat("b", 20), "0.7")
	var b bytes.Buffer
	if err := w.write(&b, 35); err != nil {
		t.Fatal(err)
	}
	want := "FILE                           BEST\n…u/studies/search-20261128.db  0.7\nno room for: begun\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestTableUnits(t *testing.T) {
	w := newTable(tableColumn{head: "time", unit: "ms", right: true}, tableColumn{head: "share", unit: "%", right: true}, tableColumn{head: "layer"})
	w.row("1,234.5", "9", "a")
	w.row("1.0")
	var b bytes.Buffer
	if err := w.write(&b, 0); err != nil {
		t.Fatal(err)
	}
	want := "   time  share  layer\n     ms      %\n1,234.5      9  a\n    1.0\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
