package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// programMemory is what --memory says of the program itself, and what the test binary, which stands for it, is larger by.
const programMemory = 130_000_000

// peakOf runs the program and returns the most memory that its process has had in bytes, as looked at again and again, and what it printed.
func peakOf(t *testing.T, args ...string) (int64, ran) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the exit code is looked at below
		close(ended)
	}()
	peak := int64(0)
	for {
		select {
		case <-ended:
			return peak, ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		case <-time.After(5 * time.Millisecond):
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			continue
		}
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			if kB, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				peak = max(peak, 1024*kB)
			}
		}
	}
}

// The process of a training that is allowed just what it plans takes that and what the program and its images take, measuring included; so does that of a search, whose
// trainings come one after the other.
func TestTheProcessStaysWithinItsMemory(t *testing.T) {
	train := []string{"train", "--arch", "conv3x3(64), conv3x3(64):concat, pool3x3(max)", "--train-samples", "250", "--batch", "128", "--validation", "0.5", "--epochs", "1", "--test", "--quiet", "--memory"}
	refused := nasbench(t, nil, append(train, "1M")...)
	_, text, _ := strings.Cut(refused.stderr, "training needs ")
	var need float64
	if _, err := fmt.Sscanf(text, "%f MB of memory", &need); err != nil || need < 80 {
		t.Fatalf("needs %g MB: %s", need, refused.stderr)
	}
	for _, c := range []struct {
		args    []string
		allowed int64
	}{
		{append(train, fmt.Sprintf("%.0fM", need+1)), int64(1e6 * (need + 1))},
		{[]string{
			"search", "--trials", "8", "--train-samples", "400", "--batch", "128", "--seed", "3", "--workers", "1", "--max-flops", "none", "--max-activation", "none",
			"--final-epochs", "0", "--quiet", "--memory", "100M", "--study", filepath.Join(t.TempDir(), "s.db"),
		}, 100_000_000},
	} {
		peak, r := peakOf(t, c.args...)
		if r.code != exitOK {
			t.Fatalf("%q: exit code %d: %s", c.args, r.code, r.stderr)
		}
		if peak > c.allowed+programMemory {
			t.Errorf("%q: %d MB of memory, %d MB allowed", c.args, peak/1e6, c.allowed/1e6)
		}
		t.Logf("%s: %d MB of memory, %d MB allowed", c.args[0], peak/1e6, c.allowed/1e6)
	}
}
