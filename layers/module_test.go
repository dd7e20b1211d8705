package layers

import (
	"slices"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/tensor"
)

func TestModulesRegisterTheirParametersAndShapeTheirOutput(t *testing.T) {
	image := tensor.Shape{2, 9, 7, 4}
	for _, tc := range []struct {
		name   string
		build  func(s Scope) Module
		input  tensor.Shape
		output tensor.Shape
		params []string
	}{
		{"convolution", func(s Scope) Module { return NewConv2D(s, 4, 6, 3, ConvOptions{}) },
			image, tensor.Shape{2, 7, 5, 6}, []string{"m.weight weight 3x3x4x6", "m.bias bias 6"}},
		{"convolution with options", func(s Scope) Module {
			return NewConv2D(s, 4, 6, 3, ConvOptions{Stride: 2, Padding: 2, Dilation: 2, Groups: 2, NoBias: true})
		}, image, tensor.Shape{2, 5, 4, 6}, []string{"m.weight weight 3x3x2x6"}},
		{"linear", func(s Scope) Module { return NewLinear(s, 4, 3) },
			image, tensor.Shape{2, 9, 7, 3}, []string{"m.weight weight 4x3", "m.bias bias 3"}},
		{"linear without bias", func(s Scope) Module { return NewLinearWith(s, 5, 3, LinearOptions{NoBias: true, Init: Ones}) },
			tensor.Shape{2, 5}, tensor.Shape{2, 3}, []string{"m.weight weight 5x3"}},
		{"batch norm", func(s Scope) Module { return NewBatchNorm(s, 4) },
			image, image, []string{"m.weight norm 4", "m.bias norm 4", "m.running_mean buffer 4", "m.running_var buffer 4"}},
		{"max pool", func(Scope) Module { return MaxPool{Window: 3, Stride: 2, Padding: 1} }, image, tensor.Shape{2, 5, 4, 4}, nil},
		{"average pool", func(Scope) Module { return AvgPool{Window: 3, Stride: 1, Padding: 1} }, image, image, nil},
		{"pool without stride", func(Scope) Module { return MaxPool{Window: 2} }, image, tensor.Shape{2, 4, 3, 4}, nil},
		{"global average pool", func(Scope) Module { return GlobalAvgPool{} }, image, tensor.Shape{2, 4}, nil},
		{"flatten", func(Scope) Module { return Flatten{} }, image, tensor.Shape{2, 252}, nil},
		{"identity", func(Scope) Module { return Identity{} }, image, image, nil},
		{"empty sequence", func(Scope) Module { return Sequential{} }, image, image, nil},
		{"dropout", func(s Scope) Module { return NewDropout(s, 0.5) }, image, image, nil},
		{"drop-path", func(s Scope) Module { return NewDropPath(s, 0.5) }, image, image, nil},
		{"residual with shortcut", func(s Scope) Module {
			return Residual{Body: NewConv2D(s.Sub("a"), 4, 5, 1, ConvOptions{NoBias: true}), Shortcut: NewConv2D(s.Sub("b"), 4, 5, 1, ConvOptions{NoBias: true})}
		}, image, tensor.Shape{2, 9, 7, 5}, []string{"m.a.weight weight 1x1x4x5", "m.b.weight weight 1x1x4x5"}},
		{"activations", func(Scope) Module { return Sequential{ReLU(), ReLU6(), Sigmoid(), SiLU(), HardSwish()} }, image, image, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := NewStore(1)
			m := tc.build(store.Root().Sub("m"))
			var params []string
			for _, p := range store.All() {
				params = append(params, p.Name+" "+p.Kind.String()+" "+p.Value.Shape().String())
			}
			if !slices.Equal(params, tc.params) {
				t.Errorf("parameters %q, want %q", params, tc.params)
			}
			for _, training := range []bool{false, true} {
				p := &Pass{Graph: autograd.NewGraph(), Training: training}
				y := m.Forward(p, p.Graph.Input("x", tc.input...))
				if !y.Shape().Equal(tc.output) {
					t.Errorf("training %t: output %v, want %v", training, y.Shape(), tc.output)
				}
			}
		})
	}
}

// run builds a module's graph and runs it once over an input that counts up.
func run(t *testing.T, m Module, training bool, step uint64, dims ...int) []float32 {
	t.Helper()
	p := &Pass{Graph: autograd.NewGraph(), Training: training}
	x := p.Graph.Input("x", dims...)
	y := m.Forward(p, x)
	// An operation after the module, so that the identity has an output as well.
	one := p.Graph.Constant(tensor.New(dims...))
	prog, err := autograd.Compile(autograd.Options{Outputs: []*autograd.Node{autograd.Add(y, one)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range prog.Tensor(x).Data() {
		prog.Tensor(x).Data()[i] = float32(i + 1)
	}
	prog.Run(step)
	nodes := prog.Nodes()
	return slices.Clone(prog.Tensor(nodes[len(nodes)-1]).Data())
}

func TestMasksApplyInTrainingOnly(t *testing.T) {
	s := NewStore(1).Root()
	for name, m := range map[string]Module{"dropout": NewDropout(s, 0.5), "drop-path": NewDropPath(s, 0.5)} {
		plain := run(t, m, false, 0, 16, 8)
		for i, v := range plain {
			if v != float32(i+1) {
				t.Fatalf("%s: inference changes element %d to %g", name, i, v)
			}
		}
		masked := run(t, m, true, 0, 16, 8)
		zeros := 0
		for i, v := range masked {
			switch v {
			case 0:
				zeros++
			case 2 * float32(i+1):
			default:
				t.Fatalf("%s: element %d is %g", name, i, v)
			}
		}
		if zeros == 0 || zeros == len(masked) {
			t.Errorf("%s: %d of %d elements are zero", name, zeros, len(masked))
		}
		if !slices.Equal(run(t, m, true, 0, 16, 8), masked) {
			t.Errorf("%s: the mask of one step changes", name)
		}
		if slices.Equal(run(t, m, true, 1, 16, 8), masked) {
			t.Errorf("%s: two steps share their mask", name)
		}
	}
}

func TestMasksOfProbabilityZeroAreTheIdentity(t *testing.T) {
	s := NewStore(1).Root()
	p := &Pass{Graph: autograd.NewGraph(), Training: true}
	x := p.Graph.Input("x", 2, 3)
	if NewDropout(s, 0).Forward(p, x) != x || NewDropPath(s, 0).Forward(p, x) != x {
		t.Error("they add operations")
	}
}

func TestResidualAddsItsBranches(t *testing.T) {
	twice := Func(func(x *autograd.Node) *autograd.Node { return autograd.Add(x, x) })
	for i, v := range run(t, Residual{Body: twice}, false, 0, 2, 3) {
		if v != 3*float32(i+1) {
			t.Errorf("element %d: %g, want %d", i, v, 3*(i+1))
		}
	}
	for i, v := range run(t, Residual{Body: twice, Shortcut: Sequential{twice, twice}}, false, 0, 2, 3) {
		if v != 6*float32(i+1) {
			t.Errorf("element %d: %g, want %d", i, v, 6*(i+1))
		}
	}
}

func TestBatchNormLearnsStatisticsInTrainingOnly(t *testing.T) {
	store := NewStore(1)
	m := NewBatchNorm(store.Root(), 1)
	mean, variance := store.Lookup("running_mean").Value.Data(), store.Lookup("running_var").Value.Data()
	run(t, m, false, 0, 3, 1)
	if mean[0] != 0 || variance[0] != 1 {
		t.Fatalf("inference moves them to %g, %g", mean[0], variance[0])
	}
	run(t, m, true, 0, 3, 1) // 1, 2, 3: mean 2, unbiased variance 1
	if d := mean[0] - 0.2; d > 1e-6 || d < -1e-6 {
		t.Errorf("running mean %g, want 0.2", mean[0])
	}
	if d := variance[0] - 1; d > 1e-6 || d < -1e-6 {
		t.Errorf("running variance %g, want 1", variance[0])
	}
}

func TestOneParameterIsOneVariableOfAGraph(t *testing.T) {
	store := NewStore(1)
	q := store.Root().Param("w", Weight, Ones, 2, 2)
	p := &Pass{Graph: autograd.NewGraph()}
	first := p.Param(q)
	if p.Param(q) != first {
		t.Error("two calls give two nodes")
	}
}
