package space

import (
	"math"
	"strconv"

	"github.com/nasbench-go/nasbench/layers"
)

// refNode is a node of a network written down plainly from the definition of the space: the
// oracle for keys and built modules.
type refNode struct {
	op          string // image, conv, linear, pool, add, concat
	name        string // path of the parameters; not part of what is compared
	kernel      int
	stride      int
	padH, padW  int
	average     bool
	in          []*refNode
	h, w, c     int
	relu        bool
	activations []float64
}

// reference returns the value that the head takes.
func reference(g ChainGenome, t Task) *refNode {
	image := &refNode{op: "image", h: t.Height, w: t.Width, c: t.Channels}
	inputs := []*refNode{image} // inputs[i] is the input of layer i
	for i, l := range g.Layers() {
		x := inputs[i]
		path := "layers." + strconv.Itoa(i) + "."
		f := x
		switch l.Op {
		case "conv3x3", "conv5x5":
			k := int(l.Op[4] - '0')
			f = &refNode{op: "conv", name: path, kernel: k, stride: 1, padH: k / 2, padW: k / 2, h: x.h, w: x.w, c: l.Channels, in: []*refNode{x}, relu: true}
		case "fc":
			f = &refNode{op: "linear", name: path + "fc", h: x.h, w: x.w, c: l.Units, in: []*refNode{x}, relu: true}
		case "pool3x3":
			f = &refNode{op: "pool", kernel: 3, stride: 1, padH: 1, padW: 1, average: l.Type == "avg", h: x.h, w: x.w, c: x.c, in: []*refNode{x}}
			if min(x.h, x.w) >= 8 {
				f.stride, f.h, f.w = 2, (x.h+2-3)/2+1, (x.w+2-3)/2+1
			}
		}
		project := func(from *refNode) *refNode {
			if from.h == f.h && from.w == f.w && from.c == f.c {
				return from
			}
			stride := 1
			for (from.h-1)/stride+1 != f.h || (from.w-1)/stride+1 != f.w {
				stride++
			}
			return &refNode{op: "conv", name: path + "project.", kernel: 1, stride: stride, h: f.h, w: f.w, c: f.c, in: []*refNode{from}}
		}
		out := f
		switch l.Connection {
		case "add":
			out = &refNode{op: "add", h: f.h, w: f.w, c: f.c, in: []*refNode{f, project(x)}}
		case "skip":
			out = &refNode{op: "add", h: f.h, w: f.w, c: f.c, in: []*refNode{f, project(inputs[i-1])}}
		case "concat":
			r := x
			if x.h != f.h || x.w != f.w {
				r = &refNode{op: "pool", kernel: 2, stride: 2, padH: x.h % 2, padW: x.w % 2, average: true, h: f.h, w: f.w, c: x.c, in: []*refNode{x}}
			}
			out = &refNode{op: "concat", h: f.h, w: f.w, c: f.c + x.c, in: []*refNode{f, r}}
		}
		inputs = append(inputs, out)
	}
	return inputs[len(inputs)-1]
}

// pairing is a one-to-one match of the nodes of two networks.
type pairing struct{ ab, ba map[*refNode]*refNode }

func sameNetwork(a, b *refNode) bool {
	p := pairing{map[*refNode]*refNode{}, map[*refNode]*refNode{}}
	return p.match(a, b)
}

func (p pairing) match(a, b *refNode) bool {
	if p.ab[a] != nil || p.ba[b] != nil {
		return p.ab[a] == b && p.ba[b] == a
	}
	if a.op != b.op || a.kernel != b.kernel || a.stride != b.stride || a.average != b.average || a.relu != b.relu ||
		a.h != b.h || a.w != b.w || a.c != b.c || len(a.in) != len(b.in) {
		return false
	}
	p.ab[a], p.ba[b] = b, a
	for i := range a.in {
		if !p.match(a.in[i], b.in[i]) {
			return false
		}
	}
	return true
}

// run computes the node from an image, one number at a time, with the parameters of the store.
func (n *refNode) run(image []float32, s *layers.Store) []float64 {
	if n.activations != nil {
		return n.activations
	}
	var in [][]float64
	for _, m := range n.in {
		in = append(in, m.run(image, s))
	}
	out := make([]float64, n.h*n.w*n.c)
	for i := range out {
		ch, col, row := i%n.c, i/n.c%n.w, i/n.c/n.w
		switch n.op {
		case "image":
			out[i] = float64(image[i])
		case "add":
			out[i] = in[0][i] + in[1][i]
		case "concat":
			pixel := i / n.c
			if c := n.in[0].c; ch < c {
				out[i] = in[0][pixel*c+ch]
			} else {
				out[i] = in[1][pixel*n.in[1].c+ch-c]
			}
		case "linear":
			out[i] = refDot(in[0][i/n.c*n.in[0].c:][:n.in[0].c], values(s, n.name+".weight"), ch, n.c) + scalar(s, n.name+".bias", ch)
		case "conv", "pool":
			out[i] = n.window(in[0], s, row, col, ch)
		}
		if n.op == "conv" {
			norm := n.name + "norm."
			deviation := math.Sqrt(scalar(s, norm+"running_var", ch) + layers.BatchNormEpsilon)
			out[i] = (out[i]-scalar(s, norm+"running_mean", ch))/deviation*scalar(s, norm+"weight", ch) + scalar(s, norm+"bias", ch)
		}
		if n.relu {
			out[i] = max(out[i], 0)
		}
	}
	n.activations = out
	return out
}

func (n *refNode) window(in []float64, s *layers.Store, row, col, ch int) float64 {
	x := n.in[0]
	sum, top, count := 0.0, math.Inf(-1), 0.0
	for r := range n.kernel {
		for c := range n.kernel {
			h, w := row*n.stride+r-n.padH, col*n.stride+c-n.padW
			if h < 0 || w < 0 || h >= x.h || w >= x.w {
				continue
			}
			pixel := in[(h*x.w+w)*x.c:][:x.c]
			if n.op == "conv" {
				sum += refDot(pixel, values(s, n.name+"conv.weight")[(r*n.kernel+c)*x.c*n.c:], ch, n.c)
				continue
			}
			sum += pixel[ch]
			top = max(top, pixel[ch])
			count++
		}
	}
	switch {
	case n.op == "conv":
		return sum
	case n.average:
		return sum / count
	}
	return top
}

// logits applies the head.
func (n *refNode) logits(image []float32, s *layers.Store, classes int) []float64 {
	x := n.run(image, s)
	mean := make([]float64, n.c)
	for i, v := range x {
		mean[i%n.c] += v / float64(n.h*n.w)
	}
	out := make([]float64, classes)
	for k := range out {
		out[k] = refDot(mean, values(s, "head.weight"), k, classes) + scalar(s, "head.bias", k)
	}
	return out
}

// refDot is the product of x with column ch of a matrix of len(x) rows.
func refDot(x []float64, w []float32, ch, columns int) float64 {
	sum := 0.0
	for i, v := range x {
		sum += v * float64(w[i*columns+ch])
	}
	return sum
}

func values(s *layers.Store, name string) []float32 { return s.Lookup(name).Value.Data() }

func scalar(s *layers.Store, name string, i int) float64 { return float64(values(s, name)[i]) }
