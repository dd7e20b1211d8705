package layers

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/layers/safetensors"
)

func TestResumedTrainingHasTheSameBits(t *testing.T) {
	for name, change := range map[string]func(o *TrainerOptions){
		"sgd, averages":      func(*TrainerOptions) {},
		"sgd, no averages":   func(o *TrainerOptions) { o.EMADecay = 0 },
		"adamw, averages":    func(o *TrainerOptions) { o.Optimizer = AdamW{WeightDecay: 0.05}; o.Schedule = CosineRate(0.01, 0) },
		"adamw, no clipping": func(o *TrainerOptions) { o.Optimizer = AdamW{}; o.ClipNorm = 0; o.EMADecay = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			o.Schedule = WarmUp(3, CosineRate(0.05, 0.001))
			change(&o)
			o.Steps = 10

			straight, _, _ := newTrainer(t, o)
			wantLosses := train(t, straight, 10)

			path := filepath.Join(t.TempDir(), "half.safetensors")
			half, _, _ := newTrainer(t, o)
			train(t, half, 5)
			if err := half.Save(path, map[string]string{"epoch": "2"}); err != nil {
				t.Fatal(err)
			}
			resumed, _, _ := newTrainer(t, o)
			train(t, resumed, 1) // whatever it did before must not matter
			notes, err := resumed.Restore(path)
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(notes, map[string]string{"epoch": "2"}) {
				t.Errorf("notes %v", notes)
			}
			if resumed.Steps() != 5 {
				t.Errorf("resumes at step %d, want 5", resumed.Steps())
			}
			losses := train(t, resumed, 5)
			if !slices.Equal(losses, wantLosses[5:]) {
				t.Errorf("losses %v, want %v", losses, wantLosses[5:])
			}
			requireSameBits(t, bits(resumed), bits(straight))

			again := filepath.Join(t.TempDir(), "a.safetensors")
			both := filepath.Join(t.TempDir(), "b.safetensors")
			for p, tr := range map[string]*Trainer{again: resumed, both: straight} {
				if err := tr.Save(p, nil); err != nil {
					t.Fatal(err)
				}
			}
			a, errA := os.ReadFile(again)
			b, errB := os.ReadFile(both)
			if errA != nil || errB != nil || !slices.Equal(a, b) {
				t.Errorf("checkpoints of equal trainings differ (%v, %v)", errA, errB)
			}
		})
	}
}

func TestCheckpointOfOtherOptionsIsRefusedAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	tr, _, _ := newTrainer(t, testOptions())
	train(t, tr, 2)
	if err := tr.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(o *TrainerOptions)
		want   []string
	}{
		"seed":        {func(o *TrainerOptions) { o.Seed = 5 }, []string{`seed is "21", here it is "5"`}},
		"several":     {func(o *TrainerOptions) { o.Steps = 61; o.LabelSmoothing = 0 }, []string{`steps is "60"`, `label_smoothing is "0.05"`}},
		"optimizer":   {func(o *TrainerOptions) { o.Optimizer = AdamW{} }, []string{`optimizer is "sgd momentum=0.9 nesterov=true weight_decay=0.001"`}},
		"schedule":    {func(o *TrainerOptions) { o.Schedule = ConstantRate(0.05) }, []string{"learning rate", "at step 2"}},
		"ema":         {func(o *TrainerOptions) { o.EMADecay = 0 }, []string{"ema_decay"}},
		"batch, clip": {func(o *TrainerOptions) { o.Input = o.Input.Clone(); o.Input[0] = 4; o.ClipNorm = 9 }, []string{`input is "12x6x6x2"`, "clip_norm"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			tc.change(&o)
			other, _, _ := newTrainer(t, o)
			before := bits(other)
			_, err := other.Restore(path)
			for _, want := range append(tc.want, path) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want it to contain %q", err, want)
				}
			}
			requireSameBits(t, bits(other), before)
		})
	}
}

func TestDamagedCheckpointsAreRefused(t *testing.T) {
	dir := t.TempDir()
	tr, _, _ := newTrainer(t, testOptions())
	good := filepath.Join(dir, "good.safetensors")
	if err := tr.Save(good, nil); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		damage func(f *safetensors.File)
		want   string
	}{
		"no format":       {func(f *safetensors.File) { delete(f.Metadata, "format") }, `format ""`},
		"another level":   {func(f *safetensors.File) { f.Metadata["level"] = "other" }, `level is "other"`},
		"negative step":   {func(f *safetensors.File) { f.Metadata["step"] = "-1" }, `step is "-1"`},
		"no counter":      {func(f *safetensors.File) { delete(f.Metadata, "ema_updates") }, "ema_updates"},
		"rate not number": {func(f *safetensors.File) { f.Metadata["rate"] = "x" }, `learning rate "x"`},
		"rate NaN":        {func(f *safetensors.File) { f.Metadata["rate"] = "NaN" }, `learning rate "NaN"`},
		"no state":        {func(f *safetensors.File) { f.Tensors = f.Tensors[:len(f.Tensors)-1] }, `"unaveraged/norm.running_var" is missing`},
		"renamed":         {func(f *safetensors.File) { f.Tensors[0].Name = "root.weight" }, `"stem.weight" is missing; "root.weight" is not part of the model`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := safetensors.ReadFile(good)
			if err != nil {
				t.Fatal(err)
			}
			tc.damage(f)
			bad := filepath.Join(dir, "bad.safetensors")
			if err := safetensors.WriteFile(bad, f.Tensors, f.Metadata); err != nil {
				t.Fatal(err)
			}
			before := bits(tr)
			if _, err := tr.Restore(bad); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want it to contain %q", err, tc.want)
			}
			requireSameBits(t, bits(tr), before)
		})
	}
}

func TestWeightsTravelWithoutTheTrainer(t *testing.T) {
	dir := t.TempDir()
	tr, model, store := newTrainer(t, testOptions())
	train(t, tr, 3)
	weights, checkpoint := filepath.Join(dir, "weights.safetensors"), filepath.Join(dir, "checkpoint.safetensors")
	if err := SaveWeights(weights, store, map[string]string{"genome": "conv3x3(16)"}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Save(checkpoint, nil); err != nil {
		t.Fatal(err)
	}
	logits := func(m Module, s *Store) []float32 {
		p, err := NewPredictor(m, s, PredictorOptions{Input: testInput})
		if err != nil {
			t.Fatal(err)
		}
		fillBatch(p.Images(), make([]float32, 12), 7)
		return p.Run().Data()
	}
	last := logits(model, store)
	tr.KeepAverages()
	averaged := logits(model, store)
	if slices.Equal(last, averaged) {
		t.Fatal("the averages are the weights of the last step")
	}
	for path, want := range map[string][]float32{weights: last, checkpoint: averaged} {
		fresh := NewStore(99)
		m := testNet(fresh)
		meta, err := LoadWeights(path, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if path == weights && meta["genome"] != "conv3x3(16)" {
			t.Errorf("metadata %v", meta)
		}
		if !slices.Equal(logits(m, fresh), want) {
			t.Errorf("%s: other logits than before", filepath.Base(path))
		}
	}
}

func TestNothingFollowsKeptAverages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	for _, decay := range []float64{0, 0.9} {
		o := testOptions()
		o.EMADecay = decay
		tr, _, _ := newTrainer(t, o)
		train(t, tr, 2)
		if err := tr.Save(path, nil); err != nil {
			t.Fatal(err)
		}
		tr.KeepAverages()
		kept := bits(tr)
		tr.KeepAverages()
		requireSameBits(t, bits(tr), kept)
		_, stepErr := tr.Step()
		saveErr := tr.Save(path, nil)
		_, restoreErr := tr.Restore(path)
		for what, err := range map[string]error{"step": stepErr, "save": saveErr, "restore": restoreErr} {
			if (err != nil) != (decay > 0) {
				t.Errorf("decay %g, %s: %v", decay, what, err)
			}
		}
	}
}

func TestWeightsOfAnotherModelAreRefusedByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	a := NewStore(1)
	a.Root().Param("both", Weight, Ones, 2, 3)
	a.Root().Param("only_file", Weight, Ones, 1)
	if err := SaveWeights(path, a, nil); err != nil {
		t.Fatal(err)
	}
	b := NewStore(1)
	both := b.Root().Param("both", Weight, Zeros, 3, 2)
	b.Root().Param("only_model", Weight, Zeros, 1)
	_, err := LoadWeights(path, b)
	want := `"both" has shape 2x3, want 3x2; "only_model" is missing; "only_file" is not part of the model`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if both.Value.Data()[0] != 0 {
		t.Error("the store was changed")
	}
	if _, err := LoadWeights(path+".none", b); err == nil {
		t.Error("a missing file is not an error")
	}
}

func TestSaveIsRefusedWhileAveragesAreInUse(t *testing.T) {
	tr, _, store := newTrainer(t, testOptions())
	train(t, tr, 1)
	path := filepath.Join(t.TempDir(), "a.safetensors")
	err := tr.Averaged(func() error {
		if err := tr.Save(path, nil); err == nil {
			t.Error("Save is not an error")
		}
		if _, err := tr.Restore(path); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("Restore: %v", err)
		}
		return SaveWeights(path, store, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range tr.ema.State() {
		name, _ := strings.CutPrefix(a.Name, "ema/")
		if !slices.Equal(f.Lookup(name).Data(), a.Value.Data()) {
			t.Errorf("%s: the file does not have the average", name)
		}
	}
}
