package space

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
)

func TestRandomIsDeterministic(t *testing.T) {
	s := newSpace(t, fashion, Constraints{MaxFLOPs: 20e6})
	a, b := stream.New(3, "test"), stream.New(3, "test")
	for range 50 {
		g, err := s.Random(a)
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Random(b)
		if err != nil || g != h {
			t.Fatalf("%v and %v (%v) from one stream", g, h, err)
		}
	}
}

func TestRandomMeetsTheConstraints(t *testing.T) {
	for _, c := range []Constraints{
		{}, {MaxFLOPs: 10e6}, {MaxParams: 20_000}, {MaxChannels: 32}, {MaxActivationBytes: 500_000},
		{MaxFLOPs: 20e6, MaxParams: 50_000, MaxChannels: 64}, {MaxFLOPs: 5e6, MinParams: 20_000},
	} {
		s := newSpace(t, fashion, c)
		rng := stream.New(1, "test")
		for range 100 {
			g, err := s.Random(rng)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Check(g); err != nil {
				t.Fatalf("%+v: %v: %v", c, g, err)
			}
		}
	}
}

func TestRandomIsUniform(t *testing.T) {
	t.Run("choices", func(t *testing.T) {
		rng := stream.New(5, "uniform")
		const n = 60_000
		counts := map[string]int{}
		total := map[string]int{}
		for range n {
			g := randomChain(rng)
			count := func(kind, value string) { counts[kind+" "+value]++; total[kind]++ }
			count("depth", digits(int64(g.depth)))
			for i, l := range g.layers[:g.depth] {
				count("op", chainOps[l.op].name)
				count(chainOps[l.op].name, l.paramText())
				if i > 0 {
					count("connection", chainConnections[l.connection])
				} else if l.connection != sequentialConnection {
					t.Fatalf("%v: layer 0 is not sequential", g)
				}
			}
		}
		kinds := map[string]int{"depth": 6, "op": 5, "connection": 4, "conv3x3": 4, "conv5x5": 4, "pool3x3": 2, "fc": 3, "skip": 1}
		seen := map[string]int{}
		for key, got := range counts {
			kind, _, _ := strings.Cut(key, " ")
			seen[kind]++
			want := float64(total[kind]) / float64(kinds[kind])
			if d := float64(got) - want; d*d > 25*want {
				t.Errorf("%s: %d times, want about %.0f", key, got, want)
			}
		}
		for kind, want := range kinds {
			if seen[kind] != want {
				t.Errorf("%s: %d values, want %d", kind, seen[kind], want)
			}
		}
	})
	t.Run("under a constraint", func(t *testing.T) {
		s := newSpace(t, Task{1, 1, 1, 2}, Constraints{MaxChannels: 1, AllowWeightless: true})
		rng := stream.New(6, "uniform")
		// Only skip, max and avg with sequential, add and skip remain, one channel wide. Among
		// chains of three, the seed's draw gives skip twice the share of max: it has one
		// parameter choice, not two.
		counts := map[ChainGenome]float64{}
		for range 20_000 {
			g, err := s.Random(rng)
			if err != nil {
				t.Fatal(err)
			}
			if h := g.(ChainGenome); h.depth == 3 {
				counts[h]++
			}
		}
		if want := 3 * 9 * 9; len(counts) != want {
			t.Fatalf("%d genomes of three layers, want %d", len(counts), want)
		}
		var skips, maxes float64
		for g, n := range counts {
			switch g.layers[0] {
			case chainLayer{op: skip}:
				skips += n
			case chainLayer{op: pool3x3, param: maxPool}:
				maxes += n
			}
		}
		if r := skips / maxes; r < 1.8 || r > 2.2 {
			t.Errorf("skip is %.2f times as frequent as max, want about 2", r)
		}
	})
}

func TestRandomSaysWhenTooLittleIsAllowed(t *testing.T) {
	_, err := newSpace(t, fashion, Constraints{MaxParams: 1}).Random(stream.New(1, "test"))
	wantError(t, err, "200,000 random genomes", "most frequent reason", "parameters are more than the 1 allowed")
	e, ok := errors.AsType[*SampleError](err)
	if !ok || e.Tries != maxTries || e.Reason.Constraint != ParamsConstraint || e.Share < 0.5 || e.Share > 1 {
		t.Errorf("%+v", e)
	}
}

func TestRandomGivesUpEarlyOnLatency(t *testing.T) {
	calls := 0
	s := newSpace(t, fashion, Constraints{MaxLatency: 1, Latency: func(Genome) (time.Duration, error) {
		calls++
		return 2, nil
	}})
	_, err := s.Random(stream.New(1, "test"))
	wantError(t, err, "latency", "2ns is more than the 1ns allowed")
	if calls != maxMeasured {
		t.Errorf("measured %d times, want %d", calls, maxMeasured)
	}
	broken := errors.New("no clock")
	s = newSpace(t, fashion, Constraints{MaxLatency: 1, Latency: func(Genome) (time.Duration, error) { return 0, broken }})
	if _, err := s.Random(stream.New(1, "test")); !errors.Is(err, broken) {
		t.Errorf("%v does not wrap the error of the measurement", err)
	}
}

func TestRefusingDoesNotAllocate(t *testing.T) {
	rng := stream.New(1, "test")
	c := Constraints{MaxFLOPs: 10e6}
	if n := testing.AllocsPerRun(1000, func() {
		g := randomChain(rng)
		f := g.facts(fashion)
		c.check(&f)
	}); n > 0 {
		t.Errorf("%v allocations for a genome", n)
	}
}

func BenchmarkRandom(b *testing.B) {
	s := newSpace(b, fashion, Constraints{MaxFLOPs: 10e6})
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, err := s.Random(rng); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	g := parse(b, "conv3x3(32), pool3x3(max), conv3x3(64):add, pool3x3(avg):concat, skip:concat, conv5x5(64):skip, fc(128), skip:skip")
	for b.Loop() {
		g.key(fashion)
	}
}
