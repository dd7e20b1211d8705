package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tinyTrain is a training of seconds.
func tinyTrain(more ...string) []string {
	return append([]string{"train", "--arch", "conv3x3(16), pool3x3(max):concat, pool3x3(max)", "--epochs", "3", "--train-samples", "300", "--json", "--quiet"}, more...)
}

// The final training of a search can be repeated with train.
func TestTrainRepeatsTheFinalTrainingOfASearch(t *testing.T) {
	lines := objects(t, succeed(t, tiny("--json", "--final-epochs", "2", "--lr", "0.05", "--flip", "--pad", "2")...).stdout)
	s := lines[len(lines)-1]
	genome := inside(s, "best", "genome").(string)
	_, command, found := strings.Cut(inside(s, "run", "train").(string), "'"+genome+"'")
	if !found {
		t.Fatalf("%v", inside(s, "run", "train"))
	}
	args := append([]string{"train", "--arch", genome, "--json"}, strings.Fields(command)...)
	r := objects(t, succeed(t, args...).stdout)
	result := r[len(r)-1]
	for _, name := range []string{"test_accuracy", "test_loss", "test_images", "epochs", "train_images"} {
		if result[name] != inside(s, "final", name) {
			t.Errorf("%s: %v by train, %v by search", name, result[name], inside(s, "final", name))
		}
	}
}

func TestInterruptedTrainingGoesOnToTheSameBits(t *testing.T) {
	for _, extra := range [][]string{
		nil,
		{"--ema", "0.9", "--optimizer", "adamw", "--schedule", "step", "--cutout", "4"},
		{"--validation", "0", "--schedule", "constant", "--momentum", "0"},
	} {
		dir := t.TempDir()
		whole, part := filepath.Join(dir, "whole.safetensors"), filepath.Join(dir, "part.safetensors")
		want := succeed(t, tinyTrain(append(extra, "--test", "--out", whole)...)...)
		r := interruptAt(t, `"epoch":2`, true, tinyTrain(append(extra, "--test", "--out", part)...)...)
		if r.code != exitInterrupted || !strings.Contains(r.stderr, "go on with: ") || !strings.Contains(r.stderr, "train --resume "+part+" --test") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
		rest := succeed(t, "train", "--resume", part, "--test", "--json", "--quiet")
		if got, want := lasting(t, r.stdout)+lasting(t, rest.stdout), lasting(t, want.stdout); got != want {
			t.Errorf("%v: interrupted\n%s\nuninterrupted\n%s", extra, got, want)
		}
		a, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%v: the model files differ", extra)
		}
	}
}

func TestCheckpointsHoldTheirSettings(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.safetensors")
	succeed(t, tinyTrain("--epochs", "1", "--out", model)...)
	wantOneLine(t, nasbench(t, nil, "train", "--resume", model, "--epochs", "2"), exitUsage, "epochs was 1, now 2")
	wantOneLine(t, nasbench(t, nil, "train", "--resume", model, "--arch", "conv3x3(16), skip, skip"), exitUsage, "arch was conv3x3(16), pool3x3(max):concat, pool3x3(max), now ")
	succeed(t, "train", "--resume", model, "--arch", "conv3x3(16),pool3x3(max):concat,pool3x3(max)", "--quiet")
}

func TestArchitecturesComeAsTextJSONFileAndStandardInput(t *testing.T) {
	const text = "conv3x3(16), pool3x3(max), pool3x3(max)"
	const asJSON = `{"space":"chain","version":1,"layers":[{"op":"conv3x3","channels":16},{"op":"pool3x3","type":"max"},{"op":"pool3x3","type":"max"}]}`
	file := filepath.Join(t.TempDir(), "arch.json")
	if err := os.WriteFile(file, []byte(asJSON+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, arch := range []string{text, asJSON, "@" + file, "@-"} {
		var stdout, stderr bytes.Buffer
		args := []string{"train", "--arch", arch, "--epochs", "1", "--train-samples", "100", "--json", "--quiet"}
		if code := run(t.Context(), args, strings.NewReader(text), &stdout, &stderr, env{}.get); code != exitOK {
			t.Fatalf("%s: %s", arch, stderr.String())
		}
		got := lasting(t, stdout.String())
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s gives\n%s\nwant\n%s", arch, got, want)
		}
	}
}

func TestTrainPrintsALinePerEpoch(t *testing.T) {
	model := filepath.Join(t.TempDir(), "model.safetensors")
	r := succeed(t, tinyTrain("--json=false", "--quiet=false", "--test", "--out", model)...)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	for i, want := range []string{"epoch 1/3: train loss ", "epoch 2/3: ", "epoch 3/3: ", "test accuracy 0.", "model saved in " + model} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q:\n%s", i, want, r.stdout)
		}
	}
	if !strings.Contains(lines[0], "validation loss ") || !strings.HasPrefix(r.stderr, "train: conv3x3(16), ") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}

func TestDivergedTrainingFails(t *testing.T) {
	r := nasbench(t, nil, tinyTrain("--lr", "1e30", "--warm-up", "0", "--clip", "0")...)
	wantOneLine(t, r, exitFailure, "training failed: loss is ")
	wantOneLine(t, r, exitFailure, "at epoch 1, step 2; a lower --lr may help")
}

// A bound on the memory changes no bit of a training that fits, and the refusal of one that does not says what it needs.
func TestMemoryOfATraining(t *testing.T) {
	want := succeed(t, tinyTrain()...)
	r := nasbench(t, nil, tinyTrain("--memory", "1k")...)
	var need float64
	_, text, _ := strings.Cut(r.stderr, "training needs ")
	if _, err := fmt.Sscanf(text, "%f MB of memory, more than the 1.0 kB allowed", &need); r.code != exitFailure || err != nil {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	least := succeed(t, tinyTrain("--memory", fmt.Sprintf("%.2fM", need+0.05))...)
	if got, want := lasting(t, least.stdout), lasting(t, want.stdout); got != want {
		t.Errorf("in %.2f MB\n%s\nwithout a bound\n%s", need, got, want)
	}
}
