package tensor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// liveBound is the largest sum of (rounded) sizes live at one step, counted step by
// step.
func liveBound(bufs []Buffer, align int) int {
	largest := 0
	for _, at := range bufs {
		sum := 0
		for _, b := range bufs {
			if b.First <= at.First && at.First <= b.Last {
				sum += (b.Size + align - 1) / align * align
			}
		}
		largest = max(largest, sum)
	}
	return largest
}

func checkPlan(t *testing.T, bufs []Buffer, align int) int {
	t.Helper()
	offsets, total := PlanArena(bufs, align)
	if len(offsets) != len(bufs) {
		t.Fatalf("%d offsets for %d buffers", len(offsets), len(bufs))
	}
	for i, a := range bufs {
		if offsets[i] < 0 || offsets[i]+a.Size > total {
			t.Fatalf("buffer %d %+v at %d leaves the arena of %d", i, a, offsets[i], total)
		}
		if offsets[i]%align != 0 {
			t.Fatalf("buffer %d at %d is not aligned to %d", i, offsets[i], align)
		}
		for j, b := range bufs[:i] {
			together := a.First <= b.Last && b.First <= a.Last
			share := offsets[i] < offsets[j]+b.Size && offsets[j] < offsets[i]+a.Size
			if together && share && a.Size > 0 && b.Size > 0 {
				t.Fatalf("buffers %d %+v at %d and %d %+v at %d overlap", j, b, offsets[j], i, a, offsets[i])
			}
		}
	}
	if bound := liveBound(bufs, align); total < bound {
		t.Fatalf("total %d is below the live sum %d", total, bound)
	}
	return total
}

func randomBuffers(rng *rand.Rand, n, steps, life, size int) []Buffer {
	bufs := make([]Buffer, n)
	for i := range bufs {
		first := rng.IntN(steps)
		bufs[i] = Buffer{Size: rng.IntN(size), First: first, Last: first + rng.IntN(life)}
	}
	return bufs
}

func TestArenaLiveBuffersNeverShareMemory(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rng.IntN(60)
		bufs := randomBuffers(rng, n, 1+rng.IntN(50), 1+rng.IntN(20), 1+rng.IntN(1000))
		checkPlan(t, bufs, 1+rng.IntN(32))
	}
}

func TestArenaStaysNearTheLowerBound(t *testing.T) {
	sum, bounds := 0, 0
	for seed := range uint64(50) {
		bufs := randomBuffers(rand.New(rand.NewPCG(seed, 2)), 200, 200, 12, 1000)
		sum += checkPlan(t, bufs, 16)
		bounds += liveBound(bufs, 16)
	}
	if float64(sum) > 1.1*float64(bounds) {
		t.Fatalf("arenas of %d elements for live sums of %d", sum, bounds)
	}
}

func TestArenaOfAChainReachesTheLowerBound(t *testing.T) {
	chains := [][]int{{7}, {3, 5}, {5, 5, 5, 5}, {10, 3, 8, 9}, {1, 2, 3, 4, 5}, {9, 7, 5, 3}, {100, 1, 1, 100}}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		sizes := make([]int, 1+rng.IntN(40))
		for i := range sizes {
			sizes[i] = rng.IntN(100)
		}
		chains = append(chains, sizes)
	}
	for _, sizes := range chains {
		bufs := make([]Buffer, len(sizes))
		for i, s := range sizes {
			bufs[i] = Buffer{Size: s, First: i, Last: i + 1}
		}
		for _, align := range []int{1, 16} {
			if total, bound := checkPlan(t, bufs, align), liveBound(bufs, align); total != bound {
				t.Errorf("chain %v align %d: arena of %d, want %d", sizes, align, total, bound)
			}
		}
	}
}

// Activations of a training step live until their gradient: lives are nested, with
// short temporaries between them.
func TestArenaOfATrainingStepReachesTheLowerBound(t *testing.T) {
	const n = 30
	var bufs []Buffer
	for i := range n {
		bufs = append(bufs, Buffer{Size: 1000 - 20*i, First: i, Last: 2*n - i})
		bufs = append(bufs, Buffer{Size: 900 - 20*i, First: 2*n - i, Last: 2*n - i + 1})
	}
	total, bound := checkPlan(t, bufs, 16), liveBound(bufs, 16)
	if total != bound {
		t.Fatalf("arena of %d, want %d", total, bound)
	}
}

func TestArenaEdgeCases(t *testing.T) {
	for _, c := range []struct {
		name  string
		bufs  []Buffer
		align int
		total int
	}{
		{"nothing", nil, 16, 0},
		{"zero sizes", []Buffer{{0, 0, 9}, {0, 3, 3}}, 16, 0},
		{"zero beside one", []Buffer{{0, 0, 9}, {5, 3, 3}}, 1, 5},
		{"rounded up", []Buffer{{1, 0, 1}, {1, 1, 2}}, 16, 32},
		{"last step is included", []Buffer{{4, 0, 1}, {4, 1, 1}}, 1, 8},
		{"apart in time", []Buffer{{4, 0, 0}, {4, 1, 1}}, 1, 4},
		{"negative steps", []Buffer{{4, -3, -2}, {4, -1, 0}}, 1, 4},
		{"no alignment", []Buffer{{4, 0, 0}, {3, 0, 1}}, 0, 7},
	} {
		if total := checkPlan(t, c.bufs, max(c.align, 1)); total != c.total {
			t.Errorf("%s: arena of %d, want %d", c.name, total, c.total)
		}
	}
}

func TestArenaIsDeterministicAndLeavesItsInput(t *testing.T) {
	bufs := randomBuffers(rand.New(rand.NewPCG(1, 4)), 500, 300, 30, 1000)
	before := slices.Clone(bufs)
	offsets, total := PlanArena(bufs, 16)
	for range 5 {
		again, size := PlanArena(bufs, 16)
		if size != total || !slices.Equal(again, offsets) {
			t.Fatal("two plans of the same buffers differ")
		}
	}
	if !slices.Equal(bufs, before) {
		t.Fatal("PlanArena changed its input")
	}
}

func TestArenaRefusesNonsense(t *testing.T) {
	for _, b := range []Buffer{{-1, 0, 0}, {1, 3, 2}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was accepted", b)
				}
			}()
			PlanArena([]Buffer{b}, 1)
		}()
	}
}

func ExamplePlanArena() {
	// Three activations of a chain: each is live while the next is computed.
	offsets, total := PlanArena([]Buffer{
		{Size: 64, First: 0, Last: 1},
		{Size: 32, First: 1, Last: 2},
		{Size: 64, First: 2, Last: 3},
	}, 16)
	fmt.Println(offsets, total)
	// Output: [0 64 0] 96
}

func BenchmarkPlanArena(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		bufs := randomBuffers(rand.New(rand.NewPCG(1, 5)), n, n, 20, 10000)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				PlanArena(bufs, 16)
			}
		})
	}
}
