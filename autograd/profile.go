package autograd

import (
	"context"
	"runtime/pprof"
	"strings"
	"time"
)

// Path returns where in a model the node belongs: the path of the parameters that it, the node whose gradient it
// computes, or else the nearest node before it reads. A convolution with the weights "stem.conv.weight", its gradients, and a
// ReLU after it all have the path "stem.conv". It is empty before the first parameter.
func (n *Node) Path() string {
	for n != nil {
		if n.origin != nil {
			n = n.origin
			continue
		}
		if n.kind == variableNode {
			return layerOf(n.name)
		}
		for _, in := range n.in {
			if in.kind == variableNode {
				return layerOf(in.name)
			}
		}
		if len(n.in) == 0 {
			return ""
		}
		n = n.in[0]
	}
	return ""
}

// layerOf returns a parameter's name without its last part.
func layerOf(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

// Backward reports whether [Grad] added the node.
func (n *Node) Backward() bool { return n.origin != nil }

// Work returns the exact cost of one execution of the node; zero for an input, a variable or a constant.
func (n *Node) Work() Work {
	if n.op == nil {
		return Work{}
	}
	return n.op.Work(shapesOf(n.in), n.shape)
}

// Steps returns the node that each step of the program works for, in the order in which they run. A node may
// have more than one step, a view has none. The caller must not change the slice.
func (p *Program) Steps() []*Node {
	nodes := make([]*Node, len(p.steps))
	for i := range p.steps {
		nodes[i] = p.steps[i].node
	}
	return nodes
}

// RunTimed is like [Program.Run] and adds to times, one for each of Steps, how long the steps took.
func (p *Program) RunTimed(stepNumber uint64, times []time.Duration) {
	p.clock = stepNumber
	before := time.Now()
	for i := range p.steps {
		p.runStep(&p.steps[i])
		now := time.Now()
		times[i] += now.Sub(before)
		before = now
	}
}

// LiveBytes returns how much of the arena holds values that are still needed while each node of Nodes
// runs. Its largest value is at most ArenaBytes; the rest is lost to packing.
func (p *Program) LiveBytes() []int64 {
	live := make([]int64, len(p.schedule))
	for _, b := range p.plan.buffers {
		for i := b.First; i <= b.Last && i < len(live); i++ {
			live[i] += 4 * int64(b.Size)
		}
	}
	return live
}

// labels returns what a CPU profile shows of a node's steps.
func labels(n *Node) context.Context {
	direction := "forward"
	if n.Backward() {
		direction = "backward"
	}
	return pprof.WithLabels(context.Background(), pprof.Labels("layer", n.Path(), "op", n.Name(), "direction", direction))
}

// Label makes the program's steps visible in CPU profiles: each runs under pprof labels that name its layer, its op
// and its direction (forward or backward), for 'go tool pprof -tags'. From then on Run replaces the labels
// of the goroutine that calls it.
func (p *Program) Label() {
	of := map[*Node]context.Context{}
	for i := range p.steps {
		s := &p.steps[i]
		if of[s.node] == nil {
			of[s.node] = labels(s.node)
		}
		s.labels = of[s.node]
	}
	// Workers take the labels over part by part.
	p.task = func(part, worker int) {
		pprof.SetGoroutineLabels(p.current.labels)
		p.current.run(part, p.scratch[worker])
	}
}
