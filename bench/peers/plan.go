package main

import (
	"strconv"
	"strings"
)

var (
	gemmShapes = []string{"64x64x64", "128x128x128", "256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048", "16x1024x144", "16x784x400",
		"64x784x576", "128x196x1152", "512x49x4608", "64x3136x147", "128x10x64", "10x64x50176"}
	cubes      = []string{"256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048"}
	convShapes = []string{"64,3,32,16,3,1,1,1", "64,16,32,16,3,1,1,1", "64,16,32,16,5,1,1,1", "64,16,32,16,1,1,1,1", "64,32,16,32,3,1,1,1",
		"64,64,8,64,3,1,1,1", "64,128,8,128,3,1,1,1", "64,64,16,64,3,2,1,1", "8,64,56,64,3,1,1,1", "8,256,14,256,3,1,1,1"}
	depthwiseShapes = []string{"64,16,32,16,3,1,16,1", "64,16,32,16,5,1,16,1", "64,16,32,16,3,1,16,2"}
	oddShapes       = []string{"7,17,19,17,3,1,1,1", "7,24,33,24,3,1,1,1", "7,40,14,40,5,1,1,1", "7,48,7,48,3,1,1,1", "1,24,19,40,1,1,1,1",
		"1,40,7,40,7,1,1,1", "7,17,33,48,7,2,1,1", "1,48,14,24,3,1,1,1"}
	elementwise = []string{"Add", "Mul", "Scale", "WeightedSum5", "ReLU", "HardSwish", "Sigmoid", "SiLU", "Softmax16", "Sum", "SGD", "AdamW"}
)

const beyondCache = "16777216"

// plan lists what is measured.
func plan() []question {
	all, top := levels(), levels()[:1]
	one, everyone, noTorch := []int{1}, []string{ours, oneDNN, torch}, []string{ours, oneDNN}
	three, two := []string{"fwd", "bwd-data", "bwd-weights"}, []string{"fwd", "bwd-data"}
	var qs []question
	add := func(section, kind string, shapes, directions, levels, who []string, threads []int) {
		for _, shape := range shapes {
			for _, d := range directions {
				qs = append(qs, question{section, kind, shape, d, levels, threads, who})
			}
		}
	}
	add("gemm", "gemm", gemmShapes, two[:1], all, append(everyone[:3:3], limit), one)
	add("conv", "conv", convShapes, three, all, everyone, one)
	add("depthwise", "depthwise", depthwiseShapes, three, top, everyone, one)
	add("pool", "pool", []string{"max,64,16,32,3,1", "avg,64,16,32,3,1"}, two, top, everyone, one)
	add("norm", "norm", []string{"64,16,32"}, two, top, everyone, one)
	add("odd", "conv", oddShapes, three, top, noTorch, one)
	for _, op := range elementwise {
		add("elementwise", "elementwise", []string{op + "," + beyondCache}, two[:1], top, []string{ours, limit}, one)
	}
	var large []string
	for _, s := range gemmShapes {
		if flops("gemm", s) >= 50e6 {
			large = append(large, s)
		}
	}
	add("threads", "gemm", large, two[:1], top, noTorch, []int{1, 2})
	add("threads", "conv", convShapes, three, top, noTorch, []int{1, 2})
	return qs
}

func numbers(text, separator string) (all []float64) {
	for _, field := range strings.Split(text, separator) {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			continue // the name of a pooling
		}
		all = append(all, n)
	}
	return all
}

// flops returns the nominal work of a matrix product or a convolution.
func flops(kind, shape string) float64 {
	if kind == "gemm" {
		n := numbers(shape, "x")
		return 2 * n[0] * n[1] * n[2]
	}
	n := numbers(shape, ",")
	batch, c, h, k, r, stride, groups, dilation := n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]
	pad := dilation * float64(int(r)/2)
	out := float64(int((h+2*pad-dilation*(r-1)-1)/stride)) + 1
	return 2 * batch * k * out * out * c / groups * r * r
}
