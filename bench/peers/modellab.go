package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
)

// modelRecord is what was measured of networks.
type modelRecord struct {
	CPU, Host string
	Versions  map[string]string
	Missing   []string
	Images    string // where they come from
	Cases     map[string]*modelResult
}

// modelResult is what was measured of a case.
type modelResult struct {
	Date       string
	Parameters int64
	Quiet      float64                // see quiet; 0 on one thread
	Subjects   map[string]*modelTimes // by entrant
}

// modelTimes are an entrant's.
type modelTimes struct {
	Rounds        []roundTimes
	Peak, Planned int64 // bytes: of the whole process, and what we planned; 0 if not known
}

// roundTimes are those of the steps of a round, in nanoseconds.
type roundTimes struct {
	Mean, P50, P99 float64
	Steps          int
}

// best returns the round with the least mean, or zeros.
func (t *modelTimes) best() roundTimes {
	if t == nil || len(t.Rounds) == 0 {
		return roundTimes{}
	}
	return slices.MinFunc(t.Rounds, func(a, b roundTimes) int { return cmp.Compare(a.Mean, b.Mean) })
}

// cpuName tells CPUs apart whose brand is the same.
func cpuName() string {
	level := "generic"
	if table, err := kernels.Active(); err == nil {
		level = table.Level.String()
	}
	c := cpuid.CPU
	return fmt.Sprintf("%s (family %d, model %d), %s", cmp.Or(c.BrandName, runtime.GOARCH), c.Family, c.Model, level)
}

func newModelRecord() modelRecord {
	return modelRecord{
		CPU:      cpuName(),
		Host:     fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
		Versions: map[string]string{}, Cases: map[string]*modelResult{},
	}
}

// modelLab measures networks.
type modelLab struct {
	options
	scratch       string
	record        modelRecord
	torch, writer string // Pythons, if there are some with what PyTorch's side and the writer of ONNX files need
	node          string
}

func runModels(ctx context.Context, o options) error {
	if o.quick {
		o.rounds, o.time = 3, 10*time.Millisecond
	}
	if flag.NArg() > 0 || o.rounds < 1 || o.time <= 0 {
		return fmt.Errorf("want no arguments, at least one round and a time; see -help")
	}
	names := strings.Split(o.models, ",")
	if o.models == "all" {
		names = modelNames()
	}
	for _, n := range names {
		if !slices.Contains(modelNames(), n) {
			return fmt.Errorf("-models: unknown network %q; there are all, %s", n, strings.Join(modelNames(), ", "))
		}
	}
	l := &modelLab{options: o, record: newModelRecord()}
	if err := l.load(); err != nil {
		return err
	}
	var err error
	if l.scratch, err = os.MkdirTemp("", "peers-"); err != nil {
		return err
	}
	defer os.RemoveAll(l.scratch)
	l.prepare()
	for _, group := range groups(modelPlan(names)) {
		if ctx.Err() != nil {
			return errInterrupted
		}
		group = slices.DeleteFunc(group, l.have)
		if err := l.measure(group); err != nil {
			return err
		}
		if err := l.save(); err != nil {
			return err
		}
	}
	if o.out == "-" {
		_, err = fmt.Print(modelTable(l.record, o))
		return err
	}
	return replaceModelTable(o.out, l.record.CPU, modelTable(l.record, o))
}

// load reads the record of -keep, which has to be of this machine.
func (l *modelLab) load() error {
	if l.keep == "" {
		return nil
	}
	text, err := os.ReadFile(l.keep)
	if os.IsNotExist(err) {
		return nil
	}
	kept := newModelRecord()
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return fmt.Errorf("-keep: %w", err)
	}
	if kept.CPU != l.record.CPU {
		return fmt.Errorf("-keep: %s is of %s, and this machine is %s", l.keep, kept.CPU, l.record.CPU)
	}
	kept.Host = l.record.Host
	l.record = kept
	return nil
}

func (l *modelLab) save() error {
	if l.keep == "" {
		return nil
	}
	text, err := json.MarshalIndent(l.record, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.keep, text, 0o666); err != nil {
		return fmt.Errorf("-keep: %w", err)
	}
	return nil
}

// prepare finds the peers. What is not there is recorded as missing, with the way to get it.
func (l *modelLab) prepare() {
	l.record.Missing = nil
	missing := func(what, how string, err error, output []byte) {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		reason := cmp.Or(lines[len(lines)-1], err.Error())
		text := fmt.Sprintf("%s (%s)", what, how)
		fmt.Fprintf(os.Stderr, "peers: without %s: %s\n", text, reason)
		l.record.Missing = append(l.record.Missing, text)
	}
	var text []byte
	var err error
	if l.torch, text, err = pythonWith("torch, numpy"); err != nil {
		missing("PyTorch", "on Debian 12: apt-get install python3-torch libopenblas0-pthread", err, text)
	}
	folder := filepath.Join(l.peers, "onnxruntime")
	if l.writer, text, err = pythonWith("onnx, numpy"); err != nil {
		missing("onnxruntime", "models are written by python3-onnx, on Debian 12: apt-get install python3-onnx", err, text)
		return
	}
	check := exec.Command("node", "--input-type=module", "-e", `await import("onnxruntime-node")`)
	check.Dir = folder
	if text, err = check.CombinedOutput(); err != nil {
		missing("onnxruntime", "on Debian 12: apt-get install nodejs npm, then npm install --ignore-scripts --no-package-lock --prefix "+filepath.ToSlash(folder), err, text)
		return
	}
	l.node = "node"
}

func (l *modelLab) there(e entrant) bool {
	switch e.who {
	case torch:
		return l.torch != ""
	case onnxRuntime:
		return l.node != ""
	}
	return true
}

// have reports whether all that can take part have been measured.
func (l *modelLab) have(c modelCase) bool {
	r := l.record.Cases[c.String()]
	for _, e := range c.entrants {
		if l.there(e) && (r == nil || r.Subjects[e.String()] == nil) {
			return false
		}
	}
	return true
}

// command returns what runs an entrant of a case.
func (l *modelLab) command(c modelCase, e entrant, folder string) ([]string, error) {
	m, err := c.network()
	if err != nil {
		return nil, err
	}
	batch, threads := strconv.Itoa(c.batch), strconv.Itoa(e.threads)
	shape := fmt.Sprintf("%dx%dx%d", m.Input[1], m.Input[2], m.Input[3])
	switch e.who {
	case torch:
		return []string{
			l.torch, filepath.Join(l.peers, "torch", "train.py"), c.model, e.layout, batch, threads, strconv.Itoa(modelClasses),
			fmt.Sprint(bench.LearningRate), fmt.Sprint(m.WeightDecay), fmt.Sprint(m.ClipNorm), folder, shape,
		}, nil
	case onnxRuntime:
		file := filepath.Join(folder, onnxFile)
		write := exec.Command(l.writer, filepath.Join(l.peers, "onnxruntime", "write.py"), c.model, batch, filepath.Join(folder, weightsFile), file)
		if text, err := write.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("writing the ONNX model: %w: %s", err, text)
		}
		return []string{l.node, filepath.Join(l.peers, "onnxruntime", "infer.js"), file, batch, threads, filepath.Join(folder, imagesFile), shape}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, "-serve", c.model, string(c.mode), batch, threads, folder}, nil
}

// participant is an entrant of a case, at work.
type participant struct {
	entrant
	*subject
	times *modelTimes
}

// measure lets all entrants of all cases take turns, after it has seen that those of a case compute the same.
func (l *modelLab) measure(group []modelCase) error {
	var all []participant
	defer func() {
		for _, p := range all {
			p.close()
		}
	}()
	results := map[string]*modelResult{}
	for _, c := range group {
		result := &modelResult{Date: time.Now().Format(time.DateOnly), Subjects: map[string]*modelTimes{}}
		results[c.String()] = result
		folder, err := os.MkdirTemp(l.scratch, "case-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		if l.record.Images, err = writeFiles(c, folder); err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		var want []float64
		for _, e := range c.entrants {
			if !l.there(e) {
				continue
			}
			args, err := l.command(c, e, folder)
			if err != nil {
				return err
			}
			// The classifier is all that PyTorch leaves to OpenBLAS here. A second pool of threads for it would spin beside that of the convolutions.
			environment := []string{"OPENBLAS_NUM_THREADS=1"}
			if e.keeps {
				if most := largestPeak(all); !roomFor(most) {
					fmt.Fprintf(os.Stderr, "peers: %v: without %v: a process that keeps its memory needs about %s MB more than there is\n", c, e, megabytes(most))
					continue
				}
				environment = append(environment, keepMemory...)
			}
			s, err := start(args, e.threads, l.cpu, environment...)
			if err != nil {
				return err
			}
			p := participant{e, s, &modelTimes{}}
			all = append(all, p)
			if want, err = l.check(e, s, result, want); err != nil {
				return fmt.Errorf("%v, %v: %w", c, e, err)
			}
			result.Subjects[e.String()] = p.times
		}
		if c.mode != bench.Train {
			continue
		}
		if result.Quiet, err = quiet(); err != nil {
			return err
		}
		if result.Quiet < quietEnough {
			fmt.Fprintf(os.Stderr, "peers: %v: two threads get %.2f times the CPU of one; other programs are running, and what is measured on two threads says little\n", c, result.Quiet)
		}
	}
	// A first round warms up: whatever is made once and kept, by the allocator too.
	for _, p := range all {
		if _, err := p.round(l.time); err != nil {
			return fmt.Errorf("%v: %w", p.entrant, err)
		}
	}
	for range l.rounds {
		for _, p := range all {
			t, err := p.round(l.time)
			if err != nil {
				return fmt.Errorf("%v: %w", p.entrant, err)
			}
			p.times.Rounds = append(p.times.Rounds, t)
		}
	}
	for _, p := range all {
		p.times.Peak = peakMemory(p.cmd.Process.Pid)
		if p.who != ours {
			continue
		}
		var err error
		if p.times.Planned, err = p.askInt("memory"); err != nil {
			return err
		}
	}
	maps.Copy(l.record.Cases, results)
	return nil
}

// quietEnough is what quiet returns at least on a machine that has two CPUs for us.
const quietEnough = 1.8

// quiet returns how much more two threads compute than one in the same time, a fifth of a second: 2 if nothing else runs on two CPUs.
func quiet() (float64, error) {
	table, err := kernels.Active()
	if err != nil {
		return 0, err
	}
	const length, repeats = 10 * time.Millisecond, 10
	rounds, one := 1<<10, time.Duration(0)
	for one < length {
		rounds *= 2
		start := time.Now()
		table.FMALoop(rounds)
		one = time.Since(start)
	}
	threads := kernels.NewThreads(2)
	defer threads.Close()
	var both time.Duration
	for range repeats {
		start := time.Now()
		threads.Run(2, func(_, _ int) { table.FMALoop(rounds) })
		both += time.Since(start)
		start = time.Now()
		table.FMALoop(rounds)
		one = min(one, time.Since(start))
	}
	return 2 * repeats * one.Seconds() / both.Seconds(), nil
}

// checkTolerance is how far results may differ, relative to the largest: float32 sums in another order, through all layers.
const checkTolerance = 2e-3

// check asks what an entrant computes and compares with the first entrant, which is ours, and returns that one's answer.
func (l *modelLab) check(e entrant, s *subject, result *modelResult, want []float64) ([]float64, error) {
	if e.who != ours {
		version, err := s.ask("version")
		if err != nil {
			return want, err
		}
		l.record.Versions[e.who] = version
	}
	if e.who != onnxRuntime { // whose model is written from our weights, each of them once
		n, err := s.askInt("parameters")
		if err != nil {
			return want, err
		}
		if result.Parameters == 0 {
			result.Parameters = n
		}
		if n != result.Parameters {
			return want, fmt.Errorf("%d parameters, ours has %d", n, result.Parameters)
		}
	}
	text, err := s.ask("check")
	if err != nil {
		return want, err
	}
	got, err := parseNumbers(text)
	if err != nil {
		return want, err
	}
	if want == nil {
		return got, nil
	}
	return want, compareNumbers(got, want)
}

func compareNumbers(got, want []float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d results, want %d", len(got), len(want))
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= checkTolerance*largest) {
			return fmt.Errorf("result %d is %g, ours %g: it is not the same network", i, got[i], want[i])
		}
	}
	return nil
}

func parseNumbers(text string) ([]float64, error) {
	var all []float64
	for _, field := range strings.Fields(text) {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("answer %.80q: want numbers", text)
		}
		all = append(all, x)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("answer %q: want numbers", text)
	}
	return all, nil
}

func (s *subject) askInt(request string) (int64, error) {
	text, err := s.ask(request)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("answer %q to %s", text, request)
	}
	return n, nil
}

// round measures steps for this long.
func (s *subject) round(length time.Duration) (roundTimes, error) {
	text, err := s.ask(fmt.Sprintf("run %g", length.Seconds()*1e3))
	if err != nil {
		return roundTimes{}, err
	}
	numbers, err := parseNumbers(text)
	if err != nil {
		return roundTimes{}, err
	}
	times, sum := make([]time.Duration, len(numbers)), 0.0
	for i, ns := range numbers {
		if ns <= 0 {
			return roundTimes{}, fmt.Errorf("a step of %g nanoseconds", ns)
		}
		times[i] = time.Duration(ns)
		sum += ns
	}
	return roundTimes{sum / float64(len(times)), bench.Quantile(times, 0.5), bench.Quantile(times, 0.99), len(times)}, nil
}

// largestPeak returns the most memory that one of PyTorch's processes has had, in bytes.
func largestPeak(all []participant) int64 {
	most := int64(0)
	for _, p := range all {
		if p.who == torch {
			most = max(most, peakMemory(p.cmd.Process.Pid))
		}
	}
	return most
}

// roomFor reports whether there is memory for a process that keeps so many bytes beside another one that is at work; true where the system does not tell.
func roomFor(bytes int64) bool {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return true
	}
	available := int64(0)
	if _, rest, ok := strings.Cut(string(text), "MemAvailable:"); ok {
		_, _ = fmt.Sscan(rest, &available) // kB; 0 if it is no number
	}
	return available == 0 || available*1024 > 2*bytes
}

// peakMemory returns the most memory that a process has had, in bytes; 0 where the system does not tell.
func peakMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if f := strings.Fields(rest); len(f) == 2 && f[1] == "kB" {
				n, _ := strconv.ParseInt(f[0], 10, 64) // 0 if it is no number
				return 1024 * n
			}
		}
	}
	return 0
}
