package evaluator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// kept keeps latencies in memory.
type kept struct {
	of    map[string]float64
	added int
	err   error
}

func (k *kept) All() (map[string]float64, error) { return k.of, k.err }
func (k *kept) Add(key string, ns float64) error {
	k.of[key] = ns
	k.added++
	return k.err
}

var timedTask = space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}

func timed(t *testing.T, genomes ...string) (*Latency, []space.Genome) {
	t.Helper()
	s, err := space.New("nb201", timedTask, space.Constraints{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLatency(s, timedTask, 1)
	if err != nil {
		t.Fatal(err)
	}
	var out []space.Genome
	for _, text := range genomes {
		g, err := s.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	return l, out
}

const (
	largeCell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
	skipCell  = "|skip_connect~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|"
	sameCell  = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|" // as skipCell
	emptyCell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
)

func TestLatencyIsMeasuredOnceForEachNetwork(t *testing.T) {
	l, g := timed(t, largeCell, skipCell, sameCell, emptyCell)
	var wg sync.WaitGroup
	var values [4][8]time.Duration
	for i := range values {
		for j := range values[i] {
			wg.Go(func() {
				d, err := l.Measure(g[i])
				if err != nil {
					t.Error(err)
				}
				values[i][j] = d
			})
		}
	}
	wg.Wait()
	for i := range values {
		for _, d := range values[i] {
			if d != values[i][0] {
				t.Errorf("%v: %v and %v", g[i], d, values[i][0])
			}
		}
	}
	// Six convolutions of 3x3 in each cell against none: no load of a machine turns that around.
	if large, skip := values[0][0], values[1][0]; skip <= 0 || large <= skip {
		t.Errorf("%v takes %v, %v takes %v", g[0], large, g[1], skip)
	}
	if values[1][0] != values[2][0] || len(l.known) != 3 {
		t.Errorf("one network was measured twice: %v, %v", values[1][0], values[2][0])
	}
	if values[3][0] < 0 {
		t.Errorf("%v takes %v", g[3], values[3][0])
	}
	if _, err := l.Measure(nil); err == nil {
		t.Error("no genome has a latency")
	}
	if _, err := NewLatency(nil, timedTask, 0); err == nil {
		t.Error("a batch of no images has a latency")
	}
}

// What a study has on record holds, whatever was measured before; what is measured is recorded.
func TestKeptLatenciesHold(t *testing.T) {
	l, g := timed(t, largeCell, skipCell)
	if _, err := l.Measure(g[1]); err != nil {
		t.Fatal(err)
	}
	k := &kept{of: map[string]float64{l.space.Key(g[0]): 12345}}
	if err := l.Keep(k); err != nil {
		t.Fatal(err)
	}
	if d, err := l.Measure(g[0]); err != nil || d != 12345 {
		t.Errorf("%v, %v; 12.345µs is on record", d, err)
	}
	if k.added != 1 || k.of[l.space.Key(g[1])] <= 0 {
		t.Errorf("what was measured before is not kept: %v", k.of)
	}
	l, g = timed(t, skipCell)
	broken := errors.New("disk full")
	k = &kept{of: map[string]float64{}}
	if err := l.Keep(k); err != nil {
		t.Fatal(err)
	}
	k.err = broken
	if _, err := l.Measure(g[0]); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := l.Keep(k); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// fixed is an evaluator that measures nothing.
type fixed struct{ study.Metrics }

func (f fixed) Evaluate(context.Context, study.Job, func(study.Point) error) (study.Metrics, error) {
	return f.Metrics, nil
}

func TestLatencyIsAMetricInMilliseconds(t *testing.T) {
	l, g := timed(t, skipCell)
	if err := l.Keep(&kept{of: map[string]float64{l.space.Key(g[0]): 2.5e6}}); err != nil {
		t.Fatal(err)
	}
	inner := fixed{study.Metrics{ValAccuracy: 0.5, Other: map[string]float64{"a": 1}}}
	m, err := l.Evaluator(inner).Evaluate(t.Context(), study.Job{Genome: g[0]}, nil)
	if err != nil || m.ValAccuracy != 0.5 || m.Other["a"] != 1 || m.Other[LatencyMetric] != 2.5 || len(inner.Other) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

// A measurement that is interrupted gives an error and is not kept.
func TestLatencyIsInterrupted(t *testing.T) {
	l, g := timed(t, largeCell)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.MeasureContext(ctx, g[0]); !errors.Is(err, context.Canceled) || len(l.known) != 0 {
		t.Errorf("%v, %d kept", err, len(l.known))
	}
	if d, err := l.MeasureContext(t.Context(), g[0]); err != nil || d <= 0 {
		t.Errorf("%v, %v", d, err)
	}
}
