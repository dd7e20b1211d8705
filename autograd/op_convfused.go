package autograd

import "github.com/nasbench-go/nasbench/tensor"

// convFused is a convolution whose result goes through a bias (input 2), then a sum with the last input, then a ReLU, of which some may
// be missing. Compile makes it.
type convFused struct {
	noGrad
	conv            *conv2D
	out             tensor.Shape
	bias, add, relu bool
}

func (f *convFused) Name() string {
	name := f.conv.Name()
	if f.bias {
		name += "_bias"
	}
	if f.add {
		name += "_add"
	}
	if f.relu {
		name += "_relu"
	}
	return name
}

func (f *convFused) Shape([]tensor.Shape) tensor.Shape { return f.out }

func (f *convFused) Work(in []tensor.Shape, out tensor.Shape) Work {
	w := convWork(in[1], out, in, out)
	for _, more := range []bool{f.bias, f.add, f.relu} {
		if more {
			w.FLOPs = plus(w.FLOPs, int64(out.Elements()))
		}
	}
	return w
}

// Pixels is for [groupRules].
func (f *convFused) Pixels(in []tensor.Shape, out tensor.Shape) int { return f.conv.Pixels(in, out) }

// residual returns the input that is added; -1 if there is none.
func (f *convFused) residual() int {
	switch {
	case f.add && f.bias:
		return 3
	case f.add:
		return 2
	}
	return -1
}

func (f *convFused) RowWise([]tensor.Shape, tensor.Shape) (rowAccess, bool) {
	if f.add {
		return rowAccess{inputs: []int{0, f.residual()}}, true
	}
	return rowAccess{inputs: input0}, true
}

// Apart is that of the convolution, with the residual. Only where that is added to a depthwise convolution, it and the result may not be pieces: it is
// done pixel by pixel if they lie apart.
func (f *convFused) Apart(in []tensor.Shape, out tensor.Shape) ([]int, bool) {
	inputs, _ := f.conv.Apart(in, out)
	if f.add && in[1][2] == 1 {
		return inputs, false
	}
	if f.add {
		inputs = append(inputs[:len(inputs):len(inputs)], f.residual())
	}
	return inputs, true
}

func (f *convFused) InPlace() []int {
	if f.add {
		return []int{f.residual()}
	}
	return nil
}

// Surroundings says that the convolution must not be written over its images.
func (*convFused) Surroundings() {}

func (f *convFused) Emit(e *Emitter) {
	g := f.conv.geometry(e.InShape(0), e.InShape(1), e.OutShape())
	g.ReLU, g.XStride, g.YStride = f.relu, e.Stride(0), e.OutStride()
	var bias, residual []float32
	if f.bias {
		bias = e.In(2)
	}
	if f.add {
		residual, g.RStride = e.In(f.residual()), e.Stride(f.residual())
	}
	emitConv(e, g, bias, residual)
}

// foldedScale returns kernels (R, S, C, K) times what a batch normalisation in inference multiplies every channel by; its other inputs are the
// normalisation's gamma and variance.
type foldedScale struct {
	noGrad
	epsilon float32
}

func (*foldedScale) Name() string                         { return "fold_scale" }
func (*foldedScale) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*foldedScale) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(out.Elements()), in, out)
}

func (o *foldedScale) Emit(e *Emitter) {
	w, gamma, variance, out := e.In(0), e.In(1), e.In(2), e.Out()
	e.Step(1, func(_ int, _ []float32) {
		k := len(gamma)
		for j, g := range gamma {
			s := g * invStd(variance[j], o.epsilon)
			for i := j; i < len(w); i += k {
				out[i] = w[i] * s
			}
		}
	})
}

// foldedShift returns what a batch normalisation in inference adds to the channels of a convolution that foldedScale has scaled, from its gamma, beta, mean and
// variance and, if there is one, the bias of the convolution.
type foldedShift struct {
	noGrad
	epsilon float32
}

func (*foldedShift) Name() string                         { return "fold_shift" }
func (*foldedShift) Shape(in []tensor.Shape) tensor.Shape { return in[0] }
func (*foldedShift) Work(in []tensor.Shape, out tensor.Shape) Work {
	return flops(times(4, out.Elements()), in, out)
}

func (o *foldedShift) Emit(e *Emitter) {
	gamma, beta, mean, variance, out := e.In(0), e.In(1), e.In(2), e.In(3), e.Out()
	var bias []float32
	if len(e.node.in) > 4 {
		bias = e.In(4)
	}
	e.Step(1, func(int, []float32) {
		for j := range out {
			m := mean[j]
			if bias != nil {
				m -= bias[j]
			}
			out[j] = beta[j] - m*gamma[j]*invStd(variance[j], o.epsilon)
		}
	})
}
