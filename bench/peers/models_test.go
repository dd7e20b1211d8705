package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
)

func TestModelPlan(t *testing.T) {
	all := modelPlan(modelNames())
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.String()] {
			t.Errorf("%v is there twice", c)
		}
		seen[c.String()] = true
		m, err := c.network()
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		if m.Input[0] != c.batch || m.Name != c.model || len(c.entrants) == 0 || c.entrants[0].who != ours {
			t.Errorf("%v is %s of %v, first %v", c, m.Name, m.Input, c.entrants)
		}
		if c.section == "train" && modelTargets[c.model] == 0 {
			t.Errorf("%s has no target", c.model)
		}
	}
	// Six networks in training, two in inference by two batches, three series of four.
	if len(all) != 6+4+12 {
		t.Errorf("%d cases", len(all))
	}
	if got := modelPlan([]string{"resnet8"}); len(got) != 3 {
		t.Errorf("resnet8 has %v", got)
	}
	// Those of a series take turns; all others are on their own.
	if together := groups(all); len(together) != 6+4+3 || len(together[12]) != 4 || together[12][3].section != "batch" {
		t.Errorf("groups %v", together)
	}
	if m := bench.Models()[0]; m.Input[0] == 3 {
		t.Error("the plan changes the models")
	}
	if _, err := (modelCase{model: "stack-0x3", batch: 1}).network(); err == nil {
		t.Error("a stack of no blocks is a network")
	}
}

// files writes the files of a case.
func files(t *testing.T, c modelCase) string {
	t.Helper()
	folder := t.TempDir()
	from, err := writeFiles(c, folder)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(from, "fashion-mnist") {
		t.Errorf("images of %q", from)
	}
	return folder
}

func TestServeModel(t *testing.T) {
	for _, c := range []modelCase{
		{section: "train", model: "stack-1x3", mode: bench.Train, batch: 5},
		{section: "infer", model: "small-cnn", mode: bench.Throughput, batch: 3},
	} {
		folder := files(t, c)
		args := []string{c.model, string(c.mode), fmt.Sprint(c.batch), "1", folder}
		var out strings.Builder
		requests := "parameters\nmemory\ncheck\nrun 1\nrun 0\nrun soon\nsleep\n"
		if err := serveModel(args, strings.NewReader(requests), &out); err != nil {
			t.Fatal(err)
		}
		answers := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(answers) != 7 {
			t.Fatalf("answers %q", answers)
		}
		// Stem and two convolutions of three channels with norms, and the classifier.
		want := map[string]string{"stack-1x3": fmt.Sprint(27 + 2*81 + 3*6 + 40), "small-cnn": "20490"}[c.model]
		if answers[0] != want {
			t.Errorf("%s has %s parameters, want %s", c.model, answers[0], want)
		}
		for i, a := range answers {
			numbers, err := parseNumbers(a)
			if bad := strings.HasPrefix(a, "!"); bad != (i >= 5) || err != nil != bad {
				t.Errorf("answer %d is %q", i, a)
			}
			if i == 2 && len(numbers) != map[bench.Mode]int{bench.Train: 1, bench.Throughput: 3 * modelClasses}[c.mode] {
				t.Errorf("%s: the check gives %d numbers", c.model, len(numbers))
			}
		}
		// The same files give the same answer, and other weights another.
		check := func() string {
			var out strings.Builder
			if err := serveModel(args, strings.NewReader("check\n"), &out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		if strings.TrimSpace(check()) != strings.TrimSpace(answers[2]) {
			t.Errorf("%s: another check gives another answer", c.model)
		}
		threads := kernels.NewThreads(1)
		defer threads.Close()
		for _, bad := range []struct {
			c      modelCase
			folder string
		}{{modelCase{model: "resnet9", mode: c.mode, batch: 1}, folder}, {c, t.TempDir()}, {modelCase{model: "resnet8", mode: c.mode, batch: 1}, folder}, {modelCase{model: c.model, mode: c.mode, batch: 1e6}, folder}} {
			if _, err := newRunner(bad.c, bad.folder, threads); err == nil {
				t.Errorf("%v runs on the files of another", bad.c)
			}
		}
	}
	if err := serveModel([]string{"resnet8"}, strings.NewReader(""), &strings.Builder{}); err == nil {
		t.Error("arguments are missing")
	}
}

func TestParseNumbers(t *testing.T) {
	for text, want := range map[string][]float64{"1 2.5 -3e2\n": {1, 2.5, -300}, "": nil, "1 two": nil, "NaN": nil, "1 Inf": nil} {
		got, err := parseNumbers(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q gives %v, %v", text, got, err)
		}
	}
	if err := compareNumbers([]float64{1, 2.001}, []float64{1, 2}); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]float64{{1}, {1, 2.1}, {1.1, 2}, {math.NaN(), 2}} {
		if err := compareNumbers(bad, []float64{1, 2}); err == nil {
			t.Errorf("%v is taken for 1 2", bad)
		}
	}
}

// fake is a record with one round of a second for us and two for the peers, and of what is in the map.
func fake(c modelCase, seconds map[entrant]float64) modelRecord {
	r := newModelRecord()
	r.Images, r.Versions[torch] = "fashion-mnist", "PyTorch 0.0"
	of := &modelResult{Date: "2026-01-02", Parameters: 7, Quiet: map[bool]float64{true: 1.95}[c.mode == bench.Train], Subjects: map[string]*modelTimes{}}
	for e, s := range seconds {
		slow := roundTimes{Mean: 3e9 * s, P50: 1, P99: 2, Steps: 1}
		of.Subjects[e.String()] = &modelTimes{Rounds: []roundTimes{slow, {Mean: 1e9 * s, P50: 4e8 * s, P99: 2e9 * s, Steps: 9}}, Peak: 5e8, Planned: 4e8}
	}
	r.Cases[c.String()] = of
	return r
}

func TestModelTable(t *testing.T) {
	plan := modelPlan([]string{"seed-cell", "darts-v2"})
	train := plan[slices.IndexFunc(plan, func(c modelCase) bool { return c.model == "seed-cell" })]
	o := options{rounds: 3, time: time.Second, keep: "x"}
	text := modelTable(fake(train, map[entrant]float64{oursTwo: 0.5, oursOne: 0.8, torchNCHW: 2, torchLast: 1}), o)
	for _, want := range []string{
		"| seed-cell | 64 | 7 | 128.0 | 64.0 | channels last | 2.00 (2.00) | 3, at most 1000 MB | 67% of it | 500 | 400 | 500 |", // against the fastest way
		"| network | NCHW | channels last | NCHW, memory kept | channels last, memory kept |", "| seed-cell | 32.0 | 64.0 |  |  |",
		"| seed-cell | 80.0 | 128.0 | 1.60 (1.60) | 1.8 | 89% of it |",
		"PyTorch 0.0", "2026-01-02", "-models all -rounds 3 -time 1s -keep FILE", "1.95 to 1.95 times",
		"| darts-v2 | 128 | | not measured |", "| width | 4x128 | 16 | not measured | | 64 | |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	text = modelTable(fake(train, map[entrant]float64{oursTwo: 0.5, torchNCHW: 2, torchLast: 1, keepsNCHW: 0.4, keepsLast: 0.8}), o)
	for _, want := range []string{
		"| seed-cell | 64 | 7 | 128.0 | 160.0 | NCHW, memory kept | 0.80 (0.80) | 3, at most 1000 MB | 27% of it |", "| seed-cell | 32.0 | 64.0 | 160.0 | 80.0 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	// Without PyTorch, and with too much memory.
	alone := fake(train, map[entrant]float64{oursTwo: 0.5})
	alone.Missing = []string{"PyTorch (how to get it)"}
	alone.Cases[train.String()].Subjects[oursTwo.String()].Peak = 2e9
	text = modelTable(alone, o)
	for _, want := range []string{"| seed-cell | 64 | 7 | 128.0 |  |  |  |", "| too much memory | 2000 |", "Left out, because it is not on this machine: PyTorch (how to get it)", "| seed-cell |  | 128.0 | not measured |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	busy := fake(train, map[entrant]float64{oursTwo: 0.1, oursOne: 0.2, torchNCHW: 2, torchLast: 1})
	busy.Cases[train.String()].Quiet = 1.2
	if text := modelTable(busy, o); strings.Count(text, "| not judged: the machine was busy |") != 2 || strings.Contains(text, "| met") {
		t.Errorf("on a busy machine:\n%s", text)
	}
	infer := plan[slices.IndexFunc(plan, func(c modelCase) bool { return c.section == "infer" && c.batch == 64 })]
	text = modelTable(fake(infer, map[entrant]float64{oursOne: 0.01, ortOne: 0.02}), o)
	if want := "| darts-v2 | 64 | 6400 | 3200 | 2.00 (2.00) | 1.5 | met | 4000 / 20000 | 8000 / 40000 | 500 | 400 | 500 |"; !strings.Contains(text, want) {
		t.Errorf("no %q in:\n%s", want, text)
	}
	grown := newModelRecord()
	for x, s := range map[int]float64{16: 0.1, 32: 0.3} {
		c := growths[1].at(x)
		grown.Cases[c.String()] = fake(c, map[entrant]float64{oursTwo: s}).Cases[c.String()]
	}
	if text, want := modelTable(grown, o), "| width | 4x32 | 16 | 300.0 | 3.00 | 4 | 0.75 |"; !strings.Contains(text, want) {
		t.Errorf("no %q in:\n%s", want, text)
	}
}

// Tables of several CPUs stand side by side, and each is replaced in its place.
func TestReplaceModelTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	block := func(cpu, text string) string {
		first, last := cpuMarkers(cpu)
		return first + "\n" + text + last
	}
	write("before\n" + beginModels + "\n" + endModels + "\nafter\n")
	for _, step := range []struct{ cpu, text, want string }{
		{"A", "a1\n", block("A", "a1\n")},
		{"AB", "b1\n", block("A", "a1\n") + "\n" + block("AB", "b1\n")},
		{"A", "a2\n", block("A", "a2\n") + "\n" + block("AB", "b1\n")},
	} {
		if err := replaceModelTable(path, step.cpu, step.text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := "before\n" + beginModels + "\n" + step.want + "\n" + endModels + "\nafter\n"; err != nil || string(got) != want {
			t.Errorf("after %q: %q, want %q", step.text, got, want)
		}
	}
	for _, bad := range []string{"no markers", beginModels, beginModels + "\n" + strings.TrimSuffix(block("A", ""), "<!-- peers-models: end A -->") + endModels} {
		write(bad)
		if err := replaceModelTable(path, "A", "x"); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestModelRecordIsKept(t *testing.T) {
	o := options{keep: filepath.Join(t.TempDir(), "models.json")}
	c := growths[0].at(2)
	l := &modelLab{options: o, record: fake(c, map[entrant]float64{oursTwo: 1})}
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	again := &modelLab{options: o, record: newModelRecord()}
	if err := again.load(); err != nil {
		t.Fatal(err)
	}
	if !again.have(c) || again.have(growths[0].at(4)) || again.record.times(c, oursTwo).best().Mean != 1e9 {
		t.Errorf("read back %+v", again.record)
	}
	again.record.CPU = "another"
	if err := again.save(); err != nil {
		t.Fatal(err)
	}
	if err := (&modelLab{options: o, record: newModelRecord()}).load(); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("the record of another CPU: %v", err)
	}
	if err := runModels(t.Context(), options{models: "resnet9", rounds: 1, time: 1}); err == nil || !strings.Contains(err.Error(), "resnet9") {
		t.Errorf("an unknown network: %v", err)
	}
}

// A peer's process has the allocator that is asked for, and no settings of OpenBLAS that are meant for others.
func TestPeersRunWithTheirOwnEnvironment(t *testing.T) {
	t.Setenv("OPENBLAS_CORETYPE", "Prescott")
	t.Setenv("MALLOC_MMAP_MAX_", "7")
	for _, c := range []struct {
		env  []string
		want string
	}{{nil, "[] [] []"}, {keepMemory, "[0] [17179869184] []"}} {
		s, err := start([]string{"sh", "-c", `read request; echo "[$MALLOC_MMAP_MAX_] [$MALLOC_TRIM_THRESHOLD_] [$OPENBLAS_CORETYPE]"`}, 2, 0, c.env...)
		if err != nil {
			t.Skip(err)
		}
		if got, err := s.ask("run"); err != nil || got != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
		s.close()
	}
	if !roomFor(1) || roomFor(1<<60) && runtime.GOOS == "linux" {
		t.Error("there is room for an exabyte, or none for a byte")
	}
}

// The peers' networks are ours: from the same weights, the first loss of PyTorch and the logits of onnxruntime are the same. All networks take a minute.
func TestPeersComputeTheSame(t *testing.T) {
	names := []string{"resnet8"}
	if os.Getenv("NASBENCH_LONG") != "" {
		names = modelNames()
	}
	l := &modelLab{options: options{peers: "."}, record: newModelRecord(), scratch: t.TempDir()}
	l.prepare()
	for _, c := range modelPlan(names) {
		for _, e := range c.entrants {
			if e.who == ours || e == torchNCHW || e.keeps {
				continue
			}
			t.Run(fmt.Sprint(c.section, " ", c.model, " ", c.batch, " ", e.who), func(t *testing.T) {
				if !l.there(e) {
					t.Skipf("not on this machine: %s", strings.Join(l.record.Missing, "; "))
				}
				if c.section == "train" {
					c.batch, e.threads = 6, 1
				}
				folder := files(t, c)
				args, err := l.command(c, e, folder)
				if err != nil {
					t.Fatal(err)
				}
				s, err := start(args, e.threads, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer s.close()
				threads := kernels.NewThreads(1)
				defer threads.Close()
				mine, err := newRunner(c, folder, threads)
				if err != nil {
					t.Fatal(err)
				}
				text, err := mine.answer([]string{"check"})
				if err != nil {
					t.Fatal(err)
				}
				want, err := parseNumbers(text)
				if err != nil {
					t.Fatal(err)
				}
				result := &modelResult{Parameters: int64(mine.Store.Elements())}
				if _, err := l.check(e, s, result, want); err != nil {
					t.Error(err)
				}
				if r, err := s.round(time.Millisecond); err != nil || r.Steps < 1 || r.Mean <= 0 || r.P50 > r.P99 {
					t.Errorf("round %+v, %v", r, err)
				}
				if l.record.Versions[e.who] == "" {
					t.Error("no version")
				}
			})
		}
	}
}

func TestMachine(t *testing.T) {
	// Whatever else runs, two threads get something, and no more than two CPUs but for the clock's noise.
	if x, err := quiet(); err != nil || !(x > 0 && x < 3) {
		t.Errorf("two threads get %g times the CPU of one, %v", x, err)
	}
	if bytes := peakMemory(os.Getpid()); runtime.GOOS == "linux" && bytes < 1<<20 {
		t.Errorf("this process has had %d bytes", bytes)
	}
	if bytes := peakMemory(-1); bytes != 0 {
		t.Errorf("no process has had %d bytes", bytes)
	}
	if name := cpuName(); strings.ContainsAny(name, "\n") || strings.Contains(name, "--") || name == "" {
		t.Errorf("the name %q does not fit into a marker", name)
	}
}
