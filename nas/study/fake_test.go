package study

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// point is a genome of a space of numbers.
type point int

func (p point) String() string               { return fmt.Sprintf("p%d", int(p)) }
func (p point) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"p": %d}`, int(p)), nil }

// numbers is the space: numbers that are equal modulo mod are the same network.
type numbers struct{ mod int }

func (n numbers) Key(g space.Genome) string {
	p, ok := g.(point)
	if !ok {
		return ""
	}
	if n.mod > 0 {
		return fmt.Sprint(int(p) % n.mod)
	}
	return fmt.Sprint(int(p))
}

// sweep proposes 0, 1, 2, ... without rounds.
type sweep struct {
	next, end int
}

func (s *sweep) Name() string         { return "sweep" }
func (s *sweep) Round() int           { return 0 }
func (s *sweep) Tell(strategy.Result) {}
func (s *sweep) Ask(n int) ([]space.Genome, error) {
	var out []space.Genome
	for ; len(out) < n && (s.end == 0 || s.next < s.end); s.next++ {
		out = append(out, point(s.next))
	}
	if len(out) == 0 {
		return nil, strategy.ErrExhausted
	}
	return out, nil
}

// learner proposes what depends on every bit and on the order of all that it was told,
// and holds its caller to the rules of strategy.Strategy.
type learner struct {
	t            *testing.T
	round, limit int // limit is how many genomes one Ask returns at most; 0 means no limit
	asked, told  int
	memory       uint64
}

func (l *learner) Name() string { return "learner" }
func (l *learner) Round() int   { return l.round }
func (l *learner) Ask(n int) ([]space.Genome, error) {
	begun := l.asked / l.round * l.round
	if l.told < begun || n < 1 {
		l.t.Errorf("asked for %d after %d of %d trials were told", n, l.told, begun)
	}
	n = min(n, begun+l.round-l.asked)
	if l.limit > 0 {
		n = min(n, l.limit)
	}
	var out []space.Genome
	for range n {
		out = append(out, point(stream.Seed(l.memory, "proposal", uint64(l.asked))%1000))
		l.asked++
	}
	return out, nil
}

func (l *learner) Tell(r strategy.Result) {
	if r.Trial != l.told {
		l.t.Errorf("told of trial %d when %d was due", r.Trial, l.told)
	}
	l.told++
	l.memory = stream.Seed(l.memory, r.Genome.String()+r.Reason, math.Float64bits(r.Score))
}

// fake is an evaluator whose results depend on genome, seed and epochs, and whose duration
// depends on the genome.
type fake struct {
	fail func(p int) error // the error after the first epoch, if any
	nan  func(p int) bool  // whether the loss turns NaN
	pace time.Duration     // of the shortest epoch
	seen func(Job)
}

func (f fake) Evaluate(ctx context.Context, job Job, report func(Point) error) (Metrics, error) {
	p := int(job.Genome.(point))
	if f.seen != nil {
		f.seen(job)
	}
	rng := stream.New(job.Seed, "fake", uint64(p))
	m := Metrics{Params: int64(p), FLOPs: 2, MACs: 1, ActivationBytes: 4}
	for epoch := 1; epoch <= job.Epochs; epoch++ {
		select {
		case <-ctx.Done():
			return m, fmt.Errorf("step 1: %w", ctx.Err())
		case <-time.After(f.pace * time.Duration(1+p%7)):
		}
		job.Progress(Step{Epoch: epoch, Step: 1, Steps: 1, Images: 10 * epoch, Loss: 1})
		m.ValAccuracy, m.ValLoss, m.TrainLoss, m.Epochs = rng.Float64(), rng.Float64(), rng.Float64(), epoch
		point := Point{Epoch: epoch, TrainLoss: m.TrainLoss, ValLoss: m.ValLoss, ValAccuracy: m.ValAccuracy, LearningRate: 0.1}
		if f.nan != nil && f.nan(p) {
			point.TrainLoss = math.NaN()
		}
		if err := report(point); err != nil {
			return m, err
		}
		if f.fail != nil {
			if err := f.fail(p); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// text is a readable form of trials, without the timing, to compare.
func text(t *testing.T, trials []Trial) string {
	t.Helper()
	var b strings.Builder
	for _, trial := range trials {
		trial.Timing = Timing{}
		line, err := json.Marshal(trial)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func mustRun(t *testing.T, o Options) *Outcome {
	t.Helper()
	out, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func multipleOf(n int) func(int) bool { return func(p int) bool { return p%n == 0 } }
