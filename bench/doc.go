// Package bench measures whole networks: training steps and inference on models of fixed shape, in Go benchmark
// format, so that benchstat compares two versions.
//
//	go test -run '^$' -bench . ./bench
//
// [Models] lists the networks. A result carries img/s, GFLOP/s (the exact work of the compiled graph over
// the time) and the bytes of the planned arena. The kernels alone have benchmarks in package kernels.
package bench
