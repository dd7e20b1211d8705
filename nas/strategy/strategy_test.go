package strategy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/nas/space"
)

func chainSpace(t testing.TB, c space.Constraints) space.Space {
	t.Helper()
	s, err := space.New("chain", space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// number is a genome of tiny.
type number int

func (n number) String() string               { return fmt.Sprint(int(n)) }
func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// tiny is a space of the numbers below genomes; those that are equal modulo networks build the
// same network.
type tiny struct {
	genomes, networks int
	err               error // of Random
}

func (tiny) Name() string                          { return "tiny" }
func (tiny) Parse(string) (space.Genome, error)    { return nil, errors.ErrUnsupported }
func (tiny) Check(space.Genome) error              { return nil }
func (tiny) Cost(space.Genome) (space.Cost, error) { return space.Cost{}, nil }
func (tiny) Build(space.Genome, layers.Scope) (layers.Module, error) {
	return nil, errors.ErrUnsupported
}

func (s tiny) Random(rng *rand.Rand) (space.Genome, error) {
	return number(rng.IntN(s.genomes)), s.err
}

func (s tiny) Key(g space.Genome) string { return fmt.Sprint(int(g.(number)) % s.networks) }

// fragile is a tiny space from which so many genomes can be drawn.
type fragile struct {
	tiny
	left int
}

var errFragile = errors.New("no more draws")

func (s *fragile) Random(*rand.Rand) (space.Genome, error) {
	if s.left == 0 {
		return nil, errFragile
	}
	s.left--
	return number(s.left), nil
}

// ask asks for genomes in portions.
func ask(t testing.TB, s Strategy, portions ...int) []space.Genome {
	t.Helper()
	var out []space.Genome
	for _, n := range portions {
		g, err := s.Ask(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(g) == 0 || len(g) > n {
			t.Fatalf("asked for %d genomes, got %d", n, len(g))
		}
		out = append(out, g...)
	}
	return out
}

func TestEveryListedStrategyCanBeMade(t *testing.T) {
	for _, info := range List() {
		s, err := New(info.Name, Options{Space: nb201Space(t)}) // small enough for a grid
		if err != nil {
			t.Fatal(err)
		}
		if s.Name() != info.Name || info.Description == "" || s.Round() < 0 {
			t.Errorf("%+v makes a strategy called %q with rounds of %d", info, s.Name(), s.Round())
		}
		ask(t, s, 1)
	}
}

func TestUnknownStrategyNamesTheKnown(t *testing.T) {
	_, err := New("evoltuion", Options{Space: tiny{2, 2, nil}})
	if err == nil || !strings.Contains(err.Error(), `"evoltuion"`) || !strings.Contains(err.Error(), "random") {
		t.Error(err)
	}
}

func TestASpaceIsRequired(t *testing.T) {
	if _, err := New("random", Options{}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Error(err)
	}
}

func TestRandomDependsOnSeedAndNumberAlone(t *testing.T) {
	s := chainSpace(t, space.Constraints{MaxFLOPs: 10e6})
	want := ask(t, NewRandom(Options{Space: s, Seed: 7}), 24)
	for name, got := range map[string][]space.Genome{
		"one at a time": ask(t, NewRandom(Options{Space: s, Seed: 7}), slices.Repeat([]int{1}, 24)...),
		"in portions":   ask(t, NewRandom(Options{Space: s, Seed: 7}), 5, 11, 8),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if slices.Equal(ask(t, NewRandom(Options{Space: s, Seed: 8}), 24), want) {
		t.Error("another seed gives the same proposals")
	}
}

func TestReplayGivesTheSameState(t *testing.T) {
	s := chainSpace(t, space.Constraints{})
	r := NewRandom(Options{Space: s, Seed: 7})
	history := ask(t, r, 10)
	for i, g := range history[:6] {
		r.Tell(Result{Trial: i, Genome: g, Score: float64(i), Failed: i == 3})
	}
	want := ask(t, r, 10)

	replay := NewRandom(Options{Space: s, Seed: 7})
	for i := range history[:6] {
		g := ask(t, replay, 1)[0]
		if g != history[i] {
			t.Fatalf("proposal %d is %v, was %v", i, g, history[i])
		}
		replay.Tell(Result{Trial: i, Genome: g, Score: float64(i), Failed: i == 3})
	}
	ask(t, replay, 4)
	if got := ask(t, replay, 10); !slices.Equal(got, want) {
		t.Errorf("after the replay %v, want %v", got, want)
	}
}

func TestRandomProposesNoNetworkTwice(t *testing.T) {
	s := chainSpace(t, space.Constraints{MaxFLOPs: 1e6})
	keys := map[string]space.Genome{}
	for _, g := range ask(t, NewRandom(Options{Space: s, Seed: 1}), 2000) {
		if err := s.Check(g); err != nil {
			t.Fatalf("%v: %v", g, err)
		}
		key := s.Key(g)
		if old, ok := keys[key]; ok {
			t.Fatalf("%v and %v are one network", old, g)
		}
		keys[key] = g
	}
}

func TestRandomFindsEveryNetworkAndIsExhausted(t *testing.T) {
	for _, networks := range []int{1, 7, 300} {
		s := tiny{4 * networks, networks, nil}
		r := NewRandom(Options{Space: s, Seed: 3})
		found := map[string]bool{}
		for {
			got, err := r.Ask(16)
			if errors.Is(err, ErrExhausted) && got == nil {
				break
			}
			if err != nil || len(got) == 0 {
				t.Fatalf("%v, %v", got, err)
			}
			for _, g := range got {
				found[s.Key(g)] = true
			}
		}
		if len(found) != networks {
			t.Errorf("found %d of %d networks", len(found), networks)
		}
		if _, err := r.Ask(1); !errors.Is(err, ErrExhausted) {
			t.Errorf("after the end: %v", err)
		}
	}
}

func TestToldNetworksAreNotProposed(t *testing.T) {
	s := tiny{40, 10, nil}
	r := NewRandom(Options{Space: s, Seed: 3})
	for n := range 9 {
		r.Tell(Result{Trial: -1, Genome: number(n)})
	}
	got := ask(t, r, 5)
	if len(got) != 1 || s.Key(got[0]) != "9" {
		t.Errorf("%v, want one genome of the network 9", got)
	}
}

func TestProposalsAreUniformOverTheRest(t *testing.T) {
	// The second proposal never is the first, and otherwise any with equal probability.
	s := tiny{5, 5, nil}
	var counts [5][5]int
	for seed := range uint64(10_000) {
		g := ask(t, NewRandom(Options{Space: s, Seed: seed}), 2)
		counts[g[0].(number)][g[1].(number)]++
	}
	for i := range counts {
		for j, n := range counts[i] {
			if i == j && n != 0 || i != j && (n < 380 || n > 620) {
				t.Errorf("%d then %d: %d times, want about 500", i, j, n)
			}
		}
	}
}

func TestAskRefusesSenselessNumbers(t *testing.T) {
	for _, n := range []int{0, -1} {
		if got, err := NewRandom(Options{Space: tiny{2, 2, nil}, Seed: 1}).Ask(n); err == nil || got != nil {
			t.Errorf("Ask(%d) = %v, %v", n, got, err)
		}
	}
}

func TestErrorsOfTheSpaceArePassedOn(t *testing.T) {
	broken := errors.New("nothing is allowed")
	_, err := NewRandom(Options{Space: tiny{2, 2, broken}, Seed: 1}).Ask(1)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "proposal 0") {
		t.Error(err)
	}
	fragile := &fragile{tiny{50, 50, nil}, 3}
	r := NewRandom(Options{Space: fragile, Seed: 1})
	if got := ask(t, r, 8); len(got) != 3 {
		t.Errorf("%d genomes before the error, want 3", len(got))
	}
	if got, err := r.Ask(8); !errors.Is(err, errFragile) || got != nil {
		t.Errorf("after the genomes: %v, %v", got, err)
	}
	_, err = NewRandom(Options{Space: chainSpace(t, space.Constraints{MaxParams: 1}), Seed: 1}).Ask(1)
	if _, ok := errors.AsType[*space.SampleError](err); !ok {
		t.Error(err)
	}
}
