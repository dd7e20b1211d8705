package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Case is one use of an operation. The same cases serve the comparison of CPU levels, the check of the gradients by
// finite differences, and benchmarks.
type Case struct {
	Name   string
	Inputs []CaseInput
	Build  func(in []*Node) *Node
}

// CaseInput says what an input of a case holds.
type CaseInput struct {
	Shape   tensor.Shape
	Kind    InputKind
	Classes int  // of Labels
	Fixed   bool // has no gradient by design
}

// InputKind is the kind of values that an input of a case holds.
type InputKind int

const (
	Normal InputKind = iota // standard normal
	Spaced                  // at least 0.1 apart and 0.05 away from every multiple of 0.1: clear of the kinks of piecewise functions
	Labels                  // class indices below Classes
)

// catalogue lists one value of every operation that has cases; a new operation adds a line.
var catalogue = []interface {
	Op
	Cases() []Case
}{
	&activation{},
	&batchNorm{},
	&bias{},
	&binary{},
	&broadcast{},
	&concat{},
	&conv2D{},
	&crossEntropy{},
	&dropout{},
	&kernelSum{},
	&linear{},
	&meanSquare{},
	&pad{},
	&pool2D{},
	&reduce{},
	&scale{},
	&slice{},
	&softmax{},
	&view{},
	&weightedSum{},
}

// Cases returns the cases of all operations.
func Cases() []Case {
	var cases []Case
	for _, op := range catalogue {
		cases = append(cases, op.Cases()...)
	}
	return cases
}
