package study

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// The names in a trial's JSON are an interface: other programs read them.
func TestTrialJSONHasStableNames(t *testing.T) {
	origin := 2
	full := Trial{
		Index: 3, Genome: "chain conv", Architecture: json.RawMessage(`{"d":1}`), Key: "k", State: Pruned, Reason: "slow",
		ReusedFrom: &origin, Seed: math.MaxUint64,
		Metrics: &Metrics{ValAccuracy: 0.5, ValLoss: 1, TrainLoss: 2, Params: 3, FLOPs: 4, MACs: 5, ActivationBytes: 6, Epochs: 7, Other: map[string]float64{"x": 8}},
		Curve:   []Point{{Epoch: 1, TrainLoss: 2, ValLoss: 3, ValAccuracy: 0.25, LearningRate: 0.1}},
		Timing:  Timing{Seconds: 9, ImagesPerSecond: 10},
	}
	for _, c := range []struct {
		trial Trial
		want  string
	}{
		{full, `{"type":"trial","index":3,"genome":"chain conv","architecture":{"d":1},"key":"k","state":"pruned","reason":"slow","reused_from":2,` +
			`"seed":"18446744073709551615","metrics":{"val_accuracy":0.5,"val_loss":1,"train_loss":2,"params":3,"flops":4,"macs":5,"activation_bytes":6,"epochs":7,"other":{"x":8}},` +
			`"curve":[{"epoch":1,"train_loss":2,"val_loss":3,"val_accuracy":0.25,"learning_rate":0.1}],"timing":{"seconds":9,"images_per_second":10}}`},
		{Trial{State: Failed, Reason: "r"}, `{"type":"trial","index":0,"genome":"","architecture":null,"key":"","state":"failed","reason":"r",` +
			`"seed":"0","metrics":null,"curve":[],"timing":{"seconds":0,"images_per_second":0}}`},
	} {
		got, err := json.Marshal(c.trial)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		var back Trial
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(back); string(again) != c.want {
			t.Errorf("read back: %s", again)
		}
	}
}

func TestLeaderboardOrder(t *testing.T) {
	trial := func(index int, state State, accuracy float64, params int64) Trial {
		return Trial{Index: index, State: state, Metrics: &Metrics{ValAccuracy: accuracy, Params: params}}
	}
	again := trial(6, Complete, 0.9, 5)
	again.ReusedFrom = new(int)
	trials := []Trial{
		trial(0, Complete, 0.5, 10),
		trial(1, Complete, 0.9, 20),
		trial(2, Pruned, 0.99, 1),
		{Index: 3, State: Failed},
		trial(4, Complete, 0.9, 10),
		trial(5, Complete, 0.9, 10),
		again,
	}
	for n, want := range map[int]string{0: "4 5 1 0 ", 2: "4 5 ", 9: "4 5 1 0 "} {
		got := ""
		for _, b := range Leaderboard(trials, n) {
			got += fmt.Sprint(b.Index, " ")
		}
		if got != want {
			t.Errorf("first %d: %s, want %s", n, got, want)
		}
	}
	if Leaderboard(nil, 3) != nil {
		t.Error("nobody leads without trials")
	}
}

func curve(accuracies ...float64) []Point {
	var c []Point
	for i, a := range accuracies {
		c = append(c, Point{Epoch: i + 1, ValAccuracy: a})
	}
	return c
}

func TestMedianPruner(t *testing.T) {
	// The means up to epoch 2 are 0.2, 0.4, 0.6.
	past := [][]Point{curve(0.1, 0.3, 0.9), curve(0.3, 0.5, 0.9), curve(0.5, 0.7), curve(0.9)}
	for _, c := range []struct {
		name              string
		warmup, minTrials int
		current           []Point
		want              bool
	}{
		{"below the median", 0, 3, curve(0.3, 0.39), true},
		{"at the median", 0, 3, curve(0.4, 0.1), false},
		{"in the warm-up", 2, 3, curve(0.3, 0.3), false},
		{"too few others", 0, 4, curve(0.3, 0.3), false},
		{"even number of others", 0, 1, curve(0.39, 0.3, 0.3), true},
		{"nobody came as far", 0, 0, curve(0, 0, 0, 0), false},
		{"no epoch yet", 0, 0, nil, false},
	} {
		got, why := MedianPruner(c.warmup, c.minTrials)(past, c.current)
		if got != c.want || (why != "") != got {
			t.Errorf("%s: %v, %q", c.name, got, why)
		}
	}
}
