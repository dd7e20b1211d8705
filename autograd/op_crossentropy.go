package autograd

import (
	"fmt"

	"github.com/nasbench-go/nasbench/tensor"
)

// CrossEntropy returns the mean over the rows of logits (N, classes) of the cross-entropy between their softmax
// and labels (N class indices, stored as floats): a scalar. With smoothing s the target is 1-s for the label
// plus s/classes for every class (Szegedy et al. 2016, section 7). A run panics with a
// [*LabelError] at a label that is not one of them; [CheckLabels] looks at labels that come from outside, as layers.Trainer does.
// A batch of no images is misuse: it has no mean.
func CrossEntropy(logits, labels *Node, smoothing float32) *Node {
	return apply(&crossEntropy{smoothing}, logits, labels)
}

type crossEntropy struct{ smoothing float32 }

func (*crossEntropy) Name() string { return "cross_entropy" }

func (c *crossEntropy) Shape(in []tensor.Shape) tensor.Shape {
	if len(in[0]) != 2 || in[0].Elements() == 0 || !in[1].Equal(tensor.Shape{in[0][0]}) {
		misuse(c.Name(), in, "needs logits N x classes and N labels")
	}
	if !(c.smoothing >= 0 && c.smoothing < 1) {
		misuse(c.Name(), in, "label smoothing %v is not in [0, 1)", c.smoothing)
	}
	return tensor.Shape{}
}

func (*crossEntropy) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(5, in[0].Elements()), in, out)
}
func (*crossEntropy) Workspace(in []tensor.Shape, _ tensor.Shape, _ int) int {
	return in[0][0]
}

func (c *crossEntropy) Emit(e *Emitter) {
	logits, labels, loss, out := e.In(0), e.In(1), e.workspace, e.Out()
	n, classes := e.InShape(0)[0], e.InShape(0)[1]
	f, sum := e.Table.CrossEntropy, e.Table.Sum
	e.Rows(n, classes, func(lo, hi int) {
		checkLabels(labels, lo, hi, classes)
		f(loss[lo:hi], logits[lo*classes:hi*classes], labels[lo:hi], c.smoothing, hi-lo, classes)
	})
	e.Small(func() { out[0] = float32(sum(loss) / float64(n)) })
}

// checkLabels panics at the first of labels lo..hi that is no class index: a routine would take it for another class, or read elsewhere.
func checkLabels(labels []float32, lo, hi, classes int) {
	if i := badLabel(labels[lo:hi], classes); i >= 0 {
		panic(&LabelError{Sample: lo + i, Value: labels[lo+i], Classes: classes})
	}
}

func (c *crossEntropy) Grad(n, dy *Node) []*Node {
	return []*Node{Scale(apply(&crossEntropyGrad{smoothing: c.smoothing}, n.in[0], n.in[1]), dy), nil}
}

// crossEntropyGrad is (softmax(logits) - target)/N.
type crossEntropyGrad struct {
	noGrad
	smoothing float32
}

func (*crossEntropyGrad) Name() string                         { return "cross_entropy_grad" }
func (*crossEntropyGrad) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*crossEntropyGrad) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(7, out.Elements()), in, out)
}

func (c *crossEntropyGrad) Emit(e *Emitter) {
	logits, labels, dx, f := e.In(0), e.In(1), e.Out(), e.Table.CrossEntropyGrad
	n, classes := e.InShape(0)[0], e.InShape(0)[1]
	e.Rows(n, classes, func(lo, hi int) {
		checkLabels(labels, lo, hi, classes)
		f(dx[lo*classes:hi*classes], logits[lo*classes:hi*classes], labels[lo:hi], c.smoothing, 1/float32(n), hi-lo, classes)
	})
}

func (*crossEntropy) Cases() []Case {
	var cases []Case
	for _, s := range []float32{0, 0.1} {
		cases = append(cases, Case{Name: fmt.Sprintf("smoothing %g", s),
			Inputs: []CaseInput{{Shape: tensor.Shape{5, 4}}, {Shape: tensor.Shape{5}, Kind: Labels, Classes: 4}},
			Build:  func(in []*Node) *Node { return CrossEntropy(in[0], in[1], s) }})
	}
	return cases
}
