package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const quickProfile = "--time|1ns|--batch|2|--threads|1"

func profile(t *testing.T, args string) string {
	t.Helper()
	return succeed(t, append([]string{"profile"}, strings.Split(args+"|"+quickProfile, "|")...)...).stdout
}

func TestProfilePrintsEveryOperation(t *testing.T) {
	out := profile(t, "--model|small-cnn")
	for _, want := range []string{"small-cnn: train, batch 2x28x28x1, 1 thread", "GFLOP/s peak", "GB/s copy", "MB planned", "conv1  conv2d_bias_relu  ", "head   linear_backward_weights", "best of 4 measurements", "   ms      %  GFLOP/s     GB/s     FLOP/B         %"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	out = profile(t, "--arch|conv3x3(16), skip, fc(64)|--input|9x8x2|--classes|3|--mode|infer|--by|layer|--top|2")
	if !strings.Contains(out, "infer, batch 2x9x8x2") || !strings.Contains(out, "more") || strings.Contains(out, "grad") {
		t.Errorf("printed:\n%s", out)
	}
}

// Networks of cells have the size that is asked for, and the space may be a file.
func TestProfileOfCells(t *testing.T) {
	flops := func(args ...string) (total int64) {
		args = append(append([]string{"profile", "--json"}, args...), strings.Split(quickProfile, "|")...)
		var r profileReport
		if err := json.Unmarshal([]byte(succeed(t, args...).stdout), &r); err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Rows {
			total += row.FLOPs
		}
		return total
	}
	const cell = "conv3x3~0 | skip~0 + fc~1 | pool3x3~0 + skip~1 + fc~2 | fc~0 + conv3x3~1 + skip~2 + conv5x5~3"
	small := flops("--space", "seed-cell", "--arch", cell, "--channels", "4", "--cells", "2")
	large := flops("--space", "seed-cell", "--arch", cell, "--channels", "4", "--cells", "4")
	if small <= 0 || large <= small {
		t.Errorf("%d FLOPs with two cells, %d with four", small, large)
	}
	if n := flops("--space", "../../examples/spaces/three-edges.yaml", "--arch", "conv3~0 | skip~0 + conv1~1"); n <= 0 {
		t.Errorf("%d FLOPs", n)
	}
}

func TestProfileJSON(t *testing.T) {
	for _, by := range profileGroups() {
		var r profileReport
		if err := json.Unmarshal([]byte(profile(t, "--model|small-cnn|--json|--by|"+by)), &r); err != nil {
			t.Fatal(err)
		}
		share, flops, macs := 0.0, int64(0), int64(0)
		for _, row := range r.Rows {
			share += row.Timing.Share
			flops, macs = flops+row.FLOPs, macs+row.MACs
		}
		if flops != r.FLOPs || flops == 0 || macs != r.MACs || macs == 0 || share < 0.999 || share > 1.001 {
			t.Errorf("by %s: rows have %d FLOPs of %d and %v of the time", by, flops, r.FLOPs, share)
		}
		m := r.Timing
		if m.PeakFLOPS < 1e8 || m.CopyBytes < 1e8 || m.Seconds <= 0 || m.ImagesRate <= 0 || r.Arena < r.PeakLive || r.PeakLive <= 0 || m.Measurements != 4 || m.LeastFLOPS > m.PeakFLOPS {
			t.Errorf("by %s: %+v", by, r)
		}
	}
}

// Figures are written out, every column has a header, and a machine that was disturbed is called so.
func TestProfileTextIsForPeople(t *testing.T) {
	report := profileReport{Model: "m", Mode: "train", Input: "128x28x28x1", Level: "avx2", Threads: 2, FLOPs: 320_000_000, MACs: 158_000_000, Bytes: 39_000_000, Arena: 65_900_000, PeakLive: 65_900_000}
	report.Timing = profileTiming{
		Seconds: 0.00341, Runs: 1234, ImagesRate: 37542, FLOPRate: 93.87e9, Roofline: 0.909, PeakFLOPS: 118e9, CopyBytes: 36.2e9, Measurements: 4, LeastFLOPS: 72e9, LeastCopy: 36e9,
	}
	report.Rows = []profileRow{
		{Layer: "block1.conv", Op: "conv2d", Shape: "128x28x28x16", Calls: 1, Intensity: 36, Live: 32_100_000, Timing: rowTiming{Seconds: 1.2345, Share: 0.061, FLOPRate: 96.8e9, ByteRate: 2.7e9, Roofline: 0.82}},
		{Layer: "head", Op: "linear", Shape: "128x10", Calls: 2000, Timing: rowTiming{Seconds: 0.004}},
	}
	print := func() string {
		var b bytes.Buffer
		if err := (&app{stdout: &b}).printProfile(report); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := `m: train, batch 128x28x28x1, 2 threads, avx2
machine: 118 GFLOP/s peak, 36.2 GB/s copy (best of 4 measurements before, between and after the runs)
the machine was not calm: its peak was 72 to 118 GFLOP/s, its copy 36 to 36.2 GB/s
one run: 3.41 ms, 37,540 img/s, 93.87 GFLOP/s, 90.9% of the roofline (median of 1,234)
work: 320M FLOPs (158M MACs), 39 MB moved
memory: 65.9 MB planned, 65.9 MB in use at the most

     time  share  compute  traffic  intensity  roofline  live  calls  layer        operation  output
       ms      %  GFLOP/s     GB/s     FLOP/B         %    MB
1,234.500    6.1     96.8      2.7       36.0        82  32.1      1  block1.conv  conv2d     128x28x28x16
    4.000    0.0      0.0      0.0        0.0         0   0.0  2,000  head         linear     128x10
`
	if got := print(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	report.Timing.calm = true
	report.Rows = []profileRow{{Layer: "head", Calls: 3}}
	if got := print(); strings.Contains(got, "not calm") || !strings.Contains(got, "calls  layer\n") || strings.Contains(got, "operation") {
		t.Errorf("%s", got)
	}
}

func TestProfileWritesCPUProfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpu.prof")
	profile(t, "--model|small-cnn|--cpuprofile|"+file)
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("CPU profile: %v, %v", info, err)
	}
}

func TestProfileMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"":                                      "one of --model and --arch",
		"--model|small-cnn|--arch|skip":         "one of --model and --arch",
		"--model|smal-cnn":                      `did you mean "small-cnn"?`,
		"--model|small-cnn|--mode|sleep":        `unknown mode "sleep"`,
		"--model|small-cnn|--by|colour":         `unknown grouping "colour"`,
		"--model|small-cnn|--input|8x8x1":       "the size of small-cnn is fixed",
		"--arch|conv3x3(16)":                    "--arch",
		"--arch|@no/such/file":                  "no such file",
		"--arch|skip|--input|8x8":               "want height x width x channels",
		"--arch|skip|--input|8x0x1":             "must be at least 1",
		"--arch|skip|--input|8xax1":             "want height x width x channels",
		"--arch|skip, skip, skip|--space|chian": `did you mean "chain"?`,
		"--model|small-cnn|--batch|0":           "must be at least 1",
		"--model|small-cnn|--time|0s":           "must be more than 0s",
	} {
		t.Run(args, func(t *testing.T) {
			line := []string{"profile"}
			if args != "" {
				line = append(line, strings.Split(args, "|")...)
			}
			r := nasbench(t, nil, line...)
			if r.code != exitUsage || r.stdout != "" || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("exit code %d, %q, %q; want a line with %q", r.code, r.stdout, r.stderr, want)
			}
		})
	}
}
