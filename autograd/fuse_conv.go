package autograd

// foldBatchNorm merges a batch normalisation with fixed statistics into the convolution before it, whose kernels and bias are scaled and
// shifted instead. It is the one pass that changes the order of roundings.
func foldBatchNorm(r *rewriter) {
	for _, n := range r.nodes {
		b, ok := n.op.(*batchNorm)
		if !ok || b.training || !r.free(n) || !r.settled(n) {
			continue
		}
		from, shift := n.in[0], (*Node)(nil)
		if _, ok := from.op.(*bias); ok && r.only(from, n) {
			from, shift = from.in[0], from.in[1]
		}
		c := convOf(from)
		user := n
		if shift != nil {
			user = n.in[0]
		}
		if c == nil || !r.only(from, user) || !r.settled(from) {
			continue
		}
		gamma, beta, mean, variance := n.in[1], n.in[2], n.in[3], n.in[4]
		w := from.in[1]
		scaled := r.insert(n, &foldedScale{epsilon: b.epsilon}, w.shape, w, gamma, variance)
		in := []*Node{gamma, beta, mean, variance}
		if shift != nil {
			in = append(in, shift)
			r.merge(n.in[0])
		}
		shifted := r.insert(n, &foldedShift{epsilon: b.epsilon}, gamma.shape, in...)
		r.merge(from)
		r.replace(n, &convFused{conv: c, out: n.shape, bias: true}, from.in[0], scaled, shifted)
	}
}

// fuseConvolution merges a convolution with the bias, the sum and the ReLU that alone read it one after the other, or those of them that
// do.
func fuseConvolution(r *rewriter) {
	for _, first := range r.nodes {
		f := convFused{conv: convOf(first), out: first.shape}
		if done, ok := first.op.(*convFused); ok {
			f = *done
		}
		if f.conv == nil || !r.free(first) || !r.settled(first) {
			continue
		}
		in, at := first.in, first
		var merged []*Node
		follow := func(next *Node) {
			merged = append(merged, at)
			at = next
		}
		for !f.relu {
			next := r.single(at)
			if next == nil {
				break
			}
			if _, ok := next.op.(*bias); ok && !f.bias && !f.add && next.in[0] == at && next.in[1] != at {
				f.bias = true
				in = append(in[:2:2], next.in[1])
			} else if isAdd(next) && !f.add && next.in[0] != next.in[1] {
				other := next.in[0]
				if other == at {
					other = next.in[1]
				}
				f.add = true
				in = append(in[:len(in):len(in)], other)
			} else if isReLU(next) {
				f.relu = true
			} else {
				break
			}
			follow(next)
		}
		if at != first {
			r.replace(at, &f, in...)
			r.merge(merged...)
		}
	}
}

// convOf returns the convolution that a node is; nil if it is none.
func convOf(n *Node) *conv2D {
	switch op := n.op.(type) {
	case *conv2D:
		return op
	case *sizedConv:
		return op.conv2D
	}
	return nil
}

// single returns the node that alone reads n and that no pass has changed; nil if there is none.
func (r *rewriter) single(n *Node) *Node {
	if len(r.users[n]) != 1 || r.outputs[n] {
		return nil
	}
	user := r.users[n][0]
	if !r.only(n, user) || !r.free(user) {
		return nil
	}
	return user
}
