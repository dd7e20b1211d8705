package bench

import (
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/autograd"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/tensor"
)

// goldenModel is what PyTorch computes for a model: testdata/golden/make_golden.py.
type goldenModel struct {
	Shape tensor.Shape
	Rate  float64
	Steps []struct {
		Loss  float64
		Norms map[string]float64 // of the gradients, by the first two elements of the parameters' names
	}
}

// hashed fills x with the numbers in [-1, 1) that make_golden.py calls uniform, after f.
func hashed(name string, x []float32, f func(v float64) float64) {
	crc := crc32.ChecksumIEEE([]byte(name))
	for i := range x {
		h := uint32(i)*2654435761 + crc
		h ^= h >> 15
		h *= 2246822519
		h ^= h >> 13
		h *= 3266489917
		h ^= h >> 16
		x[i] = float32(f(float64(h)/(1<<31) - 1))
	}
}

func goldenWeights(p *layers.Parameter) {
	s := p.Value.Shape()
	scale, offset := math.Sqrt(3/float64(max(s[:len(s)-1].Elements(), 1))), 0.0
	switch {
	case strings.HasSuffix(p.Name, ".alpha"):
		scale = 0.5
	case strings.HasSuffix(p.Name, ".bias"):
		scale = 0.1
	case strings.HasSuffix(p.Name, "norm.weight"):
		scale, offset = 0.1, 1
	}
	hashed(p.Name, p.Value.Data(), func(v float64) float64 { return scale*v + offset })
}

// Losses and gradient norms of the first steps of stochastic gradient descent with momentum are those of PyTorch in float64, fused or
// not, at every level. The bound is what rounding to float32 leaves through networks of this depth: some hundred units in the last place for the
// first loss, more where the steps before add to it.
func TestFirstStepsAreThoseOfPyTorch(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", "models.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]goldenModel
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	for _, m := range Models() {
		want, ok := golden[m.Name]
		if !ok {
			continue
		}
		delete(golden, m.Name)
		for _, level := range kernels.Available() {
			for name, unfused := range map[string]bool{"fused": false, "unfused": true} {
				t.Run(m.Name+"/"+level.String()+"/"+name, func(t *testing.T) { firstSteps(t, m, want, level, unfused) })
			}
		}
	}
	for name := range golden {
		t.Errorf("no model %q", name)
	}
}

func firstSteps(t *testing.T, m Model, want goldenModel, level kernels.Level, unfused bool) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store := layers.NewStore(1)
	module, err := m.Build(store.Root(), 10)
	must(err)
	pass := &layers.Pass{Graph: autograd.NewGraph(), Training: true}
	images, labels := pass.Graph.Input("images", want.Shape...), pass.Graph.Input("labels", want.Shape[0])
	loss := autograd.CrossEntropy(module.Forward(pass, images), labels, 0)
	if !unfused {
		simple, err := autograd.Simplify(loss)
		must(err)
		pass.Graph, loss, images, labels = simple.Graph, simple.Node(loss), simple.Node(images), simple.Node(labels)
	}
	var variables []*autograd.Node
	for _, p := range store.Trainable() {
		goldenWeights(p)
		variables = append(variables, pass.Param(p))
	}
	grads, err := autograd.Grad(loss, variables)
	must(err)
	table, err := kernels.ForLevel(level)
	must(err)
	program, err := autograd.Compile(autograd.Options{Outputs: append([]*autograd.Node{loss}, grads...), Table: table, Unfused: unfused})
	must(err)
	hashed("images", program.Tensor(images).Data(), func(v float64) float64 { return v })
	for i := range program.Tensor(labels).Data() {
		program.Tensor(labels).Data()[i] = float32(i * 7 % 10)
	}
	velocity := make([][]float32, len(grads))
	for step, golden := range want.Steps {
		program.Run(uint64(step))
		near := func(what string, got, want, bound float64) {
			t.Helper()
			if !(math.Abs(got-want) <= bound*want) {
				t.Errorf("step %d: %s %.8g, PyTorch %.8g", step, what, got, want)
			}
		}
		near("loss", float64(program.Tensor(loss).Data()[0]), golden.Loss, 3e-6*math.Pow(10, float64(step)))
		norms := map[string]float64{}
		for i, p := range store.Trainable() {
			name, g := p.Name, program.Tensor(grads[i]).Data()
			if parts := strings.SplitN(name, ".", 3); len(parts) > 2 {
				name = parts[0] + "." + parts[1]
			}
			if velocity[i] == nil {
				velocity[i] = make([]float32, len(g))
			}
			for j, v := range g {
				norms[name] += float64(v) * float64(v)
				velocity[i][j] = 0.9*velocity[i][j] + v
				p.Value.Data()[j] -= float32(want.Rate) * velocity[i][j]
			}
		}
		if len(norms) != len(golden.Norms) {
			t.Fatalf("%d norms, PyTorch %d", len(norms), len(golden.Norms))
		}
		for name, square := range norms {
			near("norm of the gradient of "+name, math.Sqrt(square), golden.Norms[name], 3e-5*math.Pow(10, float64(step)))
		}
	}
}
