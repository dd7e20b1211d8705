package strategy_test

import (
	"fmt"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

func ExampleNew() {
	s, err := space.New("chain", space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, space.Constraints{MaxFLOPs: 10_000_000})
	if err != nil {
		panic(err)
	}
	search, err := strategy.New("random", strategy.Options{Space: s, Seed: 7})
	if err != nil {
		panic(err)
	}
	// Evaluation is the caller's part; here the smallest network is the best.
	var best space.Genome
	bestScore := 0.0
	for trial := range 50 {
		genomes, err := search.Ask(1)
		if err != nil {
			panic(err)
		}
		cost, err := s.Cost(genomes[0])
		if err != nil {
			panic(err)
		}
		score := 1 / float64(cost.Params)
		if score > bestScore {
			best, bestScore = genomes[0], score
		}
		search.Tell(strategy.Result{Trial: trial, Genome: genomes[0], Score: score})
	}
	fmt.Println(best)
	// Output: pool3x3(max), skip:add, conv3x3(16):add
}
