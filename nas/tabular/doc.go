// Package tabular searches where the truth is known: architectures are looked up in a table of what their training
// once gave, instead of being trained. Hundreds of searches then take seconds, so that strategies can be compared by
// distributions instead of by single runs.
//
//	table, err := tabular.Open(ctx, "nb201.csv.gz", s, "")
//	runs, err := tabular.Compare(ctx, tabular.Options{Table: table, Metric: "c10_val_12ep", Report: "c10_test_200ep",
//		Trials: 100, Runs: 500, Seed: 1, New: func(seed uint64) (strategy.Strategy, error) {
//			return strategy.New("random", strategy.Options{Space: s, Seed: seed})
//		}})
//	fmt.Println(tabular.Summarize(runs, 100).Mean)
//
// [Evaluator] looks up the trials of a study, for a single search that is recorded and resumed like any other.
//
// The strategy sees one metric, such as the validation accuracy after a short training; another one is reported, such as the test
// accuracy after a long one. This is the protocol of Dong, Liu, Musial and Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture
// Topology and Size", IEEE Transactions on Pattern Analysis and Machine Intelligence, 2021.
package tabular
