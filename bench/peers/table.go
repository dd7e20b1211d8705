package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/nasbench-go/nasbench/kernels"
)

// The markers of the tables in the file: one for each kind of machine, whose name stands in the first.
const (
	begin = "<!-- peers: begin %s -->"
	end   = "<!-- peers: end -->"
)

// machine names the kind of CPU: different ones may have the same brand.
func machine() string {
	c := &cpuid.CPU
	return fmt.Sprintf("%s, family %d, model %d, %s", strings.TrimSpace(c.BrandName), c.Family, c.Model, levels()[0])
}

// replaceTable writes the table of a kind of machine: over the one that the file has of it, or behind the last one of others.
func replaceTable(path, name, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	first := fmt.Sprintf(begin, name)
	text = first + "\n" + text + end
	before, rest, ok := strings.Cut(string(old), first)
	_, after, closed := strings.Cut(rest, end)
	if ok && closed {
		return os.WriteFile(path, []byte(before+text+after), 0o666)
	}
	last := strings.LastIndex(string(old), end)
	if ok || last < 0 {
		return fmt.Errorf("%s: a marker is missing: tables stand between %s and %s", path, fmt.Sprintf(begin, "NAME"), end)
	}
	last += len(end)
	return os.WriteFile(path, []byte(string(old[:last])+"\n\n"+text+string(old[last:])), 0o666)
}

// ratios are speeds relative to a peer.
type ratios struct {
	product float64
	n       int
	least   float64
	worst   string
	planned int // how many there would be if all had been measured
}

func (r *ratios) add(x float64, name string) {
	if r.n == 0 {
		r.product = 1
	}
	if r.n == 0 || x < r.least {
		r.least, r.worst = x, name
	}
	r.product *= x
	r.n++
}

func (r ratios) String() string {
	text := fmt.Sprintf("geometric mean %.2f, least %.2f (%s), of %d", math.Pow(r.product, 1/float64(r.n)), r.least, r.worst, r.n)
	if r.n < r.planned {
		text += fmt.Sprintf("; %d not measured", r.planned-r.n)
	}
	return text
}

// table returns the summary, one row for each target, and below it every measurement.
func table(r record, o options) string {
	var b, details strings.Builder
	all := levels()
	top := all[0]
	fmt.Fprintf(&b, "\n### %s\n\n%d CPUs, %s/%s, %s, %s. Best of %d rounds of %v.\n", machine(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		time.Now().Format(time.DateOnly), o.rounds, o.time)
	for _, who := range []string{oneDNN, torch} {
		if v := r.Versions[who]; v != "" {
			fmt.Fprintf(&b, "%s. ", v)
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "Left out, because it is not on this machine: %s. ", m)
	}
	command := "go run ./bench/peers"
	if o.quick {
		command += " -quick"
	} else {
		command += fmt.Sprintf(" -rounds %d -time %v", o.rounds, o.time)
	}
	if o.keep != "" {
		command += " -keep FILE"
	}
	fmt.Fprintf(&b, "Command: `%s`.\n\n", command)
	b.WriteString("Ratios are speed over that of the peer in the same run: above 1 is faster.\n\n| work | level | target | result |\n|---|---|---|---|\n")
	row := func(work, level, target, result string) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", work, level, target, result)
	}
	// compare makes a row of the ratios of a section to a peer.
	compare := func(work, section, kind, who, level, target string, threads int) {
		var x ratios
		for _, q := range plan() {
			if q.section != section || q.kind != kind {
				continue
			}
			x.planned++
			if mine, theirs := r.Best[key(q, ours, level, threads)], r.Best[key(q, who, level, threads)]; mine > 0 && theirs > 0 {
				x.add(theirs/mine, strings.TrimSpace(q.shape+" "+strings.TrimPrefix(q.direction, "fwd")))
			}
		}
		if x.n > 0 {
			row(work+", "+who, level, target, x.String())
		}
	}
	for _, level := range all {
		gemm, conv := "mean 1.0, least 0.9", "mean 1.0, least 0.85"
		if level == kernels.AVX2.String() {
			gemm, conv = "mean 0.95", "mean 0.95"
		}
		compare("matrix products", "gemm", "gemm", oneDNN, level, gemm, 1)
		compare("dense convolution, three directions", "conv", "conv", oneDNN, level, conv, 1)
	}
	compare("depthwise and dilated", "depthwise", "depthwise", oneDNN, top, "1.0; 20 where it falls back", 1)
	compare("pooling 3x3", "pool", "pool", oneDNN, top, "1.0", 1)
	compare("batch norm in training", "norm", "norm", oneDNN, top, "1.0", 1)
	compare("odd shapes", "odd", "conv", oneDNN, top, "least 0.8", 1)
	compare("matrix products, two threads", "threads", "gemm", oneDNN, top, "", 2)
	compare("dense convolution, two threads", "threads", "conv", oneDNN, top, "", 2)
	for _, s := range []struct{ work, kind string }{{"matrix products", "gemm"}, {"dense convolution, three directions", "conv"}, {"depthwise and dilated", "depthwise"}, {"pooling 3x3", "pool"}, {"batch norm in training", "norm"}} {
		compare(s.work, s.kind, s.kind, torch, top, "", 1)
	}
	var peak, scaling, bandwidth ratios
	for _, q := range plan() {
		mine := r.Best[key(q, ours, top, 1)]
		most := r.Best[key(q, limit, top, 1)]
		switch q.section {
		case "gemm":
			for _, cube := range cubes {
				if q.shape != cube {
					continue
				}
				peak.planned++
				if mine > 0 && most > 0 {
					peak.add(1e9*flops("gemm", cube)/mine/most, cube)
				}
			}
		case "elementwise":
			bandwidth.planned++
			if mine > 0 && most > 0 {
				bandwidth.add(1e9*moved(q.shape)/mine/most, strings.TrimSuffix(q.shape, ","+beyondCache))
			}
		case "threads":
			if flops(q.kind, q.shape) < 50e6 {
				continue
			}
			scaling.planned++
			if both := r.Best[key(q, ours, top, 2)]; mine > 0 && both > 0 {
				scaling.add(mine/both, strings.TrimSpace(q.shape+" "+strings.TrimPrefix(q.direction, "fwd")))
			}
		}
	}
	if peak.n > 0 {
		row("cubes from 256 to 2048, share of the FMA peak", top, "0.90", peak.String())
	}
	if bandwidth.n > 0 {
		row("element-wise and updates beyond the caches, share of the copy bandwidth", top, "0.85", bandwidth.String())
	}
	if scaling.n > 0 {
		row("two threads over one, 50 MFLOP and more", top, "1.85", scaling.String())
	}
	for _, s := range sections {
		detail(&details, r, s)
	}
	return b.String() + details.String()
}

// moved returns the bytes that an element-wise operation reads and writes.
func moved(shape string) float64 {
	name, _, _ := strings.Cut(shape, ",")
	arrays := map[string]float64{"Add": 3, "Mul": 3, "WeightedSum5": 6, "Sum": 1, "SGD": 5, "AdamW": 7}[name]
	if arrays == 0 {
		arrays = 2
	}
	return 4 * arrays * numbers(shape, ",")[0]
}

// detail writes the measurements of a section: GFLOP/s where work is nominal, else milliseconds and, beyond the caches, GB/s.
func detail(b *strings.Builder, r record, section string) {
	wrote := false
	for _, q := range plan() {
		if q.section != section {
			continue
		}
		for _, level := range q.levels {
			for _, n := range q.threads {
				mine := r.Best[key(q, ours, level, n)]
				if mine == 0 {
					continue
				}
				if !wrote {
					unit := map[string]string{"pool": "milliseconds", "norm": "milliseconds", "elementwise": "GB/s; the peer is copying"}[section]
					if unit == "" {
						unit = "GFLOP/s"
					}
					fmt.Fprintf(b, "\n#### %s, %s\n\n| shape | level | threads | nasbench | oneDNN | PyTorch | ratio to oneDNN |\n|---|---|---|---|---|---|---|\n", section, unit)
					wrote = true
				}
				show := func(ns float64) string {
					switch {
					case ns == 0:
						return ""
					case section == "elementwise":
						return fmt.Sprintf("%.1f", moved(q.shape)/ns)
					case section == "pool" || section == "norm":
						return fmt.Sprintf("%.3f", ns/1e6)
					}
					return fmt.Sprintf("%.1f", flops(q.kind, q.shape)/ns)
				}
				theirs, ratio := r.Best[key(q, oneDNN, level, n)], ""
				peer := show(theirs)
				if theirs > 0 {
					ratio = fmt.Sprintf("%.2f", theirs/mine)
				}
				if section == "elementwise" {
					most := r.Best[key(q, limit, level, n)] / 1e9
					peer, ratio = fmt.Sprintf("%.1f", most), fmt.Sprintf("%.2f", moved(q.shape)/mine/most)
				}
				fmt.Fprintf(b, "| %s %s | %s | %d | %s | %s | %s | %s |\n", q.shape, q.direction, level, n, show(mine), peer, show(r.Best[key(q, torch, level, n)]), ratio)
			}
		}
	}
}
