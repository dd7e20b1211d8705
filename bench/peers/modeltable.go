package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/bench"
)

// The markers of the part of the file that has the tables of networks, one for each CPU between markers of its own.
const (
	beginModels = "<!-- peers-models: begin -->"
	endModels   = "<!-- peers-models: end -->"
)

func cpuMarkers(cpu string) (begin, end string) {
	return "<!-- peers-models: begin " + cpu + " -->", "<!-- peers-models: end " + cpu + " -->"
}

// replaceModelTable writes the table of a CPU in the place of its last one, or below those of other CPUs.
func replaceModelTable(path, cpu, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), beginModels)
	inside, after, ok2 := strings.Cut(rest, endModels)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the markers %s and %s are missing", path, beginModels, endModels)
	}
	first, last := cpuMarkers(cpu)
	block := first + "\n" + text + last
	if head, tail, ok := strings.Cut(inside, first); ok {
		if _, tail, ok = strings.Cut(tail, last); !ok {
			return fmt.Errorf("%s: the marker %s is missing", path, last)
		}
		inside = head + block + tail
	} else {
		inside = strings.TrimRight(inside, "\n") + "\n" + block + "\n"
	}
	return os.WriteFile(path, []byte(before+beginModels+inside+endModels+after), 0o666)
}

// modelTable returns the tables of a record.
func modelTable(r modelRecord, o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n%s, %s. ", r.CPU, r.Host, r.dates())
	for _, who := range []string{torch, onnxRuntime} {
		if v := r.Versions[who]; v != "" {
			fmt.Fprintf(&b, "%s. ", v)
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "Left out, because it is not on this machine: %s. ", m)
	}
	command := fmt.Sprintf("go run ./bench/peers -models all -rounds %d -time %v", o.rounds, o.time)
	if o.quick {
		command = "go run ./bench/peers -models all -quick"
	}
	if o.keep != "" {
		command += " -keep FILE"
	}
	fmt.Fprintf(&b, "Images of %s. Command: `%s`.\n", r.Images, command)
	r.train(&b)
	r.infer(&b)
	r.scaling(&b)
	r.growth(&b)
	return b.String()
}

// dates returns when the measurements were made.
func (r *modelRecord) dates() string {
	var dates []string
	for _, c := range r.Cases {
		dates = append(dates, c.Date)
	}
	slices.Sort(dates)
	return strings.Join(slices.Compact(dates), " and ")
}

// times returns those of an entrant, or nil.
func (r *modelRecord) times(c modelCase, e entrant) *modelTimes {
	if of := r.Cases[c.String()]; of != nil {
		return of.Subjects[e.String()]
	}
	return nil
}

// ratio returns how much faster one is than the other: by their best rounds and, in brackets, the median over the rounds.
func ratio(mine, theirs *modelTimes) (float64, string) {
	if mine == nil || theirs == nil || len(mine.Rounds) == 0 || len(theirs.Rounds) == 0 {
		return 0, ""
	}
	var each []float64
	for i := range min(len(mine.Rounds), len(theirs.Rounds)) {
		each = append(each, theirs.Rounds[i].Mean/mine.Rounds[i].Mean)
	}
	slices.Sort(each)
	x := theirs.best().Mean / mine.best().Mean
	return x, fmt.Sprintf("%.2f (%.2f)", x, each[len(each)/2])
}

// rate returns images a second.
func rate(batch int, t *modelTimes) string {
	if mean := t.best().Mean; mean > 0 {
		return fmt.Sprintf("%.*f", map[bool]int{true: 1}[float64(batch)*1e9/mean < 1000], float64(batch)*1e9/mean)
	}
	return ""
}

func megabytes(bytes int64) string {
	switch {
	case bytes == 0:
		return ""
	case bytes < 10e6:
		return fmt.Sprintf("%.1f", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.0f", float64(bytes)/1e6)
}

// verdict compares a figure with its target.
func verdict(x, target float64) string {
	switch {
	case x == 0:
		return ""
	case x >= target:
		return "met"
	}
	return fmt.Sprintf("%.0f%% of it", 100*x/target)
}

// judge returns a verdict about two threads, unless other programs took their CPUs.
func (of *modelResult) judge(verdict string) string {
	if of != nil && verdict != "" && of.Quiet < quietEnough {
		return "not judged: the machine was busy"
	}
	return verdict
}

const notMeasured = "not measured"

// train writes the training steps beside PyTorch's.
func (r *modelRecord) train(b *strings.Builder) {
	fmt.Fprint(b, "\nTraining steps on two threads, images a second:\n\n"+
		"| network | batch | parameters | nasbench | PyTorch | its fastest way | ratio | target | | memory, MB | planned | PyTorch |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range modelPlan(modelNames()) {
		of := r.Cases[c.String()]
		if c.section != "train" {
			continue
		}
		target := fmt.Sprint(modelTargets[c.model])
		if most := memoryTargets[c.model]; most > 0 {
			target += fmt.Sprintf(", at most %d MB", most)
		}
		if of == nil {
			fmt.Fprintf(b, "| %s | %d | | %s | | | | %s | | | | |\n", c.model, c.batch, notMeasured, target)
			continue
		}
		mine := r.times(c, oursTwo)
		how, better := r.fastest(c)
		x, text := ratio(mine, better)
		met := of.judge(verdict(x, modelTargets[c.model]))
		if most := int64(memoryTargets[c.model]); most > 0 && mine.Peak > most*1e6 {
			met = strings.TrimPrefix(met+", too much memory", ", ")
		}
		theirs := ""
		if better != nil {
			theirs = megabytes(better.Peak)
		}
		fmt.Fprintf(b, "| %s | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.model, c.batch, of.Parameters,
			rate(c.batch, mine), rate(c.batch, better), how, text, target, met, megabytes(mine.Peak), megabytes(mine.Planned), theirs)
	}
	r.ways(b)
	r.quiet(b)
}

// fastest returns PyTorch's fastest way through a case, or nil.
func (r *modelRecord) fastest(c modelCase) (how string, times *modelTimes) {
	for _, e := range torchEntrants() {
		t := r.times(c, e)
		if x := t.best().Mean; x > 0 && (times == nil || x < times.best().Mean) {
			how, times = e.how(), t
		}
	}
	return how, times
}

// ways writes all of PyTorch's ways.
func (r *modelRecord) ways(b *strings.Builder) {
	head, line := "| network |", "|---|"
	for _, e := range torchEntrants() {
		head, line = head+" "+e.how()+" |", line+"---|"
	}
	fmt.Fprintf(b, "\nPyTorch's ways, images a second:\n\n%s\n%s\n", head, line)
	for _, c := range modelPlan(modelNames()) {
		if c.section != "train" {
			continue
		}
		fmt.Fprintf(b, "| %s |", c.model)
		for _, e := range torchEntrants() {
			fmt.Fprintf(b, " %s |", rate(c.batch, r.times(c, e)))
		}
		fmt.Fprintln(b)
	}
}

// quiet writes what else was running.
func (r *modelRecord) quiet(b *strings.Builder) {
	least, most := math.Inf(1), 0.0
	for _, c := range r.Cases {
		if c.Quiet > 0 {
			least, most = min(least, c.Quiet), max(most, c.Quiet)
		}
	}
	if most > 0 {
		fmt.Fprintf(b, "\nBefore each network two threads got %.2f to %.2f times the CPU of one; 2 is a machine on which nothing else runs.\n", least, most)
	}
}

// infer writes inference beside onnxruntime's.
func (r *modelRecord) infer(b *strings.Builder) {
	fmt.Fprint(b, "\nInference on one thread, images a second and the time of a batch in microseconds, median / 99th percentile:\n\n"+
		"| network | batch | nasbench | onnxruntime | ratio | target | | nasbench, time | onnxruntime, time | memory, MB | planned | onnxruntime |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range modelPlan(modelNames()) {
		if c.mode == bench.Train {
			continue
		}
		if r.Cases[c.String()] == nil {
			fmt.Fprintf(b, "| %s | %d | %s | | | %g | | | | | | |\n", c.model, c.batch, notMeasured, inferTarget)
			continue
		}
		mine, theirs := r.times(c, oursOne), r.times(c, ortOne)
		x, text := ratio(mine, theirs)
		latency := func(t *modelTimes) string {
			if best := t.best(); best.Mean > 0 {
				return fmt.Sprintf("%.0f / %.0f", best.P50/1e3, best.P99/1e3)
			}
			return ""
		}
		memory := ""
		if theirs != nil {
			memory = megabytes(theirs.Peak)
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %g | %s | %s | %s | %s | %s | %s |\n", c.model, c.batch, rate(c.batch, mine), rate(c.batch, theirs), text,
			inferTarget, verdict(x, inferTarget), latency(mine), latency(theirs), megabytes(mine.Peak), megabytes(mine.Planned), memory)
	}
}

// scaling writes what a second thread brings.
func (r *modelRecord) scaling(b *strings.Builder) {
	fmt.Fprint(b, "\nTraining steps of nasbench on one thread and on two, images a second:\n\n| network | one thread | two | ratio | target | |\n|---|---|---|---|---|---|\n")
	for _, c := range modelPlan(modelNames()) {
		if c.section != "train" {
			continue
		}
		one, two := r.times(c, oursOne), r.times(c, oursTwo)
		x, text := ratio(two, one)
		if x == 0 {
			text = notMeasured
		}
		target := scalingTarget(c.model)
		met := r.Cases[c.String()].judge(verdict(x, target))
		fmt.Fprintf(b, "| %s | %s | %s | %s | %g | %s |\n", c.model, rate(c.batch, one), rate(c.batch, two), text, target, met)
	}
}

// growth writes how the time of a step grows.
func (r *modelRecord) growth(b *strings.Builder) {
	fmt.Fprint(b, "\nHow the time of a training step grows: residual networks of some blocks of one width over 28x28 images, two threads. Linear in depth and batch, and in the square of the width, is 1.00 in the last column; less is better:\n\n"+
		"| what grows | blocks x channels | batch | milliseconds | times the first | work, times the first | time / work |\n|---|---|---|---|---|---|---|\n")
	for _, s := range growths {
		first := r.times(s.at(s.values[0]), oursTwo).best().Mean
		for _, x := range s.values {
			c := s.at(x)
			mean := r.times(c, oursTwo).best().Mean
			size := strings.TrimPrefix(c.model, "stack-")
			work := math.Pow(float64(x)/float64(s.values[0]), float64(s.power))
			if mean == 0 || first == 0 {
				fmt.Fprintf(b, "| %s | %s | %d | %s | | %g | |\n", s.section, size, c.batch, notMeasured, work)
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %d | %.1f | %.2f | %g | %.2f |\n", s.section, size, c.batch, mean/1e6, mean/first, work, mean/first/work)
		}
	}
}
