package dataset

import (
	"math"
	"testing"
)

// identity maps a pixel value to itself, so that images can be followed.
func identity(channels int) []float32 {
	t := make([]float32, 256*channels)
	for i := range t {
		t[i] = float32(i % 256)
	}
	return t
}

func TestRenderMovesFlipsAndCuts(t *testing.T) {
	// 3x3, two channels; the second is the first plus 100.
	var img []byte
	for p := range 9 {
		img = append(img, byte(p+1), byte(p+101))
	}
	for _, c := range []struct {
		name string
		c    choice
		want [9]float32 // of the first channel; 0 is black
	}{
		{"nothing", choice{plain: true}, [9]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"nothing, the long way", choice{}, [9]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"down and right", choice{dy: 1, dx: 1}, [9]float32{0, 0, 0, 0, 1, 2, 0, 4, 5}},
		{"up and left", choice{dy: -1, dx: -2}, [9]float32{6, 0, 0, 9, 0, 0, 0, 0, 0}},
		{"out of sight", choice{dy: 3}, [9]float32{}},
		{"flip", choice{flip: true}, [9]float32{3, 2, 1, 6, 5, 4, 9, 8, 7}},
		{"right, then flip", choice{dx: 1, flip: true}, [9]float32{2, 1, 0, 5, 4, 0, 8, 7, 0}},
		{"cutout", choice{top: 1, bottom: 3, left: 0, right: 2}, [9]float32{1, 2, 3, 0, 0, 6, 0, 0, 9}},
	} {
		out := make([]float32, 18)
		for i := range out {
			out[i] = -1
		}
		c.c.render(out, img, 3, 3, 2, identity(2))
		for p, want := range c.want {
			second := want
			if want != 0 {
				second += 100
			}
			if out[2*p] != want || out[2*p+1] != second {
				t.Errorf("%s: pixel %d is %v, want %v, %v", c.name, p, out[2*p:2*p+2], want, second)
			}
		}
	}
}

func TestBlackAndCutoutAreNormalisedDifferently(t *testing.T) {
	st := Stats{Mean: []float32{0.5}, Std: []float32{0.25}}
	out := make([]float32, 4)
	choice{dx: 1, top: 1, bottom: 2, left: 0, right: 2}.render(out, []byte{255, 255, 255, 255}, 2, 2, 1, st.table(1))
	if out[0] != -2 || out[1] != 2 || out[2] != 0 || out[3] != 0 {
		t.Errorf("%v, want black -2, white 2, cut out 0", out)
	}
}

func TestChoicesCoverTheirRangesEvenly(t *testing.T) {
	const n, h, w = 20000, 9, 7
	a := Augment{Pad: 2, Flip: true, Cutout: 4}
	dy, dx, cells := map[int]int{}, map[int]int{}, map[[2]int]int{}
	flips := 0
	for i := range n {
		c := a.choose(1, 2, i, h, w)
		dy[c.dy]++
		dx[c.dx]++
		if c.flip {
			flips++
		}
		cells[[2]int{c.dy, c.dx}]++
		if c.top < 0 || c.left < 0 || c.bottom > h || c.right > w || c.bottom-c.top < 2 || c.right-c.left < 2 || c.bottom-c.top > 4 || c.right-c.left > 4 {
			t.Fatalf("cutout %+v", c)
		}
	}
	near := func(name string, got, of int) {
		t.Helper()
		want := float64(n) / float64(of)
		if math.Abs(float64(got)-want) > 6*math.Sqrt(want) {
			t.Errorf("%s: %d of %d, want about %.0f", name, got, n, want)
		}
	}
	near("flips", flips, 2)
	for d := -2; d <= 2; d++ {
		near("vertical", dy[d], 5)
		near("horizontal", dx[d], 5)
		for e := -2; e <= 2; e++ {
			near("both", cells[[2]int{d, e}], 25)
		}
	}
	if len(dy) != 5 || len(dx) != 5 {
		t.Errorf("moves outside the padding: %v %v", dy, dx)
	}
	if c := (Augment{}).choose(1, 2, 3, h, w); c != (choice{plain: true}) {
		t.Errorf("no augmentation gives %+v", c)
	}
}

func TestOneVariationDoesNotChangeTheOthers(t *testing.T) {
	for i := range 100 {
		a := Augment{Pad: 3, Flip: true, Cutout: 2}.choose(1, 0, i, 8, 8)
		b := Augment{Pad: 3}.choose(1, 0, i, 8, 8)
		c := Augment{Flip: true}.choose(1, 0, i, 8, 8)
		if a.dy != b.dy || a.dx != b.dx || a.flip != c.flip {
			t.Fatalf("sample %d: %+v, %+v, %+v", i, a, b, c)
		}
	}
}
