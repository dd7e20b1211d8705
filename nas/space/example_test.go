package space_test

import (
	"fmt"

	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

func Example() {
	task := space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}
	s, err := space.New("chain", task, space.Constraints{MaxFLOPs: 6_000_000})
	if err != nil {
		panic(err)
	}
	g, err := s.Parse("conv3x3(16), pool3x3(max), conv3x3(64):add, fc(64):concat")
	if err != nil {
		panic(err)
	}
	cost, err := s.Cost(g)
	if err != nil {
		panic(err)
	}
	fmt.Println(cost.FLOPs, "FLOPs,", cost.Params, "parameters")
	fmt.Println("allowed?", s.Check(g))

	h, err := s.Random(stream.New(7, "example"))
	if err != nil {
		panic(err)
	}
	fmt.Println("drawn:", h)
	fmt.Println("allowed?", s.Check(h))
	// Output:
	// 6034906 FLOPs, 16122 parameters
	// allowed? 6,034,906 FLOPs for an image are more than the 6,000,000 allowed
	// drawn: pool3x3(avg), pool3x3(max), conv5x5(64):skip, skip:add, pool3x3(avg):concat, skip:skip
	// allowed? <nil>
}

func ExampleSpace_key() {
	s, err := space.New("chain", space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, space.Constraints{})
	if err != nil {
		panic(err)
	}
	// A sequential skip layer changes nothing, and z after it is x.
	for _, text := range []string{
		"conv3x3(16), conv3x3(32):add, fc(64)",
		"conv3x3(16), skip, conv3x3(32):skip, skip, fc(64)",
		"conv3x3(16), conv3x3(32), fc(64)",
	} {
		g, err := s.Parse(text)
		if err != nil {
			panic(err)
		}
		fmt.Println(s.Key(g))
	}
	// Output:
	// chain1-f280a14a4cb4fdde2123ef63
	// chain1-f280a14a4cb4fdde2123ef63
	// chain1-aab27c1ce04a16a11bad2c50
}

func ExampleNew() {
	_, err := space.New("chane", space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, space.Constraints{})
	fmt.Println(err)
	// Output:
	// space: no space is called "chane"; there is chain, seed-cell, darts, nb201, macro
}
