package space

import (
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

func TestEqualNetworksHaveEqualKeys(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"a sequential skip changes nothing", "conv3x3(16), fc(64), conv3x3(32)", "conv3x3(16), skip, fc(64), skip, conv3x3(32), skip"},
		{"a skip in front", "skip, conv3x3(16), conv3x3(32):add", "skip, skip, conv3x3(16), conv3x3(32):add"},
		{"after a skip, x and z are the same", "conv3x3(16), skip, conv3x3(32):add", "conv3x3(16), skip, conv3x3(32):skip"},
		{"and of the same kind without it", "conv3x3(16), fc(64), conv3x3(32):add", "conv3x3(16), fc(64), skip, conv3x3(32):skip"},
		{"the shortcut may come a layer later", "conv3x3(16), conv3x3(32):add, fc(64)", "conv3x3(16), conv3x3(32), skip:skip, fc(64)"},
		{"identity shortcuts too", "conv3x3(16), conv3x3(16):add, fc(64)", "conv3x3(16), conv3x3(16), skip:skip, fc(64)"},
		{"pooled shortcuts too", "conv3x3(16), pool3x3(max):add, fc(64)", "conv3x3(16), pool3x3(max), skip:skip, fc(64)"},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if a.key(fashion) != b.key(fashion) {
			t.Errorf("%s: %q and %q", c.name, a.describe(fashion), b.describe(fashion))
		}
	}
}

func TestDifferentNetworksHaveDifferentKeys(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"operation", "conv3x3(16), skip, skip", "conv5x5(16), skip, skip"},
		{"parameter", "conv3x3(16), skip, skip", "conv3x3(32), skip, skip"},
		{"pool type", "conv3x3(16), pool3x3(max), skip", "conv3x3(16), pool3x3(avg), skip"},
		{"depth", "conv3x3(16), conv3x3(16), skip", "conv3x3(16), conv3x3(16), conv3x3(16)"},
		{"order", "conv3x3(16), fc(64), skip", "fc(64), conv3x3(16), skip"},
		{"x and z", "conv3x3(16), fc(64), conv3x3(64):add", "conv3x3(16), fc(64), conv3x3(64):skip"},
		{"what z is afterwards", "conv3x3(16), conv3x3(16):add, fc(64):skip", "conv3x3(16), conv3x3(16), skip:skip, fc(64):skip"},
		{"adding a value to itself", "conv3x3(16), skip:add, skip", "conv3x3(16), skip, skip"},
		{"a value twice", "conv3x3(16), skip:concat, skip", "conv3x3(16), skip:add, skip"},
		{"one projection and two", "fc(64), conv3x3(16):add, skip:skip", "fc(64), conv3x3(16), skip:skip"},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if a.key(fashion) == b.key(fashion) {
			t.Errorf("%s: %v and %v are both %q", c.name, a, b, a.describe(fashion))
		}
	}
}

// TestKeysAgreeWithTheDefinition compares all pairs of a part of the space in which many
// genomes build the same network.
func TestKeysAgreeWithTheDefinition(t *testing.T) {
	for _, task := range []Task{{9, 9, 16, 10}, {5, 5, 1, 2}} {
		var genomes []ChainGenome
		ops := []chainLayer{{op: conv3x3, param: 16}, {op: skip}, {op: pool3x3, param: avgPool}}
		var grow func(g ChainGenome, depth int)
		grow = func(g ChainGenome, depth int) {
			if depth == 0 {
				genomes = append(genomes, g)
				return
			}
			for _, l := range ops {
				for l.connection = 0; int(l.connection) < len(chainConnections); l.connection++ {
					h := g
					if h.push(l) == nil {
						grow(h, depth-1)
					}
				}
			}
		}
		grow(ChainGenome{}, 3)
		rng := stream.New(4, "test")
		for range 300 {
			g := randomChain(rng)
			for i := range g.layers[:g.depth] {
				connection := g.layers[i].connection
				g.layers[i] = ops[rng.IntN(len(ops))]
				g.layers[i].connection = connection
			}
			genomes = append(genomes, g)
		}
		keys := make([]string, len(genomes))
		networks := make([]*refNode, len(genomes))
		for i, g := range genomes {
			keys[i], networks[i] = g.key(task), reference(g, task)
		}
		equal := 0
		for i := range genomes {
			for j := range i {
				same := sameNetwork(networks[i], networks[j])
				if same {
					equal++
				}
				if same != (keys[i] == keys[j]) {
					t.Fatalf("%v: %v and %v: same network %v, keys %s and %s", task, genomes[i], genomes[j], same, keys[i], keys[j])
				}
			}
		}
		if equal < 100 {
			t.Errorf("%v: only %d pairs build the same network: the test shows little", task, equal)
		}
	}
}

// TestKeysAreStable guards the keys of stored trials. A change here needs a new
// chainKeyPrefix.
func TestKeysAreStable(t *testing.T) {
	for text, want := range map[string]string{
		"conv3x3(16), skip, skip": "chain1-867df676db2709c273d99d9f",
		"conv3x3(32), pool3x3(max):skip, conv5x5(64):add, pool3x3(avg):concat, skip:concat, fc(256):concat": "chain1-4ba9e2a167817234477ddd70",
	} {
		g := parse(t, text)
		if got := g.key(fashion); got != want {
			t.Errorf("%s: %s is %s, want %s", text, g.describe(fashion), got, want)
		}
	}
}
