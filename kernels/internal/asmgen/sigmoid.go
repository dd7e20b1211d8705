package asmgen

// sigmoidMappings are the maps with exponentials, whose error follows from that of [exponential].
func sigmoidMappings() []mapping {
	unary := func(name, doc string, body func(s *mapStep)) mapping {
		return mapping{name: name, doc: doc, streams: []string{"dst", "x"}, unroll: 2, past: true, exp: true, body: func(s *mapStep) {
			s.load(t0, "x")
			body(s)
			s.store("dst", t1)
		}}
	}
	gradient := func(name, doc string, body func(s *mapStep)) mapping {
		return mapping{name: name, doc: doc, streams: []string{"dst", "dy", "x"}, unroll: 2, past: true, exp: true, body: func(s *mapStep) {
			s.load(t0, "x")
			body(s)
			s.load(t0, "dy")
			s.MulVec(t1, t0, t1)
			s.store("dst", t1)
		}}
	}
	exp := func(s *mapStep) { exponential(s.Machine, mapExp, t1, t0, t2, t3) }
	// denominator sets t1 to 1 + exp(-x).
	denominator := func(s *mapStep) {
		s.SubVec(t0, s.zero(), t0)
		exp(s)
		s.Ones(t2)
		s.AddVec(t1, t1, t2)
	}
	return []mapping{
		unary("exp", "dst[i] = exp(x[i])", exp),
		gradient("expGrad", "dst[i] = dy[i] * exp(x[i])", exp),
		unary("sigmoid", "dst[i] = 1 / (1 + exp(-x[i]))", func(s *mapStep) {
			denominator(s)
			s.DivVec(t1, t2, t1)
		}),
		gradient("sigmoidGrad", "e := exp(-abs(x[i]))\ndst[i] = dy[i] * (e / ((1 + e) * (1 + e)))", func(s *mapStep) {
			s.Broadcast(t1, expAt(mapExp, expSign))
			s.OrVec(t0, t0, t1)
			exp(s)
			s.Ones(t2)
			s.AddVec(t2, t2, t1)
			s.MulVec(t2, t2, t2)
			s.DivVec(t1, t1, t2)
		}),
		unary("silu", "dst[i] = x[i] / (1 + exp(-x[i]))", func(s *mapStep) {
			denominator(s)
			s.load(t0, "x")
			s.DivVec(t1, t0, t1)
		}),
		gradient("siluGrad", "s := 1 / (1 + exp(-x[i]))\ndst[i] = dy[i] * (s * (1 + float32(x[i]*(1-s))))", func(s *mapStep) {
			denominator(s)
			s.DivVec(t1, t2, t1)
			s.load(t0, "x")
			s.SubVec(t3, t2, t1)
			s.MulVec(t3, t3, t0)
			s.AddVec(t3, t3, t2)
			s.MulVec(t1, t1, t3)
		}),
	}
}
