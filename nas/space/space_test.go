package space

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var fashion = Task{Height: 28, Width: 28, Channels: 1, Classes: 10}

// tasks have even, odd and mixed sides, and maps too small for a pool to shrink.
var tasks = []Task{
	fashion,
	{32, 32, 3, 10},
	{7, 9, 2, 5},
	{1, 1, 1, 2},
	{64, 48, 3, 7},
	{9, 8, 3, 4},
	{8, 15, 16, 3},
	{17, 33, 4, 6},
}

func newSpace(t testing.TB, task Task, c Constraints) Space {
	t.Helper()
	s, err := New("chain", task, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t testing.TB, text string) ChainGenome {
	t.Helper()
	g, err := parseChain(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g
}

// wantError fails unless err is not nil and contains all the words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not contain %q", err, w)
		}
	}
}

func TestEveryListedSpaceCanBeMade(t *testing.T) {
	for _, info := range List() {
		s, err := New(info.Name, fashion, Constraints{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Name() != info.Name || info.Description == "" {
			t.Errorf("%+v makes a space called %q", info, s.Name())
		}
	}
}

func TestUnknownSpaceNamesTheKnown(t *testing.T) {
	_, err := New("chian", fashion, Constraints{})
	wantError(t, err, `"chian"`, "chain")
}

func TestImpossibleTasksAreRefused(t *testing.T) {
	for _, task := range []Task{
		{}, {0, 28, 1, 10}, {28, -1, 1, 10}, {28, 28, 0, 10}, {28, 28, 1, 1}, {maxSide + 1, 28, 1, 10},
		{28, 28, maxChannels + 1, 10}, {28, 28, 1, maxClasses + 1},
	} {
		_, err := New("chain", task, Constraints{})
		wantError(t, err, "task")
	}
}

func TestImpossibleConstraintsAreRefused(t *testing.T) {
	for name, c := range map[string]Constraints{
		"MaxFLOPs":           {MaxFLOPs: -1},
		"MaxParams":          {MaxParams: -1},
		"MaxActivationBytes": {MaxActivationBytes: -1},
		"MinParams":          {MinParams: -1},
		"MinParams is 2":     {MinParams: 2, MaxParams: 1},
		"MaxLatency":         {MaxLatency: time.Second},
	} {
		_, err := New("chain", fashion, c)
		wantError(t, err, name)
	}
}

func TestCheckGivesTheReason(t *testing.T) {
	slow := func(Genome) (time.Duration, error) { return 30 * time.Millisecond, nil }
	broken := errors.New("no clock")
	wide := "conv3x3(128), conv3x3(128):concat, conv3x3(128):concat, conv3x3(128):concat, skip:concat"
	small := "conv3x3(16), skip, skip"
	weightless := "skip, pool3x3(max), skip:concat"
	for _, c := range []struct {
		name, genome string
		constraints  Constraints
		want         string // "" if the genome is allowed
	}{
		{"channels by default", wide, Constraints{}, "1,024 channels"},
		{"channels, bound named", wide, Constraints{}, "512 allowed"},
		{"more channels", wide, Constraints{MaxChannels: 1024}, ""},
		{"any channels", wide, Constraints{MaxChannels: -1}, ""},
		{"fewer channels", small, Constraints{MaxChannels: 15}, "16 channels"},
		{"no weights", weightless, Constraints{}, "no operation has weights"},
		{"no weights, allowed", weightless, Constraints{AllowWeightless: true}, ""},
		{"small", small, Constraints{}, ""},
		{"FLOPs at the bound", small, Constraints{MaxFLOPs: smallCost.FLOPs}, ""},
		{"FLOPs", small, Constraints{MaxFLOPs: smallCost.FLOPs - 1}, "276,298 FLOPs for an image are more than the 276,297 allowed"},
		{"parameters at the bound", small, Constraints{MaxParams: smallCost.Params}, ""},
		{"parameters", small, Constraints{MaxParams: smallCost.Params - 1}, "346 parameters"},
		{"activations at the bound", small, Constraints{MaxActivationBytes: smallCost.ActivationBytes}, ""},
		{"activations", small, Constraints{MaxActivationBytes: smallCost.ActivationBytes - 1}, "bytes of activations"},
		{"fewest parameters at the bound", small, Constraints{MinParams: smallCost.Params}, ""},
		{"fewest parameters", small, Constraints{MinParams: smallCost.Params + 1}, "346 parameters are fewer than the 347 required"},
		{"latency at the bound", small, Constraints{MaxLatency: 30 * time.Millisecond, Latency: slow}, ""},
		{"latency", small, Constraints{MaxLatency: 20 * time.Millisecond, Latency: slow}, "30ms is more than the 20ms allowed"},
		{"latency without bound", small, Constraints{Latency: slow}, ""},
		{"latency that cannot be measured", small, Constraints{MaxLatency: 1, Latency: func(Genome) (time.Duration, error) { return 0, broken }}, "no clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := newSpace(t, fashion, c.constraints).Check(parse(t, c.genome))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, c.want)
			if _, ok := errors.AsType[*Violation](err); !ok && !errors.Is(err, broken) {
				t.Errorf("%T is not a Violation", err)
			}
		})
	}
}

func TestDigitsGroupThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := digits(n); got != want {
			t.Errorf("digits(%d) = %q, want %q", n, got, want)
		}
	}
}

type foreign struct{}

func (foreign) String() string               { return "foreign" }
func (foreign) MarshalJSON() ([]byte, error) { return []byte(`"foreign"`), nil }

func TestGenomesOfOtherSpacesAreRefused(t *testing.T) {
	s := newSpace(t, fashion, Constraints{})
	for _, g := range []Genome{foreign{}, nil, ChainGenome{}} {
		wantError(t, s.Check(g), "space chain")
		_, err := s.Cost(g)
		wantError(t, err, "space chain")
		_, err = s.Build(g, newScope())
		wantError(t, err, "space chain")
		if key := s.Key(g); key != "" {
			t.Errorf("%v has the key %q", g, key)
		}
	}
}
