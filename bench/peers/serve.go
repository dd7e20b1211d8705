package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
)

// serve answers requests "KIND SHAPE DIRECTION MILLISECONDS LEVEL THREADS" with the nanoseconds of one execution, or with "!" and
// a reason. The kinds peak and copy answer with operations and bytes a second.
func serve(r io.Reader, w io.Writer) {
	pools := map[string]*kernels.Threads{}
	checked := map[string]bool{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		x, err := answer(lines.Text(), pools, checked)
		if err != nil {
			fmt.Fprintf(w, "!%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Fprintf(w, "%.1f\n", x)
	}
}

func answer(request string, pools map[string]*kernels.Threads, checked map[string]bool) (float64, error) {
	f := strings.Fields(request)
	if len(f) != 6 {
		return 0, fmt.Errorf("request %q", request)
	}
	kind, shape, direction := f[0], f[1], f[2]
	milliseconds, err := strconv.ParseFloat(f[3], 64)
	if err != nil {
		return 0, err
	}
	length := time.Duration(milliseconds * float64(time.Millisecond))
	level, err := kernels.ParseLevel(f[4])
	if err != nil {
		return 0, err
	}
	table, err := kernels.ForLevel(level)
	if err != nil {
		return 0, err
	}
	threads := pools[f[5]]
	if threads == nil {
		n, err := strconv.Atoi(f[5])
		if err != nil {
			return 0, err
		}
		threads = kernels.NewThreads(n)
		pools[f[5]] = threads
	}
	switch {
	case kind == "peak":
		return bench.PeakFLOPS(table, threads), nil
	case kind == "copy":
		return bench.CopyBandwidth(threads), nil
	}
	c, err := find(kind, shape, direction)
	if err != nil {
		return 0, err
	}
	if key := fmt.Sprint(kind, shape, direction, f[4:]); !checked[key] {
		if err := c.Check(table, threads); err != nil {
			return 0, err
		}
		checked[key] = true
	}
	result, err := c.Measure(context.Background(), table, threads, length, bench.Rates{Peak: 1, Copy: 1})
	return result.Nanoseconds, err
}

// find returns the case of a kind. The shapes of poolings and element-wise operations begin with which one is meant.
func find(kind, shape, direction string) (bench.KernelCase, error) {
	prefix := ""
	if kind == "pool" || kind == "elementwise" {
		prefix, shape, _ = strings.Cut(shape, ",")
		prefix = map[string]string{"max": "MaxPool", "avg": "AvgPool"}[prefix] + map[bool]string{true: prefix}[kind == "elementwise"] + "/"
	}
	for _, k := range bench.Kinds() {
		if k.Name != kind {
			continue
		}
		cases, err := k.Cases(shape, bench.Direction(direction))
		if err != nil {
			return bench.KernelCase{}, err
		}
		for _, c := range cases {
			if strings.HasPrefix(c.Name, prefix) {
				return c, nil
			}
		}
	}
	return bench.KernelCase{}, fmt.Errorf("no case %s %s %s", kind, shape, direction)
}
