package autograd

import "github.com/nasbench-go/nasbench/kernels"

// fuseBatchNorm merges a batch normalisation with the ReLU, the sum, or the sum and the ReLU that alone read it. The gradient of a
// ReLU that follows at once is merged into those of the normalisation, which compute the sign of its output
// again from x instead of reading it.
func fuseBatchNorm(r *rewriter) {
	for _, n := range r.nodes {
		if !isReLU(n) {
			continue
		}
		if norm := n.in[0]; r.isNorm(norm, n) {
			r.mergeReLUGrad(n, norm)
			r.fuseNorm(n, norm, nil, true)
		} else if sum := n.in[0]; isAdd(sum) && r.only(sum, n) {
			if norm, residual := r.normOf(sum); norm != nil {
				r.fuseNorm(n, norm, residual, true)
				r.merge(sum)
			}
		}
	}
	for _, n := range r.nodes {
		if isAdd(n) && r.free(n) {
			if norm, residual := r.normOf(n); norm != nil {
				r.fuseNorm(n, norm, residual, false)
			}
		}
	}
}

func isReLU(n *Node) bool {
	a, ok := n.op.(*activation)
	return ok && a.f == kernels.ReLU
}

func isAdd(n *Node) bool {
	b, ok := n.op.(*binary)
	return ok && b.kind == addKind
}

// isNorm reports whether n is a batch normalisation that can be computed where its only user is.
func (r *rewriter) isNorm(n, user *Node) bool {
	_, ok := n.op.(*batchNorm)
	return ok && r.only(n, user) && r.settled(n)
}

// normOf returns a summand that is such a batch normalisation, or nil, and the other one.
func (r *rewriter) normOf(sum *Node) (norm, residual *Node) {
	for i, in := range sum.in {
		if r.isNorm(in, sum) {
			return in, sum.in[1-i]
		}
	}
	return nil, nil
}

// fuseNorm puts the normalisation in the place of n, with what lies between them.
func (r *rewriter) fuseNorm(n, norm, residual *Node, relu bool) {
	in := norm.in
	if residual != nil {
		in = append(in[:len(in):len(in)], residual)
	}
	r.replace(n, &batchNormFused{b: *norm.op.(*batchNorm), add: residual != nil, relu: relu}, in...)
	r.merge(norm)
}

// mergeReLUGrad merges the gradients of a ReLU into those of the normalisation before it, where nothing else reads them.
func (r *rewriter) mergeReLUGrad(relu, norm *Node) {
	b := *norm.op.(*batchNorm)
	x, gamma, beta, mean, variance := norm.in[0], norm.in[1], norm.in[2], norm.in[3], norm.in[4]
	for _, cut := range r.users[relu] {
		g, ok := cut.op.(*activationGrad)
		if !ok || g.a.f != kernels.ReLU || cut.in[1] != relu || r.outputs[cut] || !r.free(cut) {
			continue
		}
		ours := len(r.users[cut]) > 0
		for _, u := range r.users[cut] {
			switch op := u.op.(type) {
			case *batchNormReduce:
				ours = ours && op.b == b && u.in[0] == cut && u.in[1] == x && u.in[2] == mean && u.in[3] == variance
			case *batchNormGrad:
				ours = ours && op.b == b && u.in[0] == cut && u.in[1] == x && u.in[2] == gamma && u.in[3] == mean && u.in[4] == variance
			default:
				ours = false
			}
		}
		if !ours {
			continue
		}
		for _, u := range r.users[cut] {
			in := append([]*Node{cut.in[0]}, u.in[1:]...)
			if _, ok := u.op.(*batchNormReduce); ok {
				r.replace(u, &batchNormReduce{b: b, relu: true}, append(in, gamma, beta)...)
			} else {
				r.replace(u, &batchNormGrad{b: b, relu: true}, append(in, beta)...)
			}
		}
		r.merge(cut)
	}
}
