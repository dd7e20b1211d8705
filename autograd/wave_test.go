package autograd

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/tensor"
)

// wideWaves put everything that can be together into waves, however small it is.
func wideWaves() *waveRules {
	return &waveRules{parts: 64, back: 64, ahead: 64, share: math.MaxInt32, growth: 1, always: 1 << 20, most: math.MaxInt32}
}

var noWaves = &waveRules{alone: true}

func TestConflicts(t *testing.T) {
	memory := make([]float32, 100)
	at := func(lo, hi int) []float32 { return memory[lo:hi] }
	print := func(reads, writes [][]float32) *footprint {
		f := &footprint{}
		for _, r := range reads {
			f.read(r)
		}
		for _, w := range writes {
			f.write(w)
		}
		f.reads, f.writes = sorted(f.reads), sorted(f.writes)
		return f
	}
	none := [][]float32(nil)
	for _, c := range []struct {
		name                           string
		reads, writes, reads2, writes2 [][]float32
		want                           bool
	}{
		{"write, then read", none, [][]float32{at(10, 20)}, [][]float32{at(19, 30)}, none, true},
		{"read, then write", [][]float32{at(10, 20)}, none, none, [][]float32{at(0, 11)}, true},
		{"write twice", none, [][]float32{at(10, 20)}, none, [][]float32{at(12, 13)}, true},
		{"read twice", [][]float32{at(10, 20)}, [][]float32{at(30, 40)}, [][]float32{at(10, 20)}, [][]float32{at(40, 50)}, false},
		{"neighbours", [][]float32{at(10, 20)}, [][]float32{at(20, 30)}, [][]float32{at(0, 10), at(60, 70)}, [][]float32{at(30, 40)}, false},
		{"in place", [][]float32{at(10, 20)}, [][]float32{at(10, 20)}, [][]float32{at(10, 20)}, [][]float32{at(50, 60)}, true},
		{"the last of many", [][]float32{at(0, 5), at(90, 95), at(40, 45)}, none, none, [][]float32{at(10, 20), at(94, 95), at(30, 40)}, true},
		{"between many", [][]float32{at(0, 5), at(90, 95), at(40, 45)}, none, none, [][]float32{at(5, 40), at(45, 90), at(95, 100)}, false},
		{"nothing in the middle of something", none, [][]float32{at(15, 15)}, [][]float32{at(10, 20)}, none, false},
	} {
		a, b := print(c.reads, c.writes), print(c.reads2, c.writes2)
		if a.conflicts(b) != c.want || b.conflicts(a) != c.want {
			t.Errorf("%s: conflicts %v and %v, want %v", c.name, a.conflicts(b), b.conflicts(a), c.want)
		}
	}
}

// wavesOf returns the waves in which the steps of a node run, the first and the last.
func wavesOf(t *testing.T, p *Program, n *Node) (first, last int) {
	t.Helper()
	first = -1
	for i, w := range p.waves {
		for _, s := range p.steps[w.first : w.last+1] {
			if s.node == n {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
	}
	if first < 0 {
		t.Fatalf("%v has no step", n)
	}
	return first, last
}

func TestBranchesShareWaves(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 1, 6, 6, 4)
	weight := func(name string) *Node {
		v := tensor.New(3, 3, 4, 4)
		fill(v.Data(), CaseInput{}, stream.New(1, name))
		return g.Variable(name, v)
	}
	conv := func(x *Node, w string) *Node { return Conv2D(x, weight(w), ConvOptions{Padding: Both(1)}) }
	a1 := conv(x, "a1")
	a2 := SiLU(a1)
	a3 := conv(a2, "a3")
	b1 := conv(x, "b1")
	b2 := Sigmoid(b1)
	b3 := conv(b2, "b3")
	y := Mul(a3, b3)
	p, err := Compile(Options{Outputs: []*Node{y}, waves: wideWaves()})
	if err != nil {
		t.Fatal(err)
	}
	before := -1
	for _, pair := range [][2]*Node{{a1, b1}, {a2, b2}, {a3, b3}, {y, y}} {
		a, aLast := wavesOf(t, p, pair[0])
		b, bLast := wavesOf(t, p, pair[1])
		if a != b || aLast != bLast {
			t.Errorf("%v runs in waves %d to %d, %v in %d to %d", pair[0], a, aLast, pair[1], b, bLast)
		}
		if a <= before {
			t.Errorf("%v runs in wave %d, what it reads in %d", pair[0], a, before)
		}
		before = aLast
	}
	alone, err := Compile(Options{Outputs: []*Node{y}, waves: noWaves})
	if err != nil {
		t.Fatal(err)
	}
	if len(alone.waves) != len(alone.steps) || len(p.waves) >= len(p.steps) {
		t.Errorf("%d waves of %d steps, without them %d of %d", len(p.waves), len(p.steps), len(alone.waves), len(alone.steps))
	}
}

// Two normalisations that move the same running statistics do it one after the other. What reads the statistics sees neither, both, or one of them as it
// stands in the graph, though nothing else makes it wait.
func TestWavesKeepTheOrderOfVariables(t *testing.T) {
	run := func(waves *waveRules) (*Program, []float32) {
		g := NewGraph()
		mean, variance := tensor.New(3), tensor.Full(1, 3)
		m, v := g.Variable("mean", mean), g.Variable("var", variance)
		ones, zeros := g.Constant(tensor.Full(1, 3)), g.Constant(tensor.New(3))
		x, z := g.Input("x", 4, 3), g.Input("z", 4, 3)
		var outputs []*Node
		read := func(after *Node) { outputs = append(outputs, BatchNorm(after, ones, zeros, m, v, BatchNormOptions{})) }
		read(SiLU(SiLU(x)))
		outputs = append(outputs, BatchNorm(x, ones, zeros, m, v, BatchNormOptions{Training: true}))
		read(x)
		outputs = append(outputs, BatchNorm(z, ones, zeros, m, v, BatchNormOptions{Training: true, Momentum: 0.7}))
		read(x)
		p, err := Compile(Options{Outputs: outputs, waves: waves})
		if err != nil {
			t.Fatal(err)
		}
		fill(p.Tensor(x).Data(), CaseInput{}, stream.New(1, "x"))
		fill(p.Tensor(z).Data(), CaseInput{}, stream.New(1, "z"))
		p.Run(0)
		values := slices.Concat(mean.Data(), variance.Data())
		for _, n := range outputs {
			values = append(values, p.Tensor(n).Data()...)
		}
		return p, values
	}
	p, got := run(wideWaves())
	_, want := run(noWaves)
	if !slices.Equal(got, want) {
		t.Errorf("%v, without waves %v", got, want)
	}
	if len(p.waves) >= len(p.steps) {
		t.Errorf("%d waves of %d steps", len(p.waves), len(p.steps))
	}
	seen := map[int]bool{}
	updates := 0
	for _, n := range p.Nodes() {
		if n.Name() != "update_statistics" {
			continue
		}
		w, _ := wavesOf(t, p, n)
		if seen[w] {
			t.Errorf("two steps of wave %d move the same statistics", w)
		}
		seen[w] = true
		updates++
	}
	if updates != 2 {
		t.Errorf("%d updates", updates)
	}
}

// runBackwards runs every wave of a program with its turns in the opposite order and nothing left in the scratch memory by others: the values are the same only if no step of
// a wave needs another of it.
func runBackwards(p *Program, clock uint64) {
	p.clock = clock
	p.prepare()
	scratch := p.scratch[0]
	run := func(s *step, part int) {
		for i := range scratch {
			scratch[i] = float32(math.NaN())
		}
		s.run(part, scratch)
	}
	for _, w := range p.waves {
		if len(w.turns) == 0 {
			s := &p.steps[w.first]
			for part := s.parts - 1; part >= 0; part-- {
				run(s, part)
			}
		}
		for i := len(w.turns) - 1; i >= 0; i-- {
			run(&p.steps[w.turns[i].step], w.turns[i].part)
		}
	}
}

// Random graphs with their gradients give the same bits in waves as in the plain order, on any number of threads, and in whatever order the steps of a wave run.
func TestWavesInRandomGraphs(t *testing.T) {
	three, two := kernels.NewThreads(3), kernels.NewThreads(2)
	defer three.Close()
	defer two.Close()
	steps, waves := 0, 0
	for seed := range uint64(150) {
		images := 1 + int(seed%7)
		rules := smallRules(seed%3 == 0)
		_, want := runRandom(t, Options{rules: rules, waves: noWaves}, seed, images)
		check := func(what string, got [][]float32) {
			t.Helper()
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("seed %d: value %d differs between the plain order and %s", seed, i, what)
				}
			}
		}
		p, got := runRandom(t, Options{rules: rules, waves: wideWaves()}, seed, images)
		check("waves", got)
		steps, waves = steps+len(p.steps), waves+len(p.waves)
		for _, threads := range []*kernels.Threads{two, three} {
			_, got = runRandom(t, Options{rules: rules, waves: wideWaves(), Threads: threads}, seed, images)
			check(fmt.Sprintf("waves on %d threads", threads.Count()), got)
		}
		_, got = runRandomBy(t, runBackwards, Options{rules: rules, waves: wideWaves()}, seed, images)
		check("waves backwards", got)
		inOrder(t, p)
	}
	if 3*waves > 2*steps {
		t.Errorf("%d steps in %d waves: the test sees too little of them", steps, waves)
	}
}

// inOrder checks that the nodes of a program stand behind those that they read and that every step runs once.
func inOrder(t *testing.T, p *Program) {
	t.Helper()
	at := map[*Node]int{}
	for i, n := range p.Nodes() {
		at[n] = i + 1
	}
	for i, n := range p.Nodes() {
		for _, in := range n.in {
			if at[in] == 0 || at[in] > i {
				t.Fatalf("%v stands before its input %v", n, in)
			}
		}
	}
	next := 0
	for _, w := range p.waves {
		if w.first != next || w.last < w.first {
			t.Fatalf("a wave of steps %d to %d comes at step %d", w.first, w.last, next)
		}
		next = w.last + 1
		seen := map[turn]bool{}
		parts := 0
		for i := w.first; i <= w.last; i++ {
			parts += p.steps[i].parts
		}
		for _, t := range w.turns {
			seen[t] = true
		}
		if w.first < w.last && (len(seen) != parts || len(w.turns) != parts) {
			t.Fatalf("a wave has %d turns, its steps %d parts", len(w.turns), parts)
		}
	}
	if next != len(p.steps) {
		t.Fatalf("the waves have %d steps of %d", next, len(p.steps))
	}
}

// Waves take no more memory than their rules allow, and a bound on memory comes first.
func TestWavesStayWithinMemory(t *testing.T) {
	grown, refused := 0, 0
	for seed := range uint64(200) {
		rules := wideWaves()
		rules.growth, rules.always = 64, 64
		outputs, _ := lossAndGradients(t, seed, 4)
		compile := func(o Options) *Program {
			o.Outputs, o.rules = outputs, smallRules(false)
			p, err := Compile(o)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		plain := compile(Options{waves: noWaves})
		need := plain.ArenaBytes() + inputBytes(plain.Nodes())
		allowed := plain.ArenaBytes() + max(need/64, 4*64)
		if p := compile(Options{waves: rules}); p.ArenaBytes() > allowed {
			t.Errorf("seed %d: %d bytes in waves, %d without, %d allowed", seed, p.ArenaBytes(), plain.ArenaBytes(), allowed)
		}
		wide := compile(Options{waves: wideWaves()})
		if wide.ArenaBytes() <= plain.ArenaBytes() {
			continue
		}
		grown++
		if wide.ArenaBytes() > allowed {
			refused++
		}
		if p := compile(Options{waves: wideWaves(), MaxBytes: need + plain.ScratchBytes()}); p.ArenaBytes() > plain.ArenaBytes() {
			t.Errorf("seed %d: %d bytes in waves, a bound allows %d", seed, p.ArenaBytes(), plain.ArenaBytes())
		}
	}
	if grown < 15 || refused < 5 {
		t.Errorf("%d programs would grow, %d of them too much: the test sees too little", grown, refused)
	}
}

// A step with many parts runs alone, a wave of next to nothing on the caller's thread.
func TestWhatIsWorthAWave(t *testing.T) {
	g := NewGraph()
	x := g.Input("x", 1<<21)
	big := []*Node{SiLU(x), Sigmoid(x)}
	y := g.Input("y", 64)
	small := []*Node{SiLU(y), Sigmoid(y)}
	p, err := Compile(Options{Outputs: slices.Concat(big, small)})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range big {
		if w, _ := wavesOf(t, p, n); p.waves[w].first != p.waves[w].last {
			t.Errorf("%v shares a wave", n)
		}
	}
	a, _ := wavesOf(t, p, small[0])
	b, _ := wavesOf(t, p, small[1])
	if a != b || !p.waves[a].small {
		t.Errorf("operations on 64 elements run in waves %d and %d, not worth threads: %v", a, b, p.waves[a].small)
	}
	middle := func(n int) *wave {
		g := NewGraph()
		x := g.Input("x", n)
		p, err := Compile(Options{Outputs: []*Node{SiLU(x), Sigmoid(x)}})
		if err != nil {
			t.Fatal(err)
		}
		return &p.waves[0]
	}
	if w := middle(1 << 15); w.small || len(w.turns) != 2 {
		t.Errorf("operations on 32768 elements make %+v", w)
	}
}

// Timing and labels see every step of a wave, and change nothing.
func TestTimesOfWaves(t *testing.T) {
	threads := kernels.NewThreads(2)
	defer threads.Close()
	o := Options{rules: smallRules(false), waves: wideWaves(), Threads: threads}
	var p *Program
	times := []time.Duration{}
	_, want := runRandom(t, o, 7, 5)
	p, got := runRandomBy(t, func(p *Program, clock uint64) {
		times = slices.Grow(times, len(p.Steps()))[:len(p.Steps())]
		p.RunTimed(clock, times)
	}, o, 7, 5)
	_, labelled := runRandomBy(t, func(p *Program, clock uint64) {
		p.Label()
		p.Run(clock)
	}, o, 7, 5)
	for i := range want {
		if !slices.Equal(got[i], want[i]) || !slices.Equal(labelled[i], want[i]) {
			t.Fatalf("value %d differs when steps are timed or labelled", i)
		}
	}
	var sum time.Duration
	for i, d := range times {
		if d <= 0 {
			t.Errorf("step %d, of %v, took %v", i, p.Steps()[i], d)
		}
		sum += d
	}
	if len(p.waves) >= len(p.steps) || sum > time.Minute {
		t.Errorf("%d waves of %d steps took %v", len(p.waves), len(p.steps), sum)
	}
	if allocs := testing.AllocsPerRun(3, func() { p.Run(1) }); allocs != 0 {
		t.Errorf("a run allocates %v times", allocs)
	}
}

// What several operations of a moment read is not written over by one of them, so that they can share a wave.
func TestReadersOfOneValueShareAWave(t *testing.T) {
	for _, images := range []int{1, 8} { // single operations and groups
		g := NewGraph()
		x := g.Input("x", images, 4, 4, 3)
		v := Exp(x)
		first, second := Sigmoid(v), SiLU(Reshape(v, images, 48))
		p, err := Compile(Options{Outputs: []*Node{first, second}, rules: &groupRules{alone: true, images: 4, elements: 1, parts: 4, block: 100, reduce: 100}, waves: wideWaves()})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := wavesOf(t, p, first)
		b, _ := wavesOf(t, p, second)
		if a != b {
			t.Errorf("%d images: %v and %v run in waves %d and %d", images, first, second, a, b)
		}
	}
}

// Kernels are packed in a wave before the one that reads them.
func TestKernelsArePackedBeforeTheyAreRead(t *testing.T) {
	run := func(waves *waveRules, run func(*Program, uint64)) (*Program, []float32) {
		g, rng := NewGraph(), stream.New(1, "kernels")
		x := g.Input("x", 8, 6, 6, 24)
		var variables []*Node
		conv := func(x *Node) *Node {
			v := tensor.New(3, 3, 24, 24)
			fill(v.Data(), CaseInput{}, rng)
			variables = append(variables, g.Variable(fmt.Sprint(len(variables)), v))
			return Conv2D(x, variables[len(variables)-1], ConvOptions{Padding: Both(1)})
		}
		y := x
		for range 3 {
			y = Mean(Add(conv(SiLU(conv(SiLU(y)))), conv(Sigmoid(conv(Sigmoid(y))))), 0)
			y = Broadcast(Reshape(y, 1, 6, 6, 24), x.shape...) // ends the group
		}
		loss := Mean(y)
		grads, err := Grad(loss, variables)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(Options{Outputs: append(grads, loss), rules: smallRules(false), waves: waves})
		if err != nil {
			t.Fatal(err)
		}
		fill(p.Tensor(x).Data(), CaseInput{}, rng)
		run(p, 0)
		var values []float32
		for _, n := range append(grads, loss) {
			values = append(values, p.Tensor(n).Data()...)
		}
		return p, values
	}
	p, got := run(wideWaves(), (*Program).Run)
	_, backwards := run(wideWaves(), runBackwards)
	_, want := run(noWaves, (*Program).Run)
	if !slices.Equal(got, want) || !slices.Equal(backwards, want) {
		t.Error("the values differ")
	}
	packed, shared := 0, 0
	for _, w := range p.waves {
		for _, s := range p.steps[w.first : w.last+1] {
			if s.once != nil {
				packed++
				if w.first < w.last {
					shared++
				}
			}
		}
	}
	table, err := kernels.Active()
	if err != nil {
		t.Fatal(err)
	}
	if table.PackedConv(&kernels.Conv{N: 8, H: 6, W: 6, C: 24, K: 24, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1,
		DilationW: 1, Groups: 1, Ho: 6, Wo: 6, XStride: 24, YStride: 24}) == 0 { // the level reads kernels as they are stored
		if packed > 0 {
			t.Errorf("%d kernels are packed for nothing", packed)
		}
		return
	}
	if packed < 12 || shared < 6 {
		t.Errorf("%d kernels are packed, %d of them together with something else", packed, shared)
	}
}
