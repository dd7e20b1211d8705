package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestCPUsAreDivided(t *testing.T) {
	for _, c := range []struct{ cpus, trials, threads, workers, wantThreads, wantWorkers int }{
		{2, 0, 0, 0, 1, 2}, // by time: trials without bound
		{2, 24, 0, 0, 1, 2},
		{2, 1, 0, 0, 2, 1}, // the one architecture of darts
		{8, 3, 0, 0, 2, 4},
		{1, 1, 0, 0, 1, 1},
		{8, 1, 0, 2, 1, 2}, // as told
		{8, 1, 3, 0, 3, 2},
		{2, 1, 4, 0, 4, 1},
		{8, 0, 2, 5, 2, 5},
	} {
		threads, workers := divideCPUs(c.cpus, c.trials, c.threads, c.workers)
		if threads != c.wantThreads || workers != c.wantWorkers {
			t.Errorf("%+v: %d threads, %d workers", c, threads, workers)
		}
	}
}

// More threads than CPUs are fine, but not without bound, however they are divided.
func TestThreadsAreBoundedTogether(t *testing.T) {
	most := mostThreads(runtime.GOMAXPROCS(0))
	if most >= maxThreads {
		t.Skipf("this machine runs %d threads, which no flag takes", most)
	}
	for _, c := range []struct{ workers, threads int }{{0, 0}, {1, 1}, {2, 8}, {8, 1}, {1, 8}, {most, 0}, {0, most}, {most / 2, 2}} {
		if err := checkThreads(c.workers, c.threads); err != nil {
			t.Errorf("%d workers of %d threads: %v", c.workers, c.threads, err)
		}
	}
	for _, c := range []struct {
		args string
		n    int
	}{
		{"search --workers 256 --threads 256", 65536},
		{fmt.Sprintf("search --trials 1 --workers %d --threads 2", most/2+1), 2 * (most/2 + 1)},
		{fmt.Sprintf("search --trials 1 --threads %d", most+1), most + 1},
		{fmt.Sprintf("search --trials 1 --workers %d", most+1), most + 1},
		{fmt.Sprintf("rank --workers %d --threads %d", most, most), most * most},
		{fmt.Sprintf("train --arch skip,skip,skip --threads %d", most+1), most + 1},
		{fmt.Sprintf("profile --model small-cnn --threads %d", most+1), most + 1},
		{fmt.Sprintf("bench model --threads 1,%d", most+1), most + 1},
		{fmt.Sprintf("bench gemm --threads %d,1", most+1), most + 1},
		{fmt.Sprintf("compare --table none --metric m --workers %d", most+1), most + 1},
	} {
		r := nasbench(t, nil, strings.Fields(c.args)...)
		wantOneLine(t, r, exitUsage, fmt.Sprintf("runs %d threads in all at the most", most))
		wantOneLine(t, r, exitUsage, strconv.Itoa(c.n))
	}
}
