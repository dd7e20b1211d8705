package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// withoutTiming returns a JSON value without what is called timing, at any depth.
func withoutTiming(x any) any {
	switch x := x.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			if k != "timing" {
				out[k] = withoutTiming(v)
			}
		}
		return out
	case []any:
		var out []any
		for _, v := range x {
			out = append(out, withoutTiming(v))
		}
		return out
	}
	return x
}

// Of two runs of a command with --json, whatever stands outside of timing is the same.
func TestWhatVariesFromRunToRunStandsInTiming(t *testing.T) {
	onceForAllLevels(t)
	const small = "--train-samples 120 --epochs 1 --batch 20 --seed 3"
	recorded := filepath.Join(t.TempDir(), "s.db")
	succeed(t, strings.Fields("search --quiet --final-epochs 1 --trials 2 --study "+recorded+" "+small)...)
	table := []string{
		"search --study DIR/s.db --trials 3 --workers 2 --final-epochs 1 --final-seeds 2 " + small,
		"search --study DIR/s.db --trials 4 --strategy evolution --population 2 --pareto score,-params --final-epochs 0 " + small,
		"search --study DIR/s.db --strategy oneshot --trials 1 --oneshot-epochs 1 --oneshot-paths 4 --oneshot-population 3 --oneshot-finalists 1 --final-epochs 0 " + small,
		"search --study DIR/s.db --strategy darts --space nb201 --channels 4 --darts-channels 2 --darts-cells 3 --cells 3 --darts-epochs 1 --darts-batch 20 --trials 1 --final-epochs 0 " + small,
		"search --study DIR/s.db --space ../../examples/spaces/three-edges.yaml --evaluator tabular --table ../../examples/tables/three-edges.csv --metric val_accuracy_ep1 --task 28x28x1x10 --trials 3",
		"compare --space ../../examples/spaces/three-edges.yaml --table ../../examples/tables/three-edges.csv --metric val_accuracy_ep1 --task 28x28x1x10 --trials 3 --runs 3",
		"train --arch conv3x3(16),skip,fc(64) --test --out DIR/m.safetensors --threads 2 " + small,
		"rank --study DIR/s.db --architectures 3 --oneshot-epochs 1 " + small,
		"study list " + recorded,
		"study show " + recorded,
		"study export " + recorded,
		"data list",
		"data info fashion-mnist-mini",
		"profile --model small-cnn --batch 2 --time 1ms --threads 1",
		"bench model --model small-cnn --batch 2 --time 1ms --mode train,infer,latency,throughput --threads 1",
		"bench gemm --shape 4x4x4 --time 1us",
		"info",
		"version",
	}
	for _, line := range table {
		t.Run(line, func(t *testing.T) {
			var runs [2][]map[string]any
			for i := range runs {
				folder := t.TempDir()
				args := append(strings.Fields(strings.ReplaceAll(line, "DIR", folder)), "--json")
				for text := range strings.Lines(strings.ReplaceAll(succeed(t, args...).stdout, folder, "DIR")) {
					var o map[string]any
					if err := json.Unmarshal([]byte(text), &o); err != nil {
						t.Fatalf("%v: %s", err, text)
					}
					runs[i] = append(runs[i], withoutTiming(o).(map[string]any))
				}
			}
			if len(runs[0]) == 0 || len(runs[0]) != len(runs[1]) {
				t.Fatalf("%d objects and %d", len(runs[0]), len(runs[1]))
			}
			for i, a := range runs[0] {
				if b := runs[1][i]; !reflect.DeepEqual(a, b) {
					t.Errorf("%s\n%s", fmt.Sprint(a), fmt.Sprint(b))
				}
				if raw, err := json.Marshal(a); err != nil || strings.Contains(string(raw), "seconds\"") {
					t.Errorf("seconds outside of timing: %s, %v", raw, err)
				}
			}
		})
	}
}
