package bench

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
)

// Result is one measurement.
type Result struct {
	Name        string  // after the word Benchmark, with its parts divided by slashes: Model/resnet8/mode=train
	Iterations  int     // how often the work was done
	Nanoseconds float64 // mean time of one iteration
	Metrics     []Metric
}

// Metric is a figure of a measurement.
type Metric struct {
	Unit  string // as benchstat knows it: GFLOP/s, img/s
	Value float64
}

// String returns the result as a line of the Go benchmark data format (golang.org/design/14313-benchmark-format), without
// a line break.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Benchmark%s\t%8d\t%s ns/op", r.Name, r.Iterations, figure(r.Nanoseconds))
	for _, m := range r.Metrics {
		fmt.Fprintf(&b, "\t%s %s", figure(m.Value), m.Unit)
	}
	return b.String()
}

// figure prints a number with four digits or more.
func figure(x float64) string {
	if x >= 1000 || x <= -1000 {
		return fmt.Sprintf("%12.0f", x)
	}
	return fmt.Sprintf("%12s", strconv.FormatFloat(x, 'g', 4, 64))
}

// WriteHeader writes the lines that go before results and say what machine they are from.
func WriteHeader(w io.Writer, cpu string) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/nasbench-go/nasbench/bench\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, cpu)
	return err
}
