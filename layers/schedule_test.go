package layers

import (
	"fmt"
	"math"
	"testing"
)

func TestSchedulesAtKnownSteps(t *testing.T) {
	cosine := CosineRate(0.5, 0.1)
	half := StepRate(0.8, 0.5, 0.5, 0.75)
	for _, tc := range []struct {
		name        string
		s           Schedule
		step, total int
		want        float64
	}{
		{"constant", ConstantRate(0.3), 57, 100, 0.3},
		{"cosine, first", cosine, 0, 100, 0.5},
		{"cosine, third", cosine, 25, 75, 0.1 + 0.4*0.75}, // cos(pi/3) = 1/2
		{"cosine, half", cosine, 50, 100, 0.3},
		{"cosine, end", cosine, 100, 100, 0.1},
		{"cosine, past the end", cosine, 150, 100, 0.1},
		{"cosine of no steps", cosine, 0, 0, 0.5},
		{"steps, first", half, 0, 8, 0.8},
		{"steps, before half", half, 3, 8, 0.8},
		{"steps, half", half, 4, 8, 0.4},
		{"steps, three quarters", half, 6, 8, 0.2},
		{"steps, end", half, 8, 8, 0.2},
		{"warm-up, first", WarmUp(4, ConstantRate(1)), 0, 10, 0.2},
		{"warm-up, last", WarmUp(4, ConstantRate(1)), 3, 10, 0.8},
		{"warm-up, over", WarmUp(4, ConstantRate(1)), 4, 10, 1},
		{"warm-up, then first of cosine", WarmUp(10, cosine), 10, 110, 0.5},
		{"warm-up, then half of cosine", WarmUp(10, cosine), 60, 110, 0.3},
		{"warm-up longer than the training", WarmUp(9, cosine), 4, 5, 0.25},
		{"no warm-up", WarmUp(0, cosine), 50, 100, 0.3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.s(tc.step, tc.total); math.Abs(got-tc.want) > 1e-12 {
				t.Errorf("rate %g, want %g", got, tc.want)
			}
		})
	}
}

func ExampleWarmUp() {
	rate := WarmUp(3, CosineRate(0.1, 0))
	for _, step := range []int{0, 1, 2, 3, 28, 53, 78, 103} {
		fmt.Printf("%3d %.4f\n", step, rate(step, 103))
	}
	// Output:
	//   0 0.0250
	//   1 0.0500
	//   2 0.0750
	//   3 0.1000
	//  28 0.0854
	//  53 0.0500
	//  78 0.0146
	// 103 0.0000
}
