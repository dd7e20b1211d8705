package main

import (
	"testing"
	"time"

	"github.com/nasbench-go/nasbench/nas/evaluator"
)

func TestTheFinalTrainingTakesTheEpochsThatFit(t *testing.T) {
	second := time.Second
	pace := evaluator.Pace{Start: second / 2, Epoch: 4 * second, Test: second / 2}
	for _, c := range []struct {
		what                  string
		limit, left           time.Duration
		pace                  evaluator.Pace
		trainings, want, most int
	}{
		{"as many as fit", 180 * second, 90 * second, pace, 1, 22, 100},
		{"no more than are asked for", 180 * second, 90 * second, pace, 1, 10, 10},
		{"for each of several trainings", 180 * second, 90 * second, pace, 3, 7, 100},
		{"one that nearly fits", 180 * second, 88*second + second/2, pace, 1, 22, 100},
		{"half of one, which is cut off", 60 * second, 4 * second, pace, 1, 1, 100},
		{"less than half of one", 60 * second, 2 * second, pace, 1, 0, 100},
		{"half of one for several trainings", 60 * second, 8 * second, pace, 2, 0, 100},
		{"nothing is left", 60 * second, -second, pace, 1, 0, 100},
		{"an epoch that takes no time", 60 * second, 10 * second, evaluator.Pace{}, 1, 100, 100},
	} {
		got := fitEpochs(c.limit, c.left, c.pace, c.trainings, c.most)
		if got != c.want {
			t.Errorf("%s: %d epochs, want %d", c.what, got, c.want)
		}
		if took := time.Duration(c.trainings) * (c.pace.Start + c.pace.Test + time.Duration(got)*c.pace.Epoch); got > 1 && took > c.left+allowance(c.limit)/4 {
			t.Errorf("%s: takes %v of %v", c.what, took, c.left)
		}
	}
}

// Whatever the pace, what is trained by the plan leaves less than an epoch of every training, and what is slower is cut off so that it is measured in
// time.
func TestTheTimeIsUsedAndKept(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, limit := range []time.Duration{10 * time.Second, 25 * time.Second, 165 * time.Second, time.Hour} {
		for _, share := range []float64{0.2, 0.5, 0.9} {
			for _, epoch := range []time.Duration{50 * time.Millisecond, 900 * time.Millisecond, 7 * time.Second} {
				left := time.Duration(share * float64(limit))
				pace := evaluator.Pace{Start: epoch / 50, Epoch: epoch, Test: epoch / 4}
				n := fitEpochs(limit, left, pace, 1, 1<<30)
				took := pace.Start + time.Duration(n)*pace.Epoch + pace.Test
				fits := took <= left+allowance(limit)/2 || n == 1 && left+allowance(limit)/4 >= pace.Start+epoch/2+pace.Test // the half of an epoch is cut off
				if n > 0 && (!fits || took < left-epoch) {
					t.Errorf("%v of %v, epochs of %v: %d of them take %v", left, limit, epoch, n, took)
				}
				if late := cutOff(start, limit, pace).Add(pace.Test).Sub(start); late > limit+allowance(limit) || late < limit {
					t.Errorf("cut off and measured after %v of %v", late, limit)
				}
			}
		}
	}
}

func TestTheReserveIsOfWholeEpochs(t *testing.T) {
	for _, c := range []struct {
		limit, each time.Duration
		want, whole int
	}{
		{100 * time.Second, time.Second, 10, 10},
		{100 * time.Second, 12 * time.Second, 10, 4}, // as many as half of it has room for
		{100 * time.Second, 60 * time.Second, 10, 1}, // one, if it has room
		{100 * time.Second, 90 * time.Second, 10, 0},
		{100 * time.Second, 0, 10, 0},
	} {
		want := time.Duration(c.whole) * c.each * 21 / 20
		if got := reserveFor(c.limit, c.each, c.want); got != want {
			t.Errorf("%d epochs of %v in %v: reserve %v, want %v", c.want, c.each, c.limit, got, want)
		}
	}
}
