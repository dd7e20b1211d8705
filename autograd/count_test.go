package autograd

import (
	"math"
	"testing"

	"github.com/nasbench-go/nasbench/tensor"
)

// TestWorkThatCannotBeCountedIsTheMost: sizes that fit a tensor may have costs that fit no int64. They are the largest number, and stay so in sums.
func TestWorkThatCannotBeCountedIsTheMost(t *testing.T) {
	g := NewGraph()
	const side = 1 << 20
	x := g.Input("x", 1<<10, side, side, 1<<10) // 2^60 elements
	y := Conv2D(x, g.Input("w", 11, 11, 1<<10, 1<<10), ConvOptions{Padding: Both(5)})
	y = Add(ReLU6(y), y)
	y = AvgPool2D(y, PoolOptions{Window: Both(9), Stride: Both(1), Padding: Both(4)})
	y = MaxPool2D(y, PoolOptions{Window: Both(9), Stride: Both(1), Padding: Both(4)})
	y = Linear(y, g.Variable("v", tensor.New(1<<10, 1<<10)))
	if got, want := Summarize(y), (Summary{math.MaxInt64, math.MaxInt64, math.MaxInt64, 1 << 20, math.MaxInt64}); got != want {
		t.Errorf("the cost is %+v", got)
	}
	for _, n := range needed([]*Node{y}) {
		if w := n.Work(); w.FLOPs < 0 || w.MACs < 0 || w.Bytes < 0 {
			t.Errorf("%v: %+v", n, w)
		}
	}
	if _, err := Compile(Options{Outputs: []*Node{y}}); err == nil {
		t.Error("it compiles")
	}
	for _, c := range []struct {
		numbers []int
		want    int64
	}{{nil, 1}, {[]int{0, math.MaxInt, math.MaxInt}, 0}, {[]int{math.MaxInt, math.MaxInt, 0}, 0}, {[]int{1 << 31, 1 << 31}, 1 << 62}, {[]int{1 << 32, 1 << 31}, math.MaxInt64}, {[]int{math.MaxInt, 1}, math.MaxInt64}, {[]int{3, 5, 7}, 105}} {
		if got := times(c.numbers...); got != c.want {
			t.Errorf("the product of %v is %d, want %d", c.numbers, got, c.want)
		}
	}
}
