//go:build !race

// The race detector reserves more address space than this test allows.

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// addressSpaceVariable bounds the memory of the test binary when it behaves as the program: so many bytes beyond what the Go runtime has reserved.
const addressSpaceVariable = "NASBENCH_TEST_ADDRESS_SPACE"

func init() {
	more, err := strconv.ParseUint(os.Getenv(addressSpaceVariable), 10, 64)
	if err != nil {
		return
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, err := strconv.ParseUint(strings.Fields(string(statm))[0], 10, 64)
	if err != nil {
		panic(err)
	}
	limit := pages*uint64(os.Getpagesize()) + more
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

// Under this much memory and in this much time every hostile command has to end.
const (
	hostileMemory   = 2 << 30
	hostileMoment   = 300 * time.Millisecond // then it is interrupted
	hostilePatience = 30 * time.Second       // on a slow machine under load; then it hangs
)

// hostileValues are what a slip of the keyboard, or malice, gives a flag that takes a number.
var hostileValues = []string{
	"0", "-1", "1", "2147483648", "4294967297", "9223372036854775807", "18446744073709551615", "1e18", "1e308", "1e-300", "NaN", "-Inf", "", "x",
	"9999999999999999999999", "2562047h47m16.854775807s", "1ns", "999999G", "1000000000x1000000000x1000000000", "1x1x1073741824", "2147483647,2147483647",
}

// takesNumber reports whether a flag takes a number, as all do whose kind is not known to be another.
func takesNumber(f *pflag.Flag) bool {
	return !slices.Contains([]string{"string", "bool", "stringSlice", "stringArray", "name", "colour", "task"}, f.Value.Type())
}

// leaves returns the commands that can be run, below a command.
func leaves(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		out = append(out, leaves(c)...)
	}
	if !cmd.HasSubCommands() && cmd.Runnable() {
		out = append(out, cmd)
	}
	return out
}

// cheap returns the rest of a command line with which a flag of a command has its say, but costs next to nothing.
func cheap(command, flag, dir, table string) []string {
	few := []string{"--train-samples", "60", "--epochs", "1", "--batch", "16", "--quiet"}
	study := []string{"--study", filepath.Join(dir, strings.ReplaceAll(command+flag, " ", "-")+".db")}
	switch command {
	case "search":
		args := slices.Concat(few, study, []string{"--trials", "1", "--final-epochs", "1"})
		switch {
		case isDartsFlag(flag):
			return append(args, "--strategy", "darts", "--space", "seed-cell", "--darts-epochs", "1")
		case isOneshotFlag(flag):
			return append(args, "--strategy", "oneshot", "--oneshot-epochs", "1", "--oneshot-paths", "2", "--oneshot-population", "2", "--oneshot-finalists", "1")
		case slices.Contains(evolutionFlagNames(), flag):
			return append(args, "--strategy", "evolution")
		case slices.Contains([]string{"channels", "cells", "reductions"}, flag):
			return append(args, "--space", "nb201")
		case flag == "latency-batch":
			return append(args, "--max-latency", "10s")
		}
		return args
	case "train":
		return append(few, "--arch", "conv3x3(16), skip, skip")
	case "rank":
		return slices.Concat(few, study, []string{"--architectures", "3", "--seeds", "1", "--oneshot-epochs", "1"})
	case "compare":
		return []string{"--space", "macro", "--table", table, "--metric", "seen", "--trials", "5", "--runs", "2"}
	case "profile":
		return []string{"--arch", "conv3x3(16), skip, skip", "--batch", "2", "--time", "1ms"}
	case "bench model":
		return []string{"--model", "small-cnn", "--batch", "2", "--time", "1ms"}
	}
	if kind, ok := strings.CutPrefix(command, "bench "); ok {
		return []string{"--shape", tinyShapes[kind], "--time", "1ms"}
	}
	return nil
}

// hostile is a command line of which nothing is wanted but that it ends well.
type hostile []string

// hostileRuns returns what is run in a process of its own: of every flag that takes a number, the two values that are furthest from reason among those that it
// takes. Those that it refuses are tried at once.
func hostileRuns(t *testing.T, dir, table string) []hostile {
	var runs []hostile
	for _, c := range leaves((&app{getenv: env{}.get}).newRoot()) {
		_, path, _ := strings.Cut(c.CommandPath(), " ")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !takesNumber(f) {
				return
			}
			var taken []string
			for _, v := range hostileValues {
				if f.Value.Set(v) == nil {
					taken = append(taken, v)
					continue
				}
				r := nasbench(t, nil, append(strings.Fields(path), "--"+f.Name+"="+v)...)
				wantOneLine(t, r, exitUsage, "--"+f.Name)
			}
			slices.SortStableFunc(taken, func(a, b string) int { return extreme(b) - extreme(a) })
			for _, v := range taken[:min(2, len(taken))] {
				runs = append(runs, slices.Concat(strings.Fields(path), cheap(path, f.Name, dir, table), []string{"--" + f.Name + "=" + v}))
			}
		})
	}
	return runs
}

// extreme orders values by how far from reason they are.
func extreme(v string) int {
	return slices.Index([]string{
		"1", "0", "-1", "1ns", "1e-300", "1x1x1073741824", "2147483648", "4294967297", "999999G", "1e308", "18446744073709551615", "1e18",
		"2562047h47m16.854775807s", "1000000000x1000000000x1000000000", "9223372036854775807",
	}, v)
}

// hostileLines are command lines in which several flags, or others than numbers, ask for too much.
var hostileLines = []string{
	"search --workers 256 --threads 256",
	"search --workers 1024 --threads 1024 --trials 1",
	"search --time 9223372036s --trials 9223372036854775807 --population 1000000 --strategy evolution",
	"search --strategy evolution --population 1000000 --tournament 1000000 --trials 1000000",
	"search --strategy evolution --pareto score,-params --population 1000000 --round 1000000 --trials 1000000",
	"search --latency-batch 1000000000 --max-latency 1s --trials 1",
	"search --image-size 1024 --batch 100000 --trials 1",
	"search --space nb201 --channels 1024 --cells 1000 --trials 1",
	"search --space darts --channels 1024 --cells 20 --strategy darts --trials 1",
	"search --space darts --strategy darts --darts-channels 1024 --darts-cells 1000 --trials 1",
	"search --space darts --strategy darts --darts-batch 1000000 --darts-channels 64 --trials 1",
	"search --strategy oneshot --oneshot-batch 1000000 --oneshot-recalibration 1000000 --trials 1",
	"search --strategy oneshot --oneshot-paths 1000000000 --oneshot-finalists 1000000000 --oneshot-population 1000000 --oneshot-epochs 1 --train-samples 60",
	"search --memory 1 --trials 1",
	"search --top 1000000000 --trials 1 --train-samples 60",
	"rank --architectures 1000000 --train-samples 60",
	"rank --seeds 1000000 --train-samples 60",
	"train --arch skip,skip,skip --epochs 9223372036854775807 --train-samples 60",
	"train --arch conv3x3(16),skip,skip --batch 10000000 --epochs 1",
	"train --space nb201 --channels 1024 --cells 100000 --arch |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
	"train --space nb201 --channels 1024 --cells 1000 --arch |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
	"profile --model resnet8 --batch 300000",
	"profile --model resnet8 --batch 9223372036854775807",
	"profile --model darts-supernet --batch 100000 --mode infer",
	"profile --arch conv3x3(16),skip,skip --input 1000000000x1000000000x1000000000",
	"profile --arch conv3x3(16),skip,skip --input 100000x100000x3",
	"profile --arch conv3x3(16),skip,skip --classes 1000000000 --input 8x8x1",
	"bench model --batch 10000000",
	"bench model --model resnet8,darts-v2 --mode latency,throughput,infer --batch 100000000",
	"bench gemm --shape 1000000000x1x1",
	"bench gemm --shape 1x1000000000x1",
	"bench gemm --shape 1x1x1000000000",
	"bench gemm --shape 1073741824x1073741824x1073741824",
	"bench gemm --shape 20000x20000x20000",
	"bench elementwise --shape 1073741824",
	"bench elementwise --shape 200000000",
	"bench elementwise --shape 9223372036854775807",
	"bench conv --shape 1,1,1000000000,1,1,1,1,1",
	"bench conv --shape 1000000,1000,1,1000,1,1,1,1",
	"bench conv --shape 1,1,1,1,32768,1,1,1",
	"bench conv --shape 1,1,8,1,3,1,1,300000000",
	"bench conv --shape 1048576,1,1073741824,1,1,1,1,1",
	"bench depthwise --shape 1,1000000000,1,1000000000,1,1,1000000000,1",
	"bench depthwise --shape 1,1000000,1,1000000,1,1,1000000,1",
	"bench pool --shape 1,1,1,1000000000,1",
	"bench pool --shape 1,1,30000,3,1",
	"bench pool --shape 1,1,8,3,1000000000",
	"bench norm --shape 1000000000,1,1",
	"bench norm --shape 1,1000000000,1",
	"bench norm --shape 1,1,32768",
	"bench gemm --shape 8x8x8 --count 9223372036854775807 --time 1ns",
	"compare --space macro --table TABLE --metric seen --trials 10000000 --runs 1000000",
	"compare --space macro --table TABLE --metric seen --trials 10000000 --runs 1000000 --repeats",
}

// No value of a flag, and none of some hostile command lines, makes the program end with a trace, hang, or take more memory than there is: it says in one line what is
// wrong, or runs until it is interrupted.
func TestNoFlagEndsInATrace(t *testing.T) {
	onceForAllLevels(t)
	table, dir := writeTable(t), t.TempDir()
	runs := hostileRuns(t, dir, table)
	for i, line := range hostileLines {
		args := strings.Fields(strings.ReplaceAll(line, "TABLE", table))
		if args[0] == "search" || args[0] == "rank" {
			args = append(args, "--quiet", "--study", filepath.Join(dir, fmt.Sprintf("line%d.db", i)))
		}
		runs = append(runs, args)
	}
	if len(runs) < 150 {
		t.Fatalf("%d command lines: the flags were not found", len(runs))
	}
	var next sync.Mutex
	at := 0
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				next.Lock()
				i := at
				at++
				next.Unlock()
				if i >= len(runs) {
					return
				}
				endure(t, runs[i])
			}
		})
	}
	workers.Wait()
	t.Logf("%d command lines", len(runs))
}

// endure runs a command line and looks at how it ends.
func endure(t *testing.T, args hostile) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", fmt.Sprintf("%s=%d", addressSpaceVariable, hostileMemory))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	start, ended := time.Now(), make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state is looked at below
		close(ended)
	}()
	interrupted := time.Duration(0)
	select {
	case <-ended:
	case <-time.After(hostileMoment):
		interrupted = time.Since(start)
		_ = cmd.Process.Signal(os.Interrupt) // it may just have ended
		select {
		case <-ended:
		case <-time.After(hostilePatience):
			_ = cmd.Process.Signal(syscall.SIGQUIT)
			<-ended
			t.Errorf("%q: hangs after an interrupt:\n%.3000s", args, stderr.String())
			return
		}
	}
	code, said := cmd.ProcessState.ExitCode(), strings.TrimSpace(stderr.String())
	for _, bad := range []string{"goroutine ", "panic", "fatal error", "a fault of the program", "runtime error"} {
		if strings.Contains(said, bad) || strings.Contains(stdout.String(), bad) {
			t.Errorf("%q: exit code %d: %.3000s", args, code, said)
			return
		}
	}
	last := said[strings.LastIndexByte(said, '\n')+1:]
	switch {
	case code == exitOK, code == exitInterrupted && interrupted > 0:
	case code == exitFailure || code == exitUsage:
		if !strings.HasPrefix(last, "nasbench: ") {
			t.Errorf("%q: exit code %d with %q", args, code, last)
		}
	case code == -1 && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGINT:
		// The interrupt came before the program was ready for it.
	default:
		t.Errorf("%q: exit code %d after %v: %v, %s", args, code, time.Since(start), cmd.ProcessState, last)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss > hostileMemory/1024 {
		t.Errorf("%q: %d kB of memory", args, usage.Maxrss)
	}
}
