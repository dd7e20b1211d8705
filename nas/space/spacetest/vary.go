package spacetest

import (
	"errors"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

// violated reports whether an error is that of a genome that the space has but that a constraint does not allow.
func violated(err error) bool {
	_, ok := errors.AsType[*space.Violation](err)
	return ok
}

// variations checks a space.Variable: what comes out reads back, is a different genome where it should be, and leaves
// its parents as they were.
func variations(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	v, ok := s.(space.Variable)
	if !ok {
		t.Skipf("space %s cannot be varied", s.Name())
	}
	whole := func(what string, from []space.Genome, texts []string, got space.Genome, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s of %v: %v", what, from, err)
		}
		if back, err := s.Parse(got.String()); err != nil || back.String() != got.String() {
			t.Fatalf("%s of %v gives %v, which reads as %v (%v)", what, from, got, back, err)
		}
		if err := s.Check(got); err != nil && !violated(err) {
			t.Fatalf("%s of %v gives %v: %v", what, from, got, err)
		}
		for i, g := range from {
			if g.String() != texts[i] {
				t.Fatalf("%s changed its parent from %s to %v", what, texts[i], g)
			}
		}
	}
	genomes := draw(t, s, 10, o.Genomes)
	rng, again := stream.New(12, "spacetest"), stream.New(12, "spacetest")
	changed, kept := 0, 0
	for i, g := range genomes {
		other := genomes[(i+1)%len(genomes)]
		parents, texts := []space.Genome{g, other}, []string{g.String(), other.String()}
		n, err := v.Neighbor(g, rng)
		whole("a neighbor", parents, texts, n, err)
		if n.String() == g.String() {
			t.Errorf("%v is its own neighbor", g)
		}
		still, err := v.Mutate(g, 0, rng)
		whole("a mutation at a rate of 0", parents, texts, still, err)
		if still.String() != g.String() {
			t.Errorf("%v mutated at a rate of 0 is %v", g, still)
		}
		m, err := v.Mutate(g, 0.5, rng)
		whole("a mutation", parents, texts, m, err)
		if m.String() != g.String() {
			changed++
		}
		c, err := v.Cross(g, other, rng)
		whole("a crossing", parents, texts, c, err)
		if c.String() == g.String() || c.String() == other.String() {
			kept++
		}
		same, err := v.Cross(g, g, rng)
		whole("a crossing with itself", parents, texts, same, err)
		if same.String() != g.String() {
			t.Errorf("%v crossed with itself is %v", g, same)
		}
		// The same stream gives the same once more.
		n2, _ := v.Neighbor(g, again)
		still2, _ := v.Mutate(g, 0, again)
		m2, _ := v.Mutate(g, 0.5, again)
		c2, _ := v.Cross(g, other, again)
		_, _ = v.Cross(g, g, again)
		for j, pair := range [][2]space.Genome{{n, n2}, {still, still2}, {m, m2}, {c, c2}} {
			if pair[0].String() != pair[1].String() {
				t.Fatalf("variation %d of %v is %v, then %v from the same stream", j, g, pair[0], pair[1])
			}
		}
	}
	if changed == 0 {
		t.Errorf("none of %d mutations at a rate of 0.5 changed anything", len(genomes))
	}
	if kept == len(genomes) {
		t.Errorf("none of %d crossings gave something new", len(genomes))
	}
	for _, g := range []space.Genome{nil, foreign{}} {
		if _, err := v.Mutate(g, 0.5, rng); err == nil {
			t.Errorf("%v can be mutated", g)
		}
		if _, err := v.Neighbor(g, rng); err == nil {
			t.Errorf("%v has a neighbor", g)
		}
		if _, err := v.Cross(genomes[0], g, rng); err == nil {
			t.Errorf("%v can be crossed", g)
		}
	}
}

// numbers checks a space.Countable: different numbers are different genomes, and there are no more of them than it says.
func numbers(t *testing.T, o Options) {
	s := o.space(t, o.Tasks[0], open)
	c, ok := s.(space.Countable)
	if !ok {
		t.Skipf("space %s has no numbers", s.Name())
	}
	n, ok := c.Count()
	if ok && n == 0 {
		t.Fatal("the space has no genomes")
	}
	if ok {
		if g, found := c.At(n); found && n < ^uint64(0) {
			t.Errorf("there are %d genomes, but number %d is %v", n, n, g)
		}
	} else {
		n = 1 << 62
	}
	texts := map[string]uint64{}
	check := func(number uint64) {
		g, ok := c.At(number)
		if !ok {
			return
		}
		if back, err := s.Parse(g.String()); err != nil || back.String() != g.String() {
			t.Fatalf("number %d is %v, which reads as %v (%v)", number, g, back, err)
		}
		if old, seen := texts[g.String()]; seen && old != number {
			t.Fatalf("numbers %d and %d are both %v", old, number, g)
		}
		texts[g.String()] = number
	}
	for number := range min(n, uint64(o.Genomes)) {
		check(number)
	}
	rng := stream.New(13, "spacetest")
	for range 4 * o.Genomes {
		check(rng.Uint64N(n))
	}
	check(n - 1)
	if len(texts) == 0 {
		t.Errorf("none of the numbers tried has a genome")
	}
}
