package evaluator

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
)

func TestACheckpointOfOtherDataIsRefused(t *testing.T) {
	o := trainingOptions(t)
	o.Out, o.Data = filepath.Join(t.TempDir(), "a.safetensors"), "aaaa"
	mustRun(t, o)
	o.Resume, o.Data = o.Out, "bbbb"
	_, err := NewTraining(o)
	var other *dataset.DigestError
	if !errors.As(err, &other) || other.Recorded != "aaaa" || other.Given != "bbbb" || !strings.Contains(err.Error(), o.Out) {
		t.Errorf("error %v", err)
	}
	for _, data := range []string{"", "aaaa"} {
		o.Data = data
		mustRun(t, o)
	}
}

// A training that is resumed after its end says what it reached, also if the checkpoint is from before digests were kept.
func TestAFinishedTrainingSaysWhatItReached(t *testing.T) {
	o := trainingOptions(t)
	o.Out = filepath.Join(t.TempDir(), "a.safetensors")
	want := mustRun(t, o)
	o.Resume, o.Data = o.Out, "aaaa"
	got := mustRun(t, o)
	if w, g := want.Metrics, got.Metrics; g.ValAccuracy != w.ValAccuracy || g.ValLoss != w.ValLoss || g.Epochs != w.Epochs || w.ValLoss == 0 {
		t.Errorf("%+v, want %+v", g, w)
	}
}

func TestAFlippedBitIsAnError(t *testing.T) {
	o := trainingOptions(t)
	o.Out = filepath.Join(t.TempDir(), "a.safetensors")
	mustRun(t, o)
	good := readFile(t, o.Out)
	o.Resume = o.Out
	for i := 0; i < len(good); i += 1 + len(good)/100 {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(o.Out, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewTraining(o); err == nil || !strings.Contains(err.Error(), o.Out) {
			t.Errorf("byte %d of %d: error %v, want one that names %s", i, len(good), err, o.Out)
		}
	}
}
