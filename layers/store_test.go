package layers

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/tensor"
)

func TestPathsKindsAndOrderOfParameters(t *testing.T) {
	store := NewStore(1)
	block := store.Root().Sub("block1")
	block.Sub("conv").Param("weight", Weight, Ones, 3, 3, 2, 4)
	block.Param("running_mean", Buffer, Zeros, 4)
	store.Root().Param("bias", Bias, Constant(0.5), 4)

	var names []string
	for _, p := range store.All() {
		names = append(names, p.Name+":"+p.Kind.String())
	}
	want := []string{"block1.conv.weight:weight", "block1.running_mean:buffer", "bias:bias"}
	if !slices.Equal(names, want) {
		t.Errorf("All: %v, want %v", names, want)
	}
	if tr := store.Trainable(); len(tr) != 2 || tr[0].Name != "block1.conv.weight" || tr[1].Name != "bias" {
		t.Errorf("Trainable: %v", tr)
	}
	if n := store.Elements(); n != 72+4 {
		t.Errorf("Elements = %d, want 76", n)
	}
	if p := store.Lookup("bias"); p == nil || p.Value.Data()[3] != 0.5 {
		t.Errorf("Lookup(bias) = %v", p)
	}
	if store.Lookup("block1") != nil {
		t.Error("Lookup finds a scope")
	}
}

func TestMisuseOfScopesIsAnErrorWithTheName(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(s Scope)
		want string
	}{
		"duplicate parameter": {func(s Scope) { s.Param("w", Weight, Zeros, 1); s.Param("w", Bias, Zeros, 2) }, `"a.w": registered twice`},
		"parameter and mask":  {func(s Scope) { s.Param("w", Weight, Zeros, 1); s.Key("w") }, `"a.w": registered twice`},
		"empty name":          {func(s Scope) { s.Sub("") }, `"" cannot be part`},
		"dotted name":         {func(s Scope) { s.Param("b.c", Weight, Zeros, 1) }, `"b.c" cannot be part`},
		"zero dimension":      {func(s Scope) { s.Param("w", Weight, Zeros, 3, 0) }, `"a.w": shape 3x0`},
		"uneven groups":       {func(s Scope) { NewConv2D(s, 6, 8, 3, ConvOptions{Groups: 4}) }, `"a": convolution: 6 and 8 channels`},
		"two dropouts":        {func(s Scope) { NewDropout(s, 0.1); NewDropout(s, 0.1) }, `"a.dropout": registered twice`},
		"probability 1":       {func(s Scope) { NewDropout(s, 1) }, `"a": dropout: probability 1`},
		"probability NaN":     {func(s Scope) { NewDropPath(s, math.NaN()) }, `"a": drop-path: probability NaN`},
	} {
		t.Run(name, func(t *testing.T) {
			err := autograd.Build(func() error {
				tc.do(NewStore(1).Root().Sub("a"))
				return nil
			})
			if _, ok := errors.AsType[*ConstructionError](err); !ok || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want a *ConstructionError with %q", err, tc.want)
			}
		})
	}
}

func TestFirstValuesDependOnSeedAndPathAlone(t *testing.T) {
	values := func(seed uint64, names ...string) map[string][]float32 {
		store := NewStore(seed)
		out := map[string][]float32{}
		for _, n := range names {
			out[n] = store.Root().Sub(n).Param("weight", Weight, KaimingNormal(FanIn, 1), 5, 7).Value.Data()
		}
		return out
	}
	ab, ba, other := values(3, "a", "b"), values(3, "b", "a"), values(4, "a", "b")
	for _, n := range []string{"a", "b"} {
		if !slices.Equal(ab[n], ba[n]) {
			t.Errorf("%s depends on the order of creation", n)
		}
		if slices.Equal(ab[n], other[n]) {
			t.Errorf("%s does not depend on the seed", n)
		}
	}
	if slices.Equal(ab["a"], ab["b"]) {
		t.Error("two paths share their values")
	}
}

func TestMaskKeysDifferByPathAndSeed(t *testing.T) {
	s := NewStore(1)
	a, b := s.Root().Sub("a").Key("dropout"), s.Root().Sub("b").Key("dropout")
	if a == b {
		t.Error("two paths share a key")
	}
	if again := NewStore(1).Root().Sub("a").Key("dropout"); again != a {
		t.Error("the key of one path and seed changes")
	}
	if other := NewStore(2).Root().Sub("a").Key("dropout"); other == a {
		t.Error("the key does not depend on the seed")
	}
}

func TestFansFollowTheWeightLayout(t *testing.T) {
	for _, tc := range []struct {
		shape   tensor.Shape
		in, out int
	}{
		{tensor.Shape{3, 5, 16, 32}, 240, 480},
		{tensor.Shape{3, 3, 1, 8}, 9, 72}, // depthwise
		{tensor.Shape{10, 4}, 10, 4},
		{tensor.Shape{6}, 6, 6},
	} {
		if in, out := Fans(tc.shape); in != tc.in || out != tc.out {
			t.Errorf("Fans(%v) = %d, %d, want %d, %d", tc.shape, in, out, tc.in, tc.out)
		}
	}
}

func TestInitialisersHaveTheirMoments(t *testing.T) {
	shape := []int{3, 3, 64, 128} // fans 576 and 1152; 73,728 draws
	for _, tc := range []struct {
		name      string
		init      Init
		deviation float64
		kurtosis  float64 // 3 for a normal, 1.8 for a uniform distribution
	}{
		{"Kaiming normal, fan in", KaimingNormal(FanIn, GainReLU), math.Sqrt(2.0 / 576), 3},
		{"Kaiming normal, fan out", KaimingNormal(FanOut, GainReLU), math.Sqrt(2.0 / 1152), 3},
		{"Kaiming uniform, fan in", KaimingUniform(FanIn, GainLinear), math.Sqrt(1.0 / 576), 1.8},
		{"Kaiming uniform, fan out", KaimingUniform(FanOut, GainReLU), math.Sqrt(2.0 / 1152), 1.8},
		{"Xavier normal", XavierNormal(GainLinear), math.Sqrt(2.0 / 1728), 3},
		{"Xavier uniform", XavierUniform(2), 2 * math.Sqrt(2.0/1728), 1.8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := NewStore(11).Root().Param("w", Weight, tc.init, shape...).Value.Data()
			var mean, m2, m4 float64
			for _, v := range w {
				mean += float64(v) / float64(len(w))
			}
			for _, v := range w {
				d := float64(v) - mean
				m2 += d * d / float64(len(w))
				m4 += d * d * d * d / float64(len(w))
			}
			if math.Abs(mean) > 0.02*tc.deviation {
				t.Errorf("mean %g, deviation should be %g", mean, tc.deviation)
			}
			if got := math.Sqrt(m2); math.Abs(got/tc.deviation-1) > 0.02 {
				t.Errorf("deviation %g, want %g", got, tc.deviation)
			}
			if got := m4 / (m2 * m2); math.Abs(got-tc.kurtosis) > 0.15 {
				t.Errorf("kurtosis %g, want %g", got, tc.kurtosis)
			}
			if bound := tc.deviation * math.Sqrt(3); tc.kurtosis < 2 && (float64(slices.Max(w)) > bound*1.000001 || float64(slices.Max(w)) < 0.99*bound) {
				t.Errorf("largest value %g, bound %g", slices.Max(w), bound)
			}
		})
	}
}
