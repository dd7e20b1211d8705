package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/bench"
)

// growth is what -models calls the measurements of how the time of a step grows.
const growth = "growth"

const onnxRuntime = "onnxruntime"

// entrant is who runs a network, and how.
type entrant struct {
	who, layout string // the layout of PyTorch's images
	threads     int
	keeps       bool // see keepMemory
}

// keepMemory is the environment of a process whose allocator keeps what is freed. With its defaults, glibc gives large arrays back to the system and gets new pages, one by
// one, at every step: PyTorch is then up to 1.9 times as slow.
var keepMemory = []string{"MALLOC_MMAP_MAX_=0", "MALLOC_TRIM_THRESHOLD_=17179869184"}

// String returns the entrant's name in the record.
func (e entrant) String() string {
	keeps := ""
	if e.keeps {
		keeps = " keeps"
	}
	return strings.Join(strings.Fields(fmt.Sprint(e.who, " ", e.layout, keeps, " ", e.threads)), "/")
}

// how says in the tables how PyTorch ran.
func (e entrant) how() string {
	layout := map[string]string{"nchw": "NCHW", "channels-last": "channels last"}[e.layout]
	if e.keeps {
		return layout + ", memory kept"
	}
	return layout
}

// The entrants. One thread is bound to one CPU.
var (
	oursTwo   = entrant{who: ours, threads: 2}
	oursOne   = entrant{who: ours, threads: 1}
	torchNCHW = entrant{who: torch, layout: "nchw", threads: 2}
	torchLast = entrant{who: torch, layout: "channels-last", threads: 2}
	keepsNCHW = entrant{torch, "nchw", 2, true}
	keepsLast = entrant{torch, "channels-last", 2, true}
	ortOne    = entrant{who: onnxRuntime, threads: 1}
)

// torchEntrants are the ways in which PyTorch runs, of which the fastest counts.
func torchEntrants() []entrant { return []entrant{torchNCHW, torchLast, keepsNCHW, keepsLast} }

// modelCase is a network to measure. Those of the sections train and infer are of bench.Models; those of depth, width and
// batch are stacks of which one of these grows.
type modelCase struct {
	section, model string
	mode           bench.Mode
	batch          int
	entrants       []entrant
}

// String returns the case's name in the record.
func (c modelCase) String() string { return fmt.Sprintf("%s/%s/batch=%d", c.section, c.model, c.batch) }

// modelTargets are the least ratios to PyTorch of training steps.
var modelTargets = map[string]float64{"seed-cell": 3, "darts-supernet": 6, "darts-v2": 6, "small-cnn": 3, "resnet8": 1.7, "nb201-dense": 1.4}

const inferTarget = 1.5

// scalingTarget is the least ratio of two threads to one.
func scalingTarget(model string) float64 {
	if model == "small-cnn" {
		return 1.6
	}
	return 1.8
}

// memoryTargets are the most megabytes of a training step.
var memoryTargets = map[string]int{"seed-cell": 1000, "darts-supernet": 1000}

func modelNames() []string {
	var names []string
	for _, m := range bench.Models() {
		names = append(names, m.Name)
	}
	return append(names, growth)
}

// modelPlan lists what is measured of the models named.
func modelPlan(names []string) []modelCase {
	var cases []modelCase
	for _, m := range bench.Models() {
		if slices.Contains(names, m.Name) {
			cases = append(cases, modelCase{"train", m.Name, bench.Train, m.Input[0], append(append([]entrant{oursTwo}, torchEntrants()...), oursOne)})
		}
	}
	for _, name := range []string{"resnet8", "darts-v2"} {
		if slices.Contains(names, name) {
			for _, batch := range []int{1, 64} {
				cases = append(cases, modelCase{"infer", name, bench.Throughput, batch, []entrant{oursOne, ortOne}})
			}
		}
	}
	if !slices.Contains(names, growth) {
		return cases
	}
	for _, s := range growths {
		for _, x := range s.values {
			cases = append(cases, s.at(x))
		}
	}
	return cases
}

// groups returns the cases that take turns: all of a series, and otherwise the entrants of one case.
func groups(cases []modelCase) (all [][]modelCase) {
	for i, c := range cases {
		if last := len(all) - 1; i > 0 && strings.HasPrefix(c.model, "stack-") && all[last][0].section == c.section {
			all[last] = append(all[last], c)
			continue
		}
		all = append(all, []modelCase{c})
	}
	return all
}

// growing is a series of stacks.
type growing struct {
	section string
	values  []int
	power   int // of the growth of the work
}

var growths = []growing{{"depth", []int{2, 4, 8, 16}, 1}, {"width", []int{16, 32, 64, 128}, 2}, {"batch", []int{8, 16, 32, 64}, 1}}

// at returns the case of a value of the series.
func (g growing) at(x int) modelCase {
	size := map[string]int{"depth": 4, "width": 16, "batch": 16}
	size[g.section] = x
	m := bench.Stack(size["depth"], size["width"])
	return modelCase{g.section, m.Name, bench.Train, size["batch"], []entrant{oursTwo}}
}

// network returns the model of a case.
func (c modelCase) network() (bench.Model, error) {
	var blocks, channels int
	m, err := bench.FindModel(c.model)
	if n, _ := fmt.Sscanf(c.model, "stack-%dx%d", &blocks, &channels); n == 2 && blocks > 0 && channels > 0 {
		m, err = bench.Stack(blocks, channels), nil
	}
	if err != nil {
		return m, err
	}
	m.Input = m.Input.Clone()
	m.Input[0] = c.batch
	return m, nil
}
