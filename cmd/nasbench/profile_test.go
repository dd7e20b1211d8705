package main

import (
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
	for _, want := range []string{"small-cnn: train, batch 2x28x28x1, 1 thread", "GFLOP/s peak", "GB/s copy", "MB planned", "conv1  conv2d_bias_relu  ", "head  linear_backward_weights"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	out = profile(t, "--arch|conv3x3(16), skip, fc(64)|--input|9x8x2|--classes|3|--mode|infer|--by|layer|--top|2")
	if !strings.Contains(out, "infer, batch 2x9x8x2") || !strings.Contains(out, "more") || strings.Contains(out, "grad") {
		t.Errorf("printed:\n%s", out)
	}
}

func TestProfileJSON(t *testing.T) {
	for _, by := range profileGroups() {
		var r profileReport
		if err := json.Unmarshal([]byte(profile(t, "--model|small-cnn|--json|--by|"+by)), &r); err != nil {
			t.Fatal(err)
		}
		share, flops := 0.0, int64(0)
		for _, row := range r.Rows {
			share += row.Share
			flops += row.FLOPs
		}
		if flops != r.FLOPs || flops == 0 || share < 0.999 || share > 1.001 {
			t.Errorf("by %s: rows have %d FLOPs of %d and %v of the time", by, flops, r.FLOPs, share)
		}
		if r.PeakFLOPS < 1e8 || r.CopyBytes < 1e8 || r.Time <= 0 || r.ImagesRate <= 0 || r.Arena < r.PeakLive || r.PeakLive <= 0 {
			t.Errorf("by %s: %+v", by, r)
		}
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
