// Package bench measures single operations and whole networks, in Go benchmark format, so that benchstat compares two
// versions. It is what nasbench bench and nasbench profile print.
//
// [Kinds] lists the operations: a [KernelCase] is one of given shape and direction, run as a program of its own, and compared with the
// generic level before it is timed. [Models] lists the networks: a [ModelCase] is one in training or inference, and a [Profile] says where
// its time and memory go. [Roofline] is what the machine can do at most, measured here too. Package peers, below, is a program that
// measures oneDNN, PyTorch and onnxruntime in turns with our kernels and networks.
//
//	go test -run '^$' -bench . ./bench
package bench
