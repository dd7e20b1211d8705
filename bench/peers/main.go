// Peers measures the kernels of this module beside those of oneDNN and PyTorch on the same shapes, and writes the ratios
// into docs/performance.md, a table for each kind of CPU. With -models it measures whole networks instead: training steps beside PyTorch,
// inference beside onnxruntime.
//
//	go run ./bench/peers             about ten minutes
//	go run ./bench/peers -quick      about two
//	go run ./bench/peers -models all
//
// Every subject is a process that answers requests one by one. The subjects of a case take turns, several rounds of them, and the best round of
// each counts: whatever else runs on the machine only slows things down, and a slow minute falls on all. Measurements on one thread
// are bound to one CPU where the command taskset is there. On Debian 12 the peers are the packages gcc, libdnnl-dev and python3-torch;
// what is not there is left out, and the table says so. PyTorch runs with two allocators, that of glibc as it is and one that keeps what is freed, and
// networks in two layouts; the fastest counts, and the tables of networks say which it was.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
)

// options are the flags.
type options struct {
	out, keep, only, peers string
	models                 string
	rounds, cpu            int
	time                   time.Duration
	quick, serve           bool
}

func main() {
	var o options
	flag.StringVar(&o.out, "out", filepath.Join("docs", "performance.md"), "file to write the table into, over the one of this kind of CPU or behind those of others; - prints it instead")
	flag.StringVar(&o.keep, "keep", "", "file of measurements: those in it are not made again, new ones are added")
	flag.StringVar(&o.only, "only", strings.Join(sections, ","), "sections to measure")
	flag.StringVar(&o.peers, "sources", filepath.Join("bench", "peers"), "folder of the peers' programs")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of which the best counts")
	flag.IntVar(&o.cpu, "cpu", runtime.NumCPU()-1, "CPU for measurements on one thread")
	flag.StringVar(&o.models, "models", "", "measure networks instead of kernels: all, or some of "+strings.Join(modelNames(), ","))
	flag.DurationVar(&o.time, "time", 0, "for one measurement of one subject in one round (default 40ms; of networks 400ms, at least one step)")
	flag.BoolVar(&o.quick, "quick", false, "three rounds of 10ms")
	flag.BoolVar(&o.serve, "serve", false, "answer requests on standard input; this is how the program runs itself")
	flag.Parse()
	if o.time == 0 {
		o.time = 40 * time.Millisecond
		if o.models != "" {
			o.time *= 10
		}
	}
	measure := run
	switch {
	case o.serve && flag.NArg() > 0:
		measure = func(context.Context, options) error { return serveModel(flag.Args(), os.Stdin, os.Stdout) }
	case o.serve:
		serve(os.Stdin, os.Stdout)
		return
	case o.models != "":
		measure = runModels
	}
	// An interrupted run still removes its scratch files.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

var errInterrupted = errors.New("interrupted; what was kept with -keep is gone on with")

func run(ctx context.Context, o options) error {
	if o.quick {
		o.rounds, o.time = 3, 10*time.Millisecond
	}
	if flag.NArg() > 0 || o.rounds < 1 || o.time <= 0 {
		return fmt.Errorf("want no arguments, at least one round and a time; see -help")
	}
	only := strings.Split(o.only, ",")
	for _, s := range only {
		if !slices.Contains(sections, s) {
			return fmt.Errorf("-only: unknown section %q; there are %s", s, strings.Join(sections, ", "))
		}
	}
	results := record{Best: map[string]float64{}, Versions: map[string]string{}}
	if o.keep != "" {
		text, err := os.ReadFile(o.keep)
		if err == nil {
			err = json.Unmarshal(text, &results)
		}
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("-keep: %w", err)
		}
	}
	scratch, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	lab := &lab{options: o, scratch: scratch, record: results, subjects: map[string]*subject{}}
	defer lab.close()
	lab.prepare()
	for _, c := range plan() {
		if !slices.Contains(only, c.section) || lab.have(c) {
			continue
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err := lab.measure(c); err != nil {
			return err
		}
		if o.keep == "" {
			continue
		}
		text, err := json.MarshalIndent(lab.record, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.keep, text, 0o666); err != nil {
			return fmt.Errorf("-keep: %w", err)
		}
	}
	if o.out == "-" {
		_, err = fmt.Print(table(lab.record, o))
		return err
	}
	return replaceTable(o.out, machine(), table(lab.record, o))
}

// sections are the parts of the table, in the order in which they are measured.
var sections = []string{"gemm", "conv", "depthwise", "pool", "norm", "odd", "elementwise", "threads"}

// The subjects.
const (
	ours   = "nasbench"
	oneDNN = "onednn"
	torch  = "torch"
	limit  = "limit" // the machine: peak of multiply-adds, bandwidth of copies
)

// question is a case and who is asked about it.
type question struct {
	section, kind, shape, direction string
	levels                          []string
	threads                         []int
	who                             []string
}

func levels() (all []string) {
	for _, l := range kernels.Available()[1:] {
		all = append(all, l.String())
	}
	slices.Reverse(all)
	if len(all) == 0 {
		return []string{kernels.Generic.String()}
	}
	return all
}
