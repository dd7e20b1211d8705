package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/space"
)

// suited returns the bounds of a search in space chain with these flags.
func suited(t *testing.T, task space.Task, level kernels.Level, args ...string) *boundFlags {
	t.Helper()
	var b boundFlags
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	b.add(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	b.suit(flags, defaultSpace, level)
	b.suitImages(flags, task)
	return &b
}

func TestDefaultBoundsAllowNetworksForImagesOfEverySize(t *testing.T) {
	for _, level := range []kernels.Level{kernels.Generic, kernels.AVX512} {
		for _, channels := range []int{1, 3} {
			for _, side := range []int{1, 2, 8, 12, 16, 24, 28, 32, 33, 48, 64, 96, 128, 224, 256, 512, 1024, 4096} {
				task := space.Task{Height: side, Width: side, Channels: channels, Classes: 10}
				s, err := space.New(defaultSpace, task, suited(t, task, level).constraints())
				if err != nil {
					t.Fatal(err)
				}
				rng := stream.New(1, "test")
				for range 20 {
					if _, err := s.Random(rng); err != nil {
						t.Errorf("%d pixels a side, %d channels, %v kernels: %v", side, channels, level, err)
						break
					}
				}
			}
		}
	}
}

// Studies have recorded what the defaults were.
func TestDefaultBoundsOfSmallImagesAreThoseOfTheRecords(t *testing.T) {
	for _, side := range []int{1, 8, 28, 32} {
		task := space.Task{Height: side, Width: side, Channels: 3, Classes: 10}
		for level, want := range map[kernels.Level]string{kernels.Generic: "5000000 400000 10000", kernels.AVX2: "20000000 1600000 40000"} {
			b := suited(t, task, level)
			if got := fmt.Sprint(b.flops, b.activation, b.minParams); got != want {
				t.Errorf("%d pixels a side, %v kernels: bounds %s, want %s", side, level, got, want)
			}
		}
	}
}

func TestDefaultBoundsGrowWithTheArea(t *testing.T) {
	task := space.Task{Height: 64, Width: 128, Channels: 3, Classes: 10}
	if b := suited(t, task, kernels.AVX2); b.flops != 160_000_000 || b.activation != 12_800_000 || b.minParams != 40_000 {
		t.Errorf("%+v", b)
	}
	if b := suited(t, task, kernels.AVX2, "--max-flops", "7M"); b.flops != 7_000_000 || b.activation != 12_800_000 || b.minParams != 0 {
		t.Errorf("with a bound of the user's: %+v", b)
	}
	if b := suited(t, task, kernels.AVX2, "--max-macs", "7M"); b.flops != 0 || b.macs != 7_000_000 || b.activation != 12_800_000 || b.minParams != 0 {
		t.Errorf("with a bound on MACs, which is one on FLOPs: %+v", b)
	}
	if b := suited(t, task, kernels.AVX2, "--max-macs", "7M", "--max-flops", "9M"); b.flops != 9_000_000 || b.macs != 7_000_000 {
		t.Errorf("with both bounds: %+v", b)
	}
	if b := suited(t, task, kernels.AVX2, "--max-flops", "none"); b.flops != 0 {
		t.Errorf("without a bound: %+v", b)
	}
	task.Height, task.Width = 1<<31, 1<<30
	if b := suited(t, task, kernels.AVX2); b.flops <= 0 || b.activation <= 0 {
		t.Errorf("of the largest images: %+v", b)
	}
}

// TestMaxMACsBoundsEveryTrial follows the bound through a search, its record and what goes on with it.
func TestMaxMACsBoundsEveryTrial(t *testing.T) {
	file := filepath.Join(t.TempDir(), "study.db")
	args := []string{"search", "--study", file, "--trials", "3", "--train-samples", "200", "--max-macs", "150k", "--final-epochs", "0", "--seed", "5", "--quiet", "--json"}
	check := func(r ran, trials int) {
		t.Helper()
		var summary struct{ Settings map[string]string }
		for _, line := range strings.Split(strings.TrimSpace(r.stdout), "\n") {
			var trial struct {
				Type    string
				Metrics *struct{ MACs, FLOPs int64 }
			}
			if err := json.Unmarshal([]byte(line), &trial); err != nil {
				t.Fatal(err)
			}
			if trial.Type == "summary" {
				if err := json.Unmarshal([]byte(line), &summary); err != nil {
					t.Fatal(err)
				}
				continue
			}
			trials--
			if m := trial.Metrics; m == nil || m.MACs <= 0 || m.MACs > 150_000 || m.FLOPs < 2*m.MACs {
				t.Errorf("trial %s", line)
			}
		}
		if trials != 0 || summary.Settings["max-macs"] != "150k" || summary.Settings["max-flops"] != "none" {
			t.Errorf("%d trials are missing; settings %v", trials, summary.Settings)
		}
	}
	check(succeed(t, args...), 3)
	check(succeed(t, "search", "--study", file, "--trials", "5", "--final-epochs", "0", "--quiet", "--json"), 5)
	wantOneLine(t, nasbench(t, nil, "search", "--study", file, "--trials", "5", "--max-macs", "200k", "--quiet"), exitUsage, "max-macs")
	none := []string{"search", "--study", filepath.Join(filepath.Dir(file), "none.db"), "--trials", "1", "--train-samples", "200", "--max-macs", "1", "--quiet"}
	wantOneLine(t, nasbench(t, nil, none...), exitFailure, "--max-macs")
	if board := succeed(t, "study", "show", file).stdout; !strings.Contains(board, "FLOPS") || !strings.Contains(board, "MACS") {
		t.Errorf("the leaderboard has no column of MACs:\n%s", board)
	}
	if table := succeed(t, "study", "export", file).stdout; !strings.Contains(strings.SplitN(table, "\n", 2)[0], ",flops,macs,") {
		t.Errorf("the export has no column of MACs:\n%s", table)
	}
}

// largeDigits has 24 images of 40x40 pixels.
func largeDigits(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("label")
	for i := range 1600 {
		fmt.Fprintf(&b, ",p%d", i)
	}
	for i := range 24 {
		fmt.Fprintf(&b, "\n%d", i%2)
		for p := range 1600 {
			fmt.Fprintf(&b, ",%d", (p*(i%2+3)+i)%256)
		}
	}
	return writeFile(t, "large.csv", []byte(b.String()+"\n"))
}

func TestStudiesOfLargeImagesKeepTheirBounds(t *testing.T) {
	file := largeDigits(t)
	detection, err := kernels.Detect()
	if err != nil {
		t.Fatal(err)
	}
	want := sizeValue{&suited(t, space.Task{Height: 40, Width: 40, Channels: 1, Classes: 2}, detection.Level).flops}.String()
	for _, begin := range [][]string{
		{"search", "--trials", "1", "--final-epochs", "0"},
		{"rank", "--architectures", "3", "--seeds", "1", "--epochs", "1", "--oneshot-epochs", "1"},
	} {
		db := filepath.Join(t.TempDir(), "s.db")
		args := append(begin, "--study", db, "--quiet", "--json")
		r := succeed(t, append(args, "--dataset", "digits:"+file)...)
		if !strings.Contains(r.stdout, `"max-flops":"`+want+`"`) {
			t.Errorf("%s: %s is not the bound in %s", begin[0], want, r.stdout)
		}
		succeed(t, args...) // goes on with the bounds on record
	}
}
