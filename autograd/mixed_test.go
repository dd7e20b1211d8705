package autograd

import (
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/tensor"
)

// reader adds to each element of input 0 all elements of input 1, which it reads anew for every image.
type reader struct{ noGrad }

func (reader) Name() string                         { return "reader" }
func (reader) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (reader) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}
func (reader) RowWise(_ []tensor.Shape, _ tensor.Shape) (rowAccess, bool) {
	return rowAccess{inputs: input0}, true
}

func (reader) Emit(e *Emitter) {
	x, all, y := e.In(0), e.In(1), e.Out()
	e.Spread(len(y), 1, func(_, lo, hi int, _ []float32) {
		sum := float32(0)
		for _, v := range all {
			sum += v
		}
		for i := lo; i < hi; i++ {
			y[i] = x[i] + sum
		}
	})
}

// In a group, a buffer that an operation reads as a whole must stay as it is until the last block of images, even if those that read it image by image
// are done with it.
func TestBuffersThatGroupsReadWhole(t *testing.T) {
	const images, c = 8, 8
	rules := groupRules{images: 4, elements: 8, parts: 1, pixels: 1, block: 32, reduce: 64, room: 1 << 30}
	alone := rules
	alone.alone = true
	for name, build := range map[string]func(x, w *Node) *Node{
		"written over in place": func(x, w *Node) *Node {
			y := apply(reader{}, x, w)
			return Add(y, Sigmoid(w))
		},
		"taken over later": func(x, w *Node) *Node {
			y := apply(reader{}, x, w)
			z := apply(reader{}, w, x) // the last that reads w, which cannot be written over by it
			return Add(y, apply(reader{}, z, x))
		},
		"read both ways by one operation": func(x, w *Node) *Node {
			y := apply(reader{}, w, w)
			return apply(reader{}, y, x)
		},
	} {
		var values [2][]float32
		for i, r := range []*groupRules{&alone, &rules} {
			g := NewGraph()
			x := g.Input("x", images, c)
			w := Sigmoid(x)
			y := build(x, w)
			p, err := Compile(Options{Outputs: []*Node{y}, rules: r, fusions: []func(*rewriter){}})
			if err != nil {
				t.Fatal(err)
			}
			fill(p.Tensor(x).Data(), CaseInput{}, stream.New(1, "x"))
			p.Run(0)
			values[i] = slices.Clone(p.Tensor(y).Data())
			if last := p.plan.groups[len(p.schedule)-1]; i == 1 && (last == nil || len(last.nodes) < 2 || last.block >= images) {
				t.Errorf("%s: the test needs a group of several blocks", name)
			}
		}
		if !slices.Equal(values[0], values[1]) {
			t.Errorf("%s: groups change the values", name)
		}
	}
}
