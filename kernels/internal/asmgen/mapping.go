package asmgen

import (
	"fmt"
	"slices"
	"strings"
)

// A mapping is a routine that does the same to each element of streams of n floats:
// element-wise operations, and with parameters repeated to the length of the
// streams the maps of channels too.
type mapping struct {
	name    string
	doc     string   // the body of the Go loop over i, exact to the bit unless it says otherwise
	streams []string // pointers to n floats
	scalars []string // float32 parameters
	unroll  int      // vectors in one turn of the loop
	past    bool     // has a parameter which says that loads and stores go past the caches
	exp     bool     // the body takes exponentials
	body    func(s *mapStep)
}

// mapStep emits one vector of a mapping. Bodies use registers t0 to t4, which hold
// nothing between vectors, and those of [mapStep.scalar] and [mapStep.zero].
type mapStep struct {
	Machine
	of   *mapping
	disp int  // bytes after the index
	tail bool // this is the last vector
	past bool // loads and stores go past the caches
}

const (
	t0 = Vec(iota)
	t1
	t2
	t3
	t4
	mapScalars // the first scalar; zero follows the last
)

const (
	mapIndex = Reg(0) // bytes from the start of the streams
	mapLeft  = Reg(1) // elements left
	mapBase  = Reg(2) // the first stream
	mapPast  = Reg(11)
	mapExp   = Reg(12) // the numbers of exponentials
)

// A loop past the caches asks for what it loads some lines ahead, to be used once, so that it drives nothing out.
const (
	cacheLine = 64
	ahead     = 1024 // bytes
)

func (s *mapStep) at(stream string) Mem {
	for i, name := range s.of.streams {
		if name == stream {
			return Mem{Base: mapBase + Reg(i), Index: mapIndex, Scale: 1, Disp: s.disp}
		}
	}
	panic("asmgen: " + s.of.name + " has no stream " + stream)
}

func (s *mapStep) load(dst Vec, stream string) {
	if s.tail {
		s.LoadTail(dst, s.at(stream))
	} else {
		s.Load(dst, s.at(stream))
		if s.past && s.disp%cacheLine == 0 {
			s.PrefetchOnce(s.at(stream).Plus(ahead))
		}
	}
}

func (s *mapStep) store(stream string, src Vec) {
	switch {
	case s.tail:
		s.StoreTail(s.at(stream), src)
	case s.past:
		s.StoreStream(s.at(stream), src)
	default:
		s.Store(s.at(stream), src)
	}
}

func (s *mapStep) scalar(name string) Vec {
	for i, n := range s.of.scalars {
		if n == name {
			return mapScalars + Vec(i)
		}
	}
	panic("asmgen: " + s.of.name + " has no scalar " + name)
}

func (s *mapStep) zero() Vec { return mapScalars + Vec(len(s.of.scalars)) }

// positive sets dst = max(src, 0): NaN if src is, and +0 for both zeros.
func (s *mapStep) positive(dst, src Vec) {
	s.MaxVec(dst, s.zero(), src)
	s.AddVec(dst, dst, s.zero())
}

// mappings lists all routines of the kind.
func mappings() []mapping {
	binary := func(name, operator string, op func(s *mapStep)) mapping {
		return mapping{name: name, streams: []string{"dst", "a", "b"}, unroll: 4, past: true,
			doc: fmt.Sprintf("dst[i] = a[i] %s b[i]", operator),
			body: func(s *mapStep) {
				s.load(t0, "a")
				s.load(t1, "b")
				op(s)
				s.store("dst", t0)
			}}
	}
	return append([]mapping{
		binary("add", "+", func(s *mapStep) { s.AddVec(t0, t0, t1) }),
		binary("sub", "-", func(s *mapStep) { s.SubVec(t0, t0, t1) }),
		binary("mul", "*", func(s *mapStep) { s.MulVec(t0, t0, t1) }),
		binary("div", "/", func(s *mapStep) { s.DivVec(t0, t0, t1) }),
		{
			name: "scal", streams: []string{"dst", "x"}, scalars: []string{"alpha"}, unroll: 4, past: true,
			doc: "dst[i] = alpha * x[i]",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.MulVec(t0, t0, s.scalar("alpha"))
				s.store("dst", t0)
			},
		},
		{
			name: "axpy", streams: []string{"dst", "x"}, scalars: []string{"alpha"}, unroll: 4,
			doc: "dst[i] += float32(alpha * x[i])",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.MulVec(t0, t0, s.scalar("alpha"))
				s.load(t1, "dst")
				s.AddVec(t0, t1, t0)
				s.store("dst", t0)
			},
		},
		{
			name: "lerp", streams: []string{"dst", "x"}, scalars: []string{"t"}, unroll: 4,
			doc: "dst[i] += float32(t * (x[i] - dst[i]))",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.load(t1, "dst")
				s.SubVec(t0, t0, t1)
				s.MulVec(t0, t0, s.scalar("t"))
				s.AddVec(t0, t1, t0)
				s.store("dst", t0)
			},
		},
		{
			name: "relu", streams: []string{"dst", "x"}, unroll: 4, past: true,
			doc: "dst[i] = max(x[i], 0)",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.positive(t0, t0)
				s.store("dst", t0)
			},
		},
		{
			name: "reluGrad", streams: []string{"dst", "dy", "x"}, unroll: 4, past: true,
			doc: "if x[i] <= 0 {\n\tdst[i] = 0\n} else {\n\tdst[i] = dy[i]\n}",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.load(t1, "dy")
				s.ZeroIfLessEqual(t2, t1, t0, s.zero())
				s.store("dst", t2)
			},
		},
		{
			name: "clamp", streams: []string{"dst", "x"}, scalars: []string{"limit"}, unroll: 4, past: true,
			doc: "dst[i] = min(max(x[i], 0), limit)",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.positive(t0, t0)
				s.MinVec(t0, s.scalar("limit"), t0)
				s.store("dst", t0)
			},
		},
		{
			name: "clampGrad", streams: []string{"dst", "dy", "x"}, scalars: []string{"limit"}, unroll: 4, past: true,
			doc: "if x[i] <= 0 || x[i] >= limit {\n\tdst[i] = 0\n} else {\n\tdst[i] = dy[i]\n}",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.load(t1, "dy")
				s.ZeroIfLessEqual(t2, t1, t0, s.zero())
				s.ZeroIfLessEqual(t1, t2, s.scalar("limit"), t0)
				s.store("dst", t1)
			},
		},
	}, slices.Concat(normMappings(), hardSwishMappings(), sigmoidMappings(), optimizerMappings())...)
}

// hardSwishMappings take the numbers three, the float below it, and six.
func hardSwishMappings() []mapping {
	scalars := []string{"minusThree", "belowThree", "three", "six"}
	return []mapping{
		{
			name: "hardSwish", streams: []string{"dst", "x"}, scalars: scalars, unroll: 2, past: true,
			doc: "switch v := x[i]; {\ncase v <= -3:\n\tdst[i] = 0\ncase v < 3:\n\tdst[i] = v * (v + 3) / 6\ndefault:\n\tdst[i] = v\n}",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.AddVec(t1, t0, s.scalar("three"))
				s.MulVec(t1, t1, t0)
				s.DivVec(t1, t1, s.scalar("six"))
				s.CopyUnlessLessEqual(t1, t0, t0, s.scalar("belowThree"), t2)
				s.ZeroIfLessEqual(t2, t1, t0, s.scalar("minusThree"))
				s.store("dst", t2)
			},
		},
		{
			name: "hardSwishGrad", streams: []string{"dst", "dy", "x"}, scalars: scalars, unroll: 2, past: true,
			doc: "switch v := x[i]; {\ncase v <= -3:\n\tdst[i] = 0\ncase v < 3:\n\tdst[i] = dy[i] * ((2*v + 3) / 6)\ndefault:\n\tdst[i] = dy[i]\n}",
			body: func(s *mapStep) {
				s.load(t0, "x")
				s.load(t3, "dy")
				s.AddVec(t1, t0, t0)
				s.AddVec(t1, t1, s.scalar("three"))
				s.DivVec(t1, t1, s.scalar("six"))
				s.MulVec(t1, t3, t1)
				s.CopyUnlessLessEqual(t1, t3, t0, s.scalar("belowThree"), t2)
				s.ZeroIfLessEqual(t2, t1, t0, s.scalar("minusThree"))
				s.store("dst", t2)
			},
		},
	}
}

func optimizerMappings() []mapping {
	sgd := mapping{
		name: "sgd", streams: []string{"w", "grad", "velocity"}, scalars: []string{"lr", "momentum", "weightDecay", "gradScale"}, unroll: 2,
		doc: "g := float32(gradScale*grad[i]) + float32(weightDecay*w[i])\nvelocity[i] = float32(momentum*velocity[i]) + g\nw[i] -= float32(lr * velocity[i])",
		body: func(s *mapStep) {
			sgdVelocity(s)
			s.MulVec(t1, t1, s.scalar("lr"))
			s.SubVec(t0, t0, t1)
			s.store("w", t0)
		},
	}
	nesterov := sgd
	nesterov.name = "sgdNesterov"
	nesterov.doc = strings.Replace(sgd.doc, "lr * velocity[i]", "lr * (g + float32(momentum*velocity[i]))", 1)
	nesterov.body = func(s *mapStep) {
		sgdVelocity(s)
		s.MulVec(t1, t1, s.scalar("momentum"))
		s.AddVec(t1, t1, t2)
		s.MulVec(t1, t1, s.scalar("lr"))
		s.SubVec(t0, t0, t1)
		s.store("w", t0)
	}
	adamW := mapping{
		name: "adamW", streams: []string{"w", "grad", "m", "v"}, unroll: 2,
		scalars: []string{"lr", "beta1", "rest1", "beta2", "rest2", "eps", "weightDecay", "gradScale", "correct1", "correct2"},
		doc: "g := gradScale * grad[i]\nm[i] = float32(beta1*m[i]) + float32(rest1*g)\nv[i] = float32(beta2*v[i]) + float32(rest2*g*g)\n" +
			"root := sqrt(v[i] * correct2)\nw[i] -= float32(lr * (m[i]*correct1/(root+eps) + float32(weightDecay*w[i])))",
		body: func(s *mapStep) {
			s.load(t0, "grad")
			s.MulVec(t0, t0, s.scalar("gradScale"))
			s.load(t1, "m")
			s.MulVec(t1, t1, s.scalar("beta1"))
			s.MulVec(t2, t0, s.scalar("rest1"))
			s.AddVec(t1, t1, t2)
			s.store("m", t1)
			s.load(t2, "v")
			s.MulVec(t2, t2, s.scalar("beta2"))
			s.MulVec(t3, t0, s.scalar("rest2"))
			s.MulVec(t3, t3, t0)
			s.AddVec(t2, t2, t3)
			s.store("v", t2)
			s.MulVec(t2, t2, s.scalar("correct2"))
			s.SqrtVec(t2, t2)
			s.AddVec(t2, t2, s.scalar("eps"))
			s.MulVec(t1, t1, s.scalar("correct1"))
			s.DivVec(t1, t1, t2)
			s.load(t0, "w")
			s.MulVec(t2, t0, s.scalar("weightDecay"))
			s.AddVec(t1, t1, t2)
			s.MulVec(t1, t1, s.scalar("lr"))
			s.SubVec(t0, t0, t1)
			s.store("w", t0)
		},
	}
	return []mapping{sgd, nesterov, adamW}
}

// sgdVelocity leaves w in t0, the new velocity in t1, and the gradient with decay in t2.
func sgdVelocity(s *mapStep) {
	s.load(t0, "w")
	s.load(t2, "grad")
	s.MulVec(t2, t2, s.scalar("gradScale"))
	s.MulVec(t3, t0, s.scalar("weightDecay"))
	s.AddVec(t2, t2, t3)
	s.load(t1, "velocity")
	s.MulVec(t1, t1, s.scalar("momentum"))
	s.AddVec(t1, t1, t2)
	s.store("velocity", t1)
}

// function returns the routine of a level.
func (p *mapping) function(l Level) Function {
	name := "map" + strings.ToUpper(p.name[:1]) + p.name[1:] + l.String()
	f := Function{
		Name: name,
		Doc:  fmt.Sprintf("%s computes:\n\n\tfor i := range n {\n\t\t%s\n\t}", name, strings.ReplaceAll(p.doc, "\n", "\n\t\t")),
		Body: p.emit,
	}
	for _, s := range p.streams {
		f.Params = append(f.Params, Param{s, "*float32"})
	}
	for _, s := range p.scalars {
		f.Params = append(f.Params, Param{s, "float32"})
	}
	if p.past {
		f.Doc += "\n\nIf past is not 0 it loads and stores past the caches, and the address of the first stream\n" +
			"must be a multiple of 64 unless there are fewer than " + fmt.Sprint(p.unroll*l.machine(nil).Lanes()) + " elements."
		f.Params = append(f.Params, Param{"past", "int"})
	}
	f.Params = append(f.Params, Param{"n", "int"})
	return f
}

func (p *mapping) emit(m Machine) {
	lanes := m.Lanes()
	turn := func(count int, past bool) { // the same for the next vectors, then move on
		var vectors []func()
		for u := range count {
			vectors = append(vectors, func() { p.body(&mapStep{Machine: m, of: p, disp: 4 * lanes * u, past: past}) })
		}
		if w, ok := m.(weaver); ok && p.exp {
			w.weave(vectors, int(t4), int(mapScalars)+1) // behind the zero
		} else {
			for _, f := range vectors {
				f()
			}
		}
		m.AddConst(mapIndex, 4*lanes*count)
	}
	for i, s := range p.streams {
		m.Param(mapBase+Reg(i), s)
	}
	for i, s := range p.scalars {
		m.BroadcastParam(mapScalars+Vec(i), s)
	}
	if zero := mapScalars + Vec(len(p.scalars)); int(zero) < m.Vectors() {
		m.Zero(zero)
	}
	m.Param(mapLeft, "n")
	m.MoveConst(mapIndex, 0)

	if p.exp {
		m.DataAddress(mapExp, "exponential", expNumbers())
	}
	if p.unroll > 1 {
		m.JumpLess(mapLeft, lanes*p.unroll, "vectors")
		if p.past {
			m.Param(mapPast, "past")
			m.JumpZero(mapPast, "turns")
			m.Align()
			m.Label("pastTurn")
			turn(p.unroll, true)
			m.SubJumpAtLeast(mapLeft, lanes*p.unroll, "pastTurn")
			m.StreamFence()
			m.Label("turns")
			m.JumpLess(mapLeft, lanes*p.unroll, "vectors")
		}
		m.Align()
		m.Label("turn")
		turn(p.unroll, false)
		m.SubJumpAtLeast(mapLeft, lanes*p.unroll, "turn")
	}
	m.Label("vectors")
	m.JumpLess(mapLeft, lanes, "tail")
	m.Label("vector")
	turn(1, false)
	m.SubJumpAtLeast(mapLeft, lanes, "vector")
	m.Label("tail")
	m.JumpZero(mapLeft, "done")
	m.SetTail(mapLeft)
	p.body(&mapStep{Machine: m, of: p, tail: true})
	m.Label("done")
	m.Return()
}

// mapFile holds the mappings of a level; that of AVX2 also the choice between levels.
func mapFile(l Level) File {
	f := File{Name: "map_" + strings.ToLower(l.String()), Level: l}
	for _, p := range mappings() {
		f.Functions = append(f.Functions, p.function(l))
	}
	f.Functions = append(f.Functions, weightedSum(l), maskRoutine(l), bytesRoutine(l))
	if l == AVX2 {
		for _, fn := range f.Functions {
			f.Go += choice(&fn, l)
		}
	}
	return f
}

// choice is a Go function that calls a routine at the level of a simd. Calls are
// direct, so that slices on the stack stay there.
func choice(f *Function, l Level) string {
	base := strings.TrimSuffix(f.Name, l.String())
	var params, args []string
	for _, p := range f.Params {
		params = append(params, p.Name+" "+p.Type)
		args = append(args, p.Name)
	}
	list := strings.Join(args, ", ")
	return fmt.Sprintf("\nfunc (s *simd) %s(%s) {\n\tif s.level == AVX512 {\n\t\t%[1]sAVX512(%[3]s)\n\t} else {\n\t\t%[1]sAVX2(%[3]s)\n\t}\n}\n",
		base, strings.Join(params, ", "), list)
}
